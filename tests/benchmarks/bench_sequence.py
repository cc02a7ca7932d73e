"""Sequences: attention, an LSTM's and a GPT's training step, side by side with torch eager.

The same data, initial values and threads on both sides, in turns, so that what else runs on the
machine slows both; medians and the ratio of medians (above 1: workbench is faster). Losses are
compared, so that both sides are known to do the same work.

    python tests/benchmarks/bench_sequence.py [--threads 1] [--rounds 15] [--only lstm]

Prints numbers and asserts nothing about time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def started(threads: int) -> None:
    """Begin again in a process whose BLAS chooses its kernels by itself, with so many threads."""
    wanted = {"OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    tuned = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    if any(os.environ.get(k) != v for k, v in wanted.items()) or any(
        k in os.environ for k in tuned
    ):
        clean = {k: v for k, v in os.environ.items() if k not in tuned} | wanted
        os.execve(sys.executable, [sys.executable, *sys.argv], clean)


def data(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal numbers, the same for both sides."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def attention(lib: Any, give: Callable[..., Any], **options: Any) -> Callable[[], float]:
    """Forward and backward of attention over (16, 4, 64, 32)."""
    q, k, v = (give(data(16, 4, 64, 32, seed=i)).requires_grad_() for i in range(3))
    g = give(data(16, 4, 64, 32, seed=3))

    def step() -> float:
        q.grad = k.grad = v.grad = None
        out = lib.nn.functional.scaled_dot_product_attention(q, k, v, **options)
        out.backward(g)
        return float(q.grad.abs().sum())

    return step


def causal(lib: Any, give: Callable[..., Any]) -> Callable[[], float]:
    """The same with a causal mask."""
    return attention(lib, give, is_causal=True)


def long(lib: Any, give: Callable[..., Any]) -> Callable[[], float]:
    """Causal attention over (1, 4, 1024, 64): more scores than are kept."""
    q, k, v = (give(data(1, 4, 1024, 64, seed=i)).requires_grad_() for i in range(3))

    def step() -> float:
        q.grad = k.grad = v.grad = None
        out = lib.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out.sum().backward()
        return float(q.grad.abs().sum())

    return step


def same_values(model: Any, lib: Any) -> None:
    """Set all parameters to numbers that both sides share."""
    for i, p in enumerate(model.parameters()):
        spread = 1 / np.sqrt(p.shape[-1])
        values = data(*p.shape, seed=i) * spread if p.ndim > 1 else np.ones(p.shape, np.float32)
        with lib.no_grad():
            p.copy_(lib.from_numpy(values.astype(np.float32)))


def recurrent(kind: str) -> Callable[..., Any]:
    """A training step of a layer 128 → 256 over 64 steps, batch 32, Adam."""

    def make(lib: Any, give: Callable[..., Any]) -> Callable[[], float]:
        layer = getattr(lib.nn, kind)(128, 256)
        same_values(layer, lib)
        x, target = give(data(64, 32, 128)), give(data(64, 32, 256, seed=1))
        optimizer = lib.optim.Adam(layer.parameters())

        def step() -> float:
            optimizer.zero_grad()
            loss = lib.nn.functional.mse_loss(layer(x)[0], target)
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    return make


def gpt(lib: Any, give: Callable[..., Any]) -> Callable[[], float]:
    """4 layers, 4 heads, width 128, context 64, batch 16, GELU, layer norm, AdamW, 65 letters."""
    nn, functional, width, heads, context = lib.nn, lib.nn.functional, 128, 4, 64

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any) -> Any:
            b, t, _ = x.shape
            q, k, v = (
                part.view(b, t, heads, width // heads).transpose(1, 2)
                for part in self.qkv(self.norm1(x)).split(width, dim=2)
            )
            seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(seen.transpose(1, 2).contiguous().view(b, t, width))
            return x + self.down(functional.gelu(self.up(self.norm2(x))))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.place = nn.Embedding(65, width), nn.Embedding(context, width)
            self.blocks = nn.Sequential(*(Block() for _ in range(4)))
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 65, bias=False)

        def forward(self, x: Any) -> Any:
            x = self.token(x) + self.place(lib.arange(x.shape[1]))
            return self.head(self.norm(self.blocks(x)))

    model = GPT()
    same_values(model, lib)
    rng = np.random.default_rng(0)
    x, y = (give(rng.integers(0, 65, (16, context))) for _ in range(2))
    optimizer = lib.optim.AdamW(model.parameters(), lr=1e-3)

    def step() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x).view(-1, 65), y.view(-1))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


ROWS = {
    "attention": attention,
    "attention causal": causal,
    "attention long": long,
    "lstm": recurrent("LSTM"),
    "gru": recurrent("GRU"),
    "gpt": gpt,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    started(options.threads)

    import torch

    import workbench as wb

    torch.set_num_threads(options.threads)
    wb.set_num_threads(options.threads)
    print(f"{options.threads} thread(s), NumPy {np.__version__}, torch {torch.__version__}")
    for name, make in ROWS.items():
        if not name.startswith(options.only):
            continue
        steps = make(wb, wb.from_numpy), make(torch, torch.from_numpy)
        took: tuple[list[float], list[float]] = ([], [])
        for _ in range(options.rounds + 2):
            results = []
            for step, times in zip(steps, took, strict=True):
                began = time.perf_counter()
                results.append(step())
                times.append(time.perf_counter() - began)
            if not np.isclose(*results, rtol=1e-2):
                print(f"{name}: the two sides differ: {results}")
        ours, theirs = (sorted(times[2:]) for times in took)
        middle = len(ours) // 2
        print(
            f"{name:18}{ours[middle] * 1e3:9.2f} ms, torch {theirs[middle] * 1e3:9.2f} ms: "
            f"{theirs[middle] / ours[middle]:.2f} x (fastest {theirs[0] / ours[0]:.2f} x)"
        )


if __name__ == "__main__":
    main()
