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

from workbench.tensor import versions

from .kernels import Rule, TracedSpace, Whole, is_simple
from .program import ARGUMENT, CONSTANT, EXTERNAL, RESULT, Value
from .slots import tensor_slots
from .traced import Traced, Untraceable, bare
from .writer import Writer

_UNSEEN = object()
# Ops whose result's shape depends on values: no plan can hold them
RESIZING = {"nonzero", "masked_select", "unique", "unique_consecutive", "repeat_interleave",
            "bincount", "argwhere"}  # fmt: skip


class Recorder(Writer):
    """The recording of one call."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.get_ident()
        self.done = False
        self.reason: str | None = None
        self.where = ""
        self.externals: dict[int, tuple[Any, Any, bool]] = {}
        self.grads: dict[int, tuple[Any, Any]] = {}  # id(tensor) -> (tensor, gradient at entry)
        self.modules: dict[int, Any] = {}
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
            return self.constant(raw)
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

    def constant(self, raw: Any) -> Traced:
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
        rule = Rule(kind, tuple(edge is not None for edge in node.edges), getattr(g, "specs", ()))
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
            if isinstance(tree.edge, Node) and tree.edge.seq not in self.swept:
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


def GRAD(*_: Any) -> None:
    """Stands for `tensor.grad = value`."""


def _masked(index: Any) -> bool:
    """Whether a computed bool array is among the indices."""
    parts = index if type(index) is tuple else (index,)
    return any(type(part) is Traced and part.dtype.kind == "b" for part in parts)


def _raw_array(tensor: Any) -> Any:
    array = tensor_slots.array(tensor)
    return array.inside if type(array) is Traced else array


def _user_line() -> str:
    """The line of the user's program that is being run: the first frame outside the engine."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(("workbench.tensor", "workbench.ops", "workbench.arrays", "numpy",
                                "workbench.nn", "workbench.optim")):  # fmt: skip
            code = frame.f_code
            if "ipykernel_" in code.co_filename:
                return f"line {frame.f_lineno} of the cell, in {code.co_name}"
            return f"{code.co_filename}:{frame.f_lineno}, in {code.co_name}"
        frame = frame.f_back
    return ""


__all__ = ["GRAD", "MOVED", "Recorder", "Whole"]
