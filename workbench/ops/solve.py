"""Linear systems, inverses and determinants.

Gradient formulas: M. B. Giles, "An extended collection of matrix derivative results for forward and
reverse mode algorithmic differentiation" (2008).
"""

from __future__ import annotations

import numpy as np

from .declare import op
from .matrices import (
    LinAlgError,
    adjoint,
    batch_note,
    check_matrix,
    check_square,
    columns,
    imaginary,
    is_complex,
    taken,
    transposed,
    well,
)
from .samples import Sample


def is_vector(A, B):
    """Whether solve() takes B (a shape) as vectors, by torch's rule."""
    return len(B) == 1 or (len(A) - 1 == len(B) and tuple(B) == tuple(A[:-1]))


def _solve_shape(A, B, left):
    lead = np.broadcast_shapes(A[:-2], B[:-1] if is_vector(A, B) else B[:-2])
    return (*lead, *(B[-1:] if is_vector(A, B) else B[-2:]))


def _solve_samples(make):
    for a, b in (((3, 3), (3, 2)), ((3, 3), (3,)), ((2, 3, 3), (2, 3)), ((2, 3, 3), (3, 4)),
                 ((2, 1, 3, 3), (4, 3, 2)), ((1, 1), (1, 1)), ((0, 0), (0, 2)),
                 ((0, 2, 2), (0, 2, 1)), ((3, 3), (3, 0))):  # fmt: skip
        if taken(make, a):
            yield Sample(well(make, *a), make(*b))
    yield Sample(well(make, 3, 3), make(2, 3), left=False)
    yield Sample(well(make, 3, 3).T, make(3, 3).T)


def _solve_errors(make):
    yield Sample(make(3, 3), make(2, 2))
    yield Sample(make(3, 2), make(3, 2))
    yield Sample(make(3), make(3))
    yield Sample(np.zeros((2, 2)), make(2, 2))
    yield Sample(make(2, 2), make(2, 2).astype(np.float32))
    yield Sample(make(2, 3, 3), make(4, 3, 2))


def _solved(xp, A, B):
    """X with A X = B (matrices), or LinAlgError."""
    try:
        return xp.linalg.solve(A, B)
    except np.linalg.LinAlgError:
        where = next(i for i, a in enumerate(A.reshape(-1, *A.shape[-2:])) if _singular(xp, a))
        raise LinAlgError(
            f"torch.linalg.solve: {batch_note(A.shape[:-2], where)}The solver failed because the "
            "input matrix is singular.".removeprefix("torch.")
        ) from None


def _singular(xp, a):
    try:
        xp.linalg.solve(a, a[:, :1])
    except np.linalg.LinAlgError:
        return True
    return False


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    dtype="same",
    shape=_solve_shape,
    samples=_solve_samples,
    errors=_solve_errors,
)
def solve(xp, A, B, /, left=True):
    """X with A X = B (or X A = B where not `left`); leading dimensions broadcast.

    `A` is (*, n, n), `B` (*, n, k), or (*, n) for vectors (n, or exactly the shape of A without
    its last side). Raises LinAlgError for singular matrices, RuntimeError for shapes that do not
    fit.
    """
    check_square("solve", A)
    vector = is_vector(A.shape, B.shape)
    if vector and not left:
        raise RuntimeError(
            "linalg.solve: Vector broadcasting of the left hand side is not supported for "
            "left=False"
        )
    b = B[..., None] if vector else B
    if b.ndim < 2 or b.shape[-2 if left else -1] != A.shape[-1]:
        raise RuntimeError(
            "linalg.solve: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({A.shape[-2]}x{A.shape[-1]} and "
            f"{b.shape[-2] if b.ndim > 1 else 1}x{b.shape[-1]})"
        )
    if left:
        out = _solved(xp, A, b)
    else:
        out = xp.swapaxes(_solved(xp, xp.swapaxes(A, -1, -2), xp.swapaxes(b, -1, -2)), -1, -2)
    return out[..., 0] if vector else xp.ascontiguousarray(out)


def _right(F, A, g, A_shape, B_shape, left):
    """The gradient of the full right-hand side: A⁻ᴴ g."""
    vector = is_vector(A_shape, B_shape)
    g = F.unsqueeze(g, -1) if vector else g
    return F.solve(adjoint(F, A), g, left), vector


def _solve_A(F, g, A, out, A_shape, B_shape, left):
    gB, vector = _right(F, A, g, A_shape, B_shape, left)
    X = F.unsqueeze(out, -1) if vector else out
    gA = -F.matmul(gB, adjoint(F, X)) if left else -F.matmul(adjoint(F, X), gB)
    return F.sum_to(gA, A_shape)


def _solve_B(F, g, A, A_shape, B_shape, left):
    gB, vector = _right(F, A, g, A_shape, B_shape, left)
    if vector:
        return F.sum_to(F.select(gB, -1, 0), B_shape)
    return F.sum_to(gB, B_shape)


solve.vjp(A=_solve_A, B=_solve_B)


# -- triangular systems ----------------------------------------------------------------------------


def _triangular_samples(make):
    for a, b in (((3, 3), (3, 2)), ((2, 3, 3), (3, 2)), ((1, 1), (1, 1)), ((0, 0), (0, 2)),
                 ((4, 3, 3), (4, 3, 1))):  # fmt: skip
        for upper in (True, False):
            yield Sample(well(make, *a), make(*b), upper=upper)
    yield Sample(well(make, 3, 3), make(2, 3), upper=True, left=False)
    yield Sample(well(make, 3, 3), make(3, 2), upper=False, unitriangular=True)


_BASE = 48  # below this size a general solver beats cutting in half


def _back(xp, A, B, upper):
    """Substitution by halves: matrix products do the work."""
    n = A.shape[-1]
    if n <= _BASE:
        try:
            return xp.linalg.solve(A, B)
        except np.linalg.LinAlgError:  # a zero on the diagonal gives inf or nan, as in LAPACK
            return _row_by_row(xp, A, B, upper)
    k = n // 2
    first, last = slice(k), slice(k, n)
    a, b, c = (last, first, slice(None)) if upper else (first, last, slice(None))
    head = _back(xp, A[..., a, a], B[..., a, c], upper)
    tail = _back(xp, A[..., b, b], B[..., b, c] - A[..., b, a] @ head, upper)
    return xp.concatenate((tail, head) if upper else (head, tail), axis=-2)


def _row_by_row(xp, A, B, upper):
    n = A.shape[-1]
    lead = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    out = xp.zeros((*lead, *B.shape[-2:]), B.dtype)
    with np.errstate(all="ignore"):
        for i in range(n - 1, -1, -1) if upper else range(n):
            done = slice(i + 1, n) if upper else slice(i)
            known = (A[..., i, None, done] @ out[..., done, :])[..., 0, :]
            out[..., i, :] = (B[..., i, :] - known) / A[..., i, i, None]
    return out


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    dtype="same",
    shape=lambda input, B: (*np.broadcast_shapes(input[:-2], B[:-2]), *B[-2:]),
    samples=_triangular_samples,
)
def solve_triangular(xp, input, B, /, upper, left=True, unitriangular=False):
    """X with A X = B (or X A = B) for triangular A; only the named triangle is read.

    `input` is (*, n, n), `B` (*, n, k). A zero on the diagonal gives inf or nan. Raises
    RuntimeError for shapes that do not fit.
    """
    check_square("solve_triangular", input)
    check_matrix("solve_triangular", B)
    if B.shape[-2 if left else -1] != input.shape[-1]:
        raise RuntimeError(
            "linalg.solve_triangular: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({input.shape[-2]}x{input.shape[-1]} and "
            f"{B.shape[-2]}x{B.shape[-1]})"
        )
    A = xp.triu(input) if upper else xp.tril(input)
    if unitriangular:
        place = xp.arange(A.shape[-1])
        A[..., place, place] = 1
    if left:
        return _back(xp, A, B, upper)
    out = _back(xp, xp.swapaxes(A, -1, -2), xp.swapaxes(B, -1, -2), not upper)
    return xp.ascontiguousarray(xp.swapaxes(out, -1, -2))


def _triangular_B(F, g, input, B_shape, upper, left, unitriangular):
    gB = F.solve_triangular(adjoint(F, input), g, not upper, left, unitriangular)
    return F.sum_to(gB, B_shape)


def _triangular_A(F, g, input, out, input_shape, upper, left, unitriangular):
    gB = F.solve_triangular(adjoint(F, input), g, not upper, left, unitriangular)
    gA = -F.matmul(gB, adjoint(F, out)) if left else -F.matmul(adjoint(F, out), gB)
    gA = F.triu(gA, int(unitriangular)) if upper else F.tril(gA, -int(unitriangular))
    return F.sum_to(gA, input_shape)


solve_triangular.vjp(input=_triangular_A, B=_triangular_B)


# -- inverses --------------------------------------------------------------------------------------


def square_samples(make):
    """Batches of well-conditioned square matrices over the edge shapes."""
    for shape in taken(make, (3, 3), (1, 1), (2, 3, 3), (0, 0), (0, 2, 2), (2, 1, 2, 2)):
        yield Sample(well(make, *shape))
    yield Sample(well(make, 4, 4).T)


def square_errors(make):
    """What ops on square matrices refuse."""
    yield Sample(make(2, 3))
    yield Sample(make(3))
    yield Sample(make.ints(2, 2))


def _inv_errors(make):
    yield from square_errors(make)
    yield Sample(np.zeros((2, 2)))


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    shape=lambda A: A,
    samples=square_samples,
    errors=_inv_errors,
)
def inv(xp, A, /):
    """The inverse of square matrices (*, n, n).

    Raises LinAlgError for singular matrices.
    """
    check_square("inv", A)
    try:
        return xp.linalg.inv(A)
    except np.linalg.LinAlgError:
        from .lu import factor

        packed = factor(xp, A, True)[0].reshape(-1, *A.shape[-2:])
        zeros = xp.argwhere(xp.diagonal(packed, 0, -2, -1) == 0)
        where, row = (int(i) for i in zeros[0]) if len(zeros) else (0, A.shape[-1] - 1)
        raise LinAlgError(
            f"linalg.inv: {batch_note(A.shape[:-2], where)}The diagonal element {row + 1} is zero, "
            "the inversion could not be completed because the input matrix is singular."
        ) from None


def _inv_rule(F, g, out):
    other = adjoint(F, out)
    return -F.matmul(F.matmul(other, g), other)


inv.vjp(A=_inv_rule)


def _pinv_samples(make):
    for shape in ((3, 2), (2, 3), (3, 3), (2, 4, 2), (1, 1), (0, 2), (2, 0), (0, 3, 2)):
        wide = max(shape[-2:])
        yield Sample(well(make, *shape[:-2], wide, wide)[..., : shape[-2], : shape[-1]].copy())
    yield Sample(well(make, 4, 4).T[:, :2].copy())


@op(
    function=False,
    method=False,
    accepts="fc",
    halves=False,
    shape=lambda input: (*input[:-2], input[-1], input[-2]),
    samples=_pinv_samples,
    oracle=lambda t, x, **k: t.linalg.pinv(x, **k),
)
def pseudo_inverse(xp, input, /, atol=None, rtol=None, hermitian=False):
    """The Moore–Penrose inverse through the singular values above max(atol, rtol · largest).

    Gradient: G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10 (1973), for constant rank.
    """
    check_matrix("pinv", input)
    m, n = input.shape[-2:]
    if input.size == 0:
        return xp.zeros((*input.shape[:-2], n, m), input.dtype)
    if hermitian:
        check_square("pinv", input)
        values, U = xp.linalg.eigh(input)
        V = U
    else:
        U, values, V = xp.linalg.svd(input, full_matrices=False)
        V = transposed(xp, V)
    size = abs(values)
    kept = size > threshold(xp, size, (m, n), atol, rtol)
    inverse = xp.where(kept, 1 / xp.where(kept, values, 1), 0).astype(values.dtype)
    return (V * inverse[..., None, :]) @ transposed(xp, U)


def threshold(xp, values, sides, atol, rtol):
    """What singular values have to exceed: max(atol, rtol · largest), torch's defaults."""
    if rtol is None:
        given = bool((atol > 0).any()) if hasattr(atol, "ndim") else bool(atol)
        rtol = 0.0 if given else max(sides) * float(np.finfo(values.dtype).eps)
    top = values.max(axis=-1, keepdims=True)
    rtol = rtol[..., None] if getattr(rtol, "ndim", 0) else rtol
    atol = atol[..., None] if getattr(atol, "ndim", 0) else atol
    return xp.maximum(rtol * top, 0.0 if atol is None else atol)


def _pinv_rule(F, g, input, out):
    A, P, gh = input, out, adjoint(F, g)
    Ph = adjoint(F, P)
    mm = F.matmul
    if A.shape[-2] <= A.shape[-1]:
        K = mm(gh, P)
        KPh = mm(K, Ph)
        first = KPh - mm(mm(A, P), KPh) - adjoint(F, mm(P, K))
        return first + mm(mm(Ph, P), gh - mm(K, A))
    K = mm(P, gh)
    PhK = mm(Ph, K)
    first = mm(mm(gh - mm(A, K), P), Ph) - adjoint(F, mm(K, P))
    return first + PhK - mm(mm(PhK, P), A)


pseudo_inverse.vjp(input=_pinv_rule)


# -- determinants ----------------------------------------------------------------------------------


def _det_samples(make):
    yield from square_samples(make)
    yield Sample(np.asarray(make(3, 3)))
    if make.dtype.kind in "fc":
        # singular: torch's gradient is 0 here, where the cofactors are not
        yield Sample(np.array([[1.0, 2.0], [2.0, 4.0]]).astype(make.dtype), grad=False)


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    shape=lambda A: A[:-2],
    samples=_det_samples,
    errors=square_errors,
)
def det(xp, A, /):
    """Determinants of square matrices (*, n, n); 1 for 0 by 0."""
    check_square("det", A)
    return xp.linalg.det(A)


def _others(F, S):
    """For each singular value the product of all others."""
    n = S.shape[-1]
    one = F.narrow(S, -1, 0, 1) * 0 + 1
    left, right = [one], [one]
    for i in range(n - 1):
        left.append(left[-1] * F.narrow(S, -1, i, 1))
        right.append(right[-1] * F.narrow(S, -1, n - 1 - i, 1))
    return F.cat([a * b for a, b in zip(left, reversed(right), strict=True)], -1)


def _det_rule(F, g, A, out):
    raw_out = getattr(out, "array", out)
    eps = float(np.finfo(raw_out.dtype).eps)
    if A.shape[-1] and raw_out.size and float(abs(raw_out).min()) < 100 * eps:
        # the cofactors of a (nearly) singular matrix, by its singular value decomposition
        U, S, Vh = F.svd(A, False)
        scale = g * F.conj(F.det(U) * F.det(Vh))
        return F.matmul(U * columns(F, F.unsqueeze(scale, -1) * _others(F, S)), Vh)
    scale = F.unsqueeze(F.unsqueeze(g * F.conj(out), -1), -1)
    return scale * adjoint(F, F.inv(A))


det.vjp(A=_det_rule)


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    returns=("sign", "logabsdet"),
    differentiable=("sign", "logabsdet"),
    shape=lambda A: (A[:-2], A[:-2]),
    samples=square_samples,
    errors=square_errors,
)
def slogdet(xp, A, /):
    """Sign (of complex matrices: phase) and logarithm of the determinant's absolute value."""
    check_square("slogdet", A)
    sign, logabsdet = xp.linalg.slogdet(A)
    return sign, logabsdet


def _slogdet_rule(F, g, A, sign):
    g_sign, g_log = g
    if is_complex(A):
        g_log = g_log - 1j * imaginary(F, F.conj(g_sign) * sign)
    return F.unsqueeze(F.unsqueeze(g_log, -1), -1) * adjoint(F, F.inv(A))


slogdet.vjp(A=_slogdet_rule)
