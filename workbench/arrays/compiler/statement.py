"""Lines of elementwise work: the functions there are, and how a kernel is stated.

A `Statement` stands for NumPy. What a function calls on it, and what operators do to the symbols
it gives for arrays and numbers, becomes lines, which `lines.py` compiles.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from . import functions
from .ir import Function, Value

_DOUBLE = struct.Struct("=q")

FUNCTIONS = {
    "fast_exp": functions.exp, "fast_expm1": functions.expm1, "fast_log": functions.log,
    "fast_log1p": functions.log1p, "fast_tanh": functions.tanh,
    "fast_sigmoid": functions.sigmoid, "fast_erf": functions.erf,
    "fast_normal_cdf": functions.normal_cdf,
}  # fmt: skip


def _maximum(fn: Function, a: Value, b: Value) -> Value:
    return fn.select(_or(fn, a > b, a.compare("!=", a)), a, b)


def _minimum(fn: Function, a: Value, b: Value) -> Value:
    return fn.select(_or(fn, a < b, a.compare("!=", a)), a, b)


def _or(fn: Function, a: Value, b: Value) -> Value:
    return fn.make(a.kind, f"or {a}, {b.name}")


ARITHMETIC: dict[str, Callable[..., Value]] = {
    "add": lambda fn, a, b: a + b, "subtract": lambda fn, a, b: a - b,
    "multiply": lambda fn, a, b: a * b, "divide": lambda fn, a, b: a / b,
    "true_divide": lambda fn, a, b: a / b, "negative": lambda fn, a: -a,
    "positive": lambda fn, a: a, "square": lambda fn, a: a * a, "sqrt": Function.sqrt,
    "absolute": Function.abs, "reciprocal": lambda fn, a: 1 / a, "copyto": lambda fn, to, a: a,
    "maximum": _maximum, "minimum": _minimum, **FUNCTIONS,
}  # fmt: skip
CHOICE = "where"  # of its second and third operand by a mask
COMPARISONS = {
    "greater": ">", "less": "<", "greater_equal": ">=", "less_equal": "<=", "equal": "==",
    "not_equal": "!=",
}  # fmt: skip
KNOWN = frozenset(ARITHMETIC) | frozenset(COMPARISONS) | {CHOICE}


def number_of(ref: Ref) -> float:
    """The number that is part of the kernel."""
    return float(struct.unpack("=d", _DOUBLE.pack(ref.place))[0])


class Ref(NamedTuple):
    """An operand: "a" an array, "n" a number, "t" an intermediate result, by its place.

    "c" is a number that is part of the kernel, by the bits of a double.
    """

    kind: str
    place: int

    def __str__(self) -> str:
        return f"{self.kind}{self.place}"


class Line(NamedTuple):
    """`out = function(*operands)`."""

    function: str
    operands: tuple[Ref, ...]
    out: Ref


class Unstatable(Exception):
    """A kernel that does something else than the functions known here."""


class Statement:
    """Stands for NumPy and writes down what a kernel calls: `statement.array(0)`, `.number(1)`."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._count = 0

    def array(self, place: int) -> Any:
        """What stands for an array."""
        return Symbol(self, Ref("a", place))

    def number(self, place: int) -> Any:
        """What stands for a number."""
        return Symbol(self, Ref("n", place))

    def room(self) -> Any:
        """What stands for an array to write to that nobody reads afterwards."""
        self._count += 1
        return Symbol(self, Ref("t", self._count))

    def constant(self, number: float) -> Any:
        """What stands for a number that is part of the kernel."""
        return Symbol(self, Ref("c", _DOUBLE.unpack(struct.pack("=d", number))[0]))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in KNOWN:
            raise Unstatable(name)

        def call(*operands: Any, out: Any = None) -> Any:
            target = self.room() if out is None else out
            if name == "copyto":
                target = operands[0]
            operands = tuple(self.constant(x) if type(x) in (int, float) else x for x in operands)
            if not all(type(x) is Symbol for x in (*operands, target)):
                raise Unstatable(name)
            refs = tuple(x.ref for x in operands)
            self.lines.append(Line(name, refs, target.ref))
            return target

        return call


def _operator(name: str, turned: bool = False) -> Callable[..., Any]:
    def call(self: Symbol, *other: Any) -> Any:
        operands = (*other, self) if turned else (self, *other)
        return getattr(self.statement, name)(*operands)

    return call


class Symbol:
    """Stands for an operand; operators write lines."""

    __slots__ = ("ref", "statement")

    def __init__(self, statement: Statement, ref: Ref) -> None:
        self.statement = statement
        self.ref = ref

    __add__, __radd__ = _operator("add"), _operator("add", True)
    __sub__, __rsub__ = _operator("subtract"), _operator("subtract", True)
    __mul__, __rmul__ = _operator("multiply"), _operator("multiply", True)
    __truediv__, __rtruediv__ = _operator("divide"), _operator("divide", True)
    __neg__, __abs__ = _operator("negative"), _operator("absolute")
    __gt__, __lt__ = _operator("greater"), _operator("less")
    __ge__, __le__ = _operator("greater_equal"), _operator("less_equal")
