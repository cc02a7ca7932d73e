"""Work spread over threads: the same results, errors that arrive, forks that go on."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

import workbench as wb
from workbench.arrays import parallel


@pytest.fixture
def three(monkeypatch):
    monkeypatch.setattr(parallel, "LEAST", 1)
    monkeypatch.setattr(parallel, "_count", 3)


def test_every_item_is_done_once(three):
    done = []
    for _ in range(50):
        done.clear()
        parallel.each(lambda item, worker: done.append(item), range(20), 20)
        assert sorted(done) == list(range(20))


def test_several_threads_take_part(three):
    meeting = threading.Barrier(3, timeout=60)
    workers = []

    def work(item, worker):
        meeting.wait()  # passes only when three work at the same time
        workers.append((worker, threading.get_ident()))

    parallel.each(work, range(3), 3)
    assert len({thread for _, thread in workers}) == 3
    assert len({worker for worker, _ in workers}) == 3


def test_little_work_and_one_thread_stay_here(monkeypatch):
    seen = set()

    def work(item, worker):
        seen.add((worker, threading.get_ident()))

    monkeypatch.setattr(parallel, "_count", 3)
    parallel.each(work, range(5), parallel.LEAST - 1)
    monkeypatch.setattr(parallel, "_count", 1)
    parallel.each(work, range(5), parallel.LEAST)
    assert seen == {(0, threading.get_ident())}


def test_an_error_reaches_the_caller_and_the_pool_goes_on(three):
    def work(item, worker):
        if item == 7:
            raise ValueError("seven")

    for _ in range(3):
        with pytest.raises(ValueError, match="seven"):
            parallel.each(work, range(20), 20)
    parallel.each(lambda item, worker: None, range(20), 20)


def test_work_within_work_stays_on_its_thread(three):
    inner = []

    def work(item, worker):
        parallel.each(lambda i, w: inner.append((item, threading.get_ident())), range(4), 4)

    parallel.each(work, range(3), 3)
    for item in range(3):
        assert len({thread for i, thread in inner if i == item}) == 1


def test_the_callers_error_handling_holds_everywhere(three):
    zeros = np.zeros(8)
    meeting = threading.Barrier(3, timeout=60)

    def work(item, worker):
        meeting.wait()
        zeros / zeros

    with np.errstate(invalid="ignore"):
        parallel.each(work, range(3), 3)
    with np.errstate(invalid="raise"), pytest.raises(FloatingPointError):
        parallel.each(work, range(3), 3)


def test_callers_on_several_threads(three):
    totals = []

    def call():
        mine = []
        parallel.each(lambda item, worker: mine.append(item), range(50), 50)
        totals.append(sum(mine))

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals == [sum(range(50))] * 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forking is for POSIX")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_starts_threads_of_its_own(three):
    parallel.each(lambda item, worker: None, range(5), 5)
    child = os.fork()
    if not child:
        done = []
        parallel.each(lambda item, worker: done.append(item), range(5), 5)
        os._exit(0 if sorted(done) == list(range(5)) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_the_number_of_threads_is_blas_own():
    before = wb.get_num_threads()
    try:
        wb.set_num_threads(1)
        assert parallel.threads() == 1
        wb.set_num_threads(2)
        assert parallel.threads() == 2
    finally:
        wb.set_num_threads(before)
