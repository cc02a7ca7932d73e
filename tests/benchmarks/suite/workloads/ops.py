"""100 ops in a chain, forward and backward: mul by another array, or tanh."""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.shared import Settings

SETTINGS = {"op": "mul", "size": 64, "times": 1}
LENGTH = 100


def operands(settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """The array the chain starts with and the one it multiplies by; square where they can be."""
    generator = np.random.default_rng(1)
    size = settings["size"]
    side = round(size**0.5)
    shape = (side, side) if side * side == size else (size,)
    start = generator.uniform(-1, 1, shape).astype(np.float32)
    return start, generator.uniform(0.99, 1.01, shape).astype(np.float32)


def chain(lib: Any, settings: Settings, start: Any, other: Any) -> Any:
    """For a library with torch's names, and for jax.numpy."""
    x = start
    for _ in range(LENGTH):
        x = x * other if settings["op"] == "mul" else lib.tanh(x)
    return x.sum()


def flops(settings: Settings) -> float:
    """No matrix products."""
    return 0.0


def traffic(settings: Settings) -> float:
    """Bytes when each op reads its operands and writes its result: 3 (2 for tanh), then 3."""
    each = 6 if settings["op"] == "mul" else 5
    return 4.0 * LENGTH * each * settings["size"]
