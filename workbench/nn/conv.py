"""Convolutions."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from workbench.tensor import Tensor

from . import functional as F
from . import init
from .check import whole, wholes
from .lazy import LazyMixin
from .module import Module
from .parameter import Parameter, UninitializedParameter, empty
from .start import own_stream

__all__ = ["Conv1d", "Conv2d", "LazyConv1d", "LazyConv2d"]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(Module):
    weight: Parameter
    bias: Parameter | None
    dims: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name, n = type(self).__name__, self.dims
        lazy = isinstance(self, LazyMixin)
        self.in_channels = 0 if lazy else whole(name, "in_channels", in_channels)
        self.out_channels = whole(name, "out_channels", out_channels)
        self.kernel_size = wholes(name, "kernel_size", kernel_size, n)
        self.stride = wholes(name, "stride", stride, n)
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    f"{name}: padding must be an integer, {n} integers, 'same' or 'valid', got "
                    f"{padding!r}"
                )
            if padding == "same" and any(step != 1 for step in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
            self.padding: Any = padding
        else:
            self.padding = wholes(name, "padding", padding, n, 0)
        self.dilation = wholes(name, "dilation", dilation, n)
        self.groups = whole(name, "groups", groups)
        if self.in_channels % self.groups:
            raise ValueError(
                f"{name}: in_channels must be divisible by groups, got {in_channels} and {groups}"
            )
        if self.out_channels % self.groups:
            raise ValueError(
                f"{name}: out_channels must be divisible by groups, got {out_channels} and {groups}"
            )
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"{name}: padding_mode must be one of {', '.join(_PADDING_MODES)}, got "
                f"{padding_mode!r}"
            )
        self.padding_mode = padding_mode
        if lazy:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        else:
            self.weight = Parameter(empty(self._weight_shape(), device, dtype))
            if bias:
                self.bias = Parameter(empty((self.out_channels,), device, dtype))
        if not bias:
            self.register_parameter("bias", None)
        if not lazy:
            self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)

    @own_stream
    def reset_parameters(self) -> None:
        """Draw new initial values, uniform within ±1/√(inputs of one output)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(math.prod(self._weight_shape()[1:]))
            init.uniform_(self.bias, -bound, bound)

    def _padded(self, input: Tensor) -> Tensor:
        """The input, padded on its own by a mode other than zeros."""
        widths: list[int] = []
        for i in reversed(range(self.dims)):
            if self.padding == "same":
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                widths += [total // 2, total - total // 2]
            else:
                widths += [0 if self.padding == "valid" else self.padding[i]] * 2
        return F.pad(input, widths, mode=self.padding_mode)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", stride={self.stride}"
        if self.padding != (0,) * self.dims:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self.dims:
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class Conv1d(_Conv):
    """Cross-correlation over (N, C, L), with torch's arguments; `weight` is (out, in / groups, k).

    Padding is a number of zeros on each side, "valid" (none) or "same" (the output is as large as
    the input, stride 1 only).
    """

    dims = 1

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, L) → (N, out_channels, L'); without N likewise."""
        x, padding = input, self.padding
        if self.padding_mode != "zeros":
            x, padding = self._padded(input), 0
        return F.conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(_Conv):
    """Cross-correlation over (N, C, H, W); `weight` is (out, in / groups, kh, kw).

    Padding is a number of zeros on each side, "valid" (none) or "same" (the output is as large as
    the input, stride 1 only). H' = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1.
    """

    dims = 2

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, H, W) → (N, out_channels, H', W'); without N likewise."""
        x, padding = input, self.padding
        if self.padding_mode != "zeros":
            x, padding = self._padded(input), 0
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class _LazyConv(LazyMixin, _Conv):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        _Conv.__init__(
            self, 0, out_channels, kernel_size, stride, padding, dilation, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels:
            _Conv.reset_parameters(self)

    def initialize_parameters(self, input: Tensor) -> None:
        """Take `in_channels` from an input of shape (N, C, …) or (C, …)."""
        if not self.has_uninitialized_params():
            self.in_channels = self.weight.array.shape[1] * self.groups
            return
        shape = input.array.shape
        if len(shape) not in (self.dims + 1, self.dims + 2):
            raise RuntimeError(
                f"Expected {self.dims + 1}D (unbatched) or {self.dims + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {list(shape)}"
            )
        channels = shape[-self.dims - 1]
        if channels % self.groups:
            raise ValueError(
                f"{type(self).__name__}: the input's {channels} channels are not divisible by "
                f"groups={self.groups}"
            )
        self.in_channels = channels
        self.weight.materialize(self._weight_shape())  # type: ignore[attr-defined]
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))  # type: ignore[attr-defined]
        self.reset_parameters()


class LazyConv1d(_LazyConv, Conv1d):
    """A `Conv1d` that takes `in_channels` from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A `Conv2d` that takes `in_channels` from its first input."""

    cls_to_become = Conv2d
