"""torch's functions that change shapes: other signatures of the shape ops."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from workbench.arrays import as_dtype

from .create import as_shape
from .functions import METHODS, function, raw
from .tensor import Tensor, wrap

_reshape, _view, _permute, _expand = (
    raw(n) for n in ("reshape", "view_as_shape", "permute", "expand")
)


@function()
def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape (one side may be -1); a view where possible."""
    return _reshape(
        input, shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    )


@function()
def permute(input: Tensor, *dims: Any) -> Tensor:
    """A view with its dimensions in the order `dims`."""
    return _permute(
        input, tuple(dims[0]) if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    )


def view(self: Tensor, *shape: Any) -> Tensor:
    """The same memory in another shape; RuntimeError where strides do not allow it."""
    if len(shape) == 1 and not isinstance(shape[0], (int, tuple, list)):
        return wrap(self.array.view(as_dtype(shape[0]).numpy))
    return _view(
        self, shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    )


def expand(self: Tensor, *sizes: Any) -> Tensor:
    """A read-only view broadcast to `sizes` (-1 keeps a side)."""
    return _expand(
        self, sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    )


def repeat(self: Tensor, *repeats: Any) -> Tensor:
    """The whole tensor repeated along each dimension."""
    counts = as_shape(repeats, "repeats")
    if len(counts) < self.array.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    return raw("repeat_tiles")(self, counts)


METHODS.update(view=view, expand=expand, repeat=repeat)
METHODS["view_as"] = lambda self, other: view(self, other.shape)
METHODS["expand_as"] = lambda self, other: expand(self, other.shape)
METHODS["reshape_as"] = lambda self, other: reshape(self, other.shape)


@function()
def t(input: Tensor) -> Tensor:
    """The transpose of a matrix (vectors as they are); RuntimeError above two dimensions."""
    if input.array.ndim > 2:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {input.array.ndim}D"
        )
    return input if input.array.ndim < 2 else raw("transpose")(input, 0, 1)


@function()
def flip(input: Tensor, *dims: Any) -> Tensor:
    """A copy with the order along `dims` reversed."""
    return raw("flip")(
        input, tuple(dims[0]) if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    )


@function()
def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of pieces along `dim`: of one size (the last may be smaller), or of the given sizes."""
    size = tensor.size(dim)
    given = split_size_or_sections
    if isinstance(given, int):
        if given <= 0 and not (given == 0 and size == 0):
            raise RuntimeError(
                f"split expects split_size be non-negative, but got split_size={given}"
            )
        sizes = [builtins_min(given, size - i) for i in range(0, size, given)] if size else [0]
    else:
        sizes = [int(n) for n in given]
        if builtins_sum(sizes) != size:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's "
                f"size at dimension {dim}), but got split_sizes={sizes}"
            )
    pieces, start = [], 0
    for n in sizes:
        pieces.append(raw("narrow")(tensor, dim, start, n))
        start += n
    return tuple(pieces)


builtins_min, builtins_sum = builtins.min, builtins.sum


@function()
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` views of equal size along `dim` (the last may be smaller)."""
    if chunks < 1:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = input.size(dim)
    return split(input, builtins.max(-(-size // chunks), 1), dim)


@function()
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of the entries along `dim`, without that dimension."""
    return tuple(raw("select")(input, dim, i) for i in range(input.size(dim)))


@function()
def gather(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """Entries of `input` along `dim` at `index` (int64)."""
    return raw("gather_along")(input, index, dim)


@function()
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The entries of `input` along `dim` at the 1-d `index`."""
    from .indexing import getitem

    return getitem(input, (slice(None),) * (dim % builtins.max(input.array.ndim, 1)) + (index,))


@function()
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where `mask` (bool, broadcast) is true, 1-d."""
    from .indexing import getitem

    shape = np.broadcast_shapes(input.array.shape, mask.array.shape)
    return getitem(_expand(input, shape), wrap(np.broadcast_to(mask.array, shape)))
