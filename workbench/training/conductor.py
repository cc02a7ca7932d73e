"""How a run is driven: its state, its thread, its commands, and the gate that edits go through.

Whatever touches network or optimizer happens between two steps. There are three ways there:

* the run has a thread (or a `train` is under way): the command is posted, and the thread carries it
  out at its next boundary; when it is paused, at once;
* the caller *is* that thread, in a listener: it is at a boundary, and goes ahead;
* there is no thread: the caller goes ahead itself.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar

from . import politeness
from .commands import Command, Reply
from .doctor import RunError, TrainingError
from .events import Bus, Event
from .loop import Result, StepFailed, StepLoop
from .ownership import ownership
from .state import State, check_transition
from .worker import Worker

T = TypeVar("T")
Verdict = Literal["step", "wait", "end"]


class Conductor:
    """State machine, thread and commands; `Run` adds what is trained and the public names."""

    network: Any
    name: str
    _loop: StepLoop

    def __init__(self, network: Any) -> None:
        self.network = network
        self._bus = Bus()
        self._worker = Worker(self)
        self._owner = ownership(network)
        self._state: State = "idle"
        self._error: RunError | None = None
        self._stepping = False
        self._retiring = False
        self._pause_at: int | None = None
        self._pause_at_epoch: int | None = None
        self._steppers: list[Reply] = []
        self._seconds_per_step: float | None = None
        self._ticked: float | None = None
        self._locks()
        # Undone when the run goes away; the list is all that the finalizer holds.
        self._leavings: list[Callable[[], None]] = []
        self._polite: list[bool] = []
        self._finalizer = weakref.finalize(
            self, _release, self._worker, self._leavings, self._polite
        )
        self._finalizer.atexit = False  # the worker sees to the exit itself
        self._detach: Callable[[], None] | None = None

    def _locks(self) -> None:
        self._state_lock = threading.RLock()
        self._thread_lock = threading.RLock()
        self._settled = threading.Event()
        self._settled.set()
        self._on_settled: list[Callable[[], None]] = []

    # -- commands ---------------------------------------------------------------------------------

    def _reply(self, name: str) -> Reply:
        worker = self._worker
        return Reply(name, lambda: worker.is_me)

    def _command(self, name: str, function: Callable[[], Any]) -> Reply:
        """Carry out `function` at the next boundary, wherever the run is."""
        reply = self._reply(name)
        command = Command(reply, function)
        if self._worker.is_me and not self._stepping:
            command.carry_out()
        elif not self._worker.mailbox.post(command):
            with self._thread_lock:
                command.carry_out()
        return reply

    def _command_with_thread(self, command: Command) -> None:
        """Like `_command`, for what needs a thread: starts one where there is none."""
        if self._worker.is_me and not self._stepping:
            command.carry_out()
            return
        with self._thread_lock:
            if not self._worker.mailbox.post(command):
                self._worker.join()  # it may be on its last lines
                self._retiring = False
                self._worker.start(f"workbench-run-{self.name}", command)

    def at_boundary(self, function: Callable[[], T]) -> T:
        """Run `function` between two steps and return its result: the network's gate."""
        if self._worker.is_me:
            return self._at_my_boundary(function)
        reply = self._reply("edit")
        if self._worker.mailbox.post(Command(reply, function)):
            return self._result(reply)  # type: ignore[no-any-return]
        with self._owner.lock:
            return function()

    def _at_my_boundary(self, function: Callable[[], T]) -> T:
        if self._stepping:
            raise RuntimeError(
                "this was called from within a step (a forward hook, the loss, a metric, a data "
                "set); the network can change only between two steps: use run.subscribe(listener)"
            )
        return function()

    def exclusively(self, function: Callable[[], T]) -> T:
        """Run `function` while no run is within a step of this network."""
        driver = self._owner.driver or self
        return driver.at_boundary(function)  # type: ignore[no-any-return]

    @staticmethod
    def _result(reply: Reply) -> Any:
        try:
            return reply.result()
        except BaseException:
            reply.cancel()  # interrupted while waiting: then it shall not happen later
            raise

    # -- state ------------------------------------------------------------------------------------

    def _become(self, state: State) -> None:
        with self._state_lock:
            before = self._state
            if state == before:
                return
            check_transition(before, state)
            self._state = state
            if state == "running":
                self._settled.clear()
                self._error = None
                self._ticked = None
                self._polite.append(True)
                politeness.enter()
            elif before == "running":
                self._polite.clear()
                politeness.leave()
        if state != "running":
            self._pause_at = self._pause_at_epoch = None
        self._emit("state", before=before, state=state)
        # After the listeners: whoever waited for the run finds them told.
        with self._state_lock:
            if self._state == "running":
                return
            self._settled.set()
            waiting, self._on_settled = self._on_settled, []
            steppers, self._steppers = self._steppers, []
        for callback in waiting:
            callback()
        for reply in steppers:
            if self._error is not None and self._state == "failed":
                reply.set_exception(TrainingError(self._error))
            else:
                reply.set_result(self._loop.step_count)

    def _emit(self, kind: str, /, **data: Any) -> None:
        if self._bus:
            self._bus.emit(Event(kind, self._loop.step_count, data))

    def _fail(self, error: RunError) -> None:
        self._error = error
        self._failed(error)
        self._emit("error", kind=error.kind, message=error.message, layer=error.layer,
                   step=error.step)  # fmt: skip
        self._become("failed")

    # -- taking the network -----------------------------------------------------------------------

    def _take_over(self) -> None:
        """Become the run that steps the network; one that does so now is paused."""
        owner = self._owner
        other = owner.driver
        if other is self:
            return
        if other is not None:
            other._displaced(self)
        owner.driver = self
        attach = getattr(self.network, "attach", None)
        if attach is not None:
            self._detach = attach(*_weak_gate(self))
            self._leavings.append(self._detach)

    def _let_go(self) -> None:
        """Leave the network: direct edits no longer come through this run."""
        if self._owner.driver is self:
            self._owner.driver = None
        detach, self._detach = self._detach, None
        if detach is not None:
            self._leavings.remove(detach)
            detach()

    def _displaced(self, by: Conductor) -> None:
        if self._state == "running":
            warnings.warn(
                f"{self.name!r} was training this network too; it is paused, so that "
                f"{by.name!r} can train it (run.stop() ends a run that is not needed any more)",
                RuntimeWarning,
                stacklevel=5,
            )
            # Not waited for: the network's lock keeps the two from stepping at the same time.
            self._command("pause", self._pause)
        self._let_go()

    # -- what the thread does ---------------------------------------------------------------------

    def turn(self, command: Command | None) -> Verdict:
        """Carry out what is in the mailbox, then take a step if the run is running."""
        mailbox = self._worker.mailbox
        if command is not None:
            command.carry_out()
        # No more than there are now: a sender that never stops must not keep the run from stepping.
        for _ in range(len(mailbox)):
            command = mailbox.poll()
            if command is not None:
                command.carry_out()
        if self._state == "running" and not self._worker.closing:
            self._advance()
        if self._state == "running":
            return "step"
        if self._retiring or self._state in ("stopped", "finished"):
            return "end"
        return "wait"

    def ended(self) -> bool:
        """Close the mailbox; False when a last command made the run go on after all."""
        for command in self._worker.mailbox.close():
            command.carry_out()
        if self._state != "running":
            return True
        self._retiring = False
        self._worker.mailbox.open()
        return False

    def _advance(self) -> None:
        try:
            with self._owner.lock:
                self._stepping = True
                try:
                    result = self._loop.step()
                finally:
                    self._stepping = False
                self._owner.steps += 1
            self._tick()
            self._stepped(result)
        except StepFailed as failed:
            self._fail(failed.error)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the thread must live on
            text = f"{type(failure).__name__}: {failure}"
            self._fail(RunError("exception", text, None, self._loop.step_count))

    def _tick(self) -> None:
        now = time.perf_counter()
        if self._ticked is not None:
            took = now - self._ticked
            known = self._seconds_per_step
            # Forgets what is older than a second or two, whatever a step takes.
            weight = min(1.0, max(0.02, took))
            self._seconds_per_step = took if known is None else known + weight * (took - known)
        self._ticked = now

    @contextlib.contextmanager
    def _driving(self) -> Iterator[Callable[[], bool]]:
        """Make the calling thread the one that steps; gives a function that says: interrupted.

        On the main thread the first Ctrl-C is taken at the next boundary, the second at once.
        """
        worker = self._worker
        interrupted: list[int] = []
        main = threading.current_thread() is threading.main_thread()

        def interrupt(number: int, frame: Any) -> None:
            if interrupted:
                raise KeyboardInterrupt
            interrupted.append(number)

        before: Any = None
        with self._thread_lock:
            if worker.alive:
                self._retire()
            worker.mailbox.open()
            worker.driver = threading.get_ident()
        if main:
            before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield lambda: bool(interrupted)
        finally:
            if main:
                signal.signal(signal.SIGINT, before)
            if self._state == "running":  # an interrupt from the middle of a step
                self._become("paused")
            while not self.ended():
                self._become("paused")
            worker.driver = None

    def _retire(self) -> None:
        """End the thread of a paused run; the run stays as it is."""

        def retire() -> None:
            self._retiring = True

        self._command("retire", retire).result()
        self._worker.join()
        self._retiring = False

    def after_fork(self) -> None:
        """In a forked child: no thread came along, and the locks may have been held."""
        self._locks()
        self._owner.lock = threading.RLock()
        self._stepping = False
        if self._state == "running":
            self._state = "paused"

    # -- for Run ----------------------------------------------------------------------------------

    def _pause(self) -> str:
        if self._state == "running":
            self._become("paused")
        return self._state

    def _stepped(self, result: Result) -> None:
        raise NotImplementedError

    def _failed(self, error: RunError) -> None:
        raise NotImplementedError


def _weak_gate(
    run: Conductor,
) -> tuple[Callable[[Callable[[], Any]], Any], Callable[[], int | None]]:
    """For `Network.attach`: the gate and the step, neither of which keeps the run alive."""
    reference = weakref.ref(run)

    def gate(function: Callable[[], Any]) -> Any:
        alive = reference()
        return function() if alive is None else alive.at_boundary(function)

    def step() -> int | None:
        alive = reference()
        return None if alive is None else alive._loop.step_count

    return gate, step


def _release(worker: Worker, leavings: list[Callable[[], None]], polite: list[bool]) -> None:
    """When the run is thrown away: end its thread and take it off its network."""
    worker.abandon()
    if polite:
        politeness.leave()
    for leave in leavings:
        leave()
