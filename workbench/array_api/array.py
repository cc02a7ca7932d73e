"""The array object of the standard: a Tensor whose operators follow it to the letter.

torch's operators differ from the standard's in a few places: a 0-d tensor does not take part in
promotion within its category, slices with a negative step are refused, division of integers by
zero raises. What the namespace returns is therefore an `Array`: a Tensor in everything else, with
the same memory, tape and methods.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from workbench.arrays import dtype_of, promote
from workbench.tensor import FUNCTIONS, Tensor
from workbench.tensor.functions import raw
from workbench.tensor.indexing import getitem, setitem
from workbench.tensor.inplace import check_writable, store
from workbench.tensor.transfer import cast_to

_new = object.__new__
_NUMBERS = (bool, int, float, complex)

table = FUNCTIONS[""]
"""The functions of the top level, under torch's names."""


class Count(int):
    """A number of elements: the standard's attribute `x.size` and torch's method `x.size(dim)`."""

    of: Any

    def __call__(self, dim: int | None = None) -> Any:
        """The shape, or the size along `dim`."""
        return Tensor.size(self.of, dim)


class Array(Tensor):
    """A Tensor with the operators, indexing and `size` of the array API standard.

    The functions of `workbench.array_api` return it. Arrays of any dtype promote by their dtypes
    alone, 0-d ones too; slices may run backwards; `x // 0` and `x % 0` of integers give 0. Mixing
    integers with floats, which the standard leaves open, promotes as torch does.
    """

    __slots__ = ()

    @property
    def size(self) -> Count:  # type: ignore[override]
        """The number of elements; called, torch's `size(dim)`."""
        count = Count(self.array.size)
        count.of = self
        return count

    @property
    def T(self) -> Array:
        """The transpose of a matrix. Raises ValueError unless there are two dimensions."""
        if self.array.ndim != 2:
            raise ValueError(f"x.T needs a matrix, got {self.array.ndim} dimension(s); use x.mT")
        return ours(raw("transpose")(self, 0, 1))

    @property
    def mT(self) -> Array:
        """The transposes of the last two dimensions. Raises ValueError for fewer than two."""
        if self.array.ndim < 2:
            raise ValueError(f"x.mT needs two dimensions or more, got {self.array.ndim}")
        return ours(raw("transpose")(self, -2, -1))

    def to_device(self, device: Any, /, *, stream: Any = None) -> Array:
        """The same elements on another device; itself where it is there already."""
        return ours(Tensor.to_device(self, device, stream=stream), self)

    def __getitem__(self, key: Any, /) -> Array:
        forward, turned = _forward(key, self.array.shape)
        made = getitem(self, forward)
        return ours(raw("flip")(made, turned) if turned else made, self)

    def __setitem__(self, key: Any, value: Any, /) -> None:
        forward, turned = _forward(key, self.array.shape)
        if turned and isinstance(value, Tensor):
            wanted = self.array[forward].shape
            value = raw("flip")(table["broadcast_to"](value, wanted), turned)
        setitem(self, forward, value)

    def __hash__(self) -> int:
        return id(self)


def _forward(key: Any, shape: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    """The index with its backward slices turned forward, and the result's dimensions to flip."""
    parts = key if type(key) is tuple else (key,)
    for part in parts:
        if type(part) is slice and part.step is not None and int(part.step) < 0:
            break
    else:
        return key, ()
    if any(hasattr(p, "dtype") or isinstance(p, (list, bool)) for p in parts):
        raise IndexError("slices with a negative step cannot be mixed with index arrays")
    used = sum(1 for p in parts if p is not None and p is not Ellipsis)
    made: list[Any] = []
    turned: list[int] = []
    dim = out = 0
    for part in parts:
        if part is Ellipsis:
            skipped = len(shape) - used
            dim, out = dim + skipped, out + skipped
        elif part is None:
            out += 1
        elif type(part) is slice:
            if part.step is not None and int(part.step) < 0:
                places = range(shape[dim])[part]
                turned.append(out)
                part = slice(places[-1], places[0] + 1, -places.step) if places else slice(0, 0)
            dim, out = dim + 1, out + 1
        else:
            dim += 1
        made.append(part)
    return tuple(made), tuple(turned)


# -- results ---------------------------------------------------------------------------------------


def alias(x: Tensor) -> Array:
    """The same elements, memory and history under a new handle."""
    return ours(raw("view_as_shape")(x, x.array.shape))


def ours(made: Any, *given: Any) -> Any:
    """A result as an Array; where it is one of the tensors `given`, a new handle on it."""
    if isinstance(made, (tuple, list)):
        for part in made:
            ours(part)
    elif isinstance(made, Tensor) and type(made) is not Array:
        if any(made is x for x in given):
            return alias(made)
        if type(made) is Tensor:
            made.__class__ = Array  # the layout is the same; history and views stay attached
    return made


_F = TypeVar("_F", bound=Callable[..., Any])


def standard(made: _F) -> _F:
    """A function of the standard: its tensors come out as Arrays."""

    @functools.wraps(made)
    def call(*args: Any, **kwargs: Any) -> Any:
        return ours(made(*args, **kwargs), *args)

    call.__signature__ = inspect.signature(made)  # type: ignore[attr-defined]
    return call  # type: ignore[return-value]


# -- operands --------------------------------------------------------------------------------------


def cast(x: Tensor, target: Any) -> Tensor:
    """`x` in another dtype, on the tape."""
    return cast_to(x, target.numpy)


def together(*arrays: Any) -> tuple[Any, ...]:
    """The arrays in their common dtype, whatever their dimensions; numbers stay as they are.

    Raises TypeError where there is no array at all.
    """
    common = None
    for x in arrays:
        if isinstance(x, Tensor):
            held = dtype_of(x.array)
            common = held if common is None else promote(common, held)
    if common is None:
        raise TypeError(
            f"expected at least one array, got {', '.join(type(x).__name__ for x in arrays)}"
        )
    return tuple(cast(x, common) if isinstance(x, Tensor) else x for x in arrays)


# -- operators -------------------------------------------------------------------------------------

_UNARY = {"neg": "negative", "pos": "positive", "abs": "abs", "invert": "bitwise_invert"}
_BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide",
    "floordiv": "floor_divide", "mod": "remainder", "pow": "pow", "matmul": "matmul",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
}  # fmt: skip
_COMPARISONS = {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
    "ge": "greater_equal",
}  # fmt: skip


def _known(value: Any) -> bool:
    return isinstance(value, (Tensor, np.generic, *_NUMBERS))


def _forms(call: Any) -> tuple[Any, Any, Any]:
    def forward(self: Array, other: Any, /) -> Any:
        return call(self, other) if _known(other) else NotImplemented

    def reflected(self: Array, other: Any, /) -> Any:
        return call(other, self) if _known(other) else NotImplemented

    def in_place(self: Array, other: Any, /) -> Any:
        if not _known(other):
            return NotImplemented
        check_writable(self, call.__name__)
        return store(self, call(self, other), call.__name__)

    return forward, reflected, in_place


def attach(functions: dict[str, Any]) -> None:
    """Give Array the operators that the namespace's functions are."""
    for sign, name in _UNARY.items():
        call = functions[name]
        _place(f"__{sign}__", lambda self, call=call: call(self))
    for sign, name in (_BINARY | _COMPARISONS).items():
        forward, reflected, in_place = _forms(functions[name])
        _place(f"__{sign}__", forward)
        if sign in _BINARY:
            _place(f"__r{sign}__", reflected)
            _place(f"__i{sign}__", in_place)


def _place(name: str, made: Any) -> None:
    made.__name__, made.__qualname__ = name, f"Array.{name}"
    setattr(Array, name, made)
