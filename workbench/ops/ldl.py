"""LDL factors of symmetric and Hermitian matrices, by Bunch and Kaufman's diagonal pivoting.

P L D Lᵀ Pᵀ with 1 by 1 and 2 by 2 blocks in D: J. R. Bunch and L. Kaufman, "Some stable methods for
calculating inertia and solving symmetric linear systems" (1977); pivots and layout are LAPACK's
(sytrf and hetrf, lower). Matrices of a batch choose their own pivots, so they go one by one; each
step is a product of vectors. On a GPU the work is done on the host.
"""

from __future__ import annotations

import math

import numpy as np

from workbench.arrays import to_numpy

from .declare import op
from .matrices import check_square, taken, well
from .samples import Sample

_ALPHA = (1 + math.sqrt(17)) / 8  # bounds the growth of elements


def _size(x):
    """What pivots are compared by: |re| + |im|."""
    return abs(x.real) + abs(x.imag) if x.dtype.kind == "c" else abs(x)


def _swap(a, k, kk, kp, hermitian):
    """Exchange rows and columns kk < kp of the trailing block, of which the lower half is held."""
    a[kp + 1 :, [kk, kp]] = a[kp + 1 :, [kp, kk]]
    column, row = a[kk + 1 : kp, kk].copy(), a[kp, kk + 1 : kp].copy()
    a[kk + 1 : kp, kk] = row.conj() if hermitian else row
    a[kp, kk + 1 : kp] = column.conj() if hermitian else column
    if hermitian:
        a[kp, kk] = a[kp, kk].conj()
    a[kk, kk], a[kp, kp] = a[kp, kp], a[kk, kk]
    if kk > k:  # a block of two: the row above goes along
        a[kk, k], a[kp, k] = a[kp, k], a[kk, k]


def _pivot(a, k, hermitian):
    """(the row to exchange with, the size of the block), or None where the column is zero."""
    corner = a[k, k].real if hermitian else a[k, k]
    here = float(_size(np.asarray(corner)))
    below = _size(a[k + 1 :, k])
    far = k + 1 + int(below.argmax()) if below.size else k
    most = float(below.max()) if below.size else 0.0
    if max(here, most) == 0 or math.isnan(here) or math.isnan(most):
        return None
    if here >= _ALPHA * most:
        return k, 1
    row = np.concatenate([_size(a[far, k:far]), _size(a[far + 1 :, far])])
    reach = float(row.max())
    if here * reach >= _ALPHA * most * most:
        return k, 1
    corner = a[far, far].real if hermitian else a[far, far]
    return (far, 1) if float(_size(np.asarray(corner))) >= _ALPHA * reach else (far, 2)


def _eliminate_one(a, k, hermitian):
    column = a[k + 1 :, k]
    if hermitian:
        a[k, k] = a[k, k].real
        other = column.conj()
    else:
        other = column
    inverse = 1 / (a[k, k].real if hermitian else a[k, k])
    a[k + 1 :, k + 1 :] -= np.multiply.outer(column, other * inverse)
    column *= inverse


def _eliminate_two(a, k, hermitian):
    """Solve the rows below for the 2 by 2 block, and take its product off the rest."""
    x, y = a[k + 2 :, k].copy(), a[k + 2 :, k + 1].copy()
    d21 = a[k + 1, k]
    if hermitian:
        size = abs(d21)
        d11, d22, turn = a[k + 1, k + 1].real / size, a[k, k].real / size, d21 / size
        scale = 1 / (d11 * d22 - 1) / size
        u = scale * (d11 * x - turn * y)
        v = scale * (d22 * y - turn.conj() * x)
    else:
        d11, d22 = a[k + 1, k + 1] / d21, a[k, k] / d21
        scale = 1 / (d11 * d22 - 1) / d21
        u, v = scale * (d11 * x - y), scale * (d22 * y - x)
    left, right = (u.conj(), v.conj()) if hermitian else (u, v)
    a[k + 2 :, k + 2 :] -= np.multiply.outer(x, left) + np.multiply.outer(y, right)
    a[k + 2 :, k], a[k + 2 :, k + 1] = u, v


def _factor(a, hermitian):
    """LD in place of the lower half of `a`; the pivots (LAPACK's, from 1) and the first zero."""
    n = len(a)
    pivots, info, k = np.zeros(n, np.int32), 0, 0
    while k < n:
        found = _pivot(a, k, hermitian)
        if found is None:
            info = info or k + 1
            pivots[k] = k + 1
            k += 1
            continue
        kp, step = found
        kk = k + step - 1
        if kp != kk:
            _swap(a, k, kk, kp, hermitian)
        if step == 1:
            _eliminate_one(a, k, hermitian)
            pivots[k] = kp + 1
        else:
            if hermitian:
                a[k, k], a[k + 1, k + 1] = a[k, k].real, a[k + 1, k + 1].real
            _eliminate_two(a, k, hermitian)
            pivots[k : k + 2] = -(kp + 1)
        k += step
    return pivots, info


def _factor_samples(make):
    for shape in ((3, 3), (2, 4, 4), (1, 1), *taken(make, (0, 0), (2, 0, 0))):
        a = well(make, *shape)
        yield Sample((a + np.swapaxes(a, -1, -2)).astype(make.dtype))
    a = np.asarray(make(5, 5))
    np.fill_diagonal(a, 0)  # only blocks of two can begin
    yield Sample(a)


def _factor_errors(make):
    yield Sample(make(3))
    yield Sample(make(2, 3))
    yield Sample(make.ints(2, 2))


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    returns=("LD", "pivots", "info"),
    shape=lambda A: (A, A[:-1], A[:-2]),
    samples=_factor_samples,
    errors=_factor_errors,
)
def ldl_factor_ex(xp, A, /, hermitian=False, check_errors=False):
    """(LD, pivots, info) of symmetric (or `hermitian`) matrices (*, n, n); reads the lower half.

    `LD` holds L below the diagonal (its own is 1) and D in its blocks; `pivots` are int32 from 1,
    negative for blocks of two; `info` is the first column that is zero, or 0. Raises RuntimeError
    for that where `check_errors`.
    """
    check_square("ldl_factor_ex", A)
    held = np.array(np.tril(to_numpy(A)), order="C")
    n = held.shape[-1]
    pivots = np.zeros(held.shape[:-1], np.int32)
    info = np.zeros(held.shape[:-2], np.int32)
    with np.errstate(all="ignore"):
        for i in np.ndindex(*held.shape[:-2]) if n else ():
            pivots[i], info[i] = _factor(held[i], hermitian and held.dtype.kind == "c")
    if check_errors and info.any():
        first = int(info[info != 0].reshape(-1)[0])
        raise RuntimeError(zero_block("ldl_factor_ex", first))
    return xp.asarray(np.tril(held)), xp.asarray(pivots), xp.asarray(info)


def zero_block(name, k):
    """The message for a zero column `k`."""
    return (
        f"linalg.{name}: D[{k},{k}] is zero: the factorization was completed, but D is singular "
        "and solving with it would divide by zero"
    )


# -- solving ---------------------------------------------------------------------------------------


def _blocks(pivots):
    """The (first column, size, row exchanged with the block's last) of each block."""
    k, found = 0, []
    while k < len(pivots):
        step = 1 if pivots[k] > 0 else 2
        found.append((k, step, abs(int(pivots[k])) - 1))
        k += step
    return found


def _exchange(b, i, j):
    if i != j:
        b[[i, j]] = b[[j, i]]


def _solved(a, pivots, b, hermitian):
    """A⁻¹ b in place of `b`, from the factors of one matrix."""
    blocks = _blocks(pivots)
    for k, step, other in blocks:
        last = k + step
        _exchange(b, last - 1, other)
        b[last:] -= a[last:, k:last] @ b[k:last]
        if step == 1:
            b[k] /= a[k, k].real if hermitian else a[k, k]
        else:
            d = a[k + 1, k]
            turned = d.conj() if hermitian else d
            top, low = a[k, k] / turned, a[k + 1, k + 1] / d
            first, second = b[k] / turned, b[k + 1] / d
            scale = top * low - 1
            b[k], b[k + 1] = (low * first - second) / scale, (top * second - first) / scale
    for k, step, other in reversed(blocks):
        last = k + step
        factor = a[last:, k:last]
        b[k:last] -= (factor.conj() if hermitian else factor).T @ b[last:]
        _exchange(b, last - 1, other)


def _solve_shape(LD, pivots, B):
    return (*np.broadcast_shapes(LD[:-2], B[:-2]), *B[-2:])


def _solve_samples(make):
    for shape in ((3, 3), (2, 4, 4)):
        a = well(make, *shape)
        a = (a + np.swapaxes(a, -1, -2)).astype(make.dtype)
        if a.dtype.kind not in "fc" or a.dtype.itemsize < 4:
            yield Sample(a, np.tile(np.arange(1, 4, dtype=np.int32), 1), np.asarray(make(3, 2)))
            return
        pivots = np.zeros(shape[:-1], np.int32)
        held = np.tril(a)
        for i in np.ndindex(*shape[:-2]):
            pivots[i], _ = _factor(held[i], False)
        yield Sample(held, pivots, np.asarray(make(*shape[:-1], 2)))
    yield Sample(held, pivots, np.asarray(make(4, 1)))


def _solve_errors(make):
    a, pivots = np.eye(2), np.array([1, 2], np.int32)
    yield Sample(a, np.ones(2), make(2, 2))
    yield Sample(a, pivots, make(3, 2))
    yield Sample(np.ones((2, 3)), pivots, make(2, 2))
    yield Sample(a, pivots, np.asarray(make(2, 2)).astype(np.float32))


@op(
    namespace="linalg",
    method=False,
    accepts="fc",
    halves=False,
    shape=_solve_shape,
    samples=_solve_samples,
    errors=_solve_errors,
)
def ldl_solve(xp, LD, pivots, B, /, hermitian=False):
    """X with A X = B, (*, n, k), from what `ldl_factor` says of A; batches broadcast.

    Raises RuntimeError for shapes, dtypes and pivots that do not fit.
    """
    check_square("ldl_solve", LD)
    if B.ndim < 2:
        raise IndexError(
            f"linalg.ldl_solve: B must have at least 2 dimensions, got shape {tuple(B.shape)}"
        )
    n = LD.shape[-1]
    if B.shape[-2] != n:
        raise RuntimeError(
            f"Incompatible matrix sizes for linalg.ldl_solve: each A matrix is {n} by {n} but each "
            f"b matrix is {B.shape[-2]} by {B.shape[-1]}"
        )
    if pivots.dtype.kind not in "iu":
        raise RuntimeError(
            f"linalg.ldl_solve: Expected pivots to be integers. Got {pivots.dtype.name}"
        )
    if LD.shape[:-1] != pivots.shape:
        raise RuntimeError(
            f"linalg.ldl_solve: Expected LD.shape[:-1] and pivots.shape to be the same, but got "
            f"pivots with shape {list(pivots.shape)} and LD with shape {list(LD.shape)}"
        )
    if LD.dtype != B.dtype:
        raise RuntimeError(
            f"linalg.ldl_solve: Expected LD and B to have the same dtype, but found B of type "
            f"{B.dtype.name} and LD of type {LD.dtype.name}"
        )
    lead = np.broadcast_shapes(LD.shape[:-2], B.shape[:-2])
    factors = np.broadcast_to(to_numpy(LD), (*lead, n, n))
    rows = np.broadcast_to(to_numpy(pivots), (*lead, n))
    made = np.array(np.broadcast_to(to_numpy(B), (*lead, *B.shape[-2:])), order="C")
    with np.errstate(all="ignore"):
        for i in np.ndindex(*lead):
            _solved(factors[i], rows[i], made[i], hermitian and made.dtype.kind == "c")
    return xp.asarray(made)


def _solve_rule(F, g, LD, pivots, B_shape, hermitian):
    # A⁻ᴴ g: A is its own adjoint, or its own transpose
    if hermitian:
        made = F.ldl_solve(LD, pivots, g, True)
    else:
        made = F.conj(F.ldl_solve(LD, pivots, F.conj(g), False))
    return F.sum_to(made, B_shape)


ldl_solve.vjp(B=_solve_rule)
