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


THROUGH = {}


def through(op, call):
    """`call`, or the well-defined part of it."""
    wrapper = THROUGH.get(op.name)
    return call if wrapper is None else lambda *args, **kwargs: wrapper(call, *args, **kwargs)
