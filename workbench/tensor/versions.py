"""Which memory was written in place, and when.

Every tape node carries the tick of its creation, every in-place write the tick of its own. A node
whose saved array was written later is stale, and `backward` says so instead of computing a wrong
gradient. The ledger is keyed by the owner of the memory, so that all views of it share one
version; an eager op that writes nothing pays only for its tick.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from typing import Any

tick = itertools.count(1).__next__

_writes: dict[int, list[Any]] = {}  # id(owner) -> [weakref to owner, last tick, count]
last_write = 0


def owner(array: Any) -> Any:
    """The array that owns the memory `array` looks into."""
    base = getattr(array, "base", None)
    while base is not None:
        if type(base) is type(array):
            array = base
        elif not hasattr(base, "base"):  # a foreign owner; NumPy's as_strided puts a go-between
            break
        base = getattr(base, "base", None)
    return array


def mark_array(array: Any) -> None:
    """Note that the memory of `array` was just written."""
    global last_write
    held = owner(array)
    key = id(held)
    entry = _writes.get(key)
    last_write = tick()
    if entry is None:
        ref = weakref.ref(held, lambda _, key=key: _writes.pop(key, None))
        _writes[key] = [ref, last_write, 1]
    else:
        entry[1] = last_write
        entry[2] += 1


def mark_owners(owners: Sequence[Any]) -> None:
    """Note that the memory of many arrays, each its own `owner`, was just written."""
    global last_write
    when = last_write = tick()
    for held in owners:
        entry = _writes.get(id(held))
        if entry is None:
            key = id(held)
            ref = weakref.ref(held, lambda _, key=key: _writes.pop(key, None))
            _writes[key] = [ref, when, 1]
        else:
            entry[1] = when
            entry[2] += 1


def version(array: Any) -> int:
    """How many in-place writes the memory of `array` has seen."""
    entry = _writes.get(id(owner(array)))
    return 0 if entry is None else entry[2]


def written_since(array: Any, when: int) -> bool:
    """Whether the memory of `array` was written after tick `when`."""
    entry = _writes.get(id(owner(array)))
    return entry is not None and entry[1] > when
