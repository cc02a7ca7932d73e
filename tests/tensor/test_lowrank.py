"""A few singular values or eigenvalues of a matrix, against the whole of them."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.autograd import gradcheck


def of_rank(r, *shape, kind="float64", seed=0):
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(*shape[:-1], r)), rng.normal(size=(*shape[:-2], r, shape[-1]))
    if kind == "complex128":
        left = left + 1j * rng.normal(size=left.shape)
    return (left @ right).astype(kind)


@pytest.mark.parametrize("shape", [(20, 8), (8, 20), (2, 3, 15, 10)])
@pytest.mark.parametrize("kind", ["float32", "float64", "complex128"])
def test_svd_lowrank(shape, kind):
    a = of_rank(4, *shape, kind=kind)
    U, S, V = wb.svd_lowrank(wb.from_numpy(a), q=4)
    assert U.shape == (*shape[:-1], 4)
    assert V.shape == (*shape[:-2], shape[-1], 4)
    tolerance = 1e-4 if kind == "float32" else 1e-9
    rebuilt = (U.array * S.array[..., None, :]) @ np.swapaxes(V.array, -1, -2).conj()
    np.testing.assert_allclose(rebuilt, a, atol=tolerance)
    expected = np.linalg.svd(a, compute_uv=False)[..., :4]
    np.testing.assert_allclose(S.array, expected, rtol=tolerance)


def test_svd_lowrank_of_a_difference():
    a, mean = of_rank(3, 12, 9), np.linspace(0, 1, 9)
    U, S, V = wb.svd_lowrank(wb.from_numpy(a + mean), 3, M=wb.from_numpy(mean[None]))
    np.testing.assert_allclose((U.array * S.array) @ V.array.T, a, atol=1e-9)


def test_it_has_a_gradient():
    a = wb.from_numpy(of_rank(3, 6, 5)).requires_grad_()

    def values(t):
        wb.manual_seed(0)
        return wb.svd_lowrank(t, 3, niter=2)[1]

    assert gradcheck(values, [a], atol=1e-4, rtol=1e-3)


def test_pca_lowrank():
    a = of_rank(3, 30, 7) + np.arange(7.0)
    _, S, V = wb.pca_lowrank(wb.from_numpy(a), q=3)
    _, expected, Vh = np.linalg.svd(a - a.mean(0), full_matrices=False)
    np.testing.assert_allclose(S.array, expected[:3], rtol=1e-9)
    np.testing.assert_allclose(abs(V.array.T @ Vh[:3].T), np.eye(3), atol=1e-7)
    assert wb.pca_lowrank(wb.from_numpy(a))[1].shape == (6,)
    plain = wb.pca_lowrank(wb.from_numpy(a), 4, center=False)[1].array
    np.testing.assert_allclose(plain, np.linalg.svd(a, compute_uv=False)[:4], rtol=1e-9)
    for bad in ({"q": 8}, {"q": -1}, {"niter": -1}):
        with pytest.raises(ValueError, match="non-negative"):
            wb.pca_lowrank(wb.from_numpy(a), **bad)


def symmetric(*shape, seed=0):
    a = np.random.default_rng(seed).normal(size=shape)
    return a + np.swapaxes(a, -1, -2) + np.eye(shape[-1]) * np.arange(shape[-1])


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("general", [True, False])
def test_lobpcg(largest, general):
    wb.manual_seed(0)
    a = symmetric(30, 30)
    b = symmetric(30, 30, seed=1)
    b = b @ b.T + np.eye(30) if general else np.eye(30)
    held = wb.from_numpy(b) if general else None
    values, vectors = wb.lobpcg(wb.from_numpy(a), 3, held, largest=largest, tol=1e-9)
    expected = np.sort(np.linalg.eigvals(np.linalg.solve(b, a)).real)
    expected = expected[::-1][:3] if largest else expected[:3]
    np.testing.assert_allclose(values.array, expected, rtol=1e-6)
    np.testing.assert_allclose(a @ vectors.array, b @ vectors.array * values.array, atol=1e-4)


def test_lobpcg_of_batches_guesses_and_preconditioners():
    wb.manual_seed(0)
    a = symmetric(2, 3, 20, 20)
    values, vectors = wb.lobpcg(wb.from_numpy(a), 2, tol=1e-8)
    assert values.shape == (2, 3, 2)
    assert vectors.shape == (2, 3, 20, 2)
    np.testing.assert_allclose(values.array, np.linalg.eigvalsh(a)[..., ::-1][..., :2], rtol=1e-6)
    one = a[0, 0]
    guess = np.linalg.eigh(one)[1][:, -2:] + 0.01
    found, _ = wb.lobpcg(wb.from_numpy(one), X=wb.from_numpy(guess), tol=1e-8,
                         iK=wb.from_numpy(np.diag(1 / np.diag(one @ one))))  # fmt: skip
    np.testing.assert_allclose(found.array, np.linalg.eigvalsh(one)[::-1][:2], rtol=1e-6)


def test_lobpcg_refuses():
    a = wb.from_numpy(symmetric(8, 8))
    with pytest.raises(ValueError, match="3 x the number"):
        wb.lobpcg(a, 3)
    with pytest.raises(ValueError, match="method"):
        wb.lobpcg(a, 1, method="magic")
    with pytest.raises(NotImplementedError, match="gradients"):
        wb.lobpcg(a.requires_grad_(), 1)


def test_on_cuda(cuda):
    a = wb.from_numpy(symmetric(20, 20))
    wb.manual_seed(0)
    values, vectors = wb.lobpcg(a.to("cuda"), 2, tol=1e-8)
    assert vectors.is_cuda
    np.testing.assert_allclose(values.cpu().array, np.linalg.eigvalsh(a.array)[::-1][:2], rtol=1e-6)
    U, S, _ = wb.pca_lowrank(a.to("cuda"), 3)
    assert U.is_cuda
    assert S.shape == (3,)
