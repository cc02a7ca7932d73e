"""Discrete Fourier transforms (torch.fft's names)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .tensor import FUNCTIONS


def __getattr__(name: str) -> Callable[..., Any]:
    try:
        return FUNCTIONS["fft"][name]
    except KeyError:
        raise AttributeError(f"module 'workbench.fft' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted(FUNCTIONS["fft"])
