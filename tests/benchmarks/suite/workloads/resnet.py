"""Three stages of basic blocks with batch norm on 3 x 32 x 32, SGD with momentum.

Widths 16, 32, 64, two blocks each, as in He et al., "Deep residual learning for image recognition",
2015, section 4.2 (n = 2: 13 convolutions in the stages and before them).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.shared import Settings, Shapes, conv_flops, images, linear_flops
from suite.shared import traffic as bytes_moved

SETTINGS = {"batch": 32, "times": 1}
OPTIMIZER = ("SGD", {"lr": 0.05, "momentum": 0.9})
WIDTHS = (16, 32, 64)
SIDES = (32, 16, 8)


def _blocks(settings: Settings) -> list[tuple[str, int, int, int]]:
    """(name, channels in, channels out, stride) of each block."""
    made = []
    width = 16
    for stage, wide in enumerate(WIDTHS):
        for number in range(2):
            stride = 2 if stage and not number else 1
            made.append((f"blocks.{2 * stage + number}", width, wide, stride))
            width = wide
    return made


def shapes(settings: Settings) -> Shapes:
    """The parameters, by name."""
    made: Shapes = {"conv.weight": (16, 3, 3, 3), "norm.weight": (16,), "norm.bias": (16,)}
    for name, inputs, outputs, stride in _blocks(settings):
        for number, width in (("1", inputs), ("2", outputs)):
            made[f"{name}.conv{number}.weight"] = (outputs, width, 3, 3)
            made[f"{name}.norm{number}.weight"] = (outputs,)
            made[f"{name}.norm{number}.bias"] = (outputs,)
        if stride != 1:
            made[f"{name}.skip.weight"] = (outputs, inputs, 1, 1)
    return made | {"head.weight": (10, 64), "head.bias": (10,)}


def batches(settings: Settings) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of inputs and labels."""
    return images(settings["batch"], (3, 32, 32), 10)


def network(lib: Any, settings: Settings) -> Any:
    """For a library with torch's names."""
    nn = lib.nn

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.norm1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(outputs)
            self.skip = nn.Identity()
            if stride != 1:
                self.skip = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

        def forward(self, x: Any) -> Any:
            y = nn.functional.relu(self.norm1(self.conv1(x)))
            return nn.functional.relu(self.norm2(self.conv2(y)) + self.skip(x))

    class ResNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
            self.norm = nn.BatchNorm2d(16)
            self.blocks = nn.Sequential(*(Block(*sizes) for _, *sizes in _blocks(settings)))
            self.head = nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            x = nn.functional.relu(self.norm(self.conv(x)))
            return self.head(self.blocks(x).mean((2, 3)))

    return ResNet()


def jax_network(jax: Any, p: Any, x: Any, settings: Settings) -> Any:
    """The same for JAX. Running statistics are returned beside the logits, updated."""
    running = {}

    def convolve(name: str, x: Any, stride: int = 1) -> Any:
        pad = (p[f"{name}.weight"].shape[-1] - 1) // 2
        return jax.lax.conv_general_dilated(
            x, p[f"{name}.weight"], (stride, stride), ((pad, pad), (pad, pad))
        )

    def norm(name: str, x: Any) -> Any:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
        running[name] = jax.lax.stop_gradient((mean, var))
        scale = p[f"{name}.weight"] * jax.lax.rsqrt(var + 1e-5)
        return (x - mean[:, None, None]) * scale[:, None, None] + p[f"{name}.bias"][:, None, None]

    x = jax.nn.relu(norm("norm", convolve("conv", x)))
    for name, _, _, stride in _blocks(settings):
        y = jax.nn.relu(norm(f"{name}.norm1", convolve(f"{name}.conv1", x, stride)))
        y = norm(f"{name}.norm2", convolve(f"{name}.conv2", y))
        x = jax.nn.relu(y + (x if stride == 1 else convolve(f"{name}.skip", x, stride)))
    return x.mean((2, 3)) @ p["head.weight"].T + p["head.bias"], running


def flops(settings: Settings) -> float:
    """Of a training step."""
    batch = settings["batch"]
    total = conv_flops(batch, 3, 16, 32, first=True) + linear_flops(batch, 64, 10)
    for number, (_, inputs, outputs, stride) in enumerate(_blocks(settings)):
        side = SIDES[number // 2]
        total += conv_flops(batch, inputs, outputs, side) + conv_flops(
            batch, outputs, outputs, side
        )
        if stride != 1:
            total += conv_flops(batch, inputs, outputs, side, kernel=1)
    return total


def traffic(settings: Settings) -> float:
    """Bytes of a training step: convolution, norm, ReLU or sum each write one activation."""
    each = 3 * 1024 + 3 * 16 * 1024
    for number, (_, _, outputs, stride) in enumerate(_blocks(settings)):
        side = SIDES[number // 2]
        each += (7 + (stride != 1)) * outputs * side * side
    return bytes_moved(shapes(settings), 5, settings["batch"] * each)
