"""Tables and traces of a profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .events import MODULE, OP, Event


@dataclass(slots=True)
class Average:
    """Events of one name. Times in microseconds, as torch's; memory in bytes."""

    key: str
    count: int = 0
    cpu_time_total: float = 0.0
    self_cpu_time_total: float = 0.0
    cpu_memory_usage: int = 0
    self_cpu_memory_usage: int = 0
    input_shapes: str = ""

    @property
    def cpu_time(self) -> float:
        """The mean time of one."""
        return self.cpu_time_total / max(1, self.count)

    def add(self, event: Event) -> None:
        """Take one event in."""
        self.count += 1
        self.cpu_time_total += event.seconds * 1e6
        self.self_cpu_time_total += event.own_seconds * 1e6
        self.cpu_memory_usage += event.all_bytes
        self.self_cpu_memory_usage += event.nbytes


class Averages:
    """Events by name, as a sequence and as a table."""

    def __init__(
        self,
        events: list[Event],
        *,
        by_shape: bool = False,
        key: Callable[[Event], str] | None = None,
    ) -> None:
        found: dict[tuple[str, str], Average] = {}
        for event in events:
            name = key(event) if key is not None else event.name
            shapes = str([list(s) for s in event.shapes]) if by_shape else ""
            found.setdefault((name, shapes), Average(name, input_shapes=shapes)).add(event)
        self._rows = list(found.values())

    def __iter__(self) -> Iterator[Average]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, i: int) -> Average:
        return self._rows[i]

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of all events."""
        return sum(row.self_cpu_time_total for row in self._rows)

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, header: str | None = None, **_: Any
    ) -> str:
        """The rows as text, most time first or by `sort_by` (torch's names; cuda_… is cpu_…).

        Raises AttributeError for a column that there is not.
        """
        by = (sort_by or "self_cpu_time_total").replace("cuda_", "cpu_").replace("device_", "cpu_")
        rows = sorted(self._rows, key=lambda row: getattr(row, by), reverse=True)[:row_limit]
        total = self.self_cpu_time_total or 1.0
        shapes = any(row.input_shapes for row in rows)
        width = max([len("Name"), *(len(row.key) for row in rows)])
        numbers = "{:>7}  {:>10}  {:>10}  {:>10}  {:>7}  {:>10}"
        titles = f"{'Name':<{width}}  " + numbers.format(
            "Self %", "Self", "Total", "Mean", "Calls", "Memory"
        )
        titles += "  Input shapes" if shapes else ""
        lines = [header] if header else []
        lines += [titles, "-" * len(titles)]
        for row in rows:
            values = numbers.format(
                f"{100 * row.self_cpu_time_total / total:.1f}%", _time(row.self_cpu_time_total),
                _time(row.cpu_time_total), _time(row.cpu_time), row.count,
                _memory(row.cpu_memory_usage),
            )  # fmt: skip
            more = f"  {row.input_shapes}" if shapes else ""
            lines.append(f"{row.key:<{width}}  {values}{more}")
        lines += ["-" * len(titles), f"Self CPU time total: {_time(self.self_cpu_time_total)}"]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.table()


def by_layer(roots: list[Event]) -> Averages:
    """Modules by their path; what runs outside of any counts as "(outside)"."""
    events = [event for root in roots for event in root.walk()]
    layers = [event for event in events if event.kind == MODULE]
    loose = [e for e in events if e.kind != MODULE and (not e.layer or _replayed(e, layers))]
    return Averages(layers + loose, key=lambda e: e.layer or f"({e.kind}, outside)")


def _replayed(event: Event, layers: list[Event]) -> bool:
    return not layers and event.kind == OP


def _time(microseconds: float) -> str:
    if microseconds < 1e3:
        return f"{microseconds:.1f} us"
    return f"{microseconds / 1e3:.2f} ms" if microseconds < 1e6 else f"{microseconds / 1e6:.2f} s"


def _memory(n: float) -> str:
    for unit in ("B", "KB", "MB"):
        if n < 1024:
            return f"{n:.0f} {unit}"
        n /= 1024
    return f"{n:.1f} GB"


def chrome_trace(events: list[Event]) -> dict[str, Any]:
    """The events in the Trace Event Format ("X" events, microseconds)."""
    start = min((e.start for e in events), default=0.0)
    return {
        "displayTimeUnit": "ms",
        "traceEvents": [
            {
                "name": e.name, "cat": e.kind, "ph": "X", "pid": 0, "tid": e.thread,
                "ts": (e.start - start) * 1e6, "dur": e.seconds * 1e6,
                "args": {"layer": e.layer, "shapes": [list(s) for s in e.shapes],
                         "bytes": e.nbytes},
            }
            for e in events
        ],
    }  # fmt: skip
