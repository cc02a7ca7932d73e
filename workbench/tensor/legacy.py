"""Older ways of naming types: wb.LongTensor, x.type("torch.FloatTensor"), x.new, typename."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import as_dtype, dtype
from workbench.arrays.dtypes import (
    bfloat16,
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)

from .create import as_array, as_shape
from .functions import METHODS, function
from .tensor import Tensor, wrap
from .transfer import cast_to, to

_NAMES = {
    "Float": float32, "Double": float64, "Half": float16, "BFloat16": bfloat16, "Long": int64,
    "Int": int32, "Short": int16, "Char": int8, "Byte": uint8, "Bool": bool_,
    "ComplexFloat": complex64, "ComplexDouble": complex128,
}  # fmt: skip
_PREFIX = {kind: name for name, kind in _NAMES.items()}


class _Typed(type):
    """The type of wb.FloatTensor and its like: they make tensors of one dtype."""

    dtype: dtype

    def __call__(cls, *data: Any, device: Any = None) -> Tensor:
        """`T()` is empty, `T(2, 3)` uninitialised, `T([1, 2])` and `T(tensor)` hold the data."""
        kind = cls.dtype.numpy
        if not data:
            made = wrap(np.empty(0, kind))
        elif all(isinstance(n, int) and not isinstance(n, bool) for n in data) or (
            type(data[0]).__name__ == "Size"
        ):
            made = wrap(np.empty(as_shape(data), kind))
        elif len(data) > 1:
            raise TypeError(f"{cls.__name__}: expected sizes or one sequence, got {len(data)}")
        elif isinstance(data[0], Tensor):
            if data[0].dtype is not cls.dtype:
                raise TypeError(f"expected {cls.dtype} (got {data[0].dtype}); convert with .to()")
            made = wrap(data[0].array)
        else:
            made = wrap(as_array(data[0], cls.dtype))
        return made if device is None else made.to(device)  # type: ignore[attr-defined]

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Tensor) and value.dtype is cls.dtype and not value.is_cuda


def _typed(name: str, kind: dtype) -> Any:
    doc = f"Makes {kind.name} tensors, as in old programs; use wb.tensor(…, dtype=wb.{kind.name})."
    return _Typed(name, (), {"dtype": kind, "__doc__": doc, "__module__": "workbench"})


TYPES = {f"{name}Tensor": _typed(f"{name}Tensor", kind) for name, kind in _NAMES.items()}
for _name, _type in TYPES.items():
    if not _name.startswith("Complex"):
        function("", _name, method=False)(_type)


def type_name(kind: dtype) -> str:
    """The name of tensors of a dtype: workbench.FloatTensor."""
    return f"workbench.{_PREFIX.get(kind, kind.name.title().replace('Uint', 'UInt'))}Tensor"


def _meant(kind: Any) -> Any:
    if isinstance(kind, _Typed):
        return kind.dtype
    if isinstance(kind, str):
        short = kind.removeprefix("torch.").removeprefix("workbench.").removeprefix("cuda.")
        if short not in TYPES:
            raise ValueError(f"invalid type: {kind!r}; use a dtype such as wb.float32")
        return TYPES[short].dtype
    return as_dtype(kind)


def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The tensor's type name, or the tensor in another dtype (a dtype, a type or its name)."""
    if dtype is None:
        name = type_name(self.dtype)
        return name.replace("workbench.", "workbench.cuda.") if self.is_cuda else name
    made = cast_to(self, _meant(dtype).numpy)
    if isinstance(dtype, str) and ".cuda." in dtype:
        made = to(made, "cuda")
    return made


METHODS["type"] = type_
for _name, _kind in (("byte", uint8), ("char", int8), ("short", int16)):
    METHODS[_name] = (lambda wanted: lambda self, memory_format=None: cast_to(self, wanted.numpy))(
        _kind
    )


def new(self: Tensor, *data: Any, device: Any = None) -> Tensor:
    """A tensor of this one's dtype: `x.new(2, 3)` uninitialised, `x.new([1, 2])` with data."""
    return _typed("new", self.dtype)(*data, device=self.device if device is None else device)


METHODS["new"] = new


@function(method=False)
def typename(obj: Any) -> str:
    """The name of a tensor's type, or of an object's class with its module."""
    if isinstance(obj, Tensor):
        return type_name(obj.dtype)
    cls = obj if isinstance(obj, type) else type(obj)
    module = getattr(cls, "__module__", "") or ""
    return cls.__qualname__ if module in ("", "builtins") else f"{module}.{cls.__qualname__}"


@function(method=False)
def set_default_tensor_type(t: Any) -> None:
    """Make a type's dtype the default: set_default_tensor_type("torch.DoubleTensor")."""
    from workbench.arrays import set_default_dtype

    set_default_dtype(_meant(t))
