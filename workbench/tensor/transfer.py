"""Moving between dtypes and devices: `x.to(...)`, `x.float()`, `x.cpu()`."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import array_device, as_dtype, device, move
from workbench.arrays.dtypes import ALIASES, bfloat16, bool_, dtype

from . import node as nodes
from .functions import METHODS, raw
from .mode import mode
from .node import LEAF, make_node
from .tensor import Tensor, wrap


def cast_to(tensor: Tensor, target: np.dtype) -> Tensor:
    """`tensor` in another NumPy dtype, on the tape; the same tensor when it has it."""
    if tensor.array.dtype == target:
        return tensor
    if target.kind in "iub":
        array = tensor.array
        return wrap((array.real if array.dtype.kind == "c" else array).astype(target))
    return raw("to_dtype")(tensor, target)


class _Move:
    """The node of a copy between devices."""

    name = "ToCopyBackward0"

    @staticmethod
    def backward(F: Any, g: Any, node: Any) -> tuple[Any]:
        return (move(g, node.saved[0]),)

    @staticmethod
    def backward_taped(F: Any, g: Any, node: Any) -> tuple[Any]:
        return (move_to(g, node.saved[0]),)


def move_to(tensor: Tensor, where: device) -> Tensor:
    """`tensor` on another device, on the tape; the same tensor when it is there."""
    here = array_device(tensor.array)
    if here.type == where.type and where.index in (None, here.index):
        return tensor
    made = wrap(move(tensor.array, where))
    if tensor.edge is not None and mode.grad:
        nodes.watched = True  # from here on a backward pass may meet two libraries
        made.edge = make_node(_Move, (tensor if tensor.edge is LEAF else tensor.edge,), (here,))
    return made


def parse_to(
    args: tuple[Any, ...], dtype_: Any, device_: Any
) -> tuple[dtype | None, device | None]:
    """The dtype and device meant by the arguments of `.to(...)`.

    Raises TypeError for arguments that are neither.
    """
    for arg in args:
        if isinstance(arg, Tensor):
            dtype_, device_ = arg.dtype, arg.device
        elif isinstance(arg, (str, device)) or (isinstance(arg, int) and not isinstance(arg, bool)):
            device_ = arg
        elif isinstance(arg, bool):
            continue  # non_blocking, copy: positional in old programs
        elif arg is not None:
            dtype_ = arg
    return (
        None if dtype_ is None else as_dtype(dtype_),
        None if device_ is None else device(device_),
    )


def to(
    self: Tensor,
    *args: Any,
    dtype: Any = None,
    device: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """In another dtype and/or on another device: `to(dtype)`, `to(device)`, `to(other)`, both.

    Returns self when nothing changes (unless `copy`).
    """
    wanted, where = parse_to(args, dtype, device)
    made = self
    if where is not None:
        made = move_to(made, where)
    if wanted is not None:
        made = cast_to(made, wanted.numpy)
    return raw("clone")(made) if made is self and copy else made


METHODS["to"] = to
METHODS["type_as"] = lambda self, other: to(self, other.dtype)
METHODS["cpu"] = lambda self: move_to(self, device("cpu"))
METHODS["cuda"] = lambda self, device_=None: move_to(
    self, device("cuda") if device_ is None else device(device_)
)
for _name, _dtype in (*ALIASES.items(), ("bool", bool_), ("bfloat16", bfloat16)):
    METHODS[_name] = (lambda wanted: lambda self: cast_to(self, wanted.numpy))(_dtype)
