"""dtype handles and PyTorch's promotion rules, without tensors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import workbench as wb
from workbench.arrays import as_dtype, dtype_of, promote, result_dtype
from workbench.arrays.dtypes import ALL


def test_handles_are_interned_and_named():
    assert wb.float is wb.float32
    assert wb.long is wb.int64
    assert wb.half is wb.float16
    assert repr(wb.bfloat16) == "workbench.bfloat16"
    for d in ALL:
        assert copy.copy(d) is d
        assert copy.deepcopy(d) is d
        assert pickle.loads(pickle.dumps(d)) is d
        assert dtype_of(np.zeros(1, d.numpy)) is d
        assert d.itemsize == d.numpy.itemsize
        assert {d: 1}[d] == 1


def test_categories():
    assert wb.float16.is_floating_point
    assert wb.bfloat16.is_floating_point
    assert not wb.int8.is_floating_point
    assert wb.complex64.is_complex
    assert wb.int8.is_signed
    assert not wb.uint8.is_signed
    assert wb.float32.is_signed
    assert wb.complex64.to_real() is wb.float32
    assert wb.float64.to_complex() is wb.complex128


def test_what_counts_as_a_dtype():
    assert as_dtype(float) is wb.get_default_dtype()
    assert as_dtype(int) is wb.int64
    assert as_dtype(bool) is wb.bool
    assert as_dtype(np.float64) is wb.float64
    assert as_dtype(np.dtype("int16")) is wb.int16
    for wrong in ("float32", 3, None, object):
        with pytest.raises(TypeError):
            as_dtype(wrong)


def test_byte_swapped_relatives_are_known_and_others_refused():
    assert dtype_of(np.zeros(1, ">f4")) is wb.float32
    for wrong in (np.array(["a"]), np.array([object()]), np.zeros(1, "M8[s]")):
        with pytest.raises(TypeError, match="supported types"):
            dtype_of(wrong)


def test_promotion_is_symmetric_and_idempotent():
    for a in ALL:
        assert promote(a, a) is a
        for b in ALL:
            if "uint64" in (a.name, b.name) and "int" in {a.name[:3], b.name[:3]}:
                with pytest.raises(RuntimeError, match="not supported"):
                    promote(a, b)
                continue
            assert promote(a, b) is promote(b, a)


def test_weak_operands_count_by_category_only():
    assert result_dtype([(wb.float32, 0), (wb.float64, 1)]) is wb.float32
    assert result_dtype([(wb.int32, 0), (wb.float64, 1)]) is wb.float64
    assert result_dtype([(wb.int8, 0), (wb.int64, 2)]) is wb.int8
    assert result_dtype([(wb.float64, 0), (wb.complex64, 2)]) is wb.complex128
    with pytest.raises(ValueError, match="operand"):
        result_dtype([])


def test_the_default_dtype_must_be_a_float():
    with pytest.raises(TypeError):
        wb.set_default_dtype(wb.int32)
    assert wb.get_default_dtype() is wb.float32
