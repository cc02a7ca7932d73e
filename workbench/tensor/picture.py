"""Small pictures of arrays, written by hand: PNG for matrices and images, SVG for histograms.

PNG is zlib between four chunks (W3C PNG specification, 2nd edition); nothing but NumPy is needed.
"""

from __future__ import annotations

import base64
import struct
import zlib
from html import escape

import numpy as np

# Colour maps by a few of their colours; the rest is interpolated.
_RISING = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_BOTH_WAYS = (
    (33, 102, 172), (103, 169, 207), (247, 247, 247), (239, 138, 98), (178, 24, 43),
)  # fmt: skip
_NAN = (128, 128, 128)  # the palette's last colour


def palette(colours: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """255 colours between the given ones and the one for nan, (256, 3) uint8."""
    ends = np.linspace(0, 1, len(colours))
    places = np.linspace(0, 1, 255)
    bands = [np.interp(places, ends, [c[i] for c in colours]) for i in range(3)]
    return np.vstack([np.stack(bands, 1), [_NAN]]).round().astype(np.uint8)


def png(pixels: np.ndarray, colours: np.ndarray | None = None) -> bytes:
    """A PNG of uint8 pixels: (H, W) grey or, with a palette, its places; (H, W, 3 or 4) colours."""
    height, width = pixels.shape[:2]
    kind = 3 if colours is not None else {2: 0, 3: 2}.get(pixels.ndim, 0)
    if pixels.ndim == 3:
        kind = 2 if pixels.shape[2] == 3 else 6
    rows = pixels.reshape(height, -1)
    if kind in (2, 6):  # neighbours are alike: their differences pack better
        step = pixels.shape[2]
        rows = rows.copy()
        rows[:, step:] = rows[:, step:] - pixels.reshape(height, -1)[:, :-step]
    mark = np.full((height, 1), 1 if kind in (2, 6) else 0, np.uint8)
    body = zlib.compress(np.hstack([mark, rows]).tobytes(), 9)
    parts = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))]
    if colours is not None:
        parts.append(_chunk(b"PLTE", colours.tobytes()))
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, _chunk(b"IDAT", body), _chunk(b"IEND", b"")])


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def heat_map(values: np.ndarray) -> bytes:
    """A PNG of a matrix of float64: blue to red through white where signs differ, else rising."""
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0, 0)
    colours = _RISING
    if low < 0 < high:
        colours, high = _BOTH_WAYS, max(-low, high)
        low = -high
    half = 0.5 if np.isfinite(high - low) else 0.25  # the range itself may overflow
    span = (high * half - low * half) or 1.0
    with np.errstate(all="ignore"):
        places = np.clip((values * half - low * half) / span * 254, 0, 254)
    places = np.where(np.isnan(places), 255, places).round().astype(np.uint8)
    return png(places, palette(colours))


def image_tag(data: bytes, alt: str, size: tuple[int, int], smooth: bool = False) -> str:
    """An <img> of a PNG, (height, width) in CSS pixels, with its description."""
    rendering = "auto" if smooth else "pixelated"
    source = base64.b64encode(data).decode()
    return (
        f'<img alt="{escape(alt)}" title="{escape(alt)}" width="{size[1]}" height="{size[0]}" '
        f'style="image-rendering:{rendering};display:block;max-width:100%" '
        f'src="data:image/png;base64,{source}">'
    )


def histogram(values: np.ndarray, alt: str, bins: int = 32) -> str:
    """An inline SVG of how finite values are spread, in the colour of the text around it."""
    values = values[np.isfinite(values)]
    if not values.size:
        return ""
    low, high = float(values.min()), float(values.max())
    half = 0.5 if np.isfinite(high - low) else 0.25  # the range itself may overflow
    span = high * half - low * half
    with np.errstate(all="ignore"):
        places = (values * half - low * half) / span * bins if span else values * 0 + bins // 2
    counts = np.bincount(np.clip(places, 0, bins - 1).astype(np.int64), minlength=bins)
    top = int(counts.max()) or 1
    width, height = 160, 36
    step = width / bins
    bars = "".join(
        f"M{i * step:.1f} {height}v-{max(1.0, count / top * height):.1f}h{step - 1:.1f}V{height}z"
        for i, count in enumerate(counts.tolist())
        if count
    )
    return (
        f'<svg role="img" aria-label="{escape(alt)}" width="{width}" height="{height + 1}" '
        f'viewBox="0 0 {width} {height + 1}" style="display:block;max-width:100%">'
        f"<title>{escape(alt)}</title>"
        f'<path d="{bars}" fill="currentColor" fill-opacity="0.55"/>'
        f'<path d="M0 {height + 0.5}H{width}" stroke="currentColor" stroke-opacity="0.4"/></svg>'
    )
