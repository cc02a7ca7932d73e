"""A flame chart: time from left to right, what is called below what calls it."""

from __future__ import annotations

from html import escape

from .events import Event

_COLOURS = {
    "op": "#4c78a8", "backward": "#e45756", "module": "#54a24b", "user": "#b279a2",
    "replay": "#f58518",
}  # fmt: skip
_ROW = 18
_NARROW = 0.6  # pixels below which an event is left out


class Flame:
    """The chart as SVG; in a notebook it shows itself. Hover for times."""

    def __init__(self, roots: list[Event], width: int) -> None:
        self._width = width
        self._start = min((r.start for r in roots), default=0.0)
        end = max((r.end for r in roots), default=1.0)
        self._scale = width / max(end - self._start, 1e-12)
        self._parts: list[str] = []
        self._depth = 0
        self.left_out = 0
        for root in roots:
            self._draw(root, 0)

    def _draw(self, event: Event, depth: int) -> None:
        width = event.seconds * self._scale
        if width < _NARROW:
            self.left_out += sum(1 for _ in event.walk())
            return
        self._depth = max(self._depth, depth + 1)
        x, y = (event.start - self._start) * self._scale, depth * _ROW
        title = escape(f"{event.name}: {event.seconds * 1e3:.3f} ms ({event.kind})")
        room = int(width / 6.5)
        label = event.name if len(event.name) <= room else event.name[: room - 1] + "…"
        text = (
            f'<text x="{x + 3:.1f}" y="{y + 12}" font-size="10" fill="#fff">{escape(label)}</text>'
            if room >= 3
            else ""
        )
        self._parts.append(
            f'<g><title>{title}</title><rect x="{x:.1f}" y="{y}" rx="2" height="{_ROW - 2}" '
            f'width="{max(width - 0.5, 0.3):.1f}" fill="{_COLOURS[event.kind]}"/>{text}</g>'
        )
        for child in event.children:
            self._draw(child, depth + 1)

    def __str__(self) -> str:
        height = max(1, self._depth) * _ROW
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="Flame chart" '
            f'viewBox="0 0 {self._width} {height}" width="100%" '
            f'style="font-family:sans-serif;max-width:{self._width}px">{"".join(self._parts)}</svg>'
        )

    def _repr_html_(self) -> str:
        note = f"<small>{self.left_out} events too short to draw</small>" if self.left_out else ""
        return f"<div>{self}{note}</div>"

    def __repr__(self) -> str:
        return f"<flame chart, {len(self._parts)} events>"
