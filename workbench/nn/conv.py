"""Convolutions and transposed convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from workbench.tensor import Tensor

from . import functional as F
from . import init
from .check import whole, wholes
from .lazy import LazyMixin
from .module import Module
from .parameter import Parameter, UninitializedParameter, empty
from .start import own_stream

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share: settings, parameters, their initial values, printing."""

    weight: Parameter
    bias: Parameter | None
    dims: ClassVar[int]
    transposed: bool = False

    def _set_up(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any,
        dilation: Any, output_padding: Any, groups: int, bias: bool, padding_mode: str, device: Any,
        dtype: Any,
    ) -> None:  # fmt: skip
        name, n = type(self).__name__, self.dims
        lazy = isinstance(self, LazyMixin)
        self.in_channels = 0 if lazy else whole(name, "in_channels", in_channels)
        self.out_channels = whole(name, "out_channels", out_channels)
        self.kernel_size = wholes(name, "kernel_size", kernel_size, n)
        self.stride = wholes(name, "stride", stride, n)
        if isinstance(padding, str) and not self.transposed:
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
        self.output_padding = wholes(name, "output_padding", output_padding, n, 0)
        self.groups = whole(name, "groups", groups)
        for what in ("in_channels", "out_channels"):
            channels = getattr(self, what)
            if channels % self.groups:
                raise ValueError(
                    f"{name}: {what} must be divisible by groups, got {channels} and {groups}"
                )
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"{name}: padding_mode must be one of {', '.join(_PADDING_MODES)}, got "
                f"{padding_mode!r}"
            )
        if self.transposed and padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {name}')
        self.padding_mode = padding_mode
        self._reversed_padding_repeated_twice = self._margins()
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

    def _margins(self) -> list[int]:
        """Widths of padding as `F.pad` takes them: the last side first, in front and behind."""
        widths: list[int] = []
        for i in reversed(range(self.dims)):
            if self.padding == "same":
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                widths += [total // 2, total - total // 2]
            else:
                widths += [0 if self.padding == "valid" else self.padding[i]] * 2
        return widths

    def _weight_shape(self) -> tuple[int, ...]:
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        return (first, second // self.groups, *self.kernel_size)

    @own_stream
    def reset_parameters(self) -> None:
        """Draw new initial values, uniform within ±1/√(the weight's elements per first index)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(math.prod(self._weight_shape()[1:]))
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", stride={self.stride}"
        if self.padding != (0,) * self.dims:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self.dims:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self.dims:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
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
        self._set_up(in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups,
                     bias, padding_mode, device, dtype)  # fmt: skip

    def _convolve(self, *args: Any) -> Tensor:
        raise NotImplementedError

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The layer's convolution with another weight and bias: for layers derived from it."""
        x, padding = input, self.padding
        if self.padding_mode != "zeros":
            x = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = 0
        return self._convolve(x, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, …) → (N, out_channels, …); without N likewise."""
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv):
    """Cross-correlation over (N, C, L), with torch's arguments; `weight` is (out, in / groups, k).

    Padding is a number of elements on each side, "valid" (none) or "same" (the output is as large
    as the input, stride 1 only); `padding_mode` says what they hold.
    """

    dims = 1
    _convolve = staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Cross-correlation over (N, C, H, W); `weight` is (out, in / groups, kh, kw).

    Padding is a number of elements on each side, "valid" (none) or "same" (the output is as large
    as the input, stride 1 only); `padding_mode` says what they hold.
    H' = (H + 2 padding - dilation (kh - 1) - 1) // stride + 1.
    """

    dims = 2
    _convolve = staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Cross-correlation over (N, C, D, H, W); `weight` is (out, in / groups, kd, kh, kw).

    Padding is a number of elements on each side, "valid" (none) or "same" (the output is as large
    as the input, stride 1 only); `padding_mode` says what they hold.
    """

    dims = 3
    _convolve = staticmethod(F.conv3d)


class _ConvTranspose(_ConvNd):
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._set_up(in_channels, out_channels, kernel_size, stride, padding, dilation,
                     output_padding, groups, bias, padding_mode, device, dtype)  # fmt: skip

    def _convolve(self, *args: Any) -> Tensor:
        raise NotImplementedError

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """(N, in_channels, …) → (N, out_channels, …); without N likewise.

        `output_size`, the sides of the result (or its whole shape), picks among those that a
        stride makes possible; raises ValueError for others.
        """
        extra = self.output_padding
        if output_size is not None:
            extra = self._extra(input.array.shape, tuple(output_size))
        return self._convolve(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups,
            self.dilation,
        )  # fmt: skip

    def _extra(self, shape: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
        """The output padding that gives the wanted sides."""
        n = self.dims
        lead = len(shape) - n
        if len(wanted) == n + lead:
            wanted = wanted[lead:]
        if len(wanted) != n:
            raise ValueError(
                f"{type(self).__name__}: for {len(shape)}D input, output_size must have {n} or "
                f"{n + lead} elements (got {len(wanted)})"
            )
        least = [
            (side - 1) * step - 2 * pad + gap * (size - 1) + 1
            for side, step, pad, gap, size in zip(
                shape[lead:], self.stride, self.padding, self.dilation, self.kernel_size,
                strict=True,
            )
        ]  # fmt: skip
        most = [low + step - 1 for low, step in zip(least, self.stride, strict=True)]
        if any(not low <= w <= high for low, w, high in zip(least, wanted, most, strict=True)):
            raise ValueError(
                f"{type(self).__name__}: requested an output size of {list(wanted)}, but valid "
                f"sizes range from {least} to {most} (for an input of {list(shape[lead:])})"
            )
        return tuple(w - low for w, low in zip(wanted, least, strict=True))


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution over (N, C, L); `weight` is (in, out / groups, k).

    L' = (L - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1.
    """

    dims = 1
    _convolve = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution over (N, C, H, W); `weight` is (in, out / groups, kh, kw).

    H' = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1.
    """

    dims = 2
    _convolve = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution over (N, C, D, H, W); `weight` is (in, out / groups, kd, kh, kw).

    D' = (D - 1) stride - 2 padding + dilation (kd - 1) + output_padding + 1.
    """

    dims = 3
    _convolve = staticmethod(F.conv_transpose3d)


class _Lazy(LazyMixin, _ConvNd):
    """Takes `in_channels` from the first input."""

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels:
            _ConvNd.reset_parameters(self)

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take `in_channels` from an input of shape (N, C, …) or (C, …)."""
        if not self.has_uninitialized_params():
            held = self.weight.array.shape
            self.in_channels = held[0] if self.transposed else held[1] * self.groups
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


class _LazyConv(_Lazy, _Conv):
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


class _LazyConvTranspose(_Lazy, _ConvTranspose):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        _ConvTranspose.__init__(
            self, 0, out_channels, kernel_size, stride, padding, output_padding, groups, bias,
            dilation, padding_mode, device, dtype,
        )  # fmt: skip


class LazyConv1d(_LazyConv, Conv1d):
    """A `Conv1d` that takes `in_channels` from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A `Conv2d` that takes `in_channels` from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """A `Conv3d` that takes `in_channels` from its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A `ConvTranspose1d` that takes `in_channels` from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A `ConvTranspose2d` that takes `in_channels` from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A `ConvTranspose3d` that takes `in_channels` from its first input."""

    cls_to_become = ConvTranspose3d
