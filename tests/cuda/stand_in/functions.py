"""Module functions: those that take host data, wait for the host, or differ from NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np

from .array import bare, made, ndarray, wrapped
from .methods import SPECIAL as METHODS
from .methods import finish, reduction
from .record import bind
from .state import state

SUPPORTED = "?bBhHiIlLqQefdFDE"


def array(
    obj: Any, dtype: Any = None, copy: Any = True, order: Any = "K", subok: Any = False,
    ndmin: int = 0, *, blocking: bool = False,
) -> ndarray:  # fmt: skip
    """A device array from device arrays (also in lists), host arrays, lists or numbers."""
    if isinstance(obj, ndarray):
        if not copy and (dtype is None or obj.dtype == dtype) and ndmin <= obj.ndim:
            return obj
        state.launch("copy")
        return made(np.array(bare(obj), dtype, order=order or "K", ndmin=ndmin))
    if isinstance(obj, (list, tuple)) and any(isinstance(o, ndarray) for o in obj):
        state.launch("concatenate")
        return made(np.array([bare(o) for o in obj], dtype, ndmin=ndmin))
    host = np.array(obj, dtype, order=order or "K", ndmin=ndmin)
    if host.dtype.char not in SUPPORTED:
        raise ValueError(f"Unsupported dtype {host.dtype}")
    state.upload()
    return made(host)


def asarray(a: Any, dtype: Any = None, order: Any = None, *, blocking: bool = False) -> ndarray:
    """As `array`, without a copy where none is needed."""
    return array(a, dtype, copy=False, order=order)


def asnumpy(
    a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True
) -> np.ndarray:
    """A copy in host memory."""
    return a.get(order=order, out=out) if isinstance(a, ndarray) else np.asarray(a)


def get_array_module(*args: Any) -> Any:
    """This module where a device array is among the arguments, else NumPy."""
    from .modules import cupy

    return cupy if any(isinstance(a, ndarray) for a in args) else np


def _contiguous(order: str) -> Any:
    def contiguous(a: Any, dtype: Any = None) -> ndarray:
        held = asarray(a)
        host = np.asarray(held._host, dtype, order=order)
        return held if host is held._host else made(np.array(host, order=order))

    return contiguous


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if (x is None) != (y is None):
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    if x is None:
        return METHODS["nonzero"](condition)
    condition.astype  # noqa: B018 - CuPy takes arrays only
    for value in (x, y):
        if not isinstance(value, (ndarray, bool, int, float, complex, np.generic)):
            raise TypeError(f"Unsupported type {type(value)}")
    return finish(np.where(bare(condition), bare(x), bare(y)))


def _counting(name: str) -> Any:
    """Functions whose result's shape depends on data: the host has to wait."""

    def call(*args: Any, **kwargs: Any) -> Any:
        state.sync(name)
        return wrapped(getattr(np, name)(*map(bare, args), **kwargs))

    return call


def _take_along_axis(a: ndarray, indices: ndarray, axis: Any) -> ndarray:
    if axis is None:
        a, indices, axis = a.ravel(), indices.ravel(), 0
    size = a.shape[axis]
    return finish(np.take_along_axis(bare(a), bare(indices) % max(size, 1), axis))


def _put_along_axis(arr: ndarray, indices: ndarray, values: Any, axis: Any) -> None:
    size = arr.shape[axis]
    np.put_along_axis(bare(arr), bare(indices) % max(size, 1), bare(values), axis)


def _joined(name: str) -> Any:
    def join(arrays: Any, axis: Any = 0, out: Any = None, **options: Any) -> Any:
        parts = list(arrays)
        if not all(isinstance(p, ndarray) for p in parts):
            raise TypeError("Only cupy arrays can be concatenated")
        dtype = options.get("dtype")
        result = getattr(np, name)([bare(p) for p in parts], axis=axis)
        return finish(result if dtype is None else result.astype(dtype), out)

    return join


def _einsum(*operands: Any, **options: Any) -> ndarray:
    dtype = options.pop("dtype", None)
    options.pop("optimize", None)
    if options:
        raise TypeError(f"Did not understand the following kwargs: {list(options)}")
    with np.errstate(all="ignore"):
        return finish(np.einsum(*map(bare, operands), dtype=dtype))


def _matmul(a: Any, b: Any, out: Any = None, **options: Any) -> ndarray:
    if options:
        raise TypeError(f"Wrong arguments {options}")
    x, y = bare(a), bare(b)
    if not (isinstance(a, ndarray) and isinstance(b, ndarray)):
        raise TypeError(f"Unsupported type {type(b)}")
    if not (x.ndim and y.ndim):
        raise ValueError("Scalar operands are not allowed, use '*' instead")
    half = np.promote_types(x.dtype, y.dtype)
    with np.errstate(all="ignore"):
        if half.char in "eE":
            return finish(np.matmul(x.astype("f"), y.astype("f")).astype(half), out)
        return finish(np.matmul(x, y), out)


def _unique(*args: Any, **options: Any) -> Any:
    state.sync("unique")
    if args[0].dtype.kind == "c" and options.get("axis") is None:
        pass  # sorted by real, then imaginary part, as NumPy's
    return wrapped(np.unique(*map(bare, args), **options))


def _bincount(x: ndarray, weights: Any = None, minlength: Any = None) -> ndarray:
    state.sync("bincount")
    if x.ndim > 1:
        raise ValueError("object too deep for desired array")
    if x.dtype.kind == "b" or x.dtype.kind not in "iu":
        raise TypeError(f"x must be int array, not {x.dtype}")
    return made(np.bincount(bare(x), bare(weights), minlength or 0))


def _pad(array: ndarray, pad_width: Any, mode: Any = "constant", **options: Any) -> ndarray:
    return finish(np.pad(bare(array), pad_width, mode, **{k: bare(v) for k, v in options.items()}))


def _shares_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    return bool(np.shares_memory(bare(a), bare(b)))


def _through_method(name: str) -> Any:
    method = METHODS[name]
    return lambda a, *args, **kwargs: method(_device(a), *args, **kwargs)


def _device(a: Any) -> ndarray:
    if not isinstance(a, ndarray):
        raise TypeError(f"Argument 'a' has incorrect type (expected cupy.ndarray, got {type(a)})")
    return a


def _sorted(a: ndarray, axis: Any = -1, kind: Any = None) -> ndarray:
    if axis is None:
        a, axis = a.flatten(), -1
    copy = made(bare(a).copy(order="C"))
    METHODS["sort"](copy, axis, kind)
    return copy


def _argsorted(a: ndarray, axis: Any = -1, kind: Any = None) -> ndarray:
    if axis is None:
        a, axis = a.flatten(), -1
    return METHODS["argsort"](a, axis, kind)


def _broadcast_arrays(*arrays: Any, subok: Any = None) -> list[ndarray]:
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    return [made(np.broadcast_to(bare(a), shape), a) for a in arrays]


def _allclose(*args: Any, **options: Any) -> ndarray:
    return finish(np.allclose(*map(bare, args), **options))


def _array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> ndarray:
    return finish(np.array_equal(bare(a1), bare(a2), equal_nan))


def _scatter(name: str) -> Any:
    def write(a: ndarray, slices: Any, value: Any) -> None:
        from .indexing import scatter

        scatter(a, slices, value, name)

    return write


SPECIAL: dict[str, Any] = {
    "array": array, "asarray": asarray, "asanyarray": asarray, "asnumpy": asnumpy,
    "ascontiguousarray": _contiguous("C"), "asfortranarray": _contiguous("F"),
    "get_array_module": get_array_module, "where": _where, "einsum": _einsum, "matmul": _matmul,
    "take_along_axis": _take_along_axis, "put_along_axis": _put_along_axis,
    "concatenate": _joined("concatenate"), "stack": _joined("stack"), "unique": _unique,
    "bincount": _bincount, "pad": _pad, "shares_memory": _shares_memory, "sort": _sorted,
    "argsort": _argsorted, "allclose": _allclose, "array_equal": _array_equal,
    "nonzero": lambda a: METHODS["nonzero"](a),
    "nansum": reduction("nansum"), "nanprod": reduction("nanprod"),
    "nanmax": lambda a, axis=None, out=None, keepdims=False: reduction("nanmax")(
        a, axis, None, out, keepdims
    ),
    "nanmin": lambda a, axis=None, out=None, keepdims=False: reduction("nanmin")(
        a, axis, None, out, keepdims
    ),
    "broadcast_arrays": _broadcast_arrays,
    "copy": lambda a, order="K": made(bare(a).copy(order=order)),
    **{name: _counting(name) for name in ("argwhere", "flatnonzero", "extract", "compress",
                                           "trim_zeros")},
    **{name: _through_method(name) for name in (
        "sum", "prod", "mean", "max", "min", "all", "any", "argmax", "argmin", "cumsum", "cumprod",
        "var", "std", "take",
    )},
    "amax": _through_method("max"), "amin": _through_method("min"),
    "scatter_add": _scatter("add"), "scatter_max": _scatter("max"), "scatter_min": _scatter("min"),
}  # fmt: skip

# Functions that take host numbers or shapes only, or that CuPy lets take host data.
FROM_HOST = {"array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "asnumpy",
             "get_array_module"}  # fmt: skip
NO_LAUNCH = FROM_HOST | {"shares_memory", "may_share_memory", "result_type", "can_cast", "finfo",
                         "iinfo", "reshape", "transpose", "swapaxes", "moveaxis", "squeeze",
                         "expand_dims", "broadcast_to", "broadcast_arrays", "shape", "ndim",
                         "size", "ravel", "split", "array_split", "empty",
                         "empty_like"}  # fmt: skip


def function(module: str, name: str, parameters: str | None, compute: Any) -> Any:
    """A recorded function: checked against its parameters, then computed on the host."""
    special = SPECIAL.get(name) if module in ("cupy", "cupyx") else None

    def call(*args: Any, **kwargs: Any) -> Any:
        bind(f"{module}.{name}", parameters, args, kwargs)
        if name not in NO_LAUNCH:
            state.launch(name)
        if special is not None:
            return special(*args, **kwargs)
        if compute is None:
            raise NotImplementedError(f"the stand-in cannot compute {module}.{name}")
        out = kwargs.get("out")
        given = [bare(a) for a in args]
        named = {k: bare(v) for k, v in kwargs.items() if v is not None or k != "out"}
        with np.errstate(all="ignore"):
            result = compute(*given, **named)
        sources = [a for a in (*args, *kwargs.values()) if isinstance(a, ndarray)]
        for a in args:
            if isinstance(a, (list, tuple)):
                sources += [x for x in a if isinstance(x, ndarray)]
        return out if isinstance(out, ndarray) else wrapped(result, *sources)

    call.__name__ = name
    call.__module__ = module
    return call
