"""784-256-128-10 with ReLU, cross-entropy, Adam."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from suite.shared import Settings, Shapes, images, linear_flops
from suite.shared import traffic as bytes_moved

SETTINGS = {"batch": 128, "times": 1}
OPTIMIZER = ("Adam", {"lr": 1e-3})


def _widths(settings: Settings) -> tuple[int, ...]:
    times = settings["times"]
    return (784, 256 * times, 128 * times, 10)


def shapes(settings: Settings) -> Shapes:
    """The parameters, by name."""
    made: Shapes = {}
    widths = _widths(settings)
    for number, (inputs, outputs) in enumerate(pairwise(widths)):
        made[f"{2 * number}.weight"] = (outputs, inputs)
        made[f"{2 * number}.bias"] = (outputs,)
    return made


def batches(settings: Settings) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of inputs and labels."""
    return images(settings["batch"], (784,), 10)


def network(lib: Any, settings: Settings) -> Any:
    """For a library with torch's names."""
    nn = lib.nn
    _, first, second, _ = _widths(settings)
    return nn.Sequential(
        nn.Linear(784, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, 10)
    )


def jax_network(jax: Any, p: Any, x: Any, settings: Settings) -> Any:
    """The same for JAX."""
    for name in "02":
        x = jax.nn.relu(x @ p[f"{name}.weight"].T + p[f"{name}.bias"])
    return x @ p["4.weight"].T + p["4.bias"]


def flops(settings: Settings) -> float:
    """Of a training step."""
    batch, widths = settings["batch"], _widths(settings)
    return sum(linear_flops(batch, a, b, first=a == 784) for a, b in pairwise(widths))


def traffic(settings: Settings) -> float:
    """Bytes of a training step."""
    return bytes_moved(shapes(settings), 7, settings["batch"] * sum(_widths(settings)))
