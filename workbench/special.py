"""Special functions (torch.special's names)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .tensor import FUNCTIONS


def __getattr__(name: str) -> Callable[..., Any]:
    try:
        return FUNCTIONS["special"][name]
    except KeyError:
        raise AttributeError(f"module 'workbench.special' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted(FUNCTIONS["special"])
