"""Shape changes: views where NumPy can give one, copies where it cannot."""

from __future__ import annotations

import math

import numpy as np

from .declare import op, shape_setting
from .reduce import axes, axis
from .samples import Sample


def resolve(shape, numel):
    """`shape` with its -1 filled in. Raises RuntimeError when the sizes do not fit."""
    shape = tuple(int(n) for n in shape)
    unknown = [i for i, n in enumerate(shape) if n == -1]
    if len(unknown) > 1:
        raise RuntimeError("only one dimension can be inferred")
    if any(n < -1 for n in shape):
        raise RuntimeError(f"invalid shape dimension in {list(shape)}")
    known = math.prod(n for n in shape if n != -1)
    if unknown:
        if known == 0 or numel % known:
            if known == 0 and numel == 0:
                raise RuntimeError(
                    f"cannot reshape tensor of 0 elements into shape {list(shape)} because the "
                    "unspecified dimension size -1 can be any value and is ambiguous"
                )
            raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
        shape = tuple(numel // known if n == -1 else n for n in shape)
    elif known != numel:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
    return shape


def _reshape_samples(make):
    yield Sample(make(2, 6), (3, 4))
    yield Sample(make(2, 6), (-1,))
    yield Sample(make(4, 3).T, (2, -1))
    yield Sample(make(), (1, 1))
    yield Sample(make(0, 3), (3, 0))


@op(
    errors=lambda make: iter(
        [
            Sample(make(2, 3), (4, 2)),
            Sample(make(2, 3), (-1, -1)),
            Sample(make(2, 3), (-1, 4)),
            Sample(make(0, 3), (0, -1)),
        ]
    ),
    samples=_reshape_samples,
    view=True,
)
def reshape(xp, input, /, shape):
    """The same elements in another shape (one side may be -1); a view where possible.

    Raises RuntimeError when the number of elements differs.
    """
    return input.reshape(resolve(shape, input.size))


reshape.vjp(input=lambda F, g, input_shape: F.reshape(g, input_shape))


def _view_samples(make):
    yield Sample(make(2, 6), (3, 4))
    yield Sample(make(2, 6), (-1,))
    yield Sample(make(0, 3), (3, 0))


@op(
    samples=_view_samples, view=True, function=False, method=False, oracle=lambda t, x, s: x.view(s)
)
def view_as_shape(xp, input, /, shape):
    """The same memory in another shape.

    Raises RuntimeError where strides do not allow it: use reshape, which copies then.
    """
    out = input.reshape(resolve(shape, input.size))
    if input.size and not xp.shares_memory(out, input):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return out


view_as_shape.vjp(input=lambda F, g, input_shape: F.reshape(g, input_shape))


def _flatten_samples(make):
    yield Sample(make(2, 3, 4))
    yield Sample(make(2, 3, 4), 1)
    yield Sample(make(2, 3, 4, 2), 1, -2)
    yield Sample(make())


@op(
    errors=lambda make: iter([Sample(make(2, 3, 4), 2, 1), Sample(make(2, 3), 0, 2)]),
    samples=_flatten_samples,
    view=True,
)
def flatten(xp, input, /, start_dim=0, end_dim=-1):
    """Dimensions start_dim … end_dim as one.

    Raises RuntimeError when start_dim comes after end_dim, IndexError when out of range.
    """
    first, last = axis(start_dim, input.ndim), axis(end_dim, input.ndim)
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if input.ndim == 0:
        return input.reshape(1)
    middle = math.prod(input.shape[first : last + 1])
    return input.reshape((*input.shape[:first], middle, *input.shape[last + 1 :]))


flatten.vjp(input=lambda F, g, input_shape: F.reshape(g, input_shape))


def _permute_samples(make):
    yield Sample(make(2, 3, 4), (2, 0, 1))
    yield Sample(make(2, 3), (-1, 0))
    yield Sample(make(), ())


@op(
    errors=lambda make: iter(
        [Sample(make(2, 3), (0,)), Sample(make(2, 3), (0, 0)), Sample(make(2, 3), (0, 2))]
    ),
    samples=_permute_samples,
    view=True,
)
def permute(xp, input, /, dims):
    """A view with its dimensions in the order `dims`."""
    dims = tuple(dims)
    if len(dims) != input.ndim:
        raise RuntimeError(
            f"permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {input.ndim} is not "
            f"equal to len(dims) = {len(dims)}"
        )
    found = tuple(axis(d, input.ndim) for d in dims)
    if len(set(found)) != len(found):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return input.transpose(found)


permute.vjp(input=lambda F, g, dims: F.permute(g, _inverse(dims)))


def _inverse(dims):
    n = len(dims)
    order = [0] * n
    for i, d in enumerate(dims):
        order[d % n] = i
    return tuple(order)


def _transpose_samples(make):
    yield Sample(make(2, 3), 0, 1)
    yield Sample(make(2, 3, 4), -1, 0)
    yield Sample(make(), 0, -1)


@op(
    errors=lambda make: iter([Sample(make(2, 3), 0, 2)]),
    samples=_transpose_samples,
    view=True,
    aliases=("swapaxes", "swapdims"),
)
def transpose(xp, input, /, dim0, dim1):
    """A view with two dimensions exchanged."""
    first, second = axis(dim0, input.ndim), axis(dim1, input.ndim)
    return input.swapaxes(first, second) if input.ndim else input[...]


transpose.vjp(input=lambda F, g, dim0, dim1: F.transpose(g, dim0, dim1))


def _squeeze_samples(make):
    yield Sample(make(1, 3, 1))
    yield Sample(make(1, 3, 1), 0)
    yield Sample(make(2, 3), 1)
    yield Sample(make(1, 3, 1), (0, 2))


@op(errors=lambda make: iter([Sample(make(2, 3), 2)]), samples=_squeeze_samples, view=True)
def squeeze(xp, input, /, dim=None):
    """A view without the dimensions of size 1 (all, or those in `dim`)."""
    chosen = axes(dim, input.ndim) if input.ndim else ()
    where = tuple(d for d in chosen if input.shape[d] == 1)
    return xp.squeeze(input, where) if where else input[...]


squeeze.vjp(input=lambda F, g, input_shape: F.reshape(g, input_shape))


def _unsqueeze_samples(make):
    yield Sample(make(2, 3), 0)
    yield Sample(make(2, 3), -1)
    yield Sample(make(), 0)


@op(
    errors=lambda make: iter([Sample(make(2, 3), 3), Sample(make(2, 3), -4)]),
    samples=_unsqueeze_samples,
    view=True,
)
def unsqueeze(xp, input, /, dim):
    """A view with a dimension of size 1 inserted at `dim`."""
    return xp.expand_dims(input, axis(dim, input.ndim + 1))


unsqueeze.vjp(input=lambda F, g, input_shape: F.reshape(g, input_shape))


def _expand_samples(make):
    yield Sample(make(1, 3), (2, 3))
    yield Sample(make(3), (2, 3))
    yield Sample(make(2, 1), (-1, 4))
    yield Sample(make(), (2,))


@op(
    errors=lambda make: iter(
        [Sample(make(3), (2, 4)), Sample(make(2, 3), (3,)), Sample(make(3), (-1, 3))]
    ),
    samples=_expand_samples,
    view=True,
    method=False,
    function=False,
    oracle=lambda t, x, s: x.expand(s),
)
def expand(xp, input, /, shape):
    """A read-only view broadcast to `shape` (-1 keeps a side).

    Raises RuntimeError when the shapes do not match.
    """
    shape = tuple(shape)
    lead = len(shape) - input.ndim
    if lead >= 0:
        shape = tuple(
            input.shape[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(shape)
        )
    if input.shape == shape:
        return input
    try:
        return xp.broadcast_to(input, shape)
    except ValueError:
        raise RuntimeError(
            f"expand: the requested shape {list(shape)} does not match the tensor's shape "
            f"{list(input.shape)}: only sides of size 1 expand, and new ones go in front"
        ) from None


expand.vjp(input=lambda F, g, input_shape: F.sum_to(g, input_shape))


@op(
    accepts="fc",
    shape=shape_setting,
    method=False,
    function=False,
    oracle=lambda t, x, s: x.sum_to_size(s),
    samples=lambda make: iter(
        [Sample(make(2, 3), (1, 3)), Sample(make(2, 3), (3,)), Sample(make(2, 3), (2, 3))]
    ),
)
def sum_to(xp, input, /, shape):
    """Sum over the dimensions along which `shape` would be broadcast to the input's shape."""
    shape = tuple(shape)
    if input.shape == shape:
        return input
    lead = input.ndim - len(shape)
    dims = tuple(range(lead)) + tuple(
        lead + i for i, n in enumerate(shape) if n == 1 and input.shape[lead + i] != 1
    )
    return (input.sum(axis=dims) if dims else input).reshape(shape)


sum_to.vjp(input=lambda F, g, input_shape: F.expand(_lead(F, g, input_shape), input_shape))


def _lead(F, g, shape):
    lead = len(shape) - len(g.shape)
    return F.reshape(g, (1,) * lead + tuple(g.shape)) if lead else g


def _flip_samples(make):
    yield Sample(make(2, 3), (0,))
    yield Sample(make(2, 3, 2), (0, -1))


@op(
    errors=lambda make: iter([Sample(make(2, 3), (2,)), Sample(make(2, 3), (0, 0))]),
    samples=_flip_samples,
)
def flip(xp, input, /, dims):
    """A copy with the order along `dims` reversed."""
    where = axes(dims, input.ndim) if dims else ()
    return xp.ascontiguousarray(xp.flip(input, where)) if where and input.ndim else input.copy()


flip.vjp(input=lambda F, g, dims: F.flip(g, dims))


def _narrow_samples(make):
    yield Sample(make(4, 3), 0, 1, 2)
    yield Sample(make(4, 3), -1, 0, 0)


@op(
    errors=lambda make: iter(
        [Sample(make(4), 0, 3, 2), Sample(make(4), 1, 0, 1), Sample(make(4), 0, 0, -1)]
    ),
    samples=_narrow_samples,
    view=True,
)
def narrow(xp, input, /, dim, start, length):
    """A view of `length` entries along `dim` from `start`.

    Raises RuntimeError when they reach beyond the end.
    """
    where = axis(dim, input.ndim)
    size = input.shape[where] if input.ndim else 0
    begin = start + size if start < 0 else start
    if length < 0 or not 0 <= begin <= size or begin + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return input[(slice(None),) * where + (slice(begin, begin + length),)]


narrow.vjp(
    input=lambda F, g, input_shape, dim, start: F.slice_backward(
        g, input_shape, axis(dim, len(input_shape)), start % max(input_shape[dim], 1)
    )
)


@op(
    shape=shape_setting,
    method=False,
    function=False,
    oracle=False,
    samples=lambda make: iter([Sample(make(2, 3), (5, 3), 0, 1), Sample(make(2, 0), (2, 3), 1, 3)]),
)
def slice_backward(xp, input, /, shape, dim, start):
    """Zeros of `shape` with `input` placed along `dim` from `start`: the adjoint of narrow."""
    out = xp.zeros(shape, input.dtype)
    out[(slice(None),) * dim + (slice(start, start + input.shape[dim]),)] = input
    return out


slice_backward.vjp(
    input=lambda F, g, dim, start, input_shape: F.narrow(g, dim, start, input_shape[dim])
)


@op(
    errors=lambda make: iter(
        [Sample(make(2, 3), 0, 2), Sample(make(2, 3), 2, 0), Sample(make(), 0, 0)]
    ),
    samples=lambda make: iter([Sample(make(2, 3), 0, 1), Sample(make(2, 3), -1, -1)]),
    view=True,
)
def select(xp, input, /, dim, index):
    """A view of entry `index` along `dim`, without that dimension.

    Raises IndexError when `index` is out of range.
    """
    where = axis(dim, input.ndim)
    if input.ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    size = input.shape[where]
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at "
            f"dimension {where}"
        )
    return input[(slice(None),) * where + (index, Ellipsis)]


select.vjp(
    input=lambda F, g, input_shape, dim, index: F.slice_backward(
        F.unsqueeze(g, axis(dim, len(input_shape))),
        input_shape,
        axis(dim, len(input_shape)),
        index % input_shape[dim],
    )
)


def _clone_samples(make):
    yield Sample(make(2, 3))
    yield Sample(make())
    yield Sample(make(4, 3).T)


@op(samples=_clone_samples)
def clone(xp, input, /):
    """A copy, on the tape."""
    return input.copy()


clone.vjp(input=lambda F, g: g)


@op(
    method=False,
    function=False,
    oracle=False,
    samples=lambda make: iter(
        [Sample(make(2, 3), np.dtype("float32"), grad=False), Sample(make(3), np.dtype("float64"))]
    ),
)
def to_dtype(xp, input, /, dtype):
    """A copy in another dtype (a NumPy dtype), on the tape."""
    if input.dtype.kind == "c" and dtype.kind != "c":
        input = input.real
    return input.astype(dtype)


to_dtype.vjp(input=lambda F, g, input: F.cast(g, _numpy_dtype(input)))


def _numpy_dtype(x):
    return getattr(x, "array", x).dtype
