"""The crew: every item is computed once, whoever computes it."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.arrays import compiler, parallel

pytest.importorskip("llvmlite")
if not compiler.available():
    pytest.skip("this processor has no vectors to compile for", allow_module_level=True)

from workbench.arrays.compiler import crew
from workbench.arrays.compiler.kernel import address, kernel


@kernel("ptr counts, ptr workers")
def _counted(fn, counts, workers, begin, end, worker):
    """Adds one to the count of every item and notes who did it."""
    with fn.range(begin, end) as i:
        fn.store(fn.load("i64", counts, i) + 1, counts, i)
        fn.store(worker, workers, i)


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    before = parallel.threads()
    parallel.set_threads(request.param)
    yield request.param
    parallel.set_threads(before)


def run(total: int, grain: int) -> tuple[np.ndarray, np.ndarray]:
    counts, workers = np.zeros(max(total, 1), np.int64), np.full(max(total, 1), -1, np.int64)
    _counted(total, grain, address(counts), address(workers))
    return counts[:total], workers[:total]


@given(st.integers(0, 3000), st.integers(1, 700))
def test_every_item_once(total, grain):
    counts, workers = run(total, grain)
    assert (counts == 1).all()
    assert (workers < parallel.threads()).all()


def test_any_number_of_threads(threads):
    for total in (0, 1, threads - 1, threads, 1000):
        for grain in (1, 3, 10_000):
            counts, workers = run(total, grain)
            assert (counts == 1).all()
            assert ((workers >= 0) & (workers < threads)).all()


def test_work_of_one_grain_stays_with_the_caller():
    _, workers = run(100, 100)
    assert (workers == 0).all()


def test_callers_at_a_time():
    """Callers that find the crew taken do their work themselves."""
    right = []

    def many():
        right.append(all((run(2000, 50)[0] == 1).all() for _ in range(300)))

    callers = [threading.Thread(target=many) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert right == [True] * 4


def test_crews_follow_the_number_of_threads():
    before = parallel.threads()
    try:
        for count in (2, 3, 1, 2):
            parallel.set_threads(count)
            assert crew.crew().threads == count
            assert (run(999, 7)[0] == 1).all()
    finally:
        parallel.set_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork")  # with threads; JAX has its own words for it
def test_a_fork_starts_its_own():
    run(999, 7)
    mine = crew.crew()
    child = os.fork()
    if child == 0:
        done = (run(999, 7)[0] == 1).all() and crew.crew() is not mine
        os._exit(0 if done else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (run(999, 7)[0] == 1).all()
