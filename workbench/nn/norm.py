"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from workbench.arrays import device_namespace
from workbench.tensor import Tensor, mark_written, wrap

from . import functional as F
from . import init
from .check import not_negative, real, whole
from .lazy import LazyMixin
from .module import Module
from .parameter import Parameter, UninitializedBuffer, UninitializedParameter, empty

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "GroupNorm",
    "LayerNorm",
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "RMSNorm",
    "SyncBatchNorm",
]


class _BatchNorm(Module):
    """Normalise each channel over the batch: (x - mean) / √(var + eps) · weight + bias.

    While training, `running_mean` and `running_var` follow the batch's with weight `momentum`
    (None: a plain average over all batches); evaluation uses them. Ioffe and Szegedy, "Batch
    normalization", 2015.
    """

    allowed: ClassVar[tuple[int, ...]]
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        lazy = isinstance(self, LazyMixin)
        self.num_features = 0 if lazy else whole(name, "num_features", num_features)
        self.eps = not_negative(name, "eps", eps)
        self.momentum = momentum if momentum is None else real(name, "momentum", momentum)
        self.affine = affine
        self.track_running_stats = track_running_stats
        shape = (self.num_features,)

        def parameter() -> Parameter:
            if lazy:
                return UninitializedParameter(device=device, dtype=dtype)
            return Parameter(empty(shape, device, dtype))

        def buffer() -> Tensor:
            if lazy:
                return UninitializedBuffer(device=device, dtype=dtype)
            return empty(shape, device, dtype)

        self.register_parameter("weight", parameter() if affine else None)
        self.register_parameter("bias", parameter() if affine and bias else None)
        if track_running_stats:
            self.register_buffer("running_mean", buffer())
            self.register_buffer("running_var", buffer())
            xp = device_namespace(device)
            self.register_buffer("num_batches_tracked", wrap(xp.zeros((), np.int64)))
        else:
            for held in ("running_mean", "running_var", "num_batches_tracked"):
                self.register_buffer(held, None)
        if not lazy:
            self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the batches seen: mean 0, variance 1."""
        if self.track_running_stats:
            assert self.running_mean is not None
            assert self.running_var is not None
            init.zeros_(self.running_mean)
            init.ones_(self.running_var)
            init.zeros_(self.num_batches_tracked)  # type: ignore[arg-type]

    def reset_parameters(self) -> None:
        """Forget the batches seen; weight 1, bias 0."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.array.ndim not in self.allowed:
            wanted = " or ".join(f"{n}D" for n in self.allowed)
            raise ValueError(f"expected {wanted} input (got {input.array.ndim}D input)")

    def forward(self, input: Tensor) -> Tensor:
        """(N, num_features, …) → the same shape."""
        self._check_input_dim(input)
        mean, variance, share = self.running_mean, self.running_var, self.momentum
        if self.training and mean is not None:
            count = self.num_batches_tracked
            assert count is not None
            count.array += 1
            mark_written(count)
            if share is None:
                share = 1.0 / float(count.array)
        by_batch = self.training or mean is None
        if not self.training and not self.track_running_stats:
            mean = variance = None
        return F.batch_norm(
            input, mean, variance, self.weight, self.bias, by_batch,
            0.0 if share is None else share, self.eps,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L)."""

    allowed = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W)."""

    allowed = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (N, C, D, H, W)."""

    allowed = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation of (N, C, *) over all processes; here there is one.

    Raises RuntimeError where `process_group` names one.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        if process_group is not None:
            raise RuntimeError(
                "SyncBatchNorm: there are no process groups; leave process_group out"
            )
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = None

    def _check_input_dim(self, input: Tensor) -> None:
        if input.array.ndim < 2:
            raise ValueError(f"expected at least 2D input (got {input.array.ndim}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with every batch normalisation in it replaced by this class's."""
        made = module
        if isinstance(module, _BatchNorm) and type(module).__name__.startswith("BatchNorm"):
            made = cls(
                module.num_features, module.eps, module.momentum, module.affine,
                module.track_running_stats, process_group, bias=module.bias is not None,
            )  # fmt: skip
            for name, held in (*module._parameters.items(), *module._buffers.items()):
                if held is not None:
                    setattr(made, name, held)
            made.train(module.training)
        for name, child in list(module.named_children()):
            setattr(made, name, cls.convert_sync_batchnorm(child, process_group))
        return made


for _layer in (BatchNorm1d, BatchNorm2d, BatchNorm3d):
    _layer.__doc__ = f"{_layer.__doc__}\n\n{_BatchNorm.__doc__}"


class _LazyBatchNorm(LazyMixin, _BatchNorm):
    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        _BatchNorm.__init__(
            self, 0, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.num_features:
            _BatchNorm.reset_parameters(self)

    def _channels_at(self, input: Tensor) -> int:
        return 1

    def initialize_parameters(self, input: Tensor) -> None:
        """Take `num_features` from an input of shape (N, C, …)."""
        if not self.has_uninitialized_params():
            if self.weight is not None:
                self.num_features = self.weight.array.shape[0]
            elif self.running_mean is not None:
                self.num_features = self.running_mean.array.shape[0]
            else:
                self.num_features = input.array.shape[self._channels_at(input)]
            return
        self._check_input_dim(input)
        self.num_features = input.array.shape[self._channels_at(input)]
        for held in (self.weight, self.bias, self.running_mean, self.running_var):
            if held is not None:
                held.materialize((self.num_features,))  # type: ignore[attr-defined]
        self.reset_parameters()


class LazyBatchNorm1d(_LazyBatchNorm, BatchNorm1d):
    """A `BatchNorm1d` that takes `num_features` from its first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyBatchNorm, BatchNorm2d):
    """A `BatchNorm2d` that takes `num_features` from its first input."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyBatchNorm, BatchNorm3d):
    """A `BatchNorm3d` that takes `num_features` from its first input."""

    cls_to_become = BatchNorm3d


def _shape(layer: str, value: Any) -> tuple[int, ...]:
    sides = value if isinstance(value, Sequence) else (value,)
    if not sides:
        raise ValueError(f"{layer}: normalized_shape must name at least one dimension")
    return tuple(whole(layer, "normalized_shape", side) for side in sides)


class LayerNorm(Module):
    """Normalise each sample over its last dimensions, whose sizes are `normalized_shape`.

    (x - mean) / √(var + eps) · weight + bias. Ba, Kiros and Hinton, "Layer normalization", 2016.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("LayerNorm", normalized_shape)
        self.eps = not_negative("LayerNorm", "eps", eps)
        self.elementwise_affine = elementwise_affine
        for name, wanted in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            held = Parameter(empty(self.normalized_shape, device, dtype)) if wanted else None
            self.register_parameter(name, held)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """(*, *normalized_shape) → the same shape."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Divide each sample by the root of its mean square over the last dimensions.

    x / √(mean(x²) + eps) · weight; `eps` None is the dtype's smallest step. Zhang and Sennrich,
    "Root mean square layer normalization", 2019.
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape("RMSNorm", normalized_shape)
        self.eps = eps if eps is None else not_negative("RMSNorm", "eps", eps)
        self.elementwise_affine = elementwise_affine
        held = (
            Parameter(empty(self.normalized_shape, device, dtype)) if elementwise_affine else None
        )
        self.register_parameter("weight", held)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """(*, *normalized_shape) → the same shape."""
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """Normalise each sample over groups of its channels: (N, C, *) in `num_groups` groups.

    Wu and He, "Group normalization", 2018. Raises ValueError unless num_channels is divisible by
    num_groups.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_groups = whole("GroupNorm", "num_groups", num_groups)
        self.num_channels = whole("GroupNorm", "num_channels", num_channels)
        if self.num_channels % self.num_groups:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.eps = not_negative("GroupNorm", "eps", eps)
        self.affine = affine
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            held = Parameter(empty((self.num_channels,), device, dtype)) if wanted else None
            self.register_parameter(name, held)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """(N, num_channels, *) → the same shape."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )
