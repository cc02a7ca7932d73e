"""Layers that shrink sequences, images and volumes: the largest or the mean of neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from workbench import nn

from .convolution import sides, too_large
from .entry import Entry, Param, Problem, Shape

_WANTED = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}
_INPUTS = {1: "sequences", 2: "images", 3: "volumes"}


def fits(dims: int, shape: Shape) -> Problem | None:
    """The problem of an input of another rank than (C, *sides), if it is one."""
    if len(shape) == dims + 1:
        return None
    return Problem(_WANTED[dims], hint=f"it takes {_INPUTS[dims]}; put it before nn.Flatten()")


def _expects(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    dims = module.dims
    problem = fits(dims, shape)
    if problem is not None:
        return problem
    for size, pad in zip(sides(module.kernel_size, dims), sides(module.padding, dims), strict=True):
        if pad > size // 2:
            return Problem(
                f"padding of at most {size // 2}",
                f"padding {pad} is more than half of kernel_size {size}",
                changed={"padding": size // 2},
            )
    return too_large(module, shape, dims)


def _expects_rank(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    return fits(module.dims, shapes[0])


def _flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """One comparison or addition per element of each window."""
    return prod(out) * prod(sides(module.kernel_size, module.dims))


def _adaptive_flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """One comparison or addition per input element."""
    return prod(shapes[0])


_WINDOW = {
    "kernel_size": Param("ints", min=1, max=1024, start=2, doc="size of the window, in elements"),
    "stride": Param(
        "ints", min=1, max=1024, nullable=True, doc="step between windows; empty: the kernel size"
    ),
    "padding": Param("ints", min=0, max=512, doc="at most half of the kernel size"),
    "dilation": Param("ints", min=1, max=1024, doc="spacing of the elements a window sees"),
    "ceil_mode": Param("bool", doc="keep the incomplete windows at the edge"),
    "count_include_pad": Param("bool", doc="count the padding in the mean"),
    "divisor_override": Param("int", min=1, nullable=True, doc="divide by this, not by the size"),
}
_SIZES = {1: "length that comes out", 2: "height and width that come out",
          3: "depth, height and width that come out"}  # fmt: skip
_HIDDEN = frozenset({"return_indices"})


def _window(cls: type, doc: str) -> Entry:
    return Entry(cls, "Pooling", doc, _WINDOW, expects=_expects, flops=_flops, hidden=_HIDDEN)


def _adaptive(cls: type, dims: int, doc: str) -> Entry:
    return Entry(
        cls,
        "Pooling",
        doc,
        {"output_size": Param("ints", min=1, max=4096, start=1, doc=_SIZES[dims])},
        expects=_expects_rank,
        flops=_adaptive_flops,
        hidden=_HIDDEN,
    )


ENTRIES = [
    _window(nn.MaxPool2d, "Keeps the largest value of each window of an image."),
    _window(nn.AvgPool2d, "Takes the mean of each window of an image."),
    _adaptive(
        nn.AdaptiveAvgPool2d,
        2,
        "Means over as many windows as it takes to get the size you ask for.",
    ),
    _adaptive(
        nn.AdaptiveMaxPool2d,
        2,
        "Largest values of as many windows as it takes to get the size you ask for.",
    ),
    _window(nn.MaxPool1d, "Keeps the largest value of each window of a sequence."),
    _window(nn.AvgPool1d, "Takes the mean of each window of a sequence."),
    _adaptive(nn.AdaptiveAvgPool1d, 1, "Means over as many windows of a sequence as you ask for."),
    _adaptive(
        nn.AdaptiveMaxPool1d, 1, "Largest values of as many windows of a sequence as you ask for."
    ),
    _window(nn.MaxPool3d, "Keeps the largest value of each window of a volume."),
    _window(nn.AvgPool3d, "Takes the mean of each window of a volume."),
    _adaptive(nn.AdaptiveAvgPool3d, 3, "Means over as many windows of a volume as you ask for."),
    _adaptive(
        nn.AdaptiveMaxPool3d, 3, "Largest values of as many windows of a volume as you ask for."
    ),
]
