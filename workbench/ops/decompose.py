"""Factorisations: Cholesky, QR, singular values, eigenvalues, the exponential.

Gradient formulas: M. B. Giles (2008); S. F. Walter and L. Lehmann (2010) for QR; J. Townsend,
"Differentiating the singular value decomposition" (2016); C. Boeddeker et al., "On the computation
of complex-valued gradients" (2017) for eigenvectors.
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
    well,
)
from .samples import Sample
from .solve import square_errors

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


def _unconverged(name, error):
    return LinAlgError(
        f"linalg.{name}: The algorithm failed to converge because the input matrix contained "
        f"non-finite values or is ill-conditioned ({error})."
    )


def _finite(xp, name, A):
    if not xp.isfinite(A).all():
        raise _unconverged(name, "nan or inf in the input")


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
        raise _unconverged("svd", error) from None
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
        raise _unconverged("svdvals", error) from None


def _svdvals_rule(F, g, A):
    U, _, Vh = F.svd(A, False)
    return F.matmul(U * columns(F, g), Vh)


svdvals.vjp(A=_svdvals_rule)


# -- eigenvalues of Hermitian matrices -------------------------------------------------------------


def _hermitian(make, *shape):
    base = well(make, *shape)
    if base.dtype.kind not in "fcV":
        return base
    wide = base.astype(np.result_type(base.dtype if base.dtype.kind != "V" else "f4", np.float32))
    return ((wide + np.swapaxes(wide, -1, -2).conj()) / 2).astype(make.dtype)


def _hermitian_samples(make):
    for shape in taken(make, (3, 3), (1, 1), (2, 3, 3), (0, 0), (0, 2, 2)):
        yield Sample(_hermitian(make, *shape))
    yield Sample(_hermitian(make, 3, 3), UPLO="U")


def _hermitian_errors(make):
    yield Sample(make(2, 3))
    yield Sample(make(3))
    yield Sample(make(2, 2), UPLO="X")


def _check_uplo(UPLO):
    if UPLO not in ("L", "U", "l", "u"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper()


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    returns=("eigenvalues", "eigenvectors"),
    differentiable=("eigenvalues", "eigenvectors"),
    shape=lambda input: (input[:-1], input),
    samples=_hermitian_samples,
    errors=_hermitian_errors,
)
def eigh(xp, input, /, UPLO="L"):
    """Eigenvalues (real, ascending) and vectors (columns) of Hermitian matrices (*, n, n).

    Only the lower triangle is read ("U": the upper). Raises LinAlgError where the iteration does
    not converge.
    """
    check_square("eigh", input)
    UPLO = _check_uplo(UPLO)
    if input.size == 0:
        return xp.zeros(input.shape[:-1], input.real.dtype), input.copy()
    try:
        values, vectors = xp.linalg.eigh(input, UPLO)
    except np.linalg.LinAlgError as error:
        raise _unconverged("eigh", error) from None
    return values, vectors


def _eigh_rule(F, g, eigenvalues, eigenvectors):
    g_values, g_vectors = g
    V, Vh = eigenvectors, adjoint(F, eigenvectors)
    inner = F.matmul(Vh, g_vectors)
    if is_complex(V) and not F.taped:
        check_phase(F, "linalg_eigh_backward", F.matrix_diagonal(inner).imag)
    inner = over_gaps(F, inner, columns(F, eigenvalues) - rows(F, eigenvalues))
    return F.matmul(F.matmul(V, inner + F.matrix_diag(g_values)), Vh)


eigh.vjp(input=_eigh_rule)


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    shape=lambda input: input[:-1],
    samples=_hermitian_samples,
    errors=_hermitian_errors,
)
def eigvalsh(xp, input, /, UPLO="L"):
    """Eigenvalues (real, ascending) of Hermitian matrices (*, n, n); one triangle is read."""
    check_square("eigvalsh", input)
    UPLO = _check_uplo(UPLO)
    if input.size == 0:
        return xp.zeros(input.shape[:-1], input.real.dtype)
    try:
        return xp.linalg.eigvalsh(input, UPLO)
    except np.linalg.LinAlgError as error:
        raise _unconverged("eigvalsh", error) from None


def _eigvalsh_rule(F, g, input, UPLO):
    _, V = F.eigh(input, UPLO)
    return F.matmul(V * columns(F, g), adjoint(F, V))


eigvalsh.vjp(input=_eigvalsh_rule)


# -- eigenvalues of general matrices ---------------------------------------------------------------


def _general_samples(make):
    for shape in taken(make, (3, 3), (1, 1), (2, 3, 3), (0, 0), (0, 2, 2)):
        yield Sample(well(make, *shape))
    if make.dtype.kind in "fc":
        turn = np.array([[0.3, -1.0], [1.0, 0.2]])  # a pair of complex eigenvalues
        yield Sample(turn.astype(make.dtype))


def _general_errors(make):
    yield Sample(make(2, 3))
    yield Sample(make(3))
    yield Sample(np.full((2, 2), np.nan))


def _complex_dtype(input):
    return np.result_type(input.dtype, np.complex64)


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    returns=("eigenvalues", "eigenvectors"),
    differentiable=("eigenvalues", "eigenvectors"),
    aux=("was_real",),
    shape=lambda input: (input[:-1], input),
    samples=_general_samples,
    errors=_general_errors,
)
def eig(xp, input, /):
    """Eigenvalues and vectors (columns of length 1) of square matrices (*, n, n), complex.

    Raises RuntimeError for nan and inf. Losses must not depend on the vectors' phase.
    """
    check_square("eig", input)
    if not xp.isfinite(input).all():
        raise RuntimeError("linalg.eig: input tensor should not contain infs or NaNs.")
    dtype = _complex_dtype(input)
    real = input.dtype.kind != "c"
    if input.size == 0:
        return xp.zeros(input.shape[:-1], dtype), input.astype(dtype), real
    try:
        values, vectors = xp.linalg.eig(input)
    except np.linalg.LinAlgError as error:
        raise _unconverged("eig", error) from None
    return values.astype(dtype), vectors.astype(dtype), real


def _eig_rule(F, g, eigenvalues, eigenvectors, was_real):
    g_values, g_vectors = g
    V, Vh = eigenvectors, adjoint(F, eigenvectors)
    inner = F.matmul(Vh, g_vectors)
    along = F.matrix_diagonal(inner)
    if not F.taped:
        check_phase(F, "linalg_eig_backward", along.imag)
    inner = inner - F.matmul(Vh, V * columns(F, F.real(along)))
    gap = F.conj(columns(F, eigenvalues) - rows(F, eigenvalues))
    inner = over_gaps(F, inner, gap) + F.matrix_diag(g_values)
    out = F.solve(Vh, F.matmul(inner, Vh))
    return F.real(out) if was_real else out


eig.vjp(input=_eig_rule)


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    aux=("was_real",),
    shape=lambda input: input[:-1],
    samples=_general_samples,
    errors=square_errors,
)
def eigvals(xp, input, /):
    """Eigenvalues of square matrices (*, n, n), complex, in no order; nan where there is nan."""
    check_square("eigvals", input)
    dtype = _complex_dtype(input)
    real = input.dtype.kind != "c"
    if input.size == 0:
        return xp.zeros(input.shape[:-1], dtype), real
    known = xp.isfinite(input).all(axis=(-2, -1))
    try:
        values = xp.linalg.eigvals(xp.where(known[..., None, None], input, 0))
        return xp.where(known[..., None], values, np.nan).astype(dtype), real
    except np.linalg.LinAlgError as error:
        raise _unconverged("eigvals", error) from None


def _eigvals_rule(F, g, input, was_real):
    _, V = F.eig(input)
    Vh = adjoint(F, V)
    out = F.solve(Vh, rows(F, g) * Vh)
    return F.real(out) if was_real else out


eigvals.vjp(input=_eigvals_rule)


# -- the exponential -------------------------------------------------------------------------------

_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0,
    960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_THETA = 5.371920351148152  # the largest 1-norm for which the (13, 13) approximant is exact enough


def _exp_oracle(t, x):
    if x.dtype in (t.float16, t.bfloat16):
        raise NotImplementedError("torch's result in half precision is not the exponential")
    return t.linalg.matrix_exp(x)


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    shape=lambda input: input,
    samples=lambda make: (
        Sample(np.asarray(make(*s)))
        for s in taken(make, (3, 3), (1, 1), (2, 3, 3), (0, 0), (0, 2, 2))
    ),
    errors=lambda make: iter([Sample(make(2, 3)), Sample(make(3)), Sample(make.ints(2, 2))]),
    oracle=_exp_oracle,
)
def matrix_exp(xp, input, /):
    """The matrix exponential of (*, n, n): scaling and squaring of a Padé approximant.

    N. J. Higham, SIAM J. Matrix Anal. Appl. 26 (2005), with the (13, 13) approximant throughout,
    in double precision.
    """
    check_square("matrix_exp", input)
    if input.size == 0:
        return input.copy()
    wide = input.astype(np.result_type(input.dtype, np.float64))
    norm = abs(wide).sum(axis=-2).max(axis=-1)
    known = xp.isfinite(norm)
    wanted = xp.ceil(xp.log2(xp.maximum(xp.where(known, norm, 1), _THETA) / _THETA))
    squarings = wanted.astype(np.int64)
    A = wide / (2.0**wanted)[..., None, None]
    eye = xp.eye(A.shape[-1], dtype=A.dtype)
    A2 = A @ A
    A4 = A2 @ A2
    A6 = A4 @ A2
    b = _PADE
    odd = (
        A6 @ (b[13] * A6 + b[11] * A4 + b[9] * A2) + b[7] * A6 + b[5] * A4 + b[3] * A2 + b[1] * eye
    )
    odd = A @ odd
    even = (
        A6 @ (b[12] * A6 + b[10] * A4 + b[8] * A2) + b[6] * A6 + b[4] * A4 + b[2] * A2 + b[0] * eye
    )
    out = xp.linalg.solve(even - odd, even + odd)
    for i in range(int(squarings.max())):
        out = xp.where((i < squarings)[..., None, None], out @ out, out)
    out = xp.where(known[..., None, None], out, np.nan)
    return out.astype(input.dtype)


def _exp_rule(F, g, input):
    # the corner of exp [[Aᴴ, G], [0, Aᴴ]] (R. Mathias, SIAM J. Matrix Anal. Appl. 17, 1996)
    n = input.shape[-1]
    Ah = adjoint(F, input)
    top, bottom = F.cat([Ah, g], -1), F.cat([Ah * 0, Ah], -1)
    whole = F.matrix_exp(F.cat([top, bottom], -2))
    return F.narrow(F.narrow(whole, -2, 0, n), -1, n, n)


matrix_exp.vjp(input=_exp_rule)
