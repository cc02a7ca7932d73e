"""Linear algebra (torch.linalg's names), straight from the op table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .ops.matrices import LinAlgError
from .tensor import FUNCTIONS

__all__ = ["LinAlgError"]


def __getattr__(name: str) -> Callable[..., Any]:
    try:
        return FUNCTIONS["linalg"][name]
    except KeyError:
        raise AttributeError(f"module 'workbench.linalg' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted([*FUNCTIONS["linalg"], "LinAlgError"])
