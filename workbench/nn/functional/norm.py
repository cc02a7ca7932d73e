"""Normalisation in torch's signatures."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from workbench.tensor import FUNCTIONS, Tensor, functions, mark_written

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "rms_norm",
]

_layer = functions.raw("native_layer_norm")
_rms = functions.raw("native_rms_norm")
_group = functions.raw("native_group_norm")
_batch = functions.raw("batch_norm_train")
_eval = functions.raw("batch_norm_eval")
_op = FUNCTIONS[""]
_rsqrt = _op["rsqrt"]


def _sides(name: str, given: Any) -> tuple[int, ...]:
    if isinstance(given, int):
        raise TypeError(
            f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int"
        )
    return tuple(given)


def _wide(
    call: Callable[..., Tensor], input: Tensor, parameters: tuple[Tensor | None, ...], *rest: Any
) -> Tensor:
    """`call(input, *parameters, *rest)`; half precision may have parameters in float32."""
    dtype = input.array.dtype
    if dtype.itemsize < 4 and any(
        p is not None and p.array.dtype == np.float32 for p in parameters
    ):
        singles = (None if p is None else p.float() for p in parameters)
        return call(input.float(), *singles, *rest).to(input.dtype)
    return call(input, *parameters, *rest)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / √(var + eps) · weight + bias over the last dimensions.

    Raises RuntimeError for shapes and dtypes that do not fit, NotImplementedError for integers.
    """
    if type(normalized_shape) is not tuple:
        normalized_shape = _sides("layer_norm", normalized_shape)
    if input.array.dtype.itemsize < 4:
        return _wide(_layer, input, (weight, bias), normalized_shape, eps)
    return _layer(input, weight, bias, normalized_shape, eps)


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / √(mean(x²) + eps) · weight over the last dimensions; `eps` None: the dtype's epsilon.

    Raises RuntimeError for shapes that do not fit, NotImplementedError for integers.
    """
    sides = _sides("rms_norm", normalized_shape)
    dtype = input.array.dtype
    if dtype.kind == "c":
        return _complex_rms(input, sides, weight, eps)
    if weight is not None and weight.array.dtype != dtype:
        warnings.warn(
            f"rms_norm(): the input is {input.dtype}, the weight {weight.dtype}: normalised in the "
            "input's dtype, then multiplied",
            stacklevel=2,
        )
        if weight.array.shape == sides:
            return (_rms(input, None, sides, eps) * weight).to(input.dtype)
    return _rms(input, weight, sides, eps)


def _complex_rms(
    input: Tensor, sides: tuple[int, ...], weight: Tensor | None, eps: float | None
) -> Tensor:
    shape = input.array.shape
    if not sides or shape[max(len(shape) - len(sides), 0) :] != sides:
        raise RuntimeError(
            f"rms_norm(): Given normalized_shape={list(sides)}, expected input with shape "
            f"[*, {', '.join(map(str, sides))}], but got input of size{list(shape)}"
        )
    step = float(np.finfo(input.array.dtype).eps) if eps is None else eps
    dims = tuple(range(-len(sides), 0))
    out = input * _rsqrt(_op["mean"](_op["square"](input), dims, True) + step)
    return out if weight is None else out * weight


def _check_lengths(wanted: int, **held: Tensor | None) -> None:
    for name, tensor in held.items():
        if tensor is not None and tensor.array.size != wanted:
            raise RuntimeError(f"{name} should contain {wanted} elements not {tensor.array.size}")


class _Follower:
    """What moves the running statistics towards a batch's mean and biased variance."""

    __slots__ = ("held", "momentum")

    def __init__(self, mean: Tensor, variance: Tensor, momentum: float) -> None:
        self.held = (mean, variance)
        self.momentum = momentum

    def __call__(self, mean: Any, variance: Any, count: int) -> None:
        """Move them."""
        unbiased = variance * variance.dtype.type(count / max(count - 1, 1))
        for held, now in zip(self.held, (mean, unbiased), strict=True):
            array = held.array
            now = now.astype(array.dtype, copy=False)
            array += (now - array) * array.dtype.type(self.momentum)
        self.moved()

    def targets(self) -> tuple[Any, Any, float] | None:
        """The arrays, for a kernel that moves them itself, and how far; None where it cannot."""
        mean, variance = (held.array for held in self.held)
        for array in (mean, variance):
            if type(array) is not np.ndarray or not array.flags.c_contiguous:
                return None
        return mean, variance, self.momentum

    def moved(self) -> None:
        """Note that they were."""
        for held in self.held:
            mark_written(held)


def _follower(
    running_mean: Tensor | None, running_var: Tensor | None, momentum: float
) -> _Follower | None:
    if running_mean is None or running_var is None:
        return None
    return _Follower(running_mean, running_var, momentum)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of (N, C, *), by the batch (`training`) or the running statistics.

    Training updates the running statistics in place: new = (1 - momentum) · old + momentum · now,
    with the unbiased variance. Raises ValueError for one value per channel while training, for
    an eps that is not positive and for one of the statistics alone; RuntimeError for statistics
    that are missing or of the wrong length; NotImplementedError for integers.
    """
    shape = input.array.shape
    if training:
        if math.prod(shape) == math.prod(shape[1:2]):
            raise ValueError(
                "Expected more than 1 value per channel when training, got input size "
                f"{input.shape}"
            )
        if eps <= 0:
            raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    elif eps < 0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    elif running_mean is None or running_var is None:
        raise RuntimeError(
            "batch_norm(): running_mean and running_var must be defined in evaluation mode"
        )
    if len(shape) < 2:
        raise RuntimeError(f"batch_norm(): expected (N, C, *), got input of size {list(shape)}")
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    _check_lengths(
        shape[1], running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    if training:
        follow = _follower(running_mean, running_var, momentum)
        return _wide(_batch, input, (weight, bias), eps, follow)
    return _wide(_eval, input, (running_mean, running_var, weight, bias), eps)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each sample of (N, C, *) over groups of C / num_groups channels.

    Raises RuntimeError unless C is divisible by num_groups and weight and bias are (C), ValueError
    for one value per group.
    """
    shape = input.array.shape
    if len(shape) < 2:
        raise RuntimeError(
            f"group_norm(): Expected at least 2 dimensions for input tensor but received "
            f"{len(shape)}"
        )
    if shape[0] * shape[1] // num_groups * math.prod(shape[2:]) == 1:
        raise ValueError(
            "Expected more than 1 value per channel when training, got input size "
            f"{list(shape)} in {num_groups} groups"
        )
    if shape[1] % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(shape)} and num_groups={num_groups}"
        )
    for name, held in (("weight", weight), ("bias", bias)):
        if held is not None and held.array.shape != (shape[1],):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in "
                f"input, but got {name} of shape {list(held.array.shape)} and input of shape "
                f"{list(shape)}"
            )
    return _wide(_group, input, (weight, bias), num_groups, eps)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of each sample of (N, C, *) on its own.

    Running statistics follow the mean over the batch of the samples' own; with
    `use_input_stats=False` they normalise. Ulyanov, Vedaldi and Lempitsky, "Instance
    normalization", 2016. Raises ValueError for one value per channel and for one of the statistics
    alone, RuntimeError for statistics that are missing or of the wrong length.
    """
    shape = input.array.shape
    if use_input_stats and math.prod(shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.shape}"
        )
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "Expected running_mean and running_var to be defined when use_input_stats is false"
            )
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if len(shape) < 2:
        raise RuntimeError(f"instance_norm(): expected (N, C, *), got input of size {list(shape)}")
    n, channels = shape[:2]
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    _check_lengths(
        channels, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    if running_mean is None or not n:
        return group_norm(input, channels, weight, bias, eps)
    follow = _follower(running_mean, running_var, momentum)
    assert follow is not None

    def average(mean: Any, variance: Any, count: int) -> None:
        follow(mean.reshape(n, -1).mean(axis=0), variance.reshape(n, -1).mean(axis=0), count)

    each = (None if p is None else p.repeat(n) for p in (weight, bias))
    flat = input.reshape(1, n * channels, *shape[2:])
    return _wide(_batch, flat, tuple(each), eps, average).reshape(shape)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x / (k + alpha · mean of x² over `size` neighbouring channels)^beta for (N, C, *).

    Krizhevsky, Sutskever and Hinton, 2012. Channels beyond the ends count as 0. Raises ValueError
    for fewer than three dimensions, RuntimeError unless size is positive.
    """
    array = input.array
    if array.ndim < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality input (got {array.ndim} dimensions)"
        )
    if array.size == 0:
        return input
    if size < 1:
        raise RuntimeError(f"local_response_norm(): size should be greater than zero, got {size}")
    before, after = size // 2, (size - 1) // 2
    # each window's sum is a difference of two running sums' worth of slices: few channels, so add
    squares = FUNCTIONS["nn.functional"]["pad"](
        _op["square"](input).reshape(*array.shape[:2], -1), (0, 0, before, after)
    )
    total = squares.narrow(1, 0, array.shape[1])
    for start in range(1, size):
        total = total + squares.narrow(1, start, array.shape[1])
    mean = total / size if array.dtype.kind in "fV" else total // size
    return input / (mean.reshape(array.shape) * alpha + k) ** beta


def normalize(
    input: Tensor,
    p: float = 2.0,
    dim: Any = 1,
    eps: float = 1e-12,
    out: Tensor | None = None,
) -> Tensor:
    """x / max(‖x‖p, eps) along `dim` (one dimension or several), into `out` if given.

    Raises RuntimeError for integers.
    """
    length = FUNCTIONS["linalg"]["vector_norm"](input, p, dim, True)
    made = input / _op["clamp"](length, eps)
    return made if out is None else out.copy_(made)
