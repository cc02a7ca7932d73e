"""bfloat16: computed in float32 and rounded once, as torch's CPU kernels do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.arrays.dtypes import bfloat16
from workbench.ops.declare import Op

_SINGLE = np.dtype(np.float32)
_HALF = bfloat16.numpy


def _up(value: Any) -> Any:
    if getattr(value, "dtype", None) == _HALF:
        return value.astype(_SINGLE)
    return [_up(v) for v in value] if type(value) is list else value


def _down(value: Any) -> Any:
    if getattr(value, "dtype", None) != _SINGLE:
        return value
    return (np.asarray(value) if isinstance(value, np.generic) else value).astype(_HALF)


def widened(op: Op) -> Callable[..., Any]:
    """The op's forward for bfloat16 operands.

    Calls that name their result's dtype are left alone: the forward knows best then.
    """
    forward = op.forward
    names = [p.name for p in op.params]
    place = names.index("dtype") if "dtype" in names else None

    def run(xp: Any, *values: Any) -> Any:
        if place is not None and values[place] is not None:
            return forward(xp, *values)
        result = forward(xp, *(_up(v) for v in values))
        if isinstance(result, tuple):
            return tuple(_down(r) for r in result)
        return _down(result)

    return run
