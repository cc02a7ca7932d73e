"""Padding layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from workbench.tensor import Tensor

from . import functional as F
from .module import Module

__all__ = [
    f"{kind}Pad{dims}d"
    for kind in ("Circular", "Constant", "Reflection", "Replication", "Zero")
    for dims in (1, 2, 3)
]


def _widths(layer: str, padding: Any, dims: int) -> tuple[int, ...]:
    """An int for all edges, or two per dimension, the last dimension's first."""
    if isinstance(padding, Sequence) and not isinstance(padding, str):
        widths = tuple(padding)
    else:
        widths = (padding,) * (2 * dims)
    if len(widths) > 2 * dims or len(widths) % 2:
        raise ValueError(
            f"{layer}: padding must be an integer or {2 * dims} of them, got {len(widths)}"
        )
    for width in widths:
        if isinstance(width, bool) or not hasattr(width, "__index__"):
            raise TypeError(f"{layer}: padding must be integers, got {width!r}")
    return tuple(int(width) for width in widths)


class _Pad(Module):
    """Pads the last `dims` dimensions of (N, C, *sides) or (C, *sides)."""

    dims: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = _widths(type(self).__name__, padding, self.dims)

    def forward(self, input: Tensor) -> Tensor:
        """(…, *sides) → (…, *padded sides)."""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """(…, *sides) → (…, *padded sides)."""
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"{self.padding}"


class ConstantPad1d(_ConstantPad):
    """`value` around the last dimension; `padding` an int, or (left, right)."""

    dims = 1


class ConstantPad2d(_ConstantPad):
    """`value` around the last 2 dimensions; `padding` an int, or (left, right, top, bottom)."""

    dims = 2


class ConstantPad3d(_ConstantPad):
    """`value` around the last 3 dimensions.

    `padding` is an int, or (left, right, top, bottom, front, back).
    """

    dims = 3


class ZeroPad1d(_ZeroPad):
    """Zeros around the last dimension; `padding` an int, or (left, right)."""

    dims = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around the last 2 dimensions; `padding` an int, or (left, right, top, bottom)."""

    dims = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around the last 3 dimensions.

    `padding` is an int, or (left, right, top, bottom, front, back).
    """

    dims = 3


class ReflectionPad1d(_Pad):
    """The last dimension mirrored at its edges; `padding` an int, or (left, right)."""

    dims, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """The last 2 dimensions mirrored at their edges.

    `padding` is an int, or (left, right, top, bottom), each less than the side it lies along.
    """

    dims, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """The last 3 dimensions mirrored at their edges.

    `padding` is an int, or (left, right, top, bottom, front, back), each less than its side.
    """

    dims, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """The outermost elements repeated; `padding` an int, or (left, right)."""

    dims, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """The outermost elements repeated; `padding` an int, or (left, right, top, bottom)."""

    dims, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """The outermost elements repeated.

    `padding` is an int, or (left, right, top, bottom, front, back).
    """

    dims, mode = 3, "replicate"


class CircularPad1d(_Pad):
    """The last dimension continued from its other end; `padding` an int, or (left, right)."""

    dims, mode = 1, "circular"


class CircularPad2d(_Pad):
    """The last 2 dimensions continued from their other ends.

    `padding` is an int, or (left, right, top, bottom), none larger than the side it lies along.
    """

    dims, mode = 2, "circular"


class CircularPad3d(_Pad):
    """The last 3 dimensions continued from their other ends.

    `padding` is an int, or (left, right, top, bottom, front, back), none larger than its side.
    """

    dims, mode = 3, "circular"
