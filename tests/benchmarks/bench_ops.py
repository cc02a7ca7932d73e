"""What an eager op costs: overhead over the raw NumPy call, and the ratio to torch eager.

    python tests/benchmarks/bench_ops.py [--quick]

Prints medians of interleaved repetitions; asserts nothing. The tape is on: the operands require
gradients, so every op records a node. The budget for a binary op on 8 x 8 float32 is 1.0 µs over
NumPy. torch is measured in the same process where it is installed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import timeit
from collections.abc import Callable

PINS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def interleaved(
    cases: dict[str, Callable[[], object]], number: int, rounds: int
) -> dict[str, float]:
    """Median microseconds per call of each case, measured in turn."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            times[name].append(timeit.timeit(case, number=number) / number * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only check that it works")
    options = parser.parse_args()
    if any(name in os.environ for name in PINS):  # measure as on a user's machine
        clean = {key: value for key, value in os.environ.items() if key not in PINS}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=clean, check=False).returncode)

    import numpy as np

    import workbench as wb

    number, rounds = (20, 3) if options.quick else (2000, 41)
    blas = wb.arrays.blas_info()
    print(f"NumPy {np.__version__}, BLAS {blas['library']} {blas['version']}, core {blas['core']}, "
          f"{blas['threads']} threads\n")  # fmt: skip

    a = np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)
    b = a.copy()
    x, y = wb.tensor(a, requires_grad=True), wb.tensor(b, requires_grad=True)
    rows: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        ("x * y", lambda: np.multiply(a, b), lambda: x * y),
        ("x + y", lambda: np.add(a, b), lambda: x + y),
        ("x * 2.0", lambda: np.multiply(a, 2.0), lambda: x * 2.0),
        ("tanh(x)", lambda: np.tanh(a), lambda: wb.tanh(x)),
        ("x @ y", lambda: np.matmul(a, b), lambda: x @ y),
        ("x.sum()", lambda: a.sum(), lambda: x.sum()),
    ]
    try:
        import torch
    except ImportError:
        torch = None
        print("torch is not installed: its column is left out\n")
    peers: dict[str, Callable[[], object]] = {}
    if torch is not None:
        tx, ty = (torch.tensor(v, requires_grad=True) for v in (a, b))
        peers = {
            "x * y": lambda: tx * ty,
            "x + y": lambda: tx + ty,
            "x * 2.0": lambda: tx * 2.0,
            "tanh(x)": lambda: torch.tanh(tx),
            "x @ y": lambda: tx @ ty,
            "x.sum()": lambda: tx.sum(),
        }

    print("8 x 8 float32, gradients recorded (µs; ratio: torch / workbench, higher is better)")
    print(f"{'op':10s}{'numpy':>9s}{'workbench':>11s}{'overhead':>10s}{'torch':>9s}{'ratio':>8s}")
    for name, raw, ours in rows:
        cases = {"numpy": raw, "ours": ours}
        if name in peers:
            cases["torch"] = peers[name]
        found = interleaved(cases, number, rounds)
        peer = found.get("torch")
        numpy, mine = found["numpy"], found["ours"]
        line = f"{name:10s}{numpy:9.2f}{mine:11.2f}{mine - numpy:10.2f}"
        print(line + (f"{peer:9.2f}{peer / mine:8.2f}" if peer else ""))

    print("\n100 chained ops, forward and backward (ms)")
    print(f"{'chain':22s}{'workbench':>11s}{'torch':>9s}{'ratio':>8s}")
    for name, op in (("mul", lambda z, w: z * w), ("tanh", lambda z, w: z.tanh())):
        for side in (8, 256):
            start = np.random.default_rng(1).uniform(-1, 1, (side, side)).astype(np.float32)
            ones = np.ones_like(start)

            def chain(leaf, other, op=op):
                leaf.grad = None
                z = leaf
                for _ in range(100):
                    z = op(z, other)
                z.sum().backward()

            leaf, other = wb.tensor(start, requires_grad=True), wb.tensor(ones)
            cases = {"ours": lambda leaf=leaf, other=other, chain=chain: chain(leaf, other)}
            if torch is not None:
                tleaf, tother = torch.tensor(start, requires_grad=True), torch.tensor(ones)
                cases["torch"] = lambda leaf=tleaf, other=tother, chain=chain: chain(leaf, other)
            found = interleaved(cases, max(1, number // (100 if side == 8 else 1000)), rounds)
            peer = found.get("torch")
            print(f"{name} {side} x {side:<12d}{found['ours'] / 1e3:13.3f}"
                  + (f"{peer / 1e3:9.3f}{peer / found['ours']:8.2f}" if peer else ""))  # fmt: skip


if __name__ == "__main__":
    main()
