"""Resizing of lines, planes and volumes: one side after the other.

Each mode is a sparse matrix per side (`interpolate_weights`), so the gradient is the transposed
matrix and the whole family is two ops that are each other's adjoints.
"""

from __future__ import annotations

import math

import numpy as np

from .declare import op, shape_setting
from .interpolate_weights import matrix, terms, whole_weights
from .samples import Sample

_DENSE = 64  # up to so many elements a matrix product beats strided sums along the last side


def _keys(shape, size, mode, align_corners, scales, antialias, dtype):
    """For every resized side the arguments of `interpolate_weights.entries`."""
    given = scales or (None,) * len(size)
    double = dtype == "float64" or (dtype == "uint8" and not mode.startswith("nearest"))
    return [
        (mode, n, o, align_corners, None if s is None else float(s), antialias, double)
        for n, o, s in zip(shape[-len(size) :], size, given, strict=True)
    ]


def _along(xp, x, axis, key, flipped):
    """One side resized (or, `flipped`, its transpose applied). `axis` is counted from the end."""
    nearest = key[0].startswith("nearest")
    if (
        axis >= -2 and xp is np and not nearest and max(key[1], key[2]) <= 2 * _DENSE
        and min(key[1], key[2]) <= _DENSE and _finite(x)
    ):  # fmt: skip
        made = matrix(key).astype(x.dtype, copy=False)
        made = made.T if flipped else made
        return np.matmul(x, made.T) if axis == -1 else np.matmul(made, x)
    parts, whole = terms(key, flipped)
    n_out = key[1] if flipped else key[2]
    shape = (*x.shape[: x.ndim + axis], n_out, *x.shape[x.ndim + axis + 1 :])
    out = (xp.empty if whole else xp.zeros)(shape, x.dtype)
    rest = (slice(None),) * (-axis - 1)
    for i, (to, where, weight) in enumerate(parts):
        values = x[(Ellipsis, _held(xp, where), *rest)]
        if type(weight) is np.ndarray:
            weight = xp.asarray(weight.astype(x.dtype)).reshape((-1,) + (1,) * len(rest))
        elif weight is not None:
            weight = x.dtype.type(weight)
        target = (Ellipsis, _held(xp, to), *rest)
        if i < whole and weight is not None and type(to) is slice:
            xp.multiply(values, weight, out=out[target])
        elif i < whole:
            out[target] = values if weight is None else values * weight
        else:
            out[target] += values if weight is None else values * weight
    return out


_BLOCK = 1 << 16  # elements of the larger side of a block of planes that stays in the cache


def _by_planes(xp, x, size, keys, flipped):
    """All sides of (N, C, *sides) → (N, C, *size), a block of planes at a time on NumPy.

    Sides are taken such that the sums of strided slices, along all but the last side, are over as
    few columns as may be.
    """
    dims = len(size)

    def order(axis):
        key = keys[axis]
        ratio = key[1] / key[2] if flipped else key[2] / key[1]
        return (ratio > 1, axis if ratio > 1 else -axis)

    axes = sorted(range(-dims, 0), key=order)

    def resized(part):
        for axis in axes:
            part = _along(xp, part, axis, keys[axis], flipped)
        return part

    lead = x.shape[:2]
    count, most = math.prod(lead), max(math.prod(x.shape[2:]), math.prod(size), 1)
    if xp is not np or count * most <= 2 * _BLOCK:
        return resized(x)
    flat, step = x.reshape(count, *x.shape[2:]), max(1, _BLOCK // most)
    out = np.empty((count, *size), x.dtype)
    for start in range(0, count, step):
        out[start : start + step] = resized(flat[start : start + step])
    return out.reshape(*lead, *size)


def _held(xp, selection):
    return selection if type(selection) is slice else xp.asarray(selection)


def _finite(x):
    # a zero of the matrix times inf would be nan
    return bool(x.size) and bool(np.isfinite(x.sum()))


def _bytes(xp, x, axis, key):
    """One side of uint8 pixels, in whole numbers and rounded, as torch and Pillow do."""
    where, weights, shift = whole_weights(key)
    rest = (1,) * (-axis - 1)
    total = None
    for t in range(where.shape[1]):
        values = xp.take(x, xp.asarray(where[:, t]), axis=axis).astype(np.int64)
        values *= xp.asarray(weights[:, t]).reshape(-1, *rest)
        total = values if total is None else total + values
    return xp.clip((total + (1 << (shift - 1))) >> shift, 0, 255).astype(np.uint8)


def _check(shape, size):
    sides = len(size)
    if len(shape) != sides + 2:
        raise RuntimeError(
            f"interpolate(): It is expected input_size equals to {sides + 2}, but got size "
            f"{len(shape)}"
        )
    if min(size) < 1 or min(shape[2:]) < 1:
        raise RuntimeError(
            "Input and output sizes should be greater than 0, but got input "
            f"{list(shape[2:])} output {list(size)}"
        )
    if shape[1] < 1:
        raise RuntimeError(
            f"Non-empty {sides + 2}D data tensor expected but got a tensor with sizes {list(shape)}"
        )


def _samples(make):
    for mode in ("nearest", "nearest-exact"):
        yield Sample(make(2, 2, 5), (8,), mode)
        yield Sample(make(2, 2, 4, 6), (8, 4), mode)
        yield Sample(make(1, 2, 4, 5), (6, 7), mode, False, (1.5, 1.5))
        yield Sample(make(1, 2, 3, 4, 2), (2, 6, 5), mode)
    for align in (False, True):
        yield Sample(make(2, 2, 5), (8,), "linear", align)
        yield Sample(make(2, 2, 4, 6), (8, 4), "linear", align)
        yield Sample(make(1, 2, 3, 4, 2), (2, 6, 5), "linear", align)
        yield Sample(make(2, 2, 4, 6), (8, 4), "cubic", align)
    for mode in ("linear", "cubic"):
        yield Sample(make(1, 2, 4, 5), (6, 7), mode, False, (1.5, 1.5))
        yield Sample(make(2, 1, 7, 5), (3, 9), mode, False, None, True)
        yield Sample(make(2, 1, 7, 5), (3, 2), mode, True, None, True)
    yield Sample(make(2, 1, 9, 5), (3, 8), "lanczos", False, None, True)
    yield Sample(make(1, 1, 5, 4), (1, 1), "linear", True)


_NAMES = {1: "linear", 2: "bilinear", 3: "trilinear"}


def torch_mode(mode, sides):
    """The mode's name in `interpolate`."""
    return {"linear": _NAMES[sides], "cubic": "bicubic"}.get(mode, mode)


def _oracle(torch, input, size, mode, align_corners=False, scales=None, antialias=False):
    return torch.nn.functional.interpolate(
        input,
        None if scales else size,
        scales,
        torch_mode(mode, len(size)),
        None if mode.startswith("nearest") else align_corners,
        antialias=antialias,
    )


@op(
    accepts="uf",
    shape=lambda input, size: (*input[:2], *size),
    function=False,
    method=False,
    samples=_samples,
    oracle=_oracle,
    errors=lambda make: iter(
        [
            Sample(make(2, 3, 5), (0,), "nearest"),
            Sample(make(2, 3, 5, 5), (4, -1), "linear"),
            Sample(make(2, 3, 0, 5), (4, 4), "cubic"),
            Sample(make(2, 0, 5, 5), (4, 4), "linear"),
        ]
    ),
)
def resample(xp, input, /, size, mode="nearest", align_corners=False, scales=None, antialias=False):
    """(N, C, *sides) resized to `size`; `mode` "nearest", "nearest-exact", "linear", "cubic" or
    "lanczos" in every dimension.

    `scales`, where given, says how far apart the elements lie instead of the sizes. Raises
    RuntimeError for sizes below 1.
    """
    size = tuple(size)
    _check(input.shape, size)
    x, kind = input, input.dtype.kind
    if kind == "f" and input.dtype.itemsize == 2:
        x = x.astype(np.float32)
    keys = _keys(input.shape, size, mode, align_corners, scales, antialias, x.dtype.name)
    if kind == "u" and not mode.startswith("nearest"):
        if input.dtype.itemsize != 1:
            raise NotImplementedError(
                f"\"resample\" not implemented for '{input.dtype.name}' with mode {mode!r}; "
                "convert with .float()"
            )
        for axis in range(-1, -len(size) - 1, -1):
            if keys[axis][1] != keys[axis][2]:
                x = _bytes(xp, x, axis, keys[axis])
        return x.copy() if x is input else x
    x = _by_planes(xp, x, size, keys, False)
    return x.astype(input.dtype, copy=False)


def _adjoint_samples(make):
    yield Sample(make(2, 2, 8), (2, 2, 5), "nearest")
    yield Sample(make(1, 2, 6, 7), (1, 2, 4, 5), "linear", False, (1.5, 1.5))
    yield Sample(make(2, 1, 3, 9), (2, 1, 7, 5), "cubic", True, None, True)


@op(
    shape=shape_setting,
    function=False,
    method=False,
    oracle=False,
    samples=_adjoint_samples,
)
def resample_adjoint(
    xp, input, /, shape, mode="nearest", align_corners=False, scales=None, antialias=False
):
    """The adjoint of resample: (N, C, *size) → `shape`."""
    size = input.shape[2:]
    x = input
    if input.dtype.kind == "f" and input.dtype.itemsize == 2:
        x = x.astype(np.float32)
    keys = _keys(shape, size, mode, align_corners, scales, antialias, x.dtype.name)
    x = _by_planes(xp, x, tuple(shape[2:]), keys, True)
    return x.astype(input.dtype, copy=False)


resample.vjp(
    input=lambda F, g, input_shape, mode, align_corners, scales, antialias: F.resample_adjoint(
        g, input_shape, mode, align_corners, scales, antialias
    )
)
resample_adjoint.vjp(
    input=lambda F, g, input_shape, mode, align_corners, scales, antialias: F.resample(
        g, tuple(input_shape[2:]), mode, align_corners, scales, antialias
    )
)
