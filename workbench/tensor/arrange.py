"""Compositions that rearrange: joining, splitting, repeating, diagonals, grids."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from workbench.arrays import to_numpy

from .create import arange, as_shape
from .functions import METHODS, function, raw
from .indexing import getitem
from .reshaping import reshape
from .tensor import Tensor, beside, wrap

_cat, _unsqueeze, _expand, _permute = (raw(n) for n in ("cat", "unsqueeze", "expand", "permute"))


def _dim(dim: int, ndim: int) -> int:
    from workbench.ops.reduce import axis

    return axis(dim, ndim)


def _atleast(tensor: Tensor, ndim: int) -> Tensor:
    while tensor.array.ndim < ndim:
        tensor = _unsqueeze(tensor, tensor.array.ndim if tensor.array.ndim == 2 else 0)
    return tensor


def _atleast_function(name: str, ndim: int) -> Any:
    def atleast(*tensors: Any) -> Any:
        given = (
            tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
        )
        made = tuple(_atleast(t, ndim) for t in given)
        return made[0] if len(tensors) == 1 and isinstance(tensors[0], Tensor) else made

    atleast.__name__ = atleast.__qualname__ = name
    atleast.__doc__ = f"Views with at least {ndim} dimensions."
    return function(method=False)(atleast)


for _n in (1, 2, 3):
    _atleast_function(f"atleast_{_n}d", _n)


@function("", "hstack", method=False)
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Joined side by side: along the second dimension, or the first of 1-d tensors."""
    parts = [_atleast(t, 1) for t in tensors]
    return _cat(parts, 0 if parts[0].array.ndim == 1 else 1)


@function("", "vstack", "row_stack", method=False)
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Joined on top of each other: along the first dimension, 1-d tensors as rows."""
    return _cat([_atleast(t, 2) for t in tensors], 0)


@function(method=False)
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Joined along the second dimension, 1-d tensors as columns."""
    return _cat([reshape(t, (t.numel(), 1)) if t.array.ndim < 2 else t for t in tensors], 1)


@function()
def tile(input: Tensor, *dims: Any) -> Tensor:
    """The whole tensor repeated `dims` times; missing leading counts are 1."""
    counts = as_shape(dims, "dims")
    counts = (1,) * (input.array.ndim - len(counts)) + counts
    return raw("repeat_tiles")(input, counts)


@function()
def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each element (or each entry along `dim`) repeated `repeats` times, next to itself.

    `repeat_interleave(counts)` gives the index i counts[i] times. Raises RuntimeError for
    negative counts and for counts that do not fit the dimension.
    """
    positions = repeats is None
    given = input if positions else repeats
    counts = to_numpy(given.array) if isinstance(given, Tensor) else np.asarray(given)
    if counts.dtype.kind not in "iu":
        raise RuntimeError("repeats has to be Long or Int tensor")
    if counts.size and counts.min() < 0:
        raise RuntimeError("repeats can not be negative")
    if positions:
        return beside(input, np.repeat(np.arange(counts.size), counts))
    if dim is None:
        return repeat_interleave(reshape(input, (-1,)), repeats, 0)
    size = input.size(dim)
    if counts.ndim and counts.size not in (1, size):
        raise RuntimeError(
            f"repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{counts.size} and input.size({dim}) = {size}"
        )
    index = np.repeat(np.arange(size), np.broadcast_to(counts.reshape(-1), (size,)))
    return getitem(input, (slice(None),) * _dim(dim, input.array.ndim) + (beside(input, index),))


@function()
def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """A view with the dimensions `source` moved to `destination`, the others in order."""
    n = input.array.ndim
    sources = [_dim(d, n) for d in ((source,) if isinstance(source, int) else source)]
    targets = [
        _dim(d, n) for d in ((destination,) if isinstance(destination, int) else destination)
    ]
    if len(sources) != len(targets):
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source and destination must have the "
            f"same number of elements, got {len(sources)} and {len(targets)}"
        )
    order = [d for d in range(n) if d not in sources]
    for target, origin in sorted(zip(targets, sources, strict=True)):
        order.insert(target, origin)
    return _permute(input, tuple(order))


function("", "moveaxis")(movedim)


@function()
def unflatten(input: Tensor, dim: int, sizes: Any) -> Tensor:
    """A view with dimension `dim` as several of `sizes` (one may be -1)."""
    where = _dim(dim, input.array.ndim)
    shape = input.array.shape
    return reshape(input, (*shape[:where], *sizes, *shape[where + 1 :]))


@function()
def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension; a view where possible."""
    return reshape(input, (-1,))


@function()
def broadcast_to(input: Tensor, size: Any) -> Tensor:
    """A view expanded to `size`."""
    return _expand(input, tuple(size))


@function(method=False)
def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Views of all tensors, expanded to their common shape; RuntimeError where there is none."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    shape = broadcast_shapes(*(t.array.shape for t in given))
    return tuple(_expand(t, shape) for t in given)


@function(method=False)
def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that all shapes broadcast to; RuntimeError where there is none."""
    from .tensor import Size

    try:
        return Size(np.broadcast_shapes(*(tuple(s) for s in shapes)))
    except ValueError:
        raise RuntimeError(
            "Shape mismatch: objects cannot be broadcast to a single shape: "
            f"{', '.join(str(tuple(s)) for s in shapes)}"
        ) from None


@function(method=False)
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Grids of coordinates from 1-d tensors: matrix ("ij") or picture ("xy") indexing."""
    given = list(
        tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    )
    if indexing not in ("ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    swap = indexing == "xy" and len(given) > 1
    if swap:
        given[0], given[1] = given[1], given[0]
    shape = tuple(t.numel() for t in given)
    grids = []
    for i, t in enumerate(given):
        sides = tuple(n if i == j else 1 for j, n in enumerate(shape))
        grids.append(_expand(reshape(t, sides), shape))
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


@function()
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A matrix with the 1-d `input` on a diagonal, or a copy of a matrix' diagonal."""
    if input.array.ndim == 1:
        return diag_embed(input, diagonal)
    if input.array.ndim != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.array.ndim}D")
    return raw("clone")(raw("diagonal")(input, diagonal, 0, 1))


@function()
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The last dimension as the diagonal of two new ones, zeros elsewhere."""
    n = input.array.ndim + 1
    first, second = _dim(dim1, n), _dim(dim2, n)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    side = input.array.shape[-1] + abs(offset)
    lead = list(input.array.shape[:-1])
    for d in sorted((first, second)):
        lead.insert(d, side)
    return raw("diagonal_backward")(input, tuple(lead), offset, first, second)


@function()
def trace(input: Tensor) -> Tensor:
    """The sum of a matrix' diagonal."""
    if input.array.ndim != 2:
        raise RuntimeError("trace: expected a matrix")
    return raw("sum")(raw("diagonal")(input, 0, 0, 1))


@function()
def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of a given number of pieces along `dim`, or cut at the given places."""
    size = input.size(dim)
    if isinstance(indices_or_sections, int):
        n = indices_or_sections
        if n < 1:
            raise RuntimeError(f"number of sections must be larger than 0, got {n}")
        cuts = [i * (size // n) + min(i, size % n) for i in range(n + 1)]
    else:
        given = [int(i) for i in indices_or_sections]
        cuts = [0, *(min(max(i + size if i < 0 else i, 0), size) for i in given), size]
    return tuple(raw("narrow")(input, dim, a, max(b - a, 0)) for a, b in pairwise(cuts))


def _indices(name: str, pick: Any) -> Any:
    def indices(
        row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None
    ) -> Tensor:
        found = np.stack(pick(row, offset, col))
        made = wrap(found.astype(np.int64))
        return made.to(dtype=dtype, device=device) if dtype or device else made

    indices.__name__ = indices.__qualname__ = name
    indices.__doc__ = "Positions (2, n) of a triangle of a row x col matrix, in row order."
    return function(method=False)(indices)


_indices("tril_indices", np.tril_indices)
_indices("triu_indices", np.triu_indices)


@function(method=False)
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of the elements of 1-d tensors, one in a row."""
    if len(tensors) == 1:
        return tensors[0]
    grids = meshgrid(*tensors)
    return raw("stack")([reshape(g, (-1,)) for g in grids], 1)


@function()
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """A copy rotated by k quarter turns in the plane of `dims`."""
    first, second = (_dim(d, input.array.ndim) for d in dims)
    if first == second:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    flip, transpose = raw("flip"), raw("transpose")
    turns = k % 4
    if turns == 0:
        return raw("clone")(input)
    if turns == 2:
        return flip(input, (first, second))
    if turns == 1:
        return transpose(flip(input, (second,)), first, second)
    return flip(transpose(input, first, second), (second,))


def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Windows of `size` every `step` along `dimension`, as a new last dimension."""
    where = _dim(dimension, self.array.ndim)
    count = (self.size(where) - size) // step + 1
    if size > self.size(where):
        raise RuntimeError(
            f"maximum size for tensor at dimension {where} is {self.size(where)} but size is {size}"
        )
    starts = reshape(arange(0, count * step, step), (-1, 1))
    index = starts + reshape(arange(size), (1, -1))
    picked = getitem(self, (slice(None),) * where + (index,))
    return movedim(picked, where + 1, -1)


METHODS["unfold"] = unfold
METHODS["unsqueeze_"] = lambda self, dim: _reshape_in_place(self, _unsqueeze(self.detach(), dim))
METHODS["squeeze_"] = lambda self, dim=None: _reshape_in_place(
    self, raw("squeeze")(self.detach(), dim)
)
METHODS["t_"] = lambda self: _reshape_in_place(self, raw("transpose")(self.detach(), 0, 1))
METHODS["transpose_"] = lambda self, dim0, dim1: _reshape_in_place(
    self, raw("transpose")(self.detach(), dim0, dim1)
)


def _reshape_in_place(tensor: Tensor, view: Tensor) -> Tensor:
    """Give a tensor without history another shape over the same memory."""
    if tensor.edge is not None:
        raise RuntimeError(
            "changing the shape of a tensor in place is supported only where no gradient is "
            "recorded; use the function that returns a view"
        )
    tensor.array = view.array
    return tensor
