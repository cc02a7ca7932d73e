"""Dropout: values or whole channels zeroed by chance."""

from __future__ import annotations

import math
import warnings

from workbench.arrays import namespace
from workbench.tensor import Tensor, functions, wrap

from .inplace import finish

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
]

_dropout = functions.raw("native_dropout")
_FLOOR = -1.7580993408473766  # -scale · alpha of SELU, its lower limit


def _probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero each value with probability `p`, multiply the others by 1 / (1 - p).

    Raises ValueError unless 0 ≤ p ≤ 1, NotImplementedError for integers.
    """
    _probability(p)
    if not training or p == 0:
        return input
    return finish(inplace, _dropout, input, p)


def _mask(shape: tuple[int, ...], batched: bool = True) -> tuple[int, ...]:
    """The shape of a mask over whole channels. Raises RuntimeError where there are none."""
    if len(shape) < 1 + batched:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    kept = 2 if batched else 1
    return shape[:kept] + (1,) * (len(shape) - kept)


def feature_dropout(
    input: Tensor, p: float, training: bool, inplace: bool = False, batched: bool = True
) -> Tensor:
    """Zero whole channels of (N, C, *), or of (C, *), with probability `p`."""
    broadcast = _mask(input.array.shape, batched)
    if not training or p == 0:
        return input
    return finish(inplace, _dropout, input, p, broadcast)


def _unusual(name: str, ndim: int, dims: int) -> None:
    warnings.warn(
        f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an "
        f"error in a future release. {name} drops the channels of inputs with {dims} spatial "
        "dimensions, a channel dimension and an optional batch dimension; otherwise use dropout.",
        stacklevel=3,
    )


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, L) or (C, L) with probability `p`.

    Raises ValueError unless 0 ≤ p ≤ 1, RuntimeError for other shapes.
    """
    _probability(p)
    ndim = input.array.ndim
    if ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {ndim}D input: (N, C, L) or (C, L)"
        )
    return feature_dropout(input, p, training, inplace, ndim == 3)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, H, W) with probability `p`.

    (N, C, L) is taken likewise, with a warning, as in torch. Raises ValueError unless 0 ≤ p ≤ 1,
    RuntimeError for fewer than two dimensions.
    """
    _probability(p)
    ndim = input.array.ndim
    if ndim not in (3, 4):
        _unusual("dropout2d", ndim, 2)
    if ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout "
            "behavior is desired: input is interpreted as (N, C, L). Use dropout1d to keep that.",
            stacklevel=2,
        )
    return feature_dropout(input, p, training, inplace)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Zero whole channels of (N, C, D, H, W) or (C, D, H, W) with probability `p`.

    Raises ValueError unless 0 ≤ p ≤ 1; warns for other shapes.
    """
    _probability(p)
    ndim = input.array.ndim
    if ndim not in (4, 5):
        _unusual("dropout3d", ndim, 3)
    return feature_dropout(input, p, training, inplace, ndim == 5)


def _to_floor(input: Tensor, p: float, inplace: bool, broadcast: tuple[int, ...]) -> Tensor:
    """Values dropped to SELU's lower limit; mean and variance restored by a line."""
    if p == 1:
        return finish(inplace, lambda x: x * 0, input)
    a = 1 / math.sqrt((1 - p) * (1 + p * _FLOOR**2))

    def drop(x: Tensor) -> Tensor:
        array = x.array
        ones = wrap(namespace(array).ones(broadcast, array.dtype))
        keep = _dropout(ones, p) * (1 - p)
        return (x * keep + (1 - keep) * _FLOOR) * a + (-a * p * _FLOOR)

    return finish(inplace, drop, input)


def _floats(name: str, input: Tensor) -> None:
    if input.array.dtype.kind not in "fVc":
        raise RuntimeError(f"{name}(): result type Float can't be cast to {input.dtype}")


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout to SELU's lower limit instead of zero, keeping mean 0 and variance 1.

    Raises ValueError unless 0 ≤ p ≤ 1, RuntimeError for integers.
    """
    _probability(p)
    if not training or p == 0:
        return input
    _floats("alpha_dropout", input)
    return _to_floor(input, p, inplace, input.array.shape)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels of (N, C, *).

    Raises ValueError unless 0 ≤ p ≤ 1, RuntimeError for integers and fewer than two dimensions.
    """
    _probability(p)
    broadcast = _mask(input.array.shape)
    if not training or p == 0:
        return input
    _floats("feature_alpha_dropout", input)
    return _to_floor(input, p, inplace, broadcast)
