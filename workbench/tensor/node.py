"""The tape's nodes: what `backward` walks.

An op's result points to a `Node`; a node points to the nodes of its inputs through `edges`. An
edge is None (no gradient wanted), a `Node`, or a leaf `Tensor`, whose `.grad` receives. A node
holds raw arrays and never an input's Tensor, so what the gradient does not need is freed at once.

`kind` says how to go backward: an object with `name`, `backward(F, g, node)` over raw arrays and
`backward_taped(F, g, node)` over Tensors, both returning one gradient (or None) for each edge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import versions


class Leaf:
    """Marks a Tensor that is a leaf requiring gradients (its edge is the Tensor itself).

    A marker instead of a self-reference, so that parameters are freed without the cycle collector.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "LEAF"


LEAF = Leaf()


class Node:
    """One recorded operation."""

    # kind: how to go backward        edges: where the gradients go
    # saved: what the rule needs      fix: shape/dtype each gradient is brought to, or None
    # seq: tick of creation: parents are always older, so it orders the backward pass
    # hooks: callables on the incoming gradient; unset until the first is registered
    __slots__ = ("__weakref__", "edges", "fix", "hooks", "kind", "saved", "seq")

    kind: Any
    edges: tuple[Any, ...]
    saved: tuple[Any, ...] | None
    fix: tuple[Any, ...] | None
    seq: int
    hooks: list[Callable[..., Any]]

    def name(self) -> str:
        """The operation's name as torch spells it, e.g. "MulBackward0"."""
        return self.kind.name

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The (node, output index) pairs the gradients go to; leaves show as AccumulateGrad."""
        return tuple(
            (edge if edge is None or isinstance(edge, Node) else AccumulateGrad(edge), 0)
            for edge in self.edges
        )

    def register_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call `hook(grad_outputs)` before this node is walked; it may return a replacement."""
        return add_hook(self, lambda g: _first(hook((g,))))

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class FunctionNode(Node):
    """The node of a user's Function: it has the context's attributes.

    A class of its own, because `__getattr__` makes Python look up every attribute the long way.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name in ("hooks", "saved"):
            raise AttributeError(f"'{self.name()}' node has no attribute {name!r}")
        return self.kind.attribute(self, name)


class AccumulateGrad:
    """How a leaf shows in `next_functions`."""

    __slots__ = ("variable",)

    def __init__(self, variable: Any) -> None:
        self.variable = variable

    next_functions: tuple[Any, ...] = ()

    def name(self) -> str:
        """Always "AccumulateGrad"."""
        return "AccumulateGrad"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and other.variable is self.variable

    def __hash__(self) -> int:
        return id(self.variable)

    def __repr__(self) -> str:
        return "<AccumulateGrad>"


class HookHandle:
    """Removes a hook: `handle.remove()`, or at the end of a `with handle:` block."""

    __slots__ = ("_hook", "_hooks")

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self._hooks = hooks
        self._hook = hook

    def remove(self) -> None:
        """Stop calling the hook; nothing happens when it is gone already."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


# Spares the walk every question about hooks, anomaly detection, packed values and `vmap` until
# the first of them is used.
watched = False
hooks_made = 0  # how many hooks were ever registered
# What `saved_tensors_hooks` does to saved values while some are installed
packer: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None = None


def add_hook(node: Node, hook: Callable[[Any], Any]) -> HookHandle:
    """Call `hook` on the gradient that arrives at `node`; it may return a replacement."""
    global watched, hooks_made
    watched = True
    hooks_made += 1
    try:
        hooks = node.hooks
    except AttributeError:
        hooks = node.hooks = []
    hooks.append(hook)
    return HookHandle(hooks, hook)


def _first(result: Any) -> Any:
    return result[0] if isinstance(result, tuple) else result


_new = object.__new__


def make_node(kind: Any, edges: tuple[Any, ...], saved: tuple[Any, ...] = ()) -> Node:
    """A node made off the hot path (the generated ops fill theirs in line)."""
    node = _new(Node)
    node.kind = kind
    node.edges = edges
    node.saved = saved if packer is None else packer(saved)
    node.fix = None
    node.seq = versions.tick()
    return node
