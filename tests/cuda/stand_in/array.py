"""The device array: memory of its own that NumPy may not look into."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from . import indexing, ufuncs
from .record import ARRAY, bind
from .state import state


class Flags:
    """CuPy's flags: contiguity and ownership, and nothing about writing."""

    def __init__(self, host: np.ndarray, owndata: bool) -> None:
        self.c_contiguous = host.flags.c_contiguous
        self.f_contiguous = host.flags.f_contiguous
        self.owndata = owndata

    @property
    def fnc(self) -> bool:
        """Fortran but not C."""
        return self.f_contiguous and not self.c_contiguous

    @property
    def forc(self) -> bool:
        """Fortran or C."""
        return self.f_contiguous or self.c_contiguous


class Pointer:
    """What `array.data` is: an address."""

    def __init__(self, host: np.ndarray, device_id: int) -> None:
        self.ptr = host.__array_interface__["data"][0]
        self.device_id = device_id


class ndarray:
    """An array in (pretended) device memory."""

    __slots__ = ("__weakref__", "_device", "_host", "_owned", "base")
    __module__ = "cupy"
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None,
        order: str = "C",
    ) -> None:  # fmt: skip
        if memptr is not None or strides is not None:
            raise NotImplementedError("the stand-in allocates its own memory")
        self._hold(np.empty(shape, dtype, order=order), None)

    def _hold(self, host: np.ndarray, base: ndarray | None) -> None:
        self._host = host
        self.base = base
        self._device = state.device
        self._owned = host.nbytes if base is None else 0
        state.used += self._owned

    def __del__(self) -> None:
        state.used -= getattr(self, "_owned", 0)

    # -- what it is ----------------------------------------------------------------------------

    shape = property(lambda s: s._host.shape)
    strides = property(lambda s: s._host.strides)
    ndim = property(lambda s: s._host.ndim)
    size = property(lambda s: s._host.size)
    dtype = property(lambda s: s._host.dtype)
    itemsize = property(lambda s: s._host.itemsize)
    nbytes = property(lambda s: s._host.nbytes)
    flags = property(lambda s: Flags(s._host, s.base is None))
    data = property(lambda s: Pointer(s._host, s._device))
    T = property(lambda s: made(s._host.T, s))
    mT = property(lambda s: made(s._host.mT, s))
    real = property(lambda s: made(s._host.real, s) if s._host.dtype.kind == "c" else s)

    @property
    def device(self) -> Any:
        """Where it lives."""
        from .runtime import Device

        return Device(self._device)

    @property
    def imag(self) -> ndarray:
        """A view of the imaginary parts; zeros of real arrays."""
        if self._host.dtype.kind == "c":
            return made(self._host.imag, self)
        return made(np.zeros_like(self._host))

    @shape.setter
    def shape(self, value: Any) -> None:
        self._host.shape = value

    # -- the host may not look inside ------------------------------------------------------------

    def __array__(self, dtype: Any = None) -> np.ndarray:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to "
            "construct a NumPy array explicitly."
        )

    def get(
        self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True
    ) -> np.ndarray:
        """A copy in host memory."""
        state.download("get")
        host = self._host.copy(order="K" if order == "A" else order)
        if out is None:
            return host
        out[...] = host
        return out

    def item(self) -> Any:
        """The one element as a Python number."""
        state.download("item")
        return self._host.item()

    def tolist(self) -> Any:
        """Nested lists."""
        state.download("tolist")
        return self._host.tolist()

    def tobytes(self, order: str = "C") -> bytes:
        """The memory as bytes."""
        state.download("tobytes")
        return self._host.tobytes(order)

    def set(self, arr: Any, stream: Any = None) -> None:
        """Copy a NumPy array of the same shape and dtype into this one."""
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype or arr.shape != self.shape:
            raise ValueError("Shape mismatch" if arr.dtype == self.dtype else "dtype mismatch")
        state.upload()
        self._host[...] = arr

    def __float__(self) -> float:
        state.download("float")
        return float(self._host.item() if self._host.size == 1 else self._host)

    def __int__(self) -> int:
        state.download("int")
        return int(self._host.item() if self._host.size == 1 else self._host)

    def __complex__(self) -> complex:
        state.download("complex")
        return complex(self._host.item())

    def __bool__(self) -> bool:
        if self._host.size != 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. Use "
                "a.any() or a.all()"
            )
        state.download("bool")
        return bool(self._host.item())

    def __index__(self) -> int:
        if self._host.ndim or self._host.dtype.kind not in "iu":
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        state.download("index")
        return int(self._host.item())

    def __repr__(self) -> str:
        state.download("repr")
        return repr(self._host)

    def __str__(self) -> str:
        state.download("str")
        return str(self._host)

    def __format__(self, spec: str) -> str:
        state.download("format")
        return format(self._host, spec)

    def __reduce__(self) -> Any:
        from .functions import array

        return array, (self.get(order="A"),)

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None,
        copy: Any = None,
    ) -> Any:  # fmt: skip
        if dl_device is not None and next(iter(dl_device)) == 1:
            state.download("dlpack")
            return self._host.copy().__dlpack__()
        raise BufferError("the stand-in has no device memory to hand out")

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, self._device)

    # -- containers ------------------------------------------------------------------------------

    def __len__(self) -> int:
        if not self._host.ndim:
            raise TypeError("len() of unsized object")
        return len(self._host)

    def __iter__(self) -> Any:
        if not self._host.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self._host)))

    def __getitem__(self, key: Any) -> ndarray:
        return indexing.get(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        indexing.put(self, key, value)

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: dict) -> ndarray:
        return self.copy()

    # -- NumPy's functions on it are CuPy's --------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from .modules import cupy, special

        inout = inputs
        if "out" in kwargs:
            if len(kwargs["out"]) != 1:
                raise ValueError("The 'out' parameter must have exactly one array value")
            inout += kwargs["out"]
            kwargs["out"] = kwargs["out"][0]
        try:
            function = getattr(cupy, ufunc.__name__, None) or getattr(special, ufunc.__name__)
            if method != "__call__":
                function = getattr(function, method)
        except AttributeError:
            return NotImplemented
        known = (bool, int, float, complex, np.generic, np.ndarray, ndarray)
        if not all(isinstance(x, known) for x in inout):
            return NotImplemented
        return function(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from .modules import cupy

        try:
            module = functools.reduce(getattr, func.__module__.split(".")[1:], cupy)
            found = getattr(module, func.__name__)
        except AttributeError:
            return NotImplemented
        if found is func or not all(issubclass(t, (ndarray, np.ndarray)) for t in types):
            return NotImplemented
        return found(*args, **kwargs)


def _looks_into(host: np.ndarray, source: np.ndarray) -> bool:
    """Whether `host` is a view of the memory of `source` (also when it has no elements)."""
    root, other = host, source
    while isinstance(root.base, np.ndarray):
        root = root.base
    while isinstance(other.base, np.ndarray):
        other = other.base
    return root is other or np.may_share_memory(host, source)


def made(host: Any, *sources: Any) -> ndarray:
    """A device array on `host`: a view where it looks into a source's memory."""
    host = host if isinstance(host, np.ndarray) else np.asarray(host)
    new = object.__new__(ndarray)
    for source in sources:
        if isinstance(source, ndarray) and _looks_into(host, source._host):
            host = host.view()
            if not host.flags.writeable and 0 not in host.strides:
                host.flags.writeable = True  # CuPy protects no view
            new._hold(host, source if source.base is None else source.base)
            new._device = source._device
            return new
    if host.base is not None:  # memory of its own, so that nobody on the host holds it
        host = host.copy(order="K")
    new._hold(host, None)
    return new


def bare(value: Any) -> Any:
    """Host arrays in place of device arrays, inside lists and tuples too.

    Raises TypeError, as CuPy does, when a host array comes among the arguments.
    """
    if isinstance(value, ndarray):
        if value._device != state.device:
            raise ValueError(
                f"The device where the array resides ({value._device}) is different from the "
                f"current device ({state.device}). Peer access is unavailable between these "
                "devices."
            )
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if type(value) in (list, tuple):
        return type(value)(bare(v) for v in value)
    return value


def wrapped(result: Any, *sources: Any) -> Any:
    """Device arrays in place of NumPy's results, inside lists and tuples too."""
    if isinstance(result, (np.ndarray, np.generic)):
        return made(result, *sources)
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return type(result)(*(wrapped(r, *sources) for r in result))
    if isinstance(result, (list, tuple)):
        return type(result)(wrapped(r, *sources) for r in result)
    return result


def _operator(name: str, swap: bool = False) -> Any:
    def method(self: ndarray, other: Any) -> Any:
        if getattr(other, "__array_ufunc__", 0) is None:
            return NotImplemented
        if not isinstance(other, (ndarray, bool, int, float, complex, np.generic, np.ndarray)):
            priority = getattr(other, "__array_priority__", None)
            if priority is not None and priority > self.__array_priority__:
                return NotImplemented
            raise TypeError(f"Unsupported type {type(other)}")
        from .modules import cupy

        function = getattr(cupy, name)
        return function(other, self) if swap else function(self, other)

    return method


def _inplace(name: str) -> Any:
    def method(self: ndarray, other: Any) -> Any:
        from .modules import cupy

        getattr(cupy, name)(self, other, out=self)
        return self

    return method


_BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide",
    "floordiv": "floor_divide", "mod": "remainder", "pow": "power", "matmul": "matmul",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift",
    "rshift": "right_shift",
}  # fmt: skip
_COMPARE = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
    "ne": "not_equal",
}  # fmt: skip
_UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}


def _unary(name: str) -> Any:
    def method(self: ndarray) -> Any:
        from .modules import cupy

        return getattr(cupy, name)(self)

    return method


for _short, _long in _BINARY.items():
    setattr(ndarray, f"__{_short}__", _operator(_long))
    setattr(ndarray, f"__r{_short}__", _operator(_long, swap=True))
    if f"__i{_short}__" in ARRAY:
        setattr(ndarray, f"__i{_short}__", _inplace(_long))
for _short, _long in _COMPARE.items():
    setattr(ndarray, f"__{_short}__", _operator(_long))
for _short, _long in _UNARY.items():
    setattr(ndarray, f"__{_short}__", _unary(_long))


# -- methods -----------------------------------------------------------------------------------


def _method(name: str, parameters: str | None) -> Any:
    """A recorded method: NumPy's of that name, unless `methods.py` knows better."""

    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        from .methods import SPECIAL

        bind(f"ndarray.{name}", parameters, (self, *args), kwargs)
        state.launch(name)
        special = SPECIAL.get(name)
        if special is not None:
            return special(self, *args, **kwargs)
        bare(self)
        given = tuple(bare(a) for a in args)
        named = {k: bare(v) for k, v in kwargs.items()}
        out = kwargs.get("out")
        with np.errstate(all="ignore"):
            result = getattr(self._host, name)(*given, **named)
        return out if out is not None else wrapped(result, self)

    method.__name__ = name
    return method


for _name, _entry in ARRAY.items():
    if not _name.startswith("__") and not hasattr(ndarray, _name) and _entry[0] == "method":
        setattr(ndarray, _name, _method(_name, _entry[1]))

ufuncs.use(made, ndarray)
indexing.use(made, bare, ndarray)
