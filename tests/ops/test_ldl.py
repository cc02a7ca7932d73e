"""LDL factors: torch's, and what they multiply back to; Householder products applied."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import workbench as wb
from workbench.autograd import gradcheck

from .twins import numbers, to_ours, to_torch, torch

KINDS = ["symmetric", "complex", "hermitian"]


def matrices(kind, *shape, seed=0, blocks=False):
    """Indefinite matrices; `blocks`: with a zero diagonal, so that 2 by 2 pivots are needed."""
    a = numbers(*shape, kind="float64" if kind == "symmetric" else "complex128", seed=seed)
    turned = np.swapaxes(a, -1, -2)
    a = a + (turned.conj() if kind == "hermitian" else turned)
    if blocks:
        n = shape[-1]
        a[..., np.arange(n), np.arange(n)] = 0
    return a


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (5, 5), (3, 8, 8), (2, 2, 6, 6), (40, 40)])
@pytest.mark.parametrize("blocks", [False, True])
def test_factors_are_torchs(kind, shape, blocks):
    if blocks and shape == (1, 1):
        return
    a = matrices(kind, *shape, blocks=blocks)
    hermitian = kind == "hermitian"
    LD, pivots, info = wb.linalg.ldl_factor_ex(to_ours(a), hermitian=hermitian)
    theirs = torch.linalg.ldl_factor_ex(to_torch(a), hermitian=hermitian)
    np.testing.assert_array_equal(pivots.array, theirs.pivots.numpy())
    assert pivots.dtype is wb.int32
    assert info.dtype is wb.int32
    assert not info.array.any()
    np.testing.assert_allclose(LD.array, theirs.LD.numpy(), rtol=1e-9, atol=1e-10)


@given(st.integers(1, 7), st.integers(0, 10_000), st.booleans(), st.sampled_from(KINDS))
def test_solving_inverts(n, seed, blocks, kind):
    a = matrices(kind, n, n, seed=seed, blocks=blocks and n > 1)
    b = numbers(n, 2, kind=a.dtype.name, seed=seed + 1)
    if np.linalg.cond(a) > 1e8:
        return
    hermitian = kind == "hermitian"
    LD, pivots = wb.linalg.ldl_factor(to_ours(a), hermitian=hermitian)
    x = wb.linalg.ldl_solve(LD, pivots, to_ours(b), hermitian=hermitian).array
    np.testing.assert_allclose(a @ x, b, atol=1e-6)


def test_batches_broadcast():
    a, b = matrices("symmetric", 4, 4), numbers(3, 4, 2)
    LD, pivots = wb.linalg.ldl_factor(to_ours(a))
    x = wb.linalg.ldl_solve(LD, pivots, to_ours(b))
    assert x.shape == (3, 4, 2)
    np.testing.assert_allclose(a @ x.array, b, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_hand_side_has_a_gradient(kind):
    a, b = matrices(kind, 4, 4), numbers(4, 2, kind="c" if kind != "symmetric" else "float64")
    hermitian = kind == "hermitian"
    LD, pivots = wb.linalg.ldl_factor(to_ours(a), hermitian=hermitian)
    assert gradcheck(
        lambda t: wb.linalg.ldl_solve(LD, pivots, t, hermitian=hermitian),
        [to_ours(b).requires_grad_()],
    )


def test_derivatives_that_do_not_exist_are_errors():
    a = wb.eye(2, requires_grad=True)
    for call in (wb.linalg.ldl_factor, wb.linalg.ldl_factor_ex):
        with pytest.raises(NotImplementedError, match="derivative"):
            call(a)
    with pytest.raises(NotImplementedError, match="derivative"):
        wb.linalg.ldl_solve(a, wb.tensor([1, 2], dtype=wb.int32), wb.ones(2, 1))
    with wb.no_grad():
        wb.linalg.ldl_factor(a)


def test_singular_matrices():
    assert wb.linalg.ldl_factor_ex(wb.zeros(2, 2)).info.item() == 1
    with pytest.raises(RuntimeError, match=r"D\[1,1\] is zero"):
        wb.linalg.ldl_factor(wb.zeros(2, 2))
    with pytest.raises(RuntimeError, match=r"D\[1,1\] is zero"):
        wb.linalg.ldl_factor_ex(wb.zeros(2, 2), check_errors=True)


ORMQR = {
    "left": {},
    "left, transposed": {"transpose": True},
    "right": {"left": False},
    "right, transposed": {"left": False, "transpose": True},
}


@pytest.mark.parametrize("how", ORMQR)
@pytest.mark.parametrize("kind", ["float64", "c"])
def test_ormqr(how, kind):
    a = numbers(2, 5, 3, kind=kind)
    other = numbers(2, 5, 4, kind=kind, seed=1)
    if "left" in ORMQR[how]:
        other = np.swapaxes(other, -1, -2).copy()
    h, tau = torch.geqrf(to_torch(a))
    expected = torch.ormqr(h, tau, to_torch(other), **ORMQR[how]).numpy()
    packed = (to_ours(h.numpy()), to_ours(tau.numpy()), to_ours(other))
    np.testing.assert_allclose(wb.ormqr(*packed, **ORMQR[how]).array, expected, atol=1e-12)
    leaves = [t[0].clone().requires_grad_() for t in packed]
    assert gradcheck(lambda *xs: wb.ormqr(*xs, **ORMQR[how]), leaves)


def test_ormqr_refuses_what_torch_refuses():
    h, tau = wb.ones(4, 3), wb.ones(3)
    for args in (
        (h, tau, wb.ones(3, 2)), (h, wb.ones(2), wb.ones(4, 2)), (h, tau, wb.ones(4)),
        (h.double(), tau, wb.ones(4, 2)), (h[None], tau[None], wb.ones(4, 2)),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="ormqr"):
            wb.ormqr(*args)
