"""The thread of a run.

The thread knows its run only weakly: between two steps nothing of it holds the run. A cell that
rebinds `run` therefore ends the old thread, at its next step boundary or at once when it is paused.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from typing import Any

from .commands import Command, Mailbox

# How long the interpreter's exit waits for a step that is under way. The thread is a daemon: when
# this is not enough, it is left behind and the process ends all the same.
EXIT_SECONDS = 2.0

_workers: weakref.WeakSet[Worker] = weakref.WeakSet()


class Worker:
    """Mailbox and thread of one run. `driver` is the thread that steps it now, if any."""

    def __init__(self, run: Any) -> None:
        self._run = weakref.ref(run)
        self.mailbox = Mailbox()
        self.thread: threading.Thread | None = None
        self.driver: int | None = None
        self.closing = False
        _workers.add(self)

    @property
    def alive(self) -> bool:
        """Whether commands are carried out by a thread (of ours, or one inside `train`)."""
        return self.mailbox.is_open

    @property
    def is_me(self) -> bool:
        """Whether the calling thread is the one that steps the run."""
        return self.driver == threading.get_ident()

    def start(self, name: str, first: Command) -> None:
        """Start the thread with a command to carry out; the run must not have one."""
        self.closing = False
        self.mailbox.open()
        # Before the thread: one that finds nothing to do ends at once.
        self.mailbox.post(first)
        self.thread = threading.Thread(target=_work, args=(self,), name=name, daemon=True)
        self.thread.start()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the thread is gone; False when it is not after `timeout` seconds."""
        thread = self.thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def abandon(self) -> None:
        """End the thread without asking the run: it is being thrown away, or the process ends."""
        self.closing = True
        self.mailbox.wake()

    def forget(self) -> None:
        """In a forked child: the thread was not copied."""
        self.mailbox = Mailbox()
        self.thread = None
        self.driver = None
        run = self._run()
        if run is not None:
            run.after_fork()


def _work(worker: Worker) -> None:
    worker.driver = threading.get_ident()
    mailbox = worker.mailbox
    command: Command | None = None
    try:
        while not worker.closing:
            run = worker._run()
            if run is None:
                break
            verdict = run.turn(command)
            command = None
            if verdict == "end" and run.ended():
                return
            # While the thread waits it must not keep the run alive: no reference may be left.
            del run
            if verdict == "wait":
                command = mailbox.wait()
    finally:
        worker.driver = None
        for left in mailbox.close():
            left.reply.cancel()
            left.reply.set_running_or_notify_cancel()


def _leave() -> None:
    """At exit: ask every thread to end after its step, then give them a moment."""
    workers = [worker for worker in _workers if worker.thread is not None]
    for worker in workers:
        worker.abandon()
    for worker in workers:
        worker.join(EXIT_SECONDS)


def _forked() -> None:
    for worker in list(_workers):
        worker.forget()


atexit.register(_leave)
if hasattr(os, "register_at_fork"):
    # A child has none of our threads, but a copy of their locks and queues in whatever state they
    # were: its runs start over from "paused", with new ones.
    os.register_at_fork(after_in_child=_forked)
