"""Activations and elementwise functions of large arrays: compiled, by NumPy, and torch's."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.arrays import compiler, parallel
from workbench.nn import functional as F
from workbench.ops.compiled.elementwise import QUICK

pytest.importorskip("llvmlite", reason="the extra [fast] is not installed")

ACTIVATIONS = [
    ("relu", {}), ("leaky_relu", {}), ("leaky_relu", {"negative_slope": 1.5}), ("elu", {}),
    ("elu", {"alpha": 0.5}), ("selu", {}), ("celu", {"alpha": 2.0}), ("sigmoid", {}),
    ("tanh", {}), ("silu", {}), ("mish", {}), ("softplus", {}),
    ("softplus", {"beta": 2.0, "threshold": 5.0}), ("gelu", {}), ("gelu", {"approximate": "tanh"}),
]  # fmt: skip
SHAPES = [(2048,), (61, 67), (5, 33, 41), (300, 257)]


@pytest.fixture(autouse=True)
def compiled():
    before = compiler.available()
    compiler.enable(True)
    yield
    compiler.enable(before)


def inputs(shape, seed=0):
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(shape) * 4).astype(np.float32)
    x.flat[:6] = [0.0, -0.0, 30.0, -30.0, 100.0, -100.0]
    return x, rng.standard_normal(shape).astype(np.float32)


def both(lib, functional, tensor, name, options, x, g):
    t = tensor(x).requires_grad_()
    function = getattr(functional, name, None) or getattr(lib, name)
    out = function(t, **options)
    out.backward(tensor(g))
    return out.detach().numpy(), t.grad.numpy()


def ours(name, options, x, g):
    return both(wb, F, wb.tensor, name, options, x, g)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "options"), ACTIVATIONS)
def test_activations_are_torchs(name, options, shape):
    torch = pytest.importorskip("torch")
    x, g = inputs(shape)
    found = ours(name, options, x, g)
    exact = both(torch, torch.nn.functional, lambda a: torch.tensor(a, dtype=torch.float64),
                 name, options, x, g)  # fmt: skip
    theirs = both(torch, torch.nn.functional, torch.tensor, name, options, x, g)
    for mine, right, other in zip(found, exact, theirs, strict=True):
        assert mine.dtype == np.float32
        error, peer = np.abs(mine - right), np.abs(other - right)
        assert error.max() <= max(2 * peer.max(), 2e-6)
        np.testing.assert_allclose(mine, right, rtol=2e-5, atol=2e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "options"), ACTIVATIONS)
def test_limits_are_those_of_numpys_way(name, options):
    x, g = inputs((64, 64))
    x.flat[:3] = [np.inf, -np.inf, np.nan]
    quick = ours(name, options, x, g)
    compiler.enable(False)
    for mine, other in zip(quick, ours(name, options, x, g), strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-5, atol=1e-5)  # theirs is the rougher


@pytest.mark.parametrize(("name", "options"), ACTIVATIONS)
def test_neither_threads_nor_layout_change_a_bit(name, options):
    x, g = inputs((300, 300))
    before = parallel.threads()
    found = []
    try:
        for threads in (1, 2, 3):
            parallel.set_threads(threads)
            found.append(ours(name, options, x, g))
    finally:
        parallel.set_threads(before)
    found.append(ours(name, options, np.asfortranarray(x), np.asfortranarray(g)))
    for out, grad in found[1:]:
        assert out.tobytes() == found[0][0].tobytes()
        assert grad.tobytes() == found[0][1].tobytes()


@pytest.mark.parametrize("name", ["tanh", "exp", "sigmoid", "gelu", "silu", "mish", "relu"])
def test_second_derivatives(name):
    x, _ = inputs((64, 64))
    x = np.clip(x, -3, 3)

    def twice():
        t = wb.tensor(x).requires_grad_()
        function = getattr(F, name, None) or getattr(wb, name)
        (first,) = wb.autograd.grad(function(t).sum(), t, create_graph=True)
        if not first.requires_grad:
            return np.zeros(1)
        return wb.autograd.grad((first * first).sum(), t)[0].numpy()

    quick = twice()
    compiler.enable(False)
    np.testing.assert_allclose(quick, twice(), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", QUICK)
def test_quick_functions(name):
    quick, exact = QUICK[name], getattr(np, name)
    shape = (300, 301)
    x, y = inputs(shape)
    x[x == 0] = 1
    operands = (x, y)[: exact.nin]
    wanted = exact(*operands)
    for got in (quick(*operands), quick(*map(np.asfortranarray, operands))):
        if quick.own:
            np.testing.assert_allclose(got, wanted, rtol=5e-7, atol=1e-44)
        else:
            np.testing.assert_array_equal(got, wanted)
    out = np.empty_like(x)
    assert quick(*operands, out=out) is out
    np.testing.assert_array_equal(out, quick(*operands))
    held = x.copy()
    quick(held, *operands[1:], out=held)
    np.testing.assert_array_equal(held, out)
    doubles = [a.astype(float) for a in operands]
    np.testing.assert_array_equal(quick(*doubles), exact(*doubles))


def test_one_operand_of_another_shape_or_kind():
    x, y = inputs((300, 300))
    for other in (y[0], y[:, :1], y.astype(float), np.float32(2), y[:, ::-1]):
        np.testing.assert_array_equal(QUICK["multiply"](x, other), x * other)
