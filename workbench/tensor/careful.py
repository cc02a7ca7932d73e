"""One step of the backward pass where something unusual may be afoot.

Anomaly detection, hooks on saved tensors, `vmap`, captured steps and profiles all end here, so
that `sweep` has one flag to look at and an ordinary pass does nothing for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.arrays import on_cuda

from . import anomaly
from .capture import active
from .node import Node
from .rawspace import raw_space
from .saved_hooks import PackedTuple

# What a node's step is run through while a profile is taken: (node, run) -> its result
around: Callable[[Node, Callable[[], Any]], Any] | None = None


def step(space: Any, g: Any, node: Node, taped: bool) -> Any:
    """The gradients of a node's inputs, in their shapes and dtypes."""
    if around is not None:
        return around(node, lambda: _step(space, g, node, taped))
    return _step(space, g, node, taped)


def _step(space: Any, g: Any, node: Node, taped: bool) -> Any:
    held = node.saved
    if type(held) is PackedTuple:
        node.saved = held.unpacked(node)
    try:
        if anomaly.on:
            return anomaly.guarded(node, lambda: _grads(space, g, node, taped))
        return _grads(space, g, node, taped)
    finally:
        if type(held) is PackedTuple:
            node.saved = held


def _fitting(space: Any, g: Any) -> Any:
    """The space over the library of `g`: a graph may cross from one device to another."""
    held = next(iter(g.values()), None) if isinstance(g, dict) else g
    return raw_space(held) if isinstance(held, np.ndarray) or on_cuda(held) else space


def _grads(space: Any, g: Any, node: Node, taped: bool) -> Any:
    from .backward import repair
    from .transforms import boundary, vector
    from .transforms.batched import VmapError

    kind = node.kind
    if taped:
        grads = kind.backward_taped(space, g, node)
    elif vector.involved(g, node):
        space = vector.VECTOR
        try:
            grads = kind.backward(space, g, node)
        except VmapError:
            grads = vector.backward_each(space, g, node)
    else:
        space = _fitting(space, g)
        recorder = active.current()
        if recorder is None:
            grads = kind.backward(space, g, node)
        else:
            grads = recorder.backward(space, g, node)
    if node.fix is not None:
        grads = [
            grad if fix is None or grad is None else repair(space, grad, *fix)
            for grad, fix in zip(grads, node.fix, strict=True)
        ]
    return [
        grad if edge is None or grad is None else boundary.reduced(grad, edge)
        for edge, grad in zip(node.edges, grads, strict=True)
    ]
