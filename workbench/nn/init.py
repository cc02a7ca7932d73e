"""Initial values, in place: `nn.init.kaiming_uniform_(layer.weight)`.

Each function writes to the tensor outside autograd and returns it. They draw from `generator`, or
from the thread's default generator.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.arrays.random import Generator, default_generator
from workbench.tensor import Tensor, mark_written

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAINS = {"relu": math.sqrt(2.0), "tanh": 5.0 / 3, "selu": 3.0 / 4}
_LINEAR = (
    "linear",
    "sigmoid",
    *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)),
)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights before `nonlinearity` keep the variance of what flows through.

    `param` is the negative slope of "leaky_relu" (0.01 unless given). Raises ValueError for
    unknown names.
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "leaky_relu":
        if param is not None and (isinstance(param, bool) or not isinstance(param, (int, float))):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return _GAINS[nonlinearity]


def _write(tensor: Tensor, values: Any) -> Tensor:
    array = tensor.array
    array[...] = values if np.isscalar(values) else namespace(array).asarray(values)
    mark_written(tensor)
    return tensor


def _source(generator: Generator | None) -> Generator:
    return generator or default_generator()


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform on [a, b)."""
    values = _source(generator).uniform(tensor.array.shape, tensor.array.dtype)
    values *= values.dtype.type(b - a)
    values += values.dtype.type(a)
    return _write(tensor, values)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Normal with the given mean and standard deviation."""
    values = _source(generator).normal(tensor.array.shape, tensor.array.dtype)
    values *= values.dtype.type(std)
    values += values.dtype.type(mean)
    return _write(tensor, values)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal, cut to [a, b] (values, not standard deviations), by rejection.

    Raises ValueError unless a < b and std > 0.
    """
    if not a < b:
        raise ValueError(f"trunc_normal_: a must be less than b, got a={a}, b={b}")
    if not std > 0:
        raise ValueError(f"trunc_normal_: std must be positive, got {std}")
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of "
            "values may be incorrect.",
            stacklevel=2,
        )
    source = _source(generator)
    low, high = (a - mean) / std, (b - mean) / std
    drawn = np.empty(tensor.array.size)
    wanted = np.arange(drawn.size)
    share = 0.5 * (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2)))
    while wanted.size:
        if share > 0.05:
            values = source.normal(wanted.shape, np.dtype(np.float64))
            kept = (values >= low) & (values <= high)
        else:  # far from the mean: propose uniformly, keep with the density's share of its peak
            values = low + (high - low) * source.uniform(wanted.shape, np.dtype(np.float64))
            nearest = min(max(0.0, low), high)
            odds = np.exp((nearest**2 - values**2) / 2)
            kept = source.uniform(wanted.shape, np.dtype(np.float64)) < odds
        drawn[wanted[kept]] = values[kept]
        wanted = wanted[~kept]
    values = np.clip(drawn * std + mean, a, b).reshape(tensor.array.shape)
    return _write(tensor, values.astype(tensor.array.dtype))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """The value `val` everywhere."""
    return _write(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """One everywhere."""
    return _write(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    """Zero everywhere."""
    return _write(tensor, 0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix, cut or padded with zeros. Raises ValueError unless 2-D."""
    if tensor.array.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _write(tensor, np.eye(*tensor.array.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution that passes its input through, as many channels as possible.

    Shape (out, in / groups, *kernel) with one to three kernel dimensions; ValueError otherwise.
    """
    shape = tensor.array.shape
    if len(shape) not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    per_group = shape[0] // groups
    values = np.zeros(shape)
    centre = tuple(side // 2 for side in shape[2:])
    for group in range(groups):
        for channel in range(min(per_group, shape[1])):
            values[(group * per_group + channel, channel, *centre)] = 1
    return _write(tensor, values)


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Inputs and outputs of one unit: shape (out, in, *kernel)."""
    shape = tensor.array.shape
    if len(shape) < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


_calculate_fan_in_and_fan_out = _fans  # torch's name; programs import it


def _fan(tensor: Tensor, mode: str) -> int:
    modes = {"fan_in": 0, "fan_out": 1}
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {list(modes)}")
    return _fans(tensor)[modes[mode.lower()]]


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform with variance gain² · 2 / (fan_in + fan_out).

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.
    """
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with variance gain² · 2 / (fan_in + fan_out)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Uniform with variance gain² / fan, the gain that of `nonlinearity` (slope `a`).

    He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015.
    """
    if tensor.array.size == 0:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Normal with variance gain² / fan, the gain that of `nonlinearity` (slope `a`)."""
    if tensor.array.size == 0:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A (semi-)orthogonal matrix times `gain`; dimensions after the first are flattened.

    Saxe, McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", 2013. Raises ValueError for fewer than two dimensions.
    """
    shape = tensor.array.shape
    if len(shape) < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.array.size == 0:
        return tensor
    rows = shape[0]
    columns = tensor.array.size // rows
    drawn = _source(generator).normal((rows, columns), np.dtype(np.float64))
    q, r = np.linalg.qr(drawn.T if rows < columns else drawn)
    q = q * np.sign(np.diagonal(r))  # makes the draw uniform over all orthogonal matrices
    values = (q.T if rows < columns else q).reshape(shape) * gain
    return _write(tensor, values.astype(tensor.array.dtype))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Normal, with the share `sparsity` of every column set to zero. ValueError unless 2-D."""
    if tensor.array.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    source = _source(generator)
    values = source.normal(tensor.array.shape, tensor.array.dtype) * tensor.array.dtype.type(std)
    rows, columns = values.shape
    for column in range(columns):
        values[source.permutation(rows)[: math.ceil(sparsity * rows)], column] = 0
    return _write(tensor, values)
