"""The shape of a network as a value: named nodes, their inputs, and which one is the output.

A `Graph` never changes; every edit makes a new one. That is what makes an edit atomic and its
undo exact. Nothing here knows about modules or tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

INPUT = "input"
"""Id and name of the network's input."""


@dataclass(frozen=True, slots=True)
class Node:
    """A layer's place: stable id, present name, and the ids of what it reads."""

    id: str
    name: str
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which they can be computed, and the id of the output.

    Raises ValueError when two nodes share an id or a name, an input is missing, or the nodes are
    not in an order in which they can be computed.
    """

    nodes: tuple[Node, ...] = ()
    output: str = INPUT
    _by_id: dict[str, Node] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id: dict[str, Node] = {}
        names = {INPUT}
        for node in self.nodes:
            if node.id in by_id or node.id == INPUT:
                raise ValueError(f"the id {node.id!r} is used twice")
            if node.name in names:
                raise ValueError(f"the name {node.name!r} is used twice")
            for source in node.inputs:
                if source not in by_id and source != INPUT:
                    raise ValueError(f"{node.name!r} reads {source!r}, which is not computed yet")
            by_id[node.id] = node
            names.add(node.name)
        if self.output not in by_id and self.output != INPUT:
            raise ValueError(f"the output {self.output!r} is not in the graph")
        object.__setattr__(self, "_by_id", by_id)

    # Reading

    def __contains__(self, id: object) -> bool:
        return id in self._by_id

    def __getitem__(self, id: str) -> Node:
        return self._by_id[id]

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def find(self, reference: str) -> Node | None:
        """The node with this name, else the one with this id, else None."""
        return self._by_name.get(reference) or self._by_id.get(reference)

    def name(self, id: str) -> str:
        """The present name of a node (or of the input)."""
        return INPUT if id == INPUT else self._by_id[id].name

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all nodes, in order."""
        return tuple(node.name for node in self.nodes)

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def consumers(self) -> dict[str, tuple[str, ...]]:
        """For each id, the ids of the nodes that read it, in order and once each."""
        found: dict[str, list[str]] = {INPUT: [], **{node.id: [] for node in self.nodes}}
        for node in self.nodes:
            for source in dict.fromkeys(node.inputs):
                found[source].append(node.id)
        return {source: tuple(readers) for source, readers in found.items()}

    def ancestors(self, id: str) -> set[str]:
        """Everything `id` is computed from, the input included, `id` itself not."""
        seen: set[str] = set()
        todo = [id]
        while todo:
            current = todo.pop()
            if current != INPUT:
                fresh = set(self._by_id[current].inputs) - seen
                seen |= fresh
                todo.extend(fresh)
        return seen

    def descendants(self, id: str) -> set[str]:
        """Every node that is computed from `id`, itself not included."""
        seen: set[str] = set()
        todo = [id]
        while todo:
            fresh = set(self.consumers[todo.pop()]) - seen
            seen |= fresh
            todo.extend(fresh)
        return seen

    @cached_property
    def live(self) -> frozenset[str]:
        """Ids of the nodes that reach the output; the others are not computed by a forward."""
        if self.output == INPUT:
            return frozenset()
        return frozenset((self.ancestors(self.output) | {self.output}) - {INPUT})

    @cached_property
    def is_chain(self) -> bool:
        """Whether the nodes follow one another, each reading just the one before."""
        before = INPUT
        for node in self.nodes:
            if node.inputs != (before,):
                return False
            before = node.id
        return self.output == before

    # Making new graphs. These do the wiring only; the checks with good messages are the edits'.

    def insert(self, node: Node, position: int, moved: Iterable[tuple[str, int]]) -> Graph:
        """A graph with `node` at `position`; each (reader, slot) of `moved` now reads it.

        A `moved` pair ("", 0) stands for the output of the graph.
        Raises CycleError when a moved reader is needed to compute `node`.
        """
        nodes = list(self.nodes)
        nodes.insert(position, node)
        output = self.output
        inputs = {n.id: list(n.inputs) for n in nodes}
        for reader, slot in moved:
            if reader == "":
                output = node.id
            else:
                inputs[reader][slot] = node.id
        return ordered([replace(n, inputs=tuple(inputs[n.id])) for n in nodes], output)

    def remove(self, id: str) -> Graph:
        """A graph without the node; what read it reads the node's first input instead."""
        instead = self[id].inputs[0]
        nodes = [
            replace(n, inputs=tuple(instead if source == id else source for source in n.inputs))
            for n in self.nodes
            if n.id != id
        ]
        return Graph(tuple(nodes), instead if self.output == id else self.output)

    def rename(self, id: str, name: str) -> Graph:
        """A graph in which the node has another name."""
        nodes = tuple(replace(n, name=name) if n.id == id else n for n in self.nodes)
        return Graph(nodes, self.output)

    def rewire(self, id: str, inputs: tuple[str, ...]) -> Graph:
        """A graph in which the node reads `inputs`. Raises CycleError when that makes a cycle."""
        nodes = [replace(n, inputs=inputs) if n.id == id else n for n in self.nodes]
        return ordered(nodes, self.output)


class CycleError(ValueError):
    """The nodes cannot be ordered: some would need their own output. `.nodes` are their ids."""

    def __init__(self, nodes: tuple[str, ...]) -> None:
        super().__init__(f"these nodes need their own output: {', '.join(nodes)}")
        self.nodes = nodes


def ordered(nodes: list[Node], output: str) -> Graph:
    """A graph of `nodes` in computable order, as close to the given order as possible.

    Raises CycleError when no such order exists.
    """
    waiting = list(nodes)
    done: list[Node] = []
    ready = {INPUT}
    while waiting:
        # the first that can be computed: a list already in order stays as it is
        node = next((n for n in waiting if ready.issuperset(n.inputs)), None)
        if node is None:
            raise CycleError(tuple(n.id for n in waiting))
        waiting.remove(node)
        done.append(node)
        ready.add(node.id)
    return Graph(tuple(done), output)
