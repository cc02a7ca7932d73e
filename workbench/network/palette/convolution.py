"""Convolutions over images (N, C, H, W)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from workbench import nn

from .entry import Entry, Param, Problem, Shape
from .linear import features


def pair(value: Any) -> tuple[int, int]:
    """A setting for height and width: an integer stands for both."""
    if isinstance(value, int):
        return value, value
    if len(value) == 1:
        return value[0], value[0]
    return value[0], value[1]


def paddings(module: Any) -> tuple[int, int]:
    """Rows and columns of padding on both sides together."""
    padding = module.padding
    if padding == "valid":
        return 0, 0
    sizes, spread = pair(module.kernel_size), pair(getattr(module, "dilation", 1))
    if padding == "same":
        return spread[0] * (sizes[0] - 1), spread[1] * (sizes[1] - 1)
    tall, wide = pair(padding)
    return 2 * tall, 2 * wide


def too_large(module: Any, shape: Shape) -> Problem | None:
    """The problem of a window that does not fit on the padded image, if it does not."""
    sizes, spread = pair(module.kernel_size), pair(getattr(module, "dilation", 1))
    padded = paddings(module)
    for size, dilation, pad, have in zip(sizes, spread, padded, shape[-2:], strict=True):
        window = dilation * (size - 1) + 1
        if window > have + pad:
            most = (have + pad - 1) // dilation + 1
            return Problem(
                f"an image of at least {window} by {window}",
                f"kernel_size {size} reaches over {window} pixels, more than the "
                f"{have + pad} there are; kernel_size may be between 1 and {most} here",
                changed={"kernel_size": most},
            )
    return None


def _infer(shape: Shape) -> dict[str, Any]:
    return {"in_channels": shape[0]} if len(shape) == 3 else {}


def _expects(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    channels = module.in_channels
    if len(shape) != 3:
        return Problem(f"(N, {channels}, H, W)", hint="it takes images; put it before nn.Flatten()")
    if shape[0] != channels:
        fits = shape[0] % module.groups == 0
        return Problem(
            f"(N, {channels}, H, W)", changed={"in_channels": shape[0]} if fits else None
        )
    return too_large(module, shape)


def _flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """2·kh·kw·(in/groups) per output element, and one more for the bias."""
    per = 2 * prod(pair(module.kernel_size)) * (module.in_channels // module.groups)
    return prod(out) * (per + (1 if module.bias is not None else 0))


def _size(args: Mapping[str, Any]) -> int:
    kernel = prod(pair(args["kernel_size"]))
    return int(args["in_channels"] * args["out_channels"] * kernel)


ENTRIES = [
    Entry(
        nn.Conv2d,
        "Convolution",
        "Slides small learned filters over an image.",
        {
            "in_channels": features("channels of the image", inferred=True),
            "out_channels": features("number of filters", start=16),
            "kernel_size": Param(
                "ints", min=1, max=1024, start=3, doc="height and width of a filter, in pixels"
            ),
            "stride": Param("ints", min=1, max=1024, doc="step from one place to the next"),
            "padding": Param(
                "ints",
                min=0,
                max=1024,
                choices=("same", "valid"),
                doc="zeros put around the image; 1 keeps the size for a kernel of 3",
            ),
            "dilation": Param("ints", min=1, max=1024, doc="spacing of the pixels a filter sees"),
            "groups": Param("int", min=1, max=1_000_000, doc="split channels into separate groups"),
            "bias": Param("bool", doc="add a learned offset to each filter's output"),
            "padding_mode": Param(
                "choice",
                choices=("zeros", "reflect", "replicate", "circular"),
                doc="what is put around the image",
            ),
        },
        infer=_infer,
        expects=_expects,
        flops=_flops,
        size=_size,
        takes="images (N, C, H, W)",
        hint="put it before nn.Flatten()",
    ),
]
