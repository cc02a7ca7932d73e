"""How our figures look: one palette, one set of type sizes, a light ground for paper and notebook.

Figures are made without pyplot: the user's current figure, style sheet and backend stay as they
are, and a figure can be drawn where there is no display.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from matplotlib import rc_context, rcParamsDefault
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#1f2430"
SOFT = "#6b7280"
FAINT = "#d7dbe2"
GRID = "#eceef2"
PAPER = "#ffffff"
CARD = "#fbfcfd"
TRAIN = "#3b6fd4"
VALIDATION = "#d9622b"
EDIT = "#7a5cc7"
ALARM = "#c2313f"

# One hue for each family of layers; told apart also in grey, and by the word beside it.
FAMILIES = {
    "Linear": "#3b6fd4",
    "Convolution": "#6a4fc3",
    "Activation": "#d9822b",
    "Normalization": "#1f8f8a",
    "Pooling": "#b0468f",
    "Regularization": "#8a8f2a",
    "Embedding": "#2f9e5b",
    "Shape": "#7d8796",
    "Join": "#c2313f",
    "Custom": "#4b5563",
}

# Lines of layers, first to last: a path through dark to bright that stays readable on white.
LAYER_RAMP = [
    "#2b3a8c", "#3b6fd4", "#2f9fb4", "#3fae7a", "#a3a52c", "#e08b2c", "#d0483e", "#8d2f6b",
]  # fmt: skip

# A heat map that ends in warnings: pale for vanishing, through blue, to red for exploding.
HEAT = ["#f3f1ea", "#c9dcea", "#8db9dc", "#4f8ccb", "#3a5aa8", "#4b2f86", "#8c2a6c", "#d0413f"]

_RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture everywhere
    "font.size": 9.0,
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": FAINT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}


class Picture(Figure):
    """A matplotlib Figure that a notebook shows as a PNG, whatever backend is set."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        return png(self, dpi=self.get_dpi())

    def __repr__(self) -> str:
        width, height = self.get_size_inches()
        return f"<Picture {width:g} by {height:g} inches>"


@contextmanager
def house_style() -> Iterator[None]:
    """Our look inside the block, whatever style the user has set; theirs comes back after."""
    plain: dict[Any, Any] = {
        key: value for key, value in rcParamsDefault.items() if key.split(".")[0] in _GROUPS
    }
    plain.update(_RC)
    with rc_context(plain):
        yield


_GROUPS = {"font", "text", "axes", "xtick", "ytick", "figure", "savefig", "lines", "patch", "grid",
           "image", "path", "mathtext", "legend"}  # fmt: skip


def png(figure: Figure, dpi: float, colours: int | None = None) -> bytes:
    """The figure as a PNG; `colours`: reduced to a palette of so many, a third of the size.

    The bytes depend on the figure alone: no date, no program name in them.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings(), house_style():
        # A layer may be named in a script that the font lacks: a box is drawn instead.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    if colours is None:
        return buffer.getvalue()
    from PIL import Image  # matplotlib itself needs it

    with Image.open(buffer) as image:
        # Median cut would spend the palette on the ground and merge the lines' hues.
        reduced = image.convert("RGB").quantize(
            colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
    small = io.BytesIO()
    reduced.save(small, format="png", optimize=True)
    return small.getvalue()


def frame(ax: Axes, title: str, note: str = "") -> None:
    """Give axes our look: a title at the left, a quiet note at the right, no box."""
    ax.set_title(title, loc="left", fontsize=9.5, fontweight="bold", color=INK, pad=7,
                 parse_math=False)  # fmt: skip
    if note:
        ax.set_title(note, loc="right", fontsize=8, color=SOFT, pad=7, parse_math=False)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(FAINT)
    ax.tick_params(colors=SOFT, labelsize=8, length=3, width=0.8, color=FAINT)
    ax.grid(visible=True, axis="y", color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters in one line, the middle left out where it is longer."""
    text = " ".join(str(text).split())
    if len(text) <= limit:
        return text
    head = (limit - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def ramp(count: int) -> list[Any]:
    """`count` line colours for layers, from first to last."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("layers", LAYER_RAMP)
    return [colours(i / max(1, count - 1)) for i in range(count)]
