"""Batching rules: each declared op over operands with one more dimension in front.

A rule returns the result with that dimension in front (a tuple for several results, auxiliary ones
included), or None to be done sample by sample.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.ops import OPS
from workbench.ops.reduce import axis
from workbench.ops.shape import resolve

from .batched import aligned
from .dispatch import Call

Rule = Callable[[Call], Any]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule for the ops of these names that are declared."""

    def register(made: Rule) -> Rule:
        for name in names:
            if name in OPS:
                RULES[name] = made
        return made

    return register


# -- elementwise ----------------------------------------------------------------------------------


def elementwise(call: Call) -> Any:
    """Samples broadcast as they would alone: sides of 1 go between the hidden and the others."""
    return call.run(*aligned(call.values, call.level))


# files of ops
_ELEMENTWISE = ("elementwise", "compare", "blend", "trigonometry", "exponentials", "integers",
                "complexes")  # fmt: skip
_WITH_DIMS = {"dim", "dims", "axis", "axes", "index", "shape", "n"}

for _op in OPS.values():
    _plain = _op.shape is None and not (_op.sequence or _op.view or _op.returns or _op.aux)
    _plain = _plain and not _op.random and not _WITH_DIMS & {p.name for p in _op.settings}
    if _plain and (_op.family in _ELEMENTWISE or _op.ufunc is not None):
        RULES[_op.name] = elementwise

rule(
    "relu", "leaky_relu", "elu", "sigmoid", "silu", "softplus", "erf", "gelu", "masked_fill",
    "clone", "to_dtype", "selu", "celu", "hardtanh", "relu6", "hardswish", "hardsigmoid", "mish",
    "logsigmoid", "softsign", "tanhshrink", "hardshrink", "softshrink", "threshold",
)(elementwise)  # fmt: skip


# -- shapes ---------------------------------------------------------------------------------------


@rule("reshape", "view_as_shape")
def _reshape(call: Call) -> Any:
    sides = resolve(tuple(call.settings["shape"]), call.values[0].size)
    return call.run(call.spread(0), shape=(call.size, *sides))


@rule("flatten")
def _flatten(call: Call) -> Any:
    n = call.ndim()
    x = call.spread(0)
    if n == 0:
        return x.reshape(call.size, 1)
    first, last = axis(call.settings["start_dim"], n), axis(call.settings["end_dim"], n)
    return call.run(x, start_dim=first + 1, end_dim=last + 1)


@rule("permute")
def _permute(call: Call) -> Any:
    n = call.ndim()
    dims = tuple(call.settings["dims"])
    return call.run(call.spread(0), dims=(0, *(axis(d, n) + 1 for d in dims)))


@rule("transpose")
def _transpose(call: Call) -> Any:
    n = call.ndim()
    first, second = (axis(call.settings[k], n) + 1 for k in ("dim0", "dim1"))
    return call.run(call.spread(0), dim0=first, dim1=second) if n else call.spread(0)[...]


@rule("squeeze")
def _squeeze(call: Call) -> Any:
    n, dim = call.ndim(), call.settings["dim"]
    if n == 0:
        return call.spread(0)[...]
    dims = range(n) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    return call.run(call.spread(0), dim=tuple(axis(d, n) + 1 for d in dims))


@rule("unsqueeze")
def _unsqueeze(call: Call) -> Any:
    return call.run(call.spread(0), dim=axis(call.settings["dim"], call.ndim() + 1) + 1)


@rule("expand")
def _expand(call: Call) -> Any:
    shape = tuple(call.settings["shape"])
    x, n = call.spread(0), call.ndim()
    lead = len(shape) - n
    if lead > 0:
        x = x.reshape((call.size,) + (1,) * lead + tuple(x.shape[1:]))
    return call.run(x, shape=(call.size, *shape))


@rule("sum_to")
def _sum_to(call: Call) -> Any:
    shape, x = tuple(call.settings["shape"]), call.spread(0)
    lead = call.ndim() - len(shape)
    padded = (call.size, *(1,) * lead, *shape)
    return call.run(x, shape=padded).reshape((call.size, *shape))


@rule("flip")
def _flip(call: Call) -> Any:
    n, dims = call.ndim(), call.settings["dims"]
    return call.run(call.spread(0), dims=tuple(axis(d, n) + 1 for d in dims) if n else ())


@rule("narrow", "select")
def _narrow(call: Call) -> Any:
    if not call.ndim():
        return None
    return call.run(call.spread(0), dim=axis(call.settings["dim"], call.ndim()) + 1)


@rule("slice_backward")
def _slice_backward(call: Call) -> Any:
    s = call.settings
    shape = (call.size, *s["shape"])
    return call.run(call.spread(0), shape=shape, dim=axis(s["dim"], len(s["shape"])) + 1)


@rule("repeat_tiles")
def _repeat(call: Call) -> Any:
    repeats = tuple(call.settings["repeats"])
    x = call.spread(0)
    x = x.reshape((call.size,) + (1,) * (len(repeats) - call.ndim()) + tuple(x.shape[1:]))
    return call.run(x, repeats=(1, *repeats))


@rule("cat", "stack")
def _join(call: Call) -> Any:
    from .batched import spread

    parts = call.values[0]
    stacking = call.op.name == "stack"
    if not stacking:
        parts = [p for p in parts if p.shape != (0,)] or parts[:1]
        if not parts[0].ndim:
            return None
    where = axis(call.settings["dim"], parts[0].ndim + stacking)
    return call.run([spread(p, call.level) for p in parts], dim=where + 1)


@rule("tril", "triu")
def _triangle(call: Call) -> Any:
    return call.run(call.spread(0)) if call.ndim() >= 2 else None


@rule("roll")
def _roll(call: Call) -> Any:
    dims, n = call.settings["dims"], call.ndim()
    dims = (dims,) if isinstance(dims, int) else tuple(dims)
    if not n or not dims:
        return None
    return call.run(call.spread(0), dims=tuple(axis(d, n) + 1 for d in dims))


@rule("diagonal", "diagonal_backward")
def _diagonal(call: Call) -> Any:
    settings = dict(call.settings)
    n = len(settings["shape"]) if "shape" in settings else call.ndim()
    if n < 2:
        return None
    for name in ("dim1", "dim2"):
        settings[name] = axis(settings[name], n) + 1
    if "shape" in settings:
        settings["shape"] = (call.size, *settings["shape"])
    return call.run(call.spread(0), **settings)


@rule("fft_c2c", "fft_r2c", "fft_c2r")
def _fft(call: Call) -> Any:
    dims, n = call.settings["dims"], call.ndim()
    if not n or not isinstance(dims, (tuple, list)):
        return None
    return call.run(call.spread(0), dims=tuple(axis(d, n) + 1 for d in dims))


@rule("fft_fit")
def _fft_fit(call: Call) -> Any:
    return call.run(call.spread(0), shape=(call.size, *call.settings["shape"]))


# -- reductions -----------------------------------------------------------------------------------


@rule("sum", "mean", "variance", "prod", "amax", "amin", "all", "any", "logsumexp", "nansum")
def _reduction(call: Call) -> Any:
    n, dim, x = call.ndim(), call.settings.get("dim"), call.spread(0)
    if n == 0:
        return call.run(x.reshape(call.size, 1), dim=(1,), keepdim=False)
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        dims = tuple(range(1, n + 1))
    else:
        dims = tuple(axis(d, n) + 1 for d in (dim if isinstance(dim, (tuple, list)) else (dim,)))
    return call.run(x, dim=dims if len(dims) > 1 else dims[0])


@rule("argmax", "argmin")
def _arg(call: Call) -> Any:
    n, dim, x = call.ndim(), call.settings["dim"], call.spread(0)
    if dim is not None and n:
        return call.run(x, dim=axis(dim, n) + 1)
    found = call.run(x.reshape(call.size, -1), dim=1, keepdim=False)
    return found.reshape((call.size,) + (1,) * n) if call.settings["keepdim"] else found


@rule("max_dim", "min_dim", "cumsum", "cumprod", "cummax", "cummin", "softmax", "log_softmax",
      "logcumsumexp", "sort_dim", "median_dim", "nanmedian_dim", "mode", "kthvalue",
      "topk_dim")  # fmt: skip
def _along(call: Call) -> Any:
    n, x = call.ndim(), call.spread(0)
    if n == 0 or not isinstance(call.settings.get("dim"), int):
        return None
    return call.run(x, dim=axis(call.settings["dim"], n) + 1)


# -- indexing -------------------------------------------------------------------------------------


def _has_arrays(index: tuple[Any, ...]) -> bool:
    return any(hasattr(i, "dtype") or isinstance(i, (list, np.ndarray)) for i in index)


def _is_mask(item: Any) -> bool:
    return hasattr(item, "dtype") and item.dtype.kind == "b"


def _inner_index(call: Call, index: Any) -> Any:
    """The index that, after the hidden dimension, picks the same of every sample; None: no way."""
    from .batched import is_at, top_level

    index = index if isinstance(index, tuple) else (index,)
    level = call.level
    arrays = [i for i in index if hasattr(i, "dtype")]
    if not any(is_at(a, level) for a in arrays):
        if top_level(arrays) is not None:
            return None
        places = [k for k, i in enumerate(index) if hasattr(i, "dtype") or type(i) is int]
        split = bool(arrays) and places[-1] - places[0] + 1 != len(places)
        return None if split else (slice(None), *index)
    if any(_is_mask(a) for a in arrays):
        return None
    last = max(k for k, i in enumerate(index) if hasattr(i, "dtype"))
    if any(not hasattr(i, "dtype") and type(i) is not int for i in index[: last + 1]):
        return None
    if any(hasattr(i, "dtype") or type(i) is int for i in index[last + 1 :]):
        return None
    ndim = max(a.ndim for a in arrays)
    rows = np.arange(call.size).reshape((call.size,) + (1,) * ndim)
    held = aligned(arrays, level)
    parts = iter(held)
    return (rows, *(next(parts) if hasattr(i, "dtype") else i for i in index))


@rule("getitem")
def _getitem(call: Call) -> Any:
    index = _inner_index(call, call.settings["index"])
    return None if index is None else call.run(call.spread(0), index=index)


@rule("index_backward")
def _index_backward(call: Call) -> Any:
    index = _inner_index(call, call.settings["index"])
    if index is None:
        return None
    return call.run(call.spread(0), index=index, shape=(call.size, *call.settings["shape"]))


@rule("index_zero")
def _index_zero(call: Call) -> Any:
    index = _inner_index(call, call.settings["index"])
    return None if index is None else call.run(call.spread(0), index=index)


@rule("index_put")
def _index_put(call: Call) -> Any:
    index = _inner_index(call, call.settings["index"])
    if index is None:
        return None
    x, values = call.spread(0), call.inside(1)
    if call.mapped(1):
        missing = x[index].ndim - values.ndim
        values = values.reshape(values.shape[:1] + (1,) * missing + values.shape[1:])
    return call.run(x, values, index=index)


@rule("gather_along")
def _gather(call: Call) -> Any:
    n = call.ndim(0)
    if n == 0 or call.ndim(1) != n:
        return None
    return call.run(call.spread(0), call.spread(1), dim=axis(call.settings["dim"], n) + 1)


@rule("gather_backward")
def _gather_backward(call: Call) -> Any:
    shape = tuple(call.settings["shape"])
    if not shape or call.ndim(1) != len(shape):
        return None
    where = axis(call.settings["dim"], len(shape)) + 1
    return call.run(call.spread(0), call.spread(1), shape=(call.size, *shape), dim=where)
