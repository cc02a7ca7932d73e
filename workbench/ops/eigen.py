"""Eigenvalues and eigenvectors.

Gradient formulas: C. Boeddeker et al., "On the computation of complex-valued gradients with
application to statistically optimum beamforming" (2017).
"""

from __future__ import annotations

import numpy as np

from .declare import op
from .matrices import (
    adjoint,
    check_phase,
    check_square,
    columns,
    is_complex,
    over_gaps,
    rows,
    taken,
    unconverged,
    well,
)
from .samples import Sample
from .solve import square_errors

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
        raise unconverged("eigh", error) from None
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
        raise unconverged("eigvalsh", error) from None


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
        raise unconverged("eig", error) from None
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
        raise unconverged("eigvals", error) from None


def _eigvals_rule(F, g, input, was_real):
    _, V = F.eig(input)
    Vh = adjoint(F, V)
    out = F.solve(Vh, rows(F, g) * Vh)
    return F.real(out) if was_real else out


eigvals.vjp(input=_eigvals_rule)
