"""Factorisations: Cholesky, QR, singular values.

Gradient formulas: M. B. Giles (2008); S. F. Walter and L. Lehmann (2010) for QR; J. Townsend,
"Differentiating the singular value decomposition" (2016).
"""

from __future__ import annotations

import numpy as np

from .declare import op
from .matrices import (
    LinAlgError,
    adjoint,
    batch_note,
    check_matrix,
    check_phase,
    check_square,
    columns,
    is_complex,
    over_gaps,
    positive,
    rows,
    taken,
    transposed,
    unconverged,
    well,
)
from .samples import Sample

# -- Cholesky --------------------------------------------------------------------------------------


def _cholesky_samples(make):
    for shape in taken(make, (3, 3), (1, 1), (2, 3, 3), (0, 0), (0, 2, 2)):
        yield Sample(positive(make, *shape))
        yield Sample(positive(make, *shape), upper=True)
    yield Sample(positive(make, 4, 4).T)


def _cholesky_errors(make):
    yield Sample(make(2, 3))
    yield Sample(make(3))
    yield Sample(-np.eye(2))
    yield Sample(make.ints(2, 2))


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    shape=lambda input: input,
    samples=_cholesky_samples,
    errors=_cholesky_errors,
)
def cholesky(xp, input, /, upper=False):
    """L with L Lᴴ = A (or the upper Lᴴ) of Hermitian positive definite matrices (*, n, n).

    Only one triangle is read: the upper where `upper`. Raises LinAlgError where a matrix is not
    positive definite.
    """
    check_square("cholesky", input)
    try:
        out = xp.linalg.cholesky(transposed(xp, input) if upper else input)
    except np.linalg.LinAlgError:
        each = input.reshape(-1, *input.shape[-2:])
        orders = [partial_cholesky(xp, transposed(xp, a) if upper else a)[1] for a in each]
        where = next((i for i, k in enumerate(orders) if k), 0)
        raise LinAlgError(
            f"linalg.cholesky: {batch_note(input.shape[:-2], where)}The factorization could not be "
            "completed because the input is not positive-definite (the leading minor of order "
            f"{orders[where]} is not positive-definite)."
        ) from None
    return xp.ascontiguousarray(transposed(xp, out)) if upper else out


def partial_cholesky(xp, a):
    """The factor as far as it goes, and the order of the first minor that is not (or 0)."""
    n = a.shape[-1]
    L = xp.tril(a)
    for j in range(n):
        d = L[j, j].real - (abs(L[j, :j]) ** 2).sum()
        if not d > 0:
            L[j, j] = d
            return L, j + 1
        L[j, j] = d**0.5
        L[j + 1 :, j] = (L[j + 1 :, j] - L[j + 1 :, :j] @ L[j, :j].conj()) / L[j, j]
    return L, 0


def _cholesky_rule(F, g, out, upper):
    L, gL = (adjoint(F, out), adjoint(F, g)) if upper else (out, g)
    Lh = adjoint(F, L)
    inner = F.tril(F.matmul(Lh, gL))
    inner = inner - F.matrix_diag(F.matrix_diagonal(inner) * 0.5)
    both = (inner + adjoint(F, inner)) * 0.5
    half = F.solve_triangular(Lh, both, True)
    return F.solve_triangular(L, half, False, False)


cholesky.vjp(input=_cholesky_rule)


# -- QR --------------------------------------------------------------------------------------------


def _qr_shape(A, mode):
    *lead, m, n = A
    k = m if mode == "complete" else min(m, n)
    return ((0,) if mode == "r" else (*lead, m, k)), (*lead, k, n)


def _qr_samples(make):
    for shape in taken(make, (3, 3), (4, 2), (2, 4), (2, 3, 2), (1, 1), (0, 3, 2), (3, 0)):
        wide = max(shape[-2:])
        cut = well(make, *shape[:-2], wide, wide)[..., : shape[-2], : shape[-1]].copy()
        yield Sample(cut)
        yield Sample(cut, mode="complete", grad=shape[-2] <= shape[-1])
        yield Sample(cut, mode="r", grad=False)


def _qr_errors(make):
    yield Sample(make(2, 2), "x")
    yield Sample(make(3))


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    returns=("Q", "R"),
    differentiable=("Q", "R"),
    shape=_qr_shape,
    samples=_qr_samples,
    errors=_qr_errors,
)
def qr(xp, A, /, mode="reduced"):
    """A = Q R with orthonormal columns in Q and R upper triangular, of (*, m, n).

    `mode`: "reduced" (Q is m by min(m, n)), "complete" (m by m) or "r" (Q is empty). Raises
    RuntimeError for other modes; the gradient needs "reduced", or "complete" where m <= n.
    """
    check_matrix("qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', "
            "or 'complete'"
        )
    if mode == "r":
        return xp.zeros((0,), A.dtype), xp.linalg.qr(A, "r")
    Q, R = xp.linalg.qr(A, mode)
    return Q, R


def _qr_rule(F, g, Q, R, mode):
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. "
            "Please use linalg.qr(A, mode='reduced') if you are going to differentiate through it."
        )
    m, n = Q.shape[-2], R.shape[-1]
    if mode == "complete" and m > n:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
        )
    gQ, gR = g
    inner = F.matmul(gR, adjoint(F, R)) - F.matmul(adjoint(F, Q), gQ)
    if m >= n:
        upper = F.triu(inner)
        both = upper + adjoint(F, upper)
        both = both - F.matrix_diag(F.real(F.matrix_diagonal(both)) * 0.5)
        out = F.matmul(Q, both) + gQ
        return F.solve_triangular(adjoint(F, R), out, False, False)
    lower = F.tril(adjoint(F, inner) - inner)
    lower = lower - F.matrix_diag(F.real(F.matrix_diagonal(lower)) * 0.5)
    square = F.narrow(R, -1, 0, m)
    out = F.solve_triangular(adjoint(F, square), F.matmul(Q, lower), False, False)
    return F.fft_fit(out, (*out.shape[:-1], n)) + F.matmul(Q, gR)


qr.vjp(A=_qr_rule)


# -- singular values -------------------------------------------------------------------------------


def _svd_shape(A, full_matrices):
    *lead, m, n = A
    k = min(m, n)
    left, right = (m, n) if full_matrices else (k, k)
    return (*lead, m, left), (*lead, k), (*lead, right, n)


def _svd_samples(make):
    for shape in taken(make, (3, 3), (4, 2), (2, 3), (2, 3, 2), (1, 1), (0, 3, 2), (3, 0)):
        wide = max(shape[-2:])
        cut = well(make, *shape[:-2], wide, wide)[..., : shape[-2], : shape[-1]].copy()
        yield Sample(cut, full_matrices=False)
        yield Sample(cut, grad=shape[-2] == shape[-1])
    yield Sample(well(make, 3, 3).T, full_matrices=False)


def _svd_errors(make):
    yield Sample(make(3))
    yield Sample(np.full((2, 2), np.nan))
    yield Sample(make.ints(2, 2))


def _finite(xp, name, A):
    if not xp.isfinite(A).all():
        raise unconverged(name, "nan or inf in the input")


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    returns=("U", "S", "Vh"),
    differentiable=("U", "S", "Vh"),
    shape=_svd_shape,
    samples=_svd_samples,
    errors=_svd_errors,
)
def svd(xp, A, /, full_matrices=True, driver=None):
    """A = U diag(S) Vh of (*, m, n), S real and descending; vectors up to a sign or phase.

    Raises LinAlgError for nan and inf. The gradient uses the first min(m, n) vectors; it is not
    finite for repeated singular values where it depends on the vectors.
    """
    check_matrix("svd", A)
    _finite(xp, "svd", A)
    if A.size == 0:
        return _empty_svd(xp, A, full_matrices)
    try:
        U, S, Vh = xp.linalg.svd(A, full_matrices=full_matrices)
    except np.linalg.LinAlgError as error:
        raise unconverged("svd", error) from None
    return U, S, Vh


def _empty_svd(xp, A, full_matrices):
    left, values, right = _svd_shape(A.shape, full_matrices)
    U, Vh = (xp.zeros(s, A.dtype) for s in (left, right))
    for made in (U, Vh):
        place = xp.arange(min(made.shape[-2:]))
        made[..., place, place] = 1
    return U, xp.zeros(values, A.real.dtype), Vh


def _svd_rule(F, g, U, S, Vh):
    gU, gS, gVh = g
    k = S.shape[-1]
    m, n = U.shape[-2], Vh.shape[-1]
    U, gU = F.narrow(U, -1, 0, k), F.narrow(gU, -1, 0, k)
    Vh, gVh = F.narrow(Vh, -2, 0, k), F.narrow(gVh, -2, 0, k)
    mm = F.matmul
    square = S * S
    gap = columns(F, square) - rows(F, square)
    left, right = mm(adjoint(F, U), gU), mm(Vh, adjoint(F, gVh))
    skew_left, skew_right = left - adjoint(F, left), right - adjoint(F, right)
    inner = over_gaps(F, skew_left, gap) * columns(F, S)
    inner = inner + rows(F, S) * over_gaps(F, skew_right, gap)
    inner = inner + F.matrix_diag(gS)
    if is_complex(U):
        phases = F.matrix_diagonal(skew_left)
        check_phase(F, "svd_backward", (phases + F.matrix_diagonal(skew_right)).imag / 2
                    if not F.taped else None)  # fmt: skip
        inner = inner + F.matrix_diag(phases / (2 * S))
    out = mm(mm(U, inner), Vh)
    if m > k:  # what lies outside the span of U, and of V
        out = out + mm((gU - mm(U, left)) / columns(F, S), Vh)
    if n > k:
        out = out + mm(U, (gVh - mm(adjoint(F, right), Vh)) / rows(F, S))
    return out


svd.vjp(A=_svd_rule)


def _values_samples(make):
    for shape in taken(make, (3, 3), (4, 2), (2, 3), (2, 3, 2), (1, 1), (0, 3, 2), (3, 0)):
        wide = max(shape[-2:])
        yield Sample(well(make, *shape[:-2], wide, wide)[..., : shape[-2], : shape[-1]].copy())


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    shape=lambda A: (*A[:-2], min(A[-2:])),
    samples=_values_samples,
    errors=_svd_errors,
)
def svdvals(xp, A, /, driver=None):
    """The singular values of (*, m, n), real and descending.

    Raises LinAlgError for nan and inf.
    """
    check_matrix("svdvals", A)
    _finite(xp, "svdvals", A)
    if A.size == 0:
        return xp.zeros((*A.shape[:-2], min(A.shape[-2:])), A.real.dtype)
    try:
        return xp.linalg.svd(A, compute_uv=False)
    except np.linalg.LinAlgError as error:
        raise unconverged("svdvals", error) from None


def _svdvals_rule(F, g, A):
    U, _, Vh = F.svd(A, False)
    return F.matmul(U * columns(F, g), Vh)


svdvals.vjp(A=_svdvals_rule)
