"""The words a recording is written in: NumPy's calls, one instruction each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .program import CONSTANT, RESULT, Instruction, Program, Value
from .traced import Traced, Untraceable, bare

_VIEWS = {"reshape", "transpose", "swapaxes", "getitem", "squeeze", "broadcast_to", "expand_dims",
          "moveaxis", "ravel", "real", "imag", "diagonal", "rollaxis", "atleast_1d",
          "atleast_2d"}  # fmt: skip


class Writer:
    """Carries calls on traced arrays out and appends them to the program."""

    def __init__(self) -> None:
        self.program = Program()
        self.layers: list[str] = []
        self.depth = 0  # inside a kernel that is being looked into
        self.paused = 0  # inside an effect, or a kernel taken as a whole: nothing is written down
        self._known: dict[int, Traced] = {}  # id(raw array) -> what stands for it
        self._constants: dict[int, Value] = {}

    @property
    def live(self) -> bool:
        """Whether things are being written down."""
        raise NotImplementedError

    def abandon(self, reason: str) -> None:
        """Stop writing; the step goes on."""
        raise NotImplementedError

    def sync(self, what: str) -> None:
        """Python wants to know a value."""
        raise NotImplementedError

    def _constant(self, array: Any) -> Value:
        found = self._constants.get(id(array))
        if found is None or found.array is not array:
            found = self.program.new(CONSTANT, array)
            found.array = array
            self._constants[id(array)] = found
        return found

    def _name(self, tree: Any) -> Any:
        """Values in the place of arrays."""
        kind = type(tree)
        if kind is Traced:
            return tree.value
        if kind is np.ndarray:
            known = self._known.get(id(tree))
            return self._constant(tree) if known is None else known.value
        if kind is tuple:
            return tuple(self._name(item) for item in tree)
        if kind is list:
            return [self._name(item) for item in tree]
        if kind is dict:
            return {key: self._name(item) for key, item in tree.items()}
        return tree

    def _write(
        self, kind: str, name: str, function: Any, args: Any, kwargs: Any, outs: list[Value],
        writes: list[Value] | None = None, several: bool = False,
    ) -> Instruction:  # fmt: skip
        one = Instruction(
            kind, name, function, args, kwargs, outs, writes or [],
            self.layers[-1] if self.layers else "", several,
        )  # fmt: skip
        self.program.instructions.append(one)
        return one

    def _result(self, array: Any, sources: list[Traced]) -> Traced:
        """A new array, known to be a view where it looks into an operand's memory."""
        of = next(
            (s for s in sources if s.inside is array or np.may_share_memory(s.inside, array)), None
        )
        root = None if of is None else of.value.root
        return Traced(self, array, self.program.new(RESULT, array, root), of)

    def ufunc(self, ufunc: Any, inputs: Any, out: Any, kwargs: Any) -> Any:
        """A ufunc's call."""
        if not self.live:
            if out is not None:
                kwargs["out"] = bare(out)
            return ufunc(*bare(inputs), **kwargs)
        if ufunc.nout != 1 or "where" in kwargs:
            if out is not None:
                kwargs["out"] = out[0] if len(out) == 1 else out
            written = () if out is None else ("out",)
            return self.opaque(ufunc, inputs, kwargs, writes=written, name=ufunc.__name__)
        kind = "ufunc" if ufunc.signature is None else "product"
        if out is not None:
            (target,) = out
            if type(target) is not Traced:
                self._foreign_write()
                return ufunc(*bare(inputs), out=bare(out), **kwargs)
            ufunc(*bare(inputs), out=target.inside, **kwargs)
            self._write(
                kind, ufunc.__name__, ufunc, self._operands(inputs), kwargs, [], [target.value]
            )
            return target
        result = np.asarray(ufunc(*bare(inputs), **kwargs))
        made = Traced(self, result, self.program.new(RESULT, result))
        self._write(kind, ufunc.__name__, ufunc, self._operands(inputs), kwargs, [made.value])
        return made

    def _operands(self, inputs: Any) -> tuple[Any, ...]:
        """Operands by name; Python numbers as arrays of the dtype they will take anyway."""
        kinds = {x.dtype for x in inputs if type(x) in (Traced, np.ndarray)}
        common = kinds.pop() if len(kinds) == 1 else None
        parts = []
        for x in inputs:
            if isinstance(x, np.generic):
                x = np.asarray(x)
            elif common is not None and type(x) in (int, float) and (
                common.kind in "fc" or (common.kind in "iu" and type(x) is int)
            ):  # fmt: skip
                x = self._number(x, common)
            parts.append(self._name(x))
        return tuple(parts)

    def _number(self, number: float, dtype: Any) -> Any:
        with np.errstate(over="ignore"):
            made = np.asarray(number, dtype)
        made.flags.writeable = False  # a constant: see loops.py
        return made

    def _foreign_write(self) -> None:
        if self.depth:
            raise Untraceable("a write into memory of the kernel's own")
        self.abandon("an array that is not a tensor's is written to")

    def product(self, function: Any, operands: Any) -> Any:
        """A product of matrices by a function that takes `out` behind its operands."""
        if not self.live:
            return function(*bare(operands))
        result = function(*bare(operands))
        made = Traced(self, result, self.program.new(RESULT, result))
        self._write(
            "product", function.__name__, function, self._name(tuple(operands)), {}, [made.value]
        )
        return made

    def reduce(self, ufunc: Any, array: Any, axis: Any = 0, dtype: Any = None,
               keepdims: bool = False, **others: Any) -> Any:  # fmt: skip
        """A ufunc's reduction."""
        kwargs = {"axis": axis, "dtype": dtype, "keepdims": keepdims, **others}
        if not self.live:
            return ufunc.reduce(bare(array), **bare(kwargs))
        if bare(others) or type(array) is not Traced:
            return self.opaque(ufunc.reduce, (array,), kwargs, name=f"{ufunc.__name__}.reduce")
        result = np.asarray(ufunc.reduce(array.inside, **kwargs))
        if result is array.inside or np.may_share_memory(result, array.inside):
            result = result.copy()
        made = Traced(self, result, self.program.new(RESULT, result))
        self._write(
            "reduce", f"{ufunc.__name__}.reduce", ufunc.reduce, (array.value,), kwargs, [made.value]
        )
        return made

    def opaque(
        self, function: Callable[..., Any], args: Any, kwargs: Any, *,
        writes: tuple[Any, ...] = (), name: str | None = None,
    ) -> Any:  # fmt: skip
        """Any function of arrays, as one instruction."""
        if not self.live:
            return function(*bare(args), **bare(kwargs))
        name = name or str(getattr(function, "__name__", "kernel"))
        targets: list[Any] = []
        for which in writes:
            given = kwargs[which] if which == "out" else args[which]
            targets += given if isinstance(given, (list, tuple)) else [given]
        if any(type(target) is not Traced for target in targets):
            self._foreign_write()
            return function(*bare(args), **bare(kwargs))
        self.paused += 1  # what it does to tensors of its own it will do again in a replay
        try:
            result = function(*bare(args), **bare(kwargs))
        finally:
            self.paused -= 1
        sources = _traced_in((args, kwargs))
        several = isinstance(result, (tuple, list))
        parts = list(result) if several else [result]
        if targets and not several and any(result is t.inside for t in targets):
            self._write("write", name, function, self._name(args), self._name(kwargs), [],
                        [t.value for t in targets])  # fmt: skip
            return next(t for t in targets if t.inside is result)
        if not several and not targets:
            for s in sources:
                if s.inside is result:
                    return s  # the very array: nothing was done
        made: list[Any] = []
        for part in parts:
            if part is None:
                made.append(None)
            elif isinstance(part, (np.ndarray, np.generic)):
                made.append(self._result(np.asarray(part), sources))
            else:
                self.sync(f"{name}, which returns {type(part).__name__},")
                return result
        outs = [None if m is None else m.value for m in made]
        kind = "call"
        if name in _VIEWS and not several and made[0] is not None and made[0]._of is not None:
            kind = "view"
        elif targets and all(m is None for m in made):
            kind = "write"
        self._write(
            kind, name, function, self._name(args), self._name(kwargs),
            outs if several or kind != "write" else [],  # type: ignore[arg-type]
            [t.value for t in targets], several,
        )  # fmt: skip
        if not several:
            return made[0]
        return type(result)(made) if type(result) in (tuple, list) else tuple(made)


def _traced_in(tree: Any) -> list[Traced]:
    found: list[Traced] = []
    if type(tree) is Traced:
        found.append(tree)
    elif type(tree) in (tuple, list):
        for item in tree:
            found += _traced_in(item)
    elif type(tree) is dict:
        for item in tree.values():
            found += _traced_in(item)
    return found
