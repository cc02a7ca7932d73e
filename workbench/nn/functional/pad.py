"""Padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import FUNCTIONS, Tensor, wrap

__all__ = ["pad"]

_cat, _index_select = FUNCTIONS[""]["cat"], FUNCTIONS[""]["index_select"]
_MODES = ("constant", "reflect", "replicate", "circular")


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Pad the last dimensions by (last before, last after, second to last before, …).

    Modes "constant" (with `value`, 0 unless given), "reflect" (without the edge), "replicate"
    (the edge) and "circular". Negative widths cut.

    Raises RuntimeError or ValueError for widths that do not fit, NotImplementedError for an
    unknown mode.
    """
    widths = [int(w) for w in pad]
    shape = input.array.shape
    if len(widths) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(widths) // 2 > len(shape):
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but "
            f"got padding length {len(widths)} and input of dimension {len(shape)}"
        )
    if mode not in _MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if mode != "constant" and value:
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    x = input
    for i in range(len(widths) // 2):
        before, after = widths[2 * i], widths[2 * i + 1]
        if before or after:
            dim = len(shape) - 1 - i
            if mode == "constant":
                x = _constant(x, dim, before, after, 0 if value is None else value)
            else:
                x = _picked(x, dim, before, after, mode)
    return x


def _constant(x: Tensor, dim: int, before: int, after: int, value: float) -> Tensor:
    size = x.array.shape[dim]
    start, stop = max(0, -before), size - max(0, -after)
    if stop < start:
        raise RuntimeError(
            f"The input size {size}, plus negative padding {before} and {after}, resulted in a "
            f"negative output size"
        )
    if (start, stop) != (0, size):
        x = x.narrow(dim, start, stop - start)
    parts = [x]
    xp = namespace(x.array)
    for where, width in ((0, before), (len(parts), after)):
        if width > 0:
            shape = (*x.array.shape[:dim], width, *x.array.shape[dim + 1 :])
            filled = wrap(xp.full(shape, value, x.array.dtype))
            parts.insert(where if where == 0 else len(parts), filled)
    return _cat(parts, dim) if len(parts) > 1 else x


def _picked(x: Tensor, dim: int, before: int, after: int, mode: str) -> Tensor:
    size = x.array.shape[dim]
    most = {"reflect": size - 1, "circular": size}.get(mode)
    if most is not None and max(before, after) > most:
        raise RuntimeError(
            f"Padding size should be at most {most} for {mode} padding of a dimension of size "
            f"{size}, but got ({before}, {after})"
        )
    where = np.arange(-before, size + after)
    if mode == "replicate":
        where = np.clip(where, 0, size - 1)
    elif mode == "circular":
        where = where % size
    else:
        where = np.abs(where)
        where = np.where(where >= size, 2 * (size - 1) - where, where)
    return _index_select(x, dim, wrap(namespace(x.array).asarray(where)))
