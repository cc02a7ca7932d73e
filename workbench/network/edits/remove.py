"""Remove a layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from workbench.network.draft import Context, Draft
from workbench.network.names import quoted

from .base import Edit, call, check_adapt, given, option


@dataclass(frozen=True)
class Remove(Edit):
    """Remove a layer; what read it reads its (first) input instead.

    Undo brings it back with its weights, buffers and optimizer state.
    `adapt`: remake following layers whose input size no longer fits (False, True or a seed).
    """

    op: ClassVar[str] = "remove"
    fields: ClassVar[dict[str, bool]] = {"layer": True, "adapt": False}

    layer: str
    adapt: bool | int = False

    def draft(self, context: Context) -> tuple[Remove, Draft]:
        """The edit with its choices made, and the network after it. Raises EditError."""
        node = context.node(self.layer)
        draft = Draft.of(context.state, node.id)
        draft.adapt = check_adapt(self.adapt, context)
        draft.graph = context.graph.remove(node.id)
        del draft.modules[node.id]
        if len(set(node.inputs)) > 1:
            first = context.graph.name(node.inputs[0])
            draft.notes.append(f"what read {quoted(node.name)} reads {quoted(first)} instead")
        adapt = False if draft.adapt is None else draft.adapt
        return replace(self, layer=node.name, adapt=adapt), draft

    @property
    def code(self) -> str:
        """The Python line on `net`."""
        return call("remove", repr(self.layer), option("adapt", self.adapt))

    @property
    def label(self) -> str:
        """The edit in a few words."""
        return f"remove {self.layer}"

    def to_dict(self) -> dict[str, Any]:
        """The edit as JSON values."""
        return {"op": self.op, "layer": self.layer, **given(adapt=self.adapt)}
