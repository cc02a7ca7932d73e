"""The log of edits, and what it takes to go back and forth in it."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

from workbench import nn

from .edits import Edit, Insert, Remove, Rename
from .names import quoted
from .state import State


@dataclass
class LogEntry:
    """An edit that was applied, in order.

    Attributes:
        seq: number of the edit, from 1.
        edit: the edit with its choices filled in.
        label: what it did, in a few words.
        code: the Python line that does the same.
        step: the training step before which it was applied; None outside of training.
        state: "applied" or "undone".
        layer_id: id of the layer it was about.
    """

    seq: int
    edit: Edit
    label: str
    code: str
    step: int | None = None
    state: str = "applied"
    layer_id: str = ""

    def __repr__(self) -> str:
        when = "" if self.step is None else f", before step {self.step}"
        return f"edit {self.seq} ({self.state}{when}): {self.label}: {self.code}"

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON values; its edit is null when values cannot describe it."""
        try:
            edit = self.edit.to_dict()
        except ValueError:
            edit = None
        return {
            "seq": self.seq,
            "label": self.label,
            "code": self.code,
            "step": self.step,
            "state": self.state,
            "edit": edit,
        }


@dataclass
class Change:
    """What undo and redo need: the network on both sides of an edit, and what left it."""

    entry: LogEntry
    before: State
    after: State
    flags: list[tuple[nn.Parameter, bool, bool]] = field(default_factory=list)
    share: list[tuple[nn.Module, nn.Module]] = field(default_factory=list)
    joined: list[nn.Parameter] = field(default_factory=list)
    undone: weakref.WeakKeyDictionary[Any, Any] = field(default_factory=weakref.WeakKeyDictionary)
    done: weakref.WeakKeyDictionary[Any, Any] = field(default_factory=weakref.WeakKeyDictionary)
    """Shelves: `done` holds what left when it was applied, `undone` what left when undone."""


def what_became(reference: str, log: list[LogEntry]) -> str | None:
    """What the log says about a layer that is not there (any more), or None when nothing."""
    for entry in reversed(log):
        edit = entry.edit
        when = f"edit {entry.seq}" + ("" if entry.step is None else f", before step {entry.step}")
        applied = entry.state == "applied"
        if isinstance(edit, Remove) and applied and reference in (edit.layer, entry.layer_id):
            return f"it was removed ({when})"
        if isinstance(edit, Insert) and not applied and reference in (edit.name, entry.layer_id):
            return f"the edit that brought it was undone ({when})"
        if isinstance(edit, Rename):
            old, new = (edit.layer, edit.name) if applied else (edit.name, edit.layer)
            if reference == old:
                verb = "it was renamed to" if applied else "its new name was undone, it is again"
                return f"{verb} {quoted(new)} ({when})"
    return None
