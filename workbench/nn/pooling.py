"""Pooling layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from workbench.tensor import Tensor

from . import functional as F
from .check import checked, real, whole
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
]


class _Window(Module):
    dims: ClassVar[int]

    def _set(self, kernel_size: Any, stride: Any, padding: Any) -> None:
        name, n = type(self).__name__, self.dims
        self.kernel_size = checked(name, "kernel_size", kernel_size, n)
        self.stride = self.kernel_size if stride is None else checked(name, "stride", stride, n)
        self.padding = checked(name, "padding", padding, n, 0)


class _MaxPool(_Window):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self._set(kernel_size, stride, padding)
        self.dilation = checked(type(self).__name__, "dilation", dilation, self.dims)
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest value in each window of (N, C, L); `stride` is `kernel_size` unless given."""

    dims = 1

    def forward(self, input: Tensor) -> Any:
        """(N, C, L) → (N, C, L'), and the indices where `return_indices`."""
        return F.max_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.dilation,
            ceil_mode=self.ceil_mode, return_indices=self.return_indices,
        )  # fmt: skip


class MaxPool2d(_MaxPool):
    """The largest value in each window of (N, C, H, W); `stride` is `kernel_size` unless given."""

    dims = 2

    def forward(self, input: Tensor) -> Any:
        """(N, C, H, W) → (N, C, H', W'), and the indices where `return_indices`."""
        return F.max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation,
            ceil_mode=self.ceil_mode, return_indices=self.return_indices,
        )  # fmt: skip


class MaxPool3d(_MaxPool):
    """The largest value in each window of (N, C, D, H, W); `stride` as `kernel_size` by default."""

    dims = 3

    def forward(self, input: Tensor) -> Any:
        """(N, C, D, H, W) → (N, C, D', H', W'), and the indices where `return_indices`."""
        return F.max_pool3d(
            input, self.kernel_size, self.stride, self.padding, self.dilation,
            ceil_mode=self.ceil_mode, return_indices=self.return_indices,
        )  # fmt: skip


class _AvgPool(_Window):
    """What the mean pools over planes and volumes share."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self._set(kernel_size, stride, padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = (
            None
            if divisor_override is None
            else whole(type(self).__name__, "divisor_override", divisor_override)
        )

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_Window):
    """The mean of each window of (N, C, L); `stride` is `kernel_size` unless given."""

    dims = 1

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self._set(kernel_size, stride, padding)
        for name in ("kernel_size", "stride", "padding"):
            held = getattr(self, name)
            setattr(self, name, held if isinstance(held, tuple) else (held,))
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) → (N, C, L')."""
        return F.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """The mean of each window of (N, C, H, W); `stride` is `kernel_size` unless given.

    `divisor_override` replaces the number of elements that the sum is divided by.
    """

    dims = 2

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H', W')."""
        return F.avg_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override,
        )  # fmt: skip


class AvgPool3d(_AvgPool):
    """The mean of each window of (N, C, D, H, W); `stride` is `kernel_size` unless given.

    `divisor_override` replaces the number of elements that the sum is divided by.
    """

    dims = 3

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, D, H, W) → (N, C, D', H', W')."""
        return F.avg_pool3d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override,
        )  # fmt: skip


class _LPPool(_Window):
    """What the power-average pools share."""

    def __init__(
        self,
        norm_type: float,
        kernel_size: Any,
        stride: Any = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.norm_type = real(name, "norm_type", norm_type)
        self.kernel_size = checked(name, "kernel_size", kernel_size, self.dims)
        self.stride = None if stride is None else checked(name, "stride", stride, self.dims)
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """(Σ xᵖ)^(1/p) over each window of (N, C, L), p = `norm_type`."""

    dims = 1

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) → (N, C, L')."""
        return F.lp_pool1d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool2d(_LPPool):
    """(Σ xᵖ)^(1/p) over each window of (N, C, H, W), p = `norm_type`."""

    dims = 2

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H', W')."""
        return F.lp_pool2d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class LPPool3d(_LPPool):
    """(Σ xᵖ)^(1/p) over each window of (N, C, D, H, W), p = `norm_type`."""

    dims = 3

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, D, H, W) → (N, C, D', H', W')."""
        return F.lp_pool3d(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class _Adaptive(Module):
    dims: ClassVar[int]

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        name = type(self).__name__
        sides = output_size if isinstance(output_size, Sequence) else (output_size,)
        if len(sides) not in (1, self.dims):
            raise ValueError(f"{name}: output_size must be an integer or {self.dims} of them")
        for side in sides:
            if side is not None:
                whole(name, "output_size", side, 0)
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveMax(_Adaptive):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__(output_size)
        self.return_indices = return_indices


class AdaptiveAvgPool1d(_Adaptive):
    """The mean over windows chosen so that the output has length `output_size`."""

    dims = 1

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, L) → (N, C, output_size)."""
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_Adaptive):
    """The mean over windows chosen so that the output has size `output_size`.

    An int, or a pair whose entries may be None: as large as the input.
    """

    dims = 2

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H', W')."""
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_Adaptive):
    """The mean over windows chosen so that the output has size `output_size`.

    An int, or three of them, each of which may be None: as large as the input.
    """

    dims = 3

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, D, H, W) → (N, C, D', H', W')."""
        return F.adaptive_avg_pool3d(input, self.output_size)


class AdaptiveMaxPool1d(_AdaptiveMax):
    """The largest value of windows chosen so that the output has length `output_size`."""

    dims = 1

    def forward(self, input: Tensor) -> Any:
        """(N, C, L) → (N, C, output_size), and the indices where `return_indices`."""
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMax):
    """The largest value of windows chosen so that the output has size `output_size`."""

    dims = 2

    def forward(self, input: Tensor) -> Any:
        """(N, C, H, W) → (N, C, H', W'), and the indices where `return_indices`."""
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptiveMax):
    """The largest value of windows chosen so that the output has size `output_size`."""

    dims = 3

    def forward(self, input: Tensor) -> Any:
        """(N, C, D, H, W) → (N, C, D', H', W'), and the indices where `return_indices`."""
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)
