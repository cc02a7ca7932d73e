"""Sliding blocks as columns, and back."""

from __future__ import annotations

from typing import Any

from workbench.tensor import Tensor

from . import functional as F
from .check import checked
from .module import Module

__all__ = ["Fold", "Unfold"]


class Unfold(Module):
    """Sliding blocks of (N, C, H, W) or (C, H, W) as columns (N, C kh kw, number of blocks)."""

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.kernel_size = checked("Unfold", "kernel_size", kernel_size, 2)
        self.dilation = checked("Unfold", "dilation", dilation, 2)
        self.padding = checked("Unfold", "padding", padding, 2, 0)
        self.stride = checked("Unfold", "stride", stride, 2)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C kh kw, blocks)."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """Columns (N, C kh kw, blocks), as `Unfold` makes them, summed into (N, C, *output_size)."""

    def __init__(
        self,
        output_size: Any,
        kernel_size: Any,
        dilation: Any = 1,
        padding: Any = 0,
        stride: Any = 1,
    ) -> None:
        super().__init__()
        self.output_size = checked("Fold", "output_size", output_size, 2)
        self.kernel_size = checked("Fold", "kernel_size", kernel_size, 2)
        self.dilation = checked("Fold", "dilation", dilation, 2)
        self.padding = checked("Fold", "padding", padding, 2, 0)
        self.stride = checked("Fold", "stride", stride, 2)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C kh kw, blocks) → (N, C, *output_size)."""
        return F.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )
