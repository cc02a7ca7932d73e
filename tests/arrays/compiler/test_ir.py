"""The kernels' language: what is written is what is computed."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from workbench.arrays import compiler

pytest.importorskip("llvmlite")
if not compiler.available():
    pytest.skip("this processor has no vectors to compile for", allow_module_level=True)

from workbench.arrays.compiler.ir import Function, Value, lanes_of, vector
from workbench.arrays.compiler.kernel import address, kernel

COMMON = {"f": "float", "d": "double"}
BINARY = {
    "add": (operator.add, np.add), "sub": (operator.sub, np.subtract),
    "mul": (operator.mul, np.multiply), "div": (operator.truediv, np.divide),
}  # fmt: skip


@kernel("ptr x, ptr y, ptr out")
def _binary(fn, x, y, out, begin, end, worker, *, name, real, lanes):
    kind = vector(lanes, real)
    with fn.range(begin, end, lanes) as i:
        fn.store(BINARY[name][0](fn.load(kind, x, i), fn.load(kind, y, i)), out, i)


@pytest.mark.parametrize("lanes", [1, 4, 16])
@pytest.mark.parametrize("char", ["f", "d"])
@pytest.mark.parametrize("name", BINARY)
@given(data=st.data())
def test_arithmetic_has_numpys_bits(name, char, lanes, data):
    x, y = (data.draw(arrays(char, 16)) for _ in range(2))
    out = np.empty_like(x)
    _binary(16, 16, *map(address, (x, y, out)), name=name, real=COMMON[char], lanes=lanes)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(out, BINARY[name][1](x, y))


@kernel("ptr x, ptr out, i64 count")
def _masked(fn, x, out, count, begin, end, worker, *, lanes):
    kind = vector(lanes, "float")
    with fn.range(0, count, lanes) as i:
        lit = fn.mask(lanes, count - i)
        fn.store_some(fn.load_some(kind, x, i, lit, 7), out, i, lit)


@given(st.integers(0, 40), st.sampled_from([4, 8, 16]))
def test_masks_touch_nothing_behind_the_end(count, lanes):
    x, out = np.arange(64, dtype="f"), np.full(64, -1, "f")
    _masked(1, 1, address(x), address(out), count, lanes=lanes)
    np.testing.assert_array_equal(out[:count], x[:count])
    assert (out[count:] == -1).all()


@kernel("ptr x, ptr out")
def _totals(fn, x, out, begin, end, worker, *, lanes):
    value = fn.load(vector(lanes, "double"), x)
    fn.store(fn.total(value), out)
    fn.store(fn.largest(value), out, 1)


@pytest.mark.parametrize("lanes", [1, 2, 8, 16])
@given(data=st.data())
def test_totals_of_lanes(lanes, data):
    x = data.draw(arrays(np.float64, 16, elements=st.integers(-1000, 1000)))
    out = np.empty(2)
    _totals(1, 1, address(x), address(out), lanes=lanes)
    assert out[0] == x[:lanes].sum()
    assert out[1] == x[:lanes].max()


@kernel("ptr out, i64 n")
def _control(fn, out, n, begin, end, worker):
    """The sum of the odd numbers below n, how many even ones there are but 0, n less threes."""
    total, count, left = (fn.variable("i64", start) for start in (0, 0, n))
    with fn.range(0, n) as i, fn.either((i % 2).compare("==", 1)) as otherwise:
        total.set(total.get() + i)
        otherwise()
        with fn.when(i > 0):
            count.set(count.get() + 1)
    with fn.loop() as out_of:
        fn.leave(out_of, left.get() <= 0)
        left.set(left.get() - 3)
    for place, variable in enumerate((total, count, left)):
        fn.store(variable.get(), out, place)


@given(st.integers(0, 50))
def test_control(n):
    out = np.empty(3, np.int64)
    _control(1, 1, address(out), n)
    assert out[0] == sum(range(1, n, 2))
    assert out[1] == len(range(2, n, 2))
    assert out[2] == (-(-n // 3) * -3 + n if n > 0 else 0)


@pytest.mark.parametrize("places", [(0,), (3,), (1, 0), (0, 2, 1, 3), (4, 0, 5, 1)])
def test_shuffles(places):
    @kernel("ptr x, ptr out")
    def shuffled(fn, x, out, begin, end, worker):
        a, b = fn.load("<4 x float>", x), fn.load("<4 x float>", x, 4)
        fn.store(fn.shuffle(a, b, places), out)

    x, out = np.arange(8, dtype="f"), np.zeros(4, "f")
    shuffled(1, 1, address(x), address(out))
    np.testing.assert_array_equal(out[: len(places)], x[list(places)])


def test_types_are_checked_while_writing():
    fn = Function("f", "ptr x, i64 n")
    vector_ = fn.load("<4 x float>", fn.args[0])
    assert isinstance(vector_, Value)
    assert lanes_of((vector_ < 0).kind) == 4
    with pytest.raises(TypeError, match="where <4 x float> is wanted"):
        vector_ + fn.load("<8 x float>", fn.args[0])
