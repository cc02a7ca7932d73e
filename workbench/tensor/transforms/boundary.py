"""Across the border of a `vmap`, on the tape: linear maps between plain and Batched tensors.

`enter` hides a dimension and `leave` shows it again; `spread` repeats a tensor that is not mapped
and `gather` adds the samples up; `first` takes sample 0 and `place` puts a value there. They are
adjoints in pairs, so gradients of every order cross the border too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.tensor.mode import mode
from workbench.tensor.node import LEAF, Node, make_node
from workbench.tensor.tensor import Tensor, wrap

from .batched import Batched, Level, broadcast, is_at


def _enter(a: Any, level: Level, dim: int) -> Any:
    moved = np.moveaxis(a, dim, 0)
    return Batched(moved, level)


def _leave(a: Any, level: Level, dim: int) -> Any:
    inside = a.inside if is_at(a, level) else broadcast(a, level.size)
    return np.moveaxis(inside, 0, dim)


def _spread(a: Any, level: Level, dim: int) -> Any:
    return a if is_at(a, level) else Batched(broadcast(a, level.size), level)


def _gather(a: Any, level: Level, dim: int) -> Any:
    return a.inside.sum(axis=0) if is_at(a, level) else a


def _first(a: Any, level: Level, dim: int) -> Any:
    return a.inside[0] if is_at(a, level) else a


def _place(a: Any, level: Level, dim: int) -> Any:
    first = np.expand_dims(a, 0)
    rest = np.zeros_like(broadcast(a, level.size - 1))
    return Batched(np.concatenate([first, rest]), level)


_RAW = {
    "enter": _enter, "leave": _leave, "spread": _spread, "gather": _gather, "first": _first,
    "place": _place,
}  # fmt: skip
_ADJOINT = {
    "enter": "leave", "leave": "enter", "spread": "gather", "gather": "spread", "first": "place",
    "place": "first",
}  # fmt: skip


class _Crossing:
    """The node of one of the maps."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.name = f"Vmap{way.title()}Backward0"

    def backward(self, F: Any, g: Any, node: Node) -> tuple[Any]:
        """The adjoint map on a raw gradient."""
        level, dim = node.saved  # type: ignore[misc]
        return (_RAW[_ADJOINT[self.way]](g, level, dim),)

    def backward_taped(self, F: Any, g: Tensor, node: Node) -> tuple[Tensor]:
        """The adjoint map on a Tensor, recorded."""
        level, dim = node.saved  # type: ignore[misc]
        return (cross(_ADJOINT[self.way], g, level, dim),)


_KINDS = {way: _Crossing(way) for way in _RAW}


def cross(way: str, tensor: Tensor, level: Level, dim: int = 0) -> Tensor:
    """One of the maps, recorded."""
    made = wrap(_RAW[way](tensor.array, level, dim))
    edge = tensor.edge
    if edge is not None and mode.grad:
        made.edge = make_node(_KINDS[way], (tensor if edge is LEAF else edge,), (level, dim))
    return made


def reduced(g: Any, edge: Any) -> Any:
    """A gradient on its way out of an ended `vmap`, summed over samples where it leaves.

    A node older than the level, or a leaf that is not mapped, was shared by all samples.
    """
    array = g.array if isinstance(g, Tensor) else g
    if isinstance(g, dict):
        return g
    while type(array) is Batched:
        level = array.level
        if level.alive or (isinstance(edge, Node) and edge.seq > level.start):
            return g
        if not isinstance(edge, Node) and _mapped(edge.array, level):
            return g
        if isinstance(g, Tensor):
            g = cross("gather", g, level)
            array = g.array
        else:
            g = array = _gather(g, level, 0)
    return g


def _mapped(array: Any, level: Level) -> bool:
    while type(array) is Batched:
        if array.level is level:
            return True
        array = array.inside
    return False
