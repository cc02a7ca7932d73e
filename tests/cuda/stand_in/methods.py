"""Array methods that are not NumPy's: reductions with CuPy's type loops, sorting, copies."""

from __future__ import annotations

from typing import Any

import numpy as np

from .array import bare, made, ndarray
from .record import API
from .state import state
from .ufuncs import Operand, choose, parse

_LOOPS = {name: parse(loops) for name, loops in API["reductions"].items()}
# Kernels kept where Python cannot see them; read from CuPy's source.
_ARG = parse(" ".join([f"{d}->q" for d in "?BhHiIlLqQefdFD"]))
_MEAN = parse("?->d B->d h->d H->d i->d I->d l->d L->d q->d Q->d E->E e->e f->f d->d F->F D->D")
_LOOPS |= {"argmax": _ARG, "argmin": _ARG, "mean": _MEAN}


def finish(host: Any, out: ndarray | None = None) -> ndarray:
    """A fresh result, or the `out` it was asked into."""
    if out is None:
        return made(np.array(host, order="C"))
    out._host[...] = host
    return out


def reduction(name: str) -> Any:
    """A reduction in the loop that CuPy would choose."""

    def reduce(
        self: ndarray, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False
    ) -> ndarray:
        host = bare(self)
        wanted = None if dtype is None else np.dtype(dtype)
        chosen, given = choose(f"cupy_{name}", _LOOPS[name], [Operand(self)], wanted)
        work = host.astype(chosen[0] if wanted is None else given[0], copy=False)
        if work.dtype.char in "eE" and name in ("mean", "sum"):
            work = work.astype(np.float32)
        with np.errstate(all="ignore"):
            result = getattr(np, name)(work, axis=axis, keepdims=bool(keepdims))
        return finish(np.asarray(result).astype(given[0]), out)

    return reduce


def _without_dtype(name: str) -> Any:
    reduce = reduction(name)
    return lambda self, axis=None, out=None, keepdims=False: reduce(self, axis, None, out, keepdims)


def _argument(name: str) -> Any:
    reduce = reduction(name)

    def argument(
        self: ndarray, axis: Any = None, out: Any = None, dtype: Any = None, keepdims: bool = False
    ) -> ndarray:
        return reduce(self, axis, dtype, out, keepdims)

    return argument


def _mean(
    self: ndarray, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> ndarray:
    if dtype is None and self.dtype.kind in "iub":
        dtype = np.float64
    return reduction("mean")(self, axis, dtype, out, keepdims)


def _scan(name: str) -> Any:
    def scan(self: ndarray, axis: Any = None, dtype: Any = None, out: Any = None) -> ndarray:
        host = bare(self)
        if dtype is None and host.dtype.kind in "iub":
            dtype = np.uint64 if host.dtype.kind == "u" else np.int64
        with np.errstate(all="ignore"):
            return finish(getattr(np, name)(host, axis=axis, dtype=dtype), out)

    return scan


def _astype(
    self: ndarray, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None,
    copy: bool = True,
) -> ndarray:  # fmt: skip
    if casting is not None or subok is not None:
        raise TypeError("casting is not supported yet")
    host = bare(self)
    if not copy and host.dtype == np.dtype(dtype):
        return self
    if host.dtype.kind == "c" and np.dtype(dtype).kind not in "cb":
        import warnings

        warnings.warn(
            "Casting complex values to real discards the imaginary part",
            np.exceptions.ComplexWarning,
            stacklevel=3,
        )
        host = host.real
    with np.errstate(all="ignore"):
        return made(host.astype(dtype, order=order, copy=True))


def _copy(self: ndarray, order: str = "C") -> ndarray:
    return made(bare(self).copy(order=order))


def _sort(self: ndarray, axis: int = -1, kind: Any = None) -> None:
    _sortable(self, kind)
    if not self.flags.c_contiguous:
        raise NotImplementedError("Sorting non-contiguous array is not supported.")
    self._host.sort(axis=axis, kind="stable")


def _argsort(self: ndarray, axis: Any = -1, kind: Any = None) -> ndarray:
    _sortable(self, kind)
    return made(np.argsort(self._host, axis=axis, kind="stable"))


def _sortable(array: ndarray, kind: Any) -> None:
    if kind not in (None, "stable"):
        raise ValueError("kind can only be None or 'stable'")
    if array.ndim == 0:
        raise np.exceptions.AxisError("Sorting arrays with the rank of zero is not supported")
    if array.dtype.kind == "V":
        raise NotImplementedError(f"Sorting arrays with dtype '{array.dtype}' is not supported")


def _nonzero(self: ndarray) -> Any:
    if not self.ndim:
        raise ValueError("Calling nonzero on 0d arrays is not allowed.")
    state.sync("nonzero")
    return tuple(made(np.ascontiguousarray(p)) for p in np.nonzero(bare(self)))


def _fill(self: ndarray, value: Any) -> None:
    if isinstance(value, ndarray):
        if value.size != 1:
            raise ValueError("non-scalar cupy.ndarray cannot be used for fill")
        value = value._host.reshape(())
    elif isinstance(value, np.ndarray) and value.ndim:
        raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
    bare(self)[...] = value


def _take(self: ndarray, indices: Any, axis: Any = None, out: Any = None) -> ndarray:
    if isinstance(indices, ndarray):
        indices = indices._host
    elif not np.isscalar(indices):
        state.upload()
    return finish(np.take(bare(self), indices, axis=axis, mode="wrap"), out)


def _view(self: ndarray, dtype: Any = None, type: Any = None) -> ndarray:
    host = bare(self)
    return made(host.view() if dtype is None else host.view(dtype), self)


def _conjugate(self: ndarray) -> ndarray:
    return made(np.array(self._host.conj(), order="C")) if self.dtype.kind == "c" else self


def _reshape(self: ndarray, *shape: Any, order: str = "C", copy: Any = None) -> ndarray:
    wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    return made(bare(self).reshape(wanted, order=order), self)


def _var(root: bool) -> Any:
    def var(
        self: ndarray, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
        keepdims: bool = False,
    ) -> ndarray:  # fmt: skip
        with np.errstate(all="ignore"):
            found = np.var(bare(self), axis=axis, dtype=dtype, ddof=ddof, keepdims=keepdims)
            return finish(np.sqrt(found) if root else found, out)

    return var


SPECIAL: dict[str, Any] = {
    "sum": reduction("sum"), "prod": reduction("prod"), "mean": _mean,
    "max": _without_dtype("max"), "min": _without_dtype("min"), "all": _without_dtype("all"),
    "any": _without_dtype("any"), "argmax": _argument("argmax"), "argmin": _argument("argmin"),
    "cumsum": _scan("cumsum"), "cumprod": _scan("cumprod"), "astype": _astype, "copy": _copy,
    "sort": _sort, "argsort": _argsort, "nonzero": _nonzero, "fill": _fill, "take": _take,
    "view": _view, "conj": _conjugate, "conjugate": _conjugate, "var": _var(False),
    "std": _var(True), "reshape": _reshape,
    "flatten": lambda self, order="C": made(bare(self).flatten(order)),
}  # fmt: skip
