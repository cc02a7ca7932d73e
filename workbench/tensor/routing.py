"""Where an op's forward runs: the road for everything but plain NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.arrays import array_device, namespace, on_cuda
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
    if traced:
        return TRACED
    device = on_cuda(first)
    for array in arrays:
        if array is not None and on_cuda(array) is not device:
            together("", [a for a in arrays if a is not None])
    return namespace(first)


def together(name: str, arrays: Any) -> None:
    """Raises RuntimeError, as torch does, when the arrays are on different devices."""
    first = array_device(arrays[0]) if len(arrays) else None
    for array in arrays[1:]:
        other = array_device(array)
        if other != first:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{first} and {other}! ({name and name + ': '}move one of them with .to(device))"
            )


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
