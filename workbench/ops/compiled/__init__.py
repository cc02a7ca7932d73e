"""Ops' kernels for the compiler: one file per family, used where `compiler.available()`.

Each file has a NumPy way beside it (the op's own) that computes the same up to rounding, for other
dtypes, small arrays, CuPy and where there is no compiler.

An op's file imports its kernels as a module, `from .compiled import pool`, which runs when it is
first used: an import of the package loads none of them, nor the compiler.
"""

from __future__ import annotations

import os
import sys
import threading
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

_running = threading.RLock()  # nobody sees a module that another thread is in the middle of
if hasattr(os, "register_at_fork"):  # nor does a fork leave it so
    os.register_at_fork(
        before=_running.acquire, after_in_parent=_running.release, after_in_child=_running.release
    )


class Later(ModuleType):
    """A module that runs when something in it is first asked for, and is an ordinary one then."""

    def __getattribute__(self, name: str) -> Any:
        if name[:2] != "__":
            with _running:
                if type(self) is Later and not hasattr(self, "__running__"):
                    self.__running__ = True
                    try:
                        spec: Any = self.__spec__
                        spec.loader.exec_module(self)
                        self.__class__ = ModuleType  # type: ignore[assignment]
                    finally:
                        del self.__running__
        return ModuleType.__getattribute__(self, name)


def _declare(folder: str) -> list[str]:
    names = sorted(
        file[:-3]
        for file in os.listdir(folder)  # noqa: PTH208 - pathlib would cost every import 3 ms
        if file.endswith(".py") and file[:2] != "__"
    )
    for name in names:
        spec: Any = spec_from_file_location(f"{__name__}.{name}", f"{folder}/{name}.py")
        made = module_from_spec(spec)
        made.__class__ = Later
        sys.modules[spec.name] = globals()[name] = made
    return names


FAMILIES = _declare(__path__[0])
