"""The palette: every layer one can insert by a form, by family.

A new layer is one `Entry` in its family's file: what its constructor's signature does not tell
(ranges, what follows from the incoming shape, what it costs). The form, the checks of its
arguments, the messages and the FLOP counts all come from that one entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import (
    activation,
    convolution,
    embedding,
    join,
    linear,
    normalization,
    pooling,
    regularization,
    resizing,
    shape,
)
from .entry import Entry, Param, Problem, Shape, batched

_ROOMS = (
    linear,
    convolution,
    pooling,
    activation,
    normalization,
    regularization,
    embedding,
    shape,
    resizing,
    join,
)
_BY_TYPE: dict[str, Entry] = {e.type: e for room in _ROOMS for e in room.ENTRIES}
_BY_CLASS: dict[type, Entry] = {e.cls: e for e in _BY_TYPE.values()}


def entries() -> Iterator[Entry]:
    """All palette layers, family by family."""
    return iter(_BY_TYPE.values())


def types() -> list[str]:
    """The names that `LayerSpec.type` may have."""
    return list(_BY_TYPE)


def find(type_name: str) -> Entry | None:
    """The entry called `type_name`, or None."""
    return _BY_TYPE.get(type_name)


def of(module: Any) -> Entry | None:
    """The entry of a module's exact class (a subclass may do anything), or None."""
    return _BY_CLASS.get(type(module))


def to_dict() -> dict[str, Any]:
    """The palette as JSON values: {"families": [{"name", "layers": [{"type", "params", …}]}]}."""
    families: dict[str, list[dict[str, Any]]] = {}
    for entry in entries():
        families.setdefault(entry.family, []).append(entry.to_dict())
    return {"families": [{"name": name, "layers": layers} for name, layers in families.items()]}


__all__ = [
    "Entry",
    "Param",
    "Problem",
    "Shape",
    "batched",
    "entries",
    "find",
    "of",
    "to_dict",
    "types",
]
