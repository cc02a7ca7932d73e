"""Special functions over their whole ranges, against SciPy; names and errors against torch."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special as reference

import workbench as wb
from workbench.autograd import gradcheck, gradgradcheck

torch = pytest.importorskip("torch")

WIDE = np.concatenate([np.linspace(-30, 30, 601), np.geomspace(1e-12, 1e3, 300)])
POSITIVE = np.concatenate([np.linspace(0.05, 30, 600), np.geomspace(1e-6, 1e3, 300)])
UNIT = np.concatenate([np.linspace(-1, 1, 401), 1 - np.geomspace(1e-15, 0.1, 60)])
CHANCE = np.concatenate([np.geomspace(1e-300, 0.5, 300), 1 - np.geomspace(1e-15, 0.5, 100)])

# name: (arguments, SciPy's name, relative tolerance)
CASES = {
    "erfc": (np.linspace(-6, 26, 801), "erfc", 2e-13),
    "erfcx": (np.linspace(-20, 500, 801), "erfcx", 1e-13),
    "erfinv": (UNIT, "erfinv", 1e-14),
    "ndtr": (np.linspace(-37, 8, 801), "ndtr", 2e-13),
    "ndtri": (CHANCE, "ndtri", 1e-13),
    "log_ndtr": (np.linspace(-100, 8, 801), "log_ndtr", 1e-13),
    "gammaln": (POSITIVE, "gammaln", 1e-13),
    "digamma": (POSITIVE, "psi", 2e-12),
    "i0": (WIDE[abs(WIDE) < 700], "i0", 1e-14),
    "i0e": (WIDE, "i0e", 1e-14),
    "i1": (WIDE[abs(WIDE) < 700], "i1", 1e-14),
    "i1e": (WIDE, "i1e", 1e-14),
    "modified_bessel_k0": (POSITIVE, "k0", 1e-13),
    "modified_bessel_k1": (POSITIVE, "k1", 1e-13),
    "scaled_modified_bessel_k0": (POSITIVE, "k0e", 1e-13),
    "scaled_modified_bessel_k1": (POSITIVE, "k1e", 1e-13),
    "entr": (POSITIVE, "entr", 1e-13),
    "sinc": (WIDE[abs(WIDE) < 20], None, 1e-11),
    "expit": (WIDE, "expit", 1e-13),
}


@pytest.mark.parametrize("name", CASES)
def test_precision(name):
    x, scipy_name, tolerance = CASES[name]
    with np.errstate(all="ignore"):
        expected = getattr(reference, scipy_name)(x) if scipy_name else np.sinc(x)
    got = getattr(wb.special, name)(wb.from_numpy(x.copy())).array
    atol = 1e-15 if name in ("sinc", "entr", "gammaln", "digamma", "expit") else 0
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=atol)
    single = getattr(wb.special, name)(wb.from_numpy(x.astype(np.float32)))
    assert single.dtype is wb.float32


@pytest.mark.parametrize("name", ["j0", "j1", "y0", "y1"])
def test_bessel_functions(name):
    """To an absolute precision: they cross zero. (torch's own are good to 1e-7.)"""
    x = POSITIVE[POSITIVE > 0.02] if name[0] == "y" else WIDE
    got = getattr(wb.special, f"bessel_{name}")(wb.from_numpy(x.copy())).array
    np.testing.assert_allclose(got, getattr(reference, name)(x), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_polygamma(n):
    x = wb.from_numpy(POSITIVE.copy())
    expected = reference.polygamma(n, POSITIVE)
    np.testing.assert_allclose(wb.polygamma(n, x).array, expected, rtol=2e-12)
    np.testing.assert_allclose(x.polygamma(n).array, expected, rtol=2e-12)
    with pytest.raises(RuntimeError, match="negative n"):
        wb.polygamma(-1, x)


def test_negative_arguments_of_the_gamma_family():
    x = np.linspace(-9.97, -0.03, 233) + 1e-3
    held = wb.from_numpy(x.copy())
    np.testing.assert_allclose(wb.lgamma(held).array, reference.gammaln(x), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(wb.digamma(held).array, reference.psi(x), rtol=1e-10, atol=1e-10)
    slope = torch.polygamma(1, torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(wb.polygamma(1, held).array, slope, rtol=1e-8)


def test_zeta():
    rng = np.random.default_rng(0)
    s, q = rng.uniform(1.01, 40, 500), rng.uniform(0.01, 40, 500)
    got = wb.special.zeta(wb.from_numpy(s), wb.from_numpy(q)).array
    np.testing.assert_allclose(got, reference.zeta(s, q), rtol=1e-13)
    got = wb.special.zeta(2, wb.from_numpy(q)).array
    np.testing.assert_allclose(got, reference.zeta(2, q), rtol=1e-13)


@pytest.mark.parametrize("name", ["gammainc", "gammaincc"])
def test_incomplete_gamma(name):
    rng = np.random.default_rng(0)
    a = np.concatenate([rng.exponential(20, 500) + 0.01, np.geomspace(100, 1e5, 200)])
    x = a * rng.uniform(0.5, 1.6, a.size)
    expected = getattr(reference, name)(a, x)
    got = getattr(wb.special, name)(wb.from_numpy(a), wb.from_numpy(x)).array
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-14)
    # far out the normal distribution takes over
    a = np.array([2e6, 1e9])
    x = a + np.sqrt(a) * np.array([0.7, -1.3])
    got = wb.special.gammainc(wb.from_numpy(a), wb.from_numpy(x)).array
    np.testing.assert_allclose(got, reference.ndtr([0.7, -1.3]), rtol=1e-3)


def test_mvlgamma():
    x = np.linspace(2.0, 9.0, 12)
    for p in (1, 3):
        a = wb.mvlgamma(wb.from_numpy(x), p).array
        np.testing.assert_allclose(a, torch.mvlgamma(torch.from_numpy(x), p).numpy(), rtol=1e-12)
    leaf = wb.from_numpy(x.copy()).requires_grad_()
    assert gradcheck(lambda t: wb.special.multigammaln(t, 3), [leaf])
    assert gradgradcheck(lambda t: wb.special.multigammaln(t, 3), [leaf])


def test_gradients_at_special_places():
    for name in ("i0", "i0e", "i1", "i1e", "sinc", "entr", "xlogy"):
        x = [0.0] if name != "entr" else [1.0]
        results = []
        for t in (wb, torch):
            leaf = t.tensor(x, dtype=t.float64, requires_grad=True)
            if name == "xlogy":
                t.special.xlogy(leaf, t.tensor([0.0], dtype=t.float64)).backward()
            else:
                getattr(t.special, name)(leaf).backward()
            results.append(leaf.grad.tolist())
        assert results[0] == results[1], name


@pytest.mark.parametrize("name", ["gammainc", "gammaincc", "zeta"])
def test_a_derivative_that_does_not_exist_is_an_error(name):
    x = wb.tensor([1.5], requires_grad=True)
    y = wb.tensor([2.0])
    with pytest.raises(NotImplementedError, match="derivative for"):
        getattr(wb.special, name)(x, y)
    with wb.no_grad():
        getattr(wb.special, name)(x, y)


def test_second_names_are_the_same_functions():
    pairs = {
        "erf": "erf", "gammaln": "lgamma", "psi": "digamma", "expit": "sigmoid", "exp2": "exp2",
        "expm1": "expm1", "log1p": "log1p", "i0": "i0", "logit": "logit", "round": "round",
    }  # fmt: skip
    x = wb.tensor([0.2, 0.7])
    for special, top in pairs.items():
        a, b = getattr(wb.special, special)(x), getattr(wb, top)(x)
        np.testing.assert_array_equal(a.array, b.array)
    np.testing.assert_array_equal(wb.special.softmax(x, 0).array, wb.softmax(x, 0).array)
    np.testing.assert_array_equal(wb.special.logsumexp(x, 0).array, wb.logsumexp(x, 0).array)


def test_names_of_torch_are_there():
    missing = [
        name for name in dir(torch.special)
        if callable(getattr(torch.special, name)) and name[0] != "_"
        and name != "Tensor" and not hasattr(wb.special, name)
    ]  # fmt: skip
    assert not missing
