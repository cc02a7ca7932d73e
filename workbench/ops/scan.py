"""Running extremes and running log-sums along a dimension."""

from __future__ import annotations

import numpy as np

from .declare import op
from .order import running
from .reduce import axis
from .samples import Sample, bad_dim


def _scan_samples(make):
    yield Sample(make.distinct(5), 0)
    yield Sample(make.distinct(3, 4), 1)
    yield Sample(make.distinct(2, 3, 4), -2)
    yield Sample(make.ints(9, high=3).astype(make.dtype), 0, grad=False)
    yield Sample(make(), 0)
    yield Sample(make(2, 0), 1)


def _extreme(xp, ufunc, input, dim):
    where = axis(dim, input.ndim)
    if input.ndim == 0:
        return input.copy(), xp.zeros((), np.int64)
    values = running(xp, ufunc, input, where)
    reached = input == values
    if input.dtype.kind == "f":
        reached |= xp.isnan(input)
    n = input.shape[where]
    place = xp.arange(n).reshape((n,) + (1,) * (input.ndim - where - 1))
    return values, running(xp, "maximum", xp.where(reached, place, 0), where)


def _pair(input):
    return (input, input)


def _scatter(F, g, indices, input_shape, dim):
    if not input_shape:
        return g
    return F.gather_backward(g, indices, input_shape, axis(dim, len(input_shape)))


@op(accepts="biuf", errors=bad_dim, shape=_pair, samples=_scan_samples,
    returns=("values", "indices"), differentiable=("values",))  # fmt: skip
def cummax(xp, input, /, dim):
    """The largest value so far along `dim` and where it is (the last of ties)."""
    return _extreme(xp, "maximum", input, dim)


@op(accepts="biuf", errors=bad_dim, shape=_pair, samples=_scan_samples,
    returns=("values", "indices"), differentiable=("values",))  # fmt: skip
def cummin(xp, input, /, dim):
    """The smallest value so far along `dim` and where it is (the last of ties)."""
    return _extreme(xp, "minimum", input, dim)


cummax.vjp(input=_scatter)
cummin.vjp(input=_scatter)


def _log_samples(make):
    yield Sample(make(5), 0)
    yield Sample(make(3, 4), 1)
    yield Sample(make(2, 3, 2, low=-90, high=90), 1)
    yield Sample(make(), 0)
    yield Sample(make(2, 0), 1)


@op(accepts="fc", errors=bad_dim, shape=lambda input: input, samples=_log_samples)
def logcumsumexp(xp, input, /, dim):
    """log of the running sum of exponentials along `dim`, without overflow."""
    where = axis(dim, input.ndim)
    if input.ndim == 0 or input.size == 0:
        return input.copy()
    if input.dtype.kind != "c":
        return running(xp, "logaddexp", input, where)
    out = xp.moveaxis(input.copy(), where, 0)
    for i in range(1, len(out)):
        swap = out[i - 1].real < out[i].real
        large, small = xp.where(swap, out[i], out[i - 1]), xp.where(swap, out[i - 1], out[i])
        less = xp.where(xp.isfinite(large.real), small - large, -xp.inf)
        out[i] = large + xp.log1p(xp.exp(less))
    return xp.moveaxis(out, 0, where)


# exp() of less than this stays in float32's range with room to add up
_SAFE = 60.0


def _log_rule(F, g, input, out, input_shape, dim):
    if not input_shape or 0 in input_shape:
        return g
    where = axis(dim, len(input_shape))
    real = F.detach(F.real(out))
    top = F.amax(real, (where,), True)
    if bool(F.all(F.isfinite(real))) and bool(F.all(top - real < _SAFE)):
        shifted = g * F.conj(F.exp(top - out))
        total = F.flip(F.cumsum(F.flip(shifted, (where,)), where), (where,))
        return total * F.conj(F.exp(input - top))
    # a[i] = g[i] + exp(out[i] - out[i+1]) a[i+1]: no exponential above 1
    n = input_shape[where]
    later, sums = None, []
    for i in range(n - 1, -1, -1):
        here = F.narrow(g, where, i, 1)
        if later is not None:
            step = F.narrow(out, where, i, 1) - F.narrow(out, where, i + 1, 1)
            here = here + F.conj(F.exp(step)) * later
        later = here
        sums.append(later)
    return F.cat(sums[::-1], where) * F.conj(F.exp(input - out))


logcumsumexp.vjp(input=_log_rule)
