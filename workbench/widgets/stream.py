"""When to send and what is new: pace, message budget and cursors. Pure; the clock is a parameter.

Jupyter's server drops output above about a thousand messages a second, and a notebook becomes slow
long before that. Worse, every microsecond spent here is taken from training. So a stream

* sends at most `RATE` messages a second, whatever happens (`Budget`),
* spends at most a fixed share of the training thread's time (`Pace` spaces costly work out), and
* sends only what is new since last time (`Cursors`); what was not sent in time is sent together
  with the next points, or decimated by the recorder: the latest wins.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from workbench.widgets.protocol import Series

Clock = Callable[[], float]

#: Most messages in any one second to the browser, over all kinds.
RATE = 20

#: CPU time of the calling thread, where it is told finely enough (not on Windows).
CPU_TIME: Clock = (
    time.thread_time if time.get_clock_info("thread_time").resolution < 1e-4 else time.perf_counter
)

#: Points of a whole curve sent to a view that has just opened, and of all curves together.
HISTORY_POINTS = 1000
HISTORY_POINTS_ALL = 60_000


#: Curves by layer that nobody watches move, by how their keys begin.
SLOW = ("weight_norm:", "update_ratio:")


class RecorderLike(Protocol):
    """The part of a run's recorder that a stream reads."""

    def keys(self) -> Iterable[str]:
        """Names of the curves."""

    def read(self, key: str, since: float = 0) -> tuple[np.ndarray, np.ndarray]:
        """Newest raw points with step > since: steps float64 (n,), values float32 (n,)."""

    def history(self, key: str, points: int = 1000) -> tuple[np.ndarray, np.ndarray]:
        """The whole curve in at most about ``points`` points."""


class Budget:
    """At most ``rate`` sends in any window of ``window`` seconds."""

    def __init__(
        self, rate: int = RATE, window: float = 1.0, clock: Clock = time.monotonic
    ) -> None:
        self._window = window
        self._clock = clock
        self._sent: deque[float] = deque(maxlen=rate)

    def allows(self, count: int = 1) -> bool:
        """Whether ``count`` more messages fit into the window that ends now."""
        sent, size = self._sent, self._sent.maxlen or 0
        horizon = self._clock() - self._window
        while sent and sent[0] <= horizon:
            sent.popleft()
        return len(sent) + count <= size

    def spend(self) -> None:
        """Note one message sent now."""
        self._sent.append(self._clock())


class Pace:
    """Says when a repeated piece of work is due again; wrap the work in ``with pace:``.

    The next time is ``interval`` seconds after the last, or later when the work was so slow that it
    would take more than ``share`` of the time: work of 5 ms at a share of 2 % is done 4 times a
    second, whatever the interval asks for. ``meter`` measures the work: CPU time of the thread, for
    what a busy machine does to it meanwhile is not its cost.
    """

    def __init__(
        self,
        interval: float,
        share: float = 1.0,
        clock: Clock = time.monotonic,
        meter: Clock | None = None,
    ) -> None:
        self._interval = interval
        self._share = share
        self._clock = clock
        self._meter = meter or (CPU_TIME if clock is time.monotonic else clock)
        self._next = 0.0
        self._forced = True
        self._began = (0.0, 0.0)

    def due(self) -> bool:
        """Whether the work may be done now."""
        return self._forced or self._clock() >= self._next

    def force(self) -> None:
        """Make the work due at once."""
        self._forced = True

    def __enter__(self) -> Pace:
        self._began = self._clock(), self._meter()
        self._forced = False
        return self

    def __exit__(self, *failure: object) -> None:
        began, before = self._began
        self._next = began + max(self._interval, (self._meter() - before) / self._share)


class Cursors:
    """Remembers how far each curve has been sent."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def fresh(self, recorder: RecorderLike, slow: bool = True) -> list[Series]:
        """The points not sent yet, of every curve; without the `SLOW` ones if not ``slow``."""
        found = []
        for key in list(recorder.keys()):
            if not slow and key.startswith(SLOW):
                continue
            steps, values = recorder.read(key, self._last.get(key, -1.0))
            if len(steps):
                self._last[key] = float(steps[-1])
                found.append(Series(key, steps, values))
        return found

    def everything(self, recorder: RecorderLike, points: int = HISTORY_POINTS) -> list[Series]:
        """Every whole curve, decimated, for a view that starts from nothing."""
        self._last.clear()
        found = []
        keys = list(recorder.keys())
        points = max(50, min(points, HISTORY_POINTS_ALL // max(1, len(keys))))
        for key in keys:
            steps, values = recorder.history(key, points)
            if len(steps):
                self._last[key] = float(steps[-1])
                found.append(Series(key, steps, values))
        return found
