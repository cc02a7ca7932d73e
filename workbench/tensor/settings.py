"""Switches that programs read and set: deterministic algorithms, precision, warnings, threads."""

from __future__ import annotations

from workbench.arrays import thread_count

from .functions import function


class _Settings:
    deterministic = False
    warn_only = False
    precision = "highest"
    warn_always = False
    interop = 1


settings = _Settings()


@function(method=False)
def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Remember the wish. On the CPU every op is deterministic whatever it says."""
    settings.deterministic, settings.warn_only = bool(mode), bool(warn_only)


@function(method=False)
def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms was told."""
    return settings.deterministic


@function(method=False)
def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether use_deterministic_algorithms was told to warn only."""
    return settings.deterministic and settings.warn_only


@function(method=False)
def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """0 or "default", 1 or "warn", 2 or "error": as use_deterministic_algorithms."""
    levels = {"default": 0, "warn": 1, "error": 2}
    if isinstance(debug_mode, str) and debug_mode not in levels:
        raise RuntimeError(
            "invalid value of debug_mode, expected one of `default`, `warn`, `error`, got "
            f"{debug_mode}"
        )
    level = levels[debug_mode] if isinstance(debug_mode, str) else debug_mode
    if level not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, got {level}")
    settings.deterministic, settings.warn_only = level > 0, level == 1


@function(method=False)
def get_deterministic_debug_mode() -> int:
    """0, 1 (warn) or 2 (error)."""
    return (1 if settings.warn_only else 2) if settings.deterministic else 0


@function(method=False)
def set_float32_matmul_precision(precision: str) -> None:
    """Remember "highest", "high" or "medium". On the CPU float32 products are always exact float32.

    Raises ValueError for other words.
    """
    if precision not in ("highest", "high", "medium"):
        raise ValueError(
            f"precision must be one of 'highest', 'high' or 'medium', got {precision!r}"
        )
    settings.precision = precision


@function(method=False)
def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision was told ("highest")."""
    return settings.precision


@function(method=False)
def set_flush_denormal(mode: bool) -> bool:
    """False: NumPy has no switch for denormal numbers, they are kept."""
    return False


@function(method=False)
def set_warn_always(b: bool) -> None:
    """Remember the wish; Python's warnings module decides."""
    settings.warn_always = bool(b)


@function(method=False)
def is_warn_always_enabled() -> bool:
    """What set_warn_always was told."""
    return settings.warn_always


@function(method=False)
def get_num_interop_threads() -> int:
    """1: ops run one after another."""
    return settings.interop


@function(method=False)
def set_num_interop_threads(n: int) -> None:
    """Remember a number of threads between ops, which there are none of."""
    if not isinstance(n, int) or n < 1:
        raise RuntimeError(f"Expected positive number of threads, got {n}")
    settings.interop = n


def parallel_info() -> str:
    """One line on threads."""
    return f"BLAS threads: {thread_count()}"
