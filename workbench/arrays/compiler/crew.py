"""Threads that run compiled kernels side by side, and how a kernel's work is handed out.

A job is a kernel, its arguments and a number of items, cut into one share for each thread.
Everybody works through their own share, a few items at a time, then helps with what is left of the
others': the same part of an array meets the same core, and its cache, in kernel after kernel. The
threads are Python's, but work in compiled code with Python's lock let go, and look for the next job
there for a moment before they go back to sleep in Python: between two kernels of a training step
nobody has to be woken. The caller works too, waits for nobody who has not begun, and does it all
alone where another caller has the threads. What an item computes never depends on who computes it,
so results are the same to the bit for any number of threads.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from functools import cache

import numpy as np

from workbench.arrays import parallel

from .ir import Function, Value, module
from .llvm import address, host

# Places in the state, in whole numbers of 8 bytes; what several threads write has its own line
JOB, KERNEL, ARGUMENTS, TOTAL, GRAIN = 0, 8, 9, 10, 11
ACTIVE, BUSY, SERIAL, ASLEEP, NEXT = 16, 24, 32, 40, 48
THREADS = SERIAL + 1
_LINE = 8
_PATIENCE = 6000  # looks for a job before a thread goes to sleep: some hundred microseconds


def _place(fn: Function, state: Value, number: int) -> Value:
    return fn.at(state, number, "i64")


def _atomic(fn: Function, how: str, place: Value, value: Value) -> Value:
    return fn.make("i64", f"atomicrmw {how} {place}, {value} seq_cst")


def _see(fn: Function, place: Value) -> Value:
    return fn.make("i64", f"load atomic i64, {place} seq_cst, align 8")


def _say(fn: Function, value: Value, place: Value) -> None:
    fn.line(f"store atomic {value}, {place} seq_cst, align 8")


def _pause(fn: Function) -> None:
    """Tell the processor that this is a loop that waits."""
    triple = host().triple
    if triple.startswith(("x86_64", "i686", "amd64")):
        fn.declared.add("declare void @llvm.x86.sse2.pause()")
        fn.line("call void @llvm.x86.sse2.pause()")
    elif triple.startswith(("aarch64", "arm64")):
        fn.declared.add("declare void @llvm.aarch64.hint(i32)")
        fn.line("call void @llvm.aarch64.hint(i32 1)")


def _take(fn: Function, state: Value, worker: Value) -> None:
    """Carry out items of the job until there are none."""
    kernel = fn.load("ptr", state, KERNEL)
    arguments = fn.load("ptr", state, ARGUMENTS)
    total, grain = fn.load("i64", state, TOTAL), fn.load("i64", state, GRAIN)
    threads = fn.load("i64", state, THREADS)
    with fn.range(0, threads) as turn:
        share = (worker + turn) % threads
        next_ = fn.at(state, share * _LINE + NEXT, "i64")
        stop = _first(fn, share + 1, threads, total, grain)
        with fn.loop() as out:
            fn.leave(out, fn.load("i64", next_) >= stop)
            begin = _atomic(fn, "add", next_, grain)
            fn.leave(out, begin >= stop)
            fn.call(kernel, arguments, begin, fn.minimum(begin + grain, stop), worker)


def _first(fn: Function, share: Value, threads: Value, total: Value, grain: Value) -> Value:
    """The first item of a share: shares are whole numbers of `grain` items."""
    pieces = (total + grain - 1) // grain
    return fn.minimum((pieces * share // threads) * grain, total)


def _run() -> Function:
    """run(state, kernel, arguments, total, grain): a whole job, from the caller's side."""
    fn = Function("run", "ptr state, ptr kernel, ptr arguments, i64 total, i64 grain")
    state, kernel, arguments, total, grain = fn.args
    zero, one = fn.of("i64", 0), fn.of("i64", 1)
    busy = _place(fn, state, BUSY)

    def alone() -> None:
        fn.call(kernel, arguments, zero, total, zero)
        fn.give()

    with fn.when(total <= 0):
        fn.give()
    with fn.when(total <= grain):
        alone()
    with fn.when(fn.load("i64", state, SERIAL).compare("!=", 0)):
        alone()
    with fn.when(_atomic(fn, "xchg", busy, one).compare("!=", 0)):
        alone()
    for place, value in ((KERNEL, kernel), (ARGUMENTS, arguments), (TOTAL, total), (GRAIN, grain)):
        fn.store(value, _place(fn, state, place))
    threads = fn.load("i64", state, THREADS)
    with fn.range(0, threads) as share:
        first = _first(fn, share, threads, total, grain)
        fn.store(first, fn.at(state, share * _LINE + NEXT, "i64"))
    last = _place(fn, state, JOB + 1)
    number = fn.load("i64", last) + 1
    fn.store(number, last)
    _say(fn, number, _place(fn, state, JOB))
    _take(fn, state, zero)
    _say(fn, zero, _place(fn, state, JOB))  # whoever comes now is too late
    with fn.loop() as out:
        fn.leave(out, _see(fn, _place(fn, state, ACTIVE)).compare("==", 0))
        _pause(fn)
    _say(fn, zero, busy)
    return fn


def _serve() -> Function:
    """serve(state, worker): help with jobs until there has been none for a while."""
    fn = Function("serve", "ptr state, i64 worker")
    state, worker = fn.args
    job, active = _place(fn, state, JOB), _place(fn, state, ACTIVE)
    one = fn.of("i64", 1)
    idle, last = fn.variable("i64", 0), fn.variable("i64", 0)
    with fn.loop() as out:
        number = _see(fn, job)
        fresh = fn.make("i1", f"and {number.compare('!=', 0)}, {number.compare('!=', last).name}")
        with fn.either(fresh) as otherwise:
            _atomic(fn, "add", active, one)
            with fn.when(_see(fn, job).compare("==", number)):
                _take(fn, state, worker)
            _atomic(fn, "sub", active, one)
            last.set(number)
            idle.set(0)
            otherwise()
            _pause(fn)
            idle.set(idle.get() + 1)
        fn.leave(out, idle.get() > _PATIENCE)
    return fn


def _start(run: Function) -> Function:
    """start(words): a job as Python hands it over: state, kernel, total, grain, then arguments."""
    fn = Function("start", "ptr words")
    (words,) = fn.args
    state, kernel = fn.load("ptr", words), fn.load("ptr", fn.at(words, 1, "i64"))
    total, grain = (fn.load("i64", fn.at(words, i, "i64")) for i in (2, 3))
    arguments = fn.at(words, 4, "i64")
    with fn.when(total > grain):
        fn.call(run, state, kernel, arguments, total, grain)
        fn.give()
    with fn.when(total > 0):
        fn.call(kernel, arguments, fn.of("i64", 0), total, fn.of("i64", 0))
    return fn


@cache
def entries() -> tuple[int, int, int]:
    """Where `run`, `serve` and `start` begin."""
    run = _run()
    text = module([run, _serve(), _start(run)])
    return address(text, "run"), address(text, "serve"), address(text, "start")


_RUN = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)
_SERVE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)
_head = struct.Struct("=QQqq").pack


class Crew:
    """The caller and `threads - 1` helpers."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._memory = np.zeros(NEXT + (threads + 1) * _LINE, np.int64)
        self.words = self._memory[-self._memory.ctypes.data % 64 // 8 :]
        self.state = int(self.words.ctypes.data)
        self.words[SERIAL], self.words[THREADS] = threads < 2, threads
        run, serve, _ = entries()
        self.run = _RUN(run)
        self._serve = _SERVE(serve)
        self.asleep = ctypes.c_int64.from_buffer(self.words[ASLEEP:].data)
        self._wake = threading.Semaphore(0)
        self._lock = threading.Lock()
        for number in range(1, threads):
            threading.Thread(
                target=self._work, args=(number,), name=f"workbench-crew-{number}", daemon=True
            ).start()

    def _work(self, number: int) -> None:
        while True:
            self._serve(self.state, number)
            with self._lock:
                self.asleep.value += 1
            self._wake.acquire()

    def wake(self) -> None:
        """Wake the threads that sleep."""
        with self._lock:
            sleeping, self.asleep.value = self.asleep.value, 0
        if sleeping:
            self._wake.release(sleeping)


_crews: dict[int, Crew] = {}  # by their number of threads; those that are not used sleep
_crew: Crew | None = None
_starting = threading.Lock()


def crew() -> Crew:
    """The threads of this process, as many as `set_num_threads` says; a fork starts its own."""
    global _crew
    wanted = parallel.threads()
    with _starting:
        if wanted not in _crews:
            _crews[wanted] = Crew(wanted)
        _crew = _crews[wanted]
        return _crew


def ready() -> Crew:
    """The crew, with nobody asleep: for a kernel that calls `run` itself."""
    held = _crew
    if held is None or held.threads != parallel._count:
        held = crew()
    if held.asleep.value:
        held.wake()
    return held


def launch(kernel: int, arguments: bytes, total: int, grain: int) -> None:
    """Run a kernel over `total` items, `grain` at a time, on all threads."""
    state = ready().state if total > grain else 0
    # one argument: ctypes takes its time for each
    _begin(_head(state, kernel, total, grain) + arguments)


def _begin(words: bytes) -> None:
    """The first call: from then on it is the compiled `start` itself."""
    global _begin
    _begin = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(entries()[2])
    _begin(words)


def _forked() -> None:
    """Threads do not survive a fork, and somebody may have held the lock."""
    global _crew, _crews, _starting
    _crew, _crews, _starting = None, {}, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
