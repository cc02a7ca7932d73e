"""Give a layer another name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from workbench.network.draft import Context, Draft
from workbench.network.errors import EditError
from workbench.network.names import check_name, quoted

from .base import Edit, call


@dataclass(frozen=True)
class Rename(Edit):
    """Give a layer another name; its id and everything else stay."""

    op: ClassVar[str] = "rename"
    fields: ClassVar[dict[str, bool]] = {"layer": True, "name": True}

    layer: str
    name: str

    def draft(self, context: Context) -> tuple[Rename, Draft]:
        """The edit with its choices made, and the network after it. Raises EditError."""
        node = context.node(self.layer)
        check_name(self.name, context.graph, context.network, but=node.id)
        if node.name == self.name:
            raise EditError(
                f"the layer is already called {quoted(self.name)}", layer=node.name, id=node.id
            )
        draft = Draft.of(context.state, node.id)
        draft.graph = context.graph.rename(node.id, self.name)
        return replace(self, layer=node.name), draft

    @property
    def code(self) -> str:
        """The Python line on `net`."""
        return call("rename", repr(self.layer), repr(self.name))

    @property
    def label(self) -> str:
        """The edit in a few words."""
        return f"rename {self.layer} to {self.name}"

    def to_dict(self) -> dict[str, Any]:
        """The edit as JSON values."""
        return {"op": self.op, "layer": self.layer, "name": self.name}
