"""Orthogonal polynomials and Airy's function, against SciPy and exact integers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special as reference

import workbench as wb

torch = pytest.importorskip("torch")

X = np.concatenate([np.linspace(-3, 3, 241), [-1.0, 0.0, 1.0, 0.5, -0.5]])
INSIDE = np.concatenate([np.linspace(-0.9999, 0.9999, 201), [-1.0, 1.0]])
SCIPY = {
    "chebyshev_polynomial_t": "eval_chebyt",
    "chebyshev_polynomial_u": "eval_chebyu",
    "shifted_chebyshev_polynomial_t": "eval_sh_chebyt",
    "shifted_chebyshev_polynomial_u": "eval_sh_chebyu",
    "hermite_polynomial_h": "eval_hermite",
    "hermite_polynomial_he": "eval_hermitenorm",
    "laguerre_polynomial_l": "eval_laguerre",
    "legendre_polynomial_p": "eval_legendre",
}


def ours(name, x, n):
    return getattr(wb.special, name)(wb.from_numpy(np.array(x)), n).array


@pytest.mark.parametrize("name", SCIPY)
@pytest.mark.parametrize("n", [0, 1, 2, 5, 9, 17])
def test_against_scipy(name, n):
    expected = getattr(reference, SCIPY[name])(n, X)
    scale = abs(expected).max()
    np.testing.assert_allclose(ours(name, X, n), expected, rtol=1e-12, atol=1e-14 * scale)


@pytest.mark.parametrize("name", ["chebyshev_polynomial_t", "chebyshev_polynomial_u",
                                  "legendre_polynomial_p"])  # fmt: skip
@pytest.mark.parametrize("n", [40, 151, 1000])
def test_high_degrees_within_the_unit_interval(name, n):
    expected = getattr(reference, SCIPY[name])(n, INSIDE)
    scale = abs(expected).max()
    np.testing.assert_allclose(ours(name, INSIDE, n), expected, atol=1e-11 * scale)


@pytest.mark.parametrize("n", [0, 1, 4, 8, 9, 10, 30])
def test_third_and_fourth_kind(n):
    """V and W are U's sums and differences (DLMF 18.7.5 and 18.7.6)."""
    x = INSIDE
    u = reference.eval_chebyu(n, x)
    before = reference.eval_chebyu(n - 1, x) if n else np.zeros_like(x)
    v, w = ours("chebyshev_polynomial_v", x, n), ours("chebyshev_polynomial_w", x, n)
    np.testing.assert_allclose(v, u - before, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(w, u + before, rtol=1e-9, atol=1e-11)
    half = (x + 1) / 2
    for kind, expected in (("v", v), ("w", w)):
        got = ours(f"shifted_chebyshev_polynomial_{kind}", half, n)
        np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-9)


def test_degrees_that_are_none():
    x = wb.tensor([0.3, 0.3, 0.3])
    n = wb.tensor([-1.0, float("nan"), float("inf")])
    for name in SCIPY:
        assert getattr(wb.special, name)(x, n).tolist() == [0, 0, 0], name
    assert wb.special.chebyshev_polynomial_t(2, wb.tensor([2.9])).tolist() == [7]
    with pytest.raises(NotImplementedError):
        wb.special.legendre_polynomial_p(x.half(), 2)
    with pytest.raises(TypeError):
        wb.special.legendre_polynomial_p(x, "a")


def test_hermite_ends_where_no_double_is_large_enough():
    got = wb.special.hermite_polynomial_h(wb.tensor([0.3], dtype=wb.float64), 100_000)
    assert np.isnan(got.array).all()


def test_airy():
    x = np.concatenate(
        [np.linspace(-40, 40, 1601), [-10.0, -9.999999, 9.999999, 10.0, 0.0, 1e-300]]
    )
    got = wb.special.airy_ai(wb.from_numpy(x.copy())).array
    expected = reference.airy(x)[0]
    np.testing.assert_allclose(got[x > 0], expected[x > 0], rtol=2e-13)
    np.testing.assert_allclose(got[x <= 0], expected[x <= 0], rtol=1e-12, atol=2e-13)
    assert wb.special.airy_ai(wb.tensor([200.0])).tolist() == [0]
    assert wb.special.airy_ai(wb.tensor([1, 2])).dtype is wb.float32
    for bad in (wb.float16, wb.complex64):
        with pytest.raises(NotImplementedError):
            wb.special.airy_ai(wb.ones(2, dtype=bad))
