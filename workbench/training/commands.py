"""Commands to a run: put in by anyone, carried out by the training thread between two steps."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

log = logging.getLogger("workbench.training")

_HERE = str(Path(__file__).parents[1])


def user_line(trace: TracebackType | None) -> str:
    """The innermost line outside this package and its libraries, as text; "" if there is none."""
    place = ""
    for frame in traceback.extract_tb(trace):
        name = frame.filename
        # "<workbench op add: call>" and the like are made by us
        if name.startswith((_HERE, "<workbench")) or "site-packages" in name:
            continue
        where = "the cell" if "ipykernel_" in name else Path(name).name
        place = f"in {frame.name}, line {frame.lineno} of {where}"
        if frame.line:
            place += f": {frame.line}"
    return place


class Reply(Future):  # type: ignore[type-arg]
    """The future of one command: done when the run has carried it out, at a step boundary.

    Waiting for it on the thread that would have to carry it out raises RuntimeError instead of
    hanging. An error that nobody asked for is logged when the reply is thrown away.
    """

    def __init__(self, name: str, waits_for_itself: Callable[[], bool] | None = None) -> None:
        super().__init__()
        self.name = name
        self._waits_for_itself = waits_for_itself
        self._asked = False

    def result(self, timeout: float | None = None) -> Any:
        """The result; raises what the command raised, TimeoutError after `timeout` seconds."""
        self._check(timeout)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the command raised, or None. TimeoutError after `timeout` seconds."""
        self._check(timeout)
        return super().exception(timeout)

    def _check(self, timeout: float | None) -> None:
        self._asked = True
        if timeout == 0 or self.done():
            return
        if self._waits_for_itself is not None and self._waits_for_itself():
            raise RuntimeError(
                f"{self.name}: the training thread would wait for itself; in a listener, use "
                "add_done_callback instead of result()"
            )

    def carry_out(self, function: Callable[[], Any]) -> None:
        """Run `function` and settle with what it returns or raises."""
        if not self.set_running_or_notify_cancel():
            return
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - it is handed to whoever asked
            # Its frames would keep the run alive, and the reply itself, for as long as the error
            # is kept. The user's own line, if there is one, is all that is worth keeping of them.
            place = user_line(error.__traceback__)
            if place:
                error.add_note(place)
            self.set_exception(error.with_traceback(None))
        else:
            self.set_result(result)

    def __del__(self) -> None:
        if not self._asked and self.done() and not self.cancelled():
            error = super().exception()
            if error is not None:
                log.error("%s was refused: %s: %s", self.name, type(error).__name__, error)

    # No address and no timing: replies are often the last line of a notebook cell.
    def __repr__(self) -> str:
        return f"<{self.name}: takes effect at the next step boundary>"


@dataclass(frozen=True, slots=True)
class Command:
    """Something to carry out at a step boundary."""

    reply: Reply
    function: Callable[[], Any]

    def carry_out(self) -> None:
        """Run the function and settle the reply."""
        self.reply.carry_out(self.function)


class Mailbox:
    """The command queue of one training thread.

    Closed, it takes nothing more: a command is either in the queue, and will be carried out, or
    its sender knows at once. `wake` is safe in a finalizer (SimpleQueue is reentrant).
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Command | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._open = False

    @property
    def is_open(self) -> bool:
        """Whether commands are taken."""
        return self._open

    def open(self) -> None:
        """Take commands from now on."""
        with self._lock:
            self._open = True

    def close(self) -> list[Command]:
        """Take nothing more; returns what is still to be carried out."""
        with self._lock:
            self._open = False
            rest = []
            while not self._queue.empty():
                command = self._queue.get_nowait()
                if command is not None:
                    rest.append(command)
            return rest

    def post(self, command: Command) -> bool:
        """Put a command in; False when the mailbox is closed."""
        with self._lock:
            if self._open:
                self._queue.put(command)
            return self._open

    def __len__(self) -> int:
        return self._queue.qsize()

    def wake(self) -> None:
        """Make `wait` return None."""
        self._queue.put(None)

    def poll(self) -> Command | None:
        """The next command, or None when there is none."""
        if self._queue.empty():  # far cheaper than the exception, and asked before every step
            return None
        try:
            return self._queue.get_nowait()
        except Empty:
            return None

    def wait(self) -> Command | None:
        """The next command, as soon as there is one; None when woken."""
        return self._queue.get()
