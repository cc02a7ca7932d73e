"""Arrays from other things, and conversions."""

from __future__ import annotations

import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import workbench as wb
import workbench.array_api as xp


def test_asarray_of_numbers():
    for value, kind in ((True, xp.bool), (1, xp.int64), (1.0, xp.float32), (1j, xp.complex64)):
        x = xp.asarray(value)
        assert x.dtype is kind
        assert x.shape == ()
        assert xp.asarray([[value]]).dtype is kind
    assert xp.asarray([]).dtype is xp.float32
    assert xp.asarray([1, 2.5]).dtype is xp.float32
    assert xp.asarray([xp.asarray(1), xp.asarray(2)]).tolist() == [1, 2]


def test_asarray_holds_the_largest_integers():
    for kind in (xp.int64, xp.uint64):
        limits = xp.iinfo(kind)
        x = xp.asarray([limits.min, limits.max], dtype=kind)
        assert x.tolist() == [limits.min, limits.max]
    for bad, kind in ((2**63, None), (2**64, xp.uint64), (-1, xp.uint8), (300, xp.uint8)):
        with pytest.raises(OverflowError):
            xp.asarray(bad, dtype=kind)


def test_asarray_and_copies():
    held = np.arange(4.0)
    assert np.shares_memory(xp.asarray(held).array, held)
    assert np.shares_memory(xp.asarray(held, copy=False).array, held)
    assert not np.shares_memory(xp.asarray(held, copy=True).array, held)
    t = wb.ones(2)
    assert xp.asarray(t).data_ptr() == t.data_ptr()
    assert xp.asarray(t, copy=True).data_ptr() != t.data_ptr()
    x = xp.ones(2)
    assert xp.asarray(x) is x
    for bad in (lambda: xp.asarray([1], copy=False), lambda: xp.asarray(1, copy=False),
                lambda: xp.asarray(held, dtype=xp.int8, copy=False)):  # fmt: skip
        with pytest.raises(ValueError, match="without a copy"):
            bad()


def test_asarray_of_buffers():
    for made in (bytearray(b"abc"), memoryview(b"abc"), array.array("B", b"abc")):
        x = xp.asarray(made)
        assert x.dtype is xp.uint8
        assert x.tolist() == [97, 98, 99]
    shared = bytearray(b"abc")
    xp.asarray(shared)[0] = 65
    assert shared == b"Abc"
    assert xp.asarray(np.float64(2)).dtype is xp.float64
    assert xp.asarray(np.arange(3, dtype=">i4")).tolist() == [0, 1, 2]
    with pytest.raises(TypeError):
        xp.asarray(np.array(["a"]))


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.1, 10), st.booleans())
def test_arange(start, stop, step, down):
    step = -step if down else step
    np.testing.assert_allclose(
        xp.arange(start, stop, step, dtype=xp.float64), np.arange(start, stop, step), atol=1e-9
    )


def test_arange_dtypes():
    assert xp.arange(3).dtype is xp.int64
    assert xp.arange(3.0).dtype is xp.float32
    assert xp.arange(5, 1, -2).tolist() == [5, 3]
    assert xp.arange(0, 10, 3, dtype=xp.uint8).dtype is xp.uint8
    with pytest.raises(ValueError, match="step"):
        xp.arange(1, 2, 0)


def test_linspace():
    assert xp.linspace(0, 1, 3).tolist() == [0, 0.5, 1]
    assert xp.linspace(0, 1, 2, endpoint=False).tolist() == [0, 0.5]
    assert xp.linspace(0, 1j, 2).dtype is xp.complex64
    assert xp.linspace(0, 9, 0).shape == (0,)


def test_shapes_and_likes():
    assert xp.zeros(3).shape == (3,)
    assert xp.full((2,), 7).dtype is xp.int64
    assert xp.full((), True).dtype is xp.bool
    assert xp.eye(2, 3, k=1).tolist() == [[0, 1, 0], [0, 0, 1]]
    x = xp.ones((2, 2), dtype=xp.int16)
    for make in (xp.zeros_like, xp.ones_like, xp.empty_like):
        assert make(x).dtype is xp.int16
        assert make(x, dtype=xp.float64).dtype is xp.float64
    assert xp.full_like(x, 3).tolist() == [[3, 3], [3, 3]]
    assert xp.tril(xp.ones((2, 3)), k=1).tolist() == [[1, 1, 0], [1, 1, 1]]
    grids = xp.meshgrid(xp.arange(2), xp.arange(3))
    assert [g.shape for g in grids] == [(3, 2), (3, 2)]
    assert isinstance(grids, list)


def test_astype():
    x = xp.asarray([1.5, -2.5])
    assert xp.astype(x, xp.int8).tolist() == [1, -2]
    assert xp.astype(x, xp.float32) is not x
    assert xp.astype(x, xp.float32, copy=False) is x
    assert xp.astype(xp.asarray([0j, 1j]), xp.bool).tolist() == [False, True]
    with pytest.raises(TypeError, match="real"):
        xp.astype(xp.asarray([1j]), xp.float32)


def test_from_dlpack():
    held = np.arange(3.0)
    assert np.shares_memory(xp.from_dlpack(held).array, held)
    assert not np.shares_memory(xp.from_dlpack(held, copy=True).array, held)
    t = wb.ones(2)
    assert xp.from_dlpack(t).data_ptr() == t.data_ptr()
    assert xp.from_dlpack(t, copy=True).data_ptr() != t.data_ptr()
