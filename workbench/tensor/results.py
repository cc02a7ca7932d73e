"""Named results of ops with several, as torch has them: `x.max(dim=0).indices`."""

from __future__ import annotations

from collections import namedtuple
from functools import cache
from typing import Any


@cache
def result_type(name: str, fields: tuple[str, ...]) -> Any:
    """The named tuple of an op with the result names `fields`."""
    made = namedtuple(name, fields)  # type: ignore[misc]
    made.__module__ = "workbench.return_types"
    return made
