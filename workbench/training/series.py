"""Bounded memory for what is measured while training.

A `Table` holds several measurements that are written together, one row a step: the newest rows as
they came in a ring, and the whole history in buckets that keep minimum, maximum and mean. When the
buckets are full, neighbours are merged and each bucket stands for twice as many rows: a run of any
length fits, and no spike is lost.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NAN = float("nan")


class Envelope(NamedTuple):
    """A measurement's whole history in few points: `steps` float64, the others float32."""

    steps: np.ndarray
    low: np.ndarray
    mean: np.ndarray
    high: np.ndarray


class Table:
    """Rows of measurements by step. One thread writes; any thread reads.

    NaN stands for "not measured in this row" and is left out when reading.
    """

    def __init__(self, ring: int = 4096, buckets: int = 1024) -> None:
        if ring < 4 or buckets < 2 or buckets % 2:
            raise ValueError("a table needs a ring of at least 4 and an even number of buckets")
        self.keys: list[str] = []
        self._places: dict[str, int] = {}
        self._ring = ring
        self._buckets = buckets
        self._lock = threading.Lock()
        self._count = 0  # rows ever written
        self._folded = 0  # rows that are in the buckets already
        self._stride = 1  # rows in one bucket
        self._steps = np.zeros(ring)
        self._values = np.full((ring, 0), NAN)
        self._bucket_steps = np.zeros(buckets)  # sums, like _total
        self._low = np.full((buckets, 0), NAN)
        self._high = np.full((buckets, 0), NAN)
        self._total = np.zeros((buckets, 0))
        self._present = np.zeros((buckets, 0), dtype=np.int64)

    def columns(self, keys: Sequence[str]) -> np.ndarray:
        """The columns of `keys` for `append`; new keys get a column of their own."""
        with self._lock:
            for key in keys:
                if key not in self._places:
                    self._places[key] = len(self.keys)
                    self.keys.append(key)
            wide = len(self.keys)
            self._values = _widen(self._values, wide, NAN)
            self._low = _widen(self._low, wide, NAN)
            self._high = _widen(self._high, wide, NAN)
            self._total = _widen(self._total, wide, 0)
            self._present = _widen(self._present, wide, 0)
            return np.array([self._places[key] for key in keys], dtype=np.intp)

    def append(self, step: float, row: Sequence[float], columns: np.ndarray) -> None:
        """Write one row; `step` must be larger than that of the row before."""
        with self._lock:
            place = self._count % self._ring
            self._steps[place] = step
            target = self._values[place]
            if len(columns) != len(target):
                target[:] = NAN
            target[columns] = row
            self._count += 1
            # The buckets take rows by the hundred: that is why a row costs two assignments only.
            if self._count - self._folded >= self._ring // 2:
                self._fold()

    def __len__(self) -> int:
        return self._count

    def latest(self, key: str) -> tuple[float, float] | None:
        """The newest (step, value) of `key`, or None."""
        steps, values = self.read(key)
        return (float(steps[-1]), float(values[-1])) if len(steps) else None

    def read(self, key: str, since: float = 0) -> tuple[np.ndarray, np.ndarray]:
        """The newest points as they came, those with a step > `since`: float64 and float32."""
        with self._lock:
            column = self._places[key]
            held = min(self._count, self._ring)
            first = self._count - held
            steps, ring = self._steps, self._ring
            begin = bisect_right(range(held), since, key=lambda i: steps[(first + i) % ring])
            rows = np.arange(first + begin, first + held) % ring
            xs, ys = steps[rows], self._values[rows, column]
        seen = ~np.isnan(ys)
        return xs[seen], _single(ys[seen])

    def history(self, key: str, points: int = 1000) -> tuple[np.ndarray, np.ndarray]:
        """The whole history in at most `points` points: every value, or means of neighbours."""
        _check_points(points)
        if self._count <= self._ring:
            steps, values = self.read(key, since=float("-inf"))
            if len(steps) <= points:
                return steps, values
        envelope = self.envelope(key, points)
        return envelope.steps, envelope.mean

    def envelope(self, key: str, points: int = 1000) -> Envelope:
        """The whole history in at most `points` points, with the extremes behind each."""
        _check_points(points)
        with self._lock:
            self._fold()
            column = self._places[key]
            used = -(-self._count // self._stride)
            rows = np.full(used, self._stride, dtype=np.int64)
            if used:
                rows[-1] = self._count - (used - 1) * self._stride
            steps = self._bucket_steps[:used].copy()
            low = self._low[:used, column].copy()
            high = self._high[:used, column].copy()
            total = self._total[:used, column].copy()
            present = self._present[:used, column].copy()
        group = -(-used // points) if used else 1
        if group > 1:
            starts = np.arange(0, used, group)
            steps, rows = np.add.reduceat(steps, starts), np.add.reduceat(rows, starts)
            low, high = np.fmin.reduceat(low, starts), np.fmax.reduceat(high, starts)
            total, present = np.add.reduceat(total, starts), np.add.reduceat(present, starts)
        seen = present > 0
        # Rounding may put a mean a hair outside its own minimum and maximum.
        mean = np.clip(total[seen] / present[seen], low[seen], high[seen])
        return Envelope(
            steps[seen] / rows[seen], _single(low[seen]), _single(mean), _single(high[seen])
        )

    def _fold(self) -> None:
        """Take the rows that came since the last time into the buckets. Called with the lock."""
        begin, end = self._folded, self._count
        if begin == end:
            return
        while (end - 1) // self._stride >= self._buckets:
            self._merge_neighbours()
        at = np.arange(begin, end)
        rows, bucket = at % self._ring, at // self._stride
        starts = np.flatnonzero(np.r_[True, bucket[1:] != bucket[:-1]])
        into = bucket[starts]
        values = self._values[rows]
        seen = ~np.isnan(values)
        self._low[into] = np.fmin(self._low[into], np.fmin.reduceat(values, starts))
        self._high[into] = np.fmax(self._high[into], np.fmax.reduceat(values, starts))
        with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, and sums of huge losses
            self._total[into] += np.add.reduceat(np.where(seen, values, 0), starts)
        self._present[into] += np.add.reduceat(seen, starts, dtype=np.int64)
        self._bucket_steps[into] += np.add.reduceat(self._steps[rows], starts)
        self._folded = end

    def _merge_neighbours(self) -> None:
        half = self._buckets // 2
        self._low[:half] = np.fmin(self._low[0::2], self._low[1::2])
        self._high[:half] = np.fmax(self._high[0::2], self._high[1::2])
        with np.errstate(invalid="ignore", over="ignore"):
            self._total[:half] = self._total[0::2] + self._total[1::2]
        self._present[:half] = self._present[0::2] + self._present[1::2]
        self._bucket_steps[:half] = self._bucket_steps[0::2] + self._bucket_steps[1::2]
        self._low[half:] = self._high[half:] = NAN
        self._total[half:] = self._present[half:] = 0
        self._bucket_steps[half:] = 0
        self._stride *= 2


def _widen(array: np.ndarray, columns: int, fill: float) -> np.ndarray:
    missing = columns - array.shape[1]
    if not missing:
        return array
    return np.concatenate([array, np.full((len(array), missing), fill, dtype=array.dtype)], axis=1)


def _single(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # beyond float32's range a value reads as infinite
        return values.astype(np.float32)


def _check_points(points: int) -> None:
    if points < 1:
        raise ValueError(f"points must be at least 1, got {points}")
