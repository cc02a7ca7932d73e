"""Activation functions, without branches over random masks: NumPy's `where` is slow at those."""

from __future__ import annotations

import math

import numpy as np

from workbench.arrays import constant, random

from .compiled import activation as compiled
from .declare import op
from .gaussian import normal_cdf
from .rows import wide
from .samples import Sample, unary

_NN = "nn.functional"
_LEAST = compiled.LEAST
_LARGE = 1 << 13  # from here on `clip` beats `maximum`, which does not vectorise for numbers


def positive(xp, x):
    """max(x, 0) in memory of its own."""
    if x.size >= _LARGE and type(x) is np.ndarray and x.dtype.kind == "f":
        return x.clip(x.dtype.type(0), x.dtype.type(np.inf))
    return xp.maximum(x, constant(x, 0))


def negative(xp, x):
    """min(x, 0) in memory of its own."""
    if x.size >= _LARGE and type(x) is np.ndarray and x.dtype.kind == "f":
        return x.clip(x.dtype.type(-np.inf), x.dtype.type(0))
    return xp.minimum(x, constant(x, 0))


def logistic(xp, x):
    """1 / (1 + exp(-x)) of real floats; where exp overflows, 0."""
    with np.errstate(over="ignore"):
        return 1 / (xp.exp(-x) + 1)


@op(accepts="iuf", inplace=True, dtype="promote", samples=unary(gap=0.05), expr="x > 0 ? x : 0")
def relu(xp, input, /):
    """max(x, 0); the slope at 0 is 0."""
    if input.size >= _LEAST and (found := compiled.relu(input)) is not None:
        return found
    return positive(xp, input)


def _relu_rule(F, g, out):
    if not F.taped and g.size >= _LEAST:
        found = compiled.relu_gradient(g, out)
        if found is not None:
            return found
    return g * (out > 0)


relu.vjp(input=_relu_rule)


def _leaky_samples(make):
    yield from unary(gap=0.05)(make)
    yield Sample(make(2, 3, gap=0.05), 1.5)
    yield Sample(make(2, 3, gap=0.05), -0.5)


@op(accepts="f", namespace=_NN, samples=_leaky_samples)
def leaky_relu(xp, input, /, negative_slope=0.01):
    """x where positive, else negative_slope * x."""
    if input.size >= _LEAST:
        found = compiled.leaky_relu(input, slope=negative_slope)
        if found is not None:
            return found
    if 0 <= negative_slope <= 1:
        return xp.maximum(input, input * negative_slope)
    return positive(xp, input) + negative(xp, input) * negative_slope


def _either(F, flags, like, slope):
    """1 where the flags are on, else `slope`."""
    return F.cast_bool(flags, like) * (1 - slope) + slope


def _leaky_rule(F, g, input, negative_slope):
    if not F.taped and g.size >= _LEAST:
        found = compiled.leaky_relu_gradient(g, input, slope=negative_slope)
        if found is not None:
            return found
    return g * _either(F, input > 0, input, negative_slope)


leaky_relu.vjp(input=_leaky_rule)


def _elu_samples(make):
    yield from unary(gap=0.05)(make)
    yield Sample(make(2, 3, gap=0.05), 0.5)
    yield Sample(make(2, 3, gap=0.05), 1.5, 1.1, 2.0)


def _elu_oracle(torch, input, alpha=1.0, scale=1.0, inner=1.0):
    return torch._C._nn.elu(input, alpha, scale, inner)


@op(accepts="f", function=False, method=False, samples=_elu_samples, oracle=_elu_oracle)
def elu(xp, input, /, alpha=1.0, scale=1.0, inner=1.0):
    """scale · x where positive, else scale · alpha · (exp(inner · x) - 1).

    ELU (Clevert et al., 2015); with other constants SELU (Klambauer et al., 2017) and CELU.
    """
    if input.size >= _LEAST:
        found = compiled.elu(input, alpha=alpha, scale=scale, inner=inner)
        if found is not None:
            return found
    low = negative(xp, input)
    low = xp.expm1(low if inner == 1 else low * inner)
    if alpha * scale != 1:
        low = low * (alpha * scale)
    high = positive(xp, input)
    return (high if scale == 1 else high * scale) + low


def _elu_rule(F, g, input, alpha, scale, inner):
    if not F.taped and g.size >= _LEAST:
        found = compiled.elu_gradient(g, input, alpha=alpha, scale=scale, inner=inner)
        if found is not None:
            return found
    flags = F.cast_bool(input > 0, input)
    # exp is 1 where x is positive
    e = F.exp((input - input * flags) * inner) if F.taped else F.xp.exp(
        negative(F.xp, input) * inner
    )  # fmt: skip
    slope = alpha * inner
    return g * ((e * slope + flags * (1 - slope)) * scale)


elu.vjp(input=_elu_rule)


@op(inplace=True, dtype="float", samples=unary(), expr="1 / (1 + exp(-x))")
def sigmoid(xp, input, /):
    """1 / (1 + exp(-x)), without overflow."""
    if input.size >= _LEAST and (found := compiled.sigmoid(input)) is not None:
        return found
    if input.dtype.kind == "c":
        half = input.dtype.type(0.5)
        return xp.tanh(input * half) * half + half
    return logistic(xp, input)


def _sigmoid_rule(F, g, out):
    if not F.taped and g.size >= _LEAST:
        found = compiled.sigmoid_gradient(g, out)
        if found is not None:
            return found
    return g * F.conj(out * (1 - out))


sigmoid.vjp(input=_sigmoid_rule)


@op(accepts="fc", namespace=_NN, aux=("share",), samples=unary())
def silu(xp, input, /):
    """x * sigmoid(x) (Elfwing et al., 2018)."""
    if input.size >= _LEAST and (found := compiled.silu(input)) is not None:
        return found, None
    share = sigmoid.forward(xp, input)
    return input * share, share


def _silu_rule(F, g, input, share, out):
    if share is None and not F.taped:
        found = compiled.silu_gradient(g, input)
        if found is not None:
            return found
    s = F.sigmoid(input) if F.taped or share is None else share
    return g * F.conj(s + (input * s if F.taped else out) * (1 - s))


silu.vjp(input=_silu_rule)


@op(accepts="f", namespace=_NN, aux=("share",), samples=unary())
def mish(xp, input, /):
    """x * tanh(softplus(x)) (Misra, 2019)."""
    if input.size >= _LEAST and (found := compiled.mish(input)) is not None:
        return found, None
    share = _mish_share(xp, wide(input))
    return (input * share).astype(input.dtype, copy=False), share


def _mish_share(xp, x):
    """tanh(log(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2); 1 from x = 20 on."""
    e = xp.exp(xp.minimum(x, x.dtype.type(20)))
    n = e * (e + 2)
    return n / (n + 2)


def _mish_rule(F, g, input, share):
    if share is None and not F.taped:
        found = compiled.mish_gradient(g, input)
        if found is not None:
            return found
    if F.taped or share is None:
        share = F.tanh(F.softplus(input))
    slope = share + input * (1 - share * share) * F.sigmoid(input)
    return g * (slope if F.taped else slope.astype(g.dtype, copy=False))


mish.vjp(input=_mish_rule)


def _softplus_samples(make):
    yield from unary()(make)
    yield Sample(make(2, 3), 2.0, 1.5)
    yield Sample(make(2, 3), 1.0, math.inf)


@op(accepts="f", namespace=_NN, samples=_softplus_samples)
def softplus(xp, input, /, beta=1.0, threshold=20.0):
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold."""
    if input.size >= _LEAST:
        found = compiled.softplus(input, beta=beta, threshold=threshold)
        if found is not None:
            return found
    scaled = input if beta == 1 else input * beta
    out = xp.log1p(xp.exp(-xp.abs(scaled))) + positive(xp, scaled)
    if beta != 1:
        out = out / beta
    above = scaled > threshold
    if xp is np and not above.any():
        return out
    return xp.where(above, input, out)


def _softplus_rule(F, g, input, beta, threshold):
    if not F.taped and g.size >= _LEAST:
        found = compiled.softplus_gradient(g, input, beta=beta, threshold=threshold)
        if found is not None:
            return found
    share = F.sigmoid(input if beta == 1 else input * beta)
    if threshold == math.inf:
        return g * share
    return F.where(input * beta > threshold, g, g * share)


softplus.vjp(input=_softplus_rule)


@op(accepts="f", namespace=_NN, samples=unary())
def logsigmoid(xp, input, /):
    """log(1 / (1 + exp(-x))), stable on both sides."""
    return negative(xp, input) - xp.log1p(xp.exp(-xp.abs(input)))


logsigmoid.vjp(input=lambda F, g, input: g * F.sigmoid(-input))


def _gelu_samples(make):
    for shape in ((), (3,), (2, 3), (0,)):
        yield Sample(make(*shape))
    yield Sample(make(4, 3) * 4)
    yield Sample(make(2, 3), approximate="tanh")


@op(accepts="f", namespace=_NN, samples=_gelu_samples, aux=("cdf",))
def gelu(xp, input, /, approximate="none"):
    """x Φ(x), Φ the normal distribution, or its tanh approximation (Hendrycks & Gimpel, 2016).

    Raises RuntimeError for an unknown `approximate`.
    """
    if approximate in _GELU and input.size >= _LEAST:
        found = _GELU[approximate][0](input)
        if found is not None:
            return found, None
    x = wide(input)
    if approximate == "none":
        cdf = normal_cdf(xp, x)
    elif approximate == "tanh":
        cdf = xp.tanh(_gelu_inner(x))
        cdf += 1
        cdf *= x.dtype.type(0.5)
    else:
        raise RuntimeError("approximate argument must be either none or tanh.")
    return (x * cdf).astype(input.dtype, copy=False), cdf


_GELU = {
    "none": (compiled.gelu, compiled.gelu_gradient),
    "tanh": (compiled.gelu_tanh, compiled.gelu_tanh_gradient),
}
_TANH = math.sqrt(2 / math.pi)


def _gelu_inner(x):
    return (x * x * (0.044715 * _TANH) + _TANH) * x


def _gelu_rule(F, g, input, cdf, approximate):
    if cdf is None and not F.taped:
        found = _GELU[approximate][1](g, input)
        if found is not None:
            return found
    if F.taped or cdf is None:
        if approximate == "none":
            cdf = F.erf(input * math.sqrt(0.5)) * 0.5 + 0.5
        else:
            cdf = F.tanh(_gelu_inner(input)) * 0.5 + 0.5
    if approximate == "none":
        density = F.exp(input * input * -0.5) * (1 / math.sqrt(2 * math.pi))
        slope = density * input + cdf
    else:
        # with c = (1 + tanh u) / 2 the derivative of c is 2 c (1 - c) u'
        inner = input * input * (6 * 0.044715 * _TANH) + 2 * _TANH
        slope = inner * input * (1 - cdf) * cdf + cdf
    return g * (slope if F.taped else slope.astype(g.dtype, copy=False))


gelu.vjp(input=_gelu_rule)


# -- piecewise linear ------------------------------------------------------------------------------


def _hardtanh_oracle(torch, input, min_val=-1.0, max_val=1.0):
    return torch.nn.functional.hardtanh(input, min_val, max_val)


@op(
    accepts="iuf",
    function=False,
    method=False,
    samples=unary(gap=0.05),
    oracle=_hardtanh_oracle,
)
def held_between(xp, input, /, min_val=-1.0, max_val=1.0):
    """x held between two numbers; the slope at both is 0.

    Raises RuntimeError for negative bounds of unsigned integers.
    """
    if input.dtype.kind == "u" and (min_val < 0 or max_val < 0):
        raise RuntimeError(
            f"hardtanh(): {input.dtype.name} cannot be held between {min_val} and {max_val}: it "
            "has no negative numbers"
        )
    return xp.clip(input, constant(input, min_val), constant(input, max_val))


held_between.vjp(
    input=lambda F, g, input, min_val, max_val: g * ((input > min_val) & (input < max_val))
)


@op(accepts="f", samples=unary(gap=0.05))
def hardshrink(xp, input, /, lambd=0.5):
    """x where |x| > lambd, else 0."""
    inside = xp.abs(input) <= lambd
    return input * ~inside


hardshrink.vjp(input=lambda F, g, input, lambd: g * (abs(input) > lambd))


@op(accepts="f", namespace=_NN, samples=unary(gap=0.05))
def softshrink(xp, input, /, lambd=0.5):
    """x moved towards 0 by lambd, and 0 where |x| ≤ lambd."""
    kind = input.dtype.type
    return input - xp.clip(input, kind(-lambd), kind(lambd))


softshrink.vjp(input=lambda F, g, input, lambd: g * (abs(input) > lambd))


def _threshold_samples(make):
    for shape in ((), (3,), (2, 3), (0,)):
        yield Sample(make(*shape, gap=0.05), 0.5, 3.0)


@op(accepts="iuf", namespace=_NN, samples=_threshold_samples)
def threshold(xp, input, /, threshold, value):
    """x where x > threshold, else `value`."""
    return xp.where(input <= threshold, constant(input, value), input)


threshold.vjp(input=lambda F, g, input, threshold: g * (input > threshold))


def _prelu_samples(make):
    yield Sample(make(2, 3, 2, gap=0.05), make(1, 3, 1))
    yield Sample(make(4, gap=0.05), make(1))


@op(
    accepts="f",
    dtype="same",
    function=False,
    method=False,
    shape=lambda input: input,
    samples=_prelu_samples,
    oracle=lambda torch, input, weight: torch.nn.functional.prelu(
        input, weight.reshape(-1) if input.is_floating_point() else weight
    ),
)
def leaky_by(xp, input, weight, /):
    """x where positive, weight · x elsewhere; the weight's shape broadcasts."""
    return positive(xp, input) + negative(xp, input) * weight


def _prelu_slope(F, g, input, weight):
    on = F.cast_bool(input > 0, input)
    return g * (on + (1 - on) * weight)


leaky_by.vjp(
    input=_prelu_slope,
    weight=lambda F, g, input, weight_shape: F.sum_to(
        g * input * F.cast_bool(input <= 0, input), weight_shape
    ),
)


@op(
    function=False,
    method=False,
    random=True,
    accepts="f",
    aux=("slopes",),
    oracle=False,
    samples=lambda make: iter([Sample(make(3, 4, gap=0.05), 0.1, 0.3, exact=False, grad=False)]),
)
def randomly_leaky(xp, input, /, lower, upper):
    """x where positive, else x times a slope between `lower` and `upper` (Xu et al., 2015)."""
    drawn = random.default_generator().uniform(input.shape, np.dtype(np.float64))
    slopes = xp.asarray((drawn * (upper - lower) + lower).astype(input.dtype))
    slopes = xp.where(input > 0, input.dtype.type(1), slopes)
    return input * slopes, slopes


randomly_leaky.vjp(input=lambda F, g, slopes: g * slopes)
