"""Saving and loading (torch.serialization's names).

`wb.save` and `wb.load` live here too. Files are data: there are no safe or unsafe globals to list.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .nn.parameter import Buffer, Parameter
from .tensor.files import (
    FileError,
    UnsafeFileError,
    load,
    load_safetensors,
    register_kind,
    save,
    save_safetensors,
)

register_kind("parameter", Parameter, Parameter)
register_kind("buffer", Buffer, lambda data, requires_grad: Buffer(data))

__all__ = [
    "FileError",
    "UnsafeFileError",
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "load",
    "load_safetensors",
    "safe_globals",
    "save",
    "save_safetensors",
]


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Accepted and without effect: wb.load never imports what a file names."""


def get_safe_globals() -> list[Any]:
    """Always empty: wb.load never imports what a file names."""
    return []


def clear_safe_globals() -> None:
    """Nothing to clear: wb.load never imports what a file names."""


@contextmanager
def safe_globals(safe_globals: list[Any]) -> Iterator[None]:
    """Accepted and without effect: wb.load never imports what a file names."""
    yield
