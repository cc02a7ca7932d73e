"""Products of matrices: our kernels against NumPy's BLAS and PyTorch, all threads, interleaved.

    python tests/benchmarks/bench_gemm.py [--rounds 30] [--only NT]

Prints the shortest times in microseconds and the others' times over ours (above 1: ours is faster).
A library's threads look for work for a while after each call, so they rest before another's turn.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import torch

from workbench.ops.compiled import gemm

# (m, k, n): x Wᵀ, g W and gᵀ x of an MLP's and a transformer's layers, and four times as wide
SHAPES = {
    "NT": [(32, 784, 256), (128, 784, 256), (1024, 784, 256), (128, 256, 128), (64, 128, 384),
           (64, 512, 128), (1024, 128, 384), (1024, 128, 512), (1024, 512, 128), (1024, 512, 2048)],
    "NN": [(32, 256, 784), (128, 256, 784), (1024, 384, 128), (1024, 512, 128), (1024, 128, 512),
           (1024, 2048, 512)],
    "TN": [(256, 32, 784), (256, 128, 784), (256, 1024, 784), (384, 1024, 128), (128, 1024, 512),
           (512, 1024, 128), (10, 1024, 128), (2048, 1024, 512)],
}  # fmt: skip


def shortest(calls, rounds):
    """Seconds of the fastest call of each, `rounds` times four of each in turn."""
    found = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(0.03)
            call()
            for _ in range(4):
                start = time.perf_counter()
                call()
                found[name] = min(found[name], time.perf_counter() - start)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    rng = np.random.default_rng(0)
    print(f"{'':3}{'m':>6}{'k':>6}{'n':>6}{'ours us':>10}{'GFLOP/s':>9}{'NumPy':>7}{'torch':>7}")
    for order, shapes in SHAPES.items():
        if args.only not in order:
            continue
        for m, k, n in shapes:
            a = rng.standard_normal((m, k) if order[0] == "N" else (k, m), dtype=np.float32)
            b = rng.standard_normal((k, n) if order[1] == "N" else (n, k), dtype=np.float32)
            a = a if order[0] == "N" else a.T
            b = b if order[1] == "N" else b.T
            out = np.empty((m, n), np.float32)
            ta, tb, to = (torch.from_numpy(x) for x in (a, b, out))
            times = shortest(
                {
                    "ours": lambda a=a, b=b, out=out: gemm.product(a, b, out),
                    "NumPy": lambda a=a, b=b, out=out: np.matmul(a, b, out=out),
                    "torch": lambda ta=ta, tb=tb, to=to: torch.matmul(ta, tb, out=to),
                },
                args.rounds,
            )
            ours = times["ours"]
            print(
                f"{order:3}{m:6}{k:6}{n:6}{ours * 1e6:10.1f}{2e-9 * m * n * k / ours:9.0f}"
                f"{times['NumPy'] / ours:7.2f}{times['torch'] / ours:7.2f}"
            )


if __name__ == "__main__":
    main()
