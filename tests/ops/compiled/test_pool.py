"""Compiled pools against torch: values and gradients to the bit, nan, ties and padding included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.arrays import compiler
from workbench.nn import functional

pytest.importorskip("llvmlite")
torch = pytest.importorskip("torch")
if not compiler.available():
    pytest.skip("no kernels are compiled here", allow_module_level=True)


def drawn(shape, flavour, dtype=np.float32, seed=0):
    """Normal numbers; "tied": whole ones, "odd": some nan and many -inf."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape).astype(dtype)
    if flavour == "tied":
        x = np.round(x)
    if flavour == "odd":
        x[rng.random(shape) < 0.2] = -np.inf
        x[rng.random(shape) < 0.1] = np.nan
    return x


def both(call, x):
    """Ours and torch's result and gradient."""
    ours, theirs = wb.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    out, want = call(functional, ours), call(torch.nn.functional, theirs)
    g = np.random.default_rng(1).standard_normal(tuple(want.shape)).astype(x.dtype)
    out.backward(wb.tensor(g))
    want.backward(torch.tensor(g))
    return (
        (out.detach().numpy(), ours.grad.numpy()),
        (want.detach().numpy(), theirs.grad.numpy()),
    )


def same(call, x):
    for a, b in zip(*both(call, x), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("flavour", ["plain", "tied", "odd"])
@pytest.mark.parametrize("shape", [(2, 3, 28, 28), (3, 5, 14, 14), (1, 2, 6, 66), (1, 1, 2, 2)])
def test_two_by_two(shape, flavour):
    for dtype in (np.float32, np.float64):
        same(lambda F, x: F.max_pool2d(x, 2), drawn(shape, flavour, dtype))
    if flavour == "plain":
        same(lambda F, x: F.avg_pool2d(x, 2), drawn(shape, flavour))


@given(
    shape=st.tuples(*(st.integers(lo, hi) for lo, hi in ((1, 3), (1, 3), (1, 20), (1, 40)))),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 7)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 10)),
    padded=st.tuples(st.booleans(), st.booleans()),
    gap=st.integers(1, 2),
    ceil=st.booleans(),
    flavour=st.sampled_from(["plain", "tied", "odd"]),
    double=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_windows(shape, kernel, stride, padded, gap, ceil, flavour, double):
    padding = tuple(k // 2 * p for k, p in zip(kernel, padded, strict=True))
    x = drawn(shape, flavour, np.float64 if double else np.float32)
    args = (kernel, stride, padding, gap, ceil)
    try:
        seen = torch.nn.functional.max_pool2d(torch.zeros(shape), *args)
    except RuntimeError:
        return  # the windows do not fit
    if not seen.isfinite().all():
        return  # a window of padding alone: torch sends its gradient to another row, or outside
    same(lambda F, x: F.max_pool2d(x, kernel, stride, padding, gap, ceil), x)


@given(
    shape=st.tuples(*(st.integers(lo, hi) for lo, hi in ((1, 3), (1, 3), (1, 20), (1, 40)))),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 7)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 10)),
    padded=st.tuples(st.booleans(), st.booleans()),
    ceil=st.booleans(),
    include=st.booleans(),
    override=st.sampled_from([None, 3, -2]),
)
@settings(max_examples=60, deadline=None)
def test_any_means(shape, kernel, stride, padded, ceil, include, override):
    padding = tuple(k // 2 * p for k, p in zip(kernel, padded, strict=True))
    x = drawn(shape, "plain")
    args = (kernel, stride, padding, ceil, include, override)
    try:
        torch.nn.functional.avg_pool2d(torch.tensor(x), *args)
    except RuntimeError:
        return
    for a, b in zip(*both(lambda F, x: F.avg_pool2d(x, *args), x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 5, 7, 7), (2, 3, 1, 2), (2, 2, 9, 40), (1, 3, 4, 5, 6)])
@pytest.mark.parametrize("flavour", ["plain", "tied", "odd"])
def test_whole_planes(shape, flavour):
    dims, sides = len(shape) - 2, shape[2:]
    for dtype in (np.float32, np.float64):
        x = drawn(shape, flavour, dtype)
        same(lambda F, x: getattr(F, f"max_pool{dims}d")(x, sides), x)
        for name, args in (("avg_pool", sides), ("adaptive_avg_pool", 1)):
            for a, b in zip(
                *both(lambda F, x: getattr(F, f"{name}{dims}d")(x, args), x),  # noqa: B023
                strict=True,
            ):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    low = np.full(shape, -np.inf, np.float32)
    same(lambda F, x: getattr(F, f"max_pool{dims}d")(x, sides), low)


@pytest.mark.parametrize("args", [(2,), (3, 2, 1), (3, 1, 1), (5, 3, 2, 1, True)])
def test_lines(args):
    for length in (9, 40, 100):
        same(lambda F, x: F.max_pool1d(x, *args), drawn((2, 3, length), "tied"))
    same(lambda F, x: F.avg_pool1d(x, *args[:3]), drawn((2, 3, 41), "plain"))


def test_what_is_left_to_numpy():
    turned = drawn((2, 8, 8, 3), "plain").transpose(0, 3, 1, 2)
    for x in (turned, turned[..., ::2], drawn((0, 2, 4, 4), "plain"), drawn((1, 8, 8), "plain")):
        same(lambda F, x: F.max_pool2d(x, 2), x)
        if x.size:
            for a, b in zip(*both(lambda F, x: F.avg_pool2d(x, 3, 2, 1), x), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_both_ways_agree(threads):
    x = drawn((40, 32, 28, 28), "tied")

    def results(args):
        tensor = wb.tensor(x, requires_grad=True)
        out = functional.max_pool2d(tensor, *args)
        (out * out).sum().backward()
        return out.detach().numpy(), tensor.grad.numpy()

    for args in ((2,), (3, 2, 1)):
        threads(1)
        one = results(args)
        threads(2)
        two = results(args)
        compiler.enable(False)
        try:
            plain = results(args)
        finally:
            compiler.enable(True)
        for a, b, c in zip(one, two, plain, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_allclose(a, c, rtol=1e-5)


def test_second_order():
    x = wb.tensor(drawn((1, 2, 6, 8), "plain", np.float64), requires_grad=True)
    for args in ((2,), (3, 2, 1)):
        assert wb.autograd.gradgradcheck(lambda x, args=args: functional.max_pool2d(x, *args), x)
        assert wb.autograd.gradgradcheck(lambda x, args=args: functional.avg_pool2d(x, *args), x)
