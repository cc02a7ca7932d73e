"""More ways of making tensors: empty_strided, scalar_tensor, range, randint_like, from buffers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from workbench.arrays import as_dtype, get_default_dtype

from .create import as_shape, finish, randint
from .functions import METHODS, function
from .tensor import Tensor, wrap


@function(method=False)
def scalar_tensor(
    s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A 0-d tensor of a number, in the default float dtype unless `dtype` says otherwise."""
    chosen = get_default_dtype() if dtype is None else as_dtype(dtype)
    made = wrap(np.asarray(s, chosen.numpy))
    made = made if device is None else made.to(device)
    return made.requires_grad_() if requires_grad else made


@function("", "range", method=False)
def range_(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers from `start` (0) to `end`, included. Deprecated in torch: use arange."""
    warnings.warn(
        "range is deprecated because its behavior is inconsistent with Python's range builtin; "
        "use arange, which ends before `end`",
        UserWarning,
        stacklevel=2,
    )
    if end is None:
        start, end = 0, start
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    chosen = get_default_dtype() if dtype is None else as_dtype(dtype)
    count = int((end - start) / step + 1e-9) + 1
    made = wrap((start + step * np.arange(count, dtype=np.float64)).astype(chosen.numpy))
    made = made if device is None else made.to(device)
    return made.requires_grad_() if requires_grad else made


@function(method=False)
def empty_strided(
    size: Any, stride: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """An uninitialised tensor with the given sizes and steps (in elements)."""
    from .functions import raw

    shape, steps = as_shape((tuple(size),)), tuple(stride)
    if len(shape) != len(steps):
        raise RuntimeError(
            f"dimensionality of sizes ({len(shape)}) must match dimensionality of strides "
            f"({len(steps)})"
        )
    chosen = get_default_dtype() if dtype is None else as_dtype(dtype)
    need = 0 if 0 in shape else 1 + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
    memory = wrap(np.empty(need, chosen.numpy))
    memory = memory if device is None else memory.to(device)
    return finish(raw("as_strided")(memory, shape, steps, 0).array, requires_grad)


@function(method=False)
def empty_permuted(
    size: Any,
    physical_layout: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """An uninitialised tensor whose dimensions lie in memory in the order `physical_layout`."""
    shape, order = as_shape((tuple(size),)), tuple(physical_layout)
    if sorted(order) != list(range(len(shape))):
        raise RuntimeError(
            f"Number of dimensions in size does not match the length of the physical_layout, or "
            f"dimensions repeat: {list(shape)} and {list(order)}"
        )
    steps, step = [0] * len(shape), 1
    for d in reversed(order):
        steps[d], step = step, step * max(shape[d], 1)
    return empty_strided(shape, steps, dtype=dtype, device=device, requires_grad=requires_grad)


@function(method=False)
def randint_like(
    input: Tensor,
    low: int,
    high: Any = None,
    *,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Random integers in [low, high), or [0, low), in the shape and dtype of `input`."""
    if high is None:
        low, high = 0, low
    return randint(
        low, high, tuple(input.shape), generator=generator,
        dtype=input.dtype if dtype is None else dtype,
        device=input.device if device is None else device, requires_grad=requires_grad,
    )  # fmt: skip


@function(method=False)
def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A 1-d tensor over the memory of a Python buffer (bytes, bytearray, memoryview, array).

    Raises ValueError for offsets and counts that do not fit. Read-only buffers stay read-only.
    """
    chosen = as_dtype(dtype)
    held = memoryview(buffer).cast("B")
    left = held.nbytes - offset
    if held.nbytes == 0 or count == 0:
        raise ValueError(f"both buffer length ({held.nbytes}) and count ({count}) must not be 0")
    if not 0 <= offset < held.nbytes:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length "
            f"({held.nbytes} bytes) - 1"
        )
    if count < 0 and left % chosen.itemsize:
        raise ValueError(
            f"buffer length ({left} bytes) after offset ({offset} bytes) must be a multiple of "
            f"element size ({chosen.itemsize})"
        )
    n = left // chosen.itemsize if count < 0 else count
    if n * chosen.itemsize > left:
        raise ValueError(
            f"requested buffer length ({n} * {chosen.itemsize} bytes) after offset ({offset} "
            f"bytes) must not be greater than actual buffer length ({held.nbytes} bytes)"
        )
    made = np.frombuffer(held, np.uint8, n * chosen.itemsize, offset)
    return finish(made.view(chosen.numpy), requires_grad)


@function(method=False)
def from_file(
    filename: str,
    shared: bool | None = None,
    size: int = 0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A 1-d tensor of `size` elements over a file mapped into memory.

    With `shared`, what is written reaches the file (which is made or grown as needed), else it
    stays in memory.
    """
    chosen = get_default_dtype() if dtype is None else as_dtype(dtype)
    if not size:
        return finish(np.empty(0, chosen.numpy), requires_grad)
    if shared:
        with open(filename, "ab") as file:  # noqa: PTH123 - pathlib would cost every import 3 ms
            file.truncate(max(file.tell(), size * chosen.itemsize))
    held = np.memmap(filename, np.uint8, "r+" if shared else "c", shape=size * chosen.itemsize)
    made = finish(np.asarray(held).view(chosen.numpy), requires_grad)
    return made if device is None else made.to(device)


def new_empty_strided(self: Tensor, size: Any, stride: Any, **options: Any) -> Tensor:
    """As `empty_strided`, in this tensor's dtype and on its device."""
    given: dict[str, Any] = {"dtype": self.dtype, "device": self.device} | options
    return empty_strided(size, stride, **given)


METHODS["new_empty_strided"] = new_empty_strided
