"""Normalisation per channel: batch and group norm, and the scale and shift of evaluation.

(N, C, *) is taken as rows of one channel each, or, where those would be short, as columns of one
channel and place each.
"""

from __future__ import annotations

import math

from .compiled import lines
from .compiled import norm as compiled_rows
from .compiled import norm_channels as compiled
from .declare import op
from .rows import column_dots, column_sums, row_dots, row_sums, wide
from .samples import Sample

_SHORT = 48  # below this, a loop over a row costs more than what it computes


class _Channels:
    """How sums over the channels of (N, C, *), and channels' numbers against it, are computed."""

    def __init__(self, xp, shape):
        self.xp = xp
        self.n, self.c = shape[:2]
        self.inside = math.prod(shape[2:])
        self.count = self.n * self.inside
        self.rows = self.inside >= _SHORT
        self.shape = (self.n, self.c, self.inside) if self.rows else (self.n, self.c * self.inside)

    def of(self, x):
        """A copy or view of (N, C, *) in the shape it is worked on."""
        return x.reshape(self.shape)

    def beside(self, values):
        """One number per channel, to be broadcast against what `of` gives."""
        if self.rows:
            return values[:, None]
        return values if self.inside == 1 else self.xp.repeat(values, self.inside)

    def _by_channel(self, sums):
        if self.rows:
            return sums.reshape(self.n, self.c).sum(axis=0)
        return sums if self.inside == 1 else sums.reshape(self.c, self.inside).sum(axis=1)

    def sums(self, x):
        """The sum of each channel of `of(x)`."""
        if self.rows:
            return self._by_channel(row_sums(x.reshape(-1, self.inside)))
        return self._by_channel(column_sums(x))

    def dots(self, x, y):
        """The sum of products in each channel."""
        if self.rows:
            flat = (-1, self.inside)
            return self._by_channel(row_dots(x.reshape(flat), y.reshape(flat)))
        return self._by_channel(column_dots(x, y))


def _batch_samples(make):
    yield Sample(make(4, 3), make(3), make(3))
    yield Sample(make(2, 3, 4, 2), make(3), make(3), 1e-3)
    yield Sample(make(2, 3, 5), None, None)
    yield Sample(make(2, 3, 5), make(3), None)
    yield Sample(make(2, 2, 8, 7), make(2), make(2))


def _batch_oracle(torch, input, weight, bias, eps=1e-5):
    return torch.nn.functional.batch_norm(input, None, None, weight, bias, True, 0.1, eps)


@op(
    accepts="f",
    shape=lambda input: input,
    function=False,
    method=False,
    dtype="same",
    aux=("mean", "scale"),
    samples=_batch_samples,
    oracle=_batch_oracle,
)
def batch_norm_train(xp, input, weight=None, bias=None, /, eps=1e-5, stats=None):
    """Batch normalisation by the batch's own statistics (Ioffe & Szegedy, 2015).

    `input` (N, C, *), `weight` and `bias` (C). `stats`, where given, is called with the batch's
    mean and biased variance, both (C), and the number of values per channel; or, if it has arrays
    to be moved that way (`stats.targets()`), it may be told that they were (`stats.moved()`).
    """
    ranks = (1, -1) + (1,) * (input.ndim - 2)
    if lines.fit(input, weight, bias):
        return _batch_compiled(input, weight, bias, eps, stats, ranks)
    x = wide(input)
    channels = _Channels(xp, input.shape)
    x = channels.of(x)
    kind = x.dtype.type
    count = kind(max(channels.count, 1))
    mean = channels.sums(x) / count
    out = x - channels.beside(mean)
    variance = channels.dots(out, out) / count
    scale = 1 / xp.sqrt(variance + kind(eps))
    if stats is not None and channels.count:
        stats(mean, variance, channels.count)
    out *= channels.beside(scale if weight is None else scale * wide(weight))
    if bias is not None:
        out += channels.beside(wide(bias))
    out = out.reshape(input.shape).astype(input.dtype, copy=False)
    return out, mean.reshape(ranks), scale.reshape(ranks)


def _batch_compiled(input, weight, bias, eps, stats, ranks):
    running = stats.targets() if hasattr(stats, "targets") else None
    if running is not None and not lines.fit(input, *running[:2]):
        running = None
    out, (mean, scale, variance) = compiled.batch_norm(input, weight, bias, eps, running)
    if running is not None:
        stats.moved()
    elif stats is not None:
        stats(mean, variance, input.size // input.shape[1])
    return out, mean.reshape(ranks), scale.reshape(ranks)


def _through(F, g, normal, scale, dims):
    """Gradient of the normalised values with respect to the input."""
    return (g - F.mean(g, dims, True) - normal * F.mean(g * normal, dims, True)) * scale


@batch_norm_train.vjp_together("input", "weight", "bias")
def _batch_rule(F, g, input, weight, mean, scale, bias_shape, eps, wanted):
    n = len(input.shape)
    if F.taped:
        dims = (0, *range(2, n))
        centred = input - F.mean(input, dims, True)
        scale = F.rsqrt(F.mean(centred * centred, dims, True) + eps)
        normal = centred * scale
        gw = g if weight is None else g * F.reshape(weight, (1, -1) + (1,) * (n - 2))
        return (
            _through(F, gw, normal, scale, dims),
            None if weight is None else F.sum(g * normal, dims, False),
            None if bias_shape is None else F.sum(g, dims, False),
        )
    xp, dtype = F.xp, g.dtype
    if lines.fit(g, input, weight, mean, scale):
        dx, sums = compiled.batch_norm_backward(g, input, weight, mean, scale, wanted[0])
        return (
            dx,
            None if weight is None else sums[0],
            None if bias_shape is None else sums[1],
        )
    if dtype.itemsize < 4:  # what was saved may have been rounded
        _, mean, scale = batch_norm_train.forward(xp, wide(input), None, None, eps)
    channels = _Channels(xp, g.shape)
    mean, scale = mean.reshape(-1), scale.reshape(-1)
    g = channels.of(wide(g))
    total = channels.sums(g)
    db = None if bias_shape is None else total.astype(dtype, copy=False)
    dx = dw = None
    if wanted[0] or wanted[1]:
        centred = channels.of(wide(input)) - channels.beside(mean)
        along = channels.dots(g, centred) * scale
        dw = None if weight is None else along.astype(dtype, copy=False)
    if wanted[0]:
        count = mean.dtype.type(max(channels.count, 1))
        slope = scale if weight is None else scale * wide(weight)
        # slope · (g - mean(g) - normal · mean(g · normal))
        centred *= channels.beside(slope * scale * along / count)
        centred += channels.beside(slope * total / count)
        dx = g * channels.beside(slope)
        dx -= centred
        dx = dx.reshape(input.shape).astype(dtype, copy=False)
    return dx, dw, db


def _eval_samples(make):
    yield Sample(make(4, 3), make(3), make(3, low=0.5, high=2), make(3), make(3))
    yield Sample(make(2, 3, 4, 2), make(3), make(3, low=0.5, high=2), make(3), None, 1e-3)
    yield Sample(make(2, 2, 8, 7), make(2), make(2, low=0.5, high=2), None, make(2))
    yield Sample(make(0, 3, 2), make(3), make(3, low=0.5, high=2))


def _eval_oracle(torch, input, mean, variance, weight=None, bias=None, eps=1e-5):
    if not (input.ndim and input.is_floating_point()):
        raise RuntimeError("floats only")
    scale = (variance + eps).rsqrt() if weight is None else (variance + eps).rsqrt() * weight
    ranks = (1, -1) + (1,) * (input.ndim - 2)
    out = (input - mean.reshape(ranks)) * scale.reshape(ranks)
    return out if bias is None else out + bias.reshape(ranks)


@op(
    accepts="f",
    shape=lambda input: input,
    function=False,
    method=False,
    dtype="same",
    samples=_eval_samples,
    oracle=_eval_oracle,
)
def batch_norm_eval(xp, input, mean, variance, weight=None, bias=None, /, eps=1e-5):
    """Batch normalisation by given statistics: (N, C, *) and one of each per channel (C)."""
    scale = wide(variance)
    scale = 1 / xp.sqrt(scale + scale.dtype.type(eps))
    if weight is not None:
        scale *= wide(weight)
    shift = wide(mean) * scale
    shift = -shift if bias is None else wide(bias) - shift
    return _affine(xp, input, scale, shift)


def _affine(xp, input, scale, shift):
    """input · scale + shift, one of each per channel: (N, C, *), (C), (C)."""
    if lines.fit(input, scale, shift):
        return compiled.affine(input, scale, shift)
    channels = _Channels(xp, input.shape)
    out = channels.of(wide(input)) * channels.beside(scale)
    if shift is not None:
        out += channels.beside(shift)
    return out.reshape(input.shape).astype(input.dtype, copy=False)


@batch_norm_eval.vjp_together("input", "mean", "variance", "weight", "bias")
def _eval_rule(F, g, input, mean, variance, weight, bias_shape, eps, wanted):
    n = len(input.shape)
    ranks, dims = (1, -1) + (1,) * (n - 2), (0, *range(2, n))
    inverse = F.rsqrt(variance + eps)
    scale = inverse if weight is None else inverse * weight
    dx = dm = dv = dw = db = None
    if wanted[0]:
        dx = g * F.reshape(scale, ranks) if F.taped else _affine(F.xp, g, wide(scale), None)
    if wanted[1] or wanted[4]:
        db = F.sum(g, dims, False)
        dm = -db * scale if wanted[1] else None
    if wanted[2] or wanted[3]:
        dw = F.sum(g * (input - F.reshape(mean, ranks)), dims, False) * inverse
        dv = dw * scale * inverse * -0.5 if wanted[2] else None
    return (
        dx, dm, dv, None if weight is None else dw, None if bias_shape is None else db,
    )  # fmt: skip


# -- groups of channels of one sample --------------------------------------------------------------


def _group_samples(make):
    yield Sample(make(2, 4), make(4), make(4), 2)
    yield Sample(make(2, 6, 3), make(6), None, 3, 1e-3)
    yield Sample(make(2, 4, 3, 2), None, make(4), 4, grad=False)  # torch has no gradient there
    yield Sample(make(2, 4, 3, 2), None, None, 1)
    yield Sample(make(1, 2, 7, 8), make(2), make(2), 2)
    yield Sample(make(0, 4), make(4), make(4), 2)


def _group_oracle(torch, input, weight, bias, num_groups, eps=1e-5):
    return torch.nn.functional.group_norm(input, num_groups, weight, bias, eps)


@op(
    accepts="f",
    shape=lambda input: input,
    function=False,
    method=False,
    dtype="same",
    aux=("mean", "scale"),
    samples=_group_samples,
    oracle=_group_oracle,
)
def native_group_norm(xp, input, weight=None, bias=None, /, num_groups=1, eps=1e-5):
    """Each sample of (N, C, *) normalised over groups of C / num_groups channels.

    Wu and He, "Group normalization", 2018. `weight` and `bias` (C).
    """
    n, c = input.shape[:2]
    inside = math.prod(input.shape[2:])
    x = wide(input)
    if not input.size:
        empty = xp.zeros((n, num_groups), x.dtype)
        return input.copy(), empty, empty.copy()
    if lines.fit(input, weight, bias):
        return compiled_rows.groups(input, weight, bias, num_groups, eps)
    size = c // num_groups * inside
    x = x.reshape(n * num_groups, size)
    mean = row_sums(x) / size
    out = x - mean[:, None]
    scale = 1 / xp.sqrt(row_dots(out, out) / size + x.dtype.type(eps))
    if weight is None:
        out *= scale[:, None]
    else:
        slope = _slopes(xp, scale, weight, n, c)
        out = _times(xp, out.reshape(n, c, inside), slope)
    if bias is not None:
        out = out.reshape(n, c, inside)
        if inside >= _SHORT:
            out += wide(bias)[:, None]
        else:
            out = out.reshape(n, c * inside)
            out += xp.repeat(wide(bias), inside)
    out = out.reshape(input.shape).astype(input.dtype, copy=False)
    return out, mean.reshape(n, num_groups), scale.reshape(n, num_groups)


def _slopes(xp, scale, weight, n, c):
    """scale · weight of each channel of each sample (N, C)."""
    scale = scale.reshape(n, -1)
    if weight is None:
        return xp.repeat(scale, c // scale.shape[1], axis=1)
    groups = scale.shape[1]
    return (scale[:, :, None] * wide(weight).reshape(groups, -1)).reshape(n, c)


def _times(xp, x, slope):
    """x (N, C, inside) times one number per channel of a sample, in place."""
    if x.shape[2] >= _SHORT:
        x *= slope[:, :, None]
    else:
        x *= xp.repeat(slope, x.shape[2], axis=1).reshape(x.shape)
    return x


@native_group_norm.vjp_together("input", "weight", "bias")
def _group_rule(F, g, input, weight, mean, scale, bias_shape, num_groups, eps, wanted):
    shape = tuple(input.shape)
    n, c = shape[:2]
    inside = math.prod(shape[2:])
    if F.taped:
        grouped = (n, num_groups, c // num_groups * inside)
        x = F.reshape(input, grouped)
        if not math.prod(grouped):
            return g, *(None if b is None else F.sum(g, (0, *range(2, len(shape))), False)
                        for b in (weight, bias_shape))  # fmt: skip
        centred = x - F.mean(x, (2,), True)
        scale = F.rsqrt(F.mean(centred * centred, (2,), True) + eps)
        normal = centred * scale
        ranks, dims = (1, -1) + (1,) * (len(shape) - 2), (0, *range(2, len(shape)))
        gw = g if weight is None else g * F.reshape(weight, ranks)
        dx = F.reshape(_through(F, F.reshape(gw, grouped), normal, scale, (2,)), shape)
        return (
            dx,
            None if weight is None else F.sum(g * F.reshape(normal, shape), dims, False),
            None if bias_shape is None else F.sum(g, dims, False),
        )
    xp, dtype = F.xp, g.dtype
    if not g.size:
        return g, *(None if b is None else xp.zeros((c,), dtype) for b in (weight, bias_shape))
    if lines.fit(g, input, weight, mean, scale):
        dx, dw, db = compiled_rows.groups_backward(g, input, weight, mean, scale, wanted[0])
        return dx, None if weight is None else dw, None if bias_shape is None else db
    if dtype.itemsize < 4:
        _, mean, scale = native_group_norm.forward(xp, wide(input), None, None, num_groups, eps)
    size = c // num_groups * inside
    g = wide(g)
    centred = wide(input).reshape(n * num_groups, size) - mean.reshape(-1, 1)
    totals = _inner(row_sums, inside, n, c, g)
    along = _inner(row_dots, inside, n, c, g, centred)
    each = xp.repeat(scale.reshape(n, -1), c // num_groups, axis=1)
    db = None if bias_shape is None else totals.sum(axis=0).astype(dtype, copy=False)
    dw = None if weight is None else (along * each).sum(axis=0).astype(dtype, copy=False)
    if not wanted[0]:
        return None, dw, db
    if weight is not None:
        totals, along = totals * wide(weight), along * wide(weight)
    groups = (n * num_groups, c // num_groups)
    flat = scale.reshape(-1)
    # scale · (g · weight - mean(g · weight) - normal · mean(g · weight · normal))
    centred *= (along.reshape(groups).sum(axis=1) * flat**3 / size)[:, None]
    centred += (totals.reshape(groups).sum(axis=1) * flat / size)[:, None]
    dx = _times(xp, g.reshape(n, c, inside).copy(), _slopes(xp, flat, weight, n, c))
    dx = dx.reshape(centred.shape)
    dx -= centred
    return dx.reshape(shape).astype(dtype, copy=False), dw, db


def _inner(sums, inside, n, c, *arrays):
    """Sums over the inside of each channel of each sample (N, C)."""
    if inside == 1:
        made = arrays[0]
        for array in arrays[1:]:
            made = made.reshape(n, c) * array.reshape(n, c)
        return made.reshape(n, c)
    return sums(*(a.reshape(n * c, inside) for a in arrays)).reshape(n, c)
