"""The panels of a run's figure: loss and metrics, and gradients layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle

from .style import (
    ALARM,
    EDIT,
    FAINT,
    HEAT,
    PAPER,
    SOFT,
    TRAIN,
    VALIDATION,
    frame,
    ramp,
    shorten,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 600
COLUMNS = 160  # of the heat map

# Gradient norms outside of these are marked; rough bounds, for the eye.
VANISHING, EXPLODING = 1e-6, 1e3

MARKED = {"edit": EDIT, "error": ALARM}


def smooth(values: np.ndarray, span: float = 0.03) -> np.ndarray:
    """Exponential mean over `span` of the points, without the pull to zero at the start."""
    if len(values) < 3:
        return values
    decay = 1 - 1 / max(2.0, span * len(values))
    out = np.empty(len(values))
    mean = weight = 0.0
    for place, value in enumerate(values):
        if np.isfinite(value):
            mean = decay * mean + (1 - decay) * float(value)
            weight = decay * weight + (1 - decay)
        out[place] = mean / weight if weight else np.nan
    return out


def draw_curve(ax: Axes, run: Any, key: str, title: str) -> None:
    """One measurement over steps: as it came (pale), smoothed, on the test split, and the marks."""
    recorder = run.recorder
    parts = []
    if key in recorder:
        steps, values = recorder.history(key, POINTS)
        ax.plot(steps, values, color=TRAIN, linewidth=0.7, alpha=0.28, solid_joinstyle="round")
        ax.plot(steps, smooth(values), color=TRAIN, linewidth=1.7, solid_capstyle="round")
        if len(values):
            parts.append((f"train {smooth(values)[-1]:.3g}", TRAIN))
    if f"val/{key}" in recorder:
        steps, values = recorder.history(f"val/{key}", POINTS)
        ax.plot(steps, values, color=VALIDATION, linewidth=1.1, marker="o",
                markersize=3.4 if len(steps) < 60 else 1.6, markeredgewidth=0)  # fmt: skip
        if len(values):
            parts.append((f"test {values[-1]:.3g}", VALIDATION))
    frame(ax, title)
    _legend(ax, parts)
    _limits(ax, run, key)
    _draw_marks(ax, run, labelled=key == "loss")


def _legend(ax: Axes, parts: list[tuple[str, str]]) -> None:
    """The newest values above the panel, each in the colour of its line."""
    from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea

    if not parts:
        return
    areas: list[Any] = [
        TextArea(text, textprops={"color": colour, "fontsize": 8, "parse_math": False})
        for text, colour in parts
    ]
    row = HPacker(children=areas, pad=0, sep=9)
    ax.add_artist(
        AnchoredOffsetbox("lower right", child=row, pad=0, borderpad=0.6, frameon=False,
                          bbox_to_anchor=(1, 1), bbox_transform=ax.transAxes)
    )  # fmt: skip


def _limits(ax: Axes, run: Any, key: str) -> None:
    drawn = [np.asarray(line.get_ydata(), float) for line in ax.lines]
    values = np.concatenate(drawn) if drawn else np.zeros(0)
    values = values[np.isfinite(values)]
    if key == "accuracy":
        low = float(values.min()) if len(values) else 0.0
        ax.set_ylim(max(0.0, low - 0.05), 1.02)
    else:
        if len(values) and values.min() > 0 and values.max() > 50 * np.median(values):
            ax.set_yscale("log")
        elif len(values) and values.min() >= 0:
            # One spike must not flatten the rest.
            ax.set_ylim(0, max(float(np.quantile(values, 0.995)) * 1.12, 1e-12))
    ax.set_xlim(0, max(1, run.step_count))


def _draw_marks(ax: Axes, run: Any, labelled: bool) -> None:
    shown = [mark for mark in run.recorder.marks if mark.kind in MARKED or mark.kind == "lr"]
    for mark in shown[-40:]:
        colour = MARKED.get(mark.kind, SOFT)
        ax.axvline(mark.step, color=colour, linewidth=0.8, alpha=0.75,
                   linestyle=(0, (1, 2)) if mark.kind == "lr" else (0, (4, 2)))  # fmt: skip
    told = [mark for mark in shown if mark.kind in MARKED][-4:] if labelled else []
    for place, mark in enumerate(told):
        far = mark.step > 0.7 * max(1, run.step_count)
        ax.annotate(shorten(mark.label, 28), (mark.step, 0.97 - 0.1 * place),
                    xycoords=("data", "axes fraction"), xytext=(-4 if far else 4, 0),
                    textcoords="offset points", ha="right" if far else "left", va="top",
                    fontsize=6.8, color=MARKED[mark.kind], parse_math=False,
                    bbox={"facecolor": PAPER, "alpha": 0.8, "pad": 0.8, "lw": 0})  # fmt: skip


def gradient_keys(run: Any) -> list[tuple[str, str]]:
    """(key, layer's name) of every layer whose gradients were recorded, in the network's order."""
    return [
        (f"grad_norm:{layer}", name)
        for layer, name in run.layer_names.items()
        if f"grad_norm:{layer}" in run.recorder
    ]


def draw_gradients(ax: Axes, run: Any) -> None:
    """The gradient norm of each layer over steps, on a log scale."""
    frame(ax, "gradient norm by layer")
    keys = gradient_keys(run)
    ends = []
    for (key, name), colour in zip(keys, ramp(len(keys)), strict=True):
        steps, values = run.recorder.history(key, POINTS)
        seen = values > 0
        if not seen.any():
            continue
        logs = smooth(np.log10(values[seen]), 0.02)
        ax.plot(steps[seen], 10**logs, color=colour, linewidth=1.3)
        ends.append((10 ** logs[-1], name, colour))
    if ends:
        ax.set_yscale("log")
        _bounds(ax)
        _end_labels(ax, ends)
    ax.set_xlim(0, max(1, run.step_count))
    _draw_marks_quietly(ax, run)


def _bounds(ax: Axes) -> None:
    low, high = ax.get_ylim()
    for bound, word in ((VANISHING, "vanishing"), (EXPLODING, "exploding")):
        if low < bound < high:
            ax.axhline(bound, color=ALARM, linewidth=0.8, linestyle=(0, (2, 2)), alpha=0.7)
            ax.annotate(word, (0.01, bound), xycoords=("axes fraction", "data"), fontsize=6.8,
                        color=ALARM, va="bottom" if bound == EXPLODING else "top")  # fmt: skip


def _end_labels(ax: Axes, ends: list[tuple[float, str, Any]]) -> None:
    """Names at the right ends of the lines, pushed apart where they would cover each other."""
    low, high = np.log10(ax.get_ylim())
    root: Any = ax.get_figure(root=True)
    height = ax.get_position().height * root.get_size_inches()[1]
    least = 0.125 / max(height, 0.3)  # a line of text, as a share of the axes
    shown = sorted(ends, key=lambda end: end[0])
    if len(shown) > 1 / least:
        shown = shown[:: int(np.ceil(len(shown) * least))]
    places = [(np.log10(value) - low) / (high - low) for value, _, _ in shown]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + least)
    over = (places[-1] if places else 0) - 1.0
    if over > 0:
        for i in reversed(range(len(places))):
            limit = 1.0 if i == len(places) - 1 else places[i + 1] - least
            places[i] = min(places[i], limit)
    for place, (_, name, colour) in zip(places, shown, strict=True):
        ax.annotate(shorten(name, 14), (1.0, place), xycoords="axes fraction", xytext=(5, 0),
                    textcoords="offset points", fontsize=7, color=colour, va="center",
                    annotation_clip=False, parse_math=False)  # fmt: skip


def _draw_marks_quietly(ax: Axes, run: Any) -> None:
    for mark in [mark for mark in run.recorder.marks if mark.kind in MARKED][-40:]:
        ax.axvline(mark.step, color=MARKED[mark.kind], linewidth=0.7, alpha=0.5,
                   linestyle=(0, (4, 2)))  # fmt: skip


def draw_heat(ax: Axes, run: Any, most: int = 24) -> None:
    """Gradient norms as a heat map: a row for each layer, first on top, steps to the right."""
    from matplotlib.colors import LinearSegmentedColormap

    keys = gradient_keys(run)
    if len(keys) > most:
        keys = [keys[i] for i in np.linspace(0, len(keys) - 1, most).round().astype(int)]
    frame(ax, "gradient heat map", "log₁₀ ‖g‖")
    ax.grid(visible=False)
    last = max(1, run.step_count)
    columns = min(COLUMNS, last)
    edges = np.linspace(0, last, columns + 1)
    rows = np.full((len(keys), columns), np.nan)
    for row, (key, _) in enumerate(keys):
        steps, values = run.recorder.history(key, 4 * COLUMNS)
        seen = values > 0
        place = np.clip(np.searchsorted(edges, steps[seen]) - 1, 0, columns - 1)
        logs = np.log10(values[seen])
        count = np.bincount(place, minlength=columns)
        with np.errstate(invalid="ignore"):
            rows[row] = np.bincount(place, weights=logs, minlength=columns) / count
        _fill(rows[row])
    finite = rows[np.isfinite(rows)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (-3.0, 0.0)
    if high - low < 2:  # a flat map must look flat
        middle = (low + high) / 2
        low, high = middle - 1, middle + 1
    image = ax.imshow(rows, aspect="auto", interpolation="nearest", vmin=low, vmax=high,
                      cmap=LinearSegmentedColormap.from_list("heat", HEAT),
                      extent=(0, last, len(keys) - 0.5, -0.5))  # fmt: skip
    ax.set_yticks(range(len(keys)), [shorten(name, 12) for _, name in keys], fontsize=7,
                  parse_math=False)  # fmt: skip
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    bar = ax.inset_axes((1.015, 0, 0.012, 1))
    ax.figure.colorbar(image, cax=bar)
    bar.tick_params(labelsize=6.5, length=2, colors=SOFT)
    bar.locator_params(nbins=4)
    for spine in bar.spines.values():
        spine.set_visible(False)
    _draw_marks_quietly(ax, run)


def _fill(row: np.ndarray) -> None:
    """Carry the last seen value into the columns between two samples, in place."""
    seen = np.flatnonzero(np.isfinite(row))
    if len(seen):
        for place in range(seen[0], seen[-1] + 1):
            if not np.isfinite(row[place]):
                row[place] = row[place - 1]


def draw_nothing(ax: Axes, text: str) -> None:
    """An empty panel that says why it is empty."""
    ax.axis("off")
    ax.add_patch(
        Rectangle((0, 0), 1, 1, transform=ax.transAxes, facecolor="none", edgecolor=FAINT,
                  linestyle=(0, (4, 3)))
    )  # fmt: skip
    ax.text(0.5, 0.5, text, ha="center", va="center", color=SOFT, fontsize=9,
            transform=ax.transAxes, parse_math=False)  # fmt: skip
