"""Padding: the op of the table."""

from __future__ import annotations

from workbench.tensor import FUNCTIONS

__all__ = ["pad"]

pad = FUNCTIONS["nn.functional"]["pad"]
