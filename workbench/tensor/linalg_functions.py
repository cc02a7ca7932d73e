"""torch.linalg's compositions of ops, and linear algebra's names at the top level."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.arrays import namespace, to_numpy
from workbench.ops.matrices import LinAlgError, check_square

from .functions import function, raw
from .results import result_type
from .tensor import Tensor, beside, wrap
from .transfer import cast_to

_matmul, _transpose, _unsqueeze = raw("matmul"), raw("transpose"), raw("unsqueeze")
_solve, _inv, _triangular = raw("solve"), raw("inv"), raw("solve_triangular")
_narrow, _cat, _mul, _conj = raw("narrow"), raw("cat"), raw("mul"), raw("conj")


def adjoint(x: Tensor) -> Tensor:
    """The conjugate transpose of the last two dimensions."""
    return _conj(_transpose(x, -2, -1))


def named(name: str, **values: Tensor) -> Any:
    """The results of a function with several, by name."""
    return result_type(name, tuple(values))(*values.values())


def _info(like: Tensor, values: Any = 0) -> Tensor:
    info = np.zeros(like.array.shape[:-2], np.int32)
    info[...] = values
    return beside(like, info)


def eye_like(n: int, like: Tensor) -> Tensor:
    """The n by n identity in the dtype of `like`."""
    return wrap(namespace(like.array).eye(n, dtype=like.array.dtype))


def _linalg(*names: str) -> Any:
    return function("linalg", *names, method=False)


# -- results with an info instead of an error ------------------------------------------------------


@_linalg()
def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """(inverse, info): info is the first zero pivot of a singular matrix (its inverse is nan)."""
    try:
        return named("linalg_inv_ex", inverse=_inv(A), info=_info(A))
    except LinAlgError:
        if check_errors:
            raise
        _, _, info = raw("lu_factor_ex")(A.detach())
        xp = namespace(A.array)
        inverse = xp.full(A.array.shape, np.nan, A.array.dtype)
        for i in np.ndindex(*A.array.shape[:-2]):
            if not info.array[i]:
                inverse[i] = xp.linalg.inv(A.array[i])
        return named("linalg_inv_ex", inverse=wrap(inverse), info=info)


@_linalg()
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """(result, info): info is the first zero pivot where A is singular (the result is nan)."""
    try:
        return named("linalg_solve_ex", result=_solve(A, B, left), info=_info(A))
    except LinAlgError:
        if check_errors:
            raise
        _, _, info = raw("lu_factor_ex")(A.detach())
        lead = np.broadcast_shapes(A.array.shape[:-2], B.array.shape[:-2])
        shape = (*lead, *B.array.shape[-2:]) if B.array.ndim > 1 else B.array.shape
        nothing = beside(A, np.full(shape, np.nan, A.array.dtype))
        return named("linalg_solve_ex", result=nothing, info=info)


@_linalg()
def cholesky_ex(input: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """(L, info): info is the order of the first minor that is not positive; L stops there."""
    from workbench.ops.decompose import partial_cholesky

    try:
        return named("linalg_cholesky_ex", L=raw("cholesky")(input, upper), info=_info(input))
    except LinAlgError:
        if check_errors:
            raise
        made, info = np.zeros_like(input.array), _info(input)
        for i in np.ndindex(*input.array.shape[:-2]):
            a = input.array[i]
            L, info.array[i] = partial_cholesky(np, a.T.conj() if upper else a)
            made[i] = L.T.conj() if upper else L
        return named("linalg_cholesky_ex", L=wrap(made), info=info)


# -- inverses of other kinds -----------------------------------------------------------------------


def _number(value: Any) -> Any:
    return value.array if isinstance(value, Tensor) else value


@_linalg()
def pinv(
    A: Tensor, rcond: Any = None, *, atol: Any = None, rtol: Any = None, hermitian: bool = False
) -> Tensor:
    """The Moore–Penrose inverse of (*, m, n).

    Singular values up to max(atol, rtol · largest) count as 0.
    """
    cut = rcond if rtol is None else rtol
    return raw("pseudo_inverse")(A, _number(atol), _number(cut), hermitian)


@function()
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """`linalg.pinv` under its older name."""
    return pinv(input, rcond)


def _rank(size: np.ndarray, sides: Sequence[int], atol: Any, rtol: Any) -> np.ndarray:
    from workbench.ops.solve import threshold

    if size.shape[-1] == 0:
        return namespace(size).zeros(size.shape[:-1], np.int64)
    count = (size > threshold(namespace(size), size, sides, atol, rtol)).sum(axis=-1)
    return np.asarray(count) if isinstance(count, np.generic) else count


@_linalg()
def matrix_rank(
    A: Tensor, tol: Any = None, *, atol: Any = None, rtol: Any = None, hermitian: bool = False
) -> Tensor:
    """How many singular values exceed max(atol, rtol · largest), int64."""
    held = A.detach()
    size = raw("eigvalsh" if hermitian else "svdvals")(held).array
    if tol is not None:
        atol, rtol = tol, 0.0
    return wrap(_rank(abs(size), A.array.shape[-2:], _number(atol), _number(rtol)))


@_linalg()
def lstsq(
    input: Tensor, b: Tensor, rcond: float | None = None, *, driver: str | None = None
) -> Any:
    """(solution, residuals, rank, singular_values) of min ‖A X - B‖, with the smallest X.

    `input` is (*, m, n), `b` (*, m, k) or (*, m). `driver`: "gelsy" (default), "gels" (full rank
    assumed), "gelsd" or "gelss" (singular values too); all go through the singular values.
    Residuals are given where m > n and every matrix has full rank, except for "gelsy".
    """
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(
            "linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    driver = driver or "gelsy"
    if input.array.ndim < 2 or b.array.ndim < 1:
        raise RuntimeError("linalg.lstsq: input must have at least 2 dimensions, other at least 1")
    if input.array.dtype != b.array.dtype:
        raise RuntimeError(
            f"linalg.lstsq: Expected input and other to have the same dtype, but got input's dtype "
            f"{input.dtype.name} and other's dtype {b.dtype.name}"
        )
    m, n = input.array.shape[-2:]
    vector = b.array.ndim == 1 or (
        input.array.ndim - 1 == b.array.ndim and b.array.shape == input.array.shape[:-1]
    )
    right = _unsqueeze(b, -1) if vector else b
    if right.array.shape[-2] != m:
        raise RuntimeError(
            f"linalg.lstsq: input.size(-2) should match other.size(-{1 if vector else 2})"
        )
    eps = float(np.finfo(input.array.real.dtype).eps)
    cut = eps * max(m, n) if rcond is None else rcond
    X = _matmul(raw("pseudo_inverse")(input, None, 0.0 if driver == "gels" else cut), right)
    values = raw("svdvals")(input.detach()).array
    rank = _rank(values, (m, n), None, cut)
    real = input.array.real.dtype
    residuals = beside(input, np.zeros(0, real))
    if m > n and driver != "gelsy" and (driver == "gels" or (rank == n).all()):
        off = _matmul(input, X) - right
        residuals = raw("sum")(raw("square")(raw("abs")(off)), (-2,), False)
    nothing = beside(input, np.zeros(0, real))
    return named(
        "linalg_lstsq",
        solution=raw("select")(X, -1, 0) if vector else X,
        residuals=residuals,
        rank=beside(input, np.zeros(0, np.int64)) if driver == "gels" else wrap(rank),
        singular_values=wrap(values) if driver in ("gelsd", "gelss") else nothing,
    )


# -- powers and products ---------------------------------------------------------------------------


@_linalg()
def matrix_power(input: Tensor, n: int) -> Tensor:
    """The n-th power of square matrices; of their inverses for negative n."""
    if not isinstance(n, int):
        raise TypeError(
            f"linalg_matrix_power(): argument 'n' (position 2) must be int, not {type(n).__name__}"
        )
    check_square("matrix_power", input.array)
    if n < 0:
        return matrix_power(_inv(input), -n)
    if n == 0:
        # zeros that depend on the input, as in torch
        return raw("index_zero")(input, (...,)) + eye_like(input.array.shape[-1], input)
    square, made = input, None
    while n:
        if n & 1:
            made = square if made is None else _matmul(made, square)
        n >>= 1
        square = _matmul(square, square) if n else square
    return raw("clone")(input) if made is input else made  # type: ignore[return-value]


function("", "matrix_power")(matrix_power)
function("linalg", "matmul", method=False)(_matmul)


def _cheapest(sides: Sequence[int]) -> Any:
    """The order with the fewest scalar products (dynamic programming), as nested pairs."""
    n = len(sides) - 1
    best: dict[tuple[int, int], tuple[int, Any]] = {(i, i): (0, i) for i in range(n)}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            best[i, j] = min(
                (
                    (
                        best[i, k][0] + best[k + 1, j][0] + sides[i] * sides[k + 1] * sides[j + 1],
                        (best[i, k][1], best[k + 1, j][1]),
                    )
                    for k in range(i, j)
                ),
                key=lambda found: found[0],
            )
    return best[0, n - 1][1]


@_linalg()
def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of two or more matrices in the cheapest order; the ends may be vectors.

    Raises RuntimeError for fewer than two tensors and for shapes that do not fit.
    """
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    row, column = tensors[0].array.ndim == 1, tensors[-1].array.ndim == 1
    if row:
        tensors[0] = _unsqueeze(tensors[0], 0)
    if column:
        tensors[-1] = _unsqueeze(tensors[-1], 1)
    for i, t in enumerate(tensors):
        if t.array.ndim != 2:
            raise RuntimeError(
                f"multi_dot(): tensor {i} must be 2D but got {t.array.ndim}D (the first and the "
                "last may be 1D)"
            )
    for a, b in itertools.pairwise(tensors):
        if a.array.shape[1] != b.array.shape[0]:
            raise RuntimeError(
                f"multi_dot(): shapes {list(a.array.shape)} and {list(b.array.shape)} cannot be "
                "multiplied"
            )

    def product(order: Any) -> Tensor:
        if isinstance(order, int):
            return tensors[order]
        return _matmul(product(order[0]), product(order[1]))

    out = product(_cheapest([t.array.shape[0] for t in tensors] + [tensors[-1].array.shape[1]]))
    if row:
        out = raw("select")(out, 0, 0)
    return raw("select")(out, -1, 0) if column else out


@function(method=False)
def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of matrices in the cheapest order (`linalg.multi_dot`)."""
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


@function("", "cross")
def top_cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """`linalg.cross`; without `dim`, along the first dimension of size 3."""
    if dim is None:
        shape = np.broadcast_shapes(input.array.shape, other.array.shape)
        dim = next((i for i, n in enumerate(shape) if n == 3), None)
        if dim is None:
            raise RuntimeError("no dimension of size 3 in input")
        dim -= len(shape)
    return raw("cross")(input, other, dim)


@_linalg()
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Σ conj(x) · y along `dim`; shapes broadcast."""
    return raw("sum")(_mul(_conj(x), y), (dim,), False)


@_linalg()
def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """(*, n, N): the powers 0 … N-1 (N = n by default) of each entry of (*, n)."""
    count = (x.array.shape[-1] if x.array.ndim else 1) if N is None else N
    if count <= 1:
        raise RuntimeError(f"N must be greater than 1. Got {count}")
    if x.array.dtype == np.bool_:
        x = cast_to(x, np.dtype(np.int64))
    powers = [wrap(np.ones_like(x.array))]
    for _ in range(count - 1):
        powers.append(_mul(powers[-1], x))
    return raw("stack")(powers[:count], -1)


@function("", "vander", method=False)
def top_vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Powers of the entries of a vector, falling by default."""
    count = x.array.shape[-1] if N is None else N
    x = cast_to(x, np.dtype(np.int64)) if x.array.dtype.kind in "bui" else x
    one = wrap(np.ones_like(x.array))
    powers = [one]
    for _ in range(count - 1):
        powers.append(_mul(powers[-1], x))
    return raw("stack")(powers[:count] if increasing else powers[:count][::-1], -1)


@_linalg()
def householder_product(input: Tensor, tau: Tensor) -> Tensor:
    """The first n columns of H₁ … H_k, Hᵢ = 1 - τᵢ vᵢ vᵢᴴ, the vᵢ below the diagonal of (*, m, n).

    Raises RuntimeError where n > m or tau is longer than n.
    """
    m, n = input.array.shape[-2:]
    if m < n:
        raise RuntimeError(
            "linalg.householder_product: input.shape[-2] must be greater than or equal to "
            "input.shape[-1]"
        )
    k = tau.array.shape[-1]
    if k > n:
        raise RuntimeError(
            "linalg.householder_product: input.shape[-1] must be greater than or equal to "
            "tau.shape[-1]"
        )
    start = np.zeros(input.array.shape, input.array.dtype)
    start[...] = np.eye(m, n, dtype=input.array.dtype)
    out = beside(input, start)
    lower = raw("tril")(input, -1)
    for i in range(k - 1, -1, -1):
        unit = np.zeros((m, 1), input.array.dtype)
        unit[i] = 1
        v = _narrow(lower, -1, i, 1) + beside(input, unit)
        t = _unsqueeze(_narrow(tau, -1, i, 1), -1)
        out = out - t * _matmul(v, _matmul(adjoint(v), out))
    return out


function("", "orgqr")(householder_product)


@function()
def geqrf(input: Tensor) -> Any:
    """(a, tau): R and the Householder vectors of a QR factorisation, as LAPACK packs them."""
    array = to_numpy(input.array)  # LAPACK's packing is found on the host only
    lead = array.shape[:-2]
    k = min(array.shape[-2:])
    a, tau = np.empty_like(array), np.empty((*lead, k), array.dtype)
    for i in np.ndindex(*lead):
        packed, tau[i] = np.linalg.qr(array[i], "raw")
        a[i] = packed.T
    return named("geqrf", a=beside(input, a), tau=beside(input, tau))


# -- tensors as matrices ---------------------------------------------------------------------------


@_linalg()
def tensorinv(input: Tensor, ind: int = 2) -> Tensor:
    """The inverse of `input` as a matrix of its first `ind` dimensions by the others.

    Raises RuntimeError unless both have as many elements.
    """
    shape = input.array.shape
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    rows, columns = math.prod(shape[ind:]), math.prod(shape[:ind])
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {rows} != {columns}"
        )
    made = _inv(raw("reshape")(input, (columns, rows)))
    return raw("reshape")(made, (*shape[ind:], *shape[:ind]))


@_linalg()
def tensorsolve(input: Tensor, other: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """X with tensordot(input, X, X.ndim) = other; `dims` are moved to the end of `input` first.

    Raises RuntimeError where the sizes do not fit.
    """
    if dims is not None:
        ndim = input.array.ndim
        moved = [d % ndim for d in dims]
        order = [d for d in range(ndim) if d not in moved] + moved
        input = raw("permute")(input, tuple(order))  # noqa: A001
    shape = input.array.shape[other.array.ndim :]
    n = math.prod(shape)
    if n != other.array.size or n * n != input.array.size:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {n} != {other.array.size}"
        )
    made = _solve(raw("reshape")(input, (n, n)), raw("reshape")(other, (n,)))
    return raw("reshape")(made, shape)


@_linalg("diagonal")
def linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, a view (`diagonal` with the last two dimensions by default)."""
    from .functions import FUNCTIONS

    return FUNCTIONS[""]["diagonal"](A, offset, dim1, dim2)
