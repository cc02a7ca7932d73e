"""What the ops on matrices share: checks, errors, diagonals and the solve that gradients use."""

from __future__ import annotations

import numpy as np

from .declare import op
from .samples import Sample


class LinAlgError(RuntimeError):
    """A matrix cannot be factored or inverted, or an iteration did not converge."""


def check_matrix(name, A):
    """Raises RuntimeError when `A` has fewer than two dimensions."""
    if A.ndim < 2:
        raise RuntimeError(
            f"linalg.{name}: The input tensor A must have at least 2 dimensions; got shape "
            f"{tuple(A.shape)}"
        )


def check_square(name, A):
    """Raises RuntimeError unless `A` is a batch of square matrices."""
    check_matrix(name, A)
    rows, columns = A.shape[-2:]
    if rows != columns:
        raise RuntimeError(
            f"linalg.{name}: A must be batches of square matrices, but they are {rows} by "
            f"{columns} matrices"
        )


def batch_note(shape, where):
    """ "(Batch element 3): " for the first element of a batch that failed."""
    return f"(Batch element {where}): " if shape else ""


def unconverged(name, error):
    """The error of an iteration that did not converge."""
    return LinAlgError(
        f"linalg.{name}: The algorithm failed to converge because the input matrix contained "
        f"non-finite values or is ill-conditioned ({error})."
    )


def adjoint(F, x):
    """The conjugate transpose."""
    return F.conj(F.transpose(x, -1, -2))


def transposed(xp, x):
    """The conjugate transpose of a raw array."""
    return xp.swapaxes(x, -1, -2).conj()


def columns(F, vector):
    """(…, n) as (…, 1, n): multiplying by it scales columns."""
    return F.unsqueeze(vector, -2)


def rows(F, vector):
    """(…, n) as (…, n, 1): multiplying by it scales rows."""
    return F.unsqueeze(vector, -1)


def square(shape):
    """n where the last two sides of `shape` are n by n."""
    return shape[-1]


def over_gaps(F, x, gap):
    """The off-diagonal of `x` divided by `gap` (0 on its diagonal); 0/0 counts as 0."""
    off = x - F.matrix_diag(F.matrix_diagonal(x))
    zero = (gap == 0) & (off == 0)
    return off / (gap + F.cast_bool(zero, gap))


def is_complex(x):
    """Whether a raw array or a tensor holds complex numbers."""
    return getattr(x, "array", x).dtype.kind == "c"


def imaginary(F, x):
    """The imaginary part, on the tape."""
    return F.real(x * -1j)


def check_phase(F, name, imaginary_diagonal):
    """Raises RuntimeError for a loss that depends on the phase of the vectors (as torch does)."""
    if F.taped or not imaginary_diagonal.size:
        return
    if float(abs(imaginary_diagonal).max()) > 1e-2:
        raise RuntimeError(
            f"{name}: the vectors are specified up to multiplication by e^(i phi). The specified "
            "loss function depends on this quantity, so it is ill-defined."
        )


def _diag_samples(make):
    yield Sample(make(3))
    yield Sample(make(2, 3))
    yield Sample(make(2, 0))


@op(
    function=False,
    method=False,
    shape=lambda input: (*input, input[-1]),
    samples=_diag_samples,
    oracle="diag_embed",
)
def matrix_diag(xp, input, /):
    """Diagonal matrices (…, n, n) with the entries of (…, n)."""
    n = input.shape[-1]
    out = xp.zeros((*input.shape, n), input.dtype)
    place = xp.arange(n)
    out[..., place, place] = input
    return out


@op(
    function=False,
    method=False,
    shape=lambda input: (*input[:-2], min(input[-2:])),
    samples=lambda make: iter([Sample(make(3, 3)), Sample(make(2, 3, 4)), Sample(make(0, 0))]),
    oracle=lambda t, x: t.diagonal(x, 0, -2, -1),
)
def matrix_diagonal(xp, input, /):
    """The diagonals (…, min(m, n)) of matrices (…, m, n), copied."""
    return xp.diagonal(input, 0, -2, -1).copy()


def _spread_diagonal(F, g, input_shape):
    m, n = input_shape[-2:]
    out = F.matrix_diag(g)
    return out if m == n else F.fft_fit(out, input_shape)


matrix_diag.vjp(input=lambda F, g: F.matrix_diagonal(g))
matrix_diagonal.vjp(input=_spread_diagonal)


def taken(make, *shapes):
    """The shapes; empty ones only in the dtypes in which torch does not take just those."""
    full = make.dtype.kind == "c" or (make.dtype.kind == "f" and make.dtype.itemsize >= 4)
    return [s for s in shapes if full or 0 not in s]


def well(make, *shape):
    """Square matrices far from singular, their eigenvalues apart: a ramp on the diagonal."""
    n = shape[-1]
    base = np.asarray(make(*shape)).astype(make.dtype if make.dtype.kind in "fcV" else np.float64)
    ramp = np.eye(n) * (3.0 + 1.5 * np.arange(n))
    return (base * base.real.dtype.type(0.5) + ramp).astype(make.dtype)


def positive(make, *shape):
    """Hermitian positive definite matrices."""
    wide = make.dtype if make.dtype.kind in "fc" else np.dtype(np.float64)
    base = np.asarray(make(*shape)).astype(wide)
    wide = np.result_type(wide, np.float32)
    base = base.astype(wide)
    made = base @ np.swapaxes(base, -1, -2).conj() * 0.3
    return (made + np.eye(shape[-1]) * (1.0 + np.arange(shape[-1]))).astype(make.dtype)
