"""How captured steps are planned: fused loops, memory handed on, any program to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import nn
from workbench.tensor.capture.fuse import Loop

UNARY = ["exp", "tanh", "neg", "abs", "sin", "sigmoid", "relu"]
BINARY = ["add", "sub", "mul", "maximum"]


@st.composite
def programs(draw):
    """A random elementwise program with rows, columns, numbers, in-place writes and views."""
    lines = []
    for _ in range(draw(st.integers(2, 12))):
        kind = draw(st.sampled_from(["unary", "binary", "inplace", "number", "view", "row"]))
        a, b = draw(st.integers(0, 30)), draw(st.integers(0, 30))
        name = draw(st.sampled_from(UNARY if kind == "unary" else BINARY))
        lines.append((kind, name, a, b))
    return lines


def interpret(lines, x, y, row, column):
    held = [x * 1, y * 1, row, column]
    for kind, name, i, j in lines:
        a, b = held[i % len(held)], held[j % len(held)]
        if kind == "unary":
            made = getattr(wb, name)(a)
        elif kind == "binary":
            made = getattr(wb, name)(a, b)
        elif kind == "number":
            made = a * 0.5 if j % 2 else 1.5 - a
        elif kind == "row":
            made = getattr(wb, name)(a, row if j % 2 else column)
        elif kind == "view":
            made = a.reshape(-1).reshape(a.shape) if j % 2 else a.T.contiguous().T
        elif a.shape == x.shape and a is not row:
            made = a.clamp_(-3, 3) if j % 2 else a.add_(b)
        else:
            continue
        held.append(made)
    return [h.sum() for h in held[2:]] + [held[-1]]


@settings(max_examples=60, deadline=None)
@given(programs(), st.sampled_from([(7, 5), (300, 200), (1, 60000)]))
def test_any_elementwise_program_replays_bit_for_bit(lines, shape):
    wb.manual_seed(0)
    calls = [
        (wb.randn(*shape), wb.randn(*shape), wb.randn(shape[1]), wb.randn(shape[0], 1))
        for _ in range(3)
    ]
    f = wb.compile(lambda *given: interpret(lines, *given))
    with np.errstate(all="ignore"):
        for given_ in [*calls, calls[0]]:
            wanted = interpret(lines, *given_)
            for got, want in zip(f(*given_), wanted, strict=True):
                assert got.numpy().tobytes() == want.numpy().tobytes(), str(f.explain())
    assert f.calls["replayed"] == 3


def test_chains_over_large_arrays_become_one_loop_in_little_memory():
    def chain(x):
        for _ in range(50):
            x = (x * 1.01).tanh()
        return x.sum()

    x = wb.randn(256, 1024)
    f = wb.compile(chain)
    assert f(x).item() == chain(x).item() == f(x).item()
    (captured,) = f.explain().plans
    loops = [step for step in captured.plan.steps if isinstance(step, Loop)]
    assert len(loops) == 1
    assert len(loops[0].instructions) >= 99
    assert captured.plan.nbytes <= 2 * x.nbytes
    text = str(f.explain())
    assert "loop over [256, 1024]" in text
    assert "fused" in text


def test_compile_as_a_decorator_with_options_and_on_methods():
    @wb.compile(mode="max-autotune", dynamic=True)
    def double(x):
        return x * 2

    class Model:
        scale = 3

        @wb.compile
        def apply(self, x):
            return x * self.scale

    assert double(wb.ones(1)).item() == 2
    assert Model().apply(wb.ones(1)).item() == 3
    assert wb.compile(abs, disable=True) is abs
    with pytest.raises(RuntimeError, match="function or a module"):
        wb.compile(3)


def test_a_compiled_module_is_used_like_the_module():
    net = nn.Linear(3, 2)
    model = wb.compile(net)
    assert [n for n, _ in model.named_parameters()] == ["weight", "bias"]
    assert model.eval() is net
    assert model.training is False
    assert set(model.state_dict()) == {"weight", "bias"}
