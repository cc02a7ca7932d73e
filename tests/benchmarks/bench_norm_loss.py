"""Losses, norms, activations and dropout, forward and backward, beside torch eager.

    python tests/benchmarks/bench_norm_loss.py [--quick] [--only NAME ...]

One thread each, float32, interleaved; prints medians in microseconds and the ratio torch /
workbench (higher is better for workbench). Shapes are those of a GPT block, a small ResNet and an
MLP. Asserts nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

PINS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
GPT = ((16, 64, 128), (1024, 512))
RESNET = ((32, 32, 32, 32), (32, 64, 16, 16))
MLP = ((32, 10), (128, 10), (1024, 10))

Case = tuple[str, tuple[int, ...], Callable[[Any, Any], Any], dict[str, tuple[int, ...]]]


def cases() -> Iterator[Case]:
    """Name, input's shape, the function of a library and its tensors, further parameters."""
    for shape in GPT:
        last = {"weight": shape[-1:], "bias": shape[-1:]}
        yield (
            "layer_norm",
            shape,
            lambda nn, t: nn.layer_norm(t["x"], t["x"].shape[-1:], t["weight"], t["bias"]),
            last,
        )
        yield (
            "rms_norm",
            shape,
            lambda nn, t: nn.rms_norm(t["x"], t["x"].shape[-1:], t["weight"]),
            {"weight": shape[-1:]},
        )
        yield "softmax", shape, lambda nn, t: nn.softmax(t["x"], -1), {}
        yield "log_softmax", shape, lambda nn, t: nn.log_softmax(t["x"], -1), {}
        yield "gelu", shape, lambda nn, t: nn.gelu(t["x"]), {}
        yield "gelu tanh", shape, lambda nn, t: nn.gelu(t["x"], approximate="tanh"), {}
        yield "silu", shape, lambda nn, t: nn.silu(t["x"]), {}
        yield "sigmoid", shape, lambda nn, t: nn.sigmoid(t["x"]), {}
        yield "tanh", shape, lambda nn, t: nn.tanh(t["x"]), {}
        yield "dropout", shape, lambda nn, t: nn.dropout(t["x"], 0.1), {}
        yield "relu", shape, lambda nn, t: nn.relu(t["x"]), {}
    for shape in RESNET:
        c = shape[1:2]
        yield (
            "batch_norm",
            shape,
            lambda nn, t: nn.batch_norm(t["x"], t["mean"], t["var"], t["weight"], t["bias"], True),
            {"weight": c, "bias": c, "mean": c, "var": c},
        )
        yield (
            "batch_norm eval",
            shape,
            lambda nn, t: nn.batch_norm(t["x"], t["mean"], t["var"], t["weight"], t["bias"], False),
            {"weight": c, "bias": c, "mean": c, "var": c},
        )
        yield (
            "group_norm",
            shape,
            lambda nn, t: nn.group_norm(t["x"], 8, t["weight"], t["bias"]),
            {"weight": c, "bias": c},
        )
        yield "relu", shape, lambda nn, t: nn.relu(t["x"]), {}
    for shape in MLP:
        yield "cross_entropy", shape, lambda nn, t: nn.cross_entropy(t["x"], t["labels"]), {}
        yield "mse_loss", shape, lambda nn, t: nn.mse_loss(t["x"], t["target"]), {}
        yield (
            "bce_with_logits",
            shape,
            lambda nn, t: nn.binary_cross_entropy_with_logits(t["x"], t["target"]),
            {},
        )
    shape = (1024, 512)
    yield "cross_entropy", shape, lambda nn, t: nn.cross_entropy(t["x"], t["labels"]), {}
    for shape in ((32, 256), (128, 256)):
        yield "relu", shape, lambda nn, t: nn.relu(t["x"]), {}
        yield "gelu", shape, lambda nn, t: nn.gelu(t["x"]), {}
        yield (
            "layer_norm",
            shape,
            lambda nn, t: nn.layer_norm(t["x"], t["x"].shape[-1:], t["weight"], t["bias"]),
            {"weight": shape[-1:], "bias": shape[-1:]},
        )
        yield "softmax", shape, lambda nn, t: nn.softmax(t["x"], -1), {}
        yield "dropout", shape, lambda nn, t: nn.dropout(t["x"], 0.1), {}


def tensors(lib: Any, np: Any, shape: tuple[int, ...], more: dict[str, Any]) -> dict[str, Any]:
    """The case's tensors in one library; the input and the parameters want gradients."""
    rng = np.random.default_rng(0)
    draw = rng.standard_normal(shape).astype(np.float32)
    made = {
        "x": lib.tensor(draw, requires_grad=True),
        "target": lib.tensor((rng.random(shape) < 0.5).astype(np.float32)),
        "labels": lib.tensor(rng.integers(0, shape[1], shape[:1])),
        "seed": lib.tensor(rng.standard_normal(shape).astype(np.float32)),
    }
    for name, sides in more.items():
        values = rng.uniform(0.5, 1.5, sides).astype(np.float32)
        made[name] = lib.tensor(values, requires_grad=name in ("weight", "bias"))
    return made


def step(nn: Any, call: Callable[[Any, Any], Any], held: dict[str, Any]) -> Callable[[], None]:
    """One forward and backward pass."""
    x, seed = held["x"], held["seed"]
    leaves = [t for t in held.values() if t.requires_grad]

    def run() -> None:
        out = call(nn, held)
        if out.ndim:
            out.backward(seed)
        else:
            out.backward()
        for leaf in leaves:
            leaf.grad = None

    run()
    assert x.grad is None
    return run


def timed(run: Callable[[], None], number: int) -> float:
    start = time.perf_counter()
    for _ in range(number):
        run()
    return (time.perf_counter() - start) / number * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only check that it works")
    parser.add_argument("--only", nargs="*", default=None, help="names of functions")
    parser.add_argument("--best", action="store_true", help="fastest rounds instead of medians")
    options = parser.parse_args()
    if any(name in os.environ for name in PINS):  # measure as on a user's machine
        clean = {key: value for key, value in os.environ.items() if key not in PINS}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=clean, check=False).returncode)

    import numpy as np

    import workbench as wb

    wb.set_num_threads(1)
    try:
        import torch

        torch.set_num_threads(1)
    except ImportError:
        torch = None
        print("torch is not installed: its column is left out\n")
    print(f"{'function':18s}{'shape':>18s}{'workbench':>12s}{'torch':>10s}{'ratio':>8s}")
    for name, shape, call, more in cases():
        if options.only and name not in options.only:
            continue
        runs = {"ours": step(wb.nn.functional, call, tensors(wb, np, shape, more))}
        if torch is not None:
            runs["torch"] = step(torch.nn.functional, call, tensors(torch, np, shape, more))
        once = timed(runs["ours"], 1)
        number = 1 if options.quick else max(1, min(300, int(8000 / max(once, 1))))
        times: dict[str, list[float]] = {side: [] for side in runs}
        for _ in range(2 if options.quick else 25):
            for side, run in runs.items():
                times[side].append(timed(run, number))
        middle = min if options.best else median
        found = {side: middle(values) for side, values in times.items()}
        line = f"{name:18s}{'x'.join(map(str, shape)):>18s}{found['ours']:12.1f}"
        if "torch" in found:
            line += f"{found['torch']:10.1f}{found['torch'] / found['ours']:8.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
