"""Layers that undo maximum pooling, and pooling whose windows are drawn."""

from __future__ import annotations

from typing import Any, ClassVar

from workbench.tensor import Tensor

from . import functional as F
from .check import real, wholes
from .module import Module

__all__ = [
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]


class _MaxUnpool(Module):
    dims: ClassVar[int]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        name, n = type(self).__name__, self.dims
        self.kernel_size = wholes(name, "kernel_size", kernel_size, n)
        self.stride = self.kernel_size if stride is None else wholes(name, "stride", stride, n)
        self.padding = wholes(name, "padding", padding, n, 0)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Values (N, C, L) put back to where `MaxPool1d(return_indices=True)` found them."""

    dims = 1

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """(N, C, L) → (N, C, L'); `output_size` chooses among the lengths that pool to L."""
        return F.max_unpool1d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool2d(_MaxUnpool):
    """Values (N, C, H, W) put back to where `MaxPool2d(return_indices=True)` found them."""

    dims = 2

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """(N, C, H, W) → (N, C, H', W'); `output_size` chooses among the sizes that pool to it."""
        return F.max_unpool2d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class MaxUnpool3d(_MaxUnpool):
    """Values (N, C, D, H, W) put back to where `MaxPool3d(return_indices=True)` found them."""

    dims = 3

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """(N, C, D, H, W) → (N, C, D', H', W'); `output_size` chooses among those that fit."""
        return F.max_unpool3d(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )


class _FractionalMaxPool(Module):
    dims: ClassVar[int]
    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name, n = type(self).__name__, self.dims
        self.kernel_size = wholes(name, "kernel_size", kernel_size, n)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        if output_size is None and output_ratio is None:
            raise ValueError(
                f"{name} requires specifying either an output size, or a pooling ratio"
            )
        if output_size is not None and output_ratio is not None:
            raise ValueError(f"{name}: only one of output_size and output_ratio may be specified")
        self.output_size = (
            None if output_size is None else wholes(name, "output_size", output_size, n)
        )
        self.output_ratio: tuple[float, ...] | None = None
        if output_ratio is not None:
            many = isinstance(output_ratio, (tuple, list))
            ratios = tuple(output_ratio) if many else (output_ratio,) * n
            if len(ratios) != n:
                raise ValueError(f"{name}: output_ratio must be a number or {n} of them")
            if not all(0 < real(name, "output_ratio", ratio) < 1 for ratio in ratios):
                raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")
            self.output_ratio = ratios


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest values of randomly placed windows of (N, C, H, W) (Graham, 2014).

    The result has `output_size`, or `output_ratio` times the input's sides.
    """

    dims = 2

    def forward(self, input: Tensor) -> Any:
        """(N, C, H, W) → (N, C, H', W'), and the indices where `return_indices`."""
        return F.fractional_max_pool2d(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices,
            _random_samples=self._random_samples,
        )  # fmt: skip


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest values of randomly placed windows of (N, C, D, H, W) (Graham, 2014).

    The result has `output_size`, or `output_ratio` times the input's sides.
    """

    dims = 3

    def forward(self, input: Tensor) -> Any:
        """(N, C, D, H, W) → (N, C, D', H', W'), and the indices where `return_indices`."""
        return F.fractional_max_pool3d(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices,
            _random_samples=self._random_samples,
        )  # fmt: skip
