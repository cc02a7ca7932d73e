"""The Tensor: a raw array and its place on the tape.

Everything that computes comes from the op table (`methods.py` attaches it); here is what a tensor
*is*: its array, dtype, device, gradient, hooks and versions.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.arrays import array_device, device, dtype, dtype_of, move, namespace

from . import backward as engine
from . import versions
from .exchange import Exchange
from .node import LEAF, HookHandle, Node, add_hook

_new = object.__new__


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


class Tensor(Exchange):
    """A multi-dimensional array of one dtype on one device, with autograd.

    Make one with `wb.tensor`, `wb.zeros`, … `array` is the raw NumPy (or CuPy) array beneath.
    """

    __slots__ = ("__dict__", "__weakref__", "_base", "_grad", "_hooks", "_post_hooks", "_views",
                 "array", "edge", "name")  # fmt: skip

    array: Any
    edge: Any
    grad: Tensor | None
    _grad: Tensor | None
    _hooks: list[Any] | None
    _post_hooks: list[Any] | None
    _base: Tensor | None
    _views: list[Any] | None
    name: str | None

    if TYPE_CHECKING:  # methods are bound from the op table; a real one would slow every attribute

        def __getattr__(self, name: str) -> Any:
            """What a checker cannot see."""

    def __new__(cls, data: Any = None, *args: Any, **kwargs: Any) -> Tensor:
        """`Tensor(data)` copies to the default dtype; `Tensor(2, 3)` is uninitialised 2 x 3."""
        from .create import legacy_tensor

        return legacy_tensor(cls, data, *args)

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
        return edge if isinstance(edge, Node) else None

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


def _rebuild(
    cls: type[Tensor], array: np.ndarray, needs_grad: bool, extra: dict, where: str = "cpu"
) -> Tensor:
    home = array if where == "cpu" else move(array, device(where))
    made = new_tensor(cls, home, LEAF if needs_grad else None)
    made.__dict__.update(extra)
    return made


# What an op's function writes out for its result `t` (`source.py`). Every slot is filled, since a
# `__getattr__` that answered for empty ones would make each `t.array` ten times as slow.
AT_REST = "t._grad = t._base = t._views = t._hooks = t._post_hooks = t.name = None"


def new_tensor(cls: type[Any], array: Any, edge: Any = None) -> Any:
    """A Tensor, or an instance of a subclass, on a raw array."""
    made = _new(cls)
    made.array = array
    made.edge = edge
    made._grad = made._base = made._views = made._hooks = made._post_hooks = made.name = None
    return made


def wrap(array: Any) -> Tensor:
    """A Tensor on a raw array (no copy, no history)."""
    made = _new(Tensor)
    made.array = array
    made.edge = None
    made._grad = made._base = made._views = made._hooks = made._post_hooks = made.name = None
    return made


def _without_grad(tensor: Tensor) -> None:
    tensor._grad = None


# A property, so that `del t.grad` leaves None; of the slot's own functions, so that it costs little
Tensor.grad = property(  # type: ignore[assignment]
    Tensor.__dict__["_grad"].__get__, Tensor.__dict__["_grad"].__set__, _without_grad
)
engine.Tensor, engine.wrap = Tensor, wrap


def beside(like: Tensor, array: Any) -> Tensor:
    """A Tensor with the numbers of a host array, on the device of `like` (no history)."""
    return wrap(namespace(like.array).asarray(array))


def mark_written(tensor: Tensor) -> None:
    """Note that `tensor.array` was written behind autograd's back.

    A graph that saved the old values then refuses to go backward, as in torch.
    """
    versions.mark_array(tensor.array)


def note_view(view: Tensor, of: Tensor) -> None:
    """Remember that `view` shares the memory of `of`, so that writes through either are seen."""
    a, whole = view.array, of.array
    inside = a.base
    if inside is None or a is whole:  # the op had to copy, or gave the very array back
        return
    near = inside is whole or inside is whole.base  # nearly always
    if not near and versions.owner(a) is not versions.owner(whole):
        return  # a copy in another shape
    base = of if of._base is None else of._base
    view._base = base
    views = base._views
    if views is None:
        base._views = [weakref.ref(view)]
        return
    if len(views) > 32:
        views[:] = [ref for ref in views if ref() is not None]
    views.append(weakref.ref(view))
