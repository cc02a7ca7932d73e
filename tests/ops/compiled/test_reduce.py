"""Compiled sums and means against NumPy in double precision, over every set of dimensions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.arrays import compiler
from workbench.ops.compiled import reduce

pytest.importorskip("llvmlite")
if not compiler.available():
    pytest.skip("no kernels are compiled here", allow_module_level=True)


def drawn(shape, dtype):
    return (np.random.default_rng(0).standard_normal(shape) + 1).astype(dtype)


def near(x, dim, keepdim):
    exact = x.astype(np.longdouble)  # NumPy adds up columns one after the other
    tolerance = np.finfo(x.dtype).eps * 64
    for name in ("sum", "mean"):
        found = getattr(wb.tensor(x), name)(dim, keepdim=keepdim).numpy()
        right = getattr(exact, name)(axis=dim, keepdims=keepdim)
        assert (found.dtype, found.shape) == (x.dtype, right.shape)
        size = getattr(np.abs(exact), name)(axis=dim, keepdims=keepdim)
        assert (np.abs(found - right) <= tolerance * size).all()


SHAPES = [
    (32, 64, 16, 16), (1024, 128), (5000, 3), (3, 5000), (70, 33, 17), (1, 5, 1000, 2),
    (2048, 301), (9000,), (1 << 19,), (2, 65537), (131073, 3), (40000, 5, 2),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_set_of_dimensions(shape, dtype):
    x = drawn(shape, dtype)
    near(x, None, False)
    for count in range(1, len(shape) + 1):
        for dim in combinations(range(len(shape)), count):
            near(x, dim, keepdim=count % 2 == 0)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=3), st.data())
def test_any_shape(sides, data):
    shape = (*sides, 1 + reduce.LEAST // int(np.prod(sides)))
    near(drawn(shape, np.float32), data.draw(st.sampled_from(range(len(shape)))), True)


def test_odd_numbers_go_where_they_belong():
    x = drawn((100, 200), np.float32)
    x[3, 5], x[7, 9], x[8, 9] = np.nan, np.inf, -np.inf
    for dim in (0, 1):
        with np.errstate(invalid="ignore"):
            right = x.sum(axis=dim)
        np.testing.assert_array_equal(np.isnan(wb.tensor(x).sum(dim).numpy()), np.isnan(right))


def test_the_same_bits_for_any_number_of_threads():
    before, found = wb.get_num_threads(), []
    arrays = [drawn(shape, np.float32) for shape in SHAPES]
    try:
        for count in (1, 2, 3):
            wb.set_num_threads(count)
            sums = [wb.tensor(x).sum(dim).numpy() for x in arrays for dim in (None, 0, -1)]
            found.append([s.tobytes() for s in sums])
    finally:
        wb.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_transposed_and_broken_dims():
    x = drawn((200, 100), np.float32)
    np.testing.assert_allclose(wb.tensor(x).T.sum(0).numpy(), x.sum(axis=1), rtol=1e-5)
    with pytest.raises(IndexError, match="out of range"):
        wb.tensor(x).sum(2)
    with pytest.raises(RuntimeError, match="multiple times"):
        wb.tensor(x).sum((0, 0))
