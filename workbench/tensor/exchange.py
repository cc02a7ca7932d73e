"""Leaving for Python, NumPy, other libraries and copies of itself.

`Exchange` holds the methods of Tensor that hand its elements on: numbers, NumPy, DLPack, the
array API, `copy` and `pickle`.
"""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

import numpy as np

from workbench.arrays import array_device, dlpack, to_numpy
from workbench.arrays import device as Device

from .node import LEAF
from .versions import owner


class Exchange:
    """What a Tensor can become."""

    __slots__ = ()

    array: Any
    edge: Any
    grad: Any

    # NumPy leaves `ndarray * tensor` and `number * tensor` to us
    __array_priority__ = 1000

    # -- Python --------------------------------------------------------------------------------

    def item(self) -> Any:
        """The one element as a Python number; RuntimeError when there are several."""
        array = self.array
        if array.size != 1:
            raise RuntimeError(
                f"a Tensor with {array.size} elements cannot be converted to Scalar; use tolist()"
            )
        value = array.item()
        return float(value) if array.dtype.kind == "V" else value

    def tolist(self) -> Any:
        """The elements as (nested lists of) Python numbers."""
        array = to_numpy(self.array)
        return (array.astype(np.float32) if array.dtype.kind == "V" else array).tolist()

    def __bool__(self) -> bool:
        array = self.array
        if array.size != 1:
            if array.size == 0:
                raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        return bool(array.item())

    def _scalar(self) -> Any:
        if self.array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return self.item()

    def _real(self, kind: str) -> Any:
        value = self._scalar()
        if isinstance(value, complex):
            if value.imag:
                raise RuntimeError(f"value cannot be converted to type {kind} without overflow")
            return value.real
        return value

    def __float__(self) -> float:
        return float(self._real("double"))

    def __int__(self) -> int:
        return int(self._real("int64_t"))

    __nonzero__, __long__ = __bool__, __int__  # Python 2's names, which torch has kept

    def __complex__(self) -> complex:
        return complex(self._scalar())

    def __index__(self) -> int:
        if self.array.size != 1 or self.array.dtype.kind not in "biu":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.array.item())

    def __len__(self) -> int:
        if self.array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return int(self.array.shape[0])

    def __iter__(self) -> Any:
        if self.array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.array.shape[0]))  # type: ignore[index]

    def __reversed__(self) -> Any:
        """The elements (rows, …) from the last to the first; a 0-d tensor is its own reverse."""
        return self if self.array.ndim == 0 else self.flip((0,))  # type: ignore[attr-defined]

    def __contains__(self, element: Any) -> bool:
        if isinstance(element, (Exchange, bool, int, float, complex, np.generic)):
            return bool((self == element).any())  # type: ignore[attr-defined]
        raise RuntimeError(
            f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
            f"{type(element)}."
        )

    def __hash__(self) -> int:
        return id(self)

    def __format__(self, spec: str) -> str:
        from .tensor import Tensor

        # what prints in its own way (a Parameter) is formatted so too
        if self.array.ndim == 0 and type(self).__repr__ is Tensor.__repr__:
            return format(self.item(), spec)
        return object.__format__(self, spec)

    # -- NumPy ---------------------------------------------------------------------------------

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The elements as a NumPy array that shares memory (CPU).

        Raises RuntimeError for tensors that require gradients and TypeError for CUDA tensors,
        unless `force`.
        """
        array = self.array
        if not force:
            if self.edge is not None:
                raise RuntimeError(
                    "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                    "instead."
                )
            if not isinstance(array, np.ndarray) and not hasattr(array, "inside"):
                raise TypeError(
                    "can't convert a cuda tensor to numpy. Use Tensor.cpu() to copy the tensor to "
                    "host memory first."
                )
        return to_numpy(array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(
                    f"Unable to avoid copy: {array.dtype} to {np.dtype(dtype)} needs one"
                )
            return array.astype(dtype)
        return array.copy() if copy else array

    def __array_wrap__(
        self, array: np.ndarray, context: Any = None, return_scalar: bool = False
    ) -> Any:
        """What a NumPy function makes of a tensor is a tensor; truth values become uint8."""
        from .tensor import wrap

        array = np.asarray(array)
        return wrap(array.astype(np.uint8) if array.dtype == np.bool_ else array)

    # -- other libraries -----------------------------------------------------------------------

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A DLPack capsule over the same memory.

        Raises BufferError for tensors that require gradients, and where `copy=False` and a copy
        is needed.
        """
        if self.edge is not None:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return dlpack.export(self.array, stream, max_version, dl_device, copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        return dlpack.device_of(self.array)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """`workbench.array_api`, the array API standard's functions over tensors.

        Raises ValueError for a version of the standard later than 2024.12.
        """
        import workbench.array_api as namespace

        known = ("2021.12", "2022.12", "2023.12", namespace.__array_api_version__)
        if api_version is not None and api_version not in known:
            raise ValueError(
                f"array API {api_version!r} is not there; known are: {', '.join(known)}"
            )
        return namespace

    def to_device(self, device: Any, /, *, stream: Any = None) -> Any:
        """The same elements on another device (the array API's name for `to(device)`)."""
        if stream is not None:
            raise ValueError("to_device: streams are not supported; got stream other than None")
        return self.to(Device(device))  # type: ignore[attr-defined]

    # -- notebooks -----------------------------------------------------------------------------

    def _repr_html_(self) -> str | None:
        from .display import repr_html

        return repr_html(self)  # type: ignore[arg-type]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from .display import repr_mimebundle

        return repr_mimebundle(self, include, exclude)  # type: ignore[arg-type]

    # -- copies of itself ----------------------------------------------------------------------

    def __copy__(self) -> Any:
        from .tensor import new_tensor

        made = new_tensor(type(self), self.array, None if self.edge is None else LEAF)
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if not self.is_leaf:  # type: ignore[attr-defined]
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment; use x.detach().clone()"
            )
        if id(self) in memo:
            return memo[id(self)]
        from .tensor import new_tensor

        made = memo[id(self)] = new_tensor(type(self), _copied(self.array, memo), self.edge)
        if self.grad is not None:
            made.grad = deepcopy(self.grad, memo)
        for key, value in self.__dict__.items():
            made.__dict__[key] = deepcopy(value, memo)
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        from .tensor import _rebuild

        for hook in self._hooks or ():  # type: ignore[attr-defined]
            warnings.warn(
                f"backward hook {hook!r} on tensor will not be serialized",
                UserWarning,
                stacklevel=2,
            )
        array = to_numpy(self.array)
        made = (type(self), array, self.edge is not None, self.__dict__)
        return _rebuild, made if type(self.array) is np.ndarray else (
            *made,
            str(array_device(self.array)),
        )


def _copied(array: Any, memo: dict[int, Any]) -> Any:
    """A copy of a raw array; views of memory that `memo` has seen stay views of its one copy."""
    if type(array) is not np.ndarray or array.base is None:
        if id(array) not in memo:
            memo[id(array)] = array.copy("K") if type(array) is np.ndarray else array.copy()
        return memo[id(array)]
    root = owner(array)
    if type(root) is not np.ndarray or root.dtype != array.dtype or root.dtype.hasobject:
        return array.copy()
    if id(root) not in memo:
        memo[id(root)] = root.copy("K")
    fresh = memo[id(root)]
    if fresh.strides != root.strides:
        return array.copy()
    start = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    flat = fresh.T if fresh.flags.f_contiguous and not fresh.flags.c_contiguous else fresh
    if not flat.flags.c_contiguous or not array.size or not flat.size:
        return array.copy()
    flat = flat.reshape(-1)
    return np.lib.stride_tricks.as_strided(
        flat[start // array.itemsize :], array.shape, array.strides
    )
