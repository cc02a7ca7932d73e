"""Tensors joined and repeated."""

from __future__ import annotations

from .declare import op
from .reduce import axis
from .samples import Sample


def _cat_shape(tensors, dim):
    shapes = [s for s in tensors if s != (0,)] or tensors[:1]
    where = axis(dim, len(shapes[0]))
    joined = sum(s[where] for s in shapes)
    return (*shapes[0][:where], joined, *shapes[0][where + 1 :])


def _cat_samples(make):
    yield Sample((make(2, 3), make(1, 3)), 0)
    yield Sample((make(2, 3), make(2, 0), make(2, 2)), -1)
    yield Sample((make(3),))


@op(
    errors=lambda make: iter(
        [
            Sample((make(2, 3), make(3, 2)), 0),
            Sample((make(2, 3), make(2)), 0),
            Sample((make(), make()), 0),
            Sample((make(2),), 1),
        ]
    ),
    shape=_cat_shape,
    sequence=True,
    dtype="promote",
    samples=_cat_samples,
    method=False,
    aliases=("concat", "concatenate"),
)
def cat(xp, tensors, /, dim=0):
    """Tensors joined along an existing dimension.

    Raises RuntimeError when their other sides differ.
    """
    tensors = [t for t in tensors if t.shape != (0,)] or tensors[:1]
    first = tensors[0]
    where = axis(dim, first.ndim)
    if first.ndim == 0:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    for i, t in enumerate(tensors):
        if t.ndim != first.ndim or any(
            a != b for d, (a, b) in enumerate(zip(t.shape, first.shape, strict=True)) if d != where
        ):
            raise RuntimeError(
                f"cat(): Sizes of tensors must match except in dimension {where}. Expected "
                f"{list(first.shape)} but got {list(t.shape)} for tensor number {i} in the list."
            )
    return xp.concatenate(tensors, where)


def _cat_rule(F, g, tensors_shape, dim):
    shapes = tensors_shape
    where = axis(dim, len(g.shape))
    grads, start = [], 0
    for shape in shapes:
        if shape == (0,):
            grads.append(None)
            continue
        grads.append(F.narrow(g, where, start, shape[where]))
        start += shape[where]
    return grads


cat.vjp(tensors=_cat_rule)


def _stack_shape(tensors, dim):
    where = axis(dim, len(tensors[0]) + 1)
    return (*tensors[0][:where], len(tensors), *tensors[0][where:])


def _stack_samples(make):
    yield Sample((make(2, 3), make(2, 3)), 0)
    yield Sample((make(2, 3), make(2, 3), make(2, 3)), -1)
    yield Sample((make(), make()))


@op(
    errors=lambda make: iter([Sample((make(2), make(3)), 0), Sample((make(2), make(2)), 3)]),
    shape=_stack_shape,
    sequence=True,
    dtype="promote",
    samples=_stack_samples,
    method=False,
)
def stack(xp, tensors, /, dim=0):
    """Tensors of one shape joined along a new dimension."""
    for i, t in enumerate(tensors):
        if t.shape != tensors[0].shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(tensors[0].shape)} at "
                f"entry 0 and {list(t.shape)} at entry {i}"
            )
    return xp.stack(tensors, axis(dim, tensors[0].ndim + 1))


stack.vjp(
    tensors=lambda F, g, dim, tensors_shape: [
        F.select(g, dim, i) for i in range(len(tensors_shape))
    ]
)


def _tiled(input, repeats):
    sides = (1,) * (len(repeats) - len(input)) + tuple(input)
    return tuple(n * r for n, r in zip(sides, repeats, strict=True))


def _repeat_samples(make):
    yield Sample(make(2, 3), (2, 1))
    yield Sample(make(3), (2, 2))
    yield Sample(make(2), (0,))


@op(shape=_tiled, samples=_repeat_samples, function=False, method=False, oracle="tile")
def repeat_tiles(xp, input, /, repeats):
    """The whole tensor repeated along each dimension."""
    return xp.tile(input, tuple(repeats))


def _repeat_rule(F, g, input_shape, repeats):
    n = len(repeats)
    shape = (1,) * (n - len(input_shape)) + tuple(input_shape)
    if 0 in g.shape:
        return F.expand(F.reshape(F.sum(g, None, False), (1,) * len(input_shape)), input_shape)
    split = [side for pair in zip(repeats, shape, strict=True) for side in pair]
    return F.reshape(
        F.sum(F.reshape(g, tuple(split)), tuple(range(0, 2 * n, 2)), False), input_shape
    )


repeat_tiles.vjp(input=_repeat_rule)
