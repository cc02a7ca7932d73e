"""Layers that shrink images (N, C, H, W) by taking the largest or the mean of neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from workbench import nn

from .convolution import pair, too_large
from .entry import Entry, Param, Problem, Shape


def _image(shape: Shape) -> Problem | None:
    if len(shape) == 3:
        return None
    return Problem("(N, C, H, W)", hint="it takes images; put it before nn.Flatten()")


def _expects(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    problem = _image(shape)
    if problem is not None:
        return problem
    for size, pad in zip(pair(module.kernel_size), pair(module.padding), strict=True):
        if pad > size // 2:
            return Problem(
                f"padding of at most {size // 2}",
                f"padding {pad} is more than half of kernel_size {size}",
                changed={"padding": size // 2},
            )
    return too_large(module, shape)


def _expects_image(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    return _image(shapes[0])


def _flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """One comparison or addition per element of each window."""
    return prod(out) * prod(pair(module.kernel_size))


def _adaptive_flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """One addition per input element."""
    return prod(shapes[0])


_WINDOW = {
    "kernel_size": Param("ints", min=1, max=1024, start=2, doc="size of the window, in pixels"),
    "stride": Param(
        "ints", min=1, max=1024, nullable=True, doc="step between windows; empty: the kernel size"
    ),
    "padding": Param("ints", min=0, max=512, doc="at most half of the kernel size"),
    "dilation": Param("ints", min=1, max=1024, doc="spacing of the pixels a window sees"),
    "ceil_mode": Param("bool", doc="keep the incomplete windows at the edge"),
    "count_include_pad": Param("bool", doc="count the padding in the mean"),
    "divisor_override": Param("int", min=1, nullable=True, doc="divide by this, not by the size"),
}
_HIDDEN = frozenset({"return_indices"})

ENTRIES = [
    Entry(
        nn.MaxPool2d,
        "Pooling",
        "Keeps the largest value of each window of an image.",
        _WINDOW,
        expects=_expects,
        flops=_flops,
        hidden=_HIDDEN,
    ),
    Entry(
        nn.AvgPool2d,
        "Pooling",
        "Takes the mean of each window of an image.",
        _WINDOW,
        expects=_expects,
        flops=_flops,
        hidden=_HIDDEN,
    ),
    Entry(
        nn.AdaptiveAvgPool2d,
        "Pooling",
        "Means over as many windows as it takes to get the size you ask for.",
        {
            "output_size": Param(
                "ints", min=1, max=4096, start=1, doc="height and width that come out"
            )
        },
        expects=_expects_image,
        flops=_adaptive_flops,
        hidden=_HIDDEN,
    ),
]
