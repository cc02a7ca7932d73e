"""Normalisation of each sample's channels, and of neighbouring channels."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from workbench.tensor import Tensor

from . import functional as F
from .check import real, whole
from .module import Module
from .norm import _BatchNorm, _LazyBatchNorm

__all__ = [
    "CrossMapLRN2d",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LocalResponseNorm",
]


class _InstanceNorm(_BatchNorm):
    """Normalise each channel of each sample: (x - mean) / √(var + eps) (· weight + bias).

    With `track_running_stats`, training moves running statistics towards the samples', which
    evaluation uses. Ulyanov, Vedaldi and Lempitsky, "Instance normalization", 2016.
    """

    unbatched: ClassVar[int]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def forward(self, input: Tensor) -> Tensor:
        """(N, num_features, …) or (num_features, …) → the same shape."""
        self._check_input_dim(input)
        shape = input.array.shape
        single = len(shape) == self.unbatched
        channels = shape[0 if single else 1]
        if channels != self.num_features:
            if self.affine:
                raise ValueError(
                    f"expected input's size at dim={0 if single else 1} to match num_features "
                    f"({self.num_features}), but got: {channels}."
                )
            warnings.warn(
                f"input's size at dim={0 if single else 1} does not match num_features. You can "
                "silence this warning by not passing in num_features, which is not used because "
                "affine=False",
                stacklevel=3,
            )
        x = input.unsqueeze(0) if single else input
        own = self.training or not self.track_running_stats
        out = F.instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, own,
            0.0 if self.momentum is None else self.momentum, self.eps,
        )  # fmt: skip
        return out.squeeze(0) if single else out


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (N, C, L) or (C, L)."""

    allowed = (2, 3)
    unbatched = 2


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of (N, C, H, W) or (C, H, W)."""

    allowed = (3, 4)
    unbatched = 3


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of (N, C, D, H, W) or (C, D, H, W)."""

    allowed = (4, 5)
    unbatched = 4


for _layer in (InstanceNorm1d, InstanceNorm2d, InstanceNorm3d):
    _layer.__doc__ = f"{_layer.__doc__}\n\n{_InstanceNorm.__doc__}"


class _LazyInstanceNorm(_LazyBatchNorm):
    def _channels_at(self, input: Tensor) -> int:
        return 0 if input.array.ndim == self.unbatched else 1  # type: ignore[attr-defined]


class LazyInstanceNorm1d(_LazyInstanceNorm, InstanceNorm1d):
    """An `InstanceNorm1d` that takes `num_features` from its first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyInstanceNorm, InstanceNorm2d):
    """An `InstanceNorm2d` that takes `num_features` from its first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyInstanceNorm, InstanceNorm3d):
    """An `InstanceNorm3d` that takes `num_features` from its first input."""

    cls_to_become = InstanceNorm3d


class LocalResponseNorm(Module):
    """x / (k + alpha · mean of x² over `size` neighbouring channels)^beta.

    Krizhevsky, Sutskever and Hinton, "ImageNet classification", 2012.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        name = type(self).__name__
        self.size = whole(name, "size", size)
        self.alpha = real(name, "alpha", alpha)
        self.beta = real(name, "beta", beta)
        self.k = real(name, "k", k)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, *) → the same shape."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """`LocalResponseNorm` of (N, C, H, W), by its old name."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)
