"""Data types and PyTorch's promotion rules.

A `dtype` is a named, interned handle on a NumPy dtype. Promotion follows PyTorch: types fall into
the categories bool < int < float < complex; a value of a higher category decides the result, and
within a category a Python number gives way to a 0-d tensor, which gives way to a tensor with
dimensions.
"""

from __future__ import annotations

from collections.abc import Iterable

import ml_dtypes
import numpy as np

BOOL, INT, FLOAT, COMPLEX = range(4)


class dtype:  # noqa: N801 - torch spells it so
    """An element type, e.g. `wb.float32`; compare by identity.

    Attributes: `name`, `numpy` (the NumPy dtype), `itemsize` in bytes, `category` (0 bool, 1 int,
    2 float, 3 complex), `is_floating_point`, `is_complex`, `is_signed`.
    """

    __slots__ = ("category", "itemsize", "name", "numpy")

    def __init__(self, name: str, numpy_dtype: np.dtype, category: int) -> None:
        self.name = name
        self.numpy = numpy_dtype
        self.itemsize = numpy_dtype.itemsize
        self.category = category

    @property
    def is_floating_point(self) -> bool:
        """Whether it holds floating-point numbers."""
        return self.category == FLOAT

    @property
    def is_complex(self) -> bool:
        """Whether it holds complex numbers."""
        return self.category == COMPLEX

    @property
    def is_signed(self) -> bool:
        """Whether it holds negative numbers."""
        return self.category >= FLOAT or self.name.startswith("int")

    def to_real(self) -> dtype:
        """The real type of the same precision (complex64 → float32); real types return self."""
        return {complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self) -> dtype:
        """The complex type of the same precision (float32 → complex64)."""
        return {float64: complex128}.get(self, complex64 if self.category == FLOAT else self)

    def __repr__(self) -> str:
        return f"workbench.{self.name}"

    def __reduce__(self) -> str:
        return "bool_" if self.category == BOOL else self.name  # the module-level constant

    def __copy__(self) -> dtype:
        return self

    def __deepcopy__(self, memo: dict) -> dtype:
        return self


def _make(name: str, category: int, source: object = None) -> dtype:
    return dtype(name, np.dtype(source or name), category)


bool_ = dtype("bool", np.dtype(bool), BOOL)
uint8, uint16, uint32, uint64 = (_make(f"uint{n}", INT) for n in (8, 16, 32, 64))
int8, int16, int32, int64 = (_make(f"int{n}", INT) for n in (8, 16, 32, 64))
float16, float32, float64 = (_make(f"float{n}", FLOAT) for n in (16, 32, 64))
bfloat16 = _make("bfloat16", FLOAT, ml_dtypes.bfloat16)
complex64, complex128 = _make("complex64", COMPLEX), _make("complex128", COMPLEX)

ALL = (
    bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64,
    float16, bfloat16, float32, float64, complex64, complex128,
)  # fmt: skip
ALIASES = {
    "float": float32, "double": float64, "half": float16, "long": int64, "int": int32,
    "short": int16, "cfloat": complex64, "cdouble": complex128,
}  # fmt: skip

_OF_NUMPY = {d.numpy: d for d in ALL}
_OF_PYTHON = {bool: bool_, int: int64, complex: complex64}
_default = float32


def get_default_dtype() -> dtype:
    """The dtype of new floating-point tensors (float32 unless changed)."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Make `d` the dtype of new floating-point tensors.

    Raises TypeError when `d` is not a floating-point dtype.
    """
    global _default
    d = as_dtype(d)
    if d.category != FLOAT:
        raise TypeError(f"only floating-point types are supported as the default type, got {d!r}")
    _default = d


def dtype_of(array: object) -> dtype:
    """The `dtype` of a raw array or NumPy dtype.

    Raises TypeError for element types that tensors cannot hold (strings, objects, dates).
    """
    source = getattr(array, "dtype", array)
    try:
        return _OF_NUMPY[source]
    except (KeyError, TypeError):
        pass
    try:  # byte-swapped or structured relatives of a known type
        return _OF_NUMPY[np.dtype(source).newbyteorder("=")]
    except (KeyError, TypeError):
        names = ", ".join(d.name for d in ALL)
        raise TypeError(
            f"can't convert data of type {source}; the supported types are: {names}"
        ) from None


def as_dtype(value: object) -> dtype:
    """Accept a `dtype`, Python's `bool`/`int`/`float`/`complex`, or a NumPy dtype.

    Raises TypeError for anything else (a string such as "float32" included, as in torch).
    """
    if type(value) is dtype:
        return value
    if value is float:
        return _default
    if isinstance(value, type) and value in _OF_PYTHON:
        return _OF_PYTHON[value]
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return dtype_of(np.dtype(value))
    raise TypeError(
        f"dtype must be a workbench.dtype such as wb.float32, not {value!r} "
        f"({type(value).__name__})"
    )


_promoted: dict[tuple[dtype, dtype], dtype] = {}


def promote(a: dtype, b: dtype) -> dtype:
    """The smallest type both convert to, by PyTorch's rules (`torch.promote_types`)."""
    if a is b:
        return a
    key = (a, b)
    found = _promoted.get(key)
    if found is None:
        found = _promoted[key] = _promote(a, b)
    return found


def _promote(a: dtype, b: dtype) -> dtype:
    if a.category != b.category:
        high, low = (a, b) if a.category > b.category else (b, a)
        if high is complex64 and low is float64:
            return complex128
        return high
    if {a, b} == {float16, bfloat16}:
        return float32
    if a is bfloat16 or b is bfloat16:
        return b if a is bfloat16 else a
    together = np.promote_types(a.numpy, b.numpy)
    if together.kind == "f" and a.category == INT:  # uint64 with a signed type has no home
        raise RuntimeError(
            f"Promotion for {a.name} and {b.name} is not supported; convert one of them with .to()"
        )
    return dtype_of(together)


def number_dtype(value: object) -> dtype:
    """The dtype a Python number has on its own: bool, int64, the default float or its complex."""
    if isinstance(value, bool):
        return bool_
    if isinstance(value, int):
        return int64
    if isinstance(value, float):
        return _default
    return complex128 if _default is float64 else complex64


def result_dtype(operands: Iterable[tuple[dtype, int]]) -> dtype:
    """PyTorch's result type of operands given as (dtype, weakness).

    Weakness is 0 for tensors with dimensions, 1 for 0-d tensors and 2 for Python numbers: a
    weaker operand counts only where its category is higher than all the stronger ones'.
    """
    best: list[dtype | None] = [None, None, None]
    for d, weakness in operands:
        held = best[weakness]
        best[weakness] = d if held is None else promote(held, d)
    result: dtype | None = None
    for candidate in best:
        if candidate is None:
            continue
        if result is None:
            result = candidate
        elif candidate.category > result.category:
            result = _lift(result, candidate)
    if result is None:
        raise ValueError("result_dtype needs at least one operand")
    return result


def _lift(strong: dtype, weak: dtype) -> dtype:
    """A strong operand meets a weaker one of a higher category."""
    if weak.category == COMPLEX and strong.category == FLOAT:
        return strong.to_complex()
    return weak
