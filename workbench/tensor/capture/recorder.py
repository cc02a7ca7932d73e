"""Writing down one run of a step.

The step runs for real, once, in the thread that asked for it. While it does, reading a tensor's
array gives a `Traced` array, so every kernel and every in-place write passes by here. Gradients
are seen the same way. A kernel is written down call by call where it can be looked into, else as
one instruction. When something cannot be written down at all the recording is given up with the
reason, and the step ends as any other.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.ops import OPS
from workbench.tensor import versions
from workbench.tensor.rawspace import RawSpace

from .program import (
    ARGUMENT,
    CONSTANT,
    EXTERNAL,
    RESULT,
    Instruction,
    Program,
    Value,
    tree_map,
    values_in,
)
from .traced import Traced, Untraceable, bare

_VIEWS = {"reshape", "transpose", "swapaxes", "getitem", "squeeze", "broadcast_to", "expand_dims",
          "moveaxis", "ravel", "real", "imag", "diagonal", "rollaxis", "atleast_1d",
          "atleast_2d"}  # fmt: skip
_UNSEEN = object()
# Ops whose result's shape depends on values: no plan can hold them
RESIZING = {"nonzero", "masked_select", "unique", "unique_consecutive", "repeat_interleave",
            "bincount", "argwhere"}  # fmt: skip


# Families (files of ops/) whose kernels are a few NumPy calls, written down one by one, so that
# their results can be planned and fused. Others choose their way by what they are given; they
# are taken as a whole.
SIMPLE = {"elementwise", "compare", "trigonometry", "exponentials", "shape", "linalg", "blend"}


def is_simple(op: Any) -> bool:
    """Whether an op's kernel and gradient rules are looked into."""
    return op.family in SIMPLE or op.name == "relu"


class Recorder:
    """The recording of one call."""

    def __init__(self) -> None:
        self.program = Program()
        self.thread = threading.get_ident()
        self.paused = 0  # inside an effect, or a kernel taken as a whole: nothing is written down
        self.done = False
        self.depth = 0  # inside a kernel that is being looked into
        self.reason: str | None = None
        self.where = ""
        self.layers: list[str] = []
        self.externals: dict[int, tuple[Any, Any, bool]] = {}
        self.grads: dict[int, tuple[Any, Any]] = {}  # id(tensor) -> (tensor, gradient at entry)
        self.modules: dict[int, Any] = {}
        self._known: dict[int, Traced] = {}  # id(raw array) -> what stands for it
        self._constants: dict[int, Value] = {}
        self._born: dict[int, Any] = {}
        self._keep: list[Any] = []  # so that no id is used twice
        self._given: dict[int, Any] = {}  # leaf -> the gradient a replay has already put there
        self.swept: set[int] = set()
        self.results: dict[int, Value] = {}
        self.space = TracedSpace(self)

    @property
    def live(self) -> bool:
        """Whether things are being written down."""
        return self.reason is None and not self.paused and not self.done

    # -- giving up -----------------------------------------------------------------------------

    def abandon(self, reason: str) -> None:
        """Stop writing; the step goes on. The first reason counts."""
        if self.reason is None:
            self.reason, self.where = reason, _user_line()

    def sync(self, what: str) -> None:
        """Python wants to know a value."""
        if not self.live:
            return
        if self.depth:
            raise Untraceable(what)
        self.abandon(f"{what} needs a value that the step computes")

    # -- tensors that were there before, and tensors made on the way -----------------------------

    def argument(self, place: int, tensor: Any) -> None:
        """An argument of the step."""
        raw = tensor_slots.array(tensor)
        if type(raw) is not np.ndarray:
            self.abandon("only tensors on the CPU, outside vmap, can be arguments")
        elif id(raw) not in self._known:
            value = self.program.new(ARGUMENT, raw)
            value.place = place
            self._known[id(raw)] = Traced(self, raw, value)
            self._keep.append(raw)

    def found(self, tensor: Any, raw: Any) -> Any:
        """What stands for the array of a tensor that no instruction made."""
        known = self._known.get(id(raw))
        if known is not None:
            return known
        born = self._born.get(id(tensor))
        if born is not None and born() is tensor:
            return self._made_here(raw)
        value = self.program.new(EXTERNAL, raw)
        value.array = raw
        from workbench.tensor.tensor import Tensor

        assert isinstance(tensor, Tensor)
        self.externals[id(tensor)] = (tensor, raw, tensor.edge is None)
        traced = self._known[id(raw)] = Traced(self, raw, value, self._outer(raw))
        if traced._of is not None:
            value.root = traced._of.value.root
        return traced

    def _outer(self, raw: Any) -> Any:
        """The known array whose memory `raw` lies in, if there is one."""
        base = raw.base
        while base is not None:
            known = self._known.get(id(base))
            if known is not None:
                return known
            base = getattr(base, "base", None)
        return None

    def _made_here(self, raw: Any) -> Traced:
        """zeros, arange, …: the same in every replay, in memory of its own."""
        value = self.program.new(RESULT, raw)
        origin = self._constant(raw.copy())
        self._keep.append(raw)
        self._write("call", "constant", np.copy, (origin,), {}, [value])
        traced = self._known[id(raw)] = Traced(self, raw, value)
        return traced

    def set_array(self, tensor: Any, array: Any, before: Any) -> Any:
        """A tensor gets an array; returns what its slot shall hold."""
        fresh = before is _UNSEEN
        born = self._born.get(id(tensor))
        mine = fresh or (born is not None and born() is tensor)
        if mine:
            self._born[id(tensor)] = weakref.ref(tensor)
            return array
        if type(array) is Traced:
            if array.inside is before:
                return before  # x.array += y
            array = array.inside
        self.abandon("a tensor from outside the step was given other memory (x.data = …)")
        return array

    def see_grad(self, tensor: Any, held: Any) -> None:
        """The step reads a gradient: what was there at entry matters if nothing was set before."""
        if id(tensor) not in self.grads:
            born = self._born.get(id(tensor))
            if born is None or born() is not tensor:
                self.grads[id(tensor)] = (tensor, None if held is None else _raw_array(held))

    def set_grad(self, tensor: Any) -> None:
        """The step sets a gradient."""
        if id(tensor) not in self.grads:
            born = self._born.get(id(tensor))
            if born is None or born() is not tensor:
                self.grads[id(tensor)] = (tensor, _UNSEEN)

    # -- writing down --------------------------------------------------------------------------

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
            return np.asarray(number, dtype)

    def _foreign_write(self) -> None:
        if self.depth:
            raise Untraceable("a write into memory of the kernel's own")
        self.abandon("an array that is not a tensor's is written to")

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
        name = name or getattr(function, "__name__", "kernel")
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

    # -- kernels of the op table and of the tape -------------------------------------------------

    def op(self, op: Any, forward: Callable[..., Any], values: Any) -> Any:
        """An op's forward: looked into if it is simple and that works, else taken as a whole."""
        if not self.live:
            return forward(np, *bare(list(values)))
        if is_simple(op) and not op.random and not any(callable(v) for v in values):
            try:
                return self._inline(lambda: forward(np, *values))
            except Exception:  # noqa: BLE001 - a real error comes again below
                pass
        if op.name in RESIZING or (op.name == "getitem" and _masked(values[1])):
            self.abandon(f"{op.name}: its result's size needs a value that the step computes")
            return forward(np, *bare(list(values)))
        bound = Whole(op.name, forward)
        return self.opaque(bound, tuple(values), {}, name=op.name)

    def backward(self, space: Any, g: Any, node: Any) -> Any:
        """A node's gradients, likewise."""
        kind = node.kind
        self.swept.add(node.seq)
        if not hasattr(kind, "op"):
            return kind.backward(space, g, node)
        if is_simple(kind.op):
            try:
                return self._inline(lambda: kind.backward(self.space, g, node))
            except Exception:  # noqa: BLE001 - a real error comes again below
                pass
        rule = _Rule(kind, tuple(edge is not None for edge in node.edges), getattr(g, "specs", ()))
        grads = dict(g) if isinstance(g, dict) else g
        return self.opaque(rule, (grads, node.saved), {}, name=rule.__name__)

    def _inline(self, run: Callable[[], Any]) -> Any:
        before = len(self.program.instructions)
        count = len(self.program.values)
        self.depth += 1
        try:
            return run()
        except Exception:
            del self.program.instructions[before:]
            dropped = {id(v) for v in self.program.values[count:] if v.origin == CONSTANT}
            self._constants = {k: v for k, v in self._constants.items() if id(v) not in dropped}
            raise
        finally:
            self.depth -= 1

    # -- Python that a replay has to run again ---------------------------------------------------

    def effect(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run something beside the step, now and in every replay, with gradients in their place."""
        from workbench.tensor.tensor import Tensor

        if any(isinstance(a, Tensor) for a in (*args, *kwargs.values())):
            self.abandon(
                f"{getattr(function, '__qualname__', 'it')} takes a computed tensor, which"
            )
        if self.reason is None:
            self.hand_over()
            self._write("effect", getattr(function, "__qualname__", "effect"), function,
                        args, kwargs, [])  # fmt: skip
        self.paused += 1
        try:
            return function(*args, **kwargs)
        finally:
            self.paused -= 1

    def hand_over(self) -> None:
        """Note the gradients that leaves have by now, where a replay has to put them."""
        for key, (tensor, entry) in self.grads.items():
            held = tensor_slots.grad(tensor)
            if self._given.get(key, _UNSEEN if entry is _UNSEEN else entry) is held:
                continue
            if held is None and key not in self._given and entry is None:
                continue
            self._given[key] = held
            array = None if held is None else tensor_slots.array(held)
            value = array.value if type(array) is Traced else None
            if held is not None and value is None:
                known = self._known.get(id(array))
                value = None if known is None else known.value
                if value is None:
                    self.abandon("a gradient was set to something from outside the step")
                    return
            self._write("effect", "grad", GRAD, (tensor, value), {}, [])

    # -- the end -------------------------------------------------------------------------------

    def close(self, result: Any) -> list[Any]:
        """The step has returned: look at what it returns and leaves behind.

        Returns the tensors that a backward pass may still start from.
        """
        if self.reason is not None:
            return []
        self.hand_over()
        pending: list[Any] = []
        self._look_at(result, pending)
        return pending

    def _look_at(self, tree: Any, pending: list[Any]) -> None:
        from workbench.tensor.node import Node
        from workbench.tensor.tensor import Tensor

        if isinstance(tree, Tensor):
            array = tree.array
            if type(array) is Traced:
                self.results[id(tree)] = array.value
            elif id(tree) not in self.externals:
                self.abandon("it returns a tensor that is neither on the CPU nor a result")
            if type(tree.edge) is Node and tree.edge.seq not in self.swept:
                pending.append(tree)
        elif isinstance(tree, (tuple, list)):
            for item in tree:
                self._look_at(item, pending)
        elif isinstance(tree, dict):
            for item in tree.values():
                self._look_at(item, pending)

    def pull(self, roots: list[Any]) -> tuple[list[Value], list[Any], list[Value]]:
        """Write down the backward pass from these tensors, as a second half of the program.

        Returns the incoming gradients, the leaves, and the leaves' gradients.
        """
        from workbench.tensor.backward import sweep

        seeds = []
        for t in roots:
            like = t.array.inside
            value = self.program.new(ARGUMENT, np.empty(like.shape, like.dtype))
            seeds.append(Traced(self, np.ones_like(like, order="C"), value))
        pairs = [(t.edge, g) for t, g in zip(roots, seeds, strict=True)]
        leaves, _ = sweep(pairs, retain=True, taped=False)
        found, grads = [], []
        for leaf, g in leaves.values():
            if leaf._hooks or leaf._post_hooks:
                self.abandon("a parameter has hooks on its gradient")
            if g.dtype is not leaf.array.dtype:
                g = g.astype(leaf.array.dtype)
            found.append(leaf)
            grads.append(g.value)
        return [s.value for s in seeds], found, grads

    def result_value(self, tensor: Any) -> Any:
        """The value of a tensor that the step returns."""
        return self.results[id(tensor)]

    def finish(self) -> None:
        """Check that what was there before is still there; let go of the traced arrays."""
        self.done = True
        for tensor, raw, _ in self.externals.values():
            if tensor_slots.array(tensor) is not raw and self.reason is None:
                self.reason = MOVED
        for ref in self._born.values():
            tensor = ref()
            if tensor is not None:
                held = tensor_slots.array(tensor)
                if type(held) is Traced:
                    tensor_slots.set_array(tensor, held.inside)
        for one in self.program.instructions:
            for value in one.writes:
                if value.root.origin == EXTERNAL:
                    versions.mark_array(value.root.array)
        self.program.kernels_recorded = len(self.program.instructions)


MOVED = "parameters were given memory during the step, as a first step may do"


def GRAD(*_: Any) -> None:  # noqa: N802 - a marker: the emitter writes the assignment
    """Stands for `tensor.grad = value`."""


class TracedSpace(RawSpace):
    """`F` for gradient rules that are looked into: the ops they call are in turn seen to."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(np)
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        op = OPS.get(name)
        if op is None or op.ufunc is not None:
            return super().__getattr__(name)
        names = [p.name for p in op.params]
        results = len(op.returns) or 1

        def call(*args: Any, **kwargs: Any) -> Any:
            given = dict(zip(names, args, strict=False)) | kwargs
            values = [given.get(p.name, p.default) for p in op.params]
            found = self._recorder.op(op, op.forward, values)
            if not op.aux:
                return found
            return found[0] if results == 1 else found[:results]

        setattr(self, name, call)
        return call


class Whole:
    """An op's forward as a function of its operands and settings."""

    def __init__(self, name: str, forward: Callable[..., Any]) -> None:
        self.__name__ = name
        self.forward = forward

    def __call__(self, *values: Any) -> Any:
        return self.forward(np, *values)


class _FakeNode:
    """What a gradient rule reads of a node."""

    __slots__ = ("edges", "saved")

    def __init__(self, edges: Any, saved: Any) -> None:
        self.edges = edges
        self.saved = saved


class _Rule:
    """A node's gradients as a function of the incoming one and of what was saved."""

    def __init__(self, kind: Any, wanted: tuple[bool, ...], specs: Any) -> None:
        self.__name__ = f"{kind.op.name}.vjp"
        self.kind = kind
        self.edges = tuple(True if w else None for w in wanted)
        self.specs = specs

    def __call__(self, g: Any, saved: Any) -> Any:
        from workbench.tensor.binding import Parts
        from workbench.tensor.rawspace import raw_space

        if isinstance(g, dict):
            parts = Parts(g)
            parts.specs = self.specs
            g = parts
            space = raw_space(next(iter(g.values())))
        else:
            space = raw_space(g)
        return tuple(self.kind.backward(space, g, _FakeNode(self.edges, saved)))


def _masked(index: Any) -> bool:
    """Whether a computed bool array is among the indices."""
    parts = index if type(index) is tuple else (index,)
    return any(type(part) is Traced and part.dtype.kind == "b" for part in parts)


class _Slots:
    """The tensors' own memory slots, whatever stands before them while a step is recorded."""

    def __init__(self) -> None:
        self.members: dict[str, Any] = {}

    def array(self, tensor: Any) -> Any:
        """What is stored as the array."""
        return self.members["array"].__get__(tensor, type(tensor))

    def set_array(self, tensor: Any, value: Any) -> None:
        """Store an array."""
        self.members["array"].__set__(tensor, value)

    def grad(self, tensor: Any) -> Any:
        """What is stored as the gradient."""
        try:
            return self.members["grad"].__get__(tensor, type(tensor))
        except AttributeError:
            return None


tensor_slots = _Slots()


def _raw_array(tensor: Any) -> Any:
    array = tensor_slots.array(tensor)
    return array.inside if type(array) is Traced else array


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


def _user_line() -> str:
    """The line of the user's program that is being run: the first frame outside the engine."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(("workbench.tensor", "workbench.ops", "workbench.arrays", "numpy",
                                "workbench.nn", "workbench.optim")):  # fmt: skip
            code = frame.f_code
            return f"{code.co_filename}:{frame.f_lineno}, in {code.co_name}"
        frame = frame.f_back
    return ""


__all__ = ["GRAD", "MOVED", "Recorder", "Whole", "tensor_slots", "tree_map", "values_in"]
