"""From a program to the Python function that replays it.

The function is written out line by line: every kernel, array and setting is a global of its own,
so a replay does nothing but call kernels. Arrays that lie in planned or outside memory, and views
of them, are made beforehand; only results that a kernel makes itself, and what looks into the
arguments, have names that live during the call.
"""

from __future__ import annotations

import linecache
from itertools import count
from typing import Any

import numpy as np

from workbench.tensor import versions
from workbench.tensor.tensor import wrap

from .fuse import NAMED_OUT, Loop
from .program import ARGUMENT, EXTERNAL, Instruction, Value, tree_map, values_in
from .recorder import GRAD, Whole
from .storage import COPIES, Plan, takes_out

_numbers = count(1)
_FORGET = 1 << 16  # bytes from which on a result is let go of at once


class Diverged(Exception):
    """A kernel gave a result of another shape than it did when it was recorded."""


class Emitter:
    """Writes the function for one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.space: dict[str, Any] = {
            "np": np, "ndarray": np.ndarray, "asarray": np.asarray, "copyto": np.copyto,
            "wrap": wrap, "mark": versions.mark_array, "diverged": Diverged,
        }  # fmt: skip
        self.lines: list[str] = []
        self._named: dict[int, str] = {}
        self._static: dict[Value, Any] = {}
        self._numbers = count()
        self._kept: list[Any] = []
        self._makers = {v: one for one in plan.program.instructions for v in one.outs_made()}

    # -- names ---------------------------------------------------------------------------------

    def name(self, thing: Any, letter: str) -> str:
        """A global for an object."""
        key = id(thing)
        if key not in self._named:
            self._named[key] = f"{letter}{next(self._numbers)}"
            self.space[self._named[key]] = thing
            self._kept.append(thing)
        return self._named[key]

    def static(self, value: Value) -> Any:
        """The array of a value that is known before the call, or None."""
        if value in self._static:
            return self._static[value]
        found = None
        if value.array is not None:
            found = value.array
        elif value in self.plan.place:
            found = self.plan.place[value].array(value)
        else:
            one = self._makers.get(value)
            if one is not None and one.kind == "view":
                whole = self.static(next(one.reads()))
                others = list(one.reads())
                if whole is not None and len(others) == 1:
                    args, kwargs = self._filled(one.args), self._filled(one.kwargs)
                    found = one.function(*args, **kwargs)
        self._static[value] = found
        return found

    def _filled(self, tree: Any) -> Any:
        return tree_map(self.static, Value, tree)

    def expression(self, tree: Any) -> str:
        """Source for an argument."""
        if type(tree) is Value:
            array = self.static(tree)
            if array is not None:
                return self.name(array, "b")
            return f"x{tree.place}" if tree.origin == ARGUMENT else f"d{tree.number}"
        if next(values_in(tree), None) is None:
            if tree is None or type(tree) in (bool, int):
                return repr(tree)
            return self.name(tree, "s")
        if type(tree) is tuple:
            return "(" + "".join(self.expression(item) + ", " for item in tree) + ")"
        if type(tree) is list:
            return "[" + ", ".join(self.expression(item) for item in tree) + "]"
        return "{" + ", ".join(f"{k!r}: {self.expression(v)}" for k, v in tree.items()) + "}"

    # -- lines -----------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """A line of the function."""
        self.lines.append(f"    {text}")

    def instruction(self, i: int, one: Instruction | Loop) -> None:
        """The lines of one instruction."""
        if isinstance(one, Loop):
            opened = ", ".join(self.expression(v) for v in one.open)
            self.line(f"{self.name(one.prepare(self.static), 'loop')}({opened})")
        elif one.kind == "effect":
            self._effect(one)
        else:
            self._call(one)
        self._forget(i, one)

    def _call(self, one: Instruction) -> None:
        args = ", ".join(self.expression(arg) for arg in one.args)
        if type(one.function) is Whole:  # without the step between
            function, args = self.name(one.function.forward, "f"), f"np, {args}"
        else:
            function = self.name(one.function, "f")
        named = {k: v for k, v in one.kwargs.items() if v is not None or k == "axis"}
        kwargs = "".join(f", {k}={self.expression(v)}" for k, v in named.items())
        target = one.writes[0] if one.writes else one.outs[0] if one.outs else None
        into = target is not None and (bool(one.writes) or self.static(target) is not None)
        if one.kind == "call" and one.name in COPIES and into and takes_out(one):
            self.line(f"copyto({self.expression(target)}, {self.expression(one.args[0])}, "
                      "'unsafe')")  # fmt: skip
        elif one.kind in ("ufunc", "product") and into:
            key = "out=" if one.function in NAMED_OUT else ""
            self.line(f"{function}({args}, {key}{self.expression(target)}{kwargs})")
        elif one.kind == "reduce" and into:
            self.line(f"{function}({args}{kwargs}, out={self.expression(target)})")
        elif not one.outs:
            self.line(f"{function}({args}{kwargs})")
        else:
            names = ", ".join("_" if v is None else f"d{v.number}" for v in one.outs)
            names += "," if one.several and len(one.outs) == 1 else ""
            self.line(f"{names} = {function}({args}{kwargs})")
            for value in one.outs_made():
                if type(one.function) is Whole:  # its shape is only known to be what it was
                    self.line(f"if d{value.number}.shape != {value.shape!r}: "
                              f"raise diverged({one.name!r})")  # fmt: skip
                if value.shape == ():
                    self.line(f"if type(d{value.number}) is not ndarray: "
                              f"d{value.number} = asarray(d{value.number})")  # fmt: skip

    def _effect(self, one: Instruction) -> None:
        if one.function is GRAD:
            tensor, value = one.args
            name = self.name(tensor, "t")
            if value is None:
                self.line(f"{name}.grad = None")
                return
            array = self.static(value)
            held = self.name(wrap(array), "g") if array is not None else (
                f"wrap({self.expression(value)})"
            )  # fmt: skip
            self.line(f"{name}.grad = {held}")
            return
        parts = [self.name(arg, "a") for arg in one.args]
        parts += [f"{key}={self.name(arg, 'a')}" for key, arg in one.kwargs.items()]
        self.line(f"{self.name(one.function, 'f')}({', '.join(parts)})")

    def _forget(self, i: int, one: Any) -> None:
        for value in {*one.reads(), *one.outs_made()}:
            if (
                self.plan.last.get(value.root) == i
                and value.nbytes >= _FORGET
                and value.origin != ARGUMENT
                and self.static(value) is None
            ):
                self.line(f"d{value.number} = None")

    def function(self, arguments: int, tick: Any = None) -> Any:
        """The compiled function, from the arguments' arrays to the outputs' arrays.

        `tick`, where given, is called with the number of each step when it is done.
        """
        for i, one in enumerate(self.plan.steps):
            self.instruction(i, one)
            if tick is not None:
                self.line(f"{self.name(tick, 'tick')}({i})")
        written: list[Any] = []
        for one in self.plan.steps:
            for value in one.writes:
                if value.root.origin == EXTERNAL and not any(value.root is w for w in written):
                    written.append(value.root)
        for root in written:
            self.line(f"mark({self.name(root.array, 'b')})")
        results = []
        for value in self.plan.program.outputs:
            text = self.expression(value)
            inner = self.static(value) is not None and value.root.origin != EXTERNAL
            results.append(f"{text}.copy()" if inner or self.plan.planned(value) else text)
        self.line(f"return ({''.join(r + ', ' for r in results)})")
        head = f"def replay({', '.join(f'x{i}' for i in range(arguments))}):"
        return defined("replay", [head, *self.lines], self.space)


def defined(name: str, lines: list[str], space: dict[str, Any]) -> Any:
    """The function that these lines define, with its `source`."""
    source = "\n".join(lines) + "\n"
    filename = f"<workbench captured step {next(_numbers)}: {name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), space)  # names of our own making
    made = space[name]
    made.source = source
    return made
