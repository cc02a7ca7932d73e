"""Products of arrays."""

from __future__ import annotations

from typing import Any

from workbench.tensor import Tensor
from workbench.tensor.functions import raw

from .array import standard, table, together
from .manipulation import dimension


@standard
def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """The matrix product of the last two dimensions; the others broadcast.

    Raises TypeError for numbers, ValueError for 0-d arrays.
    """
    if not (isinstance(x1, Tensor) and isinstance(x2, Tensor)):
        raise TypeError("matmul needs two arrays")
    if x1.array.ndim == 0 or x2.array.ndim == 0:
        raise ValueError("matmul needs at least one dimension")
    return raw("matmul")(*together(x1, x2))


@standard
def matrix_transpose(x: Tensor, /) -> Tensor:
    """The transposes of the last two dimensions. Raises ValueError for fewer than two."""
    if x.array.ndim < 2:
        raise ValueError(f"matrix_transpose needs two dimensions or more, got {x.array.ndim}")
    return raw("transpose")(x, -2, -1)


@standard
def tensordot(x1: Tensor, x2: Tensor, /, *, axes: Any = 2) -> Tensor:
    """Sums of products over the last dimensions of x1 and the first of x2, or over two lists."""
    a, b = together(x1, x2)
    if isinstance(axes, int):
        pairs = [list(range(a.array.ndim - axes, a.array.ndim)), list(range(axes))]
    else:
        pairs = [
            [dimension(d, x.array.ndim, "tensordot") for d in one]
            for x, one in zip((a, b), axes, strict=True)
        ]
    for i, j in zip(*pairs, strict=True):
        if a.array.shape[i] != b.array.shape[j]:
            raise ValueError(
                f"tensordot: dimensions {i} and {j} differ in size: {a.array.shape[i]} and "
                f"{b.array.shape[j]}"
            )
    return table["tensordot"](a, b, pairs)


@standard
def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Sums of conj(x1) x2 along `axis`, counted from the end; the other dimensions broadcast."""
    if axis >= 0:
        if x1.array.ndim != x2.array.ndim:
            raise ValueError("vecdot: count the axis from the end where dimensions differ")
        axis -= x1.array.ndim
    a, b = together(x1, x2)
    for x in (a, b):
        dimension(axis, x.array.ndim, "vecdot")
    if a.array.shape[axis] != b.array.shape[axis]:
        raise ValueError(
            f"vecdot: sizes along the axis differ: {a.array.shape[axis]} and {b.array.shape[axis]}"
        )
    if a.array.dtype.kind == "c":
        a = raw("conj")(a)
    rows = raw("unsqueeze")(table["movedim"](a, axis, -1), -2)
    columns = raw("unsqueeze")(table["movedim"](b, axis, -1), -1)
    made = raw("matmul")(rows, columns)
    return raw("squeeze")(raw("squeeze")(made, -1), -1)
