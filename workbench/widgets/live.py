"""The link between one run and one widget: shows what happens, does what is clicked.

Everything that is sent while the run trains is sent from the training thread, between two steps,
inside the run's event listener; there is no thread of our own. Messages from the browser arrive on
whatever thread the kernel uses for them: they are put into the run's queue and answered when done.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from workbench.widgets import kernel, state
from workbench.widgets.commands import settle
from workbench.widgets.predictions import Predictor
from workbench.widgets.protocol import (
    Command,
    Hello,
    Message,
    ProtocolError,
    error_message,
    marks_message,
    parse,
    reply_message,
    series_message,
)
from workbench.widgets.stream import Budget, Clock, Cursors, Pace

log = logging.getLogger(__name__)

#: Seconds between two series messages, those with slow curves too, status, and predictions.
SERIES_EVERY = 0.08
SLOW_EVERY = 1.0
STATUS_EVERY = 0.25
PREDICTIONS_EVERY = 0.7

#: Seconds after which what did not fit into the budget is tried again while no steps are made.
LATER = 0.3

#: Shares of the training thread's time that each may take; together at most 3 %.
SERIES_SHARE = 0.012
STATUS_SHARE = 0.005
PREDICTIONS_SHARE = 0.006


class Surface(Protocol):
    """Where a link shows things: a widget, or a list in a test."""

    def show(self, message: Message) -> None:
        """Send a message to every view."""

    def update(self, **traits: Any) -> None:
        """Set synced traits; those that did not change are not sent."""


class Link:
    """Keeps ``surface`` in step with ``run`` until `close`.

    The run holds this object weakly, so a forgotten link disappears by itself. Nothing is sent
    before the first view has said hello.
    """

    def __init__(
        self,
        run: Any,
        surface: Surface,
        clock: Clock = time.monotonic,
        later: Callable[[Callable[[], None], float], bool] = kernel.call_soon,
    ) -> None:
        self._run = run
        self._surface = surface
        self._later = later
        self._lock = threading.RLock()
        self._cursors = Cursors()
        self._budget = Budget(clock=clock)
        self._series = Pace(SERIES_EVERY, SERIES_SHARE, clock)
        self._slow = Pace(SLOW_EVERY, clock=clock)
        self._status = Pace(STATUS_EVERY, STATUS_SHARE, clock)
        self._guesses = Pace(PREDICTIONS_EVERY, PREDICTIONS_SHARE, clock)
        self._predictor = Predictor(run)
        self._asked = False  # a view said hello and waits for everything
        self._open = False  # some view has said hello
        self._closed = False
        self._edited = False
        self._marked = False
        self._pending = False
        self._predicted: tuple[int, int] | None = None
        self._unsubscribe = run.subscribe(_weak_listener(self))

    @property
    def closed(self) -> bool:
        """Whether `close` has been called."""
        return self._closed

    def close(self) -> None:
        """Stop listening; safe to call twice, from any thread."""
        self._closed = True
        unsubscribe, self._unsubscribe = self._unsubscribe, lambda: None
        unsubscribe()

    # -- from the run, on the training thread -------------------------------------------------

    def on_event(self, event: Any) -> None:
        """Take note of what happened and send what is due. Costs about a microsecond when not."""
        kind = event.kind
        if kind == "step":
            if self._asked or self._series.due():
                self.pump()
            return
        if kind == "edit":
            self._edited = self._marked = True
        elif kind in ("lr", "error"):
            self._marked = True
        elif kind == "state":
            self._guesses.force()
        else:
            return
        self._series.force()
        self._status.force()
        self.pump()

    def pump(self) -> None:
        """Send what is due, as far as the budget allows.

        The lock is never held while waiting for the run: the run's thread may want it.
        """
        with self._lock:
            if self._closed or not (self._open or self._asked):
                return
            everything, self._asked, self._open = self._asked, False, True
            if everything:
                self._send_all()
            elif not self._send_due():
                return
        if everything or self._guesses.due():
            self._send_predictions(images=everything)

    def _send_due(self) -> bool:
        """Send the small things that are due; False when the budget ran out."""
        work: list[Callable[[], None]] = []
        if self._edited:
            work.append(self._send_graph)
        if self._marked:
            work.append(self._send_marks)
        if self._series.due():
            work.append(self._send_series)
        if self._status.due():
            work.append(self._send_status)
        for send in work:
            if not self._budget.allows() and self._put_off():
                return False
            send()
        return True

    def _put_off(self) -> bool:
        """Leave the rest for later; False where no later comes."""
        if self._run.state == "running":
            return True  # the next step comes by
        if not self._pending:
            self._pending = self._later(self._pump_pending, LATER)
        return self._pending

    def _pump_pending(self) -> None:
        self._pending = False
        self.pump()

    # -- from the browser, on any thread ------------------------------------------------------

    def on_message(self, content: object) -> None:
        """Answer one message of the browser: at once, or when the run has done what it asks."""
        try:
            message = parse(content)
        except ProtocolError as error:
            self._show(error_message(error.id, error))
            return
        if isinstance(message, Hello):
            self._asked = True
            # A running run answers at its next step, or with the state event when it ends; the
            # order of these two lines makes sure that one of the two sees the question.
            if self._run.state != "running":
                self.pump()
        else:
            self._command(message)

    def _command(self, command: Command) -> None:
        def reply(result: Any, error: BaseException | None) -> None:
            answer = (
                reply_message(command.id, result)
                if error is None
                else error_message(command.id, error)
            )
            self._show(answer)

        settle(self._run, command, reply)

    # -- sending ------------------------------------------------------------------------------

    def _show(self, message: Message) -> None:
        with self._lock:
            if not self._closed:
                self._budget.spend()
                self._surface.show(message)

    def _send_all(self) -> None:
        run = self._run
        self._edited = self._marked = False
        with self._status:
            self._surface.update(
                graph=state.graph(run.network),
                history=state.history(run.network),
                status=state.status(run),
            )
        with self._series:
            whole = series_message(self._cursors.everything(run.recorder), reset=True)
            assert whole is not None
            self._show(whole)
            self._show(marks_message(state.marks(run.recorder)))

    def _send_graph(self) -> None:
        self._edited = False
        network = self._run.network
        self._budget.spend()
        self._surface.update(graph=state.graph(network), history=state.history(network))

    def _send_marks(self) -> None:
        self._marked = False
        self._show(marks_message(state.marks(self._run.recorder)))

    def _send_series(self) -> None:
        with self._series:
            slow = self._slow.due() or self._run.state != "running"
            if slow:
                with self._slow:
                    pass
            message = series_message(self._cursors.fresh(self._run.recorder, slow))
            if message is not None:
                self._show(message)

    def _send_status(self) -> None:
        with self._status:
            self._budget.spend()
            self._surface.update(status=state.status(self._run))

    def _send_predictions(self, images: bool = False) -> None:
        with self._guesses:
            moment = self._run.step_count, getattr(self._run.network, "version", 0)
            if images or moment != self._predicted:
                message = self._predictor.message(images)
                if message is not None:
                    self._predicted = moment
                    self._show(message)


def _weak_listener(link: Link) -> Callable[[Any], None]:
    reference = weakref.ref(link)

    def listen(event: Any) -> None:
        alive = reference()
        if alive is None:
            return
        try:
            alive.on_event(event)
        except Exception:
            # A listener that raises is dropped; a view that missed one update need not die of it.
            log.exception("the bench could not show what the run did")

    return listen
