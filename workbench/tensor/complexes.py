"""Complex numbers and bit patterns: polar, resolve_conj, vdot, ldexp, nextafter."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays.dtypes import bfloat16

from .functions import METHODS, function, raw
from .inplace import copy_, inplace_variant
from .tensor import Tensor, wrap

_mul = raw("mul")


def _real(self: Tensor) -> Tensor:
    return self if self.array.dtype.kind != "c" else raw("real")(self)


def _part_setter(name: str) -> Any:
    def write(self: Tensor, value: Any) -> None:
        copy_(raw(name)(self), value)

    return write


@function("", "real", method=False)
def real(input: Tensor) -> Tensor:
    """A view of the real part; real tensors are returned as they are."""
    return _real(input)


# attributes, as in torch, not methods
Tensor.real = property(_real, _part_setter("real"))  # type: ignore[attr-defined]
Tensor.imag = property(raw("imag"), _part_setter("imag"))  # type: ignore[attr-defined]


@function(method=False)
def polar(abs: Tensor, angle: Tensor) -> Tensor:
    """abs * exp(i angle): the complex numbers with these sizes and angles (radians).

    Raises RuntimeError unless both are float tensors of one dtype.
    """
    if abs.array.dtype != angle.array.dtype or abs.array.dtype.kind != "f":
        raise RuntimeError(
            "polar(): expected both inputs to be Float or Double tensors of the same dtype but got "
            f"{abs.dtype} and {angle.dtype}"
        )
    return raw("complex")(_mul(abs, raw("cos")(angle)), _mul(abs, raw("sin")(angle)))


def _itself(name: str, doc: str) -> None:
    def same(input: Tensor) -> Tensor:
        return input

    same.__name__ = same.__qualname__ = name
    same.__doc__ = doc
    function()(same)


_itself("resolve_conj", "The tensor itself: conjugates are always computed, never pending.")
_itself("resolve_neg", "The tensor itself: negations are always computed, never pending.")


@function()
def positive(input: Tensor) -> Tensor:
    """The tensor itself; RuntimeError for bools."""
    if input.array.dtype == np.bool_:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


Tensor.__pos__ = positive  # type: ignore[attr-defined,operator]


@function()
def is_conj(input: Tensor) -> bool:
    """False: conjugates are always computed, never pending."""
    return False


@function()
def is_neg(input: Tensor) -> bool:
    """False: negations are always computed, never pending."""
    return False


@function()
def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate."""
    return raw("conj")(input)


METHODS["conj_physical_"] = inplace_variant("conj_physical", conj_physical)


def adjoint(self: Tensor) -> Tensor:
    """The conjugate transpose of the last two dimensions."""
    if self.array.ndim < 2:
        raise RuntimeError(
            "tensor.adjoint() is only supported on matrices or batches of matrices, got "
            f"{self.array.ndim}-d"
        )
    return raw("conj")(raw("transpose")(self, -2, -1))


function("", "adjoint")(adjoint)
Tensor.mH = property(adjoint)  # type: ignore[attr-defined]
Tensor.H = property(  # type: ignore[attr-defined]
    lambda self: raw("conj")(METHODS["t"](self))
)


@function()
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The dot product of two vectors, the first conjugated."""
    return METHODS["dot"](raw("conj")(input), other)


_nextafter = raw("nextafter")


@function()
def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next floating-point number after `input` towards `other`."""
    both = [v.array for v in (input, other) if isinstance(v, Tensor)]
    if len(both) == 2 and all(a.dtype == bfloat16.numpy for a in both):
        made = np.nextafter(both[0], both[1])
        return wrap(np.asarray(made) if isinstance(made, np.generic) else made)
    return _nextafter(input, other)


@function()
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input * 2**other, as floats; shapes broadcast."""
    return _mul(input, METHODS["pow"](2.0, other))


for _name in ("ldexp",):
    METHODS[f"{_name}_"] = inplace_variant(_name, METHODS[_name])


@function()
def is_nonzero(input: Tensor) -> bool:
    """Whether the one element is not zero; RuntimeError for several or none."""
    return bool(input)


@function()
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape."""
    return tuple(input.array.shape) == tuple(other.array.shape)
