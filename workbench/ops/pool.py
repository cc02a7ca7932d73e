"""Pooling over windows, tap by tap: one strided slice per kernel position, no index arrays."""

from __future__ import annotations

import math

import numpy as np

from .conv import pair
from .declare import op, shape_setting
from .samples import Sample


def _size(size, kernel, stride, padding, dilation, ceil_mode):
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    n = (-(-span // stride) if ceil_mode else span // stride) + 1
    if ceil_mode and (n - 1) * stride >= size + padding:
        n -= 1  # a window may not start in the padding on the right
    return n


class _Windows:
    """The geometry of pooling windows over (N, C, H, W)."""

    def __init__(self, name, shape, kernel, stride, padding, dilation, ceil_mode):
        self.kernel = pair(kernel, "kernel_size")
        self.stride = pair(stride, "stride") if stride not in (None, ()) else self.kernel
        self.padding, self.dilation = pair(padding, "padding"), pair(dilation, "dilation")
        if len(shape) != 4:
            raise RuntimeError(f"{name}(): Expected 3D or 4D input (got {len(shape)}D)")
        if min(self.kernel) < 1 or min(self.stride) < 1 or min(self.dilation) < 1:
            raise RuntimeError(f"{name}(): kernel, stride and dilation should be greater than zero")
        for k, p in zip(self.kernel, self.padding, strict=True):
            if not 0 <= p <= k // 2:
                raise RuntimeError(
                    f"pad should be at most half of effective kernel size, but got pad={p}, "
                    f"kernel_size={k}"
                )
        sizes = zip(shape[2:], self.kernel, self.stride, self.padding, self.dilation, strict=True)
        self.out = tuple(_size(*side, ceil_mode) for side in sizes)
        if min(self.out) < 1:
            raise RuntimeError(
                f"{name}(): Given input size: ({shape[1]}x{shape[2]}x{shape[3]}). Calculated "
                f"output size: ({shape[1]}x{self.out[0]}x{self.out[1]}). Output size is too small: "
                f"use a smaller kernel_size than {self.kernel}"
            )
        # how far the padded input must reach for the last window
        self.reach = tuple(
            max(n + 2 * p, (o - 1) * s + d * (k - 1) + 1)
            for n, o, k, s, p, d in zip(
                shape[2:],
                self.out,
                self.kernel,
                self.stride,
                self.padding,
                self.dilation,
                strict=True,
            )
        )
        self.shape = shape

    def pad(self, xp, x, value):
        (ph, pw), (h, w) = self.padding, self.shape[2:]
        if self.reach == (h, w):
            return x
        out = xp.full((*self.shape[:2], *self.reach), value, dtype=x.dtype)
        out[:, :, ph : ph + h, pw : pw + w] = x
        return out

    def crop(self, x):
        (ph, pw), (h, w) = self.padding, self.shape[2:]
        return x if self.reach == (h, w) else x[:, :, ph : ph + h, pw : pw + w]

    def taps(self):
        """The slices that pick, for every window, its element at each kernel position."""
        (kh, kw), (sh, sw), (dh, dw), (oh, ow) = self.kernel, self.stride, self.dilation, self.out
        for i in range(kh):
            for j in range(kw):
                yield (
                    slice(None),
                    slice(None),
                    slice(i * dh, i * dh + (oh - 1) * sh + 1, sh),
                    slice(j * dw, j * dw + (ow - 1) * sw + 1, sw),
                )


def _max_shape(input, kernel_size, stride, padding, dilation, ceil_mode):
    w = _Windows("max_pool2d", input, kernel_size, stride, padding, dilation, ceil_mode)
    return (*input[:2], *w.out)


def _avg_shape(input, kernel_size, stride, padding, ceil_mode):
    return _max_shape(input, kernel_size, stride, padding, 1, ceil_mode)


def _lowest(dtype):
    """What padding counts as under a maximum."""
    return -math.inf if dtype.kind not in "iu" else np.iinfo(dtype).min


def _pool_errors(make):
    yield Sample(make(2, 3, 2, 2), 3)
    yield Sample(make(2, 3, 6, 6), 2, 2, 2)
    yield Sample(make(6, 6), 2)
    yield Sample(make(2, 3, 6, 6), 0)


def _max_samples(make):
    yield Sample(make.distinct(2, 3, 6, 4), 2)
    yield Sample(make.distinct(2, 1, 5, 7), (3, 2), 2, 1)
    yield Sample(make.distinct(1, 2, 7, 7), 3, 2, 1, 1, True)
    yield Sample(make.distinct(1, 2, 7, 7), 2, 1, 0, 2)
    yield Sample(make(0, 2, 4, 4), 2)


@op(
    errors=_pool_errors,
    accepts="iuf",
    shape=_max_shape,
    namespace="nn.functional",
    samples=_max_samples,
)
def max_pool2d(xp, input, /, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
    """The largest element of each window of (N, C, H, W); padding counts as -inf.

    Raises RuntimeError when the windows do not fit. The first of tied elements gets the gradient.
    """
    w = _Windows("max_pool2d", input.shape, kernel_size, stride, padding, dilation, ceil_mode)
    x = w.pad(xp, input, _lowest(input.dtype))
    out = None
    for tap in w.taps():
        if out is None:
            out = x[tap].copy()
        else:
            xp.maximum(out, x[tap], out=out)
    return out


_MAX = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

max_pool2d.vjp(
    input=lambda F, g, input, out, kernel_size, stride, padding, dilation, ceil_mode: (
        F.max_unpool_taps(
            g, F.detach(input), F.detach(out), kernel_size, stride, padding, dilation, ceil_mode
        )
    )
)


def _first_hits(xp, w, input, out):
    """For each tap, where it holds its window's maximum and no earlier tap does."""
    x = w.pad(xp, input, _lowest(input.dtype))
    taken = None
    for tap in w.taps():
        hit = x[tap] == out
        if taken is None:
            taken = hit.copy()
        else:
            hit &= ~taken
            taken |= hit
        yield tap, hit


@op(shape=lambda source: source, function=False, method=False, oracle=False)
def max_unpool_taps(xp, input, source, top, /, kernel_size, stride, padding, dilation, ceil_mode):
    """Values of the windows put where `source` had its window maximum `top`."""
    w = _Windows("max_pool2d", source.shape, kernel_size, stride, padding, dilation, ceil_mode)
    out = xp.zeros((*source.shape[:2], *w.reach), dtype=input.dtype)
    for tap, hit in _first_hits(xp, w, source, top):
        out[tap] += input * hit
    return w.crop(out)


@op(shape=lambda top: top, function=False, method=False, oracle=False)
def max_pool_taps(xp, input, source, top, /, kernel_size, stride, padding, dilation, ceil_mode):
    """The elements of `input` where `source` had its window maximum `top`."""
    w = _Windows("max_pool2d", source.shape, kernel_size, stride, padding, dilation, ceil_mode)
    x = w.pad(xp, input, 0)
    out = xp.zeros(top.shape, dtype=input.dtype)
    for tap, hit in _first_hits(xp, w, source, top):
        out += x[tap] * hit
    return out


def _taps_samples(make):
    source = make.distinct(2, 1, 5, 7)
    top = max_pool2d.forward(np, source, (3, 2), 2, 1)
    yield Sample(make(*top.shape), source, top, (3, 2), 2, 1, 1, False)


def _pool_taps_samples(make):
    source = make.distinct(2, 1, 5, 7)
    top = max_pool2d.forward(np, source, (3, 2), 2, 1)
    yield Sample(make(*source.shape), source, top, (3, 2), 2, 1, 1, False)


max_unpool_taps.samples = _taps_samples
max_pool_taps.samples = _pool_taps_samples
max_unpool_taps.vjp(
    input=lambda F, g, source, top, kernel_size, stride, padding, dilation, ceil_mode: (
        F.max_pool_taps(g, source, top, kernel_size, stride, padding, dilation, ceil_mode)
    )
)
max_pool_taps.vjp(
    input=lambda F, g, source, top, kernel_size, stride, padding, dilation, ceil_mode: (
        F.max_unpool_taps(g, source, top, kernel_size, stride, padding, dilation, ceil_mode)
    )
)


def _avg_samples(make):
    yield Sample(make(2, 3, 6, 4), 2)
    yield Sample(make(2, 1, 5, 7), (3, 2), 2, 1)
    yield Sample(make(2, 1, 5, 7), 3, 2, 1, False, False)
    yield Sample(make(1, 2, 7, 7), 3, 2, 1, True)
    yield Sample(make(1, 2, 7, 7), 3, 2, 0, False, True, 4)


def _divisors(xp, w, dtype, count_include_pad, divisor_override):
    """How many elements each window divides by: a number, or an array (oh, ow)."""
    if divisor_override is not None:
        if divisor_override == 0:
            raise RuntimeError("divisor must be not zero")
        return divisor_override
    sides = []
    for n, o, k, s, p in zip(w.shape[2:], w.out, w.kernel, w.stride, w.padding, strict=True):
        side = []
        for i in range(o):
            start = i * s - p
            stop = min(start + k, n + p)
            side.append(stop - start if count_include_pad else min(stop, n) - max(start, 0))
        sides.append(xp.asarray(side, dtype=dtype))
    return sides[0][:, None] * sides[1][None, :]


@op(
    errors=lambda make: (s for s in _pool_errors(make) if s.args[0].ndim == 4),
    accepts="f",
    shape=_avg_shape,
    namespace="nn.functional",
    samples=_avg_samples,
)
def avg_pool2d(
    xp,
    input,
    /,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """The mean of each window of (N, C, H, W).

    Raises RuntimeError when the windows do not fit.
    """
    w = _Windows("avg_pool2d", input.shape, kernel_size, stride, padding, 1, ceil_mode)
    x = w.pad(xp, input, 0)
    out = None
    for tap in w.taps():
        if out is None:
            out = x[tap].copy()
        else:
            out += x[tap]
    out /= _divisors(xp, w, input.dtype, count_include_pad, divisor_override)
    return out


def _avg_rule(
    F, g, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
):
    return F.avg_unpool2d(
        g, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


avg_pool2d.vjp(input=_avg_rule)


@op(
    shape=shape_setting,
    function=False,
    method=False,
    oracle=False,
    samples=lambda make: iter(
        [Sample(make(2, 1, 3, 4), (2, 1, 5, 7), (3, 2), 2, 1, False, True, None)]
    ),
)
def avg_unpool2d(
    xp,
    input,
    /,
    shape,
    kernel_size,
    stride,
    padding,
    ceil_mode,
    count_include_pad,
    divisor_override,
):
    """The adjoint of avg_pool2d: each window's value spread evenly over its elements."""
    w = _Windows("avg_pool2d", shape, kernel_size, stride, padding, 1, ceil_mode)
    share = input / _divisors(xp, w, input.dtype, count_include_pad, divisor_override)
    out = xp.zeros((*shape[:2], *w.reach), dtype=input.dtype)
    for tap in w.taps():
        out[tap] += share
    return w.crop(out)


def _avg_unpool_rule(
    F, g, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
):
    return F.avg_pool2d(
        g, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


avg_unpool2d.vjp(input=_avg_unpool_rule)


def _bins(xp, size, out, dtype):
    """The matrix (out, size) whose rows average the adaptive bins of a side."""
    matrix = xp.zeros((out, size), dtype=dtype)
    for i in range(out):
        start, stop = i * size // out, -(-(i + 1) * size // out)
        matrix[i, start:stop] = 1 / (stop - start)
    return matrix


def _adaptive_samples(make):
    yield Sample(make(2, 3, 6, 4), 2)
    yield Sample(make(2, 3, 5, 7), (3, 4))
    yield Sample(make(3, 5, 7), 1)
    yield Sample(make(2, 3, 5, 7), (None, 2))


def _adaptive_size(shape, output_size):
    sides = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * 2
    return tuple(n if o is None else int(o) for n, o in zip(shape[-2:], sides, strict=True))


@op(
    accepts="f",
    shape=lambda input, output_size: (*input[:-2], *_adaptive_size(input, output_size)),
    namespace="nn.functional",
    samples=_adaptive_samples,
)
def adaptive_avg_pool2d(xp, input, /, output_size):
    """The means of a grid of `output_size` bins over the last two sides, whatever their sizes."""
    if input.ndim not in (3, 4):
        raise RuntimeError(
            f"adaptive_avg_pool2d(): Expected 3D or 4D tensor, but got {list(input.shape)}"
        )
    oh, ow = _adaptive_size(input.shape, output_size)
    rows = _bins(xp, input.shape[-2], oh, input.dtype)
    cols = _bins(xp, input.shape[-1], ow, input.dtype)
    return xp.matmul(xp.matmul(rows, input), cols.T)


adaptive_avg_pool2d.vjp(input=lambda F, g, input_shape: F.adaptive_avg_unpool2d(g, input_shape))


@op(
    shape=shape_setting,
    function=False,
    method=False,
    oracle=False,
    samples=lambda make: iter([Sample(make(2, 3, 3, 4), (2, 3, 5, 7))]),
)
def adaptive_avg_unpool2d(xp, input, /, shape):
    """The adjoint of adaptive_avg_pool2d."""
    rows = _bins(xp, shape[-2], input.shape[-2], input.dtype)
    cols = _bins(xp, shape[-1], input.shape[-1], input.dtype)
    return xp.matmul(xp.matmul(rows.T, input), cols)


adaptive_avg_unpool2d.vjp(
    input=lambda F, g, input_shape: F.adaptive_avg_pool2d(g, tuple(input_shape[-2:]))
)
