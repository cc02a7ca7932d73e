"""Insert a layer between others, or append it at the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from workbench.network.bring import LayerLike, bring, check_layer, layer_code, layer_dict, type_name
from workbench.network.draft import Context, Draft
from workbench.network.errors import EditError, EditTypeError
from workbench.network.graph import INPUT, CycleError, Node
from workbench.network.names import check_name, default_name, quoted
from workbench.network.spec import LayerSpec

from .base import Edit, call, check_adapt, check_seed, given, option


@dataclass(frozen=True)
class Insert(Edit):
    """Insert `layer` after a layer (everything that read that one reads the new one instead), or
    before one; with both, on the connection between them; with neither, at the output.

    Attributes:
        layer: an nn.Module or a LayerSpec.
        after, before: name or id; `after="input"` inserts at the very beginning.
        name: its name; a default such as "relu1" when None.
        seed: initialise its parameters from this seed.
        inputs: what it reads, when that is not just the layer it is put after (joins).
        id: the id it shall get; None for the next free one. Set in a log.
        adapt: remake following layers whose input size no longer fits (False, True or a seed).
    """

    op: ClassVar[str] = "insert"
    fields: ClassVar[dict[str, bool]] = {
        "layer": True,
        "after": False,
        "before": False,
        "name": False,
        "seed": False,
        "inputs": False,
        "id": False,
        "adapt": False,
    }

    layer: LayerLike
    after: str | None = None
    before: str | None = None
    name: str | None = None
    seed: int | None = None
    inputs: Sequence[str] | None = None
    id: str | None = None
    adapt: bool | int = False

    def draft(self, context: Context) -> tuple[Insert, Draft]:
        """The edit with its choices made, and the network after it. Raises EditError."""
        check_layer(self.layer)
        check_seed(self.seed)
        graph = context.graph
        at, sources, moved = self._place(context)
        if self.inputs is not None:
            sources = resolve_inputs(self.inputs, context)
        name = self.name
        if name is None:
            name = default_name(type_name(self.layer), graph.names)
        check_name(name, graph, context.network)
        id_ = self._id(context)
        draft = Draft.of(context.state, id_)
        adapt = check_adapt(self.adapt, context)
        draft.adapt = None if self.after is self.before is None else adapt  # nothing follows
        inputs = [context.shape(source) for source in sources]
        try:
            draft.graph = graph.insert(Node(id_, name, sources), at, moved)
        except CycleError:
            needing = (s for s in sources if any(r in _needs(graph, s) for r, _ in moved))
            late = next(needing, sources[-1])
            raise EditError(
                f"{quoted(name)} cannot read {quoted(graph.name(late))} there: that would be "
                "computed from it, a cycle",
                layer=name,
                fix=f"after={graph.name(late)!r}",
            ) from None
        layer, seed = bring(draft, context, id_, name, self.layer, inputs, self.seed)
        done = replace(
            self,
            layer=layer,
            after=self._shown(context, self.after),
            before=self._shown(context, self.before),
            name=name,
            seed=seed,
            inputs=None if self.inputs is None else tuple(graph.name(source) for source in sources),
            id=id_,
            adapt=False if draft.adapt is None else draft.adapt,
        )
        return done, draft

    def _place(self, context: Context) -> tuple[int, tuple[str, ...], list[tuple[str, int]]]:
        """Where it goes in the order, what it reads, and who reads it from now on."""
        graph = context.graph
        if self.after is None and self.before is None:
            return len(graph), (graph.output,), [("", 0)]
        if self.before is None:
            source = context.source(self.after)
            at = 0 if source == INPUT else graph.nodes.index(graph[source]) + 1
            moved = [
                (reader, slot)
                for reader in graph.consumers[source]
                for slot, read in enumerate(graph[reader].inputs)
                if read == source
            ]
            return at, (source,), moved + ([("", 0)] if graph.output == source else [])
        reader = context.node(self.before)
        at = graph.nodes.index(reader)
        if self.after is None:
            choices = dict.fromkeys(reader.inputs)
            if len(choices) > 1:
                first = graph.name(reader.inputs[0])
                raise EditError(
                    f"{quoted(reader.name)} reads several layers, so before={reader.name!r} alone "
                    "does not say where",
                    layer=reader.name,
                    id=reader.id,
                    fix=f"after={first!r}, before={reader.name!r}",
                )
            return at, reader.inputs[:1], [(reader.id, slot) for slot in range(len(reader.inputs))]
        source = context.source(self.after)
        if source not in reader.inputs:
            reads = " and ".join(quoted(graph.name(s)) for s in reader.inputs)
            raise EditError(
                f"{quoted(reader.name)} does not read {quoted(graph.name(source))} but {reads}",
                layer=reader.name,
                id=reader.id,
                fix=f"after={graph.name(reader.inputs[0])!r}, before={reader.name!r}",
            )
        slots = [slot for slot, read in enumerate(reader.inputs) if read == source]
        return at, (source,), [(reader.id, slot) for slot in slots]

    def _id(self, context: Context) -> str:
        if self.id is None:
            return context.next_id
        if not isinstance(self.id, str) or not self.id[1:].isdecimal() or self.id[0] != "n":
            raise EditError(f"a layer's id is n and a number, got {self.id!r}")
        if int(self.id[1:]) < int(context.next_id[1:]):
            raise EditError(
                f"the id {self.id!r} is taken, or was: ids are never used again",
                fix="leave id out",
            )
        return self.id

    @staticmethod
    def _shown(context: Context, reference: str | None) -> str | None:
        return None if reference is None else context.graph.name(context.source(reference))

    @property
    def code(self) -> str:
        """The Python line on `net`."""
        append = self.after is None and self.before is None
        return call(
            "append" if append else "insert",
            layer_code(self.layer),
            option("after", self.after),
            option("before", self.before),
            option("name", self.name),
            option("inputs", None if self.inputs is None else list(self.inputs)),
            option("seed", self.seed),
            option("adapt", self.adapt),
        )

    @property
    def label(self) -> str:
        """The edit in a few words."""
        what = type_name(self.layer)
        what = what if self.name is None else f"{self.name} ({what})"
        if self.after is not None and self.before is not None:
            return f"insert {what} between {self.after} and {self.before}"
        if self.after is not None:
            return f"insert {what} after {self.after}"
        if self.before is not None:
            return f"insert {what} before {self.before}"
        return f"append {what}"

    def to_dict(self) -> dict[str, Any]:
        """The edit as JSON values."""
        append = self.after is None and self.before is None
        return {
            "op": "append" if append else "insert",
            "layer": layer_dict(self.layer, self.seed),
            **given(
                after=self.after,
                before=self.before,
                name=self.name,
                seed=self.seed,
                inputs=None if self.inputs is None else list(self.inputs),
                id=self.id,
                adapt=self.adapt,
            ),
        }

    @classmethod
    def _read(cls, fields: dict[str, Any]) -> Insert:
        fields["layer"] = LayerSpec.from_dict(fields["layer"])
        fields["adapt"] = fields.get("adapt") or False
        return cls(**fields)


def resolve_inputs(inputs: object, context: Context) -> tuple[str, ...]:
    """Ids of the layers in a list of names. Raises EditError when it is empty or no list."""
    if isinstance(inputs, str) or not isinstance(inputs, Sequence):
        shown = repr(inputs) if isinstance(inputs, str) else "…"
        raise EditTypeError("inputs is a list of layers", fix=f"inputs=[{shown}]")
    if not inputs:
        raise EditError("a layer reads at least one other", fix='inputs=["input"]')
    return tuple(context.source(reference) for reference in inputs)


def _needs(graph: Any, id: str) -> set[str]:
    return set() if id == INPUT else graph.ancestors(id) | {id}
