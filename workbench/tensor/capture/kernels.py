"""Kernels as a recording sees them: taken as a whole, or looked into call by call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.ops import OPS
from workbench.tensor.binding import Parts
from workbench.tensor.rawspace import RawSpace, raw_space

if TYPE_CHECKING:
    from .recorder import Recorder

# Families (files of ops/) whose kernels are a few NumPy calls, written down one by one, so that
# their results can be planned and fused. Others choose their way by what they are given; they
# are taken as a whole.
SIMPLE = {"elementwise", "compare", "trigonometry", "exponentials", "shape", "linalg", "blend"}


def is_simple(op: Any) -> bool:
    """Whether an op's kernel and gradient rules are looked into."""
    return op.family in SIMPLE or op.name == "relu"


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
        """The result."""
        return self.forward(np, *values)


class _FakeNode:
    """What a gradient rule reads of a node."""

    __slots__ = ("edges", "saved")

    def __init__(self, edges: Any, saved: Any) -> None:
        self.edges = edges
        self.saved = saved


class Rule:
    """A node's gradients as a function of the incoming one and of what was saved."""

    def __init__(self, kind: Any, wanted: tuple[bool, ...], specs: Any) -> None:
        self.__name__ = f"{kind.op.name}.vjp"
        self.kind = kind
        self.edges = tuple(True if w else None for w in wanted)
        self.specs = specs

    def __call__(self, g: Any, saved: Any) -> Any:
        """One gradient for each edge."""
        if isinstance(g, dict):
            parts = Parts(g)
            parts.specs = self.specs
            g = parts
            space = raw_space(next(iter(g.values())))
        else:
            space = raw_space(g)
        return tuple(self.kind.backward(space, g, _FakeNode(self.edges, saved)))
