"""What of a factorisation is well defined, and on which matrices.

`cholesky` and `eigh` read one triangle, so a single element cannot be changed alone; the vectors
of `svd` and `eig` are free up to a sign or a phase. Such ops are compared with torch, and checked
by finite differences, through the functions here: they take the op, and give it symmetric input
or make of its results what does not depend on that choice. Written in methods that torch's tensors
have too.
"""

from __future__ import annotations


def adjoint(x):
    return x.transpose(-2, -1).conj()


def _symmetric(x):
    return (x + adjoint(x)) / 2 if _known(x) else x


def _known(x):
    """Whether `x` is a batch of square matrices of floats: what the op takes."""
    floats = x.is_floating_point() or x.is_complex()
    return floats and x.ndim >= 2 and x.shape[-1] == x.shape[-2]


def _size(x):
    """|x|², elementwise."""
    return x.abs() * x.abs()


def _cholesky(call, x, **settings):
    return call(_symmetric(x), **settings)


def _eigh(call, x, **settings):
    values, vectors = call(_symmetric(x), **settings)
    return values, _size(vectors), (vectors * values.unsqueeze(-2)) @ adjoint(vectors)


def _qr(call, x, **settings):
    Q, R = call(x, **settings)
    if settings.get("mode") == "r":
        return Q, _size(R)
    k = min(x.shape[-2:]) if x.ndim > 1 else 0
    return _size(Q[..., :k]), _size(R), Q @ R


def _svd(call, x, **settings):
    U, S, Vh = call(x, **settings)
    k = S.shape[-1]
    Uk, Vk = U[..., :k], Vh[..., :k, :]
    return S, _size(Uk), _size(Vk), Uk @ Vk


def _eig(call, x):
    values, vectors = call(x)
    return (*_sums(values), (vectors * values.unsqueeze(-2)) @ adjoint(vectors))


def _sums(values):
    """Symmetric functions of the eigenvalues, which have no order."""
    return values.sum(-1), (values * values).sum(-1), (1 / values).sum(-1)


def _ctc(call, x, *rest, **settings):
    """The gradient is that of logits, so the op is looked at through their log-softmax."""
    return call(x.log_softmax(2), *rest, **settings)


THROUGH = {
    "ctc": _ctc,
    "cholesky": _cholesky,
    "eigh": _eigh,
    "eigvalsh": lambda call, x, **settings: call(_symmetric(x), **settings),
    "qr": _qr,
    "svd": _svd,
    "eig": _eig,
    "eigvals": lambda call, x: _sums(call(x)),
}


def through(op, call):
    """`call`, or the well-defined part of it."""
    wrapper = THROUGH.get(op.name)
    return call if wrapper is None else lambda *args, **kwargs: wrapper(call, *args, **kwargs)
