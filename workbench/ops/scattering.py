"""Scattering with a reduction: products, largest and smallest values at indices."""

from __future__ import annotations

import numpy as np

from .declare import op
from .index import _open_grid, check_index
from .reduce import axis
from .samples import Sample

_UFUNCS = {"prod": "multiply", "amax": "maximum", "amin": "minimum"}


def _start(dtype, reduce):
    """What changes nothing under the reduction."""
    if reduce == "prod":
        return dtype.type(1)
    if dtype.kind == "f":
        return dtype.type(-np.inf if reduce == "amax" else np.inf)
    if dtype.kind == "b":
        return dtype.type(reduce == "amin")
    limits = np.iinfo(dtype)
    return dtype.type(limits.min if reduce == "amax" else limits.max)


def _samples(make):
    index = np.array([[0, 1, 1, 0], [2, 0, 1, 1]])
    for reduce in ("prod", "amax", "amin"):
        for include_self in (True, False):
            yield Sample(make.distinct(3, 4), make(2, 4), index, 0, reduce, include_self)
    yield Sample(make.distinct(3, 4), make(3, 2), np.array([[0, 3], [2, 2], [1, 0]]), -1, "prod")
    yield Sample(make(), make(), np.array(0), 0, "amax")


def _errors(make):
    yield Sample(make(3), make(2), np.array([0, 5]), 0, "prod")
    yield Sample(make(3), make(2), np.array([0, 1]), 1, "prod")


@op(
    accepts="biufc",
    function=False,
    method=False,
    shape=lambda input: input,
    samples=_samples,
    errors=_errors,
    oracle=lambda t, x, src, index, dim=0, reduce="prod", include_self=True: x.scatter_reduce(
        dim, index, src, reduce, include_self=include_self
    ),
)
def scatter_fold(xp, input, src, index, /, dim=0, reduce="prod", include_self=True):
    """A copy of `input` with `src` reduced into it along `dim` at `index`.

    `reduce` is "prod", "amax" or "amin"; without `include_self` what was there does not count.
    """
    where = axis(dim, input.ndim)
    if input.dtype.kind == "c" and reduce != "prod":
        raise NotImplementedError(
            f'"scatter_reduce" ({reduce}) not implemented for complex numbers'
        )
    out = xp.array(input)
    flat = out.reshape(1) if out.ndim == 0 else out
    places, values = (a.reshape(1) if a.ndim == 0 else a for a in (index, src))
    check_index("scatter_reduce", places, flat.shape[where], RuntimeError)
    key = _open_grid(xp, places, where)
    if not include_self:
        flat[key] = _start(input.dtype, reduce)
    values = values[tuple(slice(0, n) for n in places.shape)]
    getattr(xp, _UFUNCS[reduce]).at(flat, key, values)
    return out


def _part(F, src, index):
    """The corner of `src` that the index covers."""
    if tuple(src.shape) == tuple(index.shape):
        return src
    return F.getitem(src, tuple(slice(0, n) for n in index.shape))


def _spread_back(F, g, src_shape):
    if tuple(src_shape) == tuple(g.shape):
        return g
    return F.index_backward(g, tuple(slice(0, n) for n in g.shape), src_shape)


def _zeros_there(F, x, index, dim):
    """`x` with zeros at the index."""
    return F.scatter_put(x, F.gather_along(F.detach(x) * 0, index, dim), F.detach(index), dim)


def _shares(F, g, input, src, index, out, dim, include_self):
    """amax, amin: every element that reached the result gets an equal share of the gradient."""
    part = _part(F, src, index)
    mine = F.cast_bool(input == out, g)
    if not include_self:
        mine = _zeros_there(F, mine, index, dim)
    theirs = F.cast_bool(part == F.gather_along(out, index, dim), g)
    shape = tuple(input.shape)
    count = mine + F.gather_backward(theirs, index, shape, dim)
    share = g / F.clamp(count, 1, None)
    return mine * share, theirs * F.gather_along(share, index, dim)


def _factors(F, g, input, src, index, out, dim, include_self):
    """prod: the product of all the others, right at a zero that is the only one."""
    part = _part(F, src, index)
    shape = tuple(input.shape)
    first = input if include_self else _zeros_there(F, input, index, dim) * 0 + 1
    none, gone = F.detach(first) == 0, F.detach(part) == 0
    base = F.where(none, input * 0 + 1, input)
    rest = F.where(gone, part * 0 + 1, part)
    whole = F.scatter_fold(base, rest, index, dim, "prod", include_self)
    zeros = F.gather_backward(F.cast_bool(gone, g), index, shape, dim) + F.cast_bool(none, g)
    clear, single = F.cast_bool(zeros == 0, g), F.cast_bool(zeros == 1, g)
    others = g * F.conj(whole)
    mine = others / F.conj(base) * F.where(none, single, clear)
    if not include_self:
        mine = _zeros_there(F, mine, index, dim)
    there = F.gather_along(others, index, dim) / F.conj(rest)
    clear, single = (F.gather_along(flags, index, dim) for flags in (clear, single))
    return mine, there * F.where(gone, single, clear)


def _both(F, g, input, src, index, out, dim, reduce, include_self):
    rule = _factors if reduce == "prod" else _shares
    return rule(F, g, input, src, index, out, dim, include_self)


scatter_fold.vjp(
    input=lambda F, g, input, src, index, out, dim, reduce, include_self: _both(
        F, g, input, src, index, out, dim, reduce, include_self
    )[0],
    src=lambda F, g, input, src, src_shape, index, out, dim, reduce, include_self: _spread_back(
        F, _both(F, g, input, src, index, out, dim, reduce, include_self)[1], src_shape
    ),
)
