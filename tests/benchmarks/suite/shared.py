"""What every side starts from: the same weights and the same batches, made by NumPy."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

Shapes = dict[str, tuple[int, ...]]
Settings = Mapping[str, Any]
BATCHES = 8  # different batches; training goes round them


def weights(shapes: Shapes) -> dict[str, np.ndarray]:
    """First values of the parameters: scaled normal ones, norms at 1, biases at 0."""
    made = {}
    for name, shape in shapes.items():
        if name.endswith("bias"):
            value = np.zeros(shape)
        elif len(shape) == 1:
            value = np.ones(shape)
        else:
            generator = np.random.default_rng(zlib.crc32(name.encode()))
            value = generator.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))
        made[name] = value.astype(np.float32)
    return made


def images(batch: int, shape: tuple[int, ...], classes: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Batches of noise with labels: what is in them does not matter to the clock."""
    generator = np.random.default_rng(7)
    return [
        (
            generator.standard_normal((batch, *shape)).astype(np.float32),
            generator.integers(0, classes, batch),
        )
        for _ in range(BATCHES)
    ]


def linear_flops(rows: int, inputs: int, outputs: int, first: bool = False) -> float:
    """Forward and backward of a linear layer; the first layer needs no gradient of its input."""
    return 2.0 * rows * inputs * outputs * (2 if first else 3)


def conv_flops(
    batch: int, channels: int, filters: int, side: int, kernel: int = 3, first: bool = False
) -> float:
    """Forward and backward of a convolution with `side` x `side` results, counted directly."""
    return linear_flops(batch * side * side, channels * kernel * kernel, filters, first)


def traffic(shapes: Shapes, passes: int, activations: float) -> float:
    """Bytes that must move in a training step.

    Each parameter is read forward and backward and its gradient written (3), then the update takes
    `passes` more. An activation is written and read, and so is its gradient (4).
    """
    parameters = sum(math.prod(shape) for shape in shapes.values())
    return 4.0 * (parameters * (3 + passes) + 4 * activations)
