"""The live mapping behind `module._parameters`, `module._buffers` and `module._modules`."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .module import Module

PARAMETER, BUFFER, MODULE = "parameter", "buffer", "module"


class Members(MutableMapping[str, Any]):
    """A module's parameters, buffers or children by name; writing to it changes the module."""

    __slots__ = ("_kind", "_module")

    def __init__(self, module: Module, kind: str) -> None:
        self._module = module
        self._kind = kind

    def __getitem__(self, name: str) -> Any:
        space = self._module.__dict__
        if space["_members"].get(name) != self._kind:
            raise KeyError(name)
        return space[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._module._enter(name, value, self._kind)

    def __delitem__(self, name: str) -> None:
        self[name]
        delattr(self._module, name)

    def __iter__(self) -> Iterator[str]:
        members = self._module.__dict__["_members"]
        return iter([name for name, kind in members.items() if kind == self._kind])

    def __len__(self) -> int:
        return list(self._module.__dict__["_members"].values()).count(self._kind)

    def __repr__(self) -> str:
        return repr(dict(self))
