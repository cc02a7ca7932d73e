"""Sums, products, means and extremes."""

from __future__ import annotations

from typing import Any

from workbench.arrays import as_dtype, namespace
from workbench.arrays.dtypes import int64, uint64
from workbench.tensor import Tensor, wrap
from workbench.tensor.functions import raw

from .array import cast, standard
from .manipulation import dimension


def over(x: Tensor, axis: Any, keepdims: bool) -> tuple[Tensor, tuple[int, ...], bool]:
    """What to reduce, over which dimensions, and whether to keep them: all for `axis` None.

    The empty tuple means none (torch: all), each element alone.
    """
    if axis is None:
        return x, tuple(range(x.array.ndim)), keepdims
    if isinstance(axis, (tuple, list)):
        if not axis:
            return raw("unsqueeze")(x, -1), (-1,), False
        return x, tuple(axis), keepdims
    return x, (axis,), keepdims


def _summed(x: Tensor, dtype: Any) -> Tensor:
    """`x` in the dtype of its sum: the default integer where that holds more."""
    if dtype is not None:
        return cast(x, as_dtype(dtype))
    kind = x.array.dtype.kind
    return cast(x, uint64 if kind == "u" else int64) if kind in "biu" else x


@standard
def sum(  # noqa: A001 - the standard's name
    x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False
) -> Tensor:
    """The sum over `axis` (all by default). Integers are summed in 64 bits."""
    held, dims, keepdims = over(_summed(x, dtype), axis, keepdims)
    if held.array.dtype.kind == "u":  # torch would sum in int64
        array = held.array.sum(axis=dims, keepdims=keepdims, dtype=held.array.dtype)
        return wrap(namespace(x.array).asarray(array))
    return raw("sum")(held, dims, keepdims, held.array.dtype)


@standard
def prod(x: Tensor, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The product over `axis` (all by default). Integers are multiplied in 64 bits."""
    held, dims, keepdims = over(_summed(x, dtype), axis, keepdims)
    if held.array.dtype.kind in "biu":
        array = held.array.prod(axis=dims, keepdims=keepdims, dtype=held.array.dtype)
        return wrap(namespace(x.array).asarray(array))
    chosen = sorted((dimension(a, held.array.ndim, "prod") for a in dims), reverse=True)
    for place in chosen:
        held = raw("prod")(held, place, keepdims)
    return raw("clone")(held) if held is x else held


@standard
def mean(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The arithmetic mean over `axis` (all by default)."""
    return raw("mean")(*over(x, axis, keepdims))


@standard
def var(
    x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """The variance over `axis`: squared deviations over n - correction."""
    return raw("variance")(*over(x, axis, keepdims), correction)


@standard
def std(
    x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """The square root of the variance."""
    return raw("sqrt")(raw("variance")(*over(x, axis, keepdims), correction))


@standard
def max(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:  # noqa: A001
    """The largest element over `axis` (all by default); nan where there is one."""
    return raw("amax")(*over(x, axis, keepdims))


@standard
def min(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Tensor:  # noqa: A001
    """The smallest element over `axis` (all by default); nan where there is one."""
    return raw("amin")(*over(x, axis, keepdims))


def _scan(name: str, x: Tensor, axis: int | None, dtype: Any, include_initial: bool) -> Tensor:
    if axis is None:
        if x.array.ndim > 1:
            raise ValueError(f"{name}: axis is needed for more than one dimension")
        axis = 0
    if x.array.ndim == 0:
        x = raw("reshape")(x, (1,))
    axis = dimension(axis, x.array.ndim, name)
    held = _summed(x, dtype)
    target, xp = held.array.dtype, namespace(x.array)
    torch_name = "cumsum" if name == "cumulative_sum" else "cumprod"
    if target.kind == "u":
        made = wrap(getattr(xp, torch_name)(held.array, axis=axis, dtype=target))
    else:
        made = raw(torch_name)(held, axis, target)
    if not include_initial:
        return made
    shape = list(x.array.shape)
    shape[axis] = 1
    first = wrap(xp.full(shape, 0 if torch_name == "cumsum" else 1, target))
    return raw("cat")([first, made], axis)


@standard
def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Running sums along `axis`, with a 0 in front where `include_initial`."""
    return _scan("cumulative_sum", x, axis, dtype, include_initial)


@standard
def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Running products along `axis`, with a 1 in front where `include_initial`."""
    return _scan("cumulative_prod", x, axis, dtype, include_initial)
