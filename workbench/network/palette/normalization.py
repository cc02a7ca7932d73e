"""Layers that shift and scale values to mean 0 and variance 1."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from workbench import nn

from .entry import Entry, Param, Problem, Shape, batched
from .linear import features


def _channels(shape: Shape) -> dict[str, Any]:
    return {"num_features": shape[0]} if shape else {}


def _image_channels(shape: Shape) -> dict[str, Any]:
    return {"num_features": shape[0]} if len(shape) == 3 else {}


def _whole(shape: Shape) -> dict[str, Any]:
    # images are normalised whole, sequences and plain features over their last dimension
    if not shape:
        return {}
    return {"normalized_shape": shape if len(shape) == 3 else shape[-1:]}


def _expects1d(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    n = module.num_features
    if len(shape) not in (1, 2):
        return Problem(f"(N, {n}) or (N, {n}, L)", hint="for images use nn.BatchNorm2d")
    if shape[0] != n:
        return Problem(batched((n, *shape[1:])), changed={"num_features": shape[0]})
    return None


def _expects2d(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    n = module.num_features
    if len(shape) != 3:
        return Problem(f"(N, {n}, H, W)", hint="for plain features use nn.BatchNorm1d")
    if shape[0] != n:
        return Problem(f"(N, {n}, H, W)", changed={"num_features": shape[0]})
    return None


def _expects_layer(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    want = tuple(module.normalized_shape)
    if tuple(shape[-len(want) :]) != want:
        return Problem(
            "(N, " + ("…, " if len(shape) > len(want) else "") + ", ".join(map(str, want)) + ")",
            changed=_whole(shape),
        )
    return None


def _expects_volume(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    n = module.num_features
    if len(shape) != 4:
        return Problem(f"(N, {n}, D, H, W)", hint="for images use nn.BatchNorm2d")
    if shape[0] != n:
        return Problem(f"(N, {n}, D, H, W)", changed={"num_features": shape[0]})
    return None


def _volume_channels(shape: Shape) -> dict[str, Any]:
    return {"num_features": shape[0]} if len(shape) == 4 else {}


def _groups(shape: Shape) -> dict[str, Any]:
    return {"num_channels": shape[0]} if shape else {}


def _expects_groups(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    n = module.num_channels
    if not shape or shape[0] != n:
        changed = {"num_channels": shape[0]} if shape else None
        return Problem(f"(N, {n}, …)", changed=changed)
    return None


def _expects_neighbours(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    return Problem("(N, C, L) or (N, C, H, W)") if len(shape) < 2 else None


def _neighbour_flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """Squares, sums over neighbours, a power and a division per element."""
    return prod(out) * (int(module.size) + 4)


def _flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """Subtract, divide, and scale and shift where learned, per element."""
    affine = getattr(module, "weight", None) is not None
    return prod(out) * (4 if affine else 2)


_BATCH = {
    "num_features": features("channels of the input", inferred=True),
    "eps": Param("float", min=0, max=1, doc="added to the variance, against division by zero"),
    "momentum": Param(
        "float", min=0, max=1, nullable=True, doc="weight of the newest batch in running statistics"
    ),
    "affine": Param("bool", doc="learn a scale and a shift"),
    "bias": Param("bool", doc="learn the shift, where it learns a scale"),
    "track_running_stats": Param("bool", doc="keep running statistics for evaluation"),
}

ENTRIES = [
    Entry(
        nn.BatchNorm1d,
        "Normalization",
        "Normalises each feature over the batch (Ioffe & Szegedy, 2015).",
        _BATCH,
        infer=_channels,
        expects=_expects1d,
        flops=_flops,
        takes="(N, C) or (N, C, L)",
    ),
    Entry(
        nn.BatchNorm2d,
        "Normalization",
        "Normalises each channel of images over the batch (Ioffe & Szegedy, 2015).",
        _BATCH,
        infer=_image_channels,
        expects=_expects2d,
        flops=_flops,
        takes="images (N, C, H, W)",
        hint="for plain features use nn.BatchNorm1d",
    ),
    Entry(
        nn.LayerNorm,
        "Normalization",
        "Normalises each example by itself (Ba, Kiros & Hinton, 2016).",
        {
            "normalized_shape": Param(
                "ints", min=1, inferred=True, doc="the last dimensions, normalised together"
            ),
            "eps": Param("float", min=0, max=1, doc="added to the variance"),
            "elementwise_affine": Param("bool", doc="learn a scale (and a shift)"),
            "bias": Param("bool", doc="learn a shift"),
        },
        infer=_whole,
        expects=_expects_layer,
        flops=_flops,
    ),
    Entry(
        nn.BatchNorm3d,
        "Normalization",
        "Normalises each channel of volumes over the batch (Ioffe & Szegedy, 2015).",
        _BATCH,
        infer=_volume_channels,
        expects=_expects_volume,
        flops=_flops,
        takes="volumes (N, C, D, H, W)",
        hint="for images use nn.BatchNorm2d",
    ),
    Entry(
        nn.InstanceNorm2d,
        "Normalization",
        "Normalises each channel of each image by itself (Ulyanov et al., 2016).",
        _BATCH,
        infer=_image_channels,
        expects=_expects2d,
        flops=_flops,
        takes="images (N, C, H, W)",
    ),
    Entry(
        nn.GroupNorm,
        "Normalization",
        "Normalises each example over groups of its channels (Wu & He, 2018).",
        {
            "num_groups": Param("int", min=1, max=1_000_000, start=1, doc="groups of channels"),
            "num_channels": Param(
                "int", min=1, max=1_000_000, inferred=True, doc="channels of the input"
            ),
            "eps": Param("float", min=0, max=1, doc="added to the variance"),
            "affine": Param("bool", doc="learn a scale and a shift"),
            "bias": Param("bool", doc="learn the shift, where it learns a scale"),
        },
        infer=_groups,
        expects=_expects_groups,
        flops=_flops,
        takes="(N, C, …)",
    ),
    Entry(
        nn.RMSNorm,
        "Normalization",
        "Divides each example by the root of its mean square (Zhang & Sennrich, 2019).",
        {
            "normalized_shape": Param(
                "ints", min=1, inferred=True, doc="the last dimensions, normalised together"
            ),
            "eps": Param("float", min=0, max=1, nullable=True, doc="added to the mean square"),
            "elementwise_affine": Param("bool", doc="learn a scale"),
        },
        infer=_whole,
        expects=_expects_layer,
        flops=_flops,
    ),
    Entry(
        nn.LocalResponseNorm,
        "Normalization",
        "Divides by the strength of neighbouring channels (Krizhevsky et al., 2012).",
        {
            "size": Param("int", min=1, max=1_000_000, start=5, doc="how many channels"),
            "alpha": Param("float", doc="weight of the mean square"),
            "beta": Param("float", doc="power of the divisor"),
            "k": Param("float", doc="added to it"),
        },
        expects=_expects_neighbours,
        flops=_neighbour_flops,
        takes="(N, C, …)",
    ),
]
