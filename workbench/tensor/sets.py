"""Sets, counts and bins: unique, isin, searchsorted, bucketize, bincount, histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.arrays import to_numpy

from .coerce import common_dtype
from .functions import METHODS, function
from .results import result_type
from .tensor import Tensor, beside

# Whatever the data say about shapes is found on the host; CUDA tensors come back to their device.


def _int64(like: Tensor, array: Any) -> Tensor:
    return beside(like, np.ascontiguousarray(array).astype(np.int64))


def _rows(array: np.ndarray, dim: int) -> np.ndarray:
    """The entries along `dim` as rows of a matrix."""
    return np.moveaxis(array, dim, 0).reshape(array.shape[dim], -1)


def _three(name: str, parts: list[Tensor], inverse: bool, counts: bool) -> Any:
    kept = [parts[0], *parts[1:2] * inverse, *parts[2:3] * counts]
    return kept[0] if len(kept) == 1 else tuple(kept)


def _axis(dim: int, ndim: int) -> int:
    from workbench.ops.reduce import axis

    return axis(dim, ndim)


@function("", "unique")
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct values (or, with `dim`, entries along it) in ascending order.

    With `return_inverse` also where each element went, with `return_counts` how many there were,
    both int64. Every nan is distinct.
    """
    array = to_numpy(input.array)
    if array.dtype.kind == "c":
        raise NotImplementedError('"unique" not implemented for complex numbers')
    if dim is None:
        values, inverse, counts = np.unique(
            array, return_inverse=True, return_counts=True, equal_nan=False
        )
        inverse = np.reshape(inverse, array.shape)
    else:
        where = _axis(dim, array.ndim)
        if array.ndim == 0:
            array = array.reshape(1)
        if array.size == 0 and any(n == 0 for i, n in enumerate(array.shape) if i != where):
            raise RuntimeError(
                "There are 0 sized dimensions, and they aren't selected, so unique cannot be "
                "applied"
            )
        rows = _rows(array, where)
        order = np.lexsort(rows.T[::-1]) if rows.shape[1] else np.arange(len(rows))
        values, place, counts = _runs(rows[order])
        inverse = np.empty(len(rows), np.int64)
        inverse[order] = place
        values = np.take(array, order[values], where)
    parts = [beside(input, np.ascontiguousarray(values))]
    parts += [_int64(input, inverse), _int64(input, counts)]
    return _three("unique", parts, return_inverse, return_counts)


def _runs(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where runs of equal rows begin, the run of every row, and the runs' lengths."""
    if not len(rows):
        empty = np.zeros(0, np.int64)
        return empty, empty, empty
    new = np.ones(len(rows), bool)
    new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    first = np.flatnonzero(new)
    return first, np.cumsum(new) - 1, np.diff(np.append(first, len(rows)))


@function("", "unique_consecutive")
def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The first of every run of equal values (or, with `dim`, of equal entries along it)."""
    array = to_numpy(input.array)
    where = 0 if dim is None else _axis(dim, array.ndim)
    flat = array.reshape(-1) if dim is None or array.ndim == 0 else array
    first, place, counts = _runs(_rows(flat, where))
    inverse = place.reshape(array.shape) if dim is None else place
    values = beside(input, np.ascontiguousarray(np.take(flat, first, where)))
    return _three(
        "unique_consecutive", [values, _int64(input, inverse), _int64(input, counts)],
        return_inverse, return_counts,
    )  # fmt: skip


@function(method=False)
def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Whether each element is among `test_elements` (or, with `invert`, is not)."""
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError("isin(): at least one of elements and test_elements must be a Tensor")
    target = common_dtype((elements, test_elements))
    among, wanted = (
        to_numpy(v.array).astype(target) if isinstance(v, Tensor) else np.asarray(v, target)
        for v in (elements, test_elements)
    )
    like = elements if isinstance(elements, Tensor) else test_elements
    return beside(like, np.asarray(np.isin(among, wanted, invert=invert)))


METHODS["isin"] = isin


# -- sorted boundaries -----------------------------------------------------------------------------


@function(method=False)
def searchsorted(
    sorted_sequence: Tensor,
    values: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where `values` belong in the sorted rows of `sorted_sequence`, int64 (or int32).

    A 1-d sequence takes values of any shape, an n-d one values that agree in all dimensions but
    the last. `sorter` puts an unsorted sequence in order. Raises RuntimeError for shapes, dtypes
    or sides that do not fit.
    """
    table = to_numpy(sorted_sequence.array)
    wanted = to_numpy(values.array) if isinstance(values, Tensor) else np.asarray(values)
    if side is not None and side not in ("left", "right"):
        raise RuntimeError(f"searchsorted(): side can only be 'left' or 'right' but got {side}")
    if right and side == "left":
        raise RuntimeError("searchsorted(): side and right can't be set to opposites")
    if table.ndim == 0:
        raise RuntimeError("searchsorted(): the boundary tensor should have at least 1 dimension")
    if table.ndim > 1 and (wanted.ndim != table.ndim or wanted.shape[:-1] != table.shape[:-1]):
        raise RuntimeError(
            "searchsorted(): boundary tensor should be 1 dimension or the first N-1 dimensions of "
            f"boundaries tensor and input value tensor must match, got {list(table.shape)} and "
            f"{list(wanted.shape)}"
        )
    if sorter is not None:
        order = to_numpy(sorter.array)
        if order.shape != table.shape or order.dtype != np.int64:
            raise RuntimeError(
                "searchsorted(): sorter must have the boundary tensor's shape and dtype int64"
            )
        if order.size and (order.min() < 0 or order.max() >= table.shape[-1]):
            raise RuntimeError("searchsorted(): sorter index out of range")
        table = np.take_along_axis(table, order, -1)
    after: Any = "right" if right or side == "right" else "left"
    if table.ndim == 1:
        found = np.asarray(np.searchsorted(table, wanted, after))
    else:
        found = np.empty(wanted.shape, np.int64)
        for at in np.ndindex(table.shape[:-1]):
            found[at] = np.searchsorted(table[at], wanted[at], after)
    return beside(sorted_sequence, found.astype(np.int32 if out_int32 else np.int64))


@function(method=False)
def bucketize(
    input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """The bucket of each value between the sorted 1-d `boundaries`, int64 (or int32)."""
    if boundaries.array.ndim != 1:
        raise RuntimeError(
            "bucketize(): boundaries tensor must be 1 dimension, but got dim "
            f"({boundaries.array.ndim})"
        )
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@function()
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each number 0, 1, … occurs in a 1-d integer tensor (or its weights summed).

    Raises RuntimeError for other shapes, dtypes and negative numbers.
    """
    array = to_numpy(input.array)
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array.size and array.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if weights is None:
        return beside(input, np.bincount(array, minlength=minlength).astype(np.int64))
    if weights.array.shape != array.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    summed = np.bincount(array, to_numpy(weights.array), minlength)
    kept = weights.array.dtype == np.float32
    return beside(input, summed.astype(np.float32 if kept else np.float64))


# -- histograms ------------------------------------------------------------------------------------


def _limits(name: str, values: np.ndarray, low: float, high: float) -> tuple[float, float]:
    if low == high and values.size:
        low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"{name}: range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(f"{name}: max must be larger than min, got [{low}, {high}]")
    if low == high:
        low, high = low - 1, high + 1
    return low, high


@function()
def histc(input: Tensor, bins: int = 100, min: Any = 0, max: Any = 0) -> Tensor:
    """How many elements lie in each of `bins` equal bins from `min` to `max` (bins).

    With min = max the limits are the data's. Elements outside are not counted.
    """
    values = to_numpy(input.array).reshape(-1)
    if values.dtype.kind not in "fV":
        raise NotImplementedError(f'"histogram_cpu" not implemented for {input.dtype}')
    if bins <= 0:
        raise RuntimeError("bins must be > 0")
    low, high = _limits("torch.histc".replace("torch", "workbench"), values, float(min), float(max))
    inside = values[(values >= low) & (values <= high)].astype(np.float64)
    place = np.minimum(((inside - low) / (high - low) * bins).astype(np.int64), bins - 1)
    return beside(input, np.bincount(place, minlength=bins).astype(values.dtype))


def _edges(name: str, column: np.ndarray, bins: Any, span: Any) -> np.ndarray:
    if isinstance(bins, Tensor):
        edges = to_numpy(bins.array)
        if edges.dtype != column.dtype:
            raise RuntimeError(
                f"{name}(): input tensor and bins tensors should have the same dtype"
            )
        return np.ascontiguousarray(edges)
    low, high = (0.0, 0.0) if span is None else (float(span[0]), float(span[1]))
    if span is None and not column.size:
        high = 1.0
    low, high = _limits(name, column, low, high)
    return np.linspace(low, high, int(bins) + 1).astype(column.dtype)


def _counted(
    name: str, points: np.ndarray, edges: list[np.ndarray], weight: Tensor | None, density: bool
) -> np.ndarray:
    """Points (N, D) counted (or their weights summed) in bins, the last of each closed."""
    shape = tuple(len(e) - 1 for e in edges)
    inside = np.ones(len(points), bool)
    place = []
    for d, e in enumerate(edges):
        x = points[:, d]
        inside &= (x >= e[0]) & (x <= e[-1])
        place.append(np.minimum(np.searchsorted(e, x, "right") - 1, len(e) - 2))
    scale = None
    if weight is not None:
        if weight.array.dtype != points.dtype:
            raise RuntimeError(f"{name}(): input tensor and weight should have the same dtype")
        if weight.array.size != len(points):
            raise RuntimeError(f"{name}(): weight must have one number for every point")
        scale = to_numpy(weight.array).reshape(-1)[inside]
    flat: Any = np.ravel_multi_index(tuple(p[inside] for p in place), shape) if inside.any() else []
    counts = np.bincount(np.asarray(flat, np.int64), scale, int(np.prod(shape))).reshape(shape)
    if density:
        counts = counts / counts.sum()
        for d, e in enumerate(edges):
            counts = counts / np.diff(e).reshape((-1,) + (1,) * (len(edges) - d - 1))
    return counts.astype(points.dtype)


def _points(name: str, input: Tensor) -> np.ndarray:
    if input.array.dtype.kind != "f":
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype}')
    return to_numpy(input.array)


@function()
def histogram(
    input: Tensor,
    bins: Any,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """Counts (or weights, or with `density` a density) in bins, and the bins' edges.

    `bins` is a number of equal bins over `range` (the data's by default) or a tensor of edges.
    """
    flat = _points("histogram", input).reshape(-1, 1)
    edges = _edges("histogram", flat[:, 0], bins, range)
    hist = _counted("histogram", flat, [edges], weight, density)
    return result_type("histogram", ("hist", "bin_edges"))(
        beside(input, hist), beside(input, edges)
    )


@function(method=False)
def histogramdd(
    input: Tensor,
    bins: Any,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Any:
    """The histogram of points in D dimensions: `input` (…, D) → counts (bins, …) and D edges.

    `bins`: one number, D numbers, or D tensors of edges; `range`: 2 D numbers.
    """
    points = _points("histogramdd", input)
    if points.ndim < 2:
        raise RuntimeError("histogramdd(): input tensor should have at least 2 dimensions")
    points = points.reshape(-1, points.shape[-1])
    depth = points.shape[1]
    given = [bins] * depth if isinstance(bins, int) else list(bins)
    if len(given) != depth:
        raise RuntimeError(
            f"histogramdd(): expected {depth} sequences of bin edges for a {depth}-dimensional "
            f"histogram but got {len(given)}"
        )
    if range is not None and len(range) != 2 * depth:
        raise RuntimeError(f"histogramdd(): range should have {2 * depth} elements")
    edges = [
        _edges("histogramdd", points[:, d], b, None if range is None else range[2 * d : 2 * d + 2])
        for d, b in enumerate(given)
    ]
    hist = _counted("histogramdd", points, edges, weight, density)
    made = result_type("histogramdd", ("hist", "bin_edges"))
    return made(beside(input, hist), tuple(beside(input, e) for e in edges))
