"""Elementwise work on several cores.

NumPy computes an elementwise operation on one core and lets go of Python's lock meanwhile. Above a
size where it pays, `each` spreads blocks of work over a small pool of threads, and `spread` splits
one ufunc call along its operands. Every element is computed by the same instructions as without
threads, so results are the same to the bit.

The pool is as large as `set_num_threads` says (BLAS's own number until then), starts when first
needed, and starts anew in a child after a fork.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from queue import SimpleQueue

LEAST = 1 << 18  # elements: below it, waking a thread costs more than it brings

_count: int | None = None
_pool: Pool | None = None
_starting = threading.Lock()
_inside = threading.local()  # a worker never hands work on


class Pool:
    """Threads that wait for work. The caller works too, and waits for nobody who has not begun."""

    def __init__(self, workers: int) -> None:
        from queue import SimpleQueue  # here, because most programs never come here

        self.workers = workers
        self.queue = SimpleQueue
        self.process = os.getpid()
        self.work: SimpleQueue[Any] = SimpleQueue()
        self.lock = threading.Lock()  # one caller at a time
        for number in range(1, workers + 1):
            threading.Thread(
                target=self._serve, args=(number,), name=f"workbench-{number}", daemon=True
            ).start()

    def _serve(self, number: int) -> None:
        _inside.busy = True
        while (task := self.work.get()) is not None:
            task(number)

    def run(self, function: Callable[[Any, int], None], items: Sequence[Any], helpers: int) -> None:
        """`function(item, worker)` for all items, on up to `helpers` threads besides this one.

        The first error is raised when all threads have stopped.
        """
        waiting = deque(items)
        places = deque(range(helpers))  # a helper that finds none comes too late
        done: SimpleQueue[None] = self.queue()
        errors: list[BaseException] = []
        state = np.geterr()  # belongs to a thread: the helpers take over the caller's

        def take(worker: int) -> None:
            try:
                while waiting:
                    try:
                        item = waiting.popleft()
                    except IndexError:
                        return
                    function(item, worker)
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                errors.append(error)
                waiting.clear()

        def join(worker: int) -> None:
            try:
                places.popleft()
            except IndexError:
                return
            try:
                with np.errstate(**state):
                    take(worker)
            finally:
                done.put(None)

        for _ in range(helpers):
            self.work.put(join)
        take(0)
        late = 0
        try:
            while True:
                places.popleft()
                late += 1
        except IndexError:
            pass
        for _ in range(helpers - late):
            done.get()
        if errors:
            raise errors[0]

    def close(self) -> None:
        """End the threads once they have done what waits."""
        for _ in range(self.workers):
            self.work.put(None)


def threads() -> int:
    """How many threads elementwise work may use."""
    global _count
    if _count is None:
        from .system import thread_count

        _count = thread_count()
    return _count


def set_threads(n: int) -> None:
    """Let elementwise work use `n` threads from now on."""
    global _count
    _count = n


def _helpers() -> Pool:
    """The pool, with enough threads; a fork leaves threads behind, so a child starts its own."""
    global _pool
    with _starting:
        if _pool is None or _pool.process != os.getpid():
            _pool = Pool(threads() - 1)
        elif _pool.workers < threads() - 1:
            _pool.close()
            _pool = Pool(threads() - 1)
        return _pool


def each(function: Callable[[Any, int], None], items: Sequence[Any], elements: int) -> None:
    """`function(item, worker)` for every item, in any order; `worker` numbers the thread from 0.

    `elements` says how much work it is in all: below `LEAST` it stays on the caller's thread, and
    so it does when the cores are taken by another caller.
    """
    if elements >= LEAST and len(items) > 1 and threads() > 1 and not hasattr(_inside, "busy"):
        pool = _helpers()
        if pool.lock.acquire(blocking=False):
            try:
                pool.run(function, items, min(threads(), len(items)) - 1)
            finally:
                pool.lock.release()
            return
    for item in items:
        function(item, 0)
