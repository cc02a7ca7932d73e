"""Sliding windows, one side at a time: where each window's elements lie along one dimension.

Pools over planes and volumes are pools along one side after the other, so all they need to know
is a `Side`. Its taps are pairs of selections: tap t of the windows `out` is the element `inside`.
"""

from __future__ import annotations

import functools
import math
import operator

import numpy as np

WORDS = {1: "one", 2: "two", 3: "three"}


def ints(name, setting, value, dims):
    """An int, or a sequence of one or `dims` ints, as a tuple of `dims` ints.

    Raises RuntimeError for another length and TypeError for what is no integer.
    """
    many = isinstance(value, (tuple, list))
    held = tuple(value) if many else (value,)
    if len(held) not in (1, dims):
        raise RuntimeError(
            f"{name}(): {setting} must either be a single int, or a tuple of {WORDS[dims]} ints, "
            f"got {value}"
        )
    try:
        if any(type(v) is bool for v in held):
            raise TypeError
        held = tuple(operator.index(v) for v in held)
    except TypeError:
        raise TypeError(
            f"{name}(): argument '{setting}' must be an int or a tuple of {WORDS[dims]} ints, got "
            f"{value!r}"
        ) from None
    return held * dims if len(held) == 1 else held


def _covers(tap, n_out):
    windows = tap[1]
    return type(windows) is slice and windows.stop - windows.start == n_out


class Side:
    """Windows along a side of `n` elements: window o begins at `starts[o]`.

    `n_out` windows; `taps` holds (number, windows, elements): slices or index arrays; `disjoint`
    says that no element is in two windows, `exact` that the windows are the side cut into equal
    parts, `kernel` their length then. `bins`, where given: the slices that the windows are.
    """

    __slots__ = (
        "bins",
        "disjoint",
        "exact",
        "gap",
        "kernel",
        "matrices",
        "n",
        "n_out",
        "rest",
        "starts",
        "taps",
        "whole",
    )

    def __init__(self, n, n_out, kernel, gap, taps, starts, disjoint, exact, bins=None):
        self.bins = bins
        self.matrices = {}
        # taps that every window has, and those that fall into the padding for some
        self.whole = [tap for tap in taps if _covers(tap, n_out)]
        self.rest = [tap for tap in taps if not _covers(tap, n_out)]
        self.n = n
        self.n_out = n_out
        self.kernel = kernel
        self.gap = gap
        self.taps = taps
        self.starts = starts
        self.disjoint = disjoint
        self.exact = exact


def positions(n, kernel, stride, padding, dilation, ceil_mode):
    """How many windows fit along a side."""
    span = n + 2 * padding - dilation * (kernel - 1) - 1
    count = (-(-span // stride) if ceil_mode else span // stride) + 1
    if ceil_mode and (count - 1) * stride >= n + padding:
        count -= 1  # a window may not start in the padding on the right
    return count


def regular(n, n_out, kernel, stride, padding, dilation):
    """Equally long windows in equal steps; taps that fall into the padding are left out."""
    taps = []
    for t in range(kernel):
        offset = t * dilation - padding
        low = max(0, -(offset // stride))
        high = min(n_out, (n - 1 - offset) // stride + 1)
        if low < high:
            inside = slice(low * stride + offset, (high - 1) * stride + offset + 1, stride)
            taps.append((t, slice(low, high), inside))
    starts = np.arange(n_out) * stride - padding
    disjoint = stride >= dilation * (kernel - 1) + 1
    exact = stride == kernel and dilation == 1 and not padding and n == n_out * kernel
    return Side(n, n_out, kernel, dilation, taps, starts, disjoint, exact)


def adaptive(n, n_out):
    """`n_out` windows that cover a side, as equal as may be.

    Window o reaches from floor(o n / n_out) to ceil((o + 1) n / n_out).
    """
    if n_out and n % n_out == 0:
        return regular(n, n_out, n // n_out, n // n_out, 0, 1)
    o = np.arange(n_out)
    starts, stops = o * n // max(n_out, 1), -(-(o + 1) * n // max(n_out, 1))
    longest = int((stops - starts).max()) if n_out else 0
    taps = []
    # where there are more windows than elements several begin at the same one: in turns, so that
    # a tap meets no element twice
    turns = o - np.searchsorted(starts, starts)
    for t in range(longest):
        for turn in range(int(turns.max()) + 1):
            windows = np.flatnonzero((starts + t < stops) & (turns == turn))
            if len(windows):
                whole = len(windows) == n_out
                taps.append((t, slice(0, n_out) if whole else windows, starts[windows] + t))
    disjoint = bool((stops[:-1] <= starts[1:]).all())
    few = n_out <= 2 * longest
    bins = [slice(*pair) for pair in zip(starts.tolist(), stops.tolist(), strict=True)]
    return Side(n, n_out, longest, 1, taps, starts, disjoint, False, bins if few else None)


def members(side, dtype):
    """A matrix (n, windows) of 1 where an element is in a window; kept with the side."""
    made = side.matrices.get(dtype)
    if made is None:
        made = np.zeros((side.n, side.n_out), dtype)
        windows = np.arange(side.n_out)
        for _, those, inside in side.taps:
            made[np.arange(side.n)[inside] if type(inside) is slice else inside, windows[those]] = 1
        side.matrices[dtype] = made
    return made


class Windows:
    """The settings of a pool over the last `dims` sides of a shape, checked: its `sides`.

    Raises RuntimeError where windows do not fit, TypeError for settings that are no integers.
    """

    __slots__ = ("kernel", "padding", "shape", "sides", "stride")

    def __init__(self, name, dims, shape, kernel, stride, padding, dilation=1, ceil_mode=False):
        self.kernel = ints(name, "kernel_size", kernel, dims)
        empty = stride is None or (isinstance(stride, (tuple, list)) and not len(stride))
        self.stride = self.kernel if empty else ints(name, "stride", stride, dims)
        self.padding = ints(name, "padding", padding, dims)
        dilation = ints(name, "dilation", dilation, dims)
        check_shape(name, dims, shape)
        for setting, values in (
            ("kernel_size", self.kernel),
            ("stride", self.stride),
            ("dilation", dilation),
        ):
            if min(values) < 1:
                raise RuntimeError(
                    f"{name}(): {setting} should be greater than zero, but got {values}"
                )
        for k, p in zip(self.kernel, self.padding, strict=True):
            if p < 0:
                raise RuntimeError(f"{name}(): pad must be non-negative, but got pad: {p}")
            if p > k // 2:
                raise RuntimeError(
                    f"{name}(): pad should be at most half of effective kernel size, but got "
                    f"pad={p}, kernel_size={k} and dilation={dilation}"
                )
        self.shape = tuple(shape)
        self.sides = []
        every = zip(
            shape[-dims:], self.kernel, self.stride, self.padding, dilation, strict=True
        )  # fmt: skip
        for n, k, s, p, d in every:
            count = positions(n, k, s, p, d, ceil_mode)
            if count < 1:
                raise RuntimeError(
                    f"{name}(): Given input size {list(shape)} and kernel_size {self.kernel}, the "
                    f"output would have a side of {count}. Output size is too small: use a smaller "
                    "kernel_size"
                )
            self.sides.append(regular(n, count, k, s, p, d))

    @property
    def out_shape(self):
        """The result's shape."""
        return (*self.shape[: -len(self.sides)], *(side.n_out for side in self.sides))


def check_shape(name, dims, shape, channels=True):
    """Raises RuntimeError unless `shape` is (C, *sides) or (N, C, *sides), none of them 0 but N.

    Without `channels` C may be 0 too.
    """
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{name}(): Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input, but got "
            f"input of size: {list(shape)}"
        )
    if 0 in shape[len(shape) - dims - channels :]:
        raise RuntimeError(
            f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor with optional 0 dim batch size "
            f"for input, but got: {list(shape)}"
        )


def planes(x, dims):
    """`x` with everything before its last `dims` sides as one dimension."""
    return x.reshape((math.prod(x.shape[: x.ndim - dims]), *x.shape[x.ndim - dims :]))


def along(i, dims, selection):
    """An index that selects along the side `i` of planes with `dims` sides."""
    return (slice(None),) * (i + 1) + (selection,) + (slice(None),) * (dims - i - 1)


@functools.lru_cache(maxsize=512)
def _held(*settings):
    return Windows(*settings)


def windows(name, dims, shape, *settings):
    """A `Windows`, kept for the next call with the same settings."""
    try:
        return _held(name, dims, tuple(shape), *settings)
    except TypeError:  # lists cannot be looked up (or the settings are wrong, which is said again)
        return Windows(name, dims, tuple(shape), *settings)


def adaptive_sizes(name, shape, output_size, dims):
    """The sizes of an adaptive pool's result: an int for all sides, or one each (None: as it is).

    Raises RuntimeError for another number of sizes and for negative ones.
    """
    many = isinstance(output_size, (tuple, list))
    given = tuple(output_size) if many else (output_size,) * dims
    if len(given) != dims:
        raise RuntimeError(f"{name}(): output_size must be {WORDS[dims]} ints, got {output_size}")
    try:
        if output_size is None or any(type(o) is bool for o in given):
            raise TypeError
        sizes = tuple(
            n if o is None else operator.index(o)
            for n, o in zip(shape[len(shape) - dims :], given, strict=True)
        )
    except TypeError:
        raise TypeError(
            f"{name}(): argument 'output_size' must be an int or a tuple of ints, got "
            f"{output_size!r}"
        ) from None
    if min(sizes) < 0:
        raise RuntimeError(
            f"{name}(): elements of output_size must be greater than or equal to 0 but received "
            f"{sizes}"
        )
    return sizes
