"""Places in the graph, and hooks on several tensors at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from . import versions
from .node import LEAF, AccumulateGrad, HookHandle
from .tensor import Tensor


class GradientEdge(NamedTuple):
    """Where a tensor's gradient goes: a node and which of its results."""

    node: Any
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The place in the graph that computes `tensor`'s gradient.

    Raises RuntimeError when the tensor does not require gradients.
    """
    if tensor.edge is None:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients"
        )
    return GradientEdge(AccumulateGrad(tensor) if tensor.edge is LEAF else tensor.edge, 0)


def increment_version(tensor: Tensor | Sequence[Tensor]) -> None:
    """Note that the memory of the tensor (or of each) was written behind autograd's back."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        versions.mark_array(t.array)


class MultiHandle:
    """Removes the hooks that `register_multi_grad_hook` set."""

    def __init__(self, handles: Sequence[HookHandle]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        """Stop calling the hook."""
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> MultiHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[..., None], *, mode: str = "all"
) -> MultiHandle:
    """Call `fn` when the gradients of all `tensors` are there ("all"), or the first ("any").

    With "all", `fn` gets the sequence of gradients in the order of `tensors`, and is called once
    in every backward pass that reaches all of them; with "any" it gets the first gradient.

    Raises ValueError for another mode.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    lock = threading.Lock()
    found: list[Any] = [None] * len(tensors)
    seen = 0

    def arrived(i: int) -> Callable[[Tensor], None]:
        def hook(g: Tensor) -> None:
            nonlocal seen
            with lock:
                seen += 1
                first, last = seen == 1, seen == len(tensors)
                found[i] = g
                grads = list(found)
                if last:
                    seen = 0
                    found[:] = [None] * len(tensors)
            if mode == "any" and first:
                fn(g)
            elif mode == "all" and last:
                fn(grads)

        return hook

    return MultiHandle([t.register_hook(arrived(i)) for i, t in enumerate(tensors)])
