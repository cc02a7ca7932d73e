"""Activation functions in torch's signatures."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.arrays.random import Generator, default_generator
from workbench.tensor import FUNCTIONS, Tensor, functions, wrap

from .inplace import finish

__all__ = [
    "celu",
    "celu_",
    "elu",
    "elu_",
    "glu",
    "gumbel_softmax",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "log_softmax",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rrelu",
    "rrelu_",
    "selu",
    "selu_",
    "silu",
    "softmax",
    "softmin",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
    "threshold_",
]

_ALPHA = 1.6732632423543772848170429916717  # with these two, mean 0 and variance 1 are a fixed
_SCALE = 1.0507009873554804934193349852946  # point of SELU (Klambauer et al., 2017)

_op, _nn, _raw = FUNCTIONS[""], FUNCTIONS["nn.functional"], functions.raw
_relu, _tanh, _sigmoid, hardshrink = _op["relu"], _op["tanh"], _op["sigmoid"], _op["hardshrink"]
_silu, _mish, _leaky = _nn["silu"], _nn["mish"], _nn["leaky_relu"]
_elu, _held, _threshold = _raw("elu"), _raw("held_between"), _nn["threshold"]
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
    return finish(inplace, _elu, input, _ALPHA, _SCALE)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(0, x) + min(0, alpha · (exp(x / alpha) - 1)). Raises RuntimeError for alpha 0."""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return finish(inplace, _elu, input, alpha, 1.0, 1 / alpha)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · tanh(softplus(x))."""
    return finish(inplace, _mish, input)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x held between `min_val` and `max_val`; the slope at the bounds is 0.

    Raises ValueError when min_val > max_val.
    """
    if min_val > max_val:
        raise ValueError(f"min_val cannot be greater than max_val: {min_val} > {max_val}")
    return finish(inplace, _held, input, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """x held between 0 and 6."""
    return hardtanh(input, 0.0, 6.0, inplace)


def _sixth(x: Tensor) -> Tensor:
    if x.array.dtype.kind not in "fV":
        raise NotImplementedError(f"\"hardsigmoid\" not implemented for '{x.dtype}'")
    return _held(x + 3, 0.0, 6.0) / 6


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """(x + 3) / 6 held between 0 and 1."""
    return finish(inplace, _sixth, input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x · hardsigmoid(x)."""
    return finish(inplace, lambda x: x * _sixth(x), input)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (_op["abs"](input) + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    return input - _tanh(input)


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by lambd, and 0 where |x| ≤ lambd. Raises RuntimeError for lambd < 0."""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}.")
    return _nn["softshrink"](input, lambd)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else `value`."""
    return finish(inplace, _threshold, input, threshold, value)


_leaky_by = _raw("leaky_by")


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where positive, else weight · x; one slope, or one per channel (dimension 1).

    Raises RuntimeError when the number of slopes does not fit, or the dtypes differ.
    """
    slopes, ndim = weight.array.size, input.array.ndim
    if weight.array.ndim > 1:
        raise RuntimeError(
            "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = "
            f"{weight.array.ndim}"
        )
    if slopes != 1:
        if not ndim:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.array.shape[1] if ndim > 1 else 1
        if channels != slopes:
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{slopes} and channel size = {channels}."
            )
        return _leaky_by(input, weight.reshape((1, -1) + (1,) * (ndim - 2)))
    return _leaky_by(input, weight.reshape((1,) * ndim))


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """x where positive, else a slope drawn between `lower` and `upper` (or their mean), times x.

    Xu et al., "Empirical evaluation of rectified activations", 2015. Raises RuntimeError when
    lower > upper.
    """
    if not lower <= upper:
        raise RuntimeError(
            f"rrelu(): lower bound should be at most the upper bound: {lower} > {upper}"
        )
    if training:
        return finish(inplace, _raw("randomly_leaky"), input, lower, upper)
    return finish(inplace, _leaky, input, (lower + upper) / 2)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a · sigmoid(b), a and b the halves of the input along `dim`.

    Raises RuntimeError when that dimension is odd, or there is none.
    """
    if not input.array.ndim:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    if input.array.dtype.kind not in "fVc":
        raise NotImplementedError(f"\"glu\" not implemented for '{input.dtype}'")
    size = input.size(dim)
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {size}")
    a, b = input.split(size // 2, dim) if size else (input, input)
    return a * _sigmoid(b)


def implicit_dim(name: str, dim: int | None, input: Tensor, level: int = 3) -> int:
    """`dim`, or with a warning torch's choice where none is named: 0 or 1."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=level,
    )
    return 0 if input.array.ndim in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """exp(x) / Σ exp(x) along `dim`. Leaving `dim` out is deprecated, and warns."""
    return _softmax(input, implicit_dim("softmax", dim, input, _stacklevel), dtype)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """softmax(-x) along `dim`. Leaving `dim` out is deprecated, and warns."""
    return _softmax(-input, implicit_dim("softmin", dim, input, _stacklevel), dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None
) -> Tensor:
    """log(softmax(x)) along `dim`, without overflow. Leaving `dim` out is deprecated, and warns."""
    return _log_softmax(input, implicit_dim("log_softmax", dim, input, _stacklevel), dtype)


def gumbel_softmax(
    logits: Tensor,
    tau: float = 1,
    hard: bool = False,
    eps: float = 1e-10,
    dim: int = -1,
    generator: Generator | None = None,
) -> Tensor:
    """A sample that is nearly one-hot; exactly so with `hard`, keeping the soft one's gradient.

    Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax", 2016. `eps` does
    nothing; giving it warns.
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    array = logits.array
    if array.dtype.kind not in "fV":
        raise RuntimeError(f"gumbel_softmax(): logits must be floats, got {logits.dtype}")
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


# -- in place --------------------------------------------------------------------------------------


def _in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    name = f"{function.__name__}_"

    def written(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return function(input, *args, **kwargs, inplace=True)

    written.__name__ = written.__qualname__ = name
    written.__doc__ = f"`{function.__name__}`, written over its input."
    return written


celu_, elu_, hardtanh_, leaky_relu_ = map(_in_place, (celu, elu, hardtanh, leaky_relu))
relu_, rrelu_, selu_, threshold_ = map(_in_place, (relu, rrelu, selu, threshold))
