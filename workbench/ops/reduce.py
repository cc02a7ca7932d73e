"""Reductions and scans. `dim` is None (all), an int or a tuple of ints."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .compiled import reduce as compiled
from .declare import op
from .samples import Sample, bad_dim, bad_dims, reduction


def axes(dim, ndim):
    """`dim` as a sorted tuple of non-negative dimensions; None and () mean all.

    Raises IndexError when out of range and RuntimeError for repetitions.
    """
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    given = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    found = tuple(axis(d, ndim) for d in given)
    if len(set(found)) != len(found):
        raise RuntimeError(f"dim {found[0]} appears multiple times in the list of dims")
    return tuple(sorted(found))


def axis(dim, ndim):
    """`dim` as a non-negative dimension of a tensor with `ndim` (0-d counts as 1-d).

    Raises IndexError when out of range.
    """
    n = max(ndim, 1)
    if not -n <= dim < n:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
        )
    return dim % n


def _axis(dim, ndim):
    """NumPy's `axis` argument: None for everything."""
    if dim is None or ndim == 0:
        if dim is not None:
            axes(dim, ndim)
        return None
    return axes(dim, ndim)


def reduced(input, dim, keepdim):
    """The shape that is left of `input` after a reduction over `dim`."""
    gone = axes(dim, len(input)) if input else ()
    if keepdim:
        return tuple(1 if i in gone else n for i, n in enumerate(input))
    return tuple(n for i, n in enumerate(input) if i not in gone)


@lru_cache(maxsize=1024)
def _planned(shape, dim, keepdim):
    where = None if dim is None else axes(dim, len(shape))
    return compiled.plan(shape, where), reduced(shape, dim, keepdim), float(_count(shape, dim))


def _plan(shape, dim, keepdim):
    """How a compiled kernel sums, the shape of what is left, and of how many numbers each is."""
    return _planned(shape, tuple(dim) if type(dim) is list else dim, keepdim)


def _spread(F, g, input_shape, dim, keepdim):
    """A reduced gradient, broadcast back over the reduced dimensions."""
    if dim is None and not F.taped and F.xp is np and g.dtype.char in "fd" and g.size == 1:
        made = np.ndarray(input_shape, g.dtype, g, 0, (0,) * len(input_shape))
        made.flags.writeable = False
        return made  # what `expand` makes, in a fifth of the time
    if not keepdim and input_shape:
        reduced = axes(dim, len(input_shape))
        g = F.reshape(g, tuple(1 if i in reduced else n for i, n in enumerate(input_shape)))
    return F.expand(g, input_shape)


@op(errors=bad_dims, shape=reduced, samples=reduction)
def sum_op(xp, input, /, dim=None, keepdim=False, dtype=None):
    """Sum over `dim`; bools and small integers add up in int64 (or in `dtype`)."""
    if dtype is None and compiled.fits(input):
        way, left, _ = _plan(input.shape, dim, keepdim)
        if way is not None:
            return compiled.total(input, way, left, 1.0)
    if dtype is None and input.dtype.kind in "bui":
        dtype = np.int64
    where = None if dim is None else _axis(dim, input.ndim)
    if xp is np:  # what `input.sum` comes to in the end
        return np.add.reduce(input, axis=where, dtype=dtype, keepdims=keepdim)
    return input.sum(axis=where, keepdims=keepdim, dtype=dtype)


sum_op.vjp(input=_spread)


def _count(shape, dim):
    n = 1
    for d in axes(dim, len(shape)) if shape else ():
        n *= shape[d]
    return n


@op(errors=bad_dims, shape=reduced, samples=reduction)
def mean(xp, input, /, dim=None, keepdim=False, dtype=None):
    """Mean over `dim`; nan of nothing.

    Raises RuntimeError for integers and bools: convert with .float() first.
    """
    if dtype is None and input.dtype.kind in "bui":
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or "
            f"complex dtype. Got: {input.dtype.name}; convert it with .float()"
        )
    if dtype is None and compiled.fits(input):
        way, left, n = _plan(input.shape, dim, keepdim)
        if way is not None:
            return compiled.total(input, way, left, n)
    where = _axis(dim, input.ndim)
    n = _count(input.shape, dim)
    total = input.sum(axis=where, keepdims=keepdim, dtype=dtype)
    if n == 0:
        return total * np.nan
    return total / n


mean.vjp(
    input=lambda F, g, input_shape, dim, keepdim: (
        _spread(F, g, input_shape, dim, keepdim) / max(_count(input_shape, dim), 1)
    )
)


@op(
    accepts="fc",
    oracle=lambda t, x, dim=None, keepdim=False, correction=1: t.var(
        x, dim=dim, keepdim=keepdim, correction=correction
    ),
    shape=reduced,
    samples=reduction,
    dtype=None,
    function=False,
    method=False,
)
def variance(xp, input, /, dim=None, keepdim=False, correction=1):
    """Variance over `dim`, dividing by n - correction (nan where that is not positive)."""
    n = _count(input.shape, dim)
    where = _axis(dim, input.ndim)
    centred = input - input.mean(axis=where, keepdims=True) if input.size else input
    square = (centred * centred.conjugate()).real
    freedom = max(n - correction, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = square.sum(axis=where, keepdims=keepdim)
        return xp.divide(total, square.dtype.type(freedom), dtype=square.dtype)


def _variance_rule(F, g, input, input_shape, dim, keepdim, correction):
    n = _count(input_shape, dim)
    freedom = max(n - correction, 0)
    scale = 2.0 / freedom if freedom else float("nan")
    return (
        _spread(F, g, input_shape, dim, keepdim)
        * (input - F.mean(input, dim, True) if n else input)
        * scale
    )


variance.vjp(input=_variance_rule)


def _prod_samples(make):
    yield Sample(make(2, 3))
    yield Sample(make(2, 3), 1)
    yield Sample(make(2, 3, 4), -1, True)
    yield Sample(make())


@op(errors=bad_dim, shape=reduced, samples=_prod_samples)
def prod(xp, input, /, dim=None, keepdim=False, dtype=None):
    """Product over `dim` (one dimension or all); 1 of nothing."""
    if dtype is None and input.dtype.kind in "bui":
        dtype = np.int64
    return input.prod(axis=_axis(dim, input.ndim), keepdims=keepdim, dtype=dtype)


def _prod_rule(F, g, input, input_shape, dim, keepdim):
    # the product of all the others, from both sides: right at zeros and to every order
    if dim is None:
        flat = F.reshape(input, (-1,))
        return F.reshape(_prod_rule(F, g, flat, tuple(flat.shape), 0, False), input_shape)
    where = axis(dim, len(input_shape))
    if not input_shape:
        return g
    n = input_shape[where]
    one = F.narrow(input, where, 0, 1) * 0 + 1 if n else None
    if n == 0:
        return input * 0
    left = [one]
    for i in range(n - 1):
        left.append(left[-1] * F.narrow(input, where, i, 1))
    right = [one]
    for i in range(n - 1, 0, -1):
        right.append(right[-1] * F.narrow(input, where, i, 1))
    others = F.cat([a * b for a, b in zip(left, reversed(right), strict=True)], where)
    return _spread(F, g, input_shape, where, keepdim) * F.conj(others)


prod.vjp(input=_prod_rule)


def _extreme_samples(make):
    yield Sample(make.distinct(2, 3))
    yield Sample(make.distinct(2, 3), 1)
    yield Sample(make.distinct(2, 3, 4), (0, 2), True)


def _share(F, g, input, out, input_shape, dim, keepdim):
    """Every tied element gets an equal share."""
    chosen = F.cast_bool(input == _spread(F, out, input_shape, dim, keepdim), g)
    count = F.sum(chosen, dim, True)
    return _spread(F, g, input_shape, dim, keepdim) * (chosen / count)


@op(errors=bad_dims, accepts="biuf", shape=reduced, samples=_extreme_samples)
def amax(xp, input, /, dim=(), keepdim=False):
    """Largest value over `dim`; ties share the gradient."""
    _nonempty("amax", input, dim)
    return input.max(axis=_axis(dim or None if dim == () else dim, input.ndim), keepdims=keepdim)


amax.vjp(input=_share)


@op(errors=bad_dims, accepts="biuf", shape=reduced, samples=_extreme_samples)
def amin(xp, input, /, dim=(), keepdim=False):
    """Smallest value over `dim`; ties share the gradient."""
    _nonempty("amin", input, dim)
    return input.min(axis=_axis(dim or None if dim == () else dim, input.ndim), keepdims=keepdim)


amin.vjp(input=_share)


def _nonempty(name, input, dim):
    if input.size == 0 and _count(input.shape, dim) == 0:
        raise IndexError(
            f"{name}(): Expected reduction dim to have non-zero size; got shape "
            f"{tuple(input.shape)}"
        )


def _dim_samples(make):
    yield Sample(make.distinct(2, 3), 1)
    yield Sample(make.distinct(2, 3, 4), 0, True)
    yield Sample(make.distinct(4), -1)


def _chosen(xp, name, pick, input, dim, keepdim):
    if input.ndim == 0:
        axis(dim, 0)
        return input.copy(), xp.zeros((), np.int64)
    where = axis(dim, input.ndim)
    if input.shape[where] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
    index = xp.expand_dims(pick(input, axis=where), where)
    values = xp.take_along_axis(input, index, where)
    if not keepdim:
        index, values = xp.squeeze(index, where), xp.squeeze(values, where)
    return values, index.astype(np.int64)


def _scatter_back(F, g, indices, input_shape, dim, keepdim):
    if not input_shape:
        return g
    where = axis(dim, len(input_shape))
    if not keepdim:
        g, indices = F.unsqueeze(g, where), F.unsqueeze(indices, where)
    return F.gather_backward(g, indices, input_shape, where)


@op(
    errors=bad_dim,
    shape=lambda input, dim, keepdim: (reduced(input, dim, keepdim),) * 2,
    accepts="biuf",
    samples=_dim_samples,
    returns=("values", "indices"),
    differentiable=("values",),
    function=False,
    method=False,
    oracle="max",
)
def max_dim(xp, input, /, dim, keepdim=False):
    """Largest values along `dim` and where they are (the first of ties)."""
    return _chosen(xp, "max", xp.argmax, input, dim, keepdim)


@op(
    errors=bad_dim,
    shape=lambda input, dim, keepdim: (reduced(input, dim, keepdim),) * 2,
    accepts="biuf",
    samples=_dim_samples,
    returns=("values", "indices"),
    differentiable=("values",),
    function=False,
    method=False,
    oracle="min",
)
def min_dim(xp, input, /, dim, keepdim=False):
    """Smallest values along `dim` and where they are (the first of ties)."""
    return _chosen(xp, "min", xp.argmin, input, dim, keepdim)


max_dim.vjp(input=_scatter_back)
min_dim.vjp(input=_scatter_back)


def _arg_samples(make):
    yield Sample(make.distinct(2, 3))
    yield Sample(make.distinct(2, 3), 1)
    yield Sample(make.distinct(2, 3, 4), -1, True)


def _arg(name, pick, input, dim, keepdim):
    if input.size == 0:
        raise IndexError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0."
        )
    if dim is None or input.ndim == 0:
        if dim is not None:
            axis(dim, 0)
        found = pick(input)
        return found.reshape((1,) * input.ndim) if keepdim else found
    return pick(input, axis=axis(dim, input.ndim), keepdims=keepdim)


@op(errors=bad_dim, accepts="iuf", shape=reduced, samples=_arg_samples)
def argmax(xp, input, /, dim=None, keepdim=False):
    """Where the largest value is (the first of ties), int64."""
    return _arg("argmax", xp.argmax, input, dim, keepdim)


@op(errors=bad_dim, accepts="iuf", shape=reduced, samples=_arg_samples)
def argmin(xp, input, /, dim=None, keepdim=False):
    """Where the smallest value is (the first of ties), int64."""
    return _arg("argmin", xp.argmin, input, dim, keepdim)


def _bool_reductions(make):
    yield Sample(make.bools(2, 3))
    yield Sample(make.bools(2, 3), 1)
    yield Sample(make.ints(2, 3, high=2), 0, True)
    yield Sample(make.bools(0))


@op(errors=bad_dims, shape=reduced, samples=_bool_reductions)
def all_op(xp, input, /, dim=None, keepdim=False):
    """Whether all elements over `dim` are nonzero."""
    return xp.all(input, axis=_axis(dim, input.ndim), keepdims=keepdim)


@op(errors=bad_dims, shape=reduced, samples=_bool_reductions)
def any_op(xp, input, /, dim=None, keepdim=False):
    """Whether any element over `dim` is nonzero."""
    return xp.any(input, axis=_axis(dim, input.ndim), keepdims=keepdim)


def _scan_samples(make):
    yield Sample(make(3), 0)
    yield Sample(make(2, 3), 1)
    yield Sample(make(2, 3, 4), -2)
    yield Sample(make(), 0)


@op(errors=bad_dim, samples=_scan_samples, inplace=True)
def cumsum(xp, input, /, dim, dtype=None):
    """Running sum along `dim`; bools and integers in int64."""
    where = axis(dim, input.ndim)
    if dtype is None and input.dtype.kind in "bui":
        dtype = np.int64
    if input.ndim == 0:
        return input.astype(dtype or input.dtype)
    return xp.cumsum(input, axis=where, dtype=dtype)


cumsum.vjp(
    input=lambda F, g, dim, input_shape: (
        F.flip(F.cumsum(F.flip(g, (dim,)), dim), (dim,)) if input_shape else g
    )
)


@op(errors=bad_dims, shape=reduced, samples=reduction, dtype="float")
def logsumexp(xp, input, /, dim, keepdim=False):
    """log of the sum of exponentials over `dim`, without overflow."""
    where = _axis(dim, input.ndim)
    if input.size == 0:
        with np.errstate(divide="ignore"):
            return xp.log(xp.exp(input).sum(axis=where, keepdims=keepdim))
    top = input.max(axis=where, keepdims=True)
    top = xp.where(xp.isfinite(top), top, input.dtype.type(0))
    with np.errstate(divide="ignore"):
        out = xp.log(xp.exp(input - top).sum(axis=where, keepdims=True)) + top
    return out if keepdim else out.reshape(xp.sum(input, axis=where).shape)


logsumexp.vjp(
    input=lambda F, g, input, out, input_shape, dim, keepdim: (
        _spread(F, g, input_shape, dim, keepdim)
        * F.conj(F.exp(input - _spread(F, out, input_shape, dim, keepdim)))
    )
)


@op(samples=_scan_samples, inplace=True, errors=bad_dim)
def cumprod(xp, input, /, dim, dtype=None):
    """Running product along `dim`; bools and integers in int64."""
    where = axis(dim, input.ndim)
    if dtype is None and input.dtype.kind in "bui":
        dtype = np.int64
    if input.ndim == 0:
        return input.astype(dtype or input.dtype)
    return xp.cumprod(input, axis=where, dtype=dtype)


def _cumprod_rule(F, g, input, input_shape, dim):
    # grad[i] = (product before i) * a[i] with a[i] = g[i] + x[i+1] a[i+1]: no division, so zeros
    # are no special case
    if not input_shape:
        return g
    where = axis(dim, len(input_shape))
    n = input_shape[where]
    if n == 0:
        return g * 0
    later, grads = None, []
    before = F.cumprod(input, where)
    for i in range(n - 1, -1, -1):
        here = F.narrow(g, where, i, 1)
        later = here if later is None else here + F.conj(F.narrow(input, where, i + 1, 1)) * later
        grads.append(later * F.conj(F.narrow(before, where, i - 1, 1)) if i else later)
    return F.cat(grads[::-1], where)


cumprod.vjp(input=_cumprod_rule)


def _lse_samples(make):
    yield Sample(make(2, 3), 1)
    yield Sample(make(2, 3), (0, 1))
    yield Sample(make(2, 3, 4), -1, True)
    yield Sample(make(), 0)


logsumexp.samples = _lse_samples
