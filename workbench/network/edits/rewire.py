"""Let a layer read other layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from workbench.network.draft import Context, Draft, check_arity
from workbench.network.errors import EditError
from workbench.network.graph import INPUT
from workbench.network.names import quoted

from .base import Edit, call, check_adapt, given, option
from .insert import resolve_inputs


@dataclass(frozen=True)
class Rewire(Edit):
    """Let `layer` read `inputs` (names or ids; "input" is the network's input).

    Layers that no longer reach the output stay in the network, with their weights, but are not
    computed. `adapt`: remake layers whose input size no longer fits (False, True or a seed).
    """

    op: ClassVar[str] = "rewire"
    fields: ClassVar[dict[str, bool]] = {"layer": True, "inputs": True, "adapt": False}

    layer: str
    inputs: Sequence[str]
    adapt: bool | int = False

    def draft(self, context: Context) -> tuple[Rewire, Draft]:
        """The edit with its choices made, and the network after it. Raises EditError."""
        graph = context.graph
        node = context.node(self.layer)
        sources = resolve_inputs(self.inputs, context)
        check_arity(node.name, context.state.modules[node.id], len(sources))
        after = graph.descendants(node.id) | {node.id}
        for source in sources:
            if source in after:
                itself = source == node.id
                raise EditError(
                    f"{quoted(node.name)} cannot read "
                    + (
                        "itself"
                        if itself
                        else f"{quoted(graph.name(source))}, which is computed "
                        "from it: that would be a cycle"
                    ),
                    layer=node.name,
                    id=node.id,
                    fix="read one of "
                    + ", ".join(
                        quoted(name)
                        for name in (INPUT, *(n.name for n in graph if n.id not in after))
                    ),
                )
        draft = Draft.of(context.state, node.id)
        draft.adapt = check_adapt(self.adapt, context)
        draft.graph = graph.rewire(node.id, sources)
        draft.touched.add(node.id)
        lost = graph.live - draft.graph.live
        if lost:
            names = ", ".join(quoted(n.name) for n in graph if n.id in lost)
            verb = "does" if len(lost) == 1 else "do"
            draft.notes.append(f"{names} {verb} not reach the output any more")
        names_ = tuple(graph.name(source) for source in sources)
        adapt = False if draft.adapt is None else draft.adapt
        return replace(self, layer=node.name, inputs=names_, adapt=adapt), draft

    @property
    def code(self) -> str:
        """The Python line on `net`."""
        return call(
            "rewire",
            repr(self.layer),
            f"inputs={list(self.inputs)!r}",
            option("adapt", self.adapt),
        )

    @property
    def label(self) -> str:
        """The edit in a few words."""
        return f"rewire {self.layer} to read {', '.join(self.inputs)}"

    def to_dict(self) -> dict[str, Any]:
        """The edit as JSON values."""
        return {
            "op": self.op,
            "layer": self.layer,
            "inputs": list(self.inputs),
            **given(adapt=self.adapt),
        }

    @classmethod
    def _read(cls, fields: dict[str, Any]) -> Rewire:
        inputs = fields["inputs"]
        frozen = tuple(inputs) if isinstance(inputs, list) else inputs
        return cls(fields["layer"], frozen, fields.get("adapt") or False)
