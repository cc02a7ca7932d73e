"""Kernels compiled from their lines give NumPy's bits; without numba nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import nn, optim
from workbench.arrays import fast
from workbench.nn import functional as F

UNARY = ("negative", "square", "sqrt", "absolute")
BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "greater", "less_equal")
ODD = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-40, -1e-40, 3e38, 1e-38]


@pytest.fixture
def compiled():
    pytest.importorskip("numba", reason="the extra [fast] is not installed")
    before = fast.available()
    fast.enable(True)
    yield
    fast.enable(before)


def values(count, dtype, seed):
    rng = np.random.default_rng(seed)
    made = rng.standard_normal(count).astype(dtype)
    made[: len(ODD)] = ODD
    made[len(ODD) : 2 * len(ODD)] = ODD[::-1]
    return rng.permutation(made)


lines = st.lists(
    st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 9), st.integers(0, 9),
              st.integers(0, 9), st.booleans()),
    min_size=2, max_size=8,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(lines, st.sampled_from(["float32", "float64"]))
def test_any_kernel_gives_the_bits_of_numpy(program, dtype):
    pytest.importorskip("numba", reason="the extra [fast] is not installed")
    arrays = [values(1000, dtype, seed) for seed in range(3)]
    numbers = np.array([0.5, -3.0, np.nan], dtype)

    def carry_out(xp, held, room):
        for name, i, j, k, into in program:
            operands = [held[i % len(held)], held[j % len(held)]][: 1 if name in UNARY else 2]
            out = held[k % 3] if into else room()
            getattr(xp, name)(*operands, out=out)
            held.append(out)

    statement = fast.Statement()
    carry_out(
        statement,
        [*(statement.array(i) for i in range(3)), *(statement.number(i) for i in range(3))],
        statement.room,
    )
    kernel = fast._compile(tuple(statement.lines), 3, 3, np.dtype(dtype).char)
    got = [a.copy() for a in arrays]
    kernel(*got, numbers)
    with np.errstate(all="ignore"):
        carry_out(
            np, [*arrays, *(n.reshape(()) for n in np.split(numbers, 3))],
            lambda: np.empty(1000, dtype),
        )  # fmt: skip
    for a, b in zip(got, arrays, strict=True):
        np.testing.assert_array_equal(a, b)  # a nan's own bits are nobody's business
        np.testing.assert_array_equal(np.signbit(a)[a == 0], np.signbit(b)[b == 0])


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
            fast.settle()
        return [p.detach().numpy().tobytes() for p in params]

    quick = trained()
    fast.enable(False)
    assert quick == trained()


def test_captured_steps_replay_to_the_same_bits(compiled):
    def trained():
        wb.manual_seed(0)
        net = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
                            nn.Linear(256, 10))  # fmt: skip
        opt = optim.Adam(net.parameters())
        x, y = wb.randn(128, 64), wb.randint(0, 10, (128,))

        @wb.compile
        def step(x, y):
            opt.zero_grad()
            out = net(x)
            loss = F.cross_entropy(out * 1.5 - 0.25 * out, y) + (net[0].weight ** 2).sum() * 1e-4
            loss.backward()
            opt.step()
            return loss

        losses = []
        for _ in range(5):
            losses.append(step(x, y).item())
            fast.settle()
        return losses, [p.detach().numpy().tobytes() for p in net.parameters()]

    quick = trained()
    fast.enable(False)
    assert quick == trained()


def test_a_kernel_with_something_else_in_it_is_left_to_numpy():
    statement = fast.Statement()
    with pytest.raises(fast.Unstatable):
        statement.exp(statement.array(0))
    with pytest.raises(fast.Unstatable):
        statement.add(statement.array(0), 2.0)


def test_it_can_be_switched_off():
    before = fast.available()
    fast.enable(False)
    try:
        assert fast.compiled((), 1, 1, np.dtype("float32")) is None
    finally:
        fast.enable(before)
