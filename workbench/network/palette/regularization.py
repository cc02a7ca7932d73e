"""Layers that make training harder on purpose, so that the network generalises."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from workbench import nn

from .entry import Entry, Param, Shape


def _flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """One multiplication per element while training."""
    return prod(out)


ENTRIES = [
    Entry(
        nn.Dropout,
        "Regularization",
        "Sets random values to zero while training (Srivastava et al., 2014).",
        {"p": Param("float", min=0, max=1, doc="the share of values that are dropped")},
        flops=_flops,
    ),
]
