"""Checkpointing: save nothing inside a part of the forward pass, and run it again in backward.

Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016. Everything the part saves goes
through hooks that keep only its place in line; when backward asks for one, the part runs again
and the places are filled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from workbench.arrays import random

from .backward import backward as run_backward
from .function import Function
from .mode import enable_grad, mode
from .saved_hooks import pack_tensor, saved_tensors_hooks, unpack_tensor, without_hooks
from .tensor import Tensor, wrap
from .transforms.trees import flatten
from .transforms.vmap import Draws

Contexts = Callable[[], tuple[AbstractContextManager, AbstractContextManager]]


class CheckpointError(RuntimeError):
    """The part did not do the same the second time."""


@contextmanager
def _as_then(source: random.Generator | None, state: Any) -> Iterator[None]:
    """Within the block, draw the random numbers that `source` drew from `state` on."""
    if source is None:
        yield
        return
    with random.use(_at(source, state)):
        yield


def _at(source: random.Generator, state: Any) -> random.Generator:
    if isinstance(source, Draws):  # inside vmap: one stream over another
        return source.over(_at(source.source, state))
    again = random.Generator()
    again.state = state
    return again


class _Input:
    """A tensor the part was called with, kept as hooks of an outer part want it."""

    def __init__(self, tensor: Tensor) -> None:
        self.edge = tensor.edge
        plain = tensor.edge is None or tensor.is_leaf
        self.held = tensor if plain else pack_tensor(wrap(tensor.array))
        self.plain = plain

    def tensor(self) -> Tensor:
        if self.plain:
            return self.held  # type: ignore[no-any-return]
        made = wrap(unpack_tensor(self.held).array)
        made.edge = self.edge
        return made


class _Part:
    """One checkpointed call: how to run it again, and what that saves."""

    def __init__(
        self, function: Callable[..., Any], args: Any, kwargs: Any, *, keep_random: bool,
        check: bool, context: AbstractContextManager,
    ) -> None:  # fmt: skip
        leaves, self.build = flatten((args, kwargs))
        self.leaves = [_Input(v) if isinstance(v, Tensor) else v for v in leaves]
        self.function = function
        self.source = random.default_generator() if keep_random else None
        self.state = self.source and self.source.state
        self.check = check
        self.context = context
        self.shapes: list[tuple[Any, Any]] = []
        self.again: dict[int, Tensor] = {}

    def pack(self, tensor: Tensor) -> int:
        """Keep a tensor's place in line (and, to compare, its shape and dtype)."""
        self.shapes.append((tuple(tensor.array.shape), tensor.array.dtype))
        return len(self.shapes) - 1

    def unpack(self, place: int) -> Tensor:
        """The tensor at a place; runs the part again when it is not at hand."""
        if place not in self.again:
            self.run_again()
        return self.again.pop(place)

    def run_again(self) -> None:
        """Fill all places. Raises CheckpointError when the part saved something else this time."""
        found: list[Tensor] = []

        def collect(tensor: Tensor) -> Tensor:
            found.append(tensor)
            return tensor

        values = [v.tensor() if type(v) is _Input else v for v in self.leaves]
        args, kwargs = self.build(values)
        with (
            without_hooks(),
            enable_grad(),
            _as_then(self.source, self.state),
            self.context,
            saved_tensors_hooks(collect, lambda held: held),
        ):
            self.function(*args, **kwargs)
        if len(found) != len(self.shapes):
            raise CheckpointError(
                "checkpoint: A different number of tensors was saved during the original forward "
                f"and recomputation.\nNumber of tensors saved during forward: {len(self.shapes)}\n"
                f"Number of tensors saved during recomputation: {len(found)}"
            )
        if self.check:
            for i, (tensor, (shape, dtype)) in enumerate(zip(found, self.shapes, strict=True)):
                if tuple(tensor.array.shape) != shape or tensor.array.dtype != dtype:
                    raise CheckpointError(
                        "checkpoint: Recomputed values for the following tensors have different "
                        "metadata than during the forward pass.\n"
                        f"tensor at position {i}: saved {shape} {dtype}, recomputed "
                        f"{tuple(tensor.array.shape)} {tensor.array.dtype}"
                    )
        self.again = dict(enumerate(found))


class _Reentrant(Function):
    """The older way: one node that runs the part and its backward pass within its own."""

    @staticmethod
    def forward(ctx: Any, function: Any, keep_random: bool, *args: Any) -> Any:  # type: ignore[override]
        ctx.function = function
        ctx.source = random.default_generator() if keep_random else None
        ctx.state = ctx.source and ctx.source.state
        ctx.args = args
        return function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        args = []
        for a in ctx.args:
            if isinstance(a, Tensor):
                wants, a = a.edge is not None, wrap(a.array)
                if wants:
                    a.requires_grad_()
            args.append(a)
        with enable_grad(), _as_then(ctx.source, ctx.state):
            outputs = ctx.function(*args)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        pairs = [
            (o, g)
            for o, g in zip(outputs, grads, strict=True)
            if isinstance(o, Tensor) and o.edge is not None and g is not None
        ]
        if not pairs:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        run_backward([o for o, _ in pairs], [g for _, g in pairs])
        found = tuple(a.grad if isinstance(a, Tensor) else None for a in args)
        return (None, None, *found)


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Contexts | None = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), whose inner tensors are computed again in backward, not kept.

    `function` must do the same both times; random ops do (unless `preserve_rng_state=False`).
    `use_reentrant=False` (the default here, and the one to use) works with every kind of backward
    pass, nested parts, keywords and `create_graph`; `True` is torch's older way: `backward()` only,
    and an input has to require gradients. `context_fn` gives two context managers, for the first
    run and for the second. `determinism_check="none"` leaves out the comparison of shapes.

    Raises CheckpointError (a RuntimeError) in backward when the second run saves other tensors.
    """
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"determinism_check should be one of ['default', 'none'] but got {determinism_check}"
        )
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not None:
            raise ValueError("Passing `context_fn` is only supported when use_reentrant=False.")
        return _Reentrant.apply(function, preserve_rng_state, *args)
    first, second = context_fn() if context_fn is not None else (nullcontext(), nullcontext())
    if not mode.grad:
        with first:
            return function(*args, **kwargs)
    part = _Part(
        function, args, kwargs, keep_random=preserve_rng_state,
        check=determinism_check == "default", context=second,
    )  # fmt: skip
    with saved_tensors_hooks(part.pack, part.unpack), first:
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Run a Sequential (or a list of functions) in `segments` parts, checkpointed but the last."""
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    steps: Sequence[Callable[..., Any]] = (
        list(functions.children()) if hasattr(functions, "children") else list(functions)
    )

    def run(start: int, end: int) -> Callable[..., Any]:
        def part(value: Any) -> Any:
            for step in steps[start : end + 1]:
                value = step(value)
            return value

        return part

    size, end, value = len(steps) // segments, -1, input
    for start in range(0, size * (segments - 1), size):
        end = start + size - 1
        value = checkpoint(
            run(start, end), value, use_reentrant=use_reentrant, preserve_rng_state=preserve
        )
    return run(end + 1, len(steps) - 1)(value)
