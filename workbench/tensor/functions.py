"""The op table as namespaces: "" (the top level), "nn.functional", "linalg", …

`FUNCTIONS["nn.functional"]["conv2d"]` is the function a user calls. Compositions of ops register
here beside the ops themselves; whoever re-exports a namespace reads it from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, TypeVar

from .binding import BOUND, Bound


class Namespace(MutableMapping):
    """Names to functions. An op's function is compiled when it is first asked for."""

    def __init__(self) -> None:
        self._held: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Callable[..., Any]:
        found = self._held[name]
        if type(found) is Bound:
            found = self._held[name] = found.call
        return found

    def __setitem__(self, name: str, made: Callable[..., Any]) -> None:
        self._held[name] = made

    def __delitem__(self, name: str) -> None:
        del self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, name: object) -> bool:
        return name in self._held


FUNCTIONS: dict[str, Namespace] = {name: Namespace() for name in ("", "nn.functional", "linalg")}
METHODS = Namespace()

for _name, _bound in BOUND.items():
    _op = _bound.op
    for _alias in (_name, *_op.aliases):
        if _op.function:
            FUNCTIONS.setdefault(_op.namespace, Namespace())[_alias] = _bound  # type: ignore[assignment]
        if _op.method:
            METHODS[_alias] = _bound  # type: ignore[assignment]

_F = TypeVar("_F", bound=Callable[..., Any])


def function(namespace: str = "", *names: str, method: bool | None = None) -> Callable[[_F], _F]:
    """Register a composition of ops under `namespace` (and as a method, by default at the top)."""

    def register(made: _F) -> _F:
        for name in (made.__name__.rstrip("_") if not names else "", *names):
            if not name:
                continue
            FUNCTIONS.setdefault(namespace, Namespace())[name] = made
            if namespace == "" if method is None else method:
                METHODS[name] = made
        return made

    return register


def raw(name: str) -> Callable[..., Any]:
    """The bound function of an op with the declaration's own parameters."""
    return BOUND[name].call
