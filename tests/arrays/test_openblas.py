"""Sums of products in place, transposes and working memory, against plain NumPy."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from workbench.arrays import openblas
from workbench.arrays.scratch import release, scratch


@pytest.fixture(params=["library", "numpy"])
def way(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr(openblas, "_functions", lambda char: None)
    return request.param


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposed", [False, True])
def test_products_of_submatrices_are_added_where_told(way, dtype, transposed):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((9, 11)).astype(dtype), rng.standard_normal((8, 7)).astype(dtype)
    out = np.full((6, 10), 5, dtype)
    m, n, k = 3, 4, 5
    steps = [(1, 2, 0, False), (12, 0, 0, True), (0, 7, 31, True)]
    expected = out.copy()
    for i, j, o, add in steps:
        left = a.reshape(-1)[i:]
        shape = (k, m) if transposed else (m, k)
        left = np.array([left[r * 11 : r * 11 + shape[1]] for r in range(shape[0])])
        right = np.array([b.reshape(-1)[j + r * 7 : j + r * 7 + n] for r in range(k)])
        made = (left.T if transposed else left) @ right
        for r in range(m):
            part = expected.reshape(-1)[o + r * 10 : o + r * 10 + n]
            part[...] = made[r] + (part if add else 0)
    openblas.products(a, b, out, (m, n, k), (11, 7, 10), steps, transposed=transposed)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


def test_products_over_nothing_are_zeros(way):
    out = np.full((2, 3), 5.0)
    openblas.products(np.zeros(0), np.zeros(0), out, (2, 3, 0), (1, 3, 3), [(0, 0, 0, False)])
    assert not out.any()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("shape", [(1, 4), (3, 1), (0, 4), (33, 70)])
def test_transpose(way, dtype, shape):
    source = np.arange(shape[0] * shape[1]).reshape(shape).astype(dtype)
    target = np.zeros(shape[::-1], dtype)
    openblas.transpose(source, target)
    assert np.array_equal(target, source.T)


def test_scratch_grows_and_belongs_to_its_thread():
    release()
    small = scratch("a", (4, 3), np.float32)
    assert small.flags.c_contiguous
    assert small.ctypes.data % 64 == 0
    assert np.shares_memory(small, scratch("a", (2,), np.float64))
    assert not np.shares_memory(small, scratch("b", (4, 3), np.float32))
    large = scratch("a", (100, 100), np.float32)
    assert np.shares_memory(large, scratch("a", (4, 3), np.float32))
    elsewhere = []
    thread = threading.Thread(target=lambda: elsewhere.append(scratch("a", (4,), np.float32)))
    thread.start()
    thread.join()
    assert not np.shares_memory(large, elsewhere[0])
    release()
