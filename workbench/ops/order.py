"""Order statistics: sorting, the k-th value, medians, modes.

nan counts as larger than every number, as in torch. Equal values keep their order, so that every
index is well defined.
"""

from __future__ import annotations

import numpy as np

from .declare import op
from .reduce import _scatter_back, axis, reduced
from .samples import Sample, bad_dim


def _sorted_shape(input):
    return (input, input)


def _reduced_pair(input, dim, keepdim):
    return (reduced(input, dim, keepdim),) * 2


def order(xp, input, where, descending):
    """The positions that put `input` in order along `where`; ties keep their order."""
    if not descending:
        return xp.argsort(input, axis=where, kind="stable")
    # reversing twice keeps ties in their order
    backwards = xp.flip(input, where)
    found = xp.flip(xp.argsort(backwards, axis=where, kind="stable"), where)
    return input.shape[where] - 1 - found


def _sort_samples(make):
    yield Sample(make.distinct(5))
    yield Sample(make.distinct(3, 4), 0)
    yield Sample(make.distinct(2, 3, 4), 1, True)
    yield Sample(make())
    yield Sample(make(2, 0), -1)


def _along(F, g, indices, input_shape, dim):
    if not input_shape:
        return g
    return F.gather_backward(g, indices, input_shape, axis(dim, len(input_shape)))


@op(
    accepts="biuf",
    errors=bad_dim,
    shape=_sorted_shape,
    samples=_sort_samples,
    returns=("values", "indices"),
    differentiable=("values",),
    function=False,
    method=False,
    oracle=lambda t, x, dim=-1, descending=False: t.sort(
        x, dim=dim, descending=descending, stable=True
    ),
)
def sort_dim(xp, input, /, dim=-1, descending=False):
    """The values in order along `dim`, and where they were."""
    where = axis(dim, input.ndim)
    if input.ndim == 0:
        return input.copy(), xp.zeros((), np.int64)
    found = order(xp, input, where, descending)
    return xp.take_along_axis(input, found, where), xp.ascontiguousarray(found).astype(np.int64)


sort_dim.vjp(input=_along)


def _topk_shape(input, k, dim):
    if not input:
        return ((), ())
    where = axis(dim, len(input))
    return ((*input[:where], k, *input[where + 1 :]),) * 2


def _topk_samples(make):
    yield Sample(make.distinct(5), 3)
    yield Sample(make.distinct(3, 4), 2, 0)
    yield Sample(make.distinct(2, 3, 4), 1, -1, False)
    yield Sample(make.distinct(100), 4)
    yield Sample(make.distinct(100), 4, 0, False)
    yield Sample(make.distinct(4), 0)
    yield Sample(make(), 1)


def _topk_errors(make):
    yield Sample(make(3), 4)
    yield Sample(make(3), -1)
    yield Sample(make(3), 1, 1)


@op(
    accepts="iuf",
    errors=_topk_errors,
    shape=_topk_shape,
    samples=_topk_samples,
    returns=("values", "indices"),
    differentiable=("values",),
    function=False,
    method=False,
    oracle="topk",
)
def topk_dim(xp, input, /, k, dim=-1, largest=True):
    """The k largest (or smallest) values along `dim`, in order, and where they are."""
    where = axis(dim, input.ndim)
    n = input.shape[where] if input.ndim else 1
    if not 0 <= k <= n:
        raise RuntimeError(f"selected index k out of range: k is {k}, the dimension has {n}")
    if input.ndim == 0:
        shape = () if k else (0,)
        return input.reshape(-1)[:k].reshape(shape).copy(), xp.zeros(shape, np.int64)
    lead = (slice(None),) * where
    if 0 < k < n // 8:  # find the k first, then put only them in order
        part = xp.argpartition(input, n - k if largest else k - 1, axis=where)
        part = part[(*lead, slice(n - k, None) if largest else slice(0, k))]
        part = xp.sort(part, axis=where)
        held = xp.take_along_axis(input, part, where)
        found = xp.take_along_axis(part, order(xp, held, where, largest), where)
    else:
        found = order(xp, input, where, largest)[(*lead, slice(0, k))]
    return xp.take_along_axis(input, found, where), xp.ascontiguousarray(found).astype(np.int64)


topk_dim.vjp(input=_along)


def pick(xp, input, found, where, keepdim):
    """Values and int64 indices at `found`, which has a side of 1 at `where`."""
    values = xp.take_along_axis(input, found, where)
    if not keepdim:
        found, values = xp.squeeze(found, where), xp.squeeze(values, where)
    return values, found.astype(np.int64)


def _nonempty(name, input, dim):
    where = axis(dim, input.ndim)
    if input.ndim and input.shape[where] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {where} to have non-zero size.")
    return where


def _kth_samples(make):
    yield Sample(make.distinct(5), 2)
    yield Sample(make.distinct(3, 4), 3, 0)
    yield Sample(make.distinct(2, 3, 4), 1, 1, True)
    yield Sample(make(), 1)


def _kth_errors(make):
    yield Sample(make(3), 4)
    yield Sample(make(3), 0)
    yield Sample(make(3), 1, 1)


@op(
    accepts="iuf",
    errors=_kth_errors,
    shape=_reduced_pair,
    samples=_kth_samples,
    returns=("values", "indices"),
    differentiable=("values",),
)
def kthvalue(xp, input, /, k, dim=-1, keepdim=False):
    """The k-th smallest value along `dim` (k from 1 on) and where it is.

    Raises RuntimeError when k is not in 1 … the dimension's size.
    """
    where = axis(dim, input.ndim)
    n = input.shape[where] if input.ndim else 1
    if not 1 <= k <= n:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}: {k}")
    if input.ndim == 0:
        return input.copy(), xp.zeros((), np.int64)
    found = order(xp, input, where, False)[(slice(None),) * where + (slice(k - 1, k),)]
    return pick(xp, input, found, where, keepdim)


kthvalue.vjp(input=_scatter_back)


def _median_samples(make):
    yield Sample(make.distinct(5), 0)
    yield Sample(make.distinct(3, 4), 1)
    yield Sample(make.distinct(2, 3, 4), 1, True)
    yield Sample(make(), 0)


def _middle(xp, name, input, dim, keepdim, skip_nan):
    where = _nonempty(name, input, dim)
    if input.ndim == 0:
        return input.copy(), xp.zeros((), np.int64)
    found = order(xp, input, where, False)
    n = input.shape[where]
    place = xp.full((*input.shape[:where], 1, *input.shape[where + 1 :]), (n - 1) // 2)
    if input.dtype.kind == "f":
        count = xp.isnan(input).sum(axis=where, keepdims=True)
        if skip_nan:
            place = xp.maximum(n - count - 1, 0) // 2
        else:  # the first nan
            place = xp.where(count > 0, n - count, place)
    return pick(xp, input, xp.take_along_axis(found, place, where), where, keepdim)


@op(
    accepts="iuf",
    errors=bad_dim,
    shape=_reduced_pair,
    samples=_median_samples,
    returns=("values", "indices"),
    differentiable=("values",),
    function=False,
    method=False,
    oracle="median",
)
def median_dim(xp, input, /, dim, keepdim=False):
    """The lower median along `dim` (nan where there is one) and where it is."""
    return _middle(xp, "median", input, dim, keepdim, False)


@op(
    accepts="iuf",
    errors=bad_dim,
    shape=_reduced_pair,
    samples=_median_samples,
    returns=("values", "indices"),
    differentiable=("values",),
    function=False,
    method=False,
    oracle="nanmedian",
)
def nanmedian_dim(xp, input, /, dim, keepdim=False):
    """The lower median of what is not nan along `dim` and where it is."""
    return _middle(xp, "nanmedian", input, dim, keepdim, True)


median_dim.vjp(input=_scatter_back)
nanmedian_dim.vjp(input=_scatter_back)


def _nothing(input):
    return ()


def _all_samples(make):
    yield Sample(make.distinct(5))
    yield Sample(make.distinct(3, 4))
    yield Sample(make())
    yield Sample(make.ints(7, high=3).astype(make.dtype), grad=False)


def _middle_of_all(xp, input, skip_nan):
    flat = input.reshape(-1)
    if not flat.size:
        return xp.asarray(np.nan if flat.dtype.kind == "f" else np.iinfo(flat.dtype).min).astype(
            flat.dtype
        )
    values, _ = _middle(xp, "median", flat, 0, False, skip_nan)
    return values


def _share_of_equals(F, g, input, out):
    chosen = F.cast_bool((input == out) | ((input != input) & (out != out)), g)
    return F.expand(g / F.sum(chosen), tuple(input.shape)) * chosen


@op(
    accepts="iuf", shape=_nothing, samples=_all_samples, function=False, method=False,
    oracle="median",
)  # fmt: skip
def median_all(xp, input, /):
    """The lower median of all elements (nan where there is one); ties share the gradient."""
    return _middle_of_all(xp, input, False)


@op(
    accepts="iuf", shape=_nothing, samples=_all_samples, function=False, method=False,
    oracle="nanmedian",
)  # fmt: skip
def nanmedian_all(xp, input, /):
    """The lower median of all elements that are not nan; ties share the gradient."""
    return _middle_of_all(xp, input, True)


median_all.vjp(input=_share_of_equals)
nanmedian_all.vjp(input=_share_of_equals)


def _mode_samples(make):
    yield Sample(make.ints(7, high=3).astype(make.dtype), grad=False)
    yield Sample(make.ints(4, 9, high=4).astype(make.dtype), 1, grad=False)
    yield Sample(make.distinct(2, 3, 4), 1, True)
    yield Sample(make(), 0)


@op(
    accepts="biuf",
    errors=bad_dim,
    shape=_reduced_pair,
    samples=_mode_samples,
    returns=("values", "indices"),
    differentiable=("values",),
)
def mode(xp, input, /, dim=-1, keepdim=False):
    """The most frequent value along `dim` (the smallest of several) and where it is last."""
    where = _nonempty("mode", input, dim)
    if input.ndim == 0:
        return input.copy(), xp.zeros((), np.int64)
    found = xp.moveaxis(order(xp, input, where, False), where, -1)
    held = xp.take_along_axis(xp.moveaxis(input, where, -1), found, -1)
    n = held.shape[-1]
    starts = xp.ones(held.shape, bool)
    starts[..., 1:] = held[..., 1:] != held[..., :-1]
    place = xp.arange(n)
    begin = running(xp, "maximum", xp.where(starts, place, 0), held.ndim - 1)
    length = place - begin + 1  # of the run of equals up to here
    last = xp.argmax(length, axis=-1)[..., None]  # the first of the longest, and its end
    found = xp.moveaxis(xp.take_along_axis(found, last, -1), -1, where)
    return pick(xp, input, found, where, keepdim)


mode.vjp(input=_scatter_back)


def running(xp, ufunc, array, where):
    """The running result of an associative ufunc along a dimension."""
    if xp is np:
        return getattr(np, ufunc).accumulate(array, axis=where)
    combine, step, n = getattr(xp, ufunc), 1, array.shape[where]
    lead = (slice(None),) * where
    while step < n:  # Hillis & Steele, "Data parallel algorithms", 1986
        head, tail = array[(*lead, slice(0, step))], array[(*lead, slice(step, None))]
        tail = combine(array[(*lead, slice(0, n - step))], tail)
        array = xp.concatenate((head, tail), axis=where)
        step *= 2
    return array
