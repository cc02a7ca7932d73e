"""Factors that stay packed: LDL of symmetric matrices, Householder's vectors of a QR."""

from __future__ import annotations

from typing import Any

from workbench.arrays import namespace
from workbench.ops.ldl import zero_block

from .functions import function, raw
from .linalg_functions import adjoint, named
from .mode import mode
from .tensor import Tensor, wrap


def _no_derivative(name: str, argument: str, value: Tensor) -> None:
    if mode.grad and value.edge is not None:
        raise NotImplementedError(
            f"the derivative for 'linalg.{name}: {argument}' is not implemented; pass "
            f"{argument}.detach()"
        )


@function("linalg", method=False)
def ldl_factor_ex(A: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """(LD, pivots, info) of symmetric (or `hermitian`) matrices (*, n, n); reads the lower half.

    `info` is the first column (from 1) that is zero, or 0. Raises RuntimeError for it where
    `check_errors`, and NotImplementedError where a gradient is wanted.
    """
    _no_derivative("ldl_factor_ex", "A", A)
    return raw("ldl_factor_ex")(A, hermitian, check_errors)


@function("linalg", method=False)
def ldl_factor(A: Tensor, *, hermitian: bool = False) -> Any:
    """(LD, pivots) for `ldl_solve`, of symmetric (or `hermitian`) matrices (*, n, n).

    Raises RuntimeError where D is singular.
    """
    _no_derivative("ldl_factor", "A", A)
    LD, pivots, info = raw("ldl_factor_ex")(A, hermitian)
    if info.array.any():
        raise RuntimeError(zero_block("ldl_factor", int(info.array[info.array != 0].flat[0])))
    return named("linalg_ldl_factor", LD=LD, pivots=pivots)


@function("linalg", method=False)
def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False) -> Tensor:
    """X with A X = B, from what `ldl_factor` says of A; batches broadcast.

    Raises RuntimeError for shapes and dtypes that do not fit, NotImplementedError where a
    gradient of LD is wanted.
    """
    _no_derivative("ldl_solve", "LD", LD)
    return raw("ldl_solve")(LD, pivots, B, hermitian)


@function()
def ormqr(
    input: Tensor, tau: Tensor, other: Tensor, left: bool = True, transpose: bool = False
) -> Tensor:
    """Q times `other` (times Q where not `left`; Qᴴ where `transpose`), Q as `geqrf` packs it.

    `input` is (*, m, k) with a vector of Householder's in each column, `tau` (*, k). Q is never
    formed. Raises RuntimeError for shapes and dtypes that do not fit.
    """
    if input.array.ndim < 2 or other.array.ndim < 2:
        raise RuntimeError("ormqr: input and other must have at least 2 dimensions")
    m, k = input.array.shape[-2:]
    side = -2 if left else -1
    if other.array.shape[side] != m:
        raise RuntimeError(
            f"ormqr: other.shape[{side}] must be equal to input.shape[-2], got "
            f"{other.array.shape[side]} and {m}"
        )
    if tau.array.shape[-1] != min(m, k) or k > m:
        raise RuntimeError(
            f"ormqr: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1]), got "
            f"{tau.array.shape[-1]} and {min(m, k)}"
        )
    lead = input.array.shape[:-2]
    if tau.array.shape[:-1] != lead or other.array.shape[:-2] != lead:
        raise RuntimeError(
            f"ormqr: input, tau and other must have the same batch dimensions, got shapes "
            f"{list(input.array.shape)}, {list(tau.array.shape)} and {list(other.array.shape)}"
        )
    if not input.array.dtype == tau.array.dtype == other.array.dtype:
        raise RuntimeError(
            f"ormqr: Expected input, tau and other to have the same dtype, but they have "
            f"{input.dtype.name}, {tau.dtype.name} and {other.dtype.name}"
        )
    matmul, xp = raw("matmul"), namespace(input.array)
    lower, out = raw("tril")(input, -1), other
    # Q = H₁ … H_k: from the left the last reflection comes first, from the right the first
    for i in range(k) if left == transpose else range(k - 1, -1, -1):
        unit = xp.zeros((m, 1), input.array.dtype)
        unit[i] = 1
        v = raw("narrow")(lower, -1, i, 1) + wrap(unit)
        scale = raw("unsqueeze")(raw("narrow")(tau, -1, i, 1), -1)
        scale = raw("conj")(scale) if transpose else scale
        if left:
            out = out - scale * matmul(v, matmul(adjoint(v), out))
        else:
            out = out - scale * matmul(matmul(out, v), adjoint(v))
    return raw("clone")(out) if out is other else out
