"""What the machine can do at best: matrix products and copies, measured in the same run."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def _best(call: Callable[[], Any], seconds: float) -> float:
    """The fastest of the calls that fit in `seconds`."""
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return best


def rates(short: bool = False) -> dict[str, Any]:
    """GFLOP/s of float32 products (best of several sizes and BLAS), GB/s of a large copy.

    A copy counts what it reads and what it writes.
    """
    seconds = 0.02 if short else 0.4
    gemm = 0.0
    products: list[Callable[[Any, Any], Any]] = [np.matmul]
    try:
        import torch
    except ImportError:
        torch = None
    for side in (128,) if short else (512, 1024, 1536):
        a = np.random.default_rng(0).standard_normal((side, side)).astype(np.float32)
        out = np.empty_like(a)
        for product in products:
            took = _best(lambda: product(a, a, out=out), seconds)  # noqa: B023
            gemm = max(gemm, 2e-9 * side**3 / took)
        if torch is not None:
            t, to = torch.from_numpy(a), torch.from_numpy(out)
            took = _best(lambda: torch.mm(t, t, out=to), seconds)  # noqa: B023
            gemm = max(gemm, 2e-9 * side**3 / took)
    source = np.ones((1 if short else 64) << 18, np.float32)
    target = np.ones_like(source)
    took = _best(lambda: np.copyto(target, source), 2 * seconds)
    copy = 2e-9 * source.nbytes / took
    if torch is not None:  # its copy uses several threads
        a, b = torch.from_numpy(source), torch.from_numpy(target)
        copy = max(copy, 2e-9 * source.nbytes / _best(lambda: b.copy_(a), 2 * seconds))
    return {"gemm": gemm, "copy": copy}


def description(environment: dict[str, str], python: str) -> list[str]:
    """Lines about the machine and NumPy's BLAS as the children see them."""
    code = (
        "import numpy, workbench as wb, json;"
        "print(json.dumps([numpy.__version__, wb.arrays.blas_info()]))"
    )
    told = subprocess.run(
        [python, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    numpy, blas = json.loads(told.stdout)
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    library = f"{blas['library']} {blas['version']}, core {blas['core']}"
    return [
        f"{_processor()}, {system}",
        f"NumPy {numpy}, BLAS {library}, {blas['threads']} threads",
    ]


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as info:
            for line in info:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"
