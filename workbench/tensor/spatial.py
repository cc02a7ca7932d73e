"""What torch has at the top level of pooling, padding and shuffling of pixels."""

from __future__ import annotations

from typing import Any

from .functions import FUNCTIONS, function, raw
from .tensor import Tensor

_MAX = {dims: raw(f"max_pool{dims}d") for dims in (1, 2, 3)}
_max_pool1d_at, _adaptive_at = (
    raw("max_pool1d_with_indices"),
    raw("adaptive_max_pool1d_with_indices"),
)


def _max_pool(dims: int) -> None:
    values = _MAX[dims]

    def pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Tensor:
        return values(input, kernel_size, stride, padding, dilation, ceil_mode)

    pool.__name__ = pool.__qualname__ = f"max_pool{dims}d"
    pool.__doc__ = f"`nn.functional.max_pool{dims}d`, values only."
    function("", method=False)(pool)


for _dims in (1, 2, 3):
    _max_pool(_dims)


@function("", method=False)
def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """The largest value of each window of (N, C, L), and where it was."""
    values, indices = _max_pool1d_at(input, kernel_size, stride, padding, dilation, ceil_mode)
    return values, indices


@function("", method=False)
def adaptive_max_pool1d(input: Tensor, output_size: Any) -> tuple[Tensor, Tensor]:
    """The largest value of each of `output_size` bins along (N, C, L), and where it was."""
    values, indices = _adaptive_at(input, output_size)
    return values, indices


_pad = raw("pad")


@function("", method=False)
def constant_pad_nd(input: Tensor, pad: Any, value: Any = 0) -> Tensor:
    """`input` with `value` around its last dimensions: (last before, last after, …) of it.

    Negative widths cut. Raises RuntimeError for widths that do not fit.
    """
    return _pad(input, pad, "constant", value)


FUNCTIONS[""]["avg_pool1d"] = raw("avg_pool1d")
FUNCTIONS[""]["adaptive_avg_pool1d"] = raw("adaptive_avg_pool1d")
