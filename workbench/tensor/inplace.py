"""Writing into tensors under autograd, as torch does it.

The new value is computed by the ordinary op, then copied into the tensor's memory, and the tensor
takes over the op's place on the tape. A write through a view also rewrites the history of the
base (a node that splices the view's new gradient into the base's) and of every other view of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.arrays import namespace, on_cuda, writable
from workbench.arrays.dtypes import dtype_of

from . import versions
from .mode import mode
from .node import LEAF, Node, make_node
from .tensor import Tensor, wrap
from .transforms.batched import refuse_write


def check_writable(tensor: Tensor, name: str) -> None:
    """Raises RuntimeError when recording and `tensor` (or its base) is a leaf that wants grad."""
    if not mode.grad:
        return
    if tensor.edge is LEAF:
        raise RuntimeError(
            f"a leaf Variable that requires grad is being used in an in-place operation ({name}). "
            "Write under wb.no_grad(), or to a clone()."
        )
    base = tensor._base
    if base is not None and base.edge is not None:
        _same_numbers(tensor, base)
    if base is not None and base.edge is LEAF:
        raise RuntimeError(
            f"a view of a leaf Variable that requires grad is being used in an in-place operation "
            f"({name}). Write under wb.no_grad()."
        )


def _same_numbers(view: Tensor, base: Tensor) -> None:
    """Raises RuntimeError for a view of complex numbers as real ones, or the reverse."""
    if view.array.dtype != base.array.dtype:
        raise RuntimeError(
            f"writing into a view of a {base.dtype} tensor as {view.dtype} while gradients are "
            "recorded is not supported; put the new value together with wb.complex(real, imag)"
        )


def store(tensor: Tensor, result: Tensor, name: str) -> Tensor:
    """Make `result` the value (and the history) of `tensor`, in its own memory.

    Raises RuntimeError when shape or dtype category do not fit; nothing is written then.
    """
    target, value = tensor.array, result.array
    if value.shape != target.shape:
        raise RuntimeError(
            f"output with shape {list(target.shape)} doesn't match the broadcast shape "
            f"{list(value.shape)} in {name}"
        )
    if value.dtype != target.dtype and dtype_of(value).category > dtype_of(target).category:
        raise RuntimeError(
            f"result type {dtype_of(value).name} can't be cast to the desired output type "
            f"{dtype_of(target).name} in {name}"
        )
    if not writable(target):
        raise RuntimeError(
            f"{name}: this tensor is a read-only view (an expanded tensor, or memory that NumPy "
            "protects); write to a clone() of it"
        )
    before = tensor.edge
    if isinstance(result.edge, Node) and result.edge.saved:
        _keep_saved(result.edge, target)
    if type(target) is np.ndarray:
        np.copyto(target, value, casting="unsafe")
    elif on_cuda(target) and hasattr(value, "inside"):
        raise refuse_write()
    else:
        target[...] = value
    versions.mark_array(target)
    edge = result.edge
    if edge is LEAF:  # a plain copy of a leaf
        edge = make_node(_Copy, (result,))
    if edge is not None and value.dtype != target.dtype:
        edge = make_node(_Cast, (edge,), (value.dtype,))
    if mode.grad:
        tensor.edge = edge
        _rewrite_relatives(tensor, before, edge)
    return tensor


def _keep_saved(node: Node, target: Any) -> None:
    """The op that computes an in-place write saved its operands: copy what the write destroys."""
    memory = versions.owner(target)
    node.saved = tuple(
        value.copy()
        if type(value) is type(target)
        and versions.owner(value) is memory
        and not versions.written_since(value, node.seq)
        else value
        for value in node.saved or ()
    )


class _Overwrite:
    """A fill: nothing of the old value is left, so its gradient is zero."""

    name = "FillBackward0"

    @staticmethod
    def backward(F: Any, g: Any, node: Node) -> tuple[Any]:
        """The gradient of the value that was written over."""
        return (g * 0,)

    backward_taped = backward


class _Copy:
    name = "CopyBackward0"

    @staticmethod
    def backward(F: Any, g: Any, node: Node) -> tuple[Any]:
        return (g,)

    backward_taped = backward


class _Cast:
    name = "ToCopyBackward0"

    @staticmethod
    def backward(F: Any, g: Any, node: Node) -> tuple[Any]:
        return (F.cast(g, node.saved[0]),)  # type: ignore[index]

    backward_taped = backward


# -- views -----------------------------------------------------------------------------------


def _rewrite_relatives(tensor: Tensor, before: Any, edge: Any) -> None:
    base = tensor._base
    if base is None:
        if tensor._views:
            _refresh_views(tensor)
        return
    if edge is None and base.edge is None:
        return
    _same_numbers(tensor, base)
    where = _region(tensor.array, base.array)
    # gradients of the base: outside the region they belong to its old value, inside to the view's
    base.edge = make_node(_Splice, (base.edge, edge), (where, base.array.shape))
    _refresh_views(base)


def _refresh_views(base: Tensor) -> None:
    """Point every view of `base` at its new history."""
    for ref in base._views or ():
        view = ref()
        if view is None:
            continue
        if base.edge is None:
            view.edge = None
        elif view.array.dtype != base.array.dtype:
            view.edge = make_node(_Foreign, (base.edge,))
        else:
            where = _region(view.array, base.array)
            view.edge = make_node(_Region, (base.edge,), (where, base.array.shape))


def _region(view: Any, base: Any) -> Any:
    """Flat positions of the view's elements among the base's, as an index array."""
    flat = np.arange(base.size).reshape(base.shape)
    if flat.strides != base.strides:  # lay the positions out as the base is laid out
        laid = np.lib.stride_tricks.as_strided(
            np.empty(_extent(base) // base.itemsize + 1, np.int64), base.shape,
            tuple(s // base.itemsize * 8 for s in base.strides),
        )  # fmt: skip
        laid[...] = flat
        flat = laid
    offset = _address(view) - _address(base)
    owner = flat if flat.base is None or flat.flags.c_contiguous else flat.base
    raw = owner.reshape(-1) if owner.flags.c_contiguous else owner
    start = offset // base.itemsize
    strides = tuple(s // base.itemsize * 8 for s in view.strides)
    found = np.lib.stride_tricks.as_strided(raw[start:], view.shape, strides).copy()
    return namespace(view).asarray(found)


def _extent(array: Any) -> int:
    return sum((n - 1) * s for n, s in zip(array.shape, array.strides, strict=True) if n)


def _address(array: Any) -> int:
    first = getattr(array, "first", array)  # of an array with a hidden dimension: its first sample
    if on_cuda(first):
        return int(first.data.ptr)
    return int(first.__array_interface__["data"][0])


class _Splice:
    """base[region] = view: the base's gradient, split between its old value and the view."""

    name = "CopySlices"

    @staticmethod
    def backward(F: Any, g: Any, node: Node) -> tuple[Any, Any]:
        where, shape = node.saved  # type: ignore[misc]
        flat = F.reshape(g, (-1,))
        inside = F.getitem(flat, (where,))
        outside = F.reshape(F.index_zero(flat, (where,)), shape)
        return outside, inside

    backward_taped = backward


class _Region:
    """A view of a base whose history was rewritten."""

    name = "AsStridedBackward0"

    @staticmethod
    def backward(F: Any, g: Any, node: Node) -> tuple[Any]:
        where, shape = node.saved  # type: ignore[misc]
        n = 1
        for side in shape:
            n *= side
        return (F.reshape(F.index_backward(g, (where,), (n,)), shape),)

    backward_taped = backward


class _Foreign:
    """A view as real numbers of a complex base (or the reverse) that was written since."""

    name = "AsStridedBackward0"

    @staticmethod
    def backward(F: Any, g: Any, node: Node) -> tuple[Any]:
        raise RuntimeError(
            "a view of complex numbers as real ones was taken before its base was written in "
            "place; take it again after the write"
        )

    backward_taped = backward


# -- making in-place variants -------------------------------------------------------------------


def inplace_variant(name: str, call: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`x.name_(...)`: `call(x, ...)` stored into x."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(self, f"{name}_")
        return store(self, call(self, *args, **kwargs), f"{name}_")

    method.__name__ = f"{name}_"
    method.__qualname__ = f"Tensor.{name}_"
    method.__doc__ = f"In-place version of `{name}`. Returns self."
    return method


def fill_raw(tensor: Tensor, name: str, write: Callable[[Any], None]) -> Tensor:
    """Overwrite a tensor with values that have no history. Returns it."""
    check_writable(tensor, name)
    if not writable(tensor.array):
        raise RuntimeError(f"{name}: this tensor is a read-only view; write to a clone() of it")
    write(tensor.array)
    versions.mark_array(tensor.array)
    before = tensor.edge
    if mode.grad and (before is not None or tensor._base is not None or tensor._views):
        if before is not None:
            tensor.edge = make_node(_Overwrite, (before,))
        _rewrite_relatives(tensor, before, tensor.edge)
    return tensor


def copy_(self: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Copy the elements of `src` (broadcast, cast) into this tensor. Returns self."""
    from .functions import raw
    from .transfer import cast_to, move_to

    check_writable(self, "copy_")
    if not isinstance(src, Tensor):
        src = wrap(np.asarray(src))
    src = cast_to(move_to(src, self.device), self.array.dtype)
    if src.array.shape != self.array.shape:
        src = raw("expand")(src, self.array.shape)
    return store(self, src, "copy_")
