"""conv(1→32) relu pool conv(32→64) relu pool fc on 28 x 28, cross-entropy, Adam."""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.shared import Settings, Shapes, conv_flops, images, linear_flops
from suite.shared import traffic as bytes_moved

SETTINGS = {"batch": 64, "times": 1}
OPTIMIZER = ("Adam", {"lr": 1e-3})


def shapes(settings: Settings) -> Shapes:
    """The parameters, by name."""
    a, b = 32 * settings["times"], 64 * settings["times"]
    return {
        "0.weight": (a, 1, 3, 3), "0.bias": (a,), "3.weight": (b, a, 3, 3), "3.bias": (b,),
        "7.weight": (10, b * 49), "7.bias": (10,),
    }  # fmt: skip


def batches(settings: Settings) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of inputs and labels."""
    return images(settings["batch"], (1, 28, 28), 10)


def network(lib: Any, settings: Settings) -> Any:
    """For a library with torch's names."""
    nn = lib.nn
    a, b = 32 * settings["times"], 64 * settings["times"]
    return nn.Sequential(
        nn.Conv2d(1, a, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(b * 49, 10),
    )  # fmt: skip


def jax_network(jax: Any, p: Any, x: Any, settings: Settings) -> Any:
    """The same for JAX, in the layout torch has."""
    for name in "03":
        x = jax.lax.conv_general_dilated(x, p[f"{name}.weight"], (1, 1), "SAME")
        x = jax.nn.relu(x + p[f"{name}.bias"][:, None, None])
        window = (1, 1, 2, 2)
        x = jax.lax.reduce_window(x, -np.inf, jax.lax.max, window, window, "VALID")
    return x.reshape(x.shape[0], -1) @ p["7.weight"].T + p["7.bias"]


def flops(settings: Settings) -> float:
    """Of a training step."""
    batch, a, b = settings["batch"], 32 * settings["times"], 64 * settings["times"]
    convolutions = conv_flops(batch, 1, a, 28, first=True) + conv_flops(batch, a, b, 14)
    return convolutions + linear_flops(batch, b * 49, 10)


def traffic(settings: Settings) -> float:
    """Bytes of a training step."""
    a, b = 32 * settings["times"], 64 * settings["times"]
    each = 784 + a * (784 * 2 + 196) + b * (196 * 2 + 49)
    return bytes_moved(shapes(settings), 7, settings["batch"] * each)
