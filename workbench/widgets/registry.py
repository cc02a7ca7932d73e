"""The list of living runs for the sidebar of the JupyterLab extension.

One comm for each kernel, target ``workbench.runs``, opened when the first run is made in an IPython
kernel; elsewhere nothing happens. At most two messages a second, sent by the training threads
between two steps. A front end that was reloaded finds the comm, says hello and gets the list.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from workbench.widgets import kernel
from workbench.widgets.protocol import Hello, ProtocolError, number, parse
from workbench.widgets.stream import Budget, Clock, Pace

TARGET = "workbench.runs"
RATE = 2
EVERY = 1.0
SHARE = 0.005
CURVE_POINTS = 60

#: What the sidebar may ask of a run.
_COMMANDS: dict[str, Callable[[Any], Any]] = {
    "pause": lambda run: run.pause(),
    "resume": lambda run: run.resume(),
    "start": lambda run: run.start() if run.state != "running" else None,
    "stop": lambda run: run.stop(wait=False),
}

log = logging.getLogger(__name__)


class Registry:
    """Tells a sidebar which runs there are.

    Args:
        open_comm: makes the comm when it is first needed; gets the data of its first message.
        runs: gives the runs that are alive.
        later: calls a function after some seconds on a quiet thread; False where it cannot.
    """

    def __init__(
        self,
        open_comm: Callable[[dict[str, Any]], Any],
        runs: Callable[[], list[Any]],
        later: Callable[[Callable[[], None], float], bool] = kernel.call_soon,
        clock: Clock = time.monotonic,
    ) -> None:
        self._open_comm = open_comm
        self._runs = runs
        self._later = later
        self._lock = threading.RLock()
        self._comm: Any = None
        self._pace = Pace(EVERY, SHARE, clock)
        self._budget = Budget(RATE, 1.0, clock)
        self._pending = False
        self._widgets: weakref.WeakKeyDictionary[Any, list[str]] = weakref.WeakKeyDictionary()

    def add(self, run: Any) -> None:
        """Watch a new run for as long as it lives."""
        run.subscribe(self._on_event)
        weakref.finalize(run, self._soon).atexit = False
        with self._lock:
            if self._comm is None:
                self._connect()
            else:
                self.push()

    def widget(self, run: Any, opened: str | None, gone: str | None = None) -> None:
        """Note that a widget of ``run`` has ``opened`` or ``gone``, by model id."""
        ids = self._widgets.setdefault(run, [])
        if gone in ids:
            ids.remove(gone)
        if opened is not None:
            ids.append(opened)
        if self._comm is not None:
            self.push()

    def close(self) -> None:
        """Close the comm; the next new run opens another."""
        with self._lock:
            comm, self._comm = self._comm, None
            if comm is not None:
                comm.close()

    def push(self) -> None:
        """Send the list, now or as soon as the rate allows."""
        with self._lock:
            if self._comm is None:
                return
            if not self._budget.allows():
                self._soon()
                return
            with self._pace:
                self._budget.spend()
                self._comm.send(self.listing())

    def listing(self) -> dict[str, Any]:
        """The message: every living run with its state and a small loss curve."""
        return {"kind": "runs", "runs": [self._describe(run) for run in self._runs()]}

    def _describe(self, run: Any) -> dict[str, Any]:
        ids = self._widgets.get(run)
        curve: list[float] = []
        if "loss" in run.recorder.keys():  # noqa: SIM118 - a recorder is not a dict
            _, values = run.recorder.history("loss", CURVE_POINTS)
            curve = [round(v, 6) for v in map(number, values[-CURVE_POINTS:]) if v is not None]
        return {
            "run_id": str(run.id),
            "name": str(run.name),
            "state": str(run.state),
            "step": int(run.step_count),
            "steps_total": None if run.steps_total is None else int(run.steps_total),
            "loss": number(run.loss),
            "curve": curve,
            "model_id": ids[-1] if ids else None,
        }

    def _connect(self) -> None:
        try:
            comm = self._open_comm(self.listing())
        except Exception:  # a sidebar must never keep anyone from training
            log.warning("the sidebar's comm could not be opened", exc_info=True)
            return
        comm.on_msg(self._on_message)
        comm.on_close(self._on_close)
        self._comm = comm

    def _on_close(self, message: Any) -> None:
        with self._lock:
            self._comm = None

    def _on_message(self, message: dict[str, Any]) -> None:
        data = message.get("content", {}).get("data", {})
        try:
            asked = parse(data)
            if isinstance(asked, Hello):
                if self._comm is not None:
                    self._comm.send(self.listing())
                return
            self._command(asked.name, str(data.get("run_id")))
        except ProtocolError as error:
            log.warning("message from the sidebar not understood: %s", error)

    def _command(self, name: str, run_id: str) -> None:
        if name not in _COMMANDS:
            raise ProtocolError(f"no command {name!r}; there are: {', '.join(_COMMANDS)}")
        for run in self._runs():
            if str(run.id) == run_id:
                _COMMANDS[name](run)
                return
        self.push()  # that run is gone: the sidebar's list is old

    def _on_event(self, event: Any) -> None:
        if event.kind == "state" or self._pace.due():
            self.push()

    def _soon(self) -> None:
        """Push a little later; safe in a finalizer."""
        if self._pending:
            return
        self._pending = True
        if not self._later(self._push_pending, EVERY):
            self._pending = False

    def _push_pending(self) -> None:
        self._pending = False
        self.push()


_registry: Registry | None = None
_watching = False


def watch_runs() -> None:
    """Tell the sidebar of every run, now and later. Cheap; does nothing outside a kernel."""
    global _watching
    if _watching:
        return
    from workbench.training import on_run_created, runs

    _watching = True
    on_run_created(_run_created)
    for run in runs():
        _run_created(run)


def announce_widget(run: Any, opened: str | None, gone: str | None = None) -> None:
    """Note that a widget showing ``run`` was opened or closed, by model id."""
    if _registry is not None:
        _registry.widget(run, opened, gone)


def _run_created(run: Any) -> None:
    global _registry
    if kernel.kernel() is None:
        return
    if _registry is None:
        from workbench.training import runs

        _registry = Registry(_open_comm, runs)
    _registry.add(run)


def _open_comm(data: dict[str, Any]) -> Any:
    from comm import create_comm

    return create_comm(target_name=TARGET, data=data)
