"""The memory under a tensor: untyped_storage, resize_, set_, share_memory_, and what it is not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from workbench.arrays import array_device, dtype_of
from workbench.arrays import device as Device
from workbench.ops.strided import storage as memory_of

from . import versions
from .create import as_shape
from .functions import METHODS, function, raw
from .tensor import Tensor, new_tensor, wrap


class UntypedStorage:
    """The bytes that a tensor, and every view of it, looks into."""

    __slots__ = ("_bytes", "_of")

    def __init__(self, of: Any) -> None:
        self._of = of
        self._bytes = of.reshape(-1, order="A").view(np.uint8) if of.size else of.reshape(-1)

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return wrap(self._of).data_ptr()

    def nbytes(self) -> int:
        """The number of bytes."""
        return int(self._of.nbytes)

    size = nbytes

    def element_size(self) -> int:
        """1: bytes."""
        return 1

    def __len__(self) -> int:
        return self.nbytes()

    def __getitem__(self, index: Any) -> Any:
        found = self._bytes[index]
        return int(found) if not isinstance(index, slice) else found.tolist()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self._of is other._of

    def __hash__(self) -> int:
        return id(self._of)

    @property
    def device(self) -> Device:
        """Where the bytes lie."""
        return array_device(self._of)

    def tolist(self) -> list[int]:
        """The bytes as numbers."""
        return list(self._bytes.tolist())

    def __repr__(self) -> str:
        return f"<UntypedStorage of {self.nbytes()} bytes on {self.device}>"


class TypedStorage(UntypedStorage):
    """The same memory in elements of one dtype (torch's older storages)."""

    __slots__ = ("_flat",)

    def __init__(self, of: Any, dtype: np.dtype) -> None:
        super().__init__(of)
        self._flat = self._bytes.view(dtype) if of.size else of.reshape(-1)

    @property
    def dtype(self) -> Any:
        """The elements' dtype."""
        return dtype_of(self._flat)

    def element_size(self) -> int:
        """Bytes per element."""
        return int(self._flat.itemsize)

    def size(self) -> int:
        """The number of elements."""
        return int(self._flat.size)

    def __len__(self) -> int:
        return self.size()

    def __getitem__(self, index: Any) -> Any:
        return self._flat[index].tolist()

    def tolist(self) -> list[Any]:
        """The elements as numbers."""
        return list(self._flat.tolist())

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return UntypedStorage(self._of)


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that this tensor looks into, as bytes."""
    return UntypedStorage(memory_of(self.array)[0])


def storage(self: Tensor) -> TypedStorage:
    """The memory that this tensor looks into, in elements of its dtype."""
    return TypedStorage(memory_of(self.array)[0], self.array.dtype)


def storage_offset(self: Tensor) -> int:
    """Where in its memory this tensor begins, in elements."""
    return int(memory_of(self.array)[1])


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both look at the same memory with the same sizes and steps."""
    return (
        self.data_ptr() == tensor.data_ptr()
        and self.shape == tensor.shape
        and self.stride() == tensor.stride()
    )


def _no_history(self: Tensor, name: str) -> None:
    if self.edge is not None:
        raise RuntimeError(f"cannot {name} variables that require grad")


def _on_cpu(self: Tensor, name: str) -> None:
    _no_history(self, f"{name} to")
    if type(self.array) is not np.ndarray:
        raise TypeError(f"{name} is only implemented on CPU tensors")


def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Change the shape in place; elements stay as far as they fit, new ones are undefined."""
    _no_history(self, "resize")
    shape = as_shape(sizes)
    array = self.array
    if tuple(array.shape) == shape:
        return self
    held, offset, limit = memory_of(array)
    need = int(np.prod(shape, dtype=np.int64))
    if offset + need <= limit and held.dtype == array.dtype:
        self.array = held.reshape(-1, order="A")[offset : offset + need].reshape(shape)
        return self
    from workbench.arrays import namespace

    made = namespace(array).empty(need, array.dtype)
    kept = held.reshape(-1, order="A")[offset:] if held.dtype == array.dtype else array.reshape(-1)
    made[: min(need, kept.size)] = kept[:need]
    self.array = made.reshape(shape)
    return self


def resize(self: Tensor, *sizes: Any) -> Tensor:
    """The elements in another shape of the same size (deprecated in torch: use reshape)."""
    warnings.warn("non-inplace resize is deprecated; use reshape", UserWarning, stacklevel=2)
    return METHODS["reshape"](self, *sizes)


def set_(self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None,
         stride: Any = None) -> Tensor:  # fmt: skip
    """Look at the memory of another tensor (or storage), with other sizes and steps if given."""
    _no_history(self, "set_")
    if source is None:
        self.array = self.array.reshape(-1)[:0].copy()
        return self
    if isinstance(source, UntypedStorage):
        flat = wrap(source._bytes.view(self.array.dtype))
    else:
        if source.array.dtype != self.array.dtype:
            raise RuntimeError(
                f"Could not set tensor of type {source.dtype} to a tensor of type {self.dtype}"
            )
        flat = source.detach()
        if size is None:
            self.array = flat.array
            return self
    if size is None:
        size = (flat.numel() - storage_offset,)
    if stride is None:
        stride, step = [], 1
        for n in reversed(tuple(size)):
            stride.insert(0, step)
            step *= max(n, 1)
    self.array = raw("as_strided")(flat, tuple(size), tuple(stride), storage_offset).array
    return self


def share_memory_(self: Tensor) -> Tensor:
    """Nothing to do: threads share all memory. Processes get copies. Returns self."""
    return self


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """The tensor itself without a CUDA device; with one, a copy in page-locked memory.

    Raises RuntimeError for a CUDA tensor.
    """
    if self.is_cuda:
        raise RuntimeError("cannot pin 'CUDA' only dense CPU tensors can be pinned")
    from workbench.arrays.backends import cuda

    if not cuda.is_available():
        return self
    import cupyx  # type: ignore[import-not-found]

    pinned = cupyx.empty_pinned(self.array.shape, self.array.dtype)
    pinned[...] = self.array
    return wrap(np.asarray(pinned))


def dim_order(self: Tensor) -> tuple[int, ...]:
    """The dimensions from the slowest to the fastest in memory."""
    return tuple(sorted(range(self.array.ndim), key=lambda d: -abs(self.array.strides[d])))


def as_strided_(self: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Tensor:
    """Look at the same memory with other sizes and steps, in place."""
    _no_history(self, "restride")
    self.array = raw("as_strided")(self, tuple(size), tuple(stride), storage_offset).array
    return self


def _swap_(name: str) -> Any:
    def method(self: Tensor, dim0: int, dim1: int) -> Tensor:
        return METHODS["transpose_"](self, dim0, dim1)

    method.__name__ = name
    method.__doc__ = "Exchange two dimensions, in place."
    return method


def apply_(self: Tensor, callable: Any) -> Tensor:
    """Put callable(element) in place of each element, one by one in Python. Returns self."""
    _on_cpu(self, "apply_")
    flat = [callable(v) for v in self.array.reshape(-1).tolist()]
    self.array[...] = np.asarray(flat, self.array.dtype).reshape(self.array.shape)
    versions.mark_array(self.array)
    return self


def map_(self: Tensor, tensor: Tensor, callable: Any) -> Tensor:
    """Put callable(element, tensor's element) in place of each element. Returns self."""
    _on_cpu(self, "map_")
    other = np.broadcast_to(tensor.array, self.array.shape)
    pairs = zip(self.array.reshape(-1).tolist(), other.reshape(-1).tolist(), strict=True)
    flat = [callable(a, b) for a, b in pairs]
    self.array[...] = np.asarray(flat, self.array.dtype).reshape(self.array.shape)
    versions.mark_array(self.array)
    return self


def as_subclass(self: Tensor, cls: type) -> Any:
    """The same memory and history as an instance of a subclass of Tensor."""
    if not isinstance(cls, type) or not issubclass(cls, Tensor):
        raise RuntimeError(f"as_subclass: {cls!r} is no subclass of Tensor")
    return new_tensor(cls, self.array, self.edge)


def index(self: Tensor, indices: Any) -> Tensor:
    """self[tuple(indices)]."""
    return self[tuple(indices)]  # type: ignore[index]


METHODS.update(
    untyped_storage=untyped_storage, storage=storage, storage_offset=storage_offset,
    is_set_to=is_set_to, resize_=resize_, resize=resize, set_=set_, share_memory_=share_memory_,
    pin_memory=pin_memory, dim_order=dim_order, as_strided_=as_strided_, apply_=apply_, map_=map_,
    as_subclass=as_subclass, index=index,
    swapaxes_=_swap_("swapaxes_"), swapdims_=_swap_("swapdims_"),
    resize_as_=lambda self, other, memory_format=None: resize_(self, *other.shape),
    resize_as=lambda self, other: resize(self, *other.shape),
    const_data_ptr=lambda self: self.data_ptr(),
    is_pinned=lambda self, device=None: False,
    is_shared=lambda self: True,
    is_inference=lambda self: False,
    storage_type=lambda self: TypedStorage,
    record_stream=lambda self, stream: None,
)  # fmt: skip


@function(method=False)
def is_storage(obj: Any) -> bool:
    """Whether `obj` is a storage."""
    return isinstance(obj, UntypedStorage)


function("", "is_inference", method=False)(METHODS["is_inference"])
function("", "is_complex", method=False)(lambda input: input.is_complex())
function("", "is_signed", method=False)(lambda input: input.is_signed())
