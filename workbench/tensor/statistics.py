"""Order statistics and moments: sort, topk, median, quantile, nanmean, cov, corrcoef."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import as_dtype, get_default_dtype

from .compose import sum as total
from .compose import where
from .functions import METHODS, function, raw
from .results import result_type
from .tensor import Tensor, beside
from .transfer import cast_to

_mul, _sub, _add, _div = (raw(n) for n in ("mul", "sub", "add", "div"))


def _named(name: str, made: Any) -> Any:
    return result_type(name, ("values", "indices"))(*made)


@function()
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False
) -> tuple[Tensor, Tensor]:
    """Values in order along `dim`, and where they were; equal ones keep their order.

    nan counts as the largest value. Raises IndexError for dims out of range.
    """
    if isinstance(dim, bool):  # sort(x, stable, dim, descending) of old programs
        dim, descending = (descending if type(descending) is int else -1), bool(stable)
    return _named("sort", raw("sort_dim")(input, dim, descending))


@function()
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The positions that put `input` in order along `dim`; equal values keep their order."""
    return raw("sort_dim")(input.detach(), dim, descending)[1]


@function()
def msort(input: Tensor) -> Tensor:
    """Values in order along the first dimension."""
    return raw("sort_dim")(input, 0)[0]


@function()
def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Tensor, Tensor]:
    """The k largest (or smallest) values along `dim`, in order, and where they are.

    Raises RuntimeError when k is negative or larger than the dimension.
    """
    return _named("topk", raw("topk_dim")(input, k, dim, largest))


def _median(name: str) -> Any:
    whole, along = raw(f"{name}_all"), raw(f"{name}_dim")

    def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            return whole(input)
        return _named(name, along(input, dim, keepdim))

    median.__name__ = median.__qualname__ = name
    skipped = "that are not nan" if name.startswith("nan") else "(nan where there is one)"
    median.__doc__ = f"The lower median of all elements {skipped}; along `dim`: values and indices."
    return function()(median)


_median("median")
_median("nanmedian")


# -- quantiles ---------------------------------------------------------------------------------

_WAYS = ("linear", "lower", "higher", "midpoint", "nearest")


def _levels(name: str, input: Tensor, q: Any, interpolation: str) -> Tensor:
    """`q` as a tensor in the input's dtype, everything checked."""
    array = input.array
    if not array.size:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if array.dtype not in (np.float32, np.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if not isinstance(q, Tensor):
        q = beside(input, np.asarray(q, array.dtype))
    if q.array.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor, got {q.array.ndim}-d")
    if q.array.dtype != array.dtype:
        raise RuntimeError(
            f"{name}() q tensor must be same dtype as the input tensor: {q.dtype}, {input.dtype}"
        )
    if interpolation not in _WAYS:
        raise RuntimeError(
            f"{name}() interpolation must be one of {', '.join(_WAYS)}, but got {interpolation}"
        )
    if not bool(((q.array >= 0) & (q.array <= 1)).all()):
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
    return q


def _quantile(name: str, input: Tensor, q: Any, dim: Any, keepdim: bool, way: str) -> Tensor:
    q = _levels(name, input, q, way)
    several = q.array.ndim == 1
    ndim = input.array.ndim
    if dim is None:
        rows = raw("reshape")(input, (-1,))
        kept = (1,) * ndim
    else:
        at = raw_axis(dim, ndim)
        rows = METHODS["movedim"](input, at, -1) if ndim else raw("reshape")(input, (1,))
        shape = input.array.shape
        kept = (*shape[:at], 1, *shape[at + 1 :]) if ndim else ()
    ordered = raw("sort_dim")(rows, -1)[0]
    last = rows.array.shape[-1] - 1
    q = raw("reshape")(q, (-1,) + (1,) * (rows.array.ndim - 1))
    missing = raw("sum")(raw("isnan")(ordered.detach()), -1)
    if name == "nanquantile":
        ranks = _mul(q, raw("clamp")(_sub(last, missing), 0, None))
    else:
        ranks = where(missing > 0, float(last), _mul(q, float(last)))
    ranks = cast_to(ranks, input.array.dtype)
    ranks = raw("permute")(ranks, (*range(1, ranks.array.ndim), 0))  # (rows, levels)
    rounding = {"lower": "floor", "higher": "ceil", "nearest": "round"}.get(way)
    if rounding is not None:
        ranks = raw(rounding)(ranks.detach())
    below = cast_to(raw("floor")(ranks.detach()), np.dtype(np.int64))
    found = raw("gather_along")(ordered, below, -1)
    if rounding is None:
        above = cast_to(raw("ceil")(ranks.detach()), np.dtype(np.int64))
        upper = raw("gather_along")(ordered, above, -1)
        weight: Any = 0.5 if way == "midpoint" else _sub(ranks, cast_to(below, ranks.array.dtype))
        found = raw("lerp")(found, upper, weight)
    found = raw("permute")(found, (found.array.ndim - 1, *range(found.array.ndim - 1)))
    lead = (found.array.shape[0],) if several else ()
    rest = kept if keepdim else found.array.shape[1:]
    if not several and not keepdim:
        return raw("select")(found, 0, 0)
    return raw("reshape")(found, (*lead, *rest))


def raw_axis(dim: int, ndim: int) -> int:
    """`dim` counted from the front; IndexError when out of range."""
    from workbench.ops.reduce import axis

    return axis(dim, ndim)


@function()
def quantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """The q-th quantiles over `dim` (None: all): q (Q) gives (Q, …); nan where there is a nan.

    `interpolation` between the two nearest values: linear, lower, higher, midpoint or nearest.
    Raises RuntimeError for dtypes but float32 and float64, empty input, and q outside [0, 1].
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation)


@function()
def nanquantile(
    input: Tensor,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """As `quantile`, of what is not nan; nan only where everything is."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation)


# -- moments -----------------------------------------------------------------------------------


@function()
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Sum over `dim`, nan counting as 0; integers add up in int64."""
    if input.array.dtype.kind == "c":
        raise RuntimeError("nansum does not support complex inputs; mask the nan with wb.where")
    known = input
    if input.array.dtype.kind not in "biu":
        known = where(raw("isnan")(input.detach()), 0.0, input)
    return total(known, dim, keepdim, dtype=dtype)


@function()
def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Mean over `dim` of what is not nan. Raises RuntimeError for integers."""
    if input.array.dtype.kind in "biu":
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{input.dtype}"
        )
    wide = input if dtype is None else cast_to(input, as_dtype(dtype).numpy)
    gone = raw("isnan")(wide.detach())
    count = raw("sum")(raw("logical_not")(gone), dim, keepdim)
    return _div(total(where(gone, 0.0, wide), dim, keepdim), count)


def _weights(name: str, given: Tensor | None, count: int, kinds: str) -> Tensor | None:
    if given is None:
        return None
    if given.array.ndim > 1:
        raise RuntimeError(f"cov(): expected {name} to have one or fewer dimensions")
    if given.array.dtype.kind not in kinds:
        raise RuntimeError(f"cov(): {name} has dtype {given.dtype}, which does not do here")
    if given.array.size != count:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations, got "
            f"{given.array.size} != {count}"
        )
    if bool((given.array < 0).any()):
        raise RuntimeError(f"cov(): {name} cannot be negative")
    return given


@function()
def cov(
    input: Tensor,
    *,
    correction: int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """Covariances of the rows (variables) of `input` (V, N) over its columns → (V, V).

    `fweights` (N) counts each observation, `aweights` (N) weighs it.
    Raises RuntimeError for more than two dimensions, bools and weights that do not fit.
    """
    if input.array.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions, got {input.array.ndim}"
        )
    if input.array.dtype.kind == "b":
        raise RuntimeError("cov(): bool dtype is not supported for input")
    whole = input.array.dtype.kind in "iu"
    rows = cast_to(input, get_default_dtype().numpy) if whole else input
    rows = raw("reshape")(rows, (1, -1)) if input.array.ndim < 2 else rows
    count = rows.array.shape[1]
    weights: Any = None
    counts = _weights("fweights", fweights, count, "iu")
    scales = _weights("aweights", aweights, count, "fV")
    for part in (counts, scales):
        if part is not None:
            part = raw("reshape")(part, (-1,))
            weights = part if weights is None else _mul(weights, part)
    if weights is None:
        norm: Any = float(max(count - correction, 0))
        mean = _div(total(rows, 1, True), count)
        scaled = centred = _sub(rows, mean)
    else:
        weights = cast_to(weights, rows.array.real.dtype)
        mass = total(weights)
        mean = _div(total(_mul(rows, weights), 1, True), mass)
        centred = _sub(rows, mean)
        scaled = _mul(centred, weights)
        if scales is None or not correction:
            norm = _sub(mass, float(correction))
        else:
            both = total(_mul(weights, cast_to(scales, weights.array.dtype)))
            norm = _sub(mass, _mul(_div(both, mass), float(correction)))
        norm = raw("clamp")(norm, 0.0, None)
    product = raw("matmul")(scaled, raw("conj")(raw("transpose")(centred, 0, 1)))
    made = _div(product, norm)
    return made if input.array.ndim == 2 else raw("reshape")(made, ())


@function()
def corrcoef(input: Tensor) -> Tensor:
    """Pearson's correlation of the rows (variables) of `input` (V, N) → (V, V), in [-1, 1]."""
    if input.array.ndim > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions, got {input.array.ndim}"
        )
    c = cov(input)
    if c.array.ndim == 0:
        return _div(c, c)
    deviation = raw("sqrt")(raw("diagonal")(c, 0, 0, 1))
    if deviation.is_complex():
        deviation = raw("real")(deviation)
    c = _div(c, raw("unsqueeze")(deviation, 1))
    c = _div(c, raw("unsqueeze")(deviation, 0))
    if c.is_complex():
        parts = [raw("clamp")(p, -1.0, 1.0) for p in (raw("real")(c), raw("imag")(c))]
        return _add(parts[0], _mul(parts[1], 1j))
    return raw("clamp")(c, -1.0, 1.0)
