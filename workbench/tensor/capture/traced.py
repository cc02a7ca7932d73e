"""The arrays that tensors hold while a step is recorded.

A `Traced` array has the real values and knows which value of the program it is. NumPy's dispatch
protocols bring every call on it here, where it is carried out and written down. What Python itself
wants to know of the values (a condition, a number) cannot be written down: while a kernel is being
looked into, `Untraceable` makes the recorder take the kernel as a whole; elsewhere the recording
is given up, and the step simply goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import active


class Untraceable(Exception):
    """A kernel that cannot be written down call by call."""


class Traced(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of a step that is being recorded: `inside` the real one, `value` its name."""

    __slots__ = ("__weakref__", "_of", "inside", "recorder", "value")

    def __init__(self, recorder: Any, inside: Any, value: Any, of: Any = None) -> None:
        self.recorder = recorder
        self.inside = inside
        self.value = value
        self._of = of

    # -- what it is: known without the values ----------------------------------------------------

    shape = property(lambda self: self.inside.shape)
    ndim = property(lambda self: self.inside.ndim)
    size = property(lambda self: self.inside.size)
    dtype = property(lambda self: self.inside.dtype)
    itemsize = property(lambda self: self.inside.itemsize)
    nbytes = property(lambda self: self.inside.nbytes)
    strides = property(lambda self: self.inside.strides)
    flags = property(lambda self: self.inside.flags)
    base = property(lambda self: self._of)
    first = property(lambda self: self.inside)
    T = property(lambda self: self.transpose())
    mT = property(lambda self: self.swapaxes(-1, -2))

    @property
    def real(self) -> Any:
        """The real part: a view, or the array itself."""
        return self if self.dtype.kind != "c" else self._method("real", np.real)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return self._method("imag", np.imag)

    def __len__(self) -> int:
        return len(self.inside)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self.inside)))

    def __repr__(self) -> str:
        return f"Traced({self.inside!r})"

    # -- what needs the values -------------------------------------------------------------------

    def _look(self, what: str) -> Any:
        held = self.recorder
        if active.recorder is held and not held.paused:
            held.sync(what)
        return self.inside

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self._look("a NumPy conversion"), dtype=dtype, copy=copy)

    def __array_interface_of__(self) -> Any:
        return self.inside.__array_interface__

    @property
    def __array_interface__(self) -> Any:
        return self._look("the memory's address").__array_interface__

    def item(self, *args: Any) -> Any:
        """The one element, for Python."""
        return self._look(".item()").item(*args)

    def tolist(self) -> Any:
        """The elements, for Python."""
        return self._look(".tolist()").tolist()

    def tobytes(self, *args: Any) -> bytes:
        """The elements' bytes."""
        return self._look(".tobytes()").tobytes(*args)  # type: ignore[no-any-return]

    def __dlpack__(self, **options: Any) -> Any:
        return self._look("DLPack").__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.inside.__dlpack_device__()

    def __bool__(self) -> bool:
        return bool(self._look("a Python condition (if, while, assert, and, or, not)"))

    def __float__(self) -> float:
        return float(self._look("float()"))

    def __int__(self) -> int:
        return int(self._look("int()"))

    def __complex__(self) -> complex:
        return complex(self._look("complex()"))

    def __index__(self) -> int:
        return self._look("a Python index").__index__()  # type: ignore[no-any-return]

    def __contains__(self, item: Any) -> bool:
        return item in self._look("`in`")

    def __pow__(self, other: Any) -> Any:
        # the short cuts that ndarray's own operator takes
        short = _POWERS.get(other) if type(other) in (int, float) else None
        if short is not None and self.dtype.kind in "fc":
            return short(self)
        return np.power(self, other)

    # -- NumPy's protocols -----------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        held = self.recorder
        out = kwargs.pop("out", None)
        if method == "__call__":
            return held.ufunc(ufunc, inputs, out, kwargs)
        if method == "at":
            return held.opaque(ufunc.at, inputs, kwargs, writes=(0,), name=f"{ufunc.__name__}.at")
        if out is not None:
            kwargs["out"] = out[0] if len(out) == 1 else out
            return held.opaque(getattr(ufunc, method), inputs, kwargs, writes=("out",))
        if method == "reduce":
            return held.reduce(ufunc, inputs[0], **kwargs)
        return held.opaque(
            getattr(ufunc, method), inputs, kwargs, name=f"{ufunc.__name__}.{method}"
        )

    def ones(self) -> Any:
        """Ones of its shape and dtype, a constant of the step."""
        return self.recorder.constant(np.ones(self.shape, self.dtype))

    def elementwise(self, function: Any, *inputs: Any) -> Any:
        """Call and write down a function that is no NumPy ufunc, but called as one."""
        return self.recorder.ufunc(function, inputs, None, {})

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        held = self.recorder
        if func in _STATIC:
            return func(*bare(args), **bare(kwargs))
        rule = _FUNCTIONS.get(func)
        if rule is not None:
            return rule(*args, **kwargs)
        if func in _DYNAMIC:
            held.sync(f"{func.__name__}, whose result's shape or kind depends on the values,")
            return func(*bare(args), **bare(kwargs))
        writes: tuple[Any, ...] = (0,) if func in _WRITERS else ()
        if kwargs.get("out") is not None:
            writes = ("out",)
        return held.opaque(func, args, kwargs, writes=writes, name=func.__name__)

    # -- methods ---------------------------------------------------------------------------------

    def _method(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.recorder.opaque(function, (self, *args), kwargs, name=name)

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        """The same elements in another shape."""
        wanted = shape[0] if len(shape) == 1 else shape
        return self._method("reshape", np.ndarray.reshape, wanted, **kwargs)

    def transpose(self, *dims: Any) -> Any:
        """A view with the dimensions in another order."""
        return self._method("transpose", np.ndarray.transpose, *dims)

    def swapaxes(self, first: int, second: int) -> Any:
        """A view with two dimensions exchanged."""
        return self._method("swapaxes", np.ndarray.swapaxes, first, second)

    def astype(self, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True,
               copy: bool = True) -> Any:  # fmt: skip
        """In another dtype."""
        if not copy and self.dtype == dtype:
            return self
        return self._method("astype", np.ndarray.astype, dtype, order=order, casting=casting)

    def copy(self, order: str = "C") -> Any:
        """A copy."""
        return self._method("copy", np.ndarray.copy, order)

    def conjugate(self) -> Any:
        """The complex conjugate; a real array itself."""
        return np.conjugate(self) if self.dtype.kind == "c" else self

    conj = conjugate

    def dot(self, other: Any, out: Any = None) -> Any:
        """The product of two matrices."""
        return _dot(self, other, out)

    def fill(self, value: Any) -> None:
        """Write one number everywhere."""
        self[...] = value

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
            ) -> Any:  # fmt: skip
        """Sum over dimensions."""
        return np.add.reduce(self, axis=axis, dtype=dtype, out=out, keepdims=keepdims)  # type: ignore[call-overload]

    def prod(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
             ) -> Any:  # fmt: skip
        """Product over dimensions."""
        return np.multiply.reduce(self, axis=axis, dtype=dtype, out=out, keepdims=keepdims)  # type: ignore[call-overload]

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """Largest over dimensions."""
        return np.maximum.reduce(self, axis=axis, out=out, keepdims=keepdims)  # type: ignore[call-overload]

    def min(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """Smallest over dimensions."""
        return np.minimum.reduce(self, axis=axis, out=out, keepdims=keepdims)  # type: ignore[call-overload]

    def any(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """Whether any is true."""
        return np.logical_or.reduce(self, axis=axis, out=out, keepdims=keepdims)  # type: ignore[call-overload]

    def all(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """Whether all are true."""
        return np.logical_and.reduce(self, axis=axis, out=out, keepdims=keepdims)  # type: ignore[call-overload]

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False,
             ) -> Any:  # fmt: skip
        """Mean over dimensions, by the two steps NumPy itself takes."""
        if dtype is not None or out is not None or self.dtype.char not in "fdFD" or not self.size:
            return self._method("mean", np.ndarray.mean, axis=axis, keepdims=keepdims, dtype=dtype)
        total = np.add.reduce(self, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]
        count = self.size // max(total.size, 1)
        number = np.asarray(count, total.dtype.char.lower())
        return np.true_divide(total, number, out=total)

    def __getitem__(self, index: Any) -> Any:
        held = self.recorder
        parts = index if type(index) is tuple else (index,)
        if any(type(part) is Traced and part.dtype.kind == "b" for part in parts):
            held.sync("indexing by a mask, whose result's size depends on the values,")
            return self.inside[bare(index)]
        return held.opaque(_get, (self, index), {}, name="getitem")

    def __setitem__(self, index: Any, value: Any) -> None:
        if type(value) is Traced and value.value is self.value and index is Ellipsis:
            return  # x[...] = x
        self.recorder.opaque(_set, (self, index, value), {}, writes=(0,), name="setitem")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in _ABSENT or not hasattr(np.ndarray, name):
            raise AttributeError(f"a traced array has no attribute {name!r}")
        function = getattr(np.ndarray, name)
        if not callable(function):
            raise AttributeError(f"a traced array has no attribute {name!r}")
        return lambda *args, **kwargs: self._method(name, function, *args, **kwargs)


def bare(tree: Any) -> Any:
    """Real arrays in the place of traced ones."""
    if type(tree) is Traced:
        return tree.inside
    if type(tree) is tuple:
        return tuple(bare(item) for item in tree)
    if type(tree) is list:
        return [bare(item) for item in tree]
    if type(tree) is dict:
        return {key: bare(item) for key, item in tree.items()}
    return tree


def _get(array: Any, index: Any) -> Any:
    return array[index]


def _set(array: Any, index: Any, value: Any) -> None:
    array[index] = value


def _mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False
          ) -> Any:  # fmt: skip
    return a.mean(axis=axis, dtype=dtype, out=out, keepdims=keepdims)


_POWERS = {-1: np.reciprocal, 0.5: np.sqrt, 1: np.positive, 2: np.square}


def _dot(a: Any, b: Any, out: Any = None) -> Any:
    held = a.recorder if type(a) is Traced else b.recorder
    if out is None and np.ndim(bare(a)) == np.ndim(bare(b)) == 2:
        return held.product(np.dot, (a, b))
    writes = () if out is None else (2,)
    return held.opaque(np.dot, (a, b) if out is None else (a, b, out), {}, writes=writes)


_ABSENT = {"ctypes", "data", "flat", "resize", "setflags", "tofile", "dump", "dumps", "view"}

_FUNCTIONS: dict[Any, Any] = {
    np.mean: _mean,
    np.dot: _dot,
    np.sum: lambda a, axis=None, dtype=None, out=None, keepdims=False: a.sum(
        axis, dtype, out, keepdims
    ),
    np.max: lambda a, axis=None, out=None, keepdims=False: a.max(axis, out, keepdims),
    np.min: lambda a, axis=None, out=None, keepdims=False: a.min(axis, out, keepdims),
    np.any: lambda a, axis=None, out=None, keepdims=False: a.any(axis, out, keepdims),
    np.all: lambda a, axis=None, out=None, keepdims=False: a.all(axis, out, keepdims),
}
_STATIC = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj, np.isrealobj,
    np.may_share_memory, np.shares_memory, np.min_scalar_type, np.common_type,
}  # fmt: skip
_WRITERS = {np.put, np.place, np.putmask, np.put_along_axis, np.fill_diagonal, np.copyto}
_DYNAMIC = {
    np.nonzero, np.argwhere, np.flatnonzero, np.unique, np.extract, np.compress, np.array_equal,
    np.allclose, np.array_equiv, np.iterable, np.bincount, np.intersect1d, np.setdiff1d, np.union1d,
    np.unique_values, np.unique_counts, np.unique_inverse, np.unique_all, np.histogram,
    np.array_repr, np.array_str, np.array2string, np.trim_zeros, np.delete, np.save, np.savez,
}  # fmt: skip
