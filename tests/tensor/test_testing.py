# ruff: noqa: E501 - tables, one case in a line
"""assert_close, assert_allclose and make_tensor: as torch.testing's."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import workbench as wb

torch = pytest.importorskip("torch")

nan = math.nan
PAIRS = {
    "equal": lambda lib: (lib.ones(3), lib.ones(3), {}),
    "close": lambda lib: (lib.ones(3), lib.ones(3) + 1e-6, {}),
    "not close": lambda lib: (lib.ones(3), lib.ones(3) + 1e-4, {}),
    "close doubles": lambda lib: (lib.ones(3).double(), lib.ones(3).double() + 1e-6, {}),
    "halves": lambda lib: (lib.ones(3).half(), lib.ones(3).half() + 1e-3, {}),
    "own tolerance": lambda lib: (lib.ones(3), lib.ones(3) + 0.1, {"rtol": 0, "atol": 0.2}),
    "one tolerance": lambda lib: (lib.ones(3), lib.ones(3), {"rtol": 0.1}),
    "ints": lambda lib: (lib.tensor([1, 2]), lib.tensor([1, 3]), {}),
    "big ints": lambda lib: (lib.tensor([2**60]), lib.tensor([2**60 + 1]), {}),
    "ints with tolerance": lambda lib: (lib.tensor([1, 2]), lib.tensor([1, 3]), {"rtol": 0, "atol": 1}),
    "bools": lambda lib: (lib.tensor([True]), lib.tensor([False]), {}),
    "complex": lambda lib: (lib.tensor([1j]), lib.tensor([1j + 1e-7]), {}),
    "nan": lambda lib: (lib.tensor([nan]), lib.tensor([nan]), {}),
    "equal nan": lambda lib: (lib.tensor([nan]), lib.tensor([nan]), {"equal_nan": True}),
    "inf": lambda lib: (lib.tensor([math.inf]), lib.tensor([math.inf]), {}),
    "shapes": lambda lib: (lib.ones(3), lib.ones(1), {}),
    "dtypes": lambda lib: (lib.ones(3), lib.ones(3).double(), {}),
    "dtypes unchecked": lambda lib: (lib.ones(3), lib.ones(3).double(), {"check_dtype": False}),
    "strides": lambda lib: (lib.ones(2, 3), lib.ones(3, 2).t(), {"check_stride": True}),
    "numbers": lambda lib: (1.0, 1.0 + 1e-9, {}),
    "far numbers": lambda lib: (1.0, 1.1, {}),
    "number types": lambda lib: (1, 1.0, {}),
    "none": lambda lib: (None, None, {}),
    "none and number": lambda lib: (None, 1, {}),
    "lists": lambda lib: ([lib.ones(2), 1], [lib.ones(2), 1], {}),
    "lists differ": lambda lib: ([lib.ones(2)], [lib.zeros(2)], {}),
    "lengths": lambda lib: ([1], [1, 2], {}),
    "dicts": lambda lib: ({"a": lib.ones(1)}, {"a": lib.ones(1)}, {}),
    "keys": lambda lib: ({"a": 1}, {"b": 1}, {}),
    "arrays": lambda lib: (np.ones(2), np.ones(2), {}),
    "tensor and number": lambda lib: (lib.tensor(1.0), 1.0, {}),
    "text": lambda lib: ("a", "a", {}),
    "empty": lambda lib: (lib.ones(0), lib.ones(0), {}),
}  # fmt: skip


def outcome(lib, name):
    actual, expected, options = PAIRS[name](lib)
    try:
        lib.testing.assert_close(actual, expected, **options)
    except Exception as error:  # noqa: BLE001 - whichever it is, both have to raise it
        return type(error), str(error)
    return None, ""


@pytest.mark.parametrize("name", PAIRS)
def test_passes_and_fails_as_torch(name):
    assert outcome(wb, name)[0] is outcome(torch, name)[0], outcome(wb, name)


def test_says_how_far_apart():
    with pytest.raises(AssertionError) as caught:
        wb.testing.assert_close({"w": [wb.ones(4)]}, {"w": [wb.tensor([1.0, 1, 3, 1])]})
    text = str(caught.value)
    assert "Mismatched elements: 1 / 4 (25.0%)" in text
    assert "Greatest absolute difference: 2.0 at index (2,)" in text
    assert "item ['w'][0]" in text
    for msg in ("own words", lambda text: f"own words: {text}"):
        with pytest.raises(AssertionError, match="own words"):
            wb.testing.assert_close(wb.ones(1), wb.zeros(1), msg=msg)


def test_assert_allclose():
    wb.testing.assert_allclose(wb.ones(2), np.ones(2))
    wb.testing.assert_allclose(wb.ones(2), [1.0, 1.0 + 1e-6])
    with pytest.raises(AssertionError):
        wb.testing.assert_allclose(wb.ones(2), wb.zeros(2))


@pytest.mark.parametrize(
    "name", ["float32", "float64", "int64", "uint8", "bool", "complex64", "bfloat16"]
)
def test_make_tensor(name):
    wb.manual_seed(0)
    dtype = getattr(wb, name)
    x = wb.testing.make_tensor(
        50, 3, dtype=dtype, low=0, high=2, requires_grad=name.startswith("fl")
    )
    assert x.dtype is dtype
    assert x.shape == (50, 3)
    real = x.detach() if not dtype.is_complex else x.real
    assert bool((real.float() >= 0).all())
    assert bool((real.float() <= 2).all())
    assert not wb.testing.make_tensor(4, 4, dtype=dtype, noncontiguous=True).is_contiguous()
    if name != "bool":
        assert bool((wb.testing.make_tensor(500, dtype=dtype, exclude_zero=True) != 0).all())
    with pytest.raises(ValueError, match="low"):
        wb.testing.make_tensor(2, dtype=dtype, low=3, high=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert wb.testing.make_tensor((), dtype=dtype).shape == ()
