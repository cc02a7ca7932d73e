"""Freeze a layer, or let it learn again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from workbench.network.draft import Context, Draft
from workbench.network.errors import EditTypeError
from workbench.network.names import quoted

from .base import Edit, call


@dataclass(frozen=True)
class Freeze(Edit):
    """Stop a layer's parameters from being trained, or (`frozen=False`) let them learn again.

    Their optimizer state stays. As in torch, batch norm's running statistics are no parameters
    and go on. Parameters that learn again and that no optimizer has join one.
    """

    op: ClassVar[str] = "freeze"
    fields: ClassVar[dict[str, bool]] = {"layer": True, "frozen": False}

    layer: str
    frozen: bool = True

    def draft(self, context: Context) -> tuple[Freeze, Draft]:
        """The edit with its choices made, and the network after it. Raises EditError."""
        node = context.node(self.layer)
        if not isinstance(self.frozen, bool):
            raise EditTypeError(f"frozen is True or False, got {self.frozen!r}")
        draft = Draft.of(context.state, node.id)
        parameters = list(context.state.modules[node.id].parameters())
        draft.flags = [(p, not self.frozen) for p in parameters]
        if not self.frozen:
            draft.join = parameters
        if not parameters:
            draft.notes.append(f"{quoted(node.name)} has no parameters, so nothing changes")
        return replace(self, layer=node.name), draft

    @property
    def code(self) -> str:
        """The Python line on `net`."""
        return call("freeze" if self.frozen else "unfreeze", repr(self.layer))

    @property
    def label(self) -> str:
        """The edit in a few words."""
        return f"{'freeze' if self.frozen else 'unfreeze'} {self.layer}"

    def to_dict(self) -> dict[str, Any]:
        """The edit as JSON values."""
        return {"op": self.op, "layer": self.layer, "frozen": self.frozen}

    @classmethod
    def _read(cls, fields: dict[str, Any]) -> Freeze:
        frozen = fields.get("frozen")
        return cls(fields["layer"], True if frozen is None else frozen)
