"""What the numbers run on: BLAS library, its core, threads."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np

from . import parallel


def _pools() -> list[dict[str, Any]]:
    from threadpoolctl import threadpool_info

    return [pool for pool in threadpool_info() if pool.get("user_api") == "blas"]


def blas_info() -> dict[str, Any]:
    """The BLAS that NumPy uses: `library`, `version`, `core` (kernel set) and `threads`.

    For a BLAS that cannot be asked (Accelerate), the library NumPy was built with.
    """
    for pool in _pools():
        return {
            "library": pool.get("internal_api", "unknown"),
            "version": pool.get("version") or "unknown",
            "core": pool.get("architecture") or "unknown",
            "threads": int(pool.get("num_threads") or 1),
        }
    built = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return {
        "library": built.get("name", "unknown"),
        "version": built.get("version", "unknown"),
        "core": "unknown",
        "threads": os.cpu_count() or 1,
    }


def openblas_paths() -> list[str]:
    """The files of the OpenBLAS libraries that are loaded, NumPy's own first."""
    found = [str(pool["filepath"]) for pool in _pools() if pool["internal_api"] == "openblas"]
    return sorted(found, key=lambda path: "numpy" not in path)


def thread_count() -> int:
    """How many threads BLAS uses (`torch.get_num_threads`)."""
    return int(blas_info()["threads"])


def set_num_threads(n: int) -> None:
    """Let BLAS, and elementwise work on large arrays, use `n` threads in this process.

    Raises ValueError when n < 1.
    """
    if n < 1:
        raise ValueError(f"set_num_threads expects a positive integer, got {n}")
    blas_threads(n)


@cache
def _libraries() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


def blas_threads(n: int) -> int:
    """Give BLAS `n` threads; returns how many it had. A few microseconds, for this process.

    Elementwise work (`parallel`) gets as many.
    """
    parallel.set_threads(n)
    before = 1
    for library in _libraries():
        before = max(before, int(library.get_num_threads() or 1))
        library.set_num_threads(n)
    return before


def blas_threads_now() -> int:
    """How many threads BLAS uses, as `thread_count` says, in a few microseconds."""
    return max((int(library.get_num_threads() or 1) for library in _libraries()), default=1)
