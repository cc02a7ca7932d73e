"""Tensors in a notebook: their values, what they are, their range, and a small picture.

`text/plain` stays the repr. The HTML takes its colours from the page around it, so that it reads
in light and dark; large tensors are sampled, and say so; whatever goes wrong, the repr is shown.
"""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from workbench.arrays import to_numpy

from . import picture
from .node import LEAF
from .tensor import Tensor

SAMPLE = 1 << 18  # elements that are looked at, at most
BUDGET = 16_000  # bytes of a picture, before base64
TEXT = 6_000  # characters of the values


def thinned(array: Any, limit: int = SAMPLE) -> Any:
    """Evenly spaced elements of a raw array, at most `limit`; a view of it."""
    steps = [1] * array.ndim
    sides = list(array.shape)
    while int(np.prod(sides, dtype=np.float64)) > limit:
        d = max(range(array.ndim), key=lambda d: sides[d])
        steps[d] *= 2
        sides[d] = -(-array.shape[d] // steps[d])
    return array[tuple(slice(None, None, step) for step in steps)]


def _real(array: np.ndarray) -> np.ndarray:
    """Numbers as float64; complex ones by their size."""
    if array.dtype.kind == "c":
        return np.abs(array).astype(np.float64)
    return array.astype(np.float64)


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


# -- words -----------------------------------------------------------------------------------------


def title(tensor: Tensor) -> str:
    """Class, shape, dtype, device and whether gradients flow, in one line of plain text."""
    shape = " \N{MULTIPLICATION SIGN} ".join(map(str, tensor.shape)) or "0-d"
    words = [f"{type(tensor).__name__} {shape}", tensor.dtype.name, str(tensor.device)]
    if tensor.edge is LEAF:
        words.append("requires_grad")
    elif tensor.edge is not None:
        words.append(f"grad_fn={tensor.edge.name()}")
    return " \N{MIDDLE DOT} ".join(words)


def summary(values: np.ndarray, kind: str, sampled: bool) -> str:
    """Smallest, mean and largest of some values, and how many are nan or infinite."""
    if not values.size:
        return "no elements"
    known = values[np.isfinite(values)]
    words = []
    if kind == "b":
        words.append(f"{int(values.sum())} of {values.size} true")
    elif known.size:
        of = "|x| " if kind == "c" else ""
        with np.errstate(all="ignore"):
            middle = float(np.mean(known))
            if not np.isfinite(middle):  # the sum overflows
                middle = float(np.sum(known / known.size))
        words += [
            f"{of}min {_number(float(known.min()))}",
            f"mean {_number(middle)}",
            f"max {_number(float(known.max()))}",
        ]
    for name, count in (("nan", np.isnan(values).sum()), ("inf", np.isinf(values).sum())):
        if count:
            words.append(f"{int(count)} {name}")
    if sampled:
        words.append(f"of a sample of {values.size:,} elements")
    return " \N{MIDDLE DOT} ".join(words)


# -- pictures --------------------------------------------------------------------------------------


def _channels(shape: tuple[int, ...]) -> bool:
    return len(shape) in (3, 4) and shape[-3] in (1, 3, 4) and min(shape[-2:]) > 1


def _shrunk(array: Any, side: int) -> Any:
    """Every k-th row and column of (…, H, W), so that neither has more than `side`."""
    step = max(1, -(-max(array.shape[-2:]) // side))
    return array[..., ::step, ::step]


def _fitting(make: Any, side: int) -> tuple[bytes, Any]:
    """The largest picture that keeps to the budget: `make(side)` gives its bytes and its size."""
    while True:
        data, size = make(side)
        if len(data) <= BUDGET or side <= 8:
            return data, size
        side = int(side * 0.8)


def _shown(size: tuple[int, int]) -> tuple[int, int]:
    """CSS pixels: small pictures enlarged by a whole factor, the longer side up to 160."""
    factor = max(1, 160 // max(size))
    return size[0] * factor, size[1] * factor


def _matrix(array: Any, what: str) -> str:
    def make(side: int) -> tuple[bytes, tuple[int, int]]:
        held = _real(to_numpy(_shrunk(array, side)))
        return picture.heat_map(held), held.shape

    data, size = _fitting(make, 128)
    return picture.image_tag(data, f"heat map of {what}", _shown(size))


def _tiled(images: np.ndarray) -> np.ndarray:
    """(N, C, H, W) side by side in rows of about the square root of N, (rows, columns, C)."""
    n, c, h, w = images.shape
    across = int(np.ceil(np.sqrt(n)))
    down = -(-n // across)
    gap = 1 if n > 1 else 0
    made = np.zeros((down * (h + gap) - gap, across * (w + gap) - gap, c), np.uint8)
    for i in range(n):
        y, x = divmod(i, across)
        made[y * (h + gap) : y * (h + gap) + h, x * (w + gap) : x * (w + gap) + w] = images[
            i
        ].transpose(1, 2, 0)
    return made


def _bytes(images: np.ndarray, kind: str) -> tuple[np.ndarray, str]:
    """Images as uint8 and how their values were read: as they are, as [0, 1], or stretched."""
    if images.dtype == np.uint8:
        return images, ""
    values = _real(images)
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    note = ""
    if not (kind in "fVb" and low >= 0 and high <= 1):
        note = f", black at {_number(low)}, white at {_number(high)}"
        with np.errstate(all="ignore"):
            values = (values - low) / ((high - low) or 1.0)
    filled = np.nan_to_num(values, nan=0.5, posinf=1.0, neginf=0.0)
    return (np.clip(filled, 0, 1) * 255).round().astype(np.uint8), note


def _images(array: Any, what: str, kind: str) -> str:
    batch = array if array.ndim == 4 else array[None]
    count = min(batch.shape[0], 16)
    across = int(np.ceil(np.sqrt(count)))
    note = ""

    def make(side: int) -> tuple[bytes, tuple[int, int]]:
        nonlocal note
        held = to_numpy(_shrunk(batch[:count], max(2, side // across)))
        pixels, note = _bytes(held, kind)
        tiled = _tiled(pixels)
        return picture.png(tiled[..., 0] if tiled.shape[2] == 1 else tiled), tiled.shape[:2]

    data, size = _fitting(make, 160)
    if array.ndim == 3:
        several = "image"
    else:
        several = f"first {count} images" if count < batch.shape[0] else "images"
    alt = f"{several} of {what}{note}"
    return picture.image_tag(data, alt, _shown(size), smooth=max(size) > 64)


def drawing(tensor: Tensor, values: np.ndarray) -> str:
    """The picture that suits the shape, as HTML: heat map, images, or a histogram."""
    array, shape = tensor.array, tuple(tensor.shape)
    kind = array.dtype.kind
    what = f"a tensor of shape {shape}, {summary(values, kind, False)}"
    if array.ndim == 2 and min(shape) > 1:
        return _matrix(array, what)
    if _channels(shape) and kind != "c" and shape[0]:
        return _images(array, what, kind)
    if values.size > 1:
        return picture.histogram(values.reshape(-1), f"histogram of {what}")
    return ""


# -- the bundle ------------------------------------------------------------------------------------


def html(tensor: Tensor) -> str:
    """The tensor for a notebook: values, title, summary and picture; under 30 KB."""
    array = tensor.array
    part = thinned(array)
    values = _real(to_numpy(part))
    text = repr(tensor)
    if len(text) > TEXT:
        text = text[: text.rfind("\n", 0, TEXT)] + "\n … print() shows all of it"
    drawn = drawing(tensor, values) if array.size else ""
    figure = f'<div style="flex:none">{drawn}</div>' if drawn else ""
    words = escape(summary(values, array.dtype.kind, part.size < array.size))
    return (
        '<div class="workbench-tensor" style="color:inherit;background:transparent">'
        '<pre style="margin:0;max-height:20em;overflow:auto;color:inherit;background:transparent">'
        f"{escape(text)}</pre>"
        '<div style="display:flex;flex-wrap:wrap;gap:6px 12px;align-items:center;margin-top:6px">'
        f'{figure}<div style="opacity:.75;font-size:90%">{escape(title(tensor))}<br>{words}</div>'
        "</div></div>"
    )


def repr_html(self: Tensor) -> str | None:
    """The HTML of a notebook's output; None, for the text instead, where it cannot be made."""
    if hasattr(self.array, "level"):  # within vmap there are no values to look at
        return None
    try:
        return html(self)
    except Exception:  # noqa: BLE001 - a picture is never worth an error
        return None


def repr_mimebundle(self: Tensor, include: Any = None, exclude: Any = None) -> dict[str, str]:
    """`text/plain`, the repr, and `text/html` where it can be made."""
    bundle = {"text/plain": repr(self)}
    made = repr_html(self)
    if made is not None:
        bundle["text/html"] = made
    return {
        kind: value
        for kind, value in bundle.items()
        if (not include or kind in include) and not (exclude and kind in exclude)
    }
