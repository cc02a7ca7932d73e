"""Functions in kernels against NumPy's and SciPy's in more digits."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.arrays.compiler import functions
from workbench.arrays.compiler.ir import vector
from workbench.arrays.compiler.kernel import address, kernel, real
from workbench.arrays.compiler.llvm import host

pytest.importorskip("llvmlite", reason="the extra [fast] is not installed")
scipy_special = pytest.importorskip("scipy.special")

EXACT = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "erf": lambda x: scipy_special.erf(x.astype(float)),
    "normal_cdf": lambda x: scipy_special.ndtr(x.astype(float)),
}  # fmt: skip
UNITS = {"exp": 1.1, "log": 1.2, "expm1": 2, "log1p": 2, "erf": 5}  # in the last place
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-42, -1e-42, 1e-310, 3e38, -3e38]


@kernel("ptr x, ptr out")
def applied(fn, x, out, begin, end, worker, *, name, real, lanes):
    with fn.range(begin, end) as i:
        value = fn.load(vector(lanes, real), x, i * lanes)
        fn.store(getattr(functions, name)(fn, value), out, i * lanes)


def computed(name, x, lanes):
    out = np.empty_like(x)
    items = x.size // lanes
    applied(items, items, address(x), address(out), name=name, real=real(x.dtype), lanes=lanes)
    return out


def inputs(dtype):
    rng = np.random.default_rng(0)
    n = 1 << 14
    wide = 10.0 ** rng.uniform(np.log10(np.finfo(dtype).smallest_subnormal) + 1,
                               np.log10(np.finfo(dtype).max), n)  # fmt: skip
    most = 105 if dtype == "float32" else 750
    parts = [rng.uniform(-most, most, n), rng.uniform(-2, 2, n), rng.normal(0, 5, n),
             wide, -wide]  # fmt: skip
    x = np.concatenate(parts).astype(dtype)
    with np.errstate(all="ignore"):
        x[: len(SPECIAL)] = SPECIAL
    return x


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EXACT)
def test_functions_are_right_to_the_last_places(name, dtype):
    x = inputs(dtype)
    if dtype == "float64" and name in ("erf", "normal_cdf"):
        with pytest.raises(TypeError, match="float32"):
            computed(name, x, 1)
        return
    found = {lanes: computed(name, x, lanes) for lanes in (1, 4, host().lanes)}
    assert len({out.tobytes() for out in found.values()}) == 1
    exact = EXACT[name](x.astype(np.longdouble))
    rounded = exact.astype(dtype)
    out = found[1]
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(out[~finite], rounded[~finite])
    near_zero = np.abs(x) < 1e-30
    if rounded[near_zero].any() and name not in ("exp", "sigmoid", "normal_cdf", "log"):
        assert (np.signbit(out[near_zero]) == np.signbit(x[near_zero])).all()
    unit = np.spacing(np.abs(rounded[finite]))
    if name == "normal_cdf":  # to the precision of its upper half
        unit = np.maximum(unit, np.spacing(np.asarray(0.25, dtype)))
    if name == "sigmoid":  # 0 where exp(-x) overflows
        unit = np.maximum(unit, np.finfo(dtype).smallest_normal)
    error = np.abs(out[finite].astype(np.longdouble) - exact[finite]) / unit
    assert error.max() <= UNITS.get(name, 2.5)
