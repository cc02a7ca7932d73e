"""The recorder of a run: its measurements by name, and marks where something was changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .series import Envelope, Table

MARKS = 10_000  # a slider that is dragged makes many; the oldest go first


class Mark(NamedTuple):
    """Something done to the run at `step`; `kind` is "edit", "lr", "batch_size" or "error"."""

    step: int
    kind: str
    label: str

    def to_dict(self) -> dict[str, object]:
        """The mark as JSON values."""
        return self._asdict()


class Writer:
    """Writes rows of a fixed set of keys; what the training loop holds."""

    __slots__ = ("_columns", "_table", "keys")

    def __init__(self, table: Table, keys: Sequence[str]) -> None:
        self.keys = tuple(keys)
        self._table = table
        self._columns = table.columns(self.keys)

    def write(self, step: int, row: Sequence[float]) -> None:
        """One value for each of `keys`, NaN where there is none."""
        self._table.append(step, row, self._columns)


class Recorder:
    """Measurements of a run in bounded memory (about 80 bytes × 1,000 a key, whatever its length).

    Keys: "loss", each metric ("accuracy"), the same of the test split ("val/loss"), and for each
    layer "grad_norm:<id>", "weight_norm:<id>" and "update_ratio:<id>" (‖Δw‖ / ‖w‖ of one update).
    """

    def __init__(self, ring: int = 4096, buckets: int = 1024) -> None:
        self._sizes = (ring, buckets)
        self._tables: dict[str, Table] = {}
        self._homes: dict[str, Table] = {}
        self._marks: deque[Mark] = deque(maxlen=MARKS)

    def writer(self, group: str, keys: Sequence[str]) -> Writer:
        """A writer for `keys`; keys of one `group` are written together and share their steps."""
        table = self._tables.get(group)
        if table is None:
            table = self._tables[group] = Table(*self._sizes)
        writer = Writer(table, keys)
        self._homes = {**self._homes, **dict.fromkeys(keys, table)}
        return writer

    def keys(self) -> list[str]:
        """The names of all that is measured."""
        return list(self._homes)

    def __contains__(self, key: str) -> bool:
        return key in self._homes

    def __len__(self) -> int:
        return len(self._homes)

    def _home(self, key: str) -> Table:
        try:
            return self._homes[key]
        except KeyError:
            known = ", ".join(self._homes) or "nothing yet"
            raise KeyError(f"nothing is recorded as {key!r}; there is {known}") from None

    def read(self, key: str, since: float = 0) -> tuple[np.ndarray, np.ndarray]:
        """The newest points with a step > `since`: steps float64 and values float32, both (n,).

        Only the last 4,096 rows are kept as they came; `history` has them all, thinned out.
        Raises KeyError for an unknown key.
        """
        return self._home(key).read(key, since)

    def latest(self, key: str) -> float | None:
        """The newest value of `key`, or None while there is none."""
        point = self._home(key).latest(key)
        return None if point is None else point[1]

    def history(self, key: str, points: int = 1000) -> tuple[np.ndarray, np.ndarray]:
        """The whole history in at most `points` points: steps float64 and values float32.

        Every value while they are few, then the means of equally many neighbours.
        """
        return self._home(key).history(key, points)

    def envelope(self, key: str, points: int = 1000) -> Envelope:
        """Like `history`, with the lowest and highest value behind each point."""
        return self._home(key).envelope(key, points)

    @property
    def marks(self) -> list[Mark]:
        """Edits, changes of rate and batch size, and failures, oldest first."""
        return list(self._marks)

    def mark(self, step: int, kind: str, label: str) -> None:
        """Note that something was done at `step`.

        A rate or batch size set again at the same step replaces the mark before: dragging a slider
        while paused leaves one.
        """
        last = self._marks[-1] if self._marks else None
        if last and kind in ("lr", "batch_size") and (last.step, last.kind) == (step, kind):
            self._marks.pop()
        self._marks.append(Mark(int(step), kind, label))

    def __repr__(self) -> str:
        return f"Recorder({len(self)} series, {len(self._marks)} marks)"
