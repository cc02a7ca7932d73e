"""Backward passes that come after the captured call: `loss_fn(compiled(x), y).backward()`.

The backward pass is recorded right after the call, as a second half of the program. A replay of
the first half returns, beside its results, the arrays that the second half reads; a node on the
tape keeps them and runs the second half when its gradient arrives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.tensor.binding import Parts, _pick
from workbench.tensor.node import LEAF, Node, make_node
from workbench.tensor.tensor import Tensor, wrap

from .emit import Emitter
from .program import EXTERNAL, Program, split
from .signature import rebuild
from .storage import Plan
from .traced import bare


class StandIns:
    """Leaves in the place of arguments that carry gradients, so that a recording ends at them."""

    def __init__(self, tensors: list[Any]) -> None:
        self._of: dict[int, Any] = {}
        self._back: dict[int, Any] = {}
        self.places: dict[int, int] = {}  # id(stand-in) -> which argument
        for i, t in enumerate(tensors):
            if t.edge is not None and id(t) not in self._of:
                made = wrap(t.array)
                made.edge = LEAF
                self._of[id(t)] = made
                self._back[id(made)] = t
                self.places[id(made)] = i

    def enter(self, tree: Any) -> Any:
        """The arguments with stand-ins."""
        return rebuild(tree, lambda t: self._of.get(id(t), t)) if self._of else tree

    def leave(self, tree: Any) -> Any:
        """The result without them; its graph goes on to the real arguments, with real arrays."""
        found: list[Any] = []

        def take(t: Any) -> Any:
            found.append(t)
            return self._back.get(id(t), t)

        made = rebuild(tree, take)
        self._relink([t.edge for t in found if isinstance(t.edge, Node)])
        return made if self._of else tree

    def _relink(self, stack: list[Node]) -> None:
        seen: set[int] = set()
        while stack:
            node = stack.pop()
            if node.seq in seen:
                continue
            seen.add(node.seq)
            if any(id(edge) in self._back for edge in node.edges):
                node.edges = tuple(
                    _edge(self._back[id(e)]) if id(e) in self._back else e for e in node.edges
                )
            if node.saved:
                node.saved = bare(node.saved)
            stack += [edge for edge in node.edges if isinstance(edge, Node)]


def _edge(tensor: Any) -> Any:
    return tensor if tensor.edge is LEAF else tensor.edge


class Later:
    """The second half of a captured call."""

    name = "CompiledFunctionBackward"

    def __init__(self, recorder: Any, pending: list[Any], stand_ins: StandIns) -> None:
        self._at = len(recorder.program.instructions)
        self._seeds, leaves, self._ends = recorder.pull(pending)
        # each leaf: one of the arguments, by its place, or a parameter
        self._leaves = [
            (stand_ins.places.get(id(leaf)), None if id(leaf) in stand_ins.places else leaf)
            for leaf in leaves
        ]
        self._roots = [recorder.results[id(t)] for t in pending]
        self._specs = tuple((t.array.shape, t.array.dtype) for t in pending)
        self.places: dict[int, int] = {}  # output of the first half -> which root

    def cut(self, program: Program) -> Program:
        """The first half, with what crosses among its outputs; plans the second."""
        for place, value in enumerate(program.outputs):
            for i, root in enumerate(self._roots):
                if value is root:
                    self.places[place] = i
        before, after, crossing = split(program, self._at, self._seeds, self._ends)
        after.prune()
        self.plan = Plan(after)
        self.replay = Emitter(self.plan).function(len(self._seeds) + len(crossing))
        self._outside = [
            v.array for v in {v.root for one in after.instructions for v in one.reads()}
            if v.origin == EXTERNAL
        ]  # fmt: skip
        return before

    def node(self, crossing: tuple[Any, ...], tensors: list[Any]) -> Node:
        """The node of one replay."""
        edges = tuple(
            leaf if place is None else _edge(tensors[place]) for place, leaf in self._leaves
        )
        # parameters too, so that a write to one before the backward pass is noticed
        return make_node(self, edges, (*crossing, *self._outside, len(crossing)))

    def edge(self, node: Any, place: int) -> Any:
        """What the result at this place points to."""
        if len(self._specs) == 1:
            return node
        return _pick(node, self.places[place], self._specs)

    def backward(self, F: Any, g: Any, node: Any) -> Any:
        """The gradients of the leaves."""
        if isinstance(g, Parts):
            seeds = g.filled(F)
        else:
            seeds = [g]
        seeds = [np.ascontiguousarray(s) if s.shape else np.asarray(s) for s in seeds]
        *held, count = node.saved
        return self.replay(*seeds, *held[:count])

    def backward_taped(self, F: Any, g: Any, node: Any) -> Any:
        """Refused: RuntimeError."""
        raise RuntimeError(
            "a compiled function's gradient cannot be differentiated again (create_graph=True); "
            "call the plain function for that"
        )


__all__ = ["Later", "StandIns", "Tensor"]
