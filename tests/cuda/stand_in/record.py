"""The recorded public API of CuPy: what exists, with which parameters and type loops."""

from __future__ import annotations

import inspect
import json
from functools import cache
from pathlib import Path
from typing import Any

API: dict[str, Any] = json.loads(
    Path(__file__).parents[1].joinpath("cupy_api.json").read_text(encoding="utf-8")
)
VERSION: str = API["version"]
MODULES: dict[str, dict[str, list[Any]]] = API["modules"]
ARRAY: dict[str, list[Any]] = API["classes"]["cupy.ndarray"]


@cache
def _signature(text: str) -> inspect.Signature:
    space: dict[str, Any] = {}
    exec(f"def f({text}): pass", space)  # our own record
    return inspect.signature(space["f"])


def bind(name: str, text: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raises TypeError, as CuPy would, for arguments that the recorded parameters do not have."""
    if text is None:
        return
    try:
        _signature(text).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name}(): {error}") from None


def entry(module: str, name: str) -> list[Any]:
    """The record of a name.

    Raises AttributeError when this CuPy has no such name.
    """
    try:
        return MODULES[module][name]
    except KeyError:
        raise AttributeError(f"module {module!r} has no attribute {name!r}") from None
