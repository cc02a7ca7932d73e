"""A run as a figure, and the bench as a picture."""

from __future__ import annotations

from typing import Any

from .curves import draw_curve, draw_gradients, draw_heat, draw_nothing, gradient_keys
from .layout import arrange
from .network import describe, extent, paint, shortened
from .style import INK, SOFT, Picture, house_style, png, shorten


def plot_run(run: Any) -> Picture:
    """A figure of the run: loss, metrics, gradient norms by layer and their heat map.

    Nothing in it depends on how long anything took: the same run gives the same figure.
    """
    metrics = _metrics(run)
    curves = ["loss", *metrics[:3]]
    gradients = bool(gradient_keys(run))
    rows = 2 if gradients else 1
    with house_style():
        figure = Picture(figsize=(9.0, 2.75 * rows + 0.55), dpi=110)
        top = 1 - 0.62 / figure.get_size_inches()[1]
        grid = figure.add_gridspec(
            rows, 1, left=0.075, right=0.925, top=top, bottom=0.5 / (2.75 * rows + 0.55),
            hspace=0.42,
        )  # fmt: skip
        upper = grid[0].subgridspec(1, len(curves), wspace=0.2)
        for place, key in enumerate(curves):
            ax = figure.add_subplot(upper[place])
            draw_curve(ax, run, key, key)
            if not gradients:
                ax.set_xlabel("step", fontsize=8)
        if gradients:
            lower = grid[1].subgridspec(1, 2, wspace=0.38)
            for place, draw in enumerate((draw_gradients, draw_heat)):
                ax = figure.add_subplot(lower[place])
                draw(ax, run)
                ax.set_xlabel("step", fontsize=8)
        _heading(figure, run)
    return figure


def bench_picture(run: Any, width: int = 920) -> bytes:
    """The bench as a PNG, `width` pixels wide: network, loss, accuracy, gradients. At most 60 KB.

    What a saved notebook shows in place of the live view. The same for the same run: no timing.
    """
    dpi = 100
    with house_style():
        graph = shortened(describe(run.network), 10)
        layout = arrange(graph["nodes"])
        wide, high = extent(layout)
        inches = width / dpi
        column = 0.36 * inches
        # The network's column sets the height, within reason.
        height = min(7.2, max(4.4, high * column / wide + 0.75))
        figure = Picture(figsize=(inches, height), dpi=dpi)
        top, bottom = 1 - 0.62 / height, 0.42 / height
        share = column / inches
        network = figure.add_axes((0.012, 0.02, share, top - 0.02 + 0.1 / height))
        paint(network, graph, layout)
        metrics = _metrics(run)
        left, right = share + 0.085, 0.945
        if run.step_count:
            grid = figure.add_gridspec(
                2, 1, left=left, right=right, top=top - 0.1 / height, bottom=bottom, hspace=0.28
            )
            curves = ["loss", *metrics[:1]]
            upper = grid[0].subgridspec(1, len(curves), wspace=0.24)
            for place, key in enumerate(curves):
                draw_curve(figure.add_subplot(upper[place]), run, key, key)
            draw_heat(figure.add_subplot(grid[1]), run, most=14)
        else:
            ax = figure.add_axes((left, bottom, right - left, top - bottom))
            draw_nothing(ax, "not trained yet")
        _heading(figure, run)
        for colours in (160, 80, 40):
            picture = png(figure, dpi=dpi, colours=colours)
            if len(picture) <= 60_000:
                break
    return picture


def _metrics(run: Any) -> list[str]:
    keys = [key for key in run.recorder.keys() if ":" not in key]  # noqa: SIM118 - not a dict
    plain = [key.removeprefix("val/") for key in keys]
    return [key for key in dict.fromkeys(plain) if key != "loss"]


def _heading(figure: Picture, run: Any) -> None:
    width, height = figure.get_size_inches()
    left = 0.14 / width
    y = 1 - 0.24 / height
    figure.text(left, y, shorten(run.name, 40), fontsize=12, fontweight="bold", color=INK,
                va="center", parse_math=False)  # fmt: skip
    parameters = sum(p.numel() for p in run.network.parameters())
    facts = [
        f"{parameters:,} parameters",
        type(run.optimizer).__name__,
        f"lr {run.lr:g}",
        run.loss_name,
        f"step {run.step_count:,}",
    ]
    state = run.state
    if state == "failed" and run.error is not None:
        facts.append(f"failed: {shorten(run.error.message, 60)}")
    figure.text(1 - left, y, "  ·  ".join(map(str, facts)), fontsize=8.5, color=SOFT, ha="right",
                va="center", parse_math=False)  # fmt: skip
