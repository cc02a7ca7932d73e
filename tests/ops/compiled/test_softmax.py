"""The compiled cross-entropy of logits: against torch in double precision, errors included."""

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


def computed(library, x, labels, reduction, ignored=-100):
    F = functional if library is wb else torch.nn.functional
    logits = library.tensor(x).requires_grad_()
    loss = F.cross_entropy(
        logits, library.tensor(labels), ignore_index=ignored, reduction=reduction
    )
    g = np.random.default_rng(2).random(tuple(loss.shape)) + 0.5
    loss.backward(library.tensor(np.asarray(g, x.dtype)))
    return loss.detach().numpy(), logits.grad.numpy()


def near(x, labels, reduction, ignored=-100):
    ours = computed(wb, x, labels, reduction, ignored)
    theirs = computed(torch, x, labels, reduction, ignored)
    exact = computed(torch, x.astype("f8"), labels, reduction, ignored)
    for a, b, right in zip(ours, theirs, exact, strict=True):
        assert (a.dtype, a.shape) == (x.dtype, right.shape)
        finite = np.isfinite(right)
        np.testing.assert_array_equal(a[~finite], right[~finite])
        a, b, right = a[finite], b[finite], right[finite]
        slack = np.finfo(x.dtype).eps * 16 * max(np.abs(right).max(initial=0), 1)
        assert np.abs(a - right).max(initial=0) <= 2 * np.abs(b - right).max(initial=0) + slack


@settings(max_examples=40)
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from(["mean", "sum", "none"]),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([0.0, 1000.0]),
    st.booleans(),
)
def test_against_torch(n, classes, reduction, dtype, offset, ignoring):
    rng = np.random.default_rng(n * 100 + classes)
    x = (rng.standard_normal((n, classes)) * 3 + offset).astype(dtype)
    labels = rng.integers(0, classes, n)
    near(x, labels, reduction, int(labels[0]) if ignoring else -100)


@pytest.mark.parametrize("shape", [(1024, 96), (128, 10), (5, 5000), (3000, 17)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("compiled", [True, False])
def test_larger_ones(shape, reduction, compiled):
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal(shape).astype("f4"), rng.integers(0, shape[1], shape[0])
    labels[::7] = -100
    compiler.enable(compiled)
    try:
        near(x, labels, reduction)
    finally:
        compiler.enable(True)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_odd_numbers(odd):
    x = np.random.default_rng(0).standard_normal((4, 20)).astype("f4")
    x[1, 3], x[2] = odd, odd
    for reduction in ("none", "mean"):
        near(x, np.array([0, 3, 1, 2]), reduction)


def test_nothing_to_count_is_nan_with_gradients_of_zero():
    x, labels = np.ones((3, 4), "f4"), np.full(3, -100)
    loss, slopes = computed(wb, x, labels, "mean")
    assert np.isnan(loss)
    np.testing.assert_array_equal(slopes, 0)


@pytest.mark.parametrize("bad", [-1, 4, 10**12, -(10**12)])
def test_a_label_that_is_no_class_is_an_error(bad):
    with pytest.raises(IndexError, match=f"Target {bad} is out of bounds"):
        functional.cross_entropy(wb.ones(3, 4), wb.tensor([0, bad, 1]))
    assert functional.cross_entropy(wb.ones(3, 4), wb.tensor([0, 3, 1])).item() > 0


def test_a_gradient_by_numpy_of_what_was_compiled():
    x = wb.randn(6, 5).requires_grad_()
    loss = functional.cross_entropy(x, wb.tensor(np.arange(6) % 5))
    (want,) = wb.autograd.grad(loss, (x,), retain_graph=True)
    compiler.enable(False)
    try:
        (found,) = wb.autograd.grad(loss, (x,))
    finally:
        compiler.enable(True)
    np.testing.assert_allclose(found.numpy(), want.numpy(), rtol=1e-5, atol=1e-7)


def test_gradients_of_gradients():
    x = wb.randn(4, 6, dtype=wb.float64).requires_grad_()
    labels = wb.tensor([0, 5, -100, 3])
    for reduction in ("mean", "sum", "none"):

        def run(x, reduction=reduction):
            return functional.cross_entropy(x, labels, reduction=reduction)

        assert wb.autograd.gradcheck(run, (x,))
        assert wb.autograd.gradgradcheck(run, (x,))


def test_the_same_bits_for_any_number_of_threads():
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((2000, 70)).astype("f4"), rng.integers(0, 70, 2000)
    before, found = wb.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            wb.set_num_threads(count)
            found.append([a.tobytes() for a in computed(wb, x, labels, "mean")])
    finally:
        wb.set_num_threads(before)
    assert found[0] == found[1] == found[2]
