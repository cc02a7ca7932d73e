"""Where the boxes of a network go: rows by distance from the input, skips around the side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Box:
    """A node's place: row from the top, and x of its centre (0: the middle; 1: a box further)."""

    row: int
    x: float


@dataclass(frozen=True)
class Wire:
    """A line from `source` to `target`; `lane` > 0: around the right side, further out each."""

    source: str
    target: str
    lane: int = 0


@dataclass(frozen=True)
class Layout:
    """Boxes by id, wires, and the numbers of rows and lanes."""

    boxes: dict[str, Box]
    wires: list[Wire]
    rows: int
    lanes: int


def arrange(nodes: Sequence[Mapping[str, Any]]) -> Layout:
    """Lay out nodes (`id`, `inputs`) in their order; "input" is the first box."""
    rows = {"input": 0}
    for node in nodes:
        rows[node["id"]] = 1 + max((rows[source] for source in node["inputs"]), default=0)
    by_row: dict[int, list[str]] = {}
    for key, row in rows.items():
        by_row.setdefault(row, []).append(key)
    boxes: dict[str, Box] = {}
    for row in sorted(by_row):
        # A box wants to stand under what it reads: that keeps the lines of branches apart.
        inputs = {node["id"]: node["inputs"] for node in nodes}
        wanted = {
            key: _mean([boxes[source].x for source in inputs.get(key, []) if source in boxes])
            for key in by_row[row]
        }
        members = sorted(by_row[row], key=lambda key: wanted[key])
        middle = _mean(list(wanted.values())) if len(members) == 1 else 0.0
        for place, key in enumerate(members):
            boxes[key] = Box(row, middle + place - (len(members) - 1) / 2)
    wires: list[Wire] = []
    taken: list[tuple[int, int, int]] = []
    for node in nodes:
        for source in node["inputs"]:
            first, last = rows[source], rows[node["id"]]
            lane = 0
            if last - first > 1:
                lane = 1
                while any(lane == other and first < b and a < last for a, b, other in taken):
                    lane += 1
                taken.append((first, last, lane))
            wires.append(Wire(source, node["id"], lane))
    return Layout(boxes, wires, len(by_row), max((wire.lane for wire in wires), default=0))


def collapse(nodes: Sequence[Mapping[str, Any]], limit: int) -> list[dict[str, Any]]:
    """At most about `limit` nodes: of a longer network the middle becomes one node that says so."""
    every = [dict(node) for node in nodes]
    if len(every) <= limit:
        return every
    head, tail = (limit - 1) // 2, (limit - 1) - (limit - 1) // 2
    hidden = every[head : len(every) - tail]
    ids = {node["id"] for node in hidden}
    last = every[head - 1]["id"] if head else "input"
    parameters = sum(node.get("parameters") or 0 for node in hidden)
    middle = {
        "id": "…", "name": f"{len(hidden)} more layers", "type": "", "family": "Shape",
        "inputs": [last], "shape": hidden[-1].get("shape"), "parameters": parameters,
        "frozen": False, "repr": "",
    }  # fmt: skip
    rest = every[len(every) - tail :]
    for node in rest:
        sources = ["…" if source in ids else source for source in node["inputs"]]
        node["inputs"] = list(dict.fromkeys(sources))
    return [*every[:head], middle, *rest]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
