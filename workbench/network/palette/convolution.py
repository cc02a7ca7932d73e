"""Convolutions over sequences (N, C, L), images (N, C, H, W) and volumes (N, C, D, H, W)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from workbench import nn

from .entry import Entry, Param, Problem, Shape
from .linear import features

_THINGS = {1: "a sequence", 2: "an image", 3: "a volume"}
_INPUTS = {1: "sequences (N, C, L)", 2: "images (N, C, H, W)", 3: "volumes (N, C, D, H, W)"}
_BATCH = {1: "(N, {}, L)", 2: "(N, {}, H, W)", 3: "(N, {}, D, H, W)"}


def sides(value: Any, dims: int) -> tuple[int, ...]:
    """A setting for every side: an integer stands for all."""
    if isinstance(value, int):
        return (value,) * dims
    return tuple(value) * dims if len(value) == 1 else tuple(value)


def pair(value: Any) -> tuple[int, ...]:
    """A setting for height and width."""
    return sides(value, 2)


def paddings(module: Any, dims: int = 2) -> tuple[int, ...]:
    """Padding of every side, at both ends together."""
    padding = module.padding
    if padding == "valid":
        return (0,) * dims
    sizes, spread = sides(module.kernel_size, dims), sides(getattr(module, "dilation", 1), dims)
    if padding == "same":
        return tuple(d * (n - 1) for n, d in zip(sizes, spread, strict=True))
    return tuple(2 * p for p in sides(padding, dims))


def too_large(module: Any, shape: Shape, dims: int = 2) -> Problem | None:
    """The problem of a window that does not fit on the padded input, if it does not."""
    sizes, spread = sides(module.kernel_size, dims), sides(getattr(module, "dilation", 1), dims)
    padded = paddings(module, dims)
    for size, dilation, pad, have in zip(sizes, spread, padded, shape[-dims:], strict=True):
        window = dilation * (size - 1) + 1
        if window > have + pad:
            most = (have + pad - 1) // dilation + 1
            return Problem(
                f"{_THINGS[dims]} of at least {' by '.join([str(window)] * dims)}",
                f"kernel_size {size} reaches over {window} {'pixels' if dims == 2 else 'places'}, "
                f"more than the {have + pad} there are; kernel_size may be between 1 and {most} "
                "here",
                changed={"kernel_size": most},
            )
    return None


def _infer(shape: Shape) -> dict[str, Any]:
    return {"in_channels": shape[0]} if len(shape) > 1 else {}


def _expects(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    (shape,) = shapes
    dims, channels = module.dims, module.in_channels
    wanted = _BATCH[dims].format(channels)
    if len(shape) != dims + 1:
        kind = _INPUTS[dims].split()[0]
        return Problem(wanted, hint=f"it takes {kind}; put it before nn.Flatten()")
    if shape[0] != channels:
        fits = shape[0] % module.groups == 0
        return Problem(wanted, changed={"in_channels": shape[0]} if fits else None)
    return None if module.transposed else too_large(module, shape, dims)


def _expects_transposed(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    problem = _expects(module, shapes, integer)
    if problem is not None:
        return problem
    settings = zip(module.output_padding, module.stride, module.dilation, strict=True)
    for extra, stride, dilation in settings:
        if extra >= max(stride, dilation):
            return Problem(
                "an output_padding smaller than the stride or the dilation",
                f"output_padding {extra} would add a whole step of {max(stride, dilation)}",
                changed={"output_padding": max(stride, dilation) - 1},
            )
    grown = [
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, k, s, p, d, e in zip(
            shapes[0][1:], module.kernel_size, module.stride, module.padding, module.dilation,
            module.output_padding, strict=True,
        )
    ]  # fmt: skip
    if min(grown) < 1:
        return Problem(
            "less padding",
            f"padding {module.padding} cuts more off than there would be: sides {tuple(grown)}",
            changed={"padding": 0},
        )
    return None


def _flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """2·taps·(in/groups) per output element, and one more for the bias."""
    per = 2 * prod(module.kernel_size) * (module.in_channels // module.groups)
    return prod(out) * (per + (1 if module.bias is not None else 0))


def _flops_transposed(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """2·taps·(out/groups) per input element, and one for the bias per output element."""
    per = 2 * prod(module.kernel_size) * (module.out_channels // module.groups)
    return prod(shapes[0]) * per + (prod(out) if module.bias is not None else 0)


def _size(dims: int) -> Any:
    def size(args: Mapping[str, Any]) -> int:
        kernel = prod(sides(args["kernel_size"], dims))
        return int(args["in_channels"] * args["out_channels"] * kernel)

    return size


def _params(dims: int, transposed: bool = False) -> dict[str, Param]:
    """What a form tells of the constructor's arguments."""
    thing = _THINGS[dims].split()[1]
    shared = {
        "in_channels": features(f"channels of the {thing}", inferred=True),
        "out_channels": features("number of filters", start=16),
        "groups": Param("int", min=1, max=1_000_000, doc="split channels into separate groups"),
        "bias": Param("bool", doc="add a learned offset to each filter's output"),
    }
    extent = {1: "length of a filter", 2: "height and width of a filter, in pixels",
              3: "depth, height and width of a filter"}[dims]  # fmt: skip
    if transposed:
        return shared | {
            "kernel_size": Param("ints", min=1, max=1024, start=2, doc=extent),
            "stride": Param(
                "ints", min=1, max=1024, start=2, doc="how many times larger the sides become"
            ),
            "padding": Param("ints", min=0, max=1024, doc="how much is cut off at every end"),
            "output_padding": Param(
                "ints", min=0, max=1023, doc="how much is added at the far end of every side"
            ),
            "dilation": Param("ints", min=1, max=1024, doc="spacing of what a filter writes"),
        }
    return shared | {
        "kernel_size": Param("ints", min=1, max=1024, start=3, doc=extent),
        "stride": Param("ints", min=1, max=1024, doc="step from one place to the next"),
        "padding": Param(
            "ints",
            min=0,
            max=1024,
            choices=("same", "valid"),
            doc=f"zeros put around the {thing}; 1 keeps the size for a kernel of 3",
        ),
        "dilation": Param(
            "ints", min=1, max=1024, doc=f"spacing of the {'pixels' if dims == 2 else 'places'} "
            "a filter sees",
        ),
        "padding_mode": Param(
            "choice",
            choices=("zeros", "reflect", "replicate", "circular"),
            doc=f"what is put around the {thing}",
        ),
    }  # fmt: skip


def _entry(cls: type, dims: int, doc: str) -> Entry:
    return Entry(
        cls,
        "Convolution",
        doc,
        _params(dims),
        infer=_infer,
        expects=_expects,
        flops=_flops,
        size=_size(dims),
        takes=_INPUTS[dims],
        hint="put it before nn.Flatten()",
    )


def _transposed(cls: type, dims: int, doc: str) -> Entry:
    return Entry(
        cls,
        "Convolution",
        doc,
        _params(dims, transposed=True),
        infer=_infer,
        expects=_expects_transposed,
        flops=_flops_transposed,
        size=_size(dims),
        hidden=frozenset({"padding_mode"}),
        takes=_INPUTS[dims],
        hint="put it before nn.Flatten()",
    )


ENTRIES = [
    _entry(nn.Conv2d, 2, "Slides small learned filters over an image."),
    _entry(nn.Conv1d, 1, "Slides short learned filters along a sequence."),
    _entry(nn.Conv3d, 3, "Slides small learned filters through a volume or a film."),
    _transposed(nn.ConvTranspose2d, 2, "Enlarges an image, every pixel writing a learned patch."),
    _transposed(
        nn.ConvTranspose1d, 1, "Lengthens a sequence, every place writing a learned piece."
    ),
    _transposed(nn.ConvTranspose3d, 3, "Enlarges a volume, every place writing a learned block."),
]
