"""The exponential of matrices."""

from __future__ import annotations

import numpy as np

from .declare import op
from .matrices import (
    adjoint,
    check_square,
    taken,
)
from .samples import Sample

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
