"""The op table as namespaces: "" (the top level), "nn.functional", "linalg", …

`FUNCTIONS["nn.functional"]["conv2d"]` is the function a user calls. Compositions of ops register
here beside the ops themselves; whoever re-exports a namespace reads it from here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .binding import BOUND

FUNCTIONS: dict[str, dict[str, Callable[..., Any]]] = {"": {}, "nn.functional": {}, "linalg": {}}
METHODS: dict[str, Callable[..., Any]] = {}

for _name, _bound in BOUND.items():
    _op = _bound.op
    if _op.function:
        for _alias in (_name, *_op.aliases):
            FUNCTIONS.setdefault(_op.namespace, {})[_alias] = _bound.call
    if _op.method:
        for _alias in (_name, *_op.aliases):
            METHODS[_alias] = _bound.call

_F = TypeVar("_F", bound=Callable[..., Any])


def function(namespace: str = "", *names: str, method: bool | None = None) -> Callable[[_F], _F]:
    """Register a composition of ops under `namespace` (and as a method, by default at the top)."""

    def register(made: _F) -> _F:
        for name in (made.__name__.rstrip("_") if not names else "", *names):
            if not name:
                continue
            FUNCTIONS.setdefault(namespace, {})[name] = made
            if namespace == "" if method is None else method:
                METHODS[name] = made
        return made

    return register


def raw(name: str) -> Callable[..., Any]:
    """The bound function of an op with the declaration's own parameters."""
    return BOUND[name].call
