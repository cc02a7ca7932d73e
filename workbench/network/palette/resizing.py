"""Layers that change the size of images: padding, resizing, pixels moved out of channels."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from workbench import nn

from .entry import Entry, Param, Problem, Shape
from .pooling import fits

_MODES = ("nearest", "bilinear", "bicubic", "nearest-exact", "area", "linear", "trilinear")
_RANKS = {"bilinear": 2, "bicubic": 2, "linear": 1, "trilinear": 3}


def _expects_upsample(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    if module.mode in _RANKS:
        problem = fits(_RANKS[module.mode], shape)
        if problem is not None:
            return problem
    elif len(shape) not in (2, 3, 4):
        return Problem("(N, C, *sides)", hint="put it before nn.Flatten()")
    if (module.size is None) == (module.scale_factor is None):
        return Problem(
            "either size or scale_factor", "it needs one of the two", changed={"scale_factor": 2.0}
        )
    factors = module.scale_factor
    if factors is not None and not isinstance(factors, tuple):
        smallest = min(int(n * factors) for n in shape[1:])
        if smallest < 1:
            return Problem(
                "a larger scale_factor",
                f"{factors:g} times the sides {shape[1:]} would leave nothing",
                changed={"scale_factor": 1.0},
            )
    return None


def _upsample_flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """A multiply-add per neighbour and side that an element is mixed from."""
    taps = {"bilinear": 2, "linear": 2, "trilinear": 2, "bicubic": 4}.get(module.mode, 0)
    return prod(out) * 2 * taps * (len(out) - 1)


def _expects_pad(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    problem = fits(module.dims, shape)
    if problem is not None:
        return problem
    widths = module.padding
    for i, n in enumerate(reversed(shape[1:])):
        pair = widths[2 * i : 2 * i + 2]
        if not pair:
            break
        most = {"reflect": n - 1, "circular": n}.get(module.mode)
        if most is not None and max(pair) > most:
            return Problem(
                f"padding of at most {most}",
                f"padding {max(pair)} reaches over a side of {n}",
                changed={"padding": most},
            )
        if n + sum(pair) < 1:
            return Problem(
                "less cropping",
                f"padding {pair} leaves nothing of a side of {n}",
                changed={"padding": 0},
            )
    return None


def _expects_shuffle(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    problem = fits(2, shape)
    if problem is not None:
        return problem
    factor = module.upscale_factor
    if shape[0] % (factor * factor):
        most = max(r for r in range(1, factor + 1) if shape[0] % (r * r) == 0)
        return Problem(
            f"channels divisible by {factor * factor}",
            f"{shape[0]} channels cannot be spread over {factor} by {factor} pixels",
            changed={"upscale_factor": most},
        )
    return None


def _expects_unshuffle(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    problem = fits(2, shape)
    if problem is not None:
        return problem
    factor = module.downscale_factor
    if any(n % factor for n in shape[1:]):
        most = max(r for r in range(1, factor + 1) if not any(n % r for n in shape[1:]))
        return Problem(
            f"sides divisible by {factor}",
            f"an image of {shape[1]} by {shape[2]} cannot be cut into {factor} by {factor} pixels",
            changed={"downscale_factor": most},
        )
    return None


def _pad(cls: type, doc: str, **more: Param) -> Entry:
    return Entry(
        cls,
        "Shape",
        doc,
        {
            "padding": Param(
                "ints",
                min=-1024,
                max=1024,
                start=1,
                doc="width of the border: one number, or left, right, top, bottom, …",
            ),
            **more,
        },
        expects=_expects_pad,
    )


ENTRIES = [
    Entry(
        nn.Upsample,
        "Shape",
        "Resizes an image, a sequence or a volume.",
        {
            "size": Param(
                "ints", min=1, max=65536, nullable=True, doc="sides that come out; empty: by scale"
            ),
            "scale_factor": Param(
                "float", min=1e-3, max=1024, nullable=True, start=2.0, doc="times the input's sides"
            ),
            "mode": Param(
                "choice", choices=_MODES, doc="how values between the given ones are found"
            ),
        },
        expects=_expects_upsample,
        flops=_upsample_flops,
        hidden=frozenset({"align_corners", "recompute_scale_factor"}),
    ),
    Entry(
        nn.PixelShuffle,
        "Shape",
        "Spreads groups of channels over a finer image.",
        {
            "upscale_factor": Param(
                "int", min=1, max=64, start=2, doc="how many times larger the sides become"
            )
        },
        expects=_expects_shuffle,
    ),
    Entry(
        nn.PixelUnshuffle,
        "Shape",
        "Packs the pixels of an image into more channels of a coarser one.",
        {
            "downscale_factor": Param(
                "int", min=1, max=64, start=2, doc="how many times smaller the sides become"
            )
        },
        expects=_expects_unshuffle,
    ),
    _pad(nn.ZeroPad2d, "Puts zeros around an image, or crops it."),
    _pad(nn.ReflectionPad2d, "Continues an image past its edges by its mirror image."),
    _pad(nn.ReplicationPad2d, "Continues an image past its edges by its outermost pixels."),
    _pad(nn.CircularPad2d, "Continues an image past its edges from the opposite ones."),
    _pad(
        nn.ConstantPad2d,
        "Puts a value around an image, or crops it.",
        value=Param("float", start=0.0, doc="what the border holds"),
    ),
    _pad(nn.ZeroPad1d, "Puts zeros around a sequence, or crops it."),
    _pad(nn.ReflectionPad1d, "Continues a sequence past its ends by its mirror image."),
    _pad(nn.ReplicationPad1d, "Continues a sequence past its ends by its outermost values."),
    _pad(nn.CircularPad1d, "Continues a sequence past its ends from the opposite one."),
]
