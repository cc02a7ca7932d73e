"""Captured steps: record a function's kernels once, replay them without tape or Tensors.

`compiled.py` is what users call, `recorder.py` writes a call down, `storage.py` and `fuse.py` plan
it, `emit.py` writes the function that replays it and `enter.py` the one that calls it where a call
is the plan's, `later.py` sees to backward passes outside the call. `active.py` is all that the
engine's other parts need to know.
"""

from __future__ import annotations

from typing import Any


def compile(function: Any, **options: Any) -> Any:
    """`workbench.compile`, loaded when first used."""
    from .compiled import compile

    return compile(function, **options)


__all__ = ["compile"]
