"""Places in flattened planes: what pools with indices, unpooling and sampling grids read and write.

An index counts the elements of one plane (the last `dims` sides) in row-major order.
"""

from __future__ import annotations

import math

import numpy as np

from .declare import op
from .samples import Sample


def accumulate(xp, out, where, values):
    """out[where] += values, an element met several times getting every share."""
    if xp is not np and out.dtype.kind == "c":  # CuPy adds real numbers only
        xp.add.at(out.real, where, values.real)
        xp.add.at(out.imag, where, values.imag)
    else:
        xp.add.at(out, where, values)


def flat_places(xp, index, lead, size):
    """Places in planes as places in all of them together; `index` is (*lead, *any)."""
    count = math.prod(lead)
    offset = xp.arange(count, dtype=np.int64).reshape((count, 1)) * size
    return index.reshape(count, -1) + offset


def _check(name, index, size):
    if index.size and (int(index.min()) < 0 or int(index.max()) >= size):
        bad = int(index[(index < 0) | (index >= size)].reshape(-1)[0])
        raise RuntimeError(
            f"{name}(): Found an invalid max index: {bad} (planes of {size} elements)"
        )


def _hidden(shape, samples, accepts=None):
    return op(
        shape=shape, accepts=accepts, function=False, method=False, oracle=False, samples=samples
    )


def _take_samples(make):
    yield Sample(make(2, 3, 4, 5), make.ints(2, 3, 2, 2, high=20), 2)
    yield Sample(make(3, 6), make.ints(3, 4, high=6), 1)


@_hidden(lambda index: index, _take_samples)
def take_planes(xp, input, index, /, dims):
    """The elements of planes (*, *sides) at `index` (*, *any), of which `any` has `dims` sides."""
    lead = input.shape[: input.ndim - dims]
    size = math.prod(input.shape[input.ndim - dims :])
    flat = input.reshape(-1)
    return flat[flat_places(xp, index, lead, size)].reshape(index.shape)


take_planes.vjp(
    input=lambda F, g, index, input_shape, dims: F.add_planes(
        g, index, tuple(input_shape[len(input_shape) - dims :])
    )
)


def _put_samples(make):
    yield Sample(make(2, 3, 2, 2), make.ints(2, 3, 2, 2, high=20), (4, 5))
    yield Sample(make(3, 4), make.ints(3, 4, high=6), (6,))


def _put_shape(input, sides):
    return (*input[: len(input) - len(sides)], *sides)


@_hidden(_put_shape, _put_samples, "iufc")
def add_planes(xp, input, index, /, sides):
    """Zeros with planes of `sides`, `input` added at `index`: the adjoint of take_planes."""
    lead, size = input.shape[: input.ndim - len(sides)], math.prod(sides)
    out = xp.zeros(math.prod(lead) * size, input.dtype)
    where = flat_places(xp, index, lead, size).reshape(-1)
    accumulate(xp, out, where, input.reshape(-1))
    return out.reshape(*lead, *sides)


add_planes.vjp(input=lambda F, g, index, sides: F.take_planes(g, index, len(sides)))


def _unpool_oracle(torch, input, index, sides):
    name = f"max_unpool{len(sides)}d"
    if len(sides) == 1:
        return torch.nn.functional.max_unpool1d(input, index, 2, output_size=list(sides))
    if len(sides) == 2:
        return getattr(torch._C._nn, name)(input, index, list(sides))
    return getattr(torch._C._nn, name)(input, index, list(sides), [2, 2, 2], [0, 0, 0])


def _unpool_samples(make):
    def places(*shape, size):
        lead = math.prod(shape[:2])
        drawn = [make.rng.permutation(size)[: math.prod(shape[2:])] for _ in range(lead)]
        return np.stack(drawn).reshape(shape).astype(np.int64)

    yield Sample(make(2, 3, 3), places(2, 3, 3, size=6), (6,))
    yield Sample(make(2, 3, 2, 2), places(2, 3, 2, 2, size=20), (4, 5))
    yield Sample(make(1, 2, 2, 2, 2), places(1, 2, 2, 2, 2, size=64), (4, 4, 4))


@op(
    shape=_put_shape,
    accepts="f",
    function=False,
    method=False,
    oracle=_unpool_oracle,
    samples=_unpool_samples,
    errors=lambda make: iter(
        [
            Sample(make(2, 3, 2, 2), make.ints(2, 3, 2, 2, low=20, high=30), (4, 5)),
            Sample(make(2, 3, 2, 2), make.ints(2, 3, 2, 3), (4, 5)),
        ]
    ),
)
def put_planes(xp, input, index, /, sides):
    """Zeros with planes of `sides`, `input` written at `index`: what a maximum pool leaves of them.

    Raises RuntimeError for indices that are no int64, not one per element, or out of the plane.
    """
    if index.dtype != np.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {index.dtype.name}")
    if index.shape != input.shape:
        raise RuntimeError(
            "Expected shape of indices to be same as that of the input tensor "
            f"({list(input.shape)}), but got indices tensor with shape: {list(index.shape)}"
        )
    lead, size = input.shape[: input.ndim - len(sides)], math.prod(sides)
    _check(f"max_unpool{len(sides)}d", index, size)
    out = xp.zeros(math.prod(lead) * size, input.dtype)
    out[flat_places(xp, index, lead, size)] = input.reshape(math.prod(lead), -1)
    return out.reshape(*lead, *sides)


put_planes.vjp(input=lambda F, g, index, sides: F.take_planes(g, index, len(sides)))
