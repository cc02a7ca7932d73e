"""NumPy's language over CuPy: wherever the two differ, what an op means is said here, once.

The ops are written for NumPy. For CUDA arrays their `xp` is a `Space`: CuPy's own functions, with
NumPy's meaning put in place where CuPy lacks a name, a keyword or a dtype, or keeps quiet about an
error.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from .linear import Linear
from .writes import add_at, rounds_at

# NumPy's reductions take `initial=` and `where=`, CuPy's do not: what an element left out counts as
_NEUTRAL: dict[str, Any] = {
    "sum": 0, "prod": 1, "any": False, "all": True, "max": None, "min": None,
}  # fmt: skip
_COMBINE = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}
# The ufuncs whose `at`, `reduce` and `accumulate` the ops may use, and the reduction of each
_UFUNCS = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all",
    "logical_or": "any",
}  # fmt: skip


class Ufunc:
    """A CuPy ufunc with NumPy's `at`, `reduce` and `accumulate`, in every dtype."""

    def __init__(self, space: Space, name: str, call: Any) -> None:
        self.__name__ = name
        self._space = space
        self._call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Element by element."""
        return self._call(*args, **kwargs)

    def at(self, a: Any, indices: Any, b: Any) -> None:
        """Write at `indices`, every value counting where an index comes several times."""
        (add_at if self.__name__ == "add" else rounds_at)(self._call, a, indices, b)

    def reduce(self, array: Any, axis: Any = 0, **options: Any) -> Any:
        """Fold all elements along `axis` together."""
        return getattr(self._space, _UFUNCS[self.__name__])(array, axis=axis, **options)

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None) -> Any:
        """Fold the elements up to each along `axis`, in log2(n) passes."""
        if self.__name__ in ("add", "multiply"):
            return self._call.accumulate(array, axis=axis, dtype=dtype)
        out = array.astype(array.dtype if dtype is None else dtype)
        along = self._space.moveaxis(out, axis, 0)
        step = 1
        while step < len(along):
            along[step:] = self._call(along[step:], along[:-step])
            step *= 2
        return out

    def outer(self, a: Any, b: Any) -> Any:
        """Every element of `a` with every one of `b`."""
        return self._call(a.reshape(a.shape + (1,) * b.ndim), b)


class Space:
    """`xp` for CUDA arrays.

    Raises AttributeError for names that neither CuPy nor this class has.
    """

    def __init__(self, cupy: ModuleType) -> None:
        self._cupy = cupy
        self.__name__ = "cupy"
        self.linalg = Linear(cupy, self)
        for name in _NEUTRAL:
            setattr(self, name, functools.partial(self._reduce, name))
        self.amax, self.amin = self.max, self.min  # type: ignore[attr-defined]
        for name in ("logical_xor", "logical_not"):
            setattr(self, name, self._logical(name))
        for name in _UFUNCS:
            call = self._logical(name) if name.startswith("logical") else getattr(cupy, name)
            setattr(self, name, Ufunc(self, name, call))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._cupy, name)
        setattr(self, name, found)
        return found

    def __repr__(self) -> str:
        return "<NumPy's language over CuPy>"

    # -- reductions ----------------------------------------------------------------------------

    def _reduce(
        self, name: str, a: Any, axis: Any = None, *, initial: Any = None, where: Any = None,
        **options: Any,
    ) -> Any:  # fmt: skip
        if where is not None:
            neutral = initial if _NEUTRAL[name] is None else _NEUTRAL[name]
            if neutral is None:
                raise ValueError(f"{name} with a where mask needs an initial value")
            # in the array's own dtype, so that a Python number does not widen it
            a = self._cupy.where(where, a, a.dtype.type(neutral))
        if initial is not None and name in ("max", "min") and a.size == 0:
            shape = np.empty(a.shape, bool).any(axis=axis, keepdims=options.get("keepdims", False))
            return self._cupy.full(np.shape(shape), initial, a.dtype)
        result = getattr(a, name)(axis=axis, **options)
        if initial is None:
            return result
        return getattr(self._cupy, _COMBINE[name])(result, result.dtype.type(initial))

    def _logical(self, name: str) -> Callable[..., Any]:
        """CuPy's logical functions do not take complex numbers."""
        function = getattr(self._cupy, name)

        def logical(*values: Any, **options: Any) -> Any:
            flags = (v != 0 if getattr(v, "dtype", np.dtype(bool)).kind == "c" else v
                     for v in values)  # fmt: skip
            return function(*flags, **options)

        return logical

    # -- keywords that CuPy spells otherwise or lacks --------------------------------------------

    def asarray(self, a: Any, dtype: Any = None, **options: Any) -> Any:
        """Host data are copied to the current device."""
        if isinstance(dtype, np.dtype) and isinstance(a, (bool, int, float, complex)):
            a = np.asarray(a).astype(dtype)
        return self._cupy.asarray(a, dtype, **options)

    def clip(self, a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *,
             min: Any = None, max: Any = None) -> Any:  # fmt: skip
        """Limits may be missing and may be called min and max."""
        low, high = (a_min if min is None else min), (a_max if max is None else max)
        return self._cupy.clip(a, low, high, out=out)

    def sort(self, a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:
        """Always stable; bfloat16 is sorted as float32, which keeps its order."""
        if a.dtype.kind == "V":
            return self._cupy.sort(a.astype(np.float32), axis).astype(a.dtype)
        return self._cupy.sort(a, axis)

    def argsort(
        self, a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None
    ) -> Any:
        """Always stable; bfloat16 is sorted as float32, which keeps its order."""
        return self._cupy.argsort(a.astype(np.float32) if a.dtype.kind == "V" else a, axis)

    def take(self, a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise"
             ) -> Any:  # fmt: skip
        """Indices out of range: clipped or wrapped around; "raise" looks at them (a sync)."""
        size = a.size if axis is None else a.shape[axis]
        if hasattr(indices, "dtype"):
            if mode == "clip":
                indices = self._cupy.clip(indices, 0, size - 1)
            elif mode == "raise" and bool(((indices < -size) | (indices >= size)).any()):
                raise IndexError(f"index out of bounds for axis with size {size}")
        return self._cupy.take(a, indices, axis=axis, out=out)

    # -- names that CuPy lacks -----------------------------------------------------------------

    def vecdot(self, x1: Any, x2: Any, axis: int = -1) -> Any:
        """Sums of conj(x1) * x2 along `axis`."""
        return (x1.conj() * x2).sum(axis=axis)

    def matvec(self, x1: Any, x2: Any) -> Any:
        """Stacks of matrices times stacks of vectors."""
        return self._cupy.matmul(x1, x2[..., None])[..., 0]

    def vecmat(self, x1: Any, x2: Any) -> Any:
        """Stacks of conjugated vectors times stacks of matrices."""
        return self._cupy.matmul(x1.conj()[..., None, :], x2)[..., 0, :]

    def unstack(self, x: Any, axis: int = 0) -> tuple[Any, ...]:
        """Views along `axis`."""
        return tuple(self._cupy.moveaxis(x, axis, 0))

    def geomspace(self, start: float, stop: float, num: int = 50, **options: Any) -> Any:
        """Numbers with a constant ratio, from host numbers."""
        return self._cupy.asarray(np.geomspace(start, stop, num, **options))

    def block(self, arrays: Any) -> Any:
        """Arrays from nested lists of blocks: innermost along the last dimension."""

        def depth(value: Any) -> int:
            return 1 + depth(value[0]) if isinstance(value, list) else 0

        levels = depth(arrays)

        def leaves(value: Any) -> list[Any]:
            return [x for v in value for x in leaves(v)] if isinstance(value, list) else [value]

        ndim = max(levels, *(leaf.ndim for leaf in leaves(arrays)))

        def join(value: Any, level: int) -> Any:
            if not isinstance(value, list):
                return value.reshape((1,) * (ndim - value.ndim) + value.shape)
            return self._cupy.concatenate([join(v, level - 1) for v in value], axis=-level)

        return join(arrays, levels)

    def insert(self, arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
        """`values` before the positions `obj` (host integers) along `axis`."""
        if axis is None:
            arr, axis = arr.reshape(-1), 0
        axis = operator.index(axis) % arr.ndim
        n = arr.shape[axis]
        given = np.arange(n)[obj] if isinstance(obj, slice) else np.asarray(obj)
        places = given.reshape(-1).astype(np.int64)
        if ((places < -n) | (places > n)).any():
            raise IndexError(f"index {places} is out of bounds for axis {axis} with size {n}")
        places = np.where(places < 0, places + n, places)
        order = np.argsort(places, kind="stable")
        target = np.empty(len(places), np.int64)
        target[order] = places[order] + np.arange(len(places))
        new = self._cupy.asarray(values, arr.dtype)
        if given.ndim == 0 and new.ndim == arr.ndim:
            pass  # a slice of its own width
        elif new.ndim < arr.ndim:
            new = new.reshape((1,) * (arr.ndim - new.ndim) + new.shape)
        whole = list(arr.shape)
        whole[axis] = n + len(places)
        out = self._cupy.empty(whole, arr.dtype)
        kept = np.setdiff1d(np.arange(whole[axis]), target)
        lead = (slice(None),) * axis
        out[(*lead, self._cupy.asarray(kept))] = arr
        part = list(arr.shape)
        part[axis] = len(places)
        out[(*lead, self._cupy.asarray(target))] = self._cupy.broadcast_to(new, part)
        return out
