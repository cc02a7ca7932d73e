"""A decoder of 4 layers, 4 heads, width 128, context 64, GELU, layer norm first, AdamW."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from suite.shared import BATCHES, Settings, Shapes, linear_flops
from suite.shared import traffic as bytes_moved

SETTINGS = {"batch": 16, "times": 1, "context": 64, "layers": 4}
OPTIMIZER = ("AdamW", {"lr": 3e-4})
VOCABULARY = 96
HEADS = 4


def _width(settings: Settings) -> int:
    return 128 * settings["times"]


def shapes(settings: Settings) -> Shapes:
    """The parameters, by name."""
    width = _width(settings)
    made: Shapes = {
        "token.weight": (VOCABULARY, width),
        "place.weight": (settings["context"], width),
    }
    for number in range(settings["layers"]):
        name = f"blocks.{number}"
        for norm in ("norm1", "norm2"):
            made[f"{name}.{norm}.weight"] = made[f"{name}.{norm}.bias"] = (width,)
        for layer, outputs, inputs in (
            ("qkv", 3 * width, width), ("out", width, width),
            ("up", 4 * width, width), ("down", width, 4 * width),
        ):  # fmt: skip
            made[f"{name}.{layer}.weight"] = (outputs, inputs)
            made[f"{name}.{layer}.bias"] = (outputs,)
    made["norm.weight"] = made["norm.bias"] = (width,)
    return made | {"head.weight": (VOCABULARY, width)}


def batches(settings: Settings) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of tokens and the tokens that follow."""
    generator = np.random.default_rng(7)
    made = []
    for _ in range(BATCHES):
        text = generator.integers(0, VOCABULARY, (settings["batch"], settings["context"] + 1))
        made.append((text[:, :-1].copy(), text[:, 1:].reshape(-1)))
    return made


def network(lib: Any, settings: Settings) -> Any:
    """For a library with torch's names."""
    nn = lib.nn
    width, context = _width(settings), settings["context"]

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            batch, length, _ = x.shape
            split = self.qkv(self.norm1(x)).view(batch, length, 3, HEADS, width // HEADS)
            q, k, v = split.permute(2, 0, 3, 1, 4)
            seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(seen.transpose(1, 2).reshape(batch, length, width))
            return x + self.down(nn.functional.gelu(self.up(self.norm2(x))))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Embedding(VOCABULARY, width)
            self.place = nn.Embedding(context, width)
            self.blocks = nn.Sequential(*(Block() for _ in range(settings["layers"])))
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, VOCABULARY, bias=False)

        def forward(self, tokens: Any) -> Any:
            x = self.blocks(self.token(tokens) + self.place.weight)
            return self.head(self.norm(x)).view(-1, VOCABULARY)

    return GPT()


def jax_network(jax: Any, p: Any, x: Any, settings: Settings) -> Any:
    """The same for JAX."""
    jnp = jax.numpy
    width = _width(settings)

    def norm(name: str, x: Any) -> Any:
        centered = x - x.mean(-1, keepdims=True)
        scale = jax.lax.rsqrt((centered * centered).mean(-1, keepdims=True) + 1e-5)
        return centered * scale * p[f"{name}.weight"] + p[f"{name}.bias"]

    def linear(name: str, x: Any) -> Any:
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    batch, length = x.shape
    x = p["token.weight"][x] + p["place.weight"]
    future = jnp.triu(jnp.full((length, length), -jnp.inf), 1)
    for number in range(settings["layers"]):
        name = f"blocks.{number}"
        split = linear(f"{name}.qkv", norm(f"{name}.norm1", x))
        q, k, v = split.reshape(batch, length, 3, HEADS, -1).transpose(2, 0, 3, 1, 4)
        scores = q @ k.swapaxes(-1, -2) / math.sqrt(width // HEADS) + future
        seen = (jax.nn.softmax(scores) @ v).swapaxes(1, 2).reshape(batch, length, width)
        x = x + linear(f"{name}.out", seen)
        hidden = jax.nn.gelu(linear(f"{name}.up", norm(f"{name}.norm2", x)), approximate=False)
        x = x + linear(f"{name}.down", hidden)
    return (norm("norm", x) @ p["head.weight"].T).reshape(-1, VOCABULARY)


def flops(settings: Settings) -> float:
    """Of a training step; attention's products are counted in full."""
    width, length, batch = _width(settings), settings["context"], settings["batch"]
    rows = batch * length
    layer = linear_flops(rows, width, 12 * width) + linear_flops(rows, width, 2 * length)
    return settings["layers"] * layer + linear_flops(rows, width, VOCABULARY)


def traffic(settings: Settings) -> float:
    """Bytes of a training step."""
    width, length, batch = _width(settings), settings["context"], settings["batch"]
    layer = 17 * width + 2 * HEADS * length  # two norms, qkv, mix, out, two sums, up, GELU, down
    each = length * (settings["layers"] * layer + 2 * width + VOCABULARY)
    return bytes_moved(shapes(settings), 7, batch * each)
