"""The Tensor: a raw array and its place on the tape.

Everything that computes comes from the op table (`methods.py` attaches it); here is what a tensor
*is*: its array, dtype, device, gradient, hooks and versions.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np

from workbench.arrays import array_device, device, dtype, dtype_of, to_numpy

from . import backward as engine
from . import versions
from .node import LEAF, HookHandle, Node, add_hook

_new = object.__new__

# Slots that an op leaves unset; `__getattr__` answers for them, so that making a Tensor costs
# two assignments.
_UNSET: dict[str, Any] = {
    "grad": None,
    "_hooks": None,
    "_post_hooks": None,
    "_base": None,
    "_views": None,
    "name": None,
}


class Size(tuple):
    """A shape: a tuple that prints and counts as torch.Size does."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        n = 1
        for side in self:
            n *= side
        return n

    def __repr__(self) -> str:
        return f"workbench.Size({list(self)})"

    def __getitem__(self, index: Any) -> Any:
        got = tuple.__getitem__(self, index)
        return Size(got) if isinstance(index, slice) else got

    def __add__(self, other: Any) -> Size:
        return Size(tuple.__add__(self, tuple(other)))


class Tensor:
    """A multi-dimensional array of one dtype on one device, with autograd.

    Make one with `wb.tensor`, `wb.zeros`, … `array` is the raw NumPy (or CuPy) array beneath.
    """

    __slots__ = ("__dict__", "__weakref__", "_base", "_hooks", "_post_hooks", "_views", "array",
                 "edge", "grad", "name")  # fmt: skip

    array: Any
    edge: Any
    grad: Tensor | None
    _hooks: list[Any] | None
    _post_hooks: list[Any] | None
    _base: Tensor | None
    _views: list[Any] | None
    name: str | None

    __array_priority__ = 1000
    # NumPy must hand `ndarray * tensor` to us, not loop over it
    __array_ufunc__ = None

    def __new__(cls, data: Any = None, *args: Any, **kwargs: Any) -> Tensor:
        """`Tensor(data)` copies to the default dtype; `Tensor(2, 3)` is uninitialised 2 x 3."""
        from .create import legacy_tensor

        return legacy_tensor(cls, data, *args)

    def __getattr__(self, name: str) -> Any:
        try:
            return _UNSET[name]
        except KeyError:
            raise AttributeError(
                f"'{type(self).__name__}' object has no attribute '{name}'"
            ) from None

    # -- what it is ------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return Size(self.array.shape)

    @property
    def dtype(self) -> dtype:
        """The element type."""
        return dtype_of(self.array)

    @property
    def device(self) -> device:
        """Where the elements live."""
        return array_device(self.array)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.array.nbytes

    @property
    def is_cuda(self) -> bool:
        """Whether it lives on a CUDA device."""
        return self.device.type == "cuda"

    @property
    def layout(self) -> str:
        """Always "strided"."""
        return "strided"

    def dim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    ndimension = dim

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size along `dim`; IndexError when `dim` is out of range."""
        if dim is None:
            return Size(self.array.shape)
        try:
            return self.array.shape[dim]
        except IndexError:
            n = max(self.array.ndim, 1)
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got "
                f"{dim})"
            ) from None

    def numel(self) -> int:
        """The number of elements."""
        return int(self.array.size)

    nelement = numel

    def element_size(self) -> int:
        """Bytes per element."""
        return int(self.array.itemsize)

    def stride(self, dim: int | None = None) -> Any:
        """The step between neighbours along each dimension, in elements."""
        step = self.array.itemsize
        strides = tuple(s // step for s in self.array.strides)
        return strides if dim is None else strides[dim]

    def is_contiguous(self) -> bool:
        """Whether elements lie in memory in row-major order."""
        return bool(self.array.flags.c_contiguous)

    def data_ptr(self) -> int:
        """Address of the first element."""
        interface = getattr(self.array, "__array_interface__", None)
        return int(interface["data"][0] if interface else self.array.data.ptr)

    def is_floating_point(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the elements are complex numbers."""
        return self.dtype.is_complex

    def is_signed(self) -> bool:
        """Whether the dtype holds negative numbers."""
        return self.dtype.is_signed

    def get_device(self) -> int:
        """The CUDA device's index; -1 on the CPU."""
        where = self.device
        return -1 if where.type == "cpu" else where.index or 0

    # -- autograd --------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor."""
        return self.edge is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for gradients of this leaf (or stop asking). Returns self.

        Raises RuntimeError for integer and bool tensors, and when the tensor is not a leaf.
        """
        if requires_grad:
            if self.edge is None:
                if self.array.dtype.kind in "iub":
                    raise RuntimeError(
                        "only Tensors of floating point and complex dtype can require gradients, "
                        f"this one is {self.dtype}"
                    )
                self.edge = LEAF
        elif self.edge is LEAF:
            self.edge = None
        elif self.edge is not None:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a "
                "computed variable in a subgraph that doesn't require differentiation use "
                "var_no_grad = var.detach()."
            )
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user, not by a recorded op."""
        return self.edge is None or self.edge is LEAF

    @property
    def grad_fn(self) -> Node | None:
        """The node that made this tensor, or None."""
        edge = self.edge
        return edge if type(edge) is Node else None

    @property
    def data(self) -> Tensor:
        """The same memory without its history."""
        return wrap(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data must be a Tensor, got {type(value).__name__}")
        self.array = value.array

    @property
    def _version(self) -> int:
        return versions.version(self.array)

    def detach(self) -> Tensor:
        """The same memory without its history."""
        return wrap(self.array)

    def detach_(self) -> Tensor:
        """Forget the history, in place."""
        self.edge = None
        return self

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add this tensor's gradients to the `.grad` of the leaves it was computed from."""
        engine.backward((self,), (gradient,), retain_graph, create_graph, inputs)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Call `hook(grad)` whenever this tensor's gradient is computed; it may return another.

        Raises RuntimeError when the tensor does not require gradients.
        """
        if self.edge is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self.edge is LEAF:
            if self._hooks is None:
                self._hooks = []
            self._hooks.append(hook)
            return HookHandle(self._hooks, hook)
        return add_hook(self.edge, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> HookHandle:
        """Call `hook(tensor)` after a backward pass has added to this leaf's `.grad`."""
        if self.edge is not LEAF:
            raise RuntimeError(
                "post accumulate grad hooks cannot be registered on non-leaf tensors"
            )
        if self._post_hooks is None:
            self._post_hooks = []
        self._post_hooks.append(hook)
        return HookHandle(self._post_hooks, hook)

    def retain_grad(self) -> None:
        """Keep `.grad` of this intermediate result in the next backward passes."""
        if self.edge is None:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self.edge is LEAF:
            return
        ref = weakref.ref(self)

        def keep(g: Tensor) -> None:
            held = ref()
            if held is not None:
                held.grad = (
                    wrap(g.array.copy()) if held.grad is None else wrap(held.grad.array + g.array)
                )

        add_hook(self.edge, keep)

    # -- leaving for Python and NumPy --------------------------------------------------------

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

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The elements as a NumPy array that shares memory (CPU).

        Raises RuntimeError for tensors that require gradients and TypeError for CUDA tensors,
        unless `force`.
        """
        if not force:
            if self.edge is not None:
                raise RuntimeError(
                    "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                    "instead."
                )
            if self.is_cuda:
                raise TypeError(
                    "can't convert a cuda tensor to numpy. Use Tensor.cpu() to copy the tensor to "
                    "host memory first."
                )
        return to_numpy(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError("converting the dtype needs a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **options: Any) -> Any:
        if self.edge is not None:
            raise BufferError("Can't export tensors that require gradient; use tensor.detach()")
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

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

    def __float__(self) -> float:
        return float(self._scalar())

    def __int__(self) -> int:
        return int(self._scalar())

    def __complex__(self) -> complex:
        return complex(self._scalar())

    def __index__(self) -> int:
        value: SupportsIndex = self.item()
        if not isinstance(value, int):
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(value)

    def __len__(self) -> int:
        if self.array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return int(self.array.shape[0])

    def __iter__(self) -> Any:
        if self.array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.array.shape[0]))

    def __hash__(self) -> int:
        return id(self)

    def __format__(self, spec: str) -> str:
        if self.array.ndim == 0 and spec:
            return format(self.item(), spec)
        return repr(self) if not spec else object.__format__(self, spec)

    def __copy__(self) -> Tensor:
        made = _new(type(self))
        made.array = self.array
        made.edge = self.edge
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment; use x.detach().clone()"
            )
        from copy import deepcopy

        made = _new(type(self))
        memo[id(self)] = made
        made.array = self.array.copy()
        made.edge = self.edge
        if self.grad is not None:
            made.grad = deepcopy(self.grad, memo)
        for key, value in self.__dict__.items():
            made.__dict__[key] = deepcopy(value, memo)
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuild, (type(self), to_numpy(self.array), self.edge is LEAF, self.__dict__)


def _rebuild(cls: type[Tensor], array: np.ndarray, needs_grad: bool, extra: dict) -> Tensor:
    made = _new(cls)
    made.array = array
    made.edge = LEAF if needs_grad else None
    made.__dict__.update(extra)
    return made


def wrap(array: Any) -> Tensor:
    """A Tensor on a raw array (no copy, no history)."""
    made = _new(Tensor)
    made.array = array
    made.edge = None
    return made


def mark_written(tensor: Tensor) -> None:
    """Note that `tensor.array` was written behind autograd's back.

    A graph that saved the old values then refuses to go backward, as in torch.
    """
    versions.mark_array(tensor.array)


def note_view(view: Tensor, of: Tensor) -> None:
    """Remember that `view` shares the memory of `of`, so that writes through either are seen."""
    a = view.array
    if a.base is None:  # the op had to copy
        return
    base = of if of._base is None else of._base
    if a is of.array or versions.owner(a) is not versions.owner(of.array):
        return  # the very tensor, or a copy in another shape
    view._base = base
    views = base._views
    if views is None:
        base._views = [weakref.ref(view)]
        return
    if len(views) > 32:
        views[:] = [ref for ref in views if ref() is not None]
    views.append(weakref.ref(view))
