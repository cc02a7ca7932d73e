"""`F` over Batched arrays: the space in which gradient rules compute inside `vmap`."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.ops import OPS
from workbench.tensor.node import Node

from .batched import VmapError, np_array, sample, stacked, top_level
from .dispatch import call_op


class VectorSpace:
    """Ops over raw arrays of which some are Batched; each is made when first asked for."""

    # rules take the branch that goes through ops only, as they do for recorded tensors
    taped = True
    over_tensors = False
    xp = np

    def __getattr__(self, name: str) -> Any:
        op = OPS.get(name)
        if op is None:
            raise AttributeError(f"no op named {name!r}")
        if op.ufunc is not None:
            made: Any = getattr(np, op.ufunc)
        else:

            def made(*args: Any, **kwargs: Any) -> Any:
                found = call_op(op, args, kwargs)
                if not op.aux:
                    return found
                count = len(op.returns) or 1
                return found[0] if count == 1 else found[:count]

        setattr(self, name, made)
        return made

    @staticmethod
    def conj(x: Any) -> Any:
        """The complex conjugate."""
        return x.conjugate()

    @staticmethod
    def times_conj(a: Any, b: Any) -> Any:
        """a times the conjugate of b."""
        return a * b.conjugate()

    @staticmethod
    def cast(g: Any, dtype: np.dtype) -> Any:
        """`g` in another NumPy dtype."""
        if g.dtype == dtype:
            return g
        if g.dtype.kind == "c" and dtype.kind != "c":
            g = g.real
        return g.astype(dtype)

    @staticmethod
    def cast_bool(flags: Any, like: Any) -> Any:
        """A bool array as 0 and 1 in the dtype of `like`."""
        return flags.astype(like.dtype)

    @staticmethod
    def detach(x: Any) -> Any:
        """`x` itself: raw arrays have no history."""
        return x


VECTOR = VectorSpace()


def _loose(value: Any) -> Any:
    return list(value.values()) if isinstance(value, dict) else value


def involved(g: Any, node: Node) -> bool:
    """Whether a node's gradient or what it saved is Batched."""
    saved = node.saved if type(node.saved) is tuple else ()
    return top_level((_loose(g), *saved)) is not None


def backward_each(space: Any, g: Any, node: Node) -> Any:
    """A node's backward pass sample by sample, for rules that look at values."""
    from workbench.tensor.rawspace import raw_space

    saved = node.saved or ()
    level = top_level((_loose(g), *saved))
    if level is None or not level.size:
        raise VmapError(f"vmap: the gradient of {node.name()} has no batching rule")
    results = []
    for i in range(level.size):
        one = object.__new__(Node)
        one.kind, one.edges, one.fix, one.seq = node.kind, node.edges, None, node.seq
        one.saved = sample(tuple(saved), level, i)
        if isinstance(g, dict):
            part: Any = type(g)({k: np_array(sample(v, level, i)) for k, v in g.items()})
            part.specs = g.specs  # type: ignore[attr-defined]
        else:
            part = np_array(sample(g, level, i))
        F = VECTOR if involved(part, one) else raw_space(np.empty(0))
        results.append(tuple(node.kind.backward(F, part, one)))
    return stacked(results, level)
