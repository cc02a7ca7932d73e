"""Functions against NumPy 2, which follows the standard: every dtype, odd shapes, odd values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, settings
from hypothesis import given as every_example
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import workbench.array_api as xp

INTS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]
FLOATS = [np.float32, np.float64]
COMPLEX = [np.complex64, np.complex128]
KINDS = {"b": [np.bool_], "i": INTS, "f": FLOATS, "c": COMPLEX}
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def given(*strategies):
    """A property tried on forty examples: there are many functions."""
    return lambda test: settings(max_examples=40)(every_example(*strategies)(test))


def kinds(letters):
    return [k for letter in letters for k in KINDS[letter]]


@st.composite
def arrays(draw, letters, shape=SHAPES, odd=True):
    """Arrays; `odd`: infinities and nan too, otherwise small numbers."""
    dtype = np.dtype(draw(st.sampled_from(kinds(letters))))
    elements = None
    if not odd and dtype.kind in "fc":
        elements = st.floats(-4, 4, width=32)
        if dtype.kind == "c":
            elements = st.builds(complex, elements, elements)
    elif not odd and dtype.kind in "iu":
        elements = st.integers(0 if dtype.kind == "u" else -4, 4)
    return draw(
        hnp.arrays(dtype, draw(shape) if hasattr(shape, "map") else shape, elements=elements)
    )


def same(got, expected, exact=False):
    if isinstance(expected, (tuple, list)):
        assert len(got) == len(expected)
        for a, b in zip(got, expected, strict=True):
            same(a, b, exact)
        return
    expected = np.asarray(expected)
    assert type(got) is xp.Array
    assert got.array.dtype == expected.dtype
    assert got.shape == expected.shape
    if exact or expected.dtype.kind in "biu":
        np.testing.assert_array_equal(got.array, expected)
    else:
        tolerance = 1e-5 if expected.real.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(got.array, expected, rtol=tolerance, atol=tolerance)


UNARY = {
    "abs": "ifc", "acos": "f", "acosh": "f", "asin": "f", "asinh": "f", "atan": "f", "atanh": "f",
    "bitwise_invert": "bi", "ceil": "if", "conj": "c", "cos": "f", "cosh": "f", "exp": "f",
    "expm1": "f", "floor": "if", "imag": "c", "isfinite": "ifc", "isinf": "ifc", "isnan": "ifc",
    "log": "f", "log10": "f", "log1p": "f", "log2": "f", "logical_not": "b", "negative": "ifc",
    "positive": "ifc", "real": "c", "reciprocal": "f", "round": "ifc", "sign": "if",
    "signbit": "f", "sin": "f", "sinh": "f", "sqrt": "f", "square": "if", "tan": "f", "tanh": "f",
    "trunc": "if",
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
@given(st.data())
@np.errstate(all="ignore")
def test_unary(name, data):
    x = data.draw(arrays(UNARY[name]))
    assume(not (name == "negative" and x.dtype.kind == "u"))
    far = name in ("sin", "cos", "tan") and (abs(x[np.isfinite(x)]) > 1e4).any()
    assume(not far)  # the reduction of large angles is each library's own
    same(getattr(xp, name)(xp.asarray(x)), getattr(np, name)(x))


BINARY = {
    "add": "ifc", "atan2": "f", "bitwise_and": "bi", "bitwise_or": "bi", "bitwise_xor": "bi",
    "copysign": "f", "divide": "f", "equal": "bifc", "greater": "if", "greater_equal": "if",
    "hypot": "f", "less": "if", "less_equal": "if", "logaddexp": "f", "logical_and": "b",
    "logical_or": "b", "logical_xor": "b", "maximum": "if", "minimum": "if", "multiply": "if",
    "nextafter": "f", "not_equal": "bifc", "subtract": "ifc",
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
@given(st.data())
@np.errstate(all="ignore")
def test_binary(name, data):
    """Two dtypes of one kind, shapes that broadcast: 0-d arrays promote as all others."""
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
    letter = data.draw(st.sampled_from(BINARY[name]))
    x, y = (data.draw(arrays(letter, shape)) for shape in shapes.input_shapes)
    mixed = {x.dtype.kind, y.dtype.kind} == {"i", "u"} and np.uint64 in (x.dtype, y.dtype)
    assume(not mixed)  # the standard leaves uint64 with signed integers open
    same(getattr(xp, name)(xp.asarray(x), xp.asarray(y)), getattr(np, name)(x, y))


@given(arrays("if", odd=False), st.integers(0, 4))
def test_numbers_beside_arrays(x, number):
    a = xp.asarray(x)
    same(a + number, x + x.dtype.type(number))
    same(number - a, x.dtype.type(number) - x)
    same(xp.maximum(a, number), np.maximum(x, x.dtype.type(number)))
    same(xp.less(number, a), np.less(x.dtype.type(number), x))


@given(arrays("if", odd=False), st.data())
def test_powers_and_quotients(x, data):
    small = st.integers(1, 3)
    y = data.draw(hnp.arrays(x.dtype, x.shape, elements=small.map(float) if x.dtype.kind == "f"
                             else small))  # fmt: skip
    same(xp.pow(xp.asarray(x), xp.asarray(y)), np.power(x, y))
    same(xp.floor_divide(xp.asarray(x), xp.asarray(y)), np.floor_divide(x, y))
    same(xp.remainder(xp.asarray(x), xp.asarray(y)), np.remainder(x, y))


def an_axis(draw, ndim, several=True):
    if ndim == 0:
        return None
    one = st.integers(-ndim, ndim - 1)
    many = st.lists(st.integers(0, ndim - 1), unique=True).map(tuple)
    return draw(st.none() | one | many if several else one)


REDUCTIONS = {
    "sum": "ifc", "prod": "ifc", "mean": "f", "std": "f", "var": "f", "max": "if", "min": "if",
    "all": "bifc", "any": "bifc", "count_nonzero": "bifc",
}  # fmt: skip


@pytest.mark.parametrize("name", REDUCTIONS)
@given(st.data())
@np.errstate(all="ignore")
def test_reductions(name, data):
    x = data.draw(arrays(REDUCTIONS[name], odd=False))
    axis, keepdims = an_axis(data.draw, x.ndim), data.draw(st.booleans())
    if name in ("max", "min", "mean", "std", "var"):
        assume(x.size)
    expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    if name == "count_nonzero":
        expected = np.asarray(expected, np.int64)
    got = getattr(xp, name)(xp.asarray(x), axis=axis, keepdims=keepdims)
    if x.dtype.kind in "fc" and name in ("sum", "prod", "mean", "std", "var"):
        assert got.array.dtype == np.asarray(expected).dtype
        np.testing.assert_allclose(got.array, expected, rtol=2e-4, atol=1e-4)
    else:
        same(got, expected)


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
@given(st.data())
def test_running(name, data):
    x = data.draw(arrays("i", hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)))
    axis, initial = an_axis(data.draw, x.ndim, False), data.draw(st.booleans())
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x, axis=axis, include_initial=initial)
    same(getattr(xp, name)(xp.asarray(x), axis=axis, include_initial=initial), expected)


@given(arrays("bif", hnp.array_shapes(max_dims=3, max_side=6), odd=False), st.data())
def test_sorting(x, data):
    axis = an_axis(data.draw, x.ndim, False)
    a = xp.asarray(x)
    same(xp.sort(a, axis=axis), np.sort(x, axis=axis))
    same(xp.argsort(a, axis=axis), np.argsort(x, axis=axis, stable=True))
    down = xp.argsort(a, axis=axis, descending=True).array
    np.testing.assert_array_equal(np.take_along_axis(x, down, axis),
                                  np.flip(np.sort(x, axis=axis), axis))  # fmt: skip
    values = np.take_along_axis(x, down, axis)
    tied = np.diff(down, axis=axis)[~(np.diff(values.astype(float), axis=axis) != 0)]
    assert (tied > 0).all()  # equal elements keep their order
    if x.dtype.kind != "b" and x.size:
        same(xp.argmax(a, axis=axis), np.argmax(x, axis=axis))
        same(xp.argmin(a, keepdims=True), np.argmin(x, keepdims=True))


@given(arrays("bifc"))
def test_distinct_values(x):
    got, expected = xp.unique_all(xp.asarray(x)), np.unique_all(x)
    same(tuple(got), tuple(expected), exact=True)
    same(tuple(xp.unique_counts(xp.asarray(x))), tuple(np.unique_counts(x)), exact=True)
    assert got._fields == ("values", "indices", "inverse_indices", "counts")


@given(arrays("bifc"), st.data())
def test_moving_elements(x, data):
    a = xp.asarray(x)
    axis = an_axis(data.draw, x.ndim)
    same(xp.flip(a, axis=axis), np.flip(x, axis=axis), exact=True)
    order = tuple(data.draw(st.permutations(range(x.ndim))))
    same(xp.permute_dims(a, order), np.transpose(x, order), exact=True)
    shift = data.draw(st.integers(-5, 5))
    same(xp.roll(a, shift), np.roll(x, shift), exact=True)
    times = tuple(data.draw(st.lists(st.integers(0, 3), max_size=4)))
    same(xp.tile(a, times), np.tile(x, times), exact=True)
    same(xp.repeat(a, 2), np.repeat(x, 2), exact=True)
    same(xp.reshape(a, (-1,) if x.size else (0,)), x.reshape(-1), exact=True)
    if x.ndim:
        one = data.draw(st.integers(-x.ndim, x.ndim - 1))
        same(xp.expand_dims(a, one), np.expand_dims(x, one), exact=True)
        same(xp.concat([a, a], axis=one), np.concatenate([x, x], axis=one), exact=True)
        same(xp.stack([a, a], axis=one), np.stack([x, x], axis=one), exact=True)
        same(xp.moveaxis(a, 0, one), np.moveaxis(x, 0, one), exact=True)
        same(xp.unstack(a, axis=one), np.unstack(x, axis=one), exact=True)
        counts = data.draw(hnp.arrays(np.int64, x.shape[one], elements=st.integers(0, 3)))
        same(xp.repeat(a, xp.asarray(counts), axis=one), np.repeat(x, counts, axis=one), exact=True)
    same(xp.nonzero(a) if x.ndim else (), np.nonzero(x) if x.ndim else ())


@given(arrays("ifc", hnp.array_shapes(min_side=1, max_side=4), odd=False), st.data())
def test_taking(x, data):
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    rows = data.draw(hnp.arrays(np.int64, 3, elements=st.integers(0, x.shape[axis] - 1)))
    a = xp.asarray(x)
    same(xp.take(a, xp.asarray(rows), axis=axis), np.take(x, rows, axis=axis), exact=True)
    order = np.argsort(x.real, axis=axis)
    same(xp.take_along_axis(a, xp.asarray(order), axis=axis),
         np.take_along_axis(x, order, axis), exact=True)  # fmt: skip


@given(arrays("if", (7,), odd=False), arrays("if", odd=False), st.sampled_from(["left", "right"]))
def test_searchsorted(row, values, side):
    order = np.argsort(row)
    got = xp.searchsorted(xp.asarray(row), xp.asarray(values), side=side, sorter=xp.asarray(order))
    same(got, np.searchsorted(row, values, side, sorter=order))


@given(arrays("ifc", (3, 4), odd=False), arrays("ifc", (4, 2), odd=False))
def test_products(x, y):
    assume((x.dtype.kind in "iu") == (y.dtype.kind in "iu"))
    assume(not ({x.dtype.kind, y.dtype.kind} == {"i", "u"} and np.uint64 in (x.dtype, y.dtype)))
    a, b = xp.asarray(x), xp.asarray(y)
    same(a @ b, x @ y)
    same(xp.tensordot(a, b, axes=1), np.tensordot(x, y, axes=1))
    same(xp.tensordot(a, b, axes=([1], [0])), np.tensordot(x, y, axes=([1], [0])))
    same(xp.vecdot(a, xp.matrix_transpose(b)[:1, :]), np.vecdot(x, y.T[:1, :]))
    same(xp.linalg.outer(a[0], b[0]), np.outer(x[0], y[0]))


@given(arrays("f", (3, 3), odd=False))
def test_linear_algebra(x):
    x = x + np.eye(3, dtype=x.dtype) * 20
    a = xp.asarray(x)
    for name in ("det", "inv", "svdvals", "pinv", "matrix_rank", "eigvalsh", "trace", "diagonal"):
        got, expected = getattr(xp.linalg, name)(a), getattr(np.linalg, name)(x)
        np.testing.assert_allclose(got.array, expected, rtol=2e-4, atol=1e-3)
    same(xp.linalg.matrix_norm(a, ord=1), np.linalg.matrix_norm(x, ord=1))
    same(xp.linalg.vector_norm(a, axis=0, ord=3, keepdims=True),
         np.linalg.vector_norm(x, axis=0, ord=3, keepdims=True))  # fmt: skip
    stack = np.stack([x, x + 1])
    got = xp.linalg.solve(xp.asarray(stack), a[:, :2])
    np.testing.assert_allclose(got.array, np.linalg.solve(stack, x[:, :2]), rtol=1e-3, atol=1e-3)
    assert xp.linalg.slogdet(a)._fields == ("sign", "logabsdet")
    assert xp.linalg.eigh(a)._fields == ("eigenvalues", "eigenvectors")


@given(arrays("fc", hnp.array_shapes(min_side=1, max_side=5), odd=False), st.data())
def test_fourier(x, data):
    a = xp.asarray(x)
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    norm = data.draw(st.sampled_from(["backward", "ortho", "forward"]))
    for name in ("fft", "ifft", *(() if x.dtype.kind == "c" else ("rfft", "ihfft"))):
        got = getattr(xp.fft, name)(a, axis=axis, norm=norm)
        expected = getattr(np.fft, name)(x, axis=axis, norm=norm)
        assert got.array.dtype == np.result_type(x.dtype, np.complex64)
        np.testing.assert_allclose(got.array, expected, rtol=1e-4, atol=1e-4)
    same(xp.fft.fftshift(a, axes=axis), np.fft.fftshift(x, axes=axis), exact=True)
    same(xp.fft.fftfreq(5, d=0.5, dtype=xp.float64), np.fft.fftfreq(5, d=0.5))


@given(arrays("if"), st.data())
def test_clip_and_where(x, data):
    assume(not np.isnan(x).any())
    low, high = sorted(data.draw(st.tuples(st.integers(0, 9), st.integers(0, 9))))
    a = xp.asarray(x)
    kind = x.dtype.type
    same(xp.clip(a, low, high), np.clip(x, kind(low), kind(high)))
    same(xp.clip(a, max=xp.asarray(high, dtype=a.dtype)), np.minimum(x, kind(high)))
    mask = data.draw(hnp.arrays(np.bool_, x.shape))
    same(xp.where(xp.asarray(mask), a, 1), np.where(mask, x, kind(1)), exact=True)
    if x.ndim:
        same(xp.diff(a, prepend=a), np.diff(x, prepend=x), exact=True)
