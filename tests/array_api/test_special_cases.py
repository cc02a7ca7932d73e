"""Special cases that the standard states and NumPy or torch answers otherwise."""

from __future__ import annotations

import math

import numpy as np
import pytest

import workbench.array_api as xp

INF, NAN = math.inf, math.nan


def same(got, expected):
    """Equal with their signs of zero."""
    if math.isnan(expected):
        assert math.isnan(got)
    else:
        assert got == expected
        assert math.copysign(1, got) == math.copysign(1, expected)


FLOOR_DIVIDE = [
    (INF, 2.0, INF), (INF, -2.0, -INF), (-INF, 2.0, -INF), (-INF, -2.0, INF), (3.0, INF, 0.0),
    (3.0, -INF, -0.0), (-3.0, INF, -0.0), (-3.0, -INF, 0.0), (INF, INF, NAN), (0.0, 0.0, NAN),
    (3.0, 0.0, INF), (3.0, -0.0, -INF), (-3.0, 0.0, -INF), (0.0, 2.0, 0.0), (-0.0, 2.0, -0.0),
    (7.0, 2.0, 3.0), (-7.0, 2.0, -4.0), (NAN, 1.0, NAN), (1.0, NAN, NAN),
]  # fmt: skip


@pytest.mark.parametrize("kind", [xp.float32, xp.float64])
@pytest.mark.parametrize(("a", "b", "expected"), FLOOR_DIVIDE)
def test_floor_divide(a, b, expected, kind):
    x, y = (xp.asarray([v], dtype=kind) for v in (a, b))
    same(float(xp.floor_divide(x, y)[0]), expected)
    same(float((x // y)[0]), expected)
    same(float((x // b)[0]), expected)
    same(float((a // y)[0]), expected)
    x //= y
    same(float(x[0]), expected)


REMAINDER = [
    (3.0, INF, 3.0), (-3.0, INF, INF), (3.0, -INF, -INF), (-3.0, -INF, -3.0), (INF, 2.0, NAN),
    (1.0, 0.0, NAN), (0.0, 2.0, 0.0), (0.0, -2.0, -0.0), (-0.0, 2.0, 0.0), (-7.0, 3.0, 2.0),
    (7.0, -3.0, -2.0), (4.0, -2.0, -0.0), (-4.0, 2.0, 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "expected"), REMAINDER)
def test_remainder(a, b, expected):
    x, y = xp.asarray([a]), xp.asarray([b])
    same(float(xp.remainder(x, y)[0]), expected)
    same(float((x % y)[0]), expected)


POW = [
    (NAN, 0.0, 1.0), (1.0, NAN, 1.0), (1.0, INF, 1.0), (-1.0, INF, 1.0), (0.5, INF, 0.0),
    (2.0, -INF, 0.0), (0.0, -1.0, INF), (-0.0, -1.0, -INF), (-0.0, 3.0, -0.0), (-INF, 3.0, -INF),
    (-INF, 2.0, INF), (-INF, -3.0, -0.0), (-2.0, 0.5, NAN),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "expected"), POW)
def test_pow(a, b, expected):
    x, y = xp.asarray([a]), xp.asarray([b])
    same(float((x**y)[0]), expected)


COMPLEX = {
    "expm1": {
        complex(0, 0): 0j, complex(-0.0, 0): 0j, complex(INF, 0): complex(INF, 0),
        complex(-INF, 1): complex(-1, 0), complex(-INF, INF): complex(-1, 0),
        complex(INF, INF): complex(INF, NAN), complex(INF, NAN): complex(INF, NAN),
        complex(NAN, 0): complex(NAN, 0), complex(1, INF): complex(NAN, NAN),
        complex(-INF, NAN): complex(-1, 0),
    },
    "tanh": {
        complex(INF, 1e30): complex(1, 0), complex(INF, -2): complex(1, -0.0),
        complex(-INF, 2): complex(-1, 0.0), complex(INF, 0): complex(1, 0), 0j: 0j,
    },
    "tan": {complex(2, INF): complex(0, 1), complex(-2, -INF): complex(-0.0, -1)},
    "sign": {complex(NAN, 0): complex(NAN, NAN), 0j: 0j, complex(3, 4): complex(0.6, 0.8)},
    "round": {complex(1.5, 2.5): complex(2, 2), complex(-0.5, 0.2): complex(-0.0, 0)},
}  # fmt: skip


@pytest.mark.parametrize("name", COMPLEX)
@pytest.mark.parametrize("kind", [xp.complex64, xp.complex128])
def test_complex(name, kind):
    for x, expected in COMPLEX[name].items():
        got = complex(getattr(xp, name)(xp.asarray([x], dtype=kind))[0])
        np.testing.assert_allclose([got.real, got.imag], [expected.real, expected.imag], rtol=1e-6,
                                   err_msg=f"{name}({x})")  # fmt: skip


def test_nan_has_no_sign():
    assert math.isnan(float(xp.sign(xp.asarray([NAN]))[0]))
    assert xp.sign(xp.asarray([-2.0, 0.0, 5.0])).tolist() == [-1, 0, 1]
    assert xp.sign(xp.asarray([-2, 0, 5])).tolist() == [-1, 0, 1]


def test_sums_of_small_integers_are_wide():
    assert xp.sum(xp.asarray([255, 255], dtype=xp.uint8)).dtype is xp.uint64
    assert xp.prod(xp.asarray([100, 100], dtype=xp.int8)).item() == 10_000
    assert xp.cumulative_sum(xp.asarray([200, 200], dtype=xp.uint8)).tolist() == [200, 400]
    assert xp.sum(xp.ones(3, dtype=xp.float32)).dtype is xp.float32
    assert xp.sum(xp.asarray([1.5]), dtype=xp.float64).dtype is xp.float64


def test_an_empty_tuple_of_axes_reduces_nothing():
    x = xp.asarray([1.0, 2.0])
    assert xp.sum(x, axis=()).tolist() == [1, 2]
    assert xp.std(x, axis=(), keepdims=True).tolist() == [0, 0]
    assert xp.all(x, axis=()).tolist() == [True, True]


def test_errors_name_what_is_wrong():
    x = xp.ones((2, 3))
    zero_d, flat = xp.ones(()), xp.ones(2)
    calls = [
        (ValueError, lambda: xp.squeeze(x, 0)),
        (IndexError, lambda: xp.expand_dims(x, 5)),
        (IndexError, lambda: xp.concat([x], axis=4)),
        (ValueError, lambda: xp.nonzero(zero_d)),
        (TypeError, lambda: xp.matmul(x, 2)),
        (ValueError, lambda: xp.matmul(x, zero_d)),
        (ValueError, lambda: xp.take(x, xp.asarray([0]))),
        (IndexError, lambda: xp.take(flat, xp.asarray([5]))),
        (TypeError, lambda: xp.imag(x)),
        (TypeError, lambda: xp.add(1, 2)),
        (ValueError, lambda: xp.diff(x, n=-1)),
        (ValueError, lambda: xp.cumulative_sum(x)),
        (ValueError, lambda: xp.linalg.cross(x[:, :2], x[:, :2])),
        (ValueError, lambda: xp.vecdot(x, x[:, :2])),
        (ValueError, lambda: xp.meshgrid(x)),
        (ValueError, lambda: xp.tensordot(x, x, axes=1)),
        (ValueError, lambda: xp.linalg.outer(x, x)),
        (ValueError, lambda: xp.reshape(x.mT, (6,), copy=False)),
        (ValueError, lambda: xp.searchsorted(flat, flat, side="up")),
    ]
    for error, call in calls:
        with pytest.raises(error):
            call()
