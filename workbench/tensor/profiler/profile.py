"""`profile`, `record_function`, `schedule`: torch.profiler's names."""

from __future__ import annotations

import enum
import functools
import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from . import watch
from .events import USER, Event
from .flame import Flame
from .report import Averages, by_layer, chrome_trace


class ProfilerActivity(enum.Enum):
    """What to profile. The CPU is always profiled."""

    CPU = 0
    XPU = 1
    CUDA = 2
    MTIA = 3


class ProfilerAction(enum.Enum):
    """What a schedule says of a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0
) -> Callable[[int], ProfilerAction]:
    """Which steps to record: skip `skip_first`, then in turn wait, warm up, record `active`.

    The cycle is repeated `repeat` times, for ever when 0. Raises AssertionError for negative
    numbers and for `active` below 1.
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active < 1:
        raise AssertionError("Invalid profiler schedule arguments")
    length = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0 or (repeat and step // length >= repeat):
            return ProfilerAction.NONE
        place = step % length
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < length - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


class record_function:  # noqa: N801 - torch spells it so
    """Give a block of code, or a decorated function, a name in profiles. Costs nothing outside."""

    def __init__(self, name: str, args: str | None = None) -> None:
        """`args` is accepted, as in torch."""
        self.name = name
        self._event: Event | None = None

    def __enter__(self) -> record_function:
        held = watch.current
        self._event = None if held is None else held.begin(self.name, USER)
        return self

    def __exit__(self, *exc: object) -> None:
        held = watch.current
        if held is not None and self._event is not None:
            held.finish(self._event)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, named."""

        @functools.wraps(function)
        def named(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name):
                return function(*args, **kwargs)

        return named


class profile:  # noqa: N801 - torch spells it so
    """Time and memory of every op, gradient and module in the block.

    `key_averages().table()` is per op, `by_layer()` per layer, `flame()` a flame chart,
    `export_chrome_trace(path)` a file for chrome://tracing or Perfetto. Replayed steps show their
    kernels. With a `schedule`, call `step()` after each training step; `on_trace_ready(self)` is
    called when a recorded cycle ends. Other arguments are accepted, as in torch.
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[Any], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = True,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = True,
        **others: Any,
    ) -> None:
        self._schedule = schedule
        self._ready = on_trace_ready
        self._options = {"shapes": record_shapes, "memory": profile_memory}
        self._watch: watch.Watch | None = None
        self._roots: list[Event] = []
        self.step_num = 0

    # -- when --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin (or, with a schedule, do what it says of the first step)."""
        self._act(
            ProfilerAction.RECORD if self._schedule is None else self._schedule(self.step_num)
        )

    def stop(self) -> None:
        """End; `on_trace_ready` is called if something was being recorded."""
        if self._watch is not None:
            self._close()
            if self._ready is not None:
                self._ready(self)

    def step(self) -> None:
        """A training step is over."""
        if self._schedule is None:
            self.step_num += 1
            return
        if (
            self._schedule(self.step_num) is ProfilerAction.RECORD_AND_SAVE
            and self._watch is not None
        ):
            self._close()
            if self._ready is not None:
                self._ready(self)
        self.step_num += 1
        self._act(self._schedule(self.step_num))

    def _act(self, action: ProfilerAction) -> None:
        wanted = action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        if wanted and self._watch is None:
            made = watch.Watch(**self._options)
            made.start()
            self._watch = made

    def _close(self) -> None:
        assert self._watch is not None
        self._watch.stop()
        self._roots = self._watch.roots
        self._watch = None

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # -- what ------------------------------------------------------------------------------------

    @property
    def roots(self) -> list[Event]:
        """The outermost events, in time."""
        return self._watch.roots if self._watch is not None else self._roots

    def events(self) -> list[Event]:
        """All events, outer ones first."""
        return [event for root in self.roots for event in root.walk()]

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0
    ) -> Averages:
        """Events of one name taken together; `.table(sort_by=…)` prints them."""
        return Averages(self.events(), by_shape=group_by_input_shape)

    def by_layer(self) -> Averages:
        """Time and memory of each layer of the network."""
        return by_layer(self.roots)

    def flame(self, width: int = 960) -> Flame:
        """A flame chart for a notebook; `str()` of it is the SVG."""
        return Flame(self.roots, width)

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write a trace for chrome://tracing, atomically."""
        target = Path(path)
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        part.write_text(json.dumps(chrome_trace(self.events())), encoding="utf-8")
        part.replace(target)

    def __repr__(self) -> str:
        return self.key_averages().table(row_limit=20)


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """An `on_trace_ready` that writes a trace file into a folder. Raises for `use_gzip`."""
    if use_gzip:
        raise NotImplementedError("traces are written as plain JSON: use_gzip=False")

    def write(found: profile) -> None:
        folder = Path(dir_name)
        folder.mkdir(parents=True, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        found.export_chrome_trace(folder / f"{worker}.{time.time_ns()}.pt.trace.json")

    return write
