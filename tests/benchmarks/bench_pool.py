"""Pooling against PyTorch: forward and backward together, one thread each, interleaved.

    python tests/benchmarks/bench_pool.py [--rounds 40]

Prints median times and torch's time over ours (above 1: ours is faster).
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

import workbench as wb

SHAPES = [(64, 32, 26, 26), (64, 64, 12, 12)]
POOLS = {
    "max_pool2d(2)": lambda F, x: F.max_pool2d(x, 2),
    "max_pool2d(3, 2, 1)": lambda F, x: F.max_pool2d(x, 3, 2, 1),
    "max_pool2d(3, 1, 1)": lambda F, x: F.max_pool2d(x, 3, 1, 1),
    "avg_pool2d(2)": lambda F, x: F.avg_pool2d(x, 2),
    "avg_pool2d(3, 2, 1)": lambda F, x: F.avg_pool2d(x, 3, 2, 1),
    "adaptive_avg_pool2d(1)": lambda F, x: F.adaptive_avg_pool2d(x, 1),
    "adaptive_avg_pool2d(5)": lambda F, x: F.adaptive_avg_pool2d(x, 5),
    "adaptive_max_pool2d(1)": lambda F, x: F.adaptive_max_pool2d(x, 1),
    "pad reflect": lambda F, x: F.pad(x, (1, 1, 1, 1), mode="reflect"),
    "upsample nearest": lambda F, x: F.interpolate(x, scale_factor=2),
    "upsample bilinear": lambda F, x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "max_pool1d(2)": lambda F, x: F.max_pool1d(x.flatten(2), 2),
}


def step(call, F, x, grad):
    """Milliseconds of one forward and backward."""
    x.grad = None
    start = time.perf_counter()
    call(F, x).backward(grad)
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    print(f"{'':26}{'shape':>18}{'torch ms':>10}{'ours ms':>10}{'ratio':>8}")
    for name, call in POOLS.items():
        if args.only not in name:
            continue
        for shape in SHAPES:
            values = rng.standard_normal(shape, dtype=np.float32)
            x, y = wb.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
            out, want = call(wb.nn.functional, x), call(torch.nn.functional, y)
            np.testing.assert_allclose(
                out.detach().numpy(), want.detach().numpy(), rtol=1e-5, atol=1e-5
            )
            g = rng.standard_normal(want.shape, dtype=np.float32)
            ours, theirs = wb.tensor(g), torch.tensor(g)
            times: list[list[float]] = [[], []]
            for _ in range(args.rounds):
                times[0].append(step(call, torch.nn.functional, y, theirs))
                times[1].append(step(call, wb.nn.functional, x, ours))
            np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-4, atol=1e-5)
            a, b = (statistics.median(t) for t in times)
            print(f"{name:26}{'x'.join(map(str, shape)):>18}{a:10.3f}{b:10.3f}{a / b:8.2f}")


if __name__ == "__main__":
    main()
