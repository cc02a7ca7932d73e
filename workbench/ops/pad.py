"""Padding and cropping at the edges, in every mode.

A padded side is made of a few runs of the input's side: forwards, backwards or one element again
and again. So a padded array is a handful of copied blocks, and the adjoint adds them back.
"""

from __future__ import annotations

import functools
import itertools
import operator

import numpy as np

from .declare import op, shape_setting
from .samples import Sample

MODES = ("constant", "reflect", "replicate", "circular")


def _source(n, before, after, mode):
    """For each element of a padded side, the place in the input's side it repeats."""
    size = n + before + after
    if size < (0 if mode == "circular" else 1):
        if mode == "circular":
            raise RuntimeError(
                f"pad(): Negative padding value is resulting in an empty dimension: ({before}, "
                f"{after}) of a side of {n}"
            )
        raise RuntimeError(
            f"pad(): input (size {n}) is too small for the padding ({before}, {after}). Calculated "
            f"output size: {size}"
        )
    if mode == "reflect" and max(before, after) >= n:
        raise RuntimeError(
            "pad(): Padding size should be less than the corresponding input dimension, but got: "
            f"padding ({before}, {after}) of a side of {n}"
        )
    if mode == "circular" and max(before, after) > n:
        raise RuntimeError(
            f"pad(): Padding value causes wrapping around more than once: ({before}, {after}) of a "
            f"side of {n}"
        )
    where = np.arange(size)
    if mode == "replicate":
        return np.clip(where - before, 0, n - 1)
    if mode == "reflect":
        where = np.abs(where - before)
        return np.where(where >= n, 2 * (n - 1) - where, where)
    start, left = max(-before, 0), n + min(before, 0) + min(after, 0)
    if left <= 0 < size:
        raise RuntimeError(
            f"pad(): the padding ({before}, {after}) leaves nothing of a side of {n} to repeat"
        )
    return start + (where - max(before, 0)) % max(left, 1)


@functools.lru_cache(maxsize=256)
def _runs(n, before, after, mode):
    """A padded side in runs: pairs of slices (of the result, of the input), the longest first.

    A run of one element repeated has a slice of length 1 for the input.
    """
    if mode == "constant":
        inside = slice(max(-before, 0), n - max(-after, 0))
        if inside.stop < inside.start:
            raise RuntimeError(
                f"pad(): The input size {n}, plus negative padding {before} and {after}, resulted "
                "in a negative output size"
            )
        start = max(before, 0)
        return [(slice(start, start + inside.stop - inside.start), inside)]
    places = _source(n, before, after, mode).tolist()
    made, i = [], 0
    while i < len(places):
        j = i + 1
        step = places[j] - places[i] if j < len(places) else 1
        if step not in (-1, 0, 1):
            step = 1
        while j < len(places) and places[j] - places[j - 1] == step:
            j += 1
        if step == 0:
            inside = slice(places[i], places[i] + 1)
        elif step == 1:
            inside = slice(places[i], places[i] + j - i)
        else:
            last = places[j - 1] - 1
            inside = slice(places[i], None if last < 0 else last, -1)
        made.append((slice(i, j), inside))
        i = j
    return sorted(made, key=lambda run: run[0].start - run[0].stop)


def _checked(shape, pad, mode, value=None):
    """The runs of each padded side, from the first to the last, and the result's shape."""
    if not isinstance(pad, (tuple, list)):
        raise TypeError(f"pad(): argument 'pad' must be tuple of ints, not {type(pad).__name__}")
    try:
        widths = [operator.index(w) for w in pad]
    except TypeError:
        raise TypeError(f"pad(): argument 'pad' must be tuple of ints, got {pad!r}") from None
    ndim, sides = len(shape), len(widths) // 2
    if len(widths) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, got {len(widths)} widths")
    if sides > ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(widths)} and input of dimension {ndim}"
        )
    if mode not in MODES:
        raise NotImplementedError(
            f"Unrecognised padding mode {mode}: it is one of {', '.join(MODES)}"
        )
    if mode != "constant":
        if value:
            raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
        if sides not in (1, 2, 3) or ndim not in (sides + 1, sides + 2):
            raise NotImplementedError(
                f"Padding size {len(widths)} is not supported for {ndim}D input tensor. Padding by "
                f'"{mode}" takes 2 widths for 2D or 3D input, 4 for 3D or 4D, 6 for 4D or 5D'
            )
        if mode != "circular" and 0 in shape[ndim - sides - 1 :]:
            raise RuntimeError(
                f"Expected {sides + 1}D or {sides + 2}D (batch mode) tensor with possibly 0 batch "
                f"size and other non-zero dimensions for input, but got: {list(shape)}"
            )
    pairs = [(widths[2 * i], widths[2 * i + 1]) for i in reversed(range(sides))]
    lead = ndim - sides
    runs = [
        _runs(n, before, after, mode)
        for n, (before, after) in zip(shape[lead:], pairs, strict=True)
    ]
    padded = (n + before + after for n, (before, after) in zip(shape[lead:], pairs, strict=True))
    return runs, (*shape[:lead], *padded)


def _blocks(runs):
    """Pairs of indices of whole blocks, the largest (without borders) first."""
    for block in itertools.product(*runs):
        yield (
            (Ellipsis, *(target for target, _ in block)),
            (Ellipsis, *(inside for _, inside in block)),
        )


def _filling(dtype, value):
    """`value` as an element of `dtype`. Raises RuntimeError where it does not fit."""
    if value is None:
        return dtype.type(0)
    try:
        if dtype.kind in "iu":
            whole = int(value)
            if not np.iinfo(dtype).min <= whole <= np.iinfo(dtype).max:
                raise OverflowError
            return dtype.type(whole)
        return dtype.type(value)
    except (OverflowError, ValueError):
        raise RuntimeError(
            f"pad(): value cannot be converted to type {dtype.name} without overflow: {value}"
        ) from None


def _samples(make):
    yield Sample(make(2, 3, 4), (1, 2))
    yield Sample(make(2, 3, 4), (1, 0, 2, 1), "constant", 0.5)
    yield Sample(make(2, 3, 4), (-1, 1, 1, -2, 0, 1))
    yield Sample(make(3, 4), ())
    yield Sample(make(2, 0), (1, 1), "constant", 2)
    yield Sample(make(3, 5), (-3, -2))
    for mode in MODES[1:]:
        yield Sample(make(2, 3, 4), (2, 3), mode)
        yield Sample(make(3, 4, 5), (1, 2, 3, 0), mode)
        yield Sample(make(2, 1, 4, 5), (2, -1, -1, 1), mode)
        yield Sample(make(1, 2, 3, 2, 3), (1, 2, 1, 0, 2, 1), mode)
        yield Sample(make(2, 5), (-2, -1), mode)
        yield Sample(make(2, 3, 4), (0, 0), mode)


def _errors(make):
    x = make(2, 3, 5)
    for pad in ((1, 2, 3), (1,) * 8, (-3, -3), (-7, 4), 1, (1.5, 1)):
        yield Sample(x, pad)
    yield Sample(x, (1, 1), "mirror")
    for mode in MODES[1:]:
        yield Sample(make(2, 3, 5, 5), (1, 1), mode)
        yield Sample(make(5), (1, 1), mode)
        yield Sample(x, (-3, -3), mode)
        yield Sample(x, (1, 1), mode, 1.0)
        yield Sample(make(2, 3, 0), (1, 1), mode)
    yield Sample(x, (5, 0), "reflect")
    yield Sample(x, (0, 6), "circular")
    yield Sample(make.ints(2, 3), (1, 1), "constant", float("nan"))
    yield Sample(make.bools(2, 3), (1, 1), "reflect")


@op(
    shape=lambda input, pad, mode: _checked(input, pad, mode)[1],
    namespace="nn.functional",
    samples=_samples,
    errors=_errors,
)
def pad(xp, input, /, pad, mode="constant", value=None):
    """The last dimensions, padded by (last before, last after, second to last before, …).

    Modes "constant" (with `value`, 0 unless given), "reflect" (without the edge), "replicate"
    (the edge) and "circular". Negative widths cut.

    Raises RuntimeError for widths that do not fit, NotImplementedError for an unknown mode or a
    rank that a mode does not pad.
    """
    runs, shape = _checked(input.shape, pad, mode, value)
    if mode in ("reflect", "replicate") and input.dtype.kind == "b":
        raise NotImplementedError(
            f"\"pad\" with mode '{mode}' not implemented for 'Bool'; convert with .byte()"
        )
    out = xp.empty(shape, input.dtype)
    if mode == "constant":
        ((inside, kept),) = _blocks(runs)
        filling = _filling(input.dtype, value)
        for i, side in enumerate(inside[1:]):
            rest = (slice(None),) * (len(runs) - i - 1)
            for edge in (slice(0, side.start), slice(side.stop, None)):
                out[(Ellipsis, edge, *rest)] = filling
        out[inside] = input[kept]
        return out
    for target, source in _blocks(runs):
        out[target] = input[source]
    return out


pad.vjp(input=lambda F, g, input_shape, pad, mode: F.pad_adjoint(g, input_shape, pad, mode))


def _adjoint_samples(make):
    yield Sample(make(2, 3, 6), (2, 3, 4), (-1, 3), "constant")
    for mode in MODES[1:]:
        yield Sample(make(3, 7, 8), (3, 4, 5), (1, 2, 3, 0), mode)
        yield Sample(make(2, 1, 4, 6), (2, 1, 4, 5), (2, -1, -1, 1), mode)


@op(shape=shape_setting, function=False, method=False, oracle=False, samples=_adjoint_samples)
def pad_adjoint(xp, input, /, shape, pad, mode):
    """The adjoint of pad: (…, padded sides) → `shape`, every copy of an element added to it."""
    runs, _ = _checked(shape, pad, mode)
    whole = all(source == slice(0, n) for ((_, source), *_), n in zip(
        runs, shape[len(shape) - len(runs) :], strict=True))  # fmt: skip
    out = (xp.empty if whole else xp.zeros)(shape, input.dtype)
    for i, (target, source) in enumerate(_blocks(runs)):
        values = input[target]
        if i == 0 and values.shape == out[source].shape:
            out[source] = values
            continue
        for axis in range(-len(runs), 0):  # where one element was repeated
            if values.shape[axis] != out[source].shape[axis]:
                values = values.sum(axis=axis, keepdims=True)
        out[source] += values
    return out


pad_adjoint.vjp(input=lambda F, g, pad, mode: F.pad(g, pad, mode))
