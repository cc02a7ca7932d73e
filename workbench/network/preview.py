"""What an edit would do, and what it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .edits import Edit
from .palette import batched

if TYPE_CHECKING:
    from .draft import Draft
    from .history import LogEntry
    from .state import State


@dataclass(frozen=True)
class Preview:
    """What an edit would change. Pairs are (before, after).

    Attributes:
        edit: the edit with its choices (name, id, seed) filled in: applying it does just this.
        parameters: number of parameters. flops: per example. memory: bytes of parameters,
            buffers and one example's outputs.
        shapes: id → output shape, of the layers whose output shape is new.
        changes: the changes in words.
        kept: names of replaced layers whose weights and optimizer state stay.
        delta: the largest |change of an output| on the probe, or None without a probe or when
            the output's shape changes.
    """

    edit: Edit
    code: str
    label: str
    parameters: tuple[int, int]
    flops: tuple[int, int]
    memory: tuple[int, int]
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    delta: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The preview as JSON values."""
        return {
            "ok": True,
            "code": self.code,
            "label": self.label,
            "parameters": list(self.parameters),
            "flops": list(self.flops),
            "memory": list(self.memory),
            "shapes": {id_: list(shape) for id_, shape in self.shapes.items()},
            "changes": list(self.changes),
            "kept": list(self.kept),
            "delta": self.delta,
        }

    def __str__(self) -> str:
        rows = [self.label, f"  {self.code}"]
        for title, (before, after) in (
            ("parameters", self.parameters),
            ("FLOPs per example", self.flops),
            ("bytes", self.memory),
        ):
            rows.append(f"  {title}: {before:,} → {after:,}")
        rows += [f"  {change}" for change in self.changes]
        if self.delta is not None:
            rows.append(f"  largest change of an output on the probe: {self.delta:.3g}")
        return "\n".join(rows)


@dataclass(frozen=True)
class EditResult:
    """What an edit did.

    Attributes:
        edit: the edit with its choices filled in. entry: its line in the log.
        id, name: of the layer it was about.
        kept: names of replaced layers whose weights and optimizer state stayed.
        changes: the changes in words.
    """

    edit: Edit
    entry: LogEntry
    id: str
    name: str
    kept: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The Python line that does the same."""
        return self.entry.code

    @property
    def label(self) -> str:
        """What was done, in a few words."""
        return self.entry.label

    def __repr__(self) -> str:
        return "\n".join([f"{self.label}: {self.code}", *(f"  {c}" for c in self.changes)])


def changes(draft: Draft, before: State) -> tuple[str, ...]:
    """The changes a draft would make, in words."""
    lines = []
    for node in draft.graph:
        new = draft.values[node.id].shape
        had = before.values.get(node.id)
        if had is None:
            reads = " and ".join(batched(draft.values[s].shape) for s in node.inputs)
            lines.append(f"{node.name}: {reads} → {batched(new)}")
        elif had.shape != new:
            lines.append(f"{node.name}: its output {batched(had.shape)} becomes {batched(new)}")
        if node.id in draft.adapted:
            lines.append(f"{node.name}: becomes {draft.adapted[node.id]}, with new weights")
    lines += [f"{name}: keeps its weights and optimizer state" for name in draft.kept]
    return (*lines, *draft.notes)


def new_shapes(draft: Draft, before: State) -> dict[str, tuple[int, ...]]:
    """Output shapes of the layers that are new or whose output shape changes, by id."""
    return {
        node.id: draft.values[node.id].shape
        for node in draft.graph
        if node.id not in before.values
        or before.values[node.id].shape != draft.values[node.id].shape
    }
