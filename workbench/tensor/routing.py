"""Where an op's forward runs: the road for everything but plain NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.arrays import namespace
from workbench.ops.declare import Op

from .capture.traced import Traced
from .halves import widened
from .transforms.batched import VmapError

__all__ = ["BATCHED", "VmapError", "library", "routed"]

_HALF = "V"


class _Other:
    """Stands for the library of operands that are no library's own: `routed` sees to them."""

    def __init__(self, name: str) -> None:
        self.__name__ = name


BATCHED = _Other("batched")  # within vmap
TRACED = _Other("traced")  # while a step is recorded


def library(*arrays: Any) -> Any:
    """The array library of the operands (the first one's), or BATCHED or TRACED where one is."""
    from .transforms.batched import Batched

    first = None
    traced = False
    for array in arrays:
        if type(array) is Batched:
            return BATCHED
        traced = traced or type(array) is Traced
        first = array if first is None else first
    return TRACED if traced else namespace(first)


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
        half = not (op.view or op.sequence) and any(
            getattr(getattr(v, "dtype", None), "kind", "") == _HALF for v in values
        )
        if xp is TRACED:
            operands = values[0] if op.sequence else values
            recorder = next(v for v in operands if type(v) is Traced).recorder
            return recorder.op(op, wide if half else forward, values)
        return (wide if half else forward)(xp, *values)

    return run
