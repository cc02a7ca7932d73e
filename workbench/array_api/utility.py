"""Truth of many, differences of neighbours."""

from __future__ import annotations

from typing import Any

from workbench.tensor import Tensor
from workbench.tensor.functions import raw

from .array import standard, together
from .manipulation import dimension
from .statistical import over


@standard
def all(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:  # noqa: A001
    """Whether all elements over `axis` are true (not 0); true of none."""
    return _truth("all", x, axis, keepdims)


@standard
def any(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:  # noqa: A001
    """Whether an element over `axis` is true (not 0); false of none."""
    return _truth("any", x, axis, keepdims)


def _truth(name: str, x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    held = x if x.array.dtype.kind == "b" else raw("ne")(x, 0)  # torch keeps uint8
    return raw(name)(*over(held, axis, keepdims))


@standard
def diff(
    x: Tensor,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """The n-th differences of neighbours along `axis`, of `x` between `prepend` and `append`."""
    if n < 0:
        raise ValueError(f"diff: n must not be negative, got {n}")
    axis = dimension(axis, x.array.ndim, "diff")
    parts = [part for part in (prepend, x, append) if part is not None]
    made = raw("cat")(together(*parts), axis) if len(parts) > 1 else x
    for _ in range(n):
        length = made.array.shape[axis]
        if length < 2:
            return raw("narrow")(made, axis, 0, 0)
        upper = raw("narrow")(made, axis, 1, length - 1)
        lower = raw("narrow")(made, axis, 0, length - 1)
        step = raw("ne") if made.array.dtype.kind == "b" else raw("sub")
        made = step(upper, lower)
    return made
