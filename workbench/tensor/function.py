"""`autograd.Function`: ops with a hand-written gradient, made by users."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from . import node as nodes
from . import versions
from .backward import sum_to
from .binding import Parts
from .inplace import _rewrite_relatives
from .mode import mode, no_grad
from .node import LEAF, FunctionNode, Node, make_node
from .rawspace import taped_space
from .saved_hooks import Packed, pack_tensor, unpack_tensor
from .tensor import Tensor, beside, wrap


class FunctionContext:
    """What `forward` leaves for `backward`: saved tensors and any attributes you set."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._saved: tuple[Any, ...] = ()
        self._saved_at = 0
        self._fixed: tuple[int, ...] = ()
        self._dirty: tuple[Tensor, ...] = ()
        self._materialize = True
        self._node: Any = None

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs or outputs (or None) for `backward`.

        Raises TypeError for anything that is not a Tensor: set it as an attribute instead.
        """
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {i} is of type "
                    f"{type(t).__name__}; set other values as attributes of ctx"
                )
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The saved tensors; RuntimeError when they were written over since."""
        saved = tuple(
            t.linked(self._node) if type(t) in (_Output, _Input) else t for t in self._saved
        )
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

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `jvp`: as attributes are. Here for programs that call it."""
        self._for_forward = tensors

    def mark_dirty(self, *inputs: Tensor) -> None:
        """Say that these inputs were written in place; `forward` has to return them, too."""
        self._dirty = inputs
        for t in inputs:
            versions.mark_array(t.array)

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros (True, the default) or None for unused outputs."""
        self._materialize = value


class _Output:
    """A saved output: its array without its history, which would tie a knot with the node."""

    __slots__ = ("array", "index", "several")

    def __init__(self, array: Any, index: int, several: bool) -> None:
        self.array = pack_tensor(wrap(array))
        self.index = index
        self.several = several

    def linked(self, node: Any) -> Tensor:
        made, held = wrap(unpack_tensor(self.array).array), node and node()
        if held is not None:
            made.edge = make_node(_Pick, (held,), (self.index,)) if self.several else held
        return made


class _Input:
    """A saved input, kept as a hook on saved tensors wants it."""

    __slots__ = ("edge", "held")

    def __init__(self, tensor: Tensor, held: Any) -> None:
        self.edge = tensor if tensor.edge is LEAF else tensor.edge
        self.held = held

    def linked(self, node: Any) -> Tensor:
        if isinstance(self.edge, Tensor):
            return self.edge
        made = wrap(unpack_tensor(self.held).array)
        made.edge = self.edge
        return made


def _kept(tensor: Any) -> Any:
    if tensor is None:
        return None
    held = pack_tensor(tensor if tensor.edge is None else wrap(tensor.array))
    return _Input(tensor, held) if type(held) is Packed else tensor


class _Kind:
    """How a node of a user's Function goes backward. The node saves the context."""

    def __init__(self, function: type[Function], specs: Any, inputs: Any) -> None:
        self.name = f"{function.__name__}Backward"
        self.function = function
        self.specs = specs  # of the outputs: shape and dtype, None for what is no tensor
        self.inputs = inputs  # likewise of the inputs

    def attribute(self, node: Node, name: str) -> Any:
        """What `grad_fn.name` is: an attribute of the context, as in torch."""
        saved = node.saved
        if not saved:
            raise AttributeError(name)
        return getattr(saved[0], name)

    @staticmethod
    def _zeros(parts: dict[int, Tensor], shape: Any, dtype: Any) -> Tensor:
        """A gradient that did not arrive, on the device of one that did."""
        other = next(iter(parts.values()), None)
        zeros = np.zeros(shape, dtype)
        return wrap(zeros) if other is None else beside(other, zeros)

    def _call(self, parts: dict[int, Tensor], node: Node) -> list[Tensor | None]:
        (ctx,) = node.saved  # type: ignore[misc]
        grads = [
            parts.get(i)
            if i in parts or not ctx._materialize or spec is None
            else self._zeros(parts, *spec)
            for i, spec in enumerate(self.specs)
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
        return [
            None if edge is None or g is None else self._fitted(i, g)
            for i, (g, edge) in enumerate(zip(found[:count], node.edges, strict=True))
        ]

    def _fitted(self, i: int, g: Any) -> Tensor:
        """A gradient in its input's shape and dtype."""
        if not isinstance(g, Tensor):
            raise RuntimeError(
                f"function {self.name} expected Variable or None as the gradient at index {i} "
                f"(got {type(g).__name__})"
            )
        shape, dtype = self.inputs[i]
        got = tuple(g.array.shape)
        if got != shape:
            try:
                fits = np.broadcast_shapes(got, shape) == got
            except ValueError:
                fits = False
            if not fits:
                raise RuntimeError(
                    f"Function {self.name} returned an invalid gradient at index {i} - got "
                    f"{list(got)} but expected shape compatible with {list(shape)}"
                )
            g = sum_to(taped_space(), g, shape)
        return taped_space().cast(g, dtype)  # type: ignore[no-any-return]

    def backward(self, F: Any, g: Any, node: Node) -> list[Any]:
        parts = g if isinstance(g, Parts) else {0: g}
        with no_grad():
            found = self._call({i: wrap(_array(v)) for i, v in parts.items()}, node)
        return [None if t is None else t.array for t in found]

    def backward_taped(self, F: Any, g: Any, node: Node) -> list[Any]:
        parts = dict(g) if isinstance(g, Parts) else {0: g}
        if mode.pushing and self.function.jvp is not Function.jvp:
            return self._transposed(parts, node)
        return self._call(parts, node)

    def _transposed(self, parts: dict[int, Tensor], node: Node) -> list[Tensor | None]:
        """Stand-ins for the gradients, whose own backward pass is the function's `jvp`.

        Forward derivatives transpose this pass at zero: their values do not count, only the way
        back from tangents of the inputs to tangents of the outputs.
        """
        (ctx,) = node.saved  # type: ignore[misc]
        given = [(i, t) for i, t in parts.items() if t.edge is not None]
        edges = tuple(t if t.edge is LEAF else t.edge for _, t in given)
        # the inputs, too: `jvp` may depend on them, though no gradient goes there from here
        saved = (self, ctx, [i for i, _ in given], [None] * len(node.edges))
        pushed = make_node(_Push, (*edges, *node.edges), saved)
        found: list[Tensor | None] = []
        for i, edge in enumerate(node.edges):
            spec = self.inputs[i]
            if edge is None or spec is None:
                found.append(None)
                continue
            made = self._zeros(parts, *spec)
            if edges:
                made.edge = make_node(_Pick, (pushed,), (i,))
            found.append(made)
        return found

    def push(self, ctx: Any, parts: dict[int, Tensor], wanted: list[int]) -> list[Tensor]:
        """Tangents of the outputs `wanted` from those of the inputs, by the function's `jvp`."""
        tangents = [
            None if spec is None else parts.get(i, self._zeros(parts, *spec))
            for i, spec in enumerate(self.inputs)
        ]
        found = self.function.jvp(ctx, *tangents)
        found = found if isinstance(found, tuple) else (found,)
        if len(found) != len(self.specs):
            raise RuntimeError(
                f"the jvp of {self.function.__name__} returned {len(found)} tangents for "
                f"{len(self.specs)} outputs"
            )
        made = []
        for i in wanted:
            shape, dtype = self.specs[i]
            t = found[i]
            if t is None:
                t = self._zeros(parts, shape, dtype)
            if not isinstance(t, Tensor) or tuple(t.array.shape) != shape:
                raise RuntimeError(
                    f"the jvp of {self.function.__name__} returned an invalid tangent for output "
                    f"{i}: expected a tensor of shape {list(shape)}"
                )
            made.append(taped_space().cast(t, dtype))
        return made


def _array(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, np.generic) else value


class _Push:
    """The transpose of a function's gradient: its `jvp`."""

    name = "JvpBackward"

    @staticmethod
    def backward(F: Any, g: Any, node: Node) -> list[Any]:
        kind, ctx, wanted, blank = node.saved  # type: ignore[misc]
        with no_grad():
            found = kind.push(ctx, {i: wrap(_array(v)) for i, v in g.items()}, wanted)
        return [*(t.array for t in found), *blank]

    @staticmethod
    def backward_taped(F: Any, g: Any, node: Node) -> list[Any]:
        kind, ctx, wanted, blank = node.saved  # type: ignore[misc]
        return [*kind.push(ctx, dict(g), wanted), *blank]


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

    Under `vmap` both run on mapped tensors; a static `vmap(info, in_dims, *args)` takes the place
    of `forward` there. Forward derivatives (`func.jvp`, `forward_ad`) call `jvp(ctx, *tangents)`
    where it is defined, else they transpose `backward`.
    """

    generate_vmap_rule = False

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs; override it."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: FunctionContext, inputs: tuple[Any, ...], output: Any) -> None:
        """Fill `ctx` where `forward` does not take it; override it."""
        raise NotImplementedError

    @staticmethod
    def backward(ctx: FunctionContext, *grad_outputs: Any) -> Any:
        """Gradients of the inputs from those of the outputs; override it."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    @staticmethod
    def jvp(ctx: FunctionContext, *grad_inputs: Any) -> Any:
        """Tangents of the outputs from those of the inputs (None: no tensor); override it."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            f"{type(self).__name__} should not be instantiated. Methods on autograd functions are "
            "all static, so you should invoke them on the class itself: "
            f"{type(self).__name__}.apply(...)"
        )

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run `forward` and record it.

        Raises RuntimeError for in-place writes that torch refuses, too: into a leaf that requires
        gradients, or into an input that is not returned.
        """
        if nodes.watched and hasattr(cls, "vmap"):
            from .transforms.custom import apply_vmapped, mapped_level

            level = mapped_level(args)
            if level is not None:
                return apply_vmapped(cls, level, args)
        wants = tuple(isinstance(a, Tensor) and a.edge is not None for a in args)
        ctx = FunctionContext(wants)
        recording = mode.grad and any(wants)
        separate = cls.setup_context is not Function.setup_context
        with no_grad():
            result = cls.forward(*args) if separate else cls.forward(ctx, *args)
            if separate:
                cls.setup_context(ctx, args, result)
        ctx._saved_at = versions.tick()
        outputs = result if isinstance(result, tuple) else (result,)
        if ctx._dirty:
            _check_dirty(ctx._dirty, outputs, recording)
        if not recording:
            return result
        specs, inputs = _specs(outputs), _specs(args)
        edges = tuple(
            (a if a.edge is LEAF else a.edge) if want else None
            for a, want in zip(args, wants, strict=True)
        )
        node = make_node(_Kind(cls, specs, inputs), edges, (ctx,))
        node.__class__ = FunctionNode  # type: ignore[assignment]
        ctx._node = weakref.ref(node)
        places = {id(out): i for i, out in enumerate(outputs)}
        ctx._saved = tuple(
            _Output(t.array, places[id(t)], len(outputs) > 1) if id(t) in places else _kept(t)
            for t in ctx._saved
        )
        linked = []
        for i, out in enumerate(outputs):
            if not isinstance(out, Tensor):
                linked.append(out)
                continue
            dirty = any(out is t for t in ctx._dirty)
            fresh = wrap(out.array) if any(out is a for a in args) and not dirty else out
            if id(out) not in ctx._fixed and out.array.dtype.kind in "fcV":
                before = fresh.edge
                fresh.edge = node if len(outputs) == 1 else make_node(_Pick, (node,), (i,))
                if dirty:
                    _rewrite_relatives(fresh, before, fresh.edge)
            linked.append(fresh)
        return tuple(linked) if isinstance(result, tuple) else linked[0]


def _specs(values: Any) -> list[tuple[Any, Any] | None]:
    return [
        (tuple(v.array.shape), v.array.dtype) if isinstance(v, Tensor) else None for v in values
    ]


def _check_dirty(dirty: tuple[Tensor, ...], outputs: tuple[Any, ...], recording: bool) -> None:
    for t in dirty:
        if not any(t is o for o in outputs):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as "
                "output. The inputs that are modified inplace must all be outputs of the Function."
            )
        if recording and (t.edge is LEAF or (t._base is not None and t._base.edge is LEAF)):
            raise RuntimeError(
                "a leaf Variable that requires grad has been used in an in-place operation. Pass "
                "a clone() of it, or write under wb.no_grad()."
            )


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a `backward` whose result must not be differentiated again."""

    @functools.wraps(backward)
    def wrapper(ctx: FunctionContext, *grads: Any) -> Any:
        recording = mode.grad
        with no_grad():
            found = backward(ctx, *grads)
        if recording and any(isinstance(g, Tensor) and g.edge is not None for g in grads):
            values = found if isinstance(found, tuple) else (found,)
            edges = tuple(g if g.edge is LEAF else g.edge for g in grads if isinstance(g, Tensor))
            refused = make_node(_Once, edges)
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
