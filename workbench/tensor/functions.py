"""The op table as namespaces: "" (the top level), "nn.functional", "linalg", …

`FUNCTIONS["nn.functional"]["conv2d"]` is the function a user calls. Compositions of ops register
here beside the ops themselves; whoever re-exports a namespace reads it from here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, TypeVar

from .binding import BOUND, Bound
from .out import OUT, offering


class Namespace(MutableMapping):
    """Names to functions. An op's function is compiled when it is first asked for.

    `out` holds the names of the functions that take `out=`.
    """

    def __init__(self, out: frozenset[str] = frozenset()) -> None:
        self._held: dict[str, Any] = {}
        self._ready: dict[str, Any] = {}
        self._out = out

    def __getitem__(self, name: str) -> Callable[..., Any]:
        try:
            return self._ready[name]
        except KeyError:
            found = self._held[name]
        if type(found) is Bound:
            found = found.public if name in self._out else found.call
        elif name in self._out:
            found = offering(found, name)
        self._ready[name] = found
        return found

    def __setitem__(self, name: str, made: Callable[..., Any]) -> None:
        self._held[name] = getattr(made, "bound", made)  # what `raw` gave for an op
        self._ready.pop(name, None)

    def held(self, name: str) -> Any:
        """What is registered under a name, not compiled yet where it is an op."""
        return self._held[name]

    def __delitem__(self, name: str) -> None:
        del self._held[name]
        self._ready.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, name: object) -> bool:
        return name in self._held


FUNCTIONS: dict[str, Namespace] = {
    name: Namespace(OUT.get(name, frozenset())) for name in ("nn.functional", *OUT)
}
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
    """The bound function of an op with the declaration's own parameters.

    One that is not compiled yet is so at its first call. Names of the asking module that hold the
    stand-in then hold the function, so that importing a module compiles nothing and later calls
    lose nothing.
    """
    bound = BOUND[name]
    if "call" in bound.__dict__:
        return bound.call
    space = sys._getframe(1).f_globals

    def first(*args: Any, **kwargs: Any) -> Any:
        made = bound.call
        for key, value in list(space.items()):
            if value is first:
                space[key] = made
        return made(*args, **kwargs)

    first.bound = bound  # type: ignore[attr-defined]
    first.__name__ = first.__qualname__ = bound.op.name
    first.__doc__ = bound.op.doc
    return first
