"""Activation functions composed of ops, with torch's gradients at the kinks."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.arrays.random import Generator, default_generator
from workbench.tensor import FUNCTIONS, Tensor, wrap

from .inplace import finish

__all__ = [
    "celu",
    "elu",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "silu",
    "softmax",
    "softmin",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
]

_ALPHA = 1.6732632423543772848170429916717  # with these two, mean 0 and variance 1 are a fixed
_SCALE = 1.0507009873554804934193349852946  # point of SELU (Klambauer et al., 2017)

_op, _nn = FUNCTIONS[""], FUNCTIONS["nn.functional"]
_relu, _where, _tanh, _sigmoid = _op["relu"], _op["where"], _op["tanh"], _op["sigmoid"]
_elu, _silu, _leaky, _softplus = _nn["elu"], _nn["silu"], _nn["leaky_relu"], _nn["softplus"]
_softmax, _log_softmax = _op["softmax"], _op["log_softmax"]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0); the slope at 0 is 0."""
    return input.relu_() if inplace else _relu(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x · sigmoid(x)."""
    return finish(inplace, _silu, input)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else alpha · (exp(x) - 1)."""
    return finish(inplace, _elu, input, alpha)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, else negative_slope · x."""
    return finish(inplace, _leaky, input, negative_slope)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """scale · (max(0, x) + min(0, α (exp(x) - 1)))."""
    return finish(inplace, lambda x: _elu(x, _ALPHA) * _SCALE, input)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(0, x) + min(0, alpha · (exp(x / alpha) - 1)). Raises RuntimeError for alpha 0."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return finish(inplace, lambda x: _where(x > 0, x, _elu(x / alpha) * alpha), input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · tanh(softplus(x))."""
    return finish(inplace, lambda x: x * _tanh(_softplus(x)), input)


def _held(x: Tensor, low: float, high: float) -> Tensor:
    return _where(x <= low, low, _where(x >= high, high, x))


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x held between `min_val` and `max_val`; the slope at the bounds is 0.

    Raises ValueError when min_val > max_val.
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return finish(inplace, _held, input, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """x held between 0 and 6."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """(x + 3) / 6 held between 0 and 1."""
    return finish(inplace, lambda x: _held(x + 3, 0.0, 6.0) / 6, input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · hardsigmoid(x)."""
    return finish(inplace, lambda x: x * _held(x + 3, 0.0, 6.0) / 6, input)


def logsigmoid(input: Tensor) -> Tensor:
    """log(1 / (1 + exp(-x))), stable on both sides."""
    return _op["minimum"](input, 0) - _op["log1p"](_op["exp"](-_op["abs"](input)))


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (_op["abs"](input) + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - _tanh(input)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| > lambd, else 0."""
    return _where(_op["abs"](input) <= lambd, 0.0, input)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd, and 0 where |x| ≤ lambd. Raises RuntimeError for lambd < 0."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return _where(input > lambd, input - lambd, _where(input < -lambd, input + lambd, input * 0))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else `value`."""
    return finish(inplace, lambda x: _where(x <= threshold, value, x), input)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where positive, else weight · x; one slope, or one per channel (dimension 1).

    Raises RuntimeError when the number of slopes does not fit.
    """
    slopes, ndim = weight.array.size, input.array.ndim
    if slopes != 1:
        channels = input.array.shape[1] if ndim > 1 else 1
        if channels != slopes:
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{slopes} and channel size = {channels}."
            )
        weight = weight.reshape((1, -1) + (1,) * (ndim - 2))
    return _where(input > 0, input, weight * input)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a · sigmoid(b), a and b the halves of the input along `dim`.

    Raises RuntimeError when that dimension is odd.
    """
    size = input.size(dim)
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {size}")
    a, b = input.split(size // 2, dim)
    return a * _sigmoid(b)


def _dim(dim: int | None, input: Tensor) -> int:
    if dim is not None:
        return dim
    return 0 if input.array.ndim in (0, 1, 3) else 1  # torch's choice when none is named


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """exp(x) / Σ exp(x) along `dim`."""
    return _softmax(input, _dim(dim, input), dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """softmax(-x) along `dim`."""
    return _softmax(-input, _dim(dim, input), dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """log(softmax(x)) along `dim`, without overflow."""
    return _log_softmax(input, _dim(dim, input), dtype)


def gumbel_softmax(
    logits: Tensor,
    tau: float = 1,
    hard: bool = False,
    eps: float = 1e-10,
    dim: int = -1,
    generator: Generator | None = None,
) -> Tensor:
    """A sample that is nearly one-hot; exactly so with `hard`, keeping the soft one's gradient.

    Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax", 2016.
    """
    array = logits.array
    drawn = (generator or default_generator()).uniform(array.shape, np.dtype(np.float64))
    tiny = np.finfo(np.float64).tiny
    noise = -np.log(-np.log(np.clip(drawn, tiny, 1 - 2.0**-53)))
    noise = namespace(array).asarray(noise.astype(array.dtype))
    soft = _softmax((logits + wrap(noise)) / tau, dim)
    if not hard:
        return soft
    best = soft.array.argmax(axis=dim)
    xp = namespace(array)
    one = xp.moveaxis(xp.eye(array.shape[dim], dtype=array.dtype)[best], -1, dim)
    return wrap(one) - soft.detach() + soft
