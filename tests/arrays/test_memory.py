"""Freed memory that stays: no page faults in repeated steps. Counted in child processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import workbench as wb
from workbench.arrays import memory

GLIBC = memory._is_glibc()
FAULTS = """
import resource, numpy as np, workbench as wb
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        kept = [a * a for _ in range(8)]
        del kept
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
a = np.ones(1 << 16, np.float32)
x = wb.ones(1 << 16, requires_grad=True)
"""


def run(code, **variables):
    own = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    ended = subprocess.run(
        [sys.executable, "-c", FAULTS + code], env={**own, **variables},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [int(word) for word in ended.stdout.split()]


@pytest.mark.skipif(not GLIBC, reason="a setting of glibc's allocator")
@pytest.mark.parametrize("how", ["wb.keep_memory()", "x.sum().backward()"])
def test_repeated_work_faults_no_more(how):
    before, after = run(f"print(faults()); {how}; faults(); print(faults())")
    assert before > 1000  # 10 · 8 arrays of 64 pages, most of them fresh
    assert after < 100


@pytest.mark.skipif(not GLIBC, reason="a setting of glibc's allocator")
@pytest.mark.parametrize(
    "variables",
    [{"WORKBENCH_KEEP_MEMORY": "0"}, {"MALLOC_TRIM_THRESHOLD_": "131072"},
     {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"}],
)  # fmt: skip
def test_the_user_decides(variables):
    (after,) = run("x.sum().backward(); faults(); print(faults())", **variables)
    assert after > 1000


@pytest.mark.skipif(not GLIBC, reason="a setting of glibc's allocator")
def test_memory_can_be_given_back():
    (after,) = run("x.sum().backward(); wb.keep_memory(False); x.sum().backward(); print(faults())")
    assert after > 1000


def test_a_limit_below_zero_is_refused():
    with pytest.raises(ValueError, match="limit must not be negative, got -1"):
        wb.keep_memory(limit=-1)


def test_elsewhere_it_does_nothing(monkeypatch):
    monkeypatch.setattr(memory, "settled", True)
    monkeypatch.setattr(memory, "_is_glibc", lambda: False)
    assert wb.keep_memory() is False
