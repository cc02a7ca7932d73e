"""Splitting, joining and copying: hsplit, dstack, block_diag, combinations, kron, *_copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations as choose
from itertools import combinations_with_replacement as choose_again
from typing import Any

import numpy as np

from .arrange import diag_embed, tensor_split
from .create import as_shape
from .functions import FUNCTIONS, METHODS, function, raw
from .reshaping import split
from .tensor import Tensor, beside, wrap

_reshape, _cat = raw("reshape"), raw("cat")


def _splitter(name: str, dim: int, least: int) -> None:
    def parts(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
        n = input.array.ndim
        if n < least:
            raise RuntimeError(
                f"{name} requires a tensor with at least {least} dimension, but got a tensor with "
                f"{n} dimensions!"
            )
        where = 0 if name == "hsplit" and n == 1 else dim
        count = indices_or_sections
        if isinstance(count, int):
            if count <= 0:
                raise RuntimeError(f"number of sections must be larger than 0, got {count}")
            if input.array.shape[where] % count:
                raise RuntimeError(
                    f"{name} attempted to split along dimension {where}, but the size of the "
                    f"dimension {input.array.shape[where]} is not divisible by the split_size "
                    f"{count}!"
                )
        return tensor_split(input, count, where)

    parts.__name__ = parts.__qualname__ = name
    parts.__doc__ = f"Views of equal pieces along dimension {dim}, or cut at the given places."
    function()(parts)


_splitter("hsplit", 1, 1)
_splitter("vsplit", 0, 2)
_splitter("dsplit", 2, 3)


@function()
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Views of pieces of the given sizes along `dim`."""
    return split(input, list(split_sizes), dim)


function("", "unsafe_split")(split)
function("", "unsafe_split_with_sizes")(split_with_sizes)
function("", "unsafe_chunk")(METHODS["chunk"])


@function("", "dstack", method=False)
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Joined along the third dimension."""
    return _cat([FUNCTIONS[""]["atleast_3d"](t) for t in tensors], 2)


@function()
def fliplr(input: Tensor) -> Tensor:
    """A copy with the order of columns reversed."""
    if input.array.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return raw("flip")(input, (1,))


@function()
def flipud(input: Tensor) -> Tensor:
    """A copy with the order of rows reversed."""
    if input.array.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return raw("flip")(input, (0,))


@function()
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with the flattened input on a diagonal."""
    return diag_embed(_reshape(input, (-1,)), offset)


@function(method=False)
def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices (vectors as rows, numbers as 1 x 1) along the diagonal of one, zeros elsewhere."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if not tensors:
        return wrap(np.zeros((1, 0), np.float32))
    blocks = []
    for i, t in enumerate(tensors):
        if t.array.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{i} has {t.array.ndim} dimensions".replace("torch.", "")
            )
        blocks.append(_reshape(t, (1,) * (2 - t.array.ndim) + tuple(t.array.shape)))
    width = sum(b.array.shape[1] for b in blocks)
    rows, start = [], 0
    for b in blocks:
        n, m = b.array.shape
        sides = [beside(b, np.zeros((n, w), b.array.dtype)) for w in (start, width - start - m)]
        rows.append(_cat([sides[0], b, sides[1]], 1))
        start += m
    return _cat(rows, 0)


@function(method=False)
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of `r` elements of a 1-d tensor, one in a row, in order."""
    if input.array.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.array.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return beside(input, np.zeros(0, input.array.dtype))
    picks = (choose_again if with_replacement else choose)(range(input.array.shape[0]), r)
    return raw("getitem")(input, (np.array(list(picks), np.int64).reshape(-1, r),))


METHODS["combinations"] = combinations


@function()
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of `input` times the whole of `other`."""
    n = max(input.array.ndim, other.array.ndim)
    a, b = ((1,) * (n - t.array.ndim) + tuple(t.array.shape) for t in (input, other))
    first = _reshape(input, tuple(side for s in a for side in (s, 1)))
    second = _reshape(other, tuple(side for s in b for side in (1, s)))
    made = raw("mul")(first, second)
    return _reshape(made, tuple(x * y for x, y in zip(a, b, strict=True)))


@function()
def ger(input: Tensor, vec2: Tensor) -> Tensor:
    """The outer product of two vectors (an older name of `outer`)."""
    if input.array.ndim != 1 or vec2.array.ndim != 1:
        raise RuntimeError("outer: Expected 1-D arguments")
    return METHODS["outer"](input, vec2)


def sum_to_size(self: Tensor, *size: Any) -> Tensor:
    """Summed down to a shape that broadcasts to this tensor's."""
    shape = as_shape(size)
    lead = self.array.ndim - len(shape)
    fits = lead >= 0 and all(
        n in (1, m) for n, m in zip(shape, self.array.shape[max(lead, 0) :], strict=True)
    )
    if not fits:
        raise RuntimeError(
            f"size {{{list(shape)}}} is not expandable to size {{{list(self.array.shape)}}}."
        )
    return self if tuple(self.array.shape) == shape else raw("sum_to")(self, shape)


METHODS["sum_to_size"] = sum_to_size

# -- copies of views ---------------------------------------------------------------------------


def _copying(name: str, view: Callable[..., Any]) -> None:
    clone = raw("clone")

    def copied(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        made = view(input, *args, **kwargs)
        return tuple(clone(v) for v in made) if isinstance(made, tuple) else clone(made)

    copied.__name__ = copied.__qualname__ = f"{name}_copy"
    copied.__doc__ = f"As `{name}`, but a copy that shares no memory."
    function(method=name == "narrow")(copied)


def _slice(
    input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    from workbench.ops.reduce import axis

    where = axis(dim, input.array.ndim)
    return raw("getitem")(input, (slice(None),) * where + (slice(start, end, step),))


for _name in ("diagonal", "expand", "narrow", "permute", "select", "split", "split_with_sizes",
              "squeeze", "t", "transpose", "unbind", "unfold", "unsqueeze", "view", "as_strided",
              "detach"):  # fmt: skip
    _copying(_name, METHODS[_name] if _name in METHODS else getattr(Tensor, _name))
_copying("slice", _slice)
_copying("alias", lambda input: input)
for _name in ("view_as_real", "view_as_complex"):
    _copying(_name, raw(_name))
