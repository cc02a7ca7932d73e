"""Linear algebra made of the declared ops, and what the op table cannot say of the ops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import workbench as wb
from workbench.autograd import gradcheck, gradgradcheck

from .twins import agree, differentiable, numbers, parts, positive, to_ours, to_torch, well

torch = pytest.importorskip("torch")

KINDS = ["float64", "complex128"]


# -- gradients of the ops in complex numbers, to second order --------------------------------------


def symmetric(x):
    return (x + x.transpose(-2, -1).conj()) / 2


def _eigh(t, x):
    values, vectors = t.linalg.eigh(symmetric(x))
    return values, vectors.abs(), (vectors * values.exp()) @ vectors.transpose(-2, -1).conj()


def _svd(t, x):
    U, S, Vh = t.linalg.svd(x, full_matrices=False)
    return S, U.abs(), U @ Vh


def _eig(t, x):
    values, vectors = t.linalg.eig(x)
    return values.sum(), (1 / values).sum(), vectors.abs().sum()


COMPLEX = {
    "cholesky": (lambda t, x: t.linalg.cholesky(symmetric(x)), positive(3, 3, kind="c")),
    "qr": (lambda t, x: t.linalg.qr(x)[1].abs(), well(3, 3, kind="c")),
    "qr wide": (lambda t, x: t.linalg.qr(x)[1].abs(), well(3, 3, kind="c")[:2]),
    "svd": (_svd, well(3, 3, kind="c")),
    "svd tall": (_svd, well(3, 3, kind="c")[:, :2]),
    "svdvals": (lambda t, x: t.linalg.svdvals(x), well(3, 3, kind="c")),
    "eigh": (_eigh, well(3, 3, kind="c")),
    "eig": (_eig, well(3, 3, kind="c")),
    "eig of real": (_eig, numbers(3, 3, seed=4)),
    "inv": (lambda t, x: t.linalg.inv(x), well(3, 3, kind="c")),
    "pinv": (lambda t, x: t.linalg.pinv(x), well(3, 3, kind="c")[:, :2]),
    "det": (lambda t, x: t.linalg.det(x), well(3, 3, kind="c")),
    "slogdet": (lambda t, x: t.linalg.slogdet(x), well(3, 3, kind="c")),
    "matrix_exp": (lambda t, x: t.linalg.matrix_exp(x), numbers(3, 3, kind="c")),
    "lu": (lambda t, x: t.linalg.lu(x)[1:], well(3, 3, kind="c")),
    "lu tall": (lambda t, x: t.linalg.lu(x)[1:], well(3, 3, kind="c")[:, :2]),
    "lu wide": (lambda t, x: t.linalg.lu(x)[1:], well(3, 3, kind="c")[:2]),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_gradients(name):
    call, x = COMPLEX[name]
    agree(call, x)
    differentiable(call, x)


def test_complex_systems():
    a, b = well(3, 3, kind="c"), numbers(3, 2, kind="c")
    for call in (
        lambda t, a, b: t.linalg.solve(a, b),
        lambda t, a, b: t.linalg.solve_triangular(a, b, upper=True),
        lambda t, a, b: t.cholesky_solve(b, t.tril(a)),
        lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a)[:2], b),
        lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a)[:2], b, adjoint=True),
        lambda t, a, b: t.linalg.lstsq(a[:, :2], b).solution,
    ):
        agree(call, a, b)
        differentiable(call, a, b)


def test_a_loss_that_depends_on_a_phase_is_refused():
    for call in (
        lambda t, x: (
            t.linalg.svd(x)[0].real.sum() if t is torch else wb.real(t.linalg.svd(x)[0]).sum()
        ),
        lambda t, x: t.real(t.linalg.eig(x)[1]).sum(),
        lambda t, x: t.real(t.linalg.eigh(x)[1]).sum(),
    ):
        for t, x in ((wb, to_ours(well(3, 3, kind="c"))), (torch, to_torch(well(3, 3, kind="c")))):
            with pytest.raises(RuntimeError, match=r"phase|up to|phi|quantity"):
                call(t, x.requires_grad_()).backward()


def test_the_gradient_of_a_singular_determinant_is_the_cofactors():
    x = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.5], [1.0, 2.0, -1.0]])
    leaf = to_ours(x).requires_grad_()
    wb.linalg.det(leaf).backward()
    cofactors = [
        [(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(3)]
        for i in range(3)
    ]
    np.testing.assert_allclose(leaf.grad.array, cofactors, atol=1e-10)
    assert gradcheck(wb.linalg.det, [to_ours(np.zeros((1, 1))).requires_grad_()])
    assert gradgradcheck(wb.linalg.det, [leaf.detach().requires_grad_()], atol=1e-4)


def test_singular_values_of_the_identity_have_a_gradient():
    for call in (
        lambda x: wb.linalg.svd(x).S.sum(),
        lambda x: wb.linalg.eigh(x).eigenvalues.sum(),
        lambda x: wb.linalg.svdvals(x).sum(),
        lambda x: wb.linalg.matrix_norm(x, "nuc"),
    ):
        x = wb.eye(3, dtype=wb.float64).requires_grad_()
        call(x).backward()
        np.testing.assert_allclose(x.grad.array, np.eye(3), atol=1e-12)


# -- large matrices: blocks and halves -------------------------------------------------------------


@pytest.mark.parametrize("shape", [(150, 150), (150, 70), (70, 150), (2, 100, 100)])
@pytest.mark.parametrize("kind", KINDS)
def test_lu_in_blocks(shape, kind):
    a = numbers(*shape, kind=kind)
    agree(lambda t, a: t.linalg.lu_factor(a), a, gradients=False, tolerance=1e-8)
    P, L, U = wb.linalg.lu(to_ours(a))
    np.testing.assert_allclose((P @ L @ U).array, a, atol=1e-10)


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("left", [True, False])
def test_triangular_systems_by_halves(upper, left):
    a = well(2, 130, 130) + np.eye(130) * 10
    b = numbers(2, 130, 3) if left else numbers(2, 3, 130)
    agree(lambda t, a, b: t.linalg.solve_triangular(a, b, upper=upper, left=left), a, b)


def test_a_zero_on_the_diagonal_of_a_triangular_system():
    a = np.array([[1.0, 2.0], [0.0, 0.0]])
    got = wb.linalg.solve_triangular(to_ours(a), wb.ones(2, 1, dtype=wb.float64), upper=True)
    assert not np.isfinite(got.array).any()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_the_exponential_of_large_and_small_matrices(scale):
    from scipy.linalg import expm

    a = np.stack([numbers(4, 4) * scale, numbers(4, 4, seed=1)])
    got = wb.linalg.matrix_exp(to_ours(a)).array
    np.testing.assert_allclose(got, expm(a), rtol=1e-9, atol=1e-9 * abs(got).max())
    single = wb.linalg.matrix_exp(to_ours(a.astype(np.float32)))
    assert single.dtype is wb.float32


# -- the compositions ------------------------------------------------------------------------------


SQUARE = {
    "inverse": lambda t, a: t.inverse(a),
    "linalg.inverse": lambda t, a: t.linalg.inv(a),
    "det": lambda t, a: t.det(a),
    "logdet": lambda t, a: t.logdet(a),
    "slogdet": lambda t, a: t.slogdet(a),
    "pinverse": lambda t, a: t.pinverse(a),
    "matrix_power 0": lambda t, a: t.linalg.matrix_power(a, 0),
    "matrix_power 1": lambda t, a: t.matrix_power(a, 1),
    "matrix_power 5": lambda t, a: t.linalg.matrix_power(a, 5),
    "matrix_power -3": lambda t, a: t.linalg.matrix_power(a, -3),
    "matrix_exp": lambda t, a: t.matrix_exp(a * 0.2),
    "inv_ex": lambda t, a: t.linalg.inv_ex(a),
    "lu_factor": lambda t, a: t.linalg.lu_factor(a),
    "lu": lambda t, a: t.linalg.lu(a),
    "top lu": lambda t, a: t.lu(a)[:2] if t is wb else t.lu(a),
    "lu_unpack": lambda t, a: t.lu_unpack(*t.linalg.lu_factor(a)),
    "matrix_rank": lambda t, a: t.linalg.matrix_rank(a),
    "cond": lambda t, a: t.linalg.cond(a),
    "cond -2": lambda t, a: t.linalg.cond(a, -2),
    "cond fro": lambda t, a: t.linalg.cond(a, "fro"),
    "cond nuc": lambda t, a: t.linalg.cond(a, "nuc"),
    "cond 1": lambda t, a: t.linalg.cond(a, 1),
    "cond inf": lambda t, a: t.linalg.cond(a, math.inf),
    "diagonal": lambda t, a: t.linalg.diagonal(a, offset=0),
    "solve_ex": lambda t, a: t.linalg.solve_ex(a, a),
    "vander": lambda t, a: t.linalg.vander(a),
    "vander 5": lambda t, a: t.linalg.vander(a, N=5),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SQUARE)
def test_functions_of_square_matrices(name, kind):
    call = SQUARE[name]
    for shape in ((3, 3), (2, 3, 3), (1, 1))[: 2 if name == "vander" else 3]:
        # torch's own gradient of these fails: it writes to what it saved
        broken = name in ("cond fro", "cond nuc", "cond 1", "cond inf")
        agree(call, well(*shape, kind=kind), gradients=not broken)
        if broken:
            assert gradcheck(lambda x: call(wb, x), [to_ours(well(*shape)).requires_grad_()])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("upper", [True, False])
def test_cholesky_and_its_uses(kind, upper):
    for shape in ((3, 3), (2, 3, 3)):
        a, b = positive(*shape, kind=kind), numbers(*shape, kind=kind)
        agree(lambda t, a: t.linalg.cholesky_ex(symmetric(a), upper=upper), a)
        agree(lambda t, a: t.cholesky(symmetric(a), upper=upper), a)
        agree(
            lambda t, a, b: t.cholesky_solve(
                b, t.linalg.cholesky(symmetric(a), upper=upper), upper
            ),
            a,
            b,
        )
        agree(
            lambda t, a: t.cholesky_inverse(t.linalg.cholesky(symmetric(a), upper=upper), upper), a
        )


def test_infos_instead_of_errors():
    a = np.array([[[1.0, 2.0], [2.0, 1.0]], [[4.0, 0.0], [0.0, 9.0]]])
    agree(lambda t, a: t.linalg.cholesky_ex(a), a, gradients=False)
    singular = np.stack([np.ones((2, 2)), np.eye(2)])
    mine, other = (
        t.linalg.inv_ex(x) for t, x in ((wb, to_ours(singular)), (torch, to_torch(singular)))
    )
    np.testing.assert_array_equal(mine.info.array, other.info.numpy())
    np.testing.assert_array_equal(mine.inverse.array[1], other.inverse.numpy()[1])
    assert np.isnan(mine.inverse.array[0]).all()
    assert wb.linalg.solve_ex(to_ours(singular), wb.ones(2, 2, dtype=wb.float64)).info.tolist() == [
        2, 0
    ]  # fmt: skip
    mine = wb.linalg.lu_factor_ex(to_ours(singular))
    other = torch.linalg.lu_factor_ex(to_torch(singular))
    np.testing.assert_array_equal(mine.info.array, other.info.numpy())
    np.testing.assert_allclose(mine.LU.array, other.LU.numpy())


@pytest.mark.filterwarnings("ignore:torch")
def test_older_names():
    a = well(3, 3)
    tall = a[:, :2].copy()
    for some in (True, False):
        mine, other = wb.svd(to_ours(tall), some), torch.svd(to_torch(tall), some)
        assert mine._fields == ("U", "S", "V")
        np.testing.assert_allclose(mine.S.array, other.S.numpy())
        assert mine.U.shape == tuple(other.U.shape)
        np.testing.assert_allclose(abs(mine.V.array), abs(other.V.numpy()), atol=1e-12)
        mine, other = wb.qr(to_ours(tall), some), torch.qr(to_torch(tall), some)
        assert mine.Q.shape == tuple(other.Q.shape)
        np.testing.assert_allclose(abs(mine.R.array), abs(other.R.numpy()), atol=1e-12)
    for upper, transpose in itertools.product((True, False), repeat=2):
        agree(
            lambda t, b, a, u=upper, v=transpose: t.triangular_solve(b, a, u, v), numbers(3, 2), a
        )
    agree(lambda t, b, a: t.lu_solve(b, *t.linalg.lu_factor(a)), numbers(3, 2), a)
    x = to_ours(a)
    for name in ("det", "inverse", "logdet", "slogdet", "qr", "svd", "matrix_exp", "pinverse"):
        got, expected = parts(getattr(x, name)()), parts(getattr(wb, name)(x))
        for p, q in zip(got, expected, strict=True):
            np.testing.assert_array_equal(p.array, q.array)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
def test_lu_solve(kind, left, adjoint):
    a, b = well(2, 3, 3, kind=kind), numbers(2, 3, 3, kind=kind)
    agree(
        lambda t, a, b: t.linalg.lu_solve(*t.linalg.lu_factor(a), b, left=left, adjoint=adjoint),
        a, b,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_pinv_and_rank_count_small_values_as_zero(kind):
    a = numbers(2, 4, 2, kind=kind) @ numbers(2, 2, 3, kind=kind)
    agree(lambda t, a: t.linalg.pinv(a), a, gradients=False)
    agree(lambda t, a: t.linalg.matrix_rank(a), a)
    for settings in ({"atol": 0.5}, {"rtol": 0.4}, {"atol": 0.1, "rtol": 0.3}):
        agree(lambda t, a, s=settings: t.linalg.pinv(a, **s), a, gradients=False)
        agree(lambda t, a, s=settings: t.linalg.matrix_rank(a, **s), a)
    agree(lambda t, a: t.linalg.matrix_rank(a, tol=0.5), a)
    h = positive(3, 3, kind=kind)
    agree(lambda t, a: t.linalg.pinv(a, hermitian=True), h, gradients=False)
    agree(lambda t, a: t.linalg.matrix_rank(a, hermitian=True), h)
    batch = np.array([0.01, 0.9])
    agree(lambda t, a, tol: t.linalg.matrix_rank(a, rtol=tol), a, batch, gradients=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("driver", [None, "gels", "gelsy", "gelsd", "gelss"])
def test_least_squares(driver, kind):
    for a, b in (
        (numbers(4, 3, kind=kind), numbers(4, 2, kind=kind)),
        (numbers(3, 4, kind=kind), numbers(3, 2, kind=kind)),
        (numbers(2, 4, 3, kind=kind), numbers(2, 4, 1, kind=kind)),
        (numbers(2, 4, 3, kind=kind), numbers(2, 4, kind=kind)),
    ):
        agree(lambda t, a, b: t.linalg.lstsq(a, b, driver=driver), a, b, gradients=False)
        agree(lambda t, a, b: t.linalg.lstsq(a, b, driver=driver).solution, a, b)


def test_products():
    for shapes in (
        [(3,), (3, 4)], [(2, 3), (3, 4), (4, 1)], [(2, 3), (3, 5), (5, 4), (4,)],
        [(3,), (3, 4), (4,)], [(3,), (3,)],
    ):  # fmt: skip
        arrays = [numbers(*s, seed=i) for i, s in enumerate(shapes)]
        # torch's own gradient fails: it writes to what it saved
        agree(lambda t, *xs: t.linalg.multi_dot(xs), *arrays, gradients=False)
        assert gradcheck(
            lambda *xs: wb.linalg.multi_dot(xs), [to_ours(a).requires_grad_() for a in arrays]
        )
    a, b = numbers(2, 3), numbers(3, 2)
    agree(lambda t, a, b: t.chain_matmul(a, b, a), a, b, gradients=False)
    a, b = numbers(2, 3), numbers(2, 3, seed=1)
    agree(lambda t, a, b: t.cross(a, b, dim=1), a, b)
    agree(lambda t, a, b: t.linalg.cross(a, b), a, b)
    for kind in KINDS:
        a, b = numbers(2, 1, 3, kind=kind), numbers(4, 3, kind=kind)
        agree(lambda t, a, b: t.linalg.vecdot(a, b), a, b)
        agree(lambda t, a, b: t.linalg.vecdot(a, b, dim=0), b, b)
    agree(lambda t, x: t.vander(x, 3, True), numbers(4), gradients=False)
    agree(lambda t, x: t.vander(x), np.arange(4))
    agree(lambda t, x: t.linalg.vander(x), np.arange(4))


@pytest.mark.parametrize("kind", KINDS)
def test_householder_product(kind):
    a, tau = numbers(4, 3, kind=kind), numbers(2, kind=kind)
    agree(lambda t, a, tau: t.linalg.householder_product(a, tau), a, tau)
    agree(lambda t, a, tau: t.orgqr(a, tau), np.stack([a, a]), np.stack([tau, tau]))
    q, _ = np.linalg.qr(a)
    packed = wb.geqrf(to_ours(a))
    np.testing.assert_allclose(wb.linalg.householder_product(*packed).array, q, atol=1e-12)


def test_tensors_as_matrices():
    a = well(6, 6)
    agree(lambda t, x: t.linalg.tensorinv(x), a.reshape(2, 3, 6))
    agree(lambda t, x: t.linalg.tensorinv(x, ind=1), a.reshape(6, 2, 3))
    agree(lambda t, x, b: t.linalg.tensorsolve(x, b), a.reshape(2, 3, 2, 3), numbers(2, 3))
    agree(
        lambda t, x, b: t.linalg.tensorsolve(x, b, dims=(0, 2)),
        a.reshape(3, 2, 2, 3), numbers(2, 3),
    )  # fmt: skip


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.linalg.norm(t.ones(2, 2, 2), 2),
        lambda t: t.linalg.norm(t.ones(2, dtype=t.int64)),
        lambda t: t.linalg.norm(t.ones(2, 2), "nuc", dim=0),
        lambda t: t.linalg.matrix_norm(t.ones(2, 2), 3),
        lambda t: t.linalg.matrix_norm(t.ones(2, 2), "fro", dim=(0, 0)),
        lambda t: t.linalg.matrix_norm(t.ones(2)),
        lambda t: t.linalg.matrix_norm(t.ones(2, 2), dim=(0, 5)),
        lambda t: t.linalg.vector_norm(t.ones(2), dtype=t.int64),
        lambda t: t.linalg.matrix_power(t.ones(2, 3), 2),
        lambda t: t.linalg.matrix_power(t.ones(2, 2), 0.5),
        lambda t: t.linalg.matrix_power(t.zeros(2, 2), -1),
        lambda t: t.linalg.multi_dot([t.ones(2, 2)]),
        lambda t: t.linalg.multi_dot([t.ones(2, 2), t.ones(3, 2)]),
        lambda t: t.linalg.multi_dot([t.ones(2, 2), t.ones(2, 2, 2), t.ones(2, 2)]),
        lambda t: t.linalg.tensorinv(t.ones(2, 3)),
        lambda t: t.linalg.tensorinv(t.ones(2, 2), ind=0),
        lambda t: t.linalg.tensorsolve(t.ones(2, 3), t.ones(2)),
        lambda t: t.linalg.lstsq(t.ones(3, 2), t.ones(2, 2)),
        lambda t: t.linalg.lstsq(t.ones(3, 2), t.ones(3, 2), driver="best"),
        lambda t: t.linalg.lstsq(t.ones(3, 2), t.ones(3, 2, dtype=t.float64)),
        lambda t: t.linalg.householder_product(t.ones(2, 3), t.ones(2)),
        lambda t: t.linalg.householder_product(t.ones(3, 2), t.ones(3)),
        lambda t: t.linalg.lu_factor(t.zeros(2, 2)),
        lambda t: t.linalg.lu_solve(*t.linalg.lu_factor(t.eye(2)), t.ones(3, 1)),
        lambda t: t.linalg.cholesky_ex(-t.eye(2), check_errors=True),
        lambda t: t.linalg.inv_ex(t.zeros(2, 2), check_errors=True),
        lambda t: t.linalg.cond(t.ones(2, 3), 1),
        lambda t: t.linalg.vander(t.ones(3), N=1),
        lambda t: t.cross(t.ones(2), t.ones(2)),
    ],
)
def test_bad_input_raises_what_torch_raises(call):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        call(torch)
    wanted = type(theirs.value)
    with pytest.raises(wb.linalg.LinAlgError if wanted.__name__ == "_LinAlgError" else wanted):
        call(wb)


def test_linalg_error_is_a_runtime_error():
    assert issubclass(wb.linalg.LinAlgError, RuntimeError)
    with pytest.raises(wb.linalg.LinAlgError, match=r"Batch element 1.*order 2"):
        wb.linalg.cholesky(to_ours(np.stack([np.eye(2), np.diag([1.0, -1.0])])))


def test_cond_of_singular_matrices_is_infinite():
    a = np.stack([np.zeros((2, 2)), np.eye(2)])
    for p in (1, "fro", math.inf):
        agree(lambda t, a, p=p: t.linalg.cond(a, p), a, gradients=False)


def test_all_names_of_torch_are_there():
    missing = [
        name for name in dir(torch.linalg)
        if callable(getattr(torch.linalg, name)) and name[0] != "_" and not hasattr(wb.linalg, name)
    ]  # fmt: skip
    assert set(missing) <= {"ldl_factor", "ldl_factor_ex", "ldl_solve", "Tensor", "common_notes"}
