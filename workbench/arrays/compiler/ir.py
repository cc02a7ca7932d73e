"""A small language for kernels: Python that writes LLVM's intermediate representation.

    fn = Function("scale", "ptr x, i64 n, float by")
    x, n, by = fn.args
    with fn.range(0, n) as i:
        fn.store(fn.load("float", x, i) * by, x, i)
    text = fn.text()

A `Value` is typed ("i64", "float", "<16 x float>", "ptr", "i1" …); operators on values append
instructions, and Python numbers take the type of what they meet. A `Variable` can be assigned,
which is how sums are carried round a loop: LLVM keeps it in a register. Arithmetic is exactly what
is written: nothing is rearranged or contracted, so the same operations give NumPy's bits; `fma` is
asked for by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .values import (
    FLOATS,
    Value,
    Variable,
    constant,
    element_of,
    lanes_of,
    size_of,
    vector,
)

__all__ = [
    "Function",
    "Value",
    "Variable",
    "constant",
    "element_of",
    "lanes_of",
    "module",
    "size_of",
    "vector",
]


class Function:
    """One function being written. `args`: its arguments as values."""

    def __init__(self, name: str, parameters: str = "", returns: str = "void",
                 *, local: bool = False) -> None:  # fmt: skip
        self.name = name
        self.returns = returns
        self.local = local  # known in its module only, and called rather than copied
        self.parameters = [tuple(p.rsplit(" ", 1)) for p in parameters.split(", ") if p]
        self.args = [Value(self, kind, f"%{word}") for kind, word in self.parameters]
        self._lines: list[str] = []
        self._places: list[str] = []
        self._count = 0
        self.declared: set[str] = set()
        self.called: list[Function] = []  # functions that belong into the same module

    # -- values ------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """An instruction without a result."""
        self._lines.append(f"  {text}")

    def make(self, kind: str, text: str) -> Value:
        """An instruction with a result of type `kind`."""
        self._count += 1
        name = f"%v{self._count}"
        self._lines.append(f"  {name} = {text}")
        return Value(self, kind, name)

    def of(self, kind: str, value: Any) -> Value:
        """A number, or a value, as one of type `kind`: scalars are spread over a vector's lanes."""
        if isinstance(value, Variable):
            value = value.get()
        if not isinstance(value, Value):
            return Value(self, kind, constant(kind, value))
        if value.kind != kind:
            if value.kind == element_of(kind):
                return self.splat(value, lanes_of(kind))
            raise TypeError(f"{value} where {kind} is wanted")
        return value

    def variable(self, kind: str, value: Any = None) -> Variable:
        """A new variable."""
        self._count += 1
        name = f"%p{self._count}"
        self._places.append(f"  {name} = alloca {kind}")
        made = Variable(self, kind, name)
        if value is not None:
            made.set(value)
        return made

    def room(self, kind: str, count: int, align: int = 64) -> Value:
        """The address of `count` elements of working memory on the stack."""
        self._count += 1
        name = f"%r{self._count}"
        self._places.append(f"  {name} = alloca [{count} x {kind}], align {align}")
        return Value(self, "ptr", name)

    def splat(self, value: Value, lanes: int) -> Value:
        """The scalar in every lane."""
        if lanes == 1:
            return value
        kind = vector(lanes, value.kind)
        first = self.make(kind, f"insertelement {kind} poison, {value}, i64 0")
        zeros = constant(vector(lanes, "i32"), 0)
        return self.make(
            kind, f"shufflevector {first}, {kind} poison, {vector(lanes, 'i32')} {zeros}"
        )

    def iota(self, lanes: int, kind: str = "i32") -> Value:
        """0, 1, 2 … in the lanes."""
        numbers = ", ".join(f"{kind} {i}" for i in range(lanes))
        return Value(self, vector(lanes, kind), f"<{numbers}>")

    def shuffle(self, a: Value, b: Value, places: Sequence[int]) -> Value:
        """The lanes at `places` of a followed by b."""
        if len(places) == 1:
            i, n = places[0], lanes_of(a.kind)
            return self.lane(a if i < n else b, i % n)
        mask = ", ".join(f"i32 {i}" for i in places)
        return self.make(
            vector(len(places), element_of(a.kind)),
            f"shufflevector {a}, {b}, <{len(places)} x i32> <{mask}>",
        )

    def lane(self, value: Value, place: Any) -> Value:
        """One lane."""
        return self.make(element_of(value.kind), f"extractelement {value}, {self.of('i64', place)}")

    def select(self, where: Value, a: Any, b: Any) -> Value:
        """a where true, else b; at least one of them is a Value."""
        kind = a.kind if isinstance(a, Value) else b.kind
        a, b = self.of(kind, a), self.of(kind, b)
        return self.make(kind, f"select {where}, {a}, {b}")

    def convert(self, value: Value, element: str) -> Value:
        """To another element type: ints are signed, floats to ints round towards zero."""
        kind, was = vector(lanes_of(value.kind), element), element_of(value.kind)
        if was == element:
            return value
        if was in FLOATS and element in FLOATS:
            op = "fpext" if element == "double" else "fptrunc"
        elif was in FLOATS:
            op = "fptosi"
        elif element in FLOATS:
            op = "uitofp" if was == "i1" else "sitofp"
        elif element == "ptr":
            op = "inttoptr"
        elif was == "ptr":
            op = "ptrtoint"
        elif size_of(was) > size_of(element) or element == "i1":
            op = "trunc"
        else:
            op = "zext" if was == "i1" else "sext"
        return self.make(kind, f"{op} {value} to {kind}")

    def bits(self, value: Value, element: str) -> Value:
        """The same bits as another type of the same size."""
        kind = vector(lanes_of(value.kind), element)
        return self.make(kind, f"bitcast {value} to {kind}")

    def _intrinsic(self, name: str, kind: str, *operands: Value) -> Value:
        n = lanes_of(kind)
        short = {"float": "f32", "double": "f64"}.get(element_of(kind), element_of(kind))
        full = f"llvm.{name}.{short if n == 1 else f'v{n}{short}'}"
        self.declared.add(f"declare {kind} @{full}({', '.join(o.kind for o in operands)})")
        return self.make(kind, f"call {kind} @{full}({', '.join(map(str, operands))})")

    def fma(self, a: Value, b: Any, c: Any) -> Value:
        """a · b + c, rounded once."""
        return self._intrinsic("fma", a.kind, a, self.of(a.kind, b), self.of(a.kind, c))

    def sqrt(self, a: Value) -> Value:
        """The square root."""
        return self._intrinsic("sqrt", a.kind, a)

    def abs(self, a: Value) -> Value:
        """The absolute value of floats."""
        return self._intrinsic("fabs", a.kind, a)

    def copysign(self, a: Value, like: Value) -> Value:
        """a with the sign of `like`."""
        return self._intrinsic("copysign", a.kind, a, like)

    def rint(self, a: Value) -> Value:
        """The nearest whole number, of two the even one."""
        return self._intrinsic("rint", a.kind, a)

    def maximum(self, a: Value, b: Any) -> Value:
        """The larger; b where either is nan."""
        b = self.of(a.kind, b)
        return self.select(a > b, a, b)

    def minimum(self, a: Value, b: Any) -> Value:
        """The smaller; b where either is nan."""
        b = self.of(a.kind, b)
        return self.select(a < b, a, b)

    def total(self, a: Value) -> Value:
        """The sum of the lanes, halves added together until one is left."""
        return self._halved(a, lambda x, y: x + y)

    def largest(self, a: Value) -> Value:
        """The largest of the lanes."""
        return self._halved(a, self.maximum)

    def _halved(self, a: Value, join: Any) -> Value:
        n = lanes_of(a.kind)
        while n > 2:
            n //= 2
            a = join(self.shuffle(a, a, range(n)), self.shuffle(a, a, range(n, 2 * n)))
        return a if n == 1 else join(self.lane(a, 0), self.lane(a, 1))

    # -- memory ------------------------------------------------------------------------------------

    def at(self, base: Value, index: Any, kind: str = "float") -> Value:
        """The address `index` elements of type `kind` behind `base`."""
        if not isinstance(index, (Value, Variable)) and index == 0:
            return base
        return self.make("ptr", f"getelementptr {kind}, {base}, {self.of('i64', index)}")

    def load(self, kind: str, base: Value, index: Any = 0) -> Value:
        """Read from `index` elements (of the element type) behind `base`."""
        element = element_of(kind)
        place = self.at(base, index, element)
        return self.make(kind, f"load {kind}, {place}, align {size_of(element)}")

    def store(self, value: Value, base: Value, index: Any = 0) -> None:
        """Write to `index` elements behind `base`."""
        element = element_of(value.kind)
        place = self.at(base, index, element)
        self.line(f"store {value}, {place}, align {size_of(element)}")

    def mask(self, lanes: int, count: Value) -> Value:
        """On in the first `count` (i64) lanes."""
        return self.iota(lanes, "i64") < self.splat(count, lanes)

    def load_some(self, kind: str, base: Value, index: Any, mask: Value, rest: float = 0) -> Value:
        """Read the lanes where `mask` is on; the others are `rest`."""
        element = element_of(kind)
        place = self.at(base, index, element)
        short = _short(kind)
        name = f"llvm.masked.load.{short}.p0"
        self.declared.add(f"declare {kind} @{name}(ptr, i32, {mask.kind}, {kind})")
        return self.make(
            kind, f"call {kind} @{name}({place}, i32 {size_of(element)}, {mask}, "
            f"{self.of(kind, rest)})",
        )  # fmt: skip

    def store_some(self, value: Value, base: Value, index: Any, mask: Value) -> None:
        """Write the lanes where `mask` is on."""
        element = element_of(value.kind)
        place = self.at(base, index, element)
        name = f"llvm.masked.store.{_short(value.kind)}.p0"
        self.declared.add(f"declare void @{name}({value.kind}, ptr, i32, {mask.kind})")
        self.line(f"call void @{name}({value}, {place}, i32 {size_of(element)}, {mask})")

    def copy(self, source: Value, target: Value, size: Any) -> None:
        """Copy `size` bytes between places that do not overlap."""
        self.declared.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        size = self.of("i64", size)
        self.line(f"call void @llvm.memcpy.p0.p0.i64({target}, {source}, {size}, i1 false)")

    def clear(self, target: Value, size: Any) -> None:
        """Write `size` bytes of zeros."""
        self.declared.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        self.line(
            f"call void @llvm.memset.p0.i64({target}, i8 0, {self.of('i64', size)}, i1 false)"
        )

    def prefetch(self, base: Value, index: Any = 0, kind: str = "float") -> None:
        """Ask for the line of `index` elements behind `base`, to be read soon."""
        self.declared.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        place = self.at(base, index, kind)
        self.line(f"call void @llvm.prefetch.p0({place}, i32 0, i32 3, i32 1)")

    # -- control -----------------------------------------------------------------------------------

    def label(self, name: str) -> str:
        """A fresh name for a block."""
        self._count += 1
        return f"{name}{self._count}"

    def block(self, label: str) -> None:
        """Begin a block."""
        self._lines.append(f"{label}:")

    @contextmanager
    def range(self, start: Any, stop: Any, step: Any = 1) -> Iterator[Value]:
        """A loop; `step` is positive. Gives the index (i64)."""
        index = self.variable("i64", start)
        head, body, end = self.label("head"), self.label("body"), self.label("end")
        stop = self.of("i64", stop)
        self.line(f"br label %{head}")
        self.block(head)
        i = index.get()
        self.line(f"br {i < stop}, label %{body}, label %{end}")
        self.block(body)
        yield i
        index.set(i + step)
        self.line(f"br label %{head}")
        self.block(end)

    @contextmanager
    def loop(self) -> Iterator[str]:
        """A loop without an end; gives the label to leave to: `fn.leave(label, condition)`."""
        head, end = self.label("head"), self.label("end")
        self.line(f"br label %{head}")
        self.block(head)
        yield end
        self.line(f"br label %{head}")
        self.block(end)

    def leave(self, label: str, condition: Value) -> None:
        """Jump to the end of a loop if the condition holds."""
        on = self.label("on")
        self.line(f"br {condition}, label %{label}, label %{on}")
        self.block(on)

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """What follows only where the condition holds."""
        body, end = self.label("then"), self.label("end")
        self.line(f"br {condition}, label %{body}, label %{end}")
        self.block(body)
        yield
        self.line(f"br label %{end}")
        self.block(end)

    @contextmanager
    def either(self, condition: Value) -> Iterator[Any]:
        """`with fn.either(c) as otherwise: … otherwise() …`: the part before it where c holds."""
        body, other, end = self.label("then"), self.label("else"), self.label("end")
        self.line(f"br {condition}, label %{body}, label %{other}")
        self.block(body)

        def otherwise() -> None:
            self.line(f"br label %{end}")
            self.block(other)

        yield otherwise
        self.line(f"br label %{end}")
        self.block(end)

    def call(self, function: Any, *operands: Value, returns: str = "void") -> Value | None:
        """Call another function: a Function of the same module, or an address (ptr)."""
        name = f"@{function.name}" if isinstance(function, Function) else function.name
        if isinstance(function, Function) and function not in self.called:
            self.called.append(function)
        kind = function.returns if isinstance(function, Function) else returns
        text = f"call {kind} {name}({', '.join(map(str, operands))})"
        if kind == "void":
            self.line(text)
            return None
        return self.make(kind, text)

    def give(self, value: Value | None = None) -> None:
        """Return from the function."""
        self.line("ret void" if value is None else f"ret {value}")
        self.block(self.label("dead"))

    def text(self) -> str:
        """The whole function."""
        head = ", ".join(
            f"{kind} {'noundef ' if kind == 'ptr' else ''}%{word}" for kind, word in self.parameters
        )
        last = "ret void" if self.returns == "void" else "unreachable"
        kind, how = ("define internal", "noinline ") if self.local else ("define", "")
        lines = [f"{kind} {self.returns} @{self.name}({head}) {how}#0 {{", "entry:"]
        return "\n".join([*lines, *self._places, *self._lines, f"  {last}", "}"]) + "\n"


def _short(kind: str) -> str:
    element, n = element_of(kind), lanes_of(kind)
    return f"v{n}" + {"float": "f32", "double": "f64"}.get(element, element)


def module(functions: Sequence[Function]) -> str:
    """The text of a module of these functions and of those they call."""
    functions = list(functions)
    for fn in functions:
        functions += [other for other in fn.called if other not in functions]
    declared = sorted(set().union(*(fn.declared for fn in functions)))
    parts = [fn.text() for fn in functions]
    return "\n".join([*declared, *parts, 'attributes #0 = { nounwind "frame-pointer"="none" }\n'])
