"""Creating arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import (
    as_dtype,
    device_namespace,
    dtype_of,
    get_default_dtype,
    move,
)
from workbench.arrays import device as Device
from workbench.arrays.dtypes import int64, number_dtype
from workbench.tensor import Tensor, wrap
from workbench.tensor.create import as_array
from workbench.tensor.functions import raw

from .array import alias, cast, standard, table


def _sides(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if hasattr(shape, "__index__") else tuple(int(n) for n in shape)


def _chosen(dtype: Any) -> Any:
    return get_default_dtype() if dtype is None else as_dtype(dtype)


def _placed(array: Any, device: Any) -> Tensor:
    return wrap(array if device is None else move(array, Device(device)))


@standard
def asarray(
    obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Tensor:
    """Numbers, nested sequences, buffers, arrays of any library, as an array.

    `copy=True` always copies, `copy=False` raises ValueError where a copy is needed, None shares
    memory where it can. Raises OverflowError for integers that the dtype cannot hold.
    """
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(obj, Tensor):
        return _converted(obj, wanted, device, copy)
    if not isinstance(obj, (bool, int, float, complex, list, tuple)):
        shared = _shared(obj)
        if shared is not None:
            return _converted(shared, wanted, device, copy)
    if copy is False:
        raise ValueError(f"asarray: {type(obj).__name__} cannot become an array without a copy")
    return _placed(_from_python(obj, wanted), device)


def _shared(obj: Any) -> Tensor | None:
    """The memory of another library's array or of a buffer, as a tensor; None for other objects."""
    if isinstance(obj, np.generic):
        return wrap(np.asarray(obj))
    if isinstance(obj, np.ndarray):
        dtype_of(obj)
        return wrap(obj if obj.dtype.isnative else obj.astype(obj.dtype.newbyteorder("=")))
    if hasattr(obj, "__dlpack__"):
        return table["from_dlpack"](obj)
    if hasattr(obj, "__array__") or hasattr(obj, "__array_interface__"):
        return wrap(np.asarray(obj))
    try:
        return wrap(np.asarray(memoryview(obj)))
    except TypeError:
        return None


def _converted(x: Tensor, dtype: Any, device: Any, copy: bool | None) -> Tensor:
    made = x
    if device is not None:
        made = made.to(Device(device))  # type: ignore[attr-defined]
    if dtype is not None:
        made = cast(made, dtype)
    if copy is False and made is not x:
        raise ValueError(
            f"asarray: {x.dtype.name} on {x.device} cannot become {made.dtype.name} on "
            f"{made.device} without a copy"
        )
    if made is not x:
        return made
    return raw("clone")(x) if copy else x


def _from_python(obj: Any, dtype: Any) -> np.ndarray:
    if _holds_tensors(obj):
        return as_array(obj, dtype)
    array = np.array(obj)
    wide = array.dtype.kind in "ufO" and array.size and _all_whole(obj)
    if wide and dtype is None:
        return np.array(obj, dtype=np.int64)  # OverflowError where the default cannot hold one
    if dtype is not None and dtype.numpy.kind in "iu" and (wide or array.dtype.kind == "i"):
        return np.array(obj, dtype=dtype.numpy)  # exact, or an OverflowError
    return as_array(obj, dtype)


def _all_whole(obj: Any) -> bool:
    if isinstance(obj, (list, tuple)):
        return all(_all_whole(item) for item in obj)
    return isinstance(obj, int)


def _holds_tensors(obj: Any) -> bool:
    if isinstance(obj, (list, tuple)):
        return any(_holds_tensors(item) for item in obj)
    return hasattr(obj, "dtype")


@standard
def arange(
    start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Numbers from `start` (0 where only one is given) to before `stop`."""
    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise ValueError("arange: step must not be 0")
    if dtype is None:
        whole = all(isinstance(v, int) for v in (start, stop, step))
        chosen = int64 if whole else get_default_dtype()
    else:
        chosen = as_dtype(dtype)
    xp = device_namespace(device)
    if (stop - start) / step <= 0:
        return wrap(xp.zeros(0, chosen.numpy))
    count = -int((start - stop) // step)  # the ceiling of the quotient
    # at least in double: the steps of a narrow dtype would add up their errors
    kind = chosen.numpy if chosen.numpy.kind in "iu" else np.dtype(np.float64)
    if kind.kind in "iu" and not all(isinstance(v, int) for v in (start, step)):
        kind = np.dtype(np.float64)
    steps = xp.arange(count, dtype=kind)
    return wrap((xp.asarray(start, dtype=kind) + steps * step).astype(chosen.numpy))


@standard
def empty(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array of undefined values."""
    return wrap(device_namespace(device).empty(_sides(shape), _chosen(dtype).numpy))


@standard
def ones(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array of ones."""
    return wrap(device_namespace(device).ones(_sides(shape), _chosen(dtype).numpy))


@standard
def zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array of zeros."""
    return wrap(device_namespace(device).zeros(_sides(shape), _chosen(dtype).numpy))


@standard
def full(shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array of one number, in its own dtype unless told otherwise."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    chosen = number_dtype(value) if dtype is None else as_dtype(dtype)
    return wrap(device_namespace(device).full(_sides(shape), value, chosen.numpy))


def _like(x: Tensor, make: Any, dtype: Any, device: Any) -> Tensor:
    chosen = x.dtype if dtype is None else dtype
    return make(tuple(x.array.shape), dtype=chosen, device=x.device if device is None else device)


@standard
def empty_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Undefined values in the shape, dtype and on the device of `x`."""
    return _like(x, empty, dtype, device)


@standard
def ones_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones in the shape, dtype and on the device of `x`."""
    return _like(x, ones, dtype, device)


@standard
def zeros_like(x: Tensor, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros in the shape, dtype and on the device of `x`."""
    return _like(x, zeros, dtype, device)


@standard
def full_like(x: Tensor, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """One number in the shape, dtype and on the device of `x`."""
    return _like(x, lambda shape, **kind: full(shape, fill_value, **kind), dtype, device)


@standard
def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None
) -> Tensor:
    """Ones on the k-th diagonal of a matrix, zeros elsewhere."""
    return wrap(device_namespace(device).eye(n_rows, n_cols, k, dtype=_chosen(dtype).numpy))


@standard
def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: Any = None,
    device: Any = None,
    endpoint: bool = True,
) -> Tensor:
    """`num` numbers evenly spaced from `start` to `stop`, which counts where `endpoint`."""
    if dtype is None:
        either = isinstance(start, complex) or isinstance(stop, complex)
        chosen = get_default_dtype().to_complex() if either else get_default_dtype()
    else:
        chosen = as_dtype(dtype)
    xp = device_namespace(device)
    wide = np.complex128 if chosen.is_complex else np.float64
    made = xp.linspace(start, stop, num, endpoint=endpoint, dtype=wide).astype(chosen.numpy)
    return wrap(made)


@standard
def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """The memory of another library's array; `device` and `copy` as in `asarray`.

    Raises BufferError where `copy=False` and a copy is needed.
    """
    if isinstance(x, Tensor):
        made = x.detach()
        where = None if device is None else Device(device)
        if where is not None and where.type != x.device.type:
            if copy is False:
                raise BufferError(f"from_dlpack: {x.device} to {where} needs a copy")
            return made.to(where)  # type: ignore[attr-defined]
        return raw("clone")(made) if copy else made
    return table["from_dlpack"](x, device=device, copy=copy)


@standard
def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """Coordinate grids of 1-d arrays: "xy" (columns first) or "ij".

    Raises ValueError for arrays of different dtypes or of more dimensions.
    """
    if len({x.array.dtype for x in arrays}) > 1:
        raise ValueError("meshgrid: the arrays must have one dtype")
    if any(x.array.ndim != 1 for x in arrays):
        raise ValueError("meshgrid: the arrays must be one-dimensional")
    if not arrays:
        return []
    made = table["meshgrid"](*arrays, indexing=indexing)
    return [alias(x) if any(x is a for a in arrays) else x for x in made]


@standard
def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Matrices with zeros above the k-th diagonal."""
    return raw("tril")(x, k)


@standard
def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Matrices with zeros below the k-th diagonal."""
    return raw("triu")(x, k)
