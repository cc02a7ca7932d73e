"""Where an op's forward runs: the road for everything but plain NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.arrays import namespace
from workbench.ops.declare import Op

from .halves import widened
from .transforms.batched import VmapError

__all__ = ["BATCHED", "VmapError", "library", "routed"]

_HALF = "V"


class _Several:
    """Stands for the library of operands that are Batched: `routed` sees to them."""

    __name__ = "batched"


BATCHED = _Several()


def library(*arrays: Any) -> Any:
    """The array library of the operands (the first one's), or BATCHED where one is Batched."""
    from .transforms.batched import Batched

    first = None
    for array in arrays:
        if type(array) is Batched:
            return BATCHED
        first = array if first is None else first
    return namespace(first)


def routed(op: Op) -> Callable[..., Any]:
    """The op's forward for Batched operands, other libraries' arrays and bfloat16."""
    forward, wide = op.forward, widened(op)

    def run(xp: Any, *values: Any) -> Any:
        from .transforms.batched import top_level

        if xp is BATCHED or top_level(values) is not None:
            from .transforms.dispatch import apply

            if top_level(values) is None:
                raise VmapError(f"vmap: {op.name} got an operand it cannot look into")
            return apply(op, values)
        if not (op.view or op.sequence) and any(
            getattr(getattr(v, "dtype", None), "kind", "") == _HALF for v in values
        ):
            return wide(xp, *values)
        return forward(xp, *values)

    return run
