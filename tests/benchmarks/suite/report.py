"""The table: in the terminal as rows come in, as Markdown, and as a picture."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from suite.conductor import SIDES, Result

PEERS = ("torch", "torch.compile", "jax")
COMPILERS = "best peer"  # the fastest of torch eager, torch.compile and JAX


def milliseconds(seconds: float | None) -> str:
    """Three digits; a dash where there is none."""
    if seconds is None:
        return "-"
    value = seconds * 1e3
    digits = max(0, 2 - math.floor(math.log10(max(value, 1e-3))))
    return f"{value:.{digits}f}"


def times(ratio: float | None) -> str:
    """A ratio with two digits; a dash where there is none."""
    return "-" if ratio is None else f"{ratio:.2f}"


def mean(ratios: Iterable[float | None]) -> float | None:
    """The geometric mean of those that are there."""
    logs = [math.log(ratio) for ratio in ratios if ratio]
    return math.exp(sum(logs) / len(logs)) if logs else None


HEADER = (
    "row", "torch", "compile", "jax", "eager", "captured", "eager / torch", "captured / best",
    "GFLOP/s", "of GEMM", "GB/s", "of copy", "MB torch", "MB wb",
)  # fmt: skip


def cells(result: Result, machine: dict[str, float]) -> tuple[str, ...]:
    """A row of the table."""
    row, seconds = result.row, result.seconds
    ours = min((seconds[s] for s in ("workbench", "captured") if s in seconds), default=None)
    work: list[str] = ["-"] * 4
    if ours is not None and row.mode != "infer":
        settings = row.full()
        for at, amount, best in (
            (0, row.module.flops(settings), machine["gemm"]),
            (2, row.module.traffic(settings), machine["copy"]),
        ):
            if amount:
                rate = amount / ours / 1e9
                work[at : at + 2] = [f"{rate:.1f}", f"{rate / best:.0%}"]
    known = result.peaks
    peaks = [f"{known[side]:.0f}" if side in known else "-" for side in ("torch", "workbench")]
    name = f"{row.name} ✗" if result.mismatch else row.name
    return (
        name,
        *(milliseconds(seconds.get(side)) for side in SIDES),
        times(result.ratio("workbench", "torch")),
        times(result.ratio("captured", *PEERS)),
        *work,
        *peaks,
    )


def line(values: Iterable[str]) -> str:
    """A row of the table for the terminal."""
    widths = (-18, *[11] * 5, *[16] * 2, *[9] * 6)
    return "".join(
        f"{value:>{width}}" if width > 0 else f"{value:<{-width}}"
        for value, width in zip(values, widths, strict=True)
    )


def summary(results: list[Result]) -> list[str]:
    """Means, lost rows, and notes."""
    eager = {r.row.name: r.ratio("workbench", "torch") for r in results}
    captured = {r.row.name: r.ratio("captured", *PEERS) for r in results}
    lines = []
    for label, found in (("eager / torch", eager), ("captured / best peer", captured)):
        if average := mean(found.values()):
            lost = [f"{name} {ratio:.2f}" for name, ratio in found.items() if ratio and ratio < 1]
            lines.append(
                f"{label}: mean {average:.2f} over {sum(map(bool, found.values()))} rows; "
                f"below 1: {', '.join(lost) or 'none'}"
            )
    seen = set()
    for result in results:
        if result.mismatch:
            lines.append(f"{result.row.name}: NOT THE SAME WORK: {result.mismatch}")
        for side, note in result.notes.items():
            if (side, note) not in seen:
                seen.add((side, note))
                lines.append(f"{result.row.name}, {side}: {note}")
    return lines


def markdown(
    path: Path,
    results: list[Result],
    machine: dict[str, float],
    about: list[str],
    start: dict[str, Any],
) -> None:
    """Write the table as Markdown."""
    parts = [f"- {text}" for text in about]
    parts += ["", "Median milliseconds a step; ratios above 1: workbench is faster.", ""]
    parts += ["| " + " | ".join(HEADER) + " |", "|---" + "|---:" * (len(HEADER) - 1) + "|"]
    parts += ["| " + " | ".join(cells(result, machine)) + " |" for result in results]
    parts += ["", *(f"- {text}" for text in summary(results))]
    if start:
        parts += ["", "| | import (s) | installed (MB) | with what it requires (MB) |"]
        parts += ["|---|---:|---:|---:|"]
        for name, (seconds, alone, whole) in start.items():
            parts.append(f"| {name} | {seconds:.2f} | {alone:.1f} | {whole:.0f} |")
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def picture(path: Path, results: list[Result]) -> None:
    """Draw the ratios as bars on a logarithmic axis."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter

    drawn = [r for r in results if r.ratio("workbench", "torch") or r.ratio("captured", *PEERS)]
    figure, axes = plt.subplots(figsize=(8, 1 + 0.32 * len(drawn)), layout="constrained")
    for offset, label, color, ratios in (
        (-0.18, "eager over torch eager", "#4477aa",
         [r.ratio("workbench", "torch") for r in drawn]),
        (0.18, "captured over the best peer", "#ee7733",
         [r.ratio("captured", *PEERS) for r in drawn]),
    ):  # fmt: skip
        at = [i + offset for i, ratio in enumerate(ratios) if ratio]
        axes.barh(at, [r - 1 for r in ratios if r], 0.34, left=1, color=color, label=label)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(drawn)), [r.row.name for r in drawn])
    axes.invert_yaxis()
    ticks = [0.25, 0.5, 1, 2, 4, 8]
    axes.set_xticks(ticks)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g} x"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("times as fast as the peer (right of the line: workbench is faster)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
