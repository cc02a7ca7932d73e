"""A few singular values or eigenvalues of large matrices.

Randomised range finding as in N. Halko, P. G. Martinsson and J. A. Tropp, "Finding structure with
randomness" (2009), algorithms 4.4 and 5.1; LOBPCG as in A. V. Knyazev, "Toward the optimal
preconditioned eigensolver" (2001), with a Rayleigh–Ritz step over an orthonormal basis.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import random, to_numpy

from .functions import function, raw
from .linalg_functions import adjoint
from .mode import mode, no_grad
from .tensor import Tensor, beside

_matmul, _cat = raw("matmul"), raw("cat")


def _drawn(rows: int, columns: int, like: Tensor) -> Tensor:
    source = random.default_generator()
    dtype = like.array.dtype
    real = np.dtype(dtype.char.lower()) if dtype.kind == "c" else dtype
    values = source.normal((rows, columns), real)
    if dtype.kind == "c":
        values = (values + 1j * source.normal((rows, columns), real)).astype(dtype)
    return beside(like, values)


def _times(A: Tensor, M: Tensor | None, X: Tensor) -> Tensor:
    """(A - M) X."""
    made = _matmul(A, X)
    return made if M is None else made - _matmul(M, X)


@function(method=False)
def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """(U, S, V) with U diag(S) Vᴴ near A - M, of rank `q`, for (*, m, n) of about that rank.

    `niter` subspace iterations sharpen it. Draws random numbers. Raises ValueError for a `q`
    larger than the sides.
    """
    m, n = A.array.shape[-2:]
    q = 6 if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(
            f"svd_lowrank: q(={q}) must be a non-negative integer and not greater than min(m, "
            f"n)={min(m, n)}"
        )
    if M is not None:
        M = raw("expand")(M, tuple(A.array.shape))
    turned = m < n
    if turned:  # the taller the better
        A, M = adjoint(A), None if M is None else adjoint(M)
    Ah, Mh = adjoint(A), None if M is None else adjoint(M)
    qr = raw("qr")
    Q = qr(_times(A, M, _drawn(A.array.shape[-1], q, A)), "reduced")[0]
    for _ in range(niter or 0):
        Q = qr(_times(Ah, Mh, Q), "reduced")[0]
        Q = qr(_times(A, M, Q), "reduced")[0]
    small = adjoint(_times(Ah, Mh, Q))
    U, S, Vh = raw("svd")(small, False)
    U, V = _matmul(Q, U), adjoint(Vh)
    return (V, S, U) if turned else (U, S, V)


@function(method=False)
def pca_lowrank(
    A: Tensor, q: int | None = None, center: bool = True, niter: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """(U, S, V): the `q` (6 at most by default) principal components of the rows of (*, m, n).

    The columns of V are the directions; rows are centred first where `center`. Draws random
    numbers. Raises ValueError for a `q` larger than the sides and a negative `niter`.
    """
    m, n = A.array.shape[-2:]
    q = min(6, m, n) if q is None else q
    if not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if center:
        A = A - raw("mean")(A, (-2,), True)
    return svd_lowrank(A, q, niter)


# -- eigenvalues -----------------------------------------------------------------------------------


@function(method=False)
def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: dict | None = None,
    ortho_fparams: dict | None = None,
    ortho_bparams: dict | None = None,
) -> tuple[Tensor, Tensor]:
    """(eigenvalues, eigenvectors): the `k` largest (or smallest) of A x = λ B x.

    `A` is symmetric, (*, m, m) with m ≥ 3k; `B` is positive definite. `X` (*, m, n) are first
    guesses, `iK` a preconditioner, `niter` the most iterations (1000; -1 without end), `tol` the
    relative residual at which it stops (√eps). Both methods of torch's, "basic" and "ortho",
    take the same path here, and `tracker` is not called.

    Raises ValueError where m < 3k, NotImplementedError where a gradient is wanted.
    """
    if method not in (None, "basic", "ortho"):
        raise ValueError(f"lobpcg: method must be 'basic' or 'ortho', got {method!r}")
    if mode.grad and any(t is not None and t.edge is not None for t in (A, B)):
        raise NotImplementedError(
            "lobpcg: gradients are not implemented; use linalg.eigh, or pass A.detach()"
        )
    m = A.array.shape[-1]
    k = (1 if X is None else X.array.shape[-1]) if k is None else k
    n = (k if X is None else X.array.shape[-1]) if n is None else n
    if m < 3 * n:
        raise ValueError(
            f"LPBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than "
            f"3 x the number of requested eigenpairs (={n})"
        )
    end = tol if tol is not None else float(np.finfo(A.array.dtype).eps) ** 0.5
    most = 1000 if niter is None else niter
    sign = 1.0 if largest is None or largest else -1.0
    with no_grad():
        lead = A.array.shape[:-2]
        if not lead:
            return _lobpcg(A, B, X, iK, n, k, most, end, sign)
        found = []
        for i in np.ndindex(*lead):
            one, two, guess, K = (
                None if t is None else raw("getitem")(t, i) for t in (A, B, X, iK)
            )
            found.append(_lobpcg(one, two, guess, K, n, k, most, end, sign))
        values, vectors = (raw("stack")(list(side)) for side in zip(*found, strict=True))
        shape = raw("reshape")
        return shape(values, (*lead, k)), shape(vectors, (*lead, m, k))


def _lobpcg(
    A: Any, B: Any, X: Any, iK: Any, n: int, k: int, most: int, end: float, sign: float
) -> Any:
    m = A.array.shape[-1]
    with_B = (lambda x: x) if B is None else (lambda x: _matmul(B, x))
    norm = _norm(A) or 1.0
    norm_B = 1.0 if B is None else _norm(B)
    basis = _drawn(m, n, A) if X is None else X
    count, step = 0, None
    while True:
        # Rayleigh–Ritz over an orthonormal basis of the guesses, residuals and last steps
        Q = _orthonormal(basis, with_B)
        held, turn = raw("eigh")(_symmetric(_matmul(adjoint(Q), _matmul(A, Q))), "L")
        order = slice(None, None, -1) if sign > 0 else slice(None)
        chosen = np.arange(held.array.shape[-1])[order][:n]
        pick = beside(A, np.ascontiguousarray(chosen))
        values = raw("getitem")(held, (pick.array,))
        X_new = _matmul(Q, raw("getitem")(turn, (slice(None), pick.array)))
        residual = _matmul(A, X_new) - with_B(X_new) * values
        off = _norm(residual) / (_norm(X_new) * (norm + float(abs(values.array).max()) * norm_B))
        if off < end or count == most:
            keep = slice(0, k)
            return raw("getitem")(values, (keep,)), raw("getitem")(X_new, (slice(None), keep))
        if count:
            # the part of the step that the last guesses do not hold
            step = X_new - _matmul(X, _matmul(adjoint(X), with_B(X_new)))
        X = X_new
        W = residual if iK is None else _matmul(iK, residual)
        basis = _cat([X, W] if step is None else [X, W, step], -1)
        count += 1


def _norm(x: Tensor) -> float:
    return float(abs(x.array * x.array.conj()).sum()) ** 0.5


def _symmetric(x: Any) -> Any:
    return (x + adjoint(x)) * 0.5


def _orthonormal(S: Tensor, with_B: Any) -> Tensor:
    """A basis of the columns of S, orthonormal under B, without those that add nothing."""
    for _ in range(2):  # once more for what rounding left
        scale = raw("sum")(raw("real")(raw("conj")(S) * with_B(S)), (-2,), True)
        S = S * raw("rsqrt")(raw("clamp")(scale, float(np.finfo(S.array.real.dtype).tiny), None))
        values, vectors = raw("eigh")(_symmetric(_matmul(adjoint(S), with_B(S))), "L")
        size = to_numpy(values.array)
        kept = np.flatnonzero(size > size.max() * np.finfo(size.dtype).eps * len(size))
        inverse, place = beside(S, 1 / size[kept] ** 0.5), beside(S, kept).array
        S = _matmul(S, raw("getitem")(vectors, (slice(None), place)) * inverse)
    return S
