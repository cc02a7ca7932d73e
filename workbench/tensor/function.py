"""`autograd.Function`: ops with a hand-written gradient, made by users."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from . import versions
from .binding import Parts
from .mode import mode, no_grad
from .node import LEAF, Node, make_node
from .tensor import Tensor, wrap


class FunctionContext:
    """What `forward` leaves for `backward`: saved tensors and any attributes you set."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._saved: tuple[Any, ...] = ()
        self._saved_at = 0
        self._fixed: tuple[int, ...] = ()
        self._materialize = True
        self._node: Any = None

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs or outputs (or None) for `backward`.

        Raises TypeError for anything that is not a Tensor: set it as an attribute instead.
        """
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but got {type(t).__name__}; set "
                    "other values as attributes of ctx"
                )
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The saved tensors; RuntimeError when they were written over since."""
        saved = tuple(t.linked(self._node) if type(t) is _Output else t for t in self._saved)
        for t in saved:
            if t is not None and versions.written_since(t.array, self._saved_at):
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an "
                    f"inplace operation: a saved tensor of shape {tuple(t.array.shape)}"
                )
        return saved

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Say that these outputs carry no gradient."""
        self._fixed = tuple(id(t) for t in outputs)

    def mark_dirty(self, *inputs: Tensor) -> None:
        """Say that these inputs were written in place."""
        for t in inputs:
            versions.mark_array(t.array)

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros (True, the default) or None for unused outputs."""
        self._materialize = value


class _Output:
    """A saved output: its array without its history, which would tie a knot with the node."""

    __slots__ = ("array", "index", "several")

    def __init__(self, array: Any, index: int, several: bool) -> None:
        self.array = array
        self.index = index
        self.several = several

    def linked(self, node: Any) -> Tensor:
        made, held = wrap(self.array), node and node()
        if held is not None:
            made.edge = make_node(_Pick, (held,), (self.index,)) if self.several else held
        return made


class _Kind:
    """How a node of a user's Function goes backward. The node saves the context."""

    def __init__(self, function: type[Function], specs: Any) -> None:
        self.name = f"{function.__name__}Backward"
        self.function = function
        self.specs = specs

    def _call(self, parts: dict[int, Tensor], node: Node) -> list[Tensor | None]:
        (ctx,) = node.saved  # type: ignore[misc]
        grads = [
            parts.get(i) if i in parts or not ctx._materialize else wrap(np.zeros(shape, dtype))
            for i, (shape, dtype) in enumerate(self.specs)
        ]
        found = self.function.backward(ctx, *grads)
        found = found if isinstance(found, tuple) else (found,)
        count = len(ctx.needs_input_grad)
        extra = found[count:]
        if len(found) < count or any(g is not None for g in extra):
            raise RuntimeError(
                f"function {self.name} returned an incorrect number of gradients (expected "
                f"{count}, got {len(found)})"
            )
        for g, edge in zip(found, node.edges, strict=False):
            if g is not None and edge is not None and not isinstance(g, Tensor):
                raise TypeError(f"{self.name} returned {type(g).__name__} as a gradient")
        return list(found[:count])

    def backward(self, F: Any, g: Any, node: Node) -> list[Any]:
        parts = g if isinstance(g, Parts) else {0: g}
        with no_grad():
            found = self._call({i: wrap(F.xp.asarray(v)) for i, v in parts.items()}, node)
        return [None if t is None else t.array for t in found]

    def backward_taped(self, F: Any, g: Any, node: Node) -> list[Any]:
        return self._call(dict(g) if isinstance(g, Parts) else {0: g}, node)


class _Pick:
    """Between one of several outputs and the function's node."""

    name = "Pick"

    @staticmethod
    def backward(F: Any, g: Any, node: Node) -> tuple[Any]:
        parts = Parts({node.saved[0]: g})  # type: ignore[index]
        return (parts,)

    backward_taped = backward


class Function:
    """Base of ops with a gradient of their own.

    Define static methods `forward(ctx, *args)` and `backward(ctx, *grads)`, or `forward(*args)`
    with `setup_context(ctx, inputs, output)`, and call `YourFunction.apply(*args)`. `backward`
    returns one gradient (or None) for each argument of `forward`. It runs recorded under
    `create_graph=True`, so differentiable code in it gives higher orders.
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs; override it."""
        raise NotImplementedError("You must implement the forward function for custom Function.")

    @staticmethod
    def setup_context(ctx: FunctionContext, inputs: tuple[Any, ...], output: Any) -> None:
        """Fill `ctx` where `forward` does not take it; override it."""
        raise NotImplementedError

    @staticmethod
    def backward(ctx: FunctionContext, *grad_outputs: Any) -> Any:
        """Gradients of the inputs from those of the outputs; override it."""
        raise NotImplementedError("You must implement the backward for your custom Function.")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run `forward` and record it."""
        wants = tuple(isinstance(a, Tensor) and a.edge is not None for a in args)
        ctx = FunctionContext(wants)
        recording = mode.grad and any(wants)
        separate = cls.setup_context is not Function.setup_context
        with no_grad():
            result = cls.forward(*args) if separate else cls.forward(ctx, *args)
            if separate:
                cls.setup_context(ctx, args, result)
        ctx._saved_at = versions.tick()
        if not recording:
            return result
        outputs = result if isinstance(result, tuple) else (result,)
        specs = [
            (o.array.shape, o.array.dtype) if isinstance(o, Tensor) else ((), float)
            for o in outputs
        ]
        edges = tuple(
            (a if a.edge is LEAF else a.edge) if want else None
            for a, want in zip(args, wants, strict=True)
        )
        node = make_node(_Kind(cls, specs), edges, (ctx,))
        ctx._node = weakref.ref(node)
        places = {id(out): i for i, out in enumerate(outputs)}
        ctx._saved = tuple(
            _Output(t.array, places[id(t)], len(outputs) > 1) if id(t) in places else t
            for t in ctx._saved
        )
        linked = []
        for i, out in enumerate(outputs):
            if not isinstance(out, Tensor):
                linked.append(out)
                continue
            fresh = wrap(out.array) if any(out is a for a in args) else out
            if id(out) not in ctx._fixed and out.array.dtype.kind in "fcV":
                fresh.edge = node if len(outputs) == 1 else make_node(_Pick, (node,), (i,))
            linked.append(fresh)
        return tuple(linked) if isinstance(result, tuple) else linked[0]


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a `backward` whose result must not be differentiated again."""

    @functools.wraps(backward)
    def wrapper(ctx: FunctionContext, *grads: Any) -> Any:
        recording = mode.grad
        with no_grad():
            found = backward(ctx, *grads)
        if recording and any(isinstance(g, Tensor) and g.edge is not None for g in grads):
            values = found if isinstance(found, tuple) else (found,)
            refused = make_node(_Once, tuple(g.edge for g in grads if isinstance(g, Tensor)))
            for t in values:
                if isinstance(t, Tensor):
                    t.edge = refused
        return found

    return wrapper


class _Once:
    name = "Error"

    @staticmethod
    def backward(F: Any, g: Any, node: Node) -> Any:
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )

    backward_taped = backward
