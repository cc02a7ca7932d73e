"""Types and values of the kernels' language: what operators on values write.

A type is LLVM's own word for it: "i64", "float", "<16 x float>", "ptr", "i1" …
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ir import Function

_VECTOR = re.compile(r"<(\d+) x (\w+)>")
FLOATS = ("float", "double")
_COMPARE = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}


def vector(lanes: int, element: str) -> str:
    """The type of `lanes` elements side by side; the element itself for one lane."""
    return element if lanes == 1 else f"<{lanes} x {element}>"


def lanes_of(kind: str) -> int:
    """How many elements a value of this type has."""
    found = _VECTOR.fullmatch(kind)
    return int(found[1]) if found else 1


def element_of(kind: str) -> str:
    """The type of one element."""
    found = _VECTOR.fullmatch(kind)
    return found[2] if found else kind


def size_of(kind: str) -> int:
    """Bytes of a value."""
    sizes = {"i1": 1, "i8": 1, "i16": 2, "i32": 4, "i64": 8, "float": 4, "double": 8, "ptr": 8}
    return lanes_of(kind) * sizes[element_of(kind)]


def constant(kind: str, number: float) -> str:
    """A number as LLVM writes it; of every lane, for a vector."""
    element = element_of(kind)
    if element == "ptr":
        text = "null"
    elif element in FLOATS:
        exact = struct.unpack("f", struct.pack("f", number))[0] if element == "float" else number
        text = f"0x{struct.unpack('>Q', struct.pack('>d', exact))[0]:016X}"
    elif element == "i1":
        text = "true" if number else "false"
    else:
        text = str(int(number))
    n = lanes_of(kind)
    return text if n == 1 else "<" + ", ".join([f"{element} {text}"] * n) + ">"


class Value:
    """A result of an instruction, an argument or a constant."""

    __slots__ = ("fn", "kind", "name")

    def __init__(self, fn: Function, kind: str, name: str) -> None:
        self.fn = fn
        self.kind = kind
        self.name = name

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def floating(self) -> bool:
        """Whether it holds floats."""
        return element_of(self.kind) in FLOATS

    def _with(self, name: str, other: Any, swap: bool = False) -> Value:
        other = self.fn.of(self.kind, other)
        a, b = (other, self) if swap else (self, other)
        return self.fn.make(self.kind, f"{name} {a}, {b.name}")

    def __add__(self, other: Any) -> Value:
        return self._with("fadd" if self.floating else "add", other)

    def __radd__(self, other: Any) -> Value:
        return self._with("fadd" if self.floating else "add", other, True)

    def __sub__(self, other: Any) -> Value:
        return self._with("fsub" if self.floating else "sub", other)

    def __rsub__(self, other: Any) -> Value:
        return self._with("fsub" if self.floating else "sub", other, True)

    def __mul__(self, other: Any) -> Value:
        return self._with("fmul" if self.floating else "mul", other)

    def __rmul__(self, other: Any) -> Value:
        return self._with("fmul" if self.floating else "mul", other, True)

    def __truediv__(self, other: Any) -> Value:
        return self._with("fdiv", other)

    def __rtruediv__(self, other: Any) -> Value:
        return self._with("fdiv", other, True)

    def __floordiv__(self, other: Any) -> Value:
        return self._with("sdiv", other)

    def __mod__(self, other: Any) -> Value:
        return self._with("srem", other)

    def __and__(self, other: Any) -> Value:
        return self._with("and", other)

    def __or__(self, other: Any) -> Value:
        return self._with("or", other)

    def __xor__(self, other: Any) -> Value:
        return self._with("xor", other)

    def __lshift__(self, other: Any) -> Value:
        return self._with("shl", other)

    def __rshift__(self, other: Any) -> Value:
        return self._with("lshr", other)

    def __neg__(self) -> Value:
        if self.floating:
            return self.fn.make(self.kind, f"fneg {self}")
        return 0 - self

    def compare(self, how: str, other: Any) -> Value:
        """i1 (or one a lane) of `self how other`; signed, and false for nan except "!="."""
        other = self.fn.of(self.kind, other)
        word = _COMPARE[how]
        if self.floating:
            op = f"fcmp {'u' if how == '!=' else 'o'}{word}"
        elif how in ("==", "!="):
            op = f"icmp {word}"
        else:
            op = f"icmp s{word}"
        return self.fn.make(vector(lanes_of(self.kind), "i1"), f"{op} {self}, {other.name}")

    def __lt__(self, other: Any) -> Value:
        return self.compare("<", other)

    def __le__(self, other: Any) -> Value:
        return self.compare("<=", other)

    def __gt__(self, other: Any) -> Value:
        return self.compare(">", other)

    def __ge__(self, other: Any) -> Value:
        return self.compare(">=", other)


class Variable:
    """A place in a register: `get()` reads it, `set(value)` assigns it."""

    __slots__ = ("fn", "kind", "name")

    def __init__(self, fn: Function, kind: str, name: str) -> None:
        self.fn, self.kind, self.name = fn, kind, name

    def get(self) -> Value:
        """What it holds now."""
        return self.fn.make(self.kind, f"load {self.kind}, ptr {self.name}")

    def set(self, value: Any) -> None:
        """Assign."""
        self.fn.line(f"store {self.fn.of(self.kind, value)}, ptr {self.name}")
