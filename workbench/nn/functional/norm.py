"""Normalisation in torch's signatures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from workbench.arrays.dtypes import dtype_of
from workbench.tensor import FUNCTIONS, Tensor, functions, mark_written

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "normalize", "rms_norm"]

_layer = functions.raw("native_layer_norm")
_batch = functions.raw("batch_norm_train")
_op = FUNCTIONS[""]


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / √(var + eps) · weight + bias over the last dimensions."""
    return _layer(input, weight, bias, tuple(normalized_shape), eps)


def _per_channel(tensor: Tensor, ndim: int) -> Tensor:
    return tensor.reshape((1, -1) + (1,) * (ndim - 2))


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
    with the unbiased variance. Raises ValueError for one value per channel while training,
    RuntimeError for statistics that are missing or of the wrong length.
    """
    shape = input.array.shape
    if len(shape) < 2:
        raise RuntimeError(f"batch_norm(): expected (N, C, *), got input of size {list(shape)}")
    for name, held in (
        ("running_mean", running_mean), ("running_var", running_var), ("weight", weight),
        ("bias", bias),
    ):  # fmt: skip
        if held is not None and held.array.size != shape[1]:
            raise RuntimeError(f"{name} should contain {shape[1]} elements not {held.array.size}")
    if training:
        if math.prod(shape) == shape[1]:
            raise ValueError(
                "Expected more than 1 value per channel when training, got input size "
                f"{list(shape)}"
            )
        if running_mean is None and running_var is None:
            return _batch(input, weight, bias, eps)

        def follow(mean: Any, variance: Any, count: int) -> None:
            unbiased = variance * (count / (count - 1))
            for held, now in ((running_mean, mean), (running_var, unbiased)):
                if held is not None:
                    array = held.array
                    array *= 1 - momentum
                    array += (momentum * now).astype(array.dtype, copy=False)
                    mark_written(held)

        return _batch(input, weight, bias, eps, follow)
    if running_mean is None or running_var is None:
        raise RuntimeError(
            "batch_norm(): Expected running_mean and running_var to be defined when training=False"
        )
    scale = _op["rsqrt"](running_var + eps)
    if weight is not None:
        scale = scale * weight
    shift = -running_mean * scale
    if bias is not None:
        shift = shift + bias
    return input * _per_channel(scale, len(shape)) + _per_channel(shift, len(shape))


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each sample of (N, C, *) over groups of C / num_groups channels.

    Raises RuntimeError unless C is divisible by num_groups.
    """
    shape = input.array.shape
    if len(shape) < 2:
        raise RuntimeError(f"group_norm(): expected (N, C, *), got input of size {list(shape)}")
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
    inside = math.prod(shape[1:]) // num_groups
    out = _layer(input.reshape(shape[0], num_groups, inside), None, None, (inside,), eps)
    out = out.reshape(shape)
    if weight is not None:
        out = out * _per_channel(weight, len(shape))
    if bias is not None:
        out = out + _per_channel(bias, len(shape))
    return out


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

    Raises NotImplementedError for running statistics.
    """
    if running_mean is not None or running_var is not None or not use_input_stats:
        raise NotImplementedError("instance_norm() follows no running statistics")
    return group_norm(input, input.array.shape[1], weight, bias, eps)


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / √(mean(x²) + eps) · weight over the last dimensions; `eps` None: the dtype's epsilon."""
    sides = tuple(normalized_shape)
    shape = input.array.shape
    if not sides or shape[len(shape) - len(sides) :] != sides:
        raise RuntimeError(
            f"Given normalized_shape={list(sides)}, expected input with shape "
            f"[*, {', '.join(map(str, sides))}], but got input of size{list(shape)}"
        )
    if eps is None:
        import ml_dtypes

        eps = float(ml_dtypes.finfo(dtype_of(input.array).numpy).eps)
    dims = tuple(range(-len(sides), 0))
    out = input * _op["rsqrt"](_op["mean"](_op["square"](input), dims, True) + eps)
    return out if weight is None else out * weight


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖p, eps) along `dim`."""
    length = _op["norm"](input, p, dim, True)
    return input / _op["clamp"](length, eps)
