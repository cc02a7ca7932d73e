"""Kernels compiled from their lines give NumPy's bits; without a compiler nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import optim
from workbench.arrays import compiler, parallel
from workbench.arrays.compiler import lines as stated
from workbench.arrays.compiler.lines import WHOLE, Operand, Statement, Unstatable
from workbench.nn import functional as F

UNARY = ("negative", "square", "sqrt", "absolute")
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "greater", "less_equal")
ODD = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-40, -1e-40, 3e38, 1e-38]


@pytest.fixture
def compiled():
    pytest.importorskip("llvmlite", reason="the extra [fast] is not installed")
    before = compiler.available()
    compiler.enable(True)
    yield
    compiler.enable(before)


def values(count, dtype, seed):
    rng = np.random.default_rng(seed)
    made = rng.standard_normal(count).astype(dtype)
    made[: len(ODD)] = ODD
    made[len(ODD) : 2 * len(ODD)] = ODD[::-1]
    return rng.permutation(made)


program = st.lists(
    st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 9), st.integers(0, 9),
              st.integers(0, 9), st.booleans()),
    min_size=1, max_size=8,
)  # fmt: skip


def same(a, b):
    np.testing.assert_array_equal(a, b)  # a nan's own bits are nobody's business
    np.testing.assert_array_equal(np.signbit(a)[a == 0], np.signbit(b)[b == 0])


def carried_out(program, xp, held, room, writable):
    """The program's calls, by NumPy or by what stands for it."""
    for name, i, j, k, into in program:
        operands = [held[i % len(held)], held[j % len(held)]][: 1 if name in UNARY else 2]
        out = held[k % writable] if into else room()
        getattr(xp, name)(*operands, out=out)
        held.append(out)


@settings(max_examples=40, deadline=None)
@given(program, st.sampled_from(["float32", "float64"]), st.integers(0, 1500))
def test_any_kernel_gives_the_bits_of_numpy(program, dtype, size):
    pytest.importorskip("llvmlite", reason="the extra [fast] is not installed")
    arrays = [values(1500, dtype, seed)[:size] for seed in range(3)]
    numbers = np.array([0.5, -3.0, np.nan], dtype)
    s = Statement()
    carried_out(program, s, [*map(s.array, range(3)), *map(s.number, range(3))], s.room, 3)
    kernel = stated.compiled(tuple(s.lines), (WHOLE,) * 3, 3, np.dtype(dtype))
    got = [a.copy() for a in arrays]
    kernel(*got, numbers)
    with np.errstate(all="ignore"):
        carried_out(
            program, np, [*arrays, *(n.reshape(()) for n in np.split(numbers, 3))],
            lambda: np.empty(size, dtype), 3,
        )  # fmt: skip
    for a, b in zip(got, arrays, strict=True):
        same(a, b)


@settings(max_examples=25, deadline=None)
@given(program, st.sampled_from(["float32", "float64"]), st.integers(0, 9), st.integers(1, 300))
def test_rows_and_columns_are_broadcast(program, dtype, rows, width):
    pytest.importorskip("llvmlite", reason="the extra [fast] is not installed")
    whole = [np.resize(values(300, dtype, seed), (rows, width)) for seed in range(2)]
    row, column = np.resize(values(300, dtype, 7), width), np.resize(values(300, dtype, 8), rows)
    mask = np.resize([True, False, False], (rows, width))
    s = Statement()
    carried_out(program, s, list(map(s.array, range(5))), s.room, 2)
    what = (WHOLE, WHOLE, Operand(spread="row"), Operand(spread="column"), Operand(mask=True))
    kernel = stated.compiled(tuple(s.lines), what, 0, np.dtype(dtype))
    got = [a.copy() for a in whole]
    kernel(*got, row, column, mask)
    flags = mask.astype(dtype)  # what a mask counts as
    with np.errstate(all="ignore"):
        carried_out(
            program, np, [*whole, row, column[:, None], flags],
            lambda: np.empty((rows, width), dtype), 2,
        )  # fmt: skip
    for a, b in zip(got, whole, strict=True):
        same(a, b)


def test_masks_are_written_as_bools(compiled):
    x = values(100, "float32", 1)
    out, times = np.empty(100, bool), np.empty(100, np.float32)
    s = Statement()
    flags = s.greater_equal(s.array(0), s.number(0), out=s.array(1))
    s.multiply(flags, s.array(0), out=s.array(2))
    kernel = stated.compiled(
        tuple(s.lines), (WHOLE, Operand(mask=True), WHOLE), 1, np.dtype("float32")
    )
    kernel(x, out, times, np.array([0.5], np.float32))
    np.testing.assert_array_equal(out, x >= np.float32(0.5))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(times, (x >= np.float32(0.5)) * x)


@pytest.mark.parametrize("count", [100, 1000])
def test_long_chains(compiled, count):
    x = np.random.default_rng(0).uniform(-1, 1, 70_000).astype(np.float32)
    y = np.random.default_rng(1).uniform(0.99, 1.01, 70_000).astype(np.float32)
    s = Statement()
    for _ in range(count):
        s.multiply(s.array(0), s.array(1), out=s.array(0))
    kernel = stated.compiled(tuple(s.lines), (WHOLE, WHOLE), 0, x.dtype)
    got = []
    before = parallel.threads()
    try:
        for threads in (1, 2):
            parallel.set_threads(threads)
            got.append(x.copy())
            kernel(got[-1], y)
    finally:
        parallel.set_threads(before)
    for _ in range(count):
        x *= y
    assert got[0].tobytes() == got[1].tobytes() == x.tobytes()


def test_longer_ones_are_left_to_numpy(compiled):
    s = Statement()
    for _ in range(stated.MOST_LINES + 1):
        s.multiply(s.array(0), s.array(0), out=s.array(0))
    assert stated.compiled(tuple(s.lines), (WHOLE,), 0, np.dtype("float32")) is None


def test_functions_are_the_same_written_out_and_called(compiled):
    x = values(3000, "float32", 3)
    s = Statement()
    for i in range(3):
        s.fast_tanh(s.array(0), out=s.array(1 + i))
    together = stated.compiled(tuple(s.lines), (WHOLE,) * 4, 0, x.dtype)
    alone = stated.compiled(tuple(s.lines[:1]), (WHOLE,) * 2, 0, x.dtype)
    outs = [np.empty_like(x) for _ in range(4)]
    together(x, *outs[:3])
    alone(x, outs[3])
    assert len({out.tobytes() for out in outs}) == 1


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {}), ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
        ("Adam", {}), ("Adam", {"amsgrad": True, "maximize": True}), ("AdamW", {}),
        ("RMSprop", {"momentum": 0.9, "centered": True}), ("Adagrad", {}), ("Adadelta", {}),
    ],
)  # fmt: skip
def test_optimizers_step_to_the_same_bits(name, options, compiled):
    def trained():
        wb.manual_seed(0)
        params = [wb.randn(*shape).requires_grad_() for shape in ((90, 70), (7,), (300, 300))]
        opt = getattr(optim, name)(params, lr=0.01, **options)
        for seed in range(4):
            wb.manual_seed(seed)
            for p in params:
                p.grad = wb.randn(*p.shape)
            opt.step()
        return [p.detach().numpy().tobytes() for p in params]

    quick = trained()
    compiler.enable(False)
    assert quick == trained()


@pytest.mark.parametrize("shape", [(8, 8), (128, 64), (300, 200)])
def test_captured_steps_replay_to_the_same_bits(shape, compiled):
    def trained(capture):
        wb.manual_seed(0)
        x = wb.randn(*shape)
        weights = [wb.randn(*shape).requires_grad_() for _ in range(2)]
        opt = optim.Adam(weights)
        row, column = wb.randn(shape[1]), wb.randn(shape[0], 1)

        def step(x):
            opt.zero_grad()
            a, b = weights
            y = ((x * row + column) * a - column).tanh().exp()
            y = F.relu(y * b - 0.5) * y.sigmoid() + F.gelu(y - x) / (y + 2)
            loss = (y * y).mean() + (a**2).sum() * 1e-4
            loss.backward()
            opt.step()
            return loss

        step = wb.compile(step) if capture else step
        losses = [step(x).item() for _ in range(5)]
        return losses, [p.detach().numpy().tobytes() for p in weights]

    assert trained(True) == trained(False)


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_a_captured_backward_pass_starts_from_one(number):
    x = wb.tensor([1.0, number]).requires_grad_()

    @wb.compile
    def step():
        x.grad = None
        total = x.sum()
        total.backward()
        return total

    for _ in range(3):
        step()
        np.testing.assert_array_equal(x.grad.numpy(), [1, 1])


def test_a_kernel_with_something_else_in_it_is_left_to_numpy():
    statement = Statement()
    with pytest.raises(Unstatable):
        statement.exp(statement.array(0))
    with pytest.raises(Unstatable):
        statement.add(statement.array(0), np.ones(3))


def test_it_can_be_switched_off():
    before = compiler.available()
    compiler.enable(False)
    try:
        s = Statement()
        s.square(s.array(0), out=s.array(0))
        assert stated.compiled(tuple(s.lines), (WHOLE,), 0, np.dtype("float32")) is None
    finally:
        compiler.enable(before)
