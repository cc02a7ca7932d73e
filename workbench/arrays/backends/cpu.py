"""The CPU backend: NumPy."""

from __future__ import annotations

import numpy as np

xp = np


def describe() -> str:
    """One line for `workbench doctor`."""
    return f"cpu: NumPy {np.__version__}"
