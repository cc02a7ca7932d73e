"""Attaching the table to Tensor: methods, operators, in-place variants."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import namespace, on_cuda, random

from . import (  # noqa: F401 - each adds functions and methods
    absent,
    arrange,
    autocast,
    calculus,
    complexes,
    compose,
    convolution,
    creation,
    draws,
    einsum,
    factor_functions,
    fft_functions,
    indexing,
    legacy,
    linalg_functions,
    lowrank,
    matrix_norms,
    numbers,
    packed_factors,
    pieces,
    placing,
    printing,
    recurrent_functions,
    sampling,
    scatter,
    sets,
    settings,
    spatial,
    special_functions,
    statistics,
    storage,
)
from .binding import BOUND, Bound
from .functions import METHODS, raw
from .inplace import copy_, fill_raw, inplace_variant
from .tensor import Tensor

_REFLECTED = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor",
    "lshift", "rshift",
)  # fmt: skip
_OPERANDS = (Tensor, int, float, complex, np.generic)


def _reflect(call: Any) -> Any:
    def reflected(self: Tensor, other: Any) -> Any:
        return call(other, self) if isinstance(other, _OPERANDS) else NotImplemented

    return reflected


def _guard(call: Any) -> Any:
    def operator(self: Tensor, other: Any) -> Any:
        return call(self, other) if isinstance(other, _OPERANDS) else NotImplemented

    return operator


class _Later:
    """A method that is made when it is first looked up, and then stands on the class itself."""

    __slots__ = ("make", "name")

    def __init__(self, name: str, make: Any) -> None:
        self.name = name
        self.make = make

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        made = self.make()
        setattr(Tensor, self.name, made)
        return made if instance is None else made.__get__(instance, owner)


def _later(name: str, make: Any) -> None:
    setattr(Tensor, name, _Later(name, make))


def _attach() -> None:
    for name in METHODS:
        _later(name, lambda name=name: METHODS[name])
    for bound in BOUND.values():
        op = bound.op
        if op.inplace:
            for name in (op.name, *op.aliases):
                _later(f"{name}_", lambda name=name: inplace_variant(name, METHODS[name]))
        if op.operator is not None:
            _attach_operator(bound)
    Tensor.__getitem__ = indexing.getitem  # type: ignore[attr-defined]
    Tensor.__setitem__ = indexing.setitem  # type: ignore[attr-defined]
    Tensor.__repr__ = printing.tensor_repr  # type: ignore[method-assign]
    Tensor.copy_ = copy_  # type: ignore[attr-defined]


def _attach_operator(bound: Bound) -> None:
    op, sign = bound.op, bound.op.operator

    def call() -> Any:
        return compose.pow if op.name == "pow" else bound.call

    def operator() -> Any:
        if len(op.tensors) == 1:
            return bound.call
        quick = bound.fast and op.name != "pow"
        return bound.operator if quick or op.name == "matmul" else _guard(call())

    _later(f"__{sign}__", operator)
    if sign in _REFLECTED:
        _later(f"__r{sign}__", lambda: _reflect(call()))
    if op.inplace:
        _later(f"__i{sign}__", lambda: inplace_variant(op.name, call()))


def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself where it is contiguous, else a copy that is."""
    return self if self.array.flags.c_contiguous else raw("clone")(self)


def fill_(self: Tensor, value: Any) -> Tensor:
    """Fill with one number, in place."""
    number = value.item() if isinstance(value, Tensor) else value
    return fill_raw(self, "fill_", lambda array: array.fill(number))


def zero_(self: Tensor) -> Tensor:
    """Fill with zeros, in place."""
    return fill_raw(self, "zero_", lambda array: array.fill(0))


def _random_fill(name: str, draw: Any, doc: str) -> Any:
    def method(self: Tensor, *args: Any, generator: Any = None, **kwargs: Any) -> Tensor:
        source = generator or random.default_generator()

        def write(array: Any) -> None:
            drawn = draw(source, array, *args, **kwargs)
            array[...] = namespace(array).asarray(drawn) if on_cuda(array) else drawn

        return fill_raw(self, name, write)

    method.__name__ = name
    method.__doc__ = doc
    return method


def _uniform(g: Any, a: Any, from_: float = 0.0, to: float = 1.0, **kw: Any) -> Any:
    low, high = kw.get("a", from_), kw.get("b", to)
    return g.uniform(a.shape, a.dtype) * (high - low) + low


def _normal(g: Any, a: Any, mean: float = 0.0, std: float = 1.0) -> Any:
    return g.normal(a.shape, a.dtype) * std + mean


def _bernoulli(g: Any, a: Any, p: float = 0.5) -> Any:
    return g.uniform(a.shape, np.dtype(np.float64)) < p


def _integers(g: Any, a: Any, from_: int = 0, to: int | None = None) -> Any:
    if to is None:
        from_, to = 0, from_ or 2**24
    return g.integers(from_, to, a.shape)


METHODS.update(
    contiguous=contiguous,
    fill_=fill_,
    zero_=zero_,
    uniform_=_random_fill("uniform_", _uniform, "Fill with uniform numbers in [from, to)."),
    normal_=_random_fill("normal_", _normal, "Fill with normal numbers."),
    bernoulli_=_random_fill(
        "bernoulli_", _bernoulli, "Fill with ones at probability p, else zeros."
    ),
    random_=_random_fill("random_", _integers, "Fill with random integers in [from, to)."),
)

Tensor.T = property(lambda self: raw("permute")(self, tuple(range(self.array.ndim))[::-1]))  # type: ignore[attr-defined]
Tensor.mT = property(lambda self: raw("transpose")(self, -2, -1))  # type: ignore[attr-defined]
_attach()
