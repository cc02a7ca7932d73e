"""Convolution layers of small networks, forward and backward, beside torch eager.

    python tests/benchmarks/bench_conv.py [--quick] [--threads 1 2] [--only c2 R1]

For each layer: medians in ms of workbench and torch, interleaved in one process, the ratio (torch /
workbench, higher is better), the rate reached in GFLOP/s (of the definition's multiplications,
whatever the kernel saves of them) and the best rate of a matrix product in the same run. A first
layer's input needs no gradient. Times are of the calling thread's wall clock; with `--cpu`, of its
processor time, which is steadier on a busy machine (one thread only). Prints, and asserts nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

PINS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")

# name: (input, out channels, kernel, stride, padding, groups, whether the input wants a gradient)
LAYERS: dict[str, tuple[tuple[int, ...], int, int, int, int, int, bool]] = {
    "cnn 1→32": ((64, 1, 28, 28), 32, 3, 1, 0, 1, False),
    "cnn 1→32 same": ((64, 1, 28, 28), 32, 3, 1, 1, 1, False),
    "cnn 32→64": ((64, 32, 13, 13), 64, 3, 1, 0, 1, True),
    "cnn 32→64 same": ((64, 32, 14, 14), 64, 3, 1, 1, 1, True),
    "resnet 3→16": ((32, 3, 32, 32), 16, 3, 1, 1, 1, False),
    "resnet 16→16": ((32, 16, 32, 32), 16, 3, 1, 1, 1, True),
    "resnet 16→32 /2": ((32, 16, 32, 32), 32, 3, 2, 1, 1, True),
    "resnet 16→32 1x1 /2": ((32, 16, 32, 32), 32, 1, 2, 0, 1, True),
    "resnet 32→32": ((32, 32, 16, 16), 32, 3, 1, 1, 1, True),
    "resnet 32→64 /2": ((32, 32, 16, 16), 64, 3, 2, 1, 1, True),
    "resnet 64→64": ((32, 64, 8, 8), 64, 3, 1, 1, 1, True),
    "wide 3→32": ((32, 3, 32, 32), 32, 3, 1, 1, 1, False),
    "wide 32→32": ((32, 32, 32, 32), 32, 3, 1, 1, 1, True),
    "wide 32→64 /2": ((32, 32, 32, 32), 64, 3, 2, 1, 1, True),
    "wide 32→64 1x1 /2": ((32, 32, 32, 32), 64, 1, 2, 0, 1, True),
    "wide 64→64": ((32, 64, 16, 16), 64, 3, 1, 1, 1, True),
    "wide 64→128 /2": ((32, 64, 16, 16), 128, 3, 2, 1, 1, True),
    "wide 64→128 1x1 /2": ((32, 64, 16, 16), 128, 1, 2, 0, 1, True),
    "wide 128→128": ((32, 128, 8, 8), 128, 3, 1, 1, 1, True),
    "depthwise 64": ((32, 64, 16, 16), 64, 3, 1, 1, 64, True),
}


def interleaved(
    cases: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Median milliseconds of each case, run in turn."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for case in cases.values():
        case()
    for _ in range(rounds):
        for name, case in cases.items():
            start = clock()
            case()
            times[name].append((clock() - start) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def gemm_rate(clock: Callable[[], float], rounds: int) -> float:
    """GFLOP/s of a large product of float32 matrices, the best of some."""
    import numpy as np

    n = 1024
    a, out = np.ones((n, n), np.float32), np.empty((n, n), np.float32)
    best = min(_timed(lambda: np.matmul(a, a, out=out), clock) for _ in range(rounds))
    return 2 * n**3 / best / 1e9


def _timed(case: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    case()
    return clock() - start


def layer(name: str, threads: int, rounds: int, clock: Callable[[], float]) -> None:
    """One row of the table."""
    import numpy as np

    import workbench as wb

    shape, out, kernel, stride, padding, groups, wants = LAYERS[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    w = rng.standard_normal((out, shape[1] // groups, kernel, kernel)).astype(np.float32)
    b = rng.standard_normal(out).astype(np.float32)
    cases: dict[str, Callable[[], object]] = {}
    results: list[object] = []
    for side, library in (("workbench", wb), ("torch", _torch())):
        if library is None:
            continue
        values = (x, w, b) if name.startswith("cnn") else (x, w)  # batch norm follows elsewhere
        tensors = [library.tensor(v, requires_grad=True) for v in values]
        tensors[0].requires_grad_(wants)
        leaves = tensors[0 if wants else 1 :]
        tensors += [None] * (3 - len(tensors))
        settings = (stride, padding, 1, groups)
        result = library.conv2d(*tensors, *settings)
        seed = library.ones_like(result)
        results.append(result.detach().numpy())

        def step(
            library=library, tensors=tensors, settings=settings, leaves=leaves, seed=seed
        ) -> None:
            library.autograd.grad(library.conv2d(*tensors, *settings), leaves, seed)

        cases[side] = step
    work = 2 * np.prod(results[0].shape) * w[0].size * (3 if wants else 2)  # type: ignore[attr-defined]
    found = interleaved(cases, rounds, clock)
    mine, peer = found["workbench"], found.get("torch")
    line = f"{name:22s}{mine:10.2f}"
    if peer is not None:
        assert np.allclose(*results, rtol=1e-3, atol=1e-3)  # type: ignore[arg-type]
        line += f"{peer:9.2f}{peer / mine:8.2f}"
    print(f"{line}{work / mine / 1e6:12.0f}")


def _torch() -> object:
    try:
        import torch
    except ImportError:
        return None
    return torch


def measure(options: argparse.Namespace, threads: int) -> None:
    """The table with a number of threads, in this process."""
    import workbench as wb

    clock = time.thread_time if options.cpu and threads == 1 else time.perf_counter
    wb.set_num_threads(threads)
    torch = _torch()
    if torch is not None:
        torch.set_num_threads(threads)  # type: ignore[attr-defined]
    blas = wb.arrays.blas_info()
    rounds = 2 if options.quick else 31
    print(
        f"\n{threads} thread{'s' * (threads > 1)}; BLAS {blas['library']} {blas['version']}, core "
        f"{blas['core']}; a large matrix product: {gemm_rate(clock, rounds):.0f} GFLOP/s"
    )
    print(f"{'layer, fwd + bwd':22s}{'workbench':>10s}{'torch':>9s}{'ratio':>8s}{'GFLOP/s':>12s}")
    for name in LAYERS:
        if not options.only or any(part in name for part in options.only):
            layer(name, threads, rounds, clock)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only check that it works")
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--only", nargs="*", default=[], help="parts of layers' names")
    parser.add_argument("--cpu", action="store_true", help="processor time instead of wall time")
    options = parser.parse_args()
    if any(name in os.environ for name in PINS):  # measure as on a user's machine
        clean = {key: value for key, value in os.environ.items() if key not in PINS}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=clean, check=False).returncode)
    for threads in options.threads:
        measure(options, threads)


if __name__ == "__main__":
    main()
