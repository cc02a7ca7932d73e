"""One LSTM layer 128→256 over 64 steps and a linear layer on its last output, Adam."""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.shared import Settings, Shapes, images, linear_flops
from suite.shared import traffic as bytes_moved

SETTINGS = {"batch": 32, "steps": 64, "times": 1}
OPTIMIZER = ("Adam", {"lr": 1e-3})
INPUTS, HIDDEN = 128, 256


def shapes(settings: Settings) -> Shapes:
    """The parameters, by name."""
    gates = 4 * HIDDEN
    return {
        "cell.weight_ih_l0": (gates, INPUTS), "cell.weight_hh_l0": (gates, HIDDEN),
        "cell.bias_ih_l0": (gates,), "cell.bias_hh_l0": (gates,),
        "head.weight": (10, HIDDEN), "head.bias": (10,),
    }  # fmt: skip


def batches(settings: Settings) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of sequences (N, L, 128) and labels."""
    return images(settings["batch"], (settings["steps"], INPUTS), 10)


def network(lib: Any, settings: Settings) -> Any:
    """For a library with torch's names."""
    nn = lib.nn

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.LSTM(INPUTS, HIDDEN, batch_first=True)
            self.head = nn.Linear(HIDDEN, 10)

        def forward(self, x: Any) -> Any:
            return self.head(self.cell(x)[0][:, -1])

    return Reader()


def jax_network(jax: Any, p: Any, x: Any, settings: Settings) -> Any:
    """The same for JAX: all inputs in one product, then a scan."""
    jnp = jax.numpy
    gates = x @ p["cell.weight_ih_l0"].T + p["cell.bias_ih_l0"] + p["cell.bias_hh_l0"]

    def step(state: Any, now: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(now + h @ p["cell.weight_hh_l0"].T, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((x.shape[0], HIDDEN))
    (h, _), _ = jax.lax.scan(step, (zeros, zeros), gates.swapaxes(0, 1))
    return h @ p["head.weight"].T + p["head.bias"]


def flops(settings: Settings) -> float:
    """Of a training step."""
    rows = settings["batch"] * settings["steps"]
    cell = linear_flops(rows, INPUTS, 4 * HIDDEN, first=True)
    return cell + linear_flops(rows, HIDDEN, 4 * HIDDEN)


def traffic(settings: Settings) -> float:
    """Bytes of a training step; the recurrent weights are read at every step, both ways."""
    rows = settings["batch"] * settings["steps"]
    again = 4.0 * 2 * settings["steps"] * 4 * HIDDEN * HIDDEN
    return again + bytes_moved(shapes(settings), 7, rows * (INPUTS + 7 * HIDDEN))
