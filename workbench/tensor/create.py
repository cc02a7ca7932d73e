"""Making tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.arrays import (
    as_dtype,
    device_namespace,
    dlpack,
    dtype_of,
    get_default_dtype,
    move,
    placement,
    random,
    result_dtype,
    to_numpy,
)
from workbench.arrays import device as Device
from workbench.arrays.dtypes import (
    FLOAT,
    bool_,
    complex64,
    complex128,
    float64,
    int64,
    number_dtype,
)

from .functions import METHODS, function
from .out import deliver
from .tensor import Tensor, new_tensor, wrap


def finish(array: Any, requires_grad: bool) -> Tensor:
    """A leaf on `array`."""
    made = wrap(array)
    if requires_grad:
        made.requires_grad_()
    return made


def as_shape(size: tuple[Any, ...], name: str = "size") -> tuple[int, ...]:
    """`f(2, 3)`, `f((2, 3))` or `f(wb.Size([2, 3]))` as a tuple.

    Raises TypeError for sides that are not integers and RuntimeError for negative ones.
    """
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    try:
        shape = tuple(n if type(n) is int else n.__index__() for n in size)
    except (AttributeError, TypeError):
        raise TypeError(f"{name} must be a tuple of ints, got {size!r}") from None
    if any(n < 0 for n in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension: {list(shape)}")
    return shape


def as_array(data: Any, dtype: Any = None, *, copy: bool = True) -> np.ndarray:
    """Python or NumPy data as a raw array in `dtype`, or in the dtype torch would infer."""
    if isinstance(data, Tensor):
        array = to_numpy(data.array)
        target = array.dtype if dtype is None else dtype.numpy
        return array.astype(target) if copy or array.dtype != target else array
    if isinstance(data, (np.ndarray, np.generic)):
        target = dtype_of(data.dtype).numpy if dtype is None else dtype.numpy
        array = np.asarray(data)
        return array.astype(target) if copy or array.dtype != target else _forward(array)
    if isinstance(data, (list, tuple)) and any(isinstance(item, Tensor) for item in _leaves(data)):
        data = _unwrap(data)
    if hasattr(data, "__array__") and not isinstance(data, (list, tuple)):
        return as_array(np.asarray(data), dtype, copy=copy)
    try:
        array = np.array(data)
    except ValueError as error:
        raise ValueError(f"expected sequences of equal length at every level: {error}") from None
    if array.dtype == object:
        odd = (type(x).__name__ for x in array.reshape(-1) if not isinstance(x, (int, float)))
        raise RuntimeError(f"Could not infer dtype of {next(odd, 'object')}")
    if array.dtype.kind in "US":
        raise TypeError("new(): invalid data type 'str'")
    if dtype is None:
        dtype = _inferred(data, array)
    return array.astype(dtype.numpy)


def _leaves(data: Any) -> Any:
    for item in data:
        if isinstance(item, (list, tuple)):
            yield from _leaves(item)
        else:
            yield item


def _unwrap(data: Any) -> Any:
    if isinstance(data, Tensor):
        return data.tolist()
    return [_unwrap(x) for x in data] if isinstance(data, (list, tuple)) else data


def _inferred(data: Any, array: np.ndarray) -> Any:
    """NumPy scalars keep their dtype; Python numbers take torch's defaults."""
    if array.size == 0:
        return get_default_dtype()
    first = data
    while isinstance(first, (list, tuple)):
        first = first[0]
    if isinstance(first, np.generic):
        return dtype_of(array)
    kind = array.dtype.kind
    if kind == "b":
        return bool_
    if kind in "iu":
        return int64
    if kind == "c":
        return complex128 if get_default_dtype() is float64 else complex64
    return get_default_dtype()


@function(method=False)
def tensor(
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A new tensor with a copy of `data` (numbers, nested lists, arrays).

    Floats become the default dtype, ints int64; NumPy data keeps its dtype.
    Raises ValueError for ragged lists and TypeError for data that is not numeric.
    """
    array = as_array(data, None if dtype is None else as_dtype(dtype))
    if device is None and isinstance(data, Tensor):
        device = data.device  # a copy stays where the data are
    return finish(_placed(array, device), requires_grad)


def _placed(array: np.ndarray, device: Any) -> Any:
    if device is None:
        if not placement.changed:
            return array
        device = placement.get_default_device()
    return move(array, Device(device))


@function("", "as_tensor", "asarray", method=False)
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing memory where dtype and device allow."""
    if isinstance(data, Tensor) and dtype is None and device is None:
        return data
    if isinstance(data, Tensor):
        from .transfer import to

        return to(data, dtype=dtype, device=device)
    wanted = None if dtype is None else as_dtype(dtype)
    return finish(_placed(as_array(data, wanted, copy=False), device), False)


@function(method=False)
def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the memory of a NumPy array.

    Raises TypeError for anything else and for element types tensors cannot hold, ValueError for
    negative strides.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    dtype_of(array)
    return wrap(_forward(array))


def _forward(array: np.ndarray) -> np.ndarray:
    for step in array.strides:
        if step < 0:
            raise ValueError(
                "At least one stride in the given numpy array is negative, and tensors with "
                "negative strides are not supported; make a copy with array.copy()"
            )
    return array


@function(method=False)
def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of another library's, through the DLPack protocol.

    `device` moves it, `copy=True` copies it, `copy=False` raises BufferError where a copy is
    needed. Raises TypeError for objects without `__dlpack__`, BufferError where they refuse.
    """
    return wrap(dlpack.take(ext_tensor, None if device is None else Device(device), copy))


def legacy_tensor(cls: type[Tensor], data: Any, *sizes: Any) -> Tensor:
    """`Tensor()`, `Tensor(2, 3)` (uninitialised) and `Tensor(data)` in the default dtype."""
    target = get_default_dtype().numpy
    if data is None:
        array = np.empty(0, target)
    elif isinstance(data, int) and not isinstance(data, bool):
        array = np.empty(as_shape((data, *sizes)), target)
    else:
        array = as_array(data).astype(target)
    return new_tensor(cls, array)


def _filled(name: str, fill: Any) -> Any:
    def make(
        *size: Any,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        out: Any = None,
        layout: Any = None,
        pin_memory: bool = False,
        names: Any = None,
    ) -> Tensor:
        xp = device_namespace(device)
        chosen = get_default_dtype() if dtype is None else as_dtype(dtype)
        if out is not None:
            chosen = out.dtype if dtype is None else chosen
            return deliver(name, wrap(fill(xp, as_shape(size), chosen.numpy)), out)
        return finish(fill(xp, as_shape(size), chosen.numpy), requires_grad)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"A tensor of the given shape, {name}; float32 unless `dtype` says otherwise."
    return function(method=False)(make)


zeros = _filled("zeros", lambda xp, shape, d: xp.zeros(shape, d))
ones = _filled("ones", lambda xp, shape, d: xp.ones(shape, d))
empty = _filled("empty", lambda xp, shape, d: xp.empty(shape, d))


@function(method=False)
def full(
    size: Any,
    fill_value: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of shape `size` filled with one number, in the number's dtype or `dtype`."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    chosen = number_dtype(value) if dtype is None else as_dtype(dtype)
    shape = as_shape((size,) if isinstance(size, int) else tuple(size))
    return finish(device_namespace(device).full(shape, value, chosen.numpy), requires_grad)


def _like(name: str, make: Any) -> Any:
    def like(
        input: Tensor,
        *args: Any,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        memory_format: Any = None,
        **options: Any,
    ) -> Tensor:
        chosen = input.dtype if dtype is None else as_dtype(dtype)
        where = input.device if device is None else device
        return make(
            input.shape, *args, dtype=chosen, device=where, requires_grad=requires_grad, **options
        )

    like.__name__ = like.__qualname__ = f"{name}_like"
    like.__doc__ = f"As `{name}`, with the shape, dtype and device of `input`."
    return function(method=False)(like)


def _chosen_dtype(dtype: Any) -> Any:
    chosen = get_default_dtype() if dtype is None else as_dtype(dtype)
    if chosen.category < FLOAT:
        raise NotImplementedError(f"random floats need a floating-point dtype, got {chosen!r}")
    return chosen


def _drawn(name: str, draw: Any, doc: str) -> Any:
    def make(
        *size: Any,
        generator: Any = None,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        out: Any = None,
    ) -> Tensor:
        source = generator or random.default_generator()
        if out is not None:
            chosen = out.dtype if dtype is None else dtype
            made = draw(source, as_shape(size), _chosen_dtype(chosen).numpy)
            return deliver(name, wrap(_placed(made, device)), out)
        array = draw(source, as_shape(size), _chosen_dtype(dtype).numpy)
        return finish(_placed(array, device), requires_grad)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = doc
    return function(method=False)(make)


rand = _drawn("rand", lambda g, s, d: g.uniform(s, d), "Uniform random numbers in [0, 1).")
randn = _drawn("randn", lambda g, s, d: g.normal(s, d), "Standard normal random numbers.")


@function(method=False)
def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Random integers in [low, high), or [0, low): `randint(10, (3,))`.

    Raises RuntimeError when the range is empty.
    """
    if size is None:
        low, high, size = 0, low, high
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    source = generator or random.default_generator()
    chosen = int64 if dtype is None else as_dtype(dtype)
    array = source.integers(low, high, as_shape((size,))).astype(chosen.numpy)
    return finish(_placed(array, device), requires_grad)


@function(method=False)
def randperm(
    n: int,
    *,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The integers 0 … n-1 in random order."""
    source = generator or random.default_generator()
    chosen = int64 if dtype is None else as_dtype(dtype)
    return finish(_placed(source.permutation(n).astype(chosen.numpy), device), requires_grad)


zeros_like = _like("zeros", zeros)
ones_like = _like("ones", ones)
empty_like = _like("empty", empty)
full_like = _like("full", full)
rand_like = _like("rand", rand)
randn_like = _like("randn", randn)


@function(method=False)
def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers from `start` (0) to before `end`; int64 for integers, else the default float.

    Raises RuntimeError for a zero step or one that leads away from `end`.
    """
    if end is None:
        start, end = 0, start
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if dtype is not None:
        chosen = as_dtype(dtype)
    else:
        chosen = result_dtype([(number_dtype(v), 2) for v in (start, end, step)])
    n = math.ceil((end - start) / step)
    array = start + step * np.arange(n, dtype=np.int64 if chosen.category < FLOAT else np.float64)
    return finish(_placed(np.asarray(array).astype(chosen.numpy), device), requires_grad)


@function(method=False)
def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers evenly spaced from `start` to `end`, both included."""
    chosen = get_default_dtype() if dtype is None else as_dtype(dtype)
    array = np.linspace(start, end, steps).astype(chosen.numpy)
    return finish(_placed(array, device), requires_grad)


@function(method=False)
def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The n x m identity matrix."""
    chosen = get_default_dtype() if dtype is None else as_dtype(dtype)
    return finish(_placed(np.eye(n, m, dtype=chosen.numpy), device), requires_grad)


def _new_method(name: str, make: Any) -> None:
    def method(
        self: Tensor, *args: Any, dtype: Any = None, device: Any = None, **options: Any
    ) -> Tensor:
        chosen = self.dtype if dtype is None else dtype
        return make(*args, dtype=chosen, device=device or self.device, **options)

    method.__name__ = f"new_{name}"
    method.__doc__ = f"As `wb.{name}`, in this tensor's dtype and on its device."
    METHODS[method.__name__] = method


for _name, _make in (
    ("zeros", zeros),
    ("ones", ones),
    ("empty", empty),
    ("full", full),
    ("tensor", tensor),
):
    _new_method(_name, _make)
