"""Layers that make training harder on purpose, so that the network generalises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from workbench import nn

from .entry import Entry, Param, Problem, Shape


def _flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    """One multiplication per element while training."""
    return prod(out)


def _expects(dims: int, what: str) -> Callable[..., Problem | None]:
    def expects(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
        (shape,) = shapes
        return None if len(shape) == dims + 1 else Problem(what, hint="use nn.Dropout")

    return expects


ENTRIES = [
    Entry(
        nn.Dropout,
        "Regularization",
        "Sets random values to zero while training (Srivastava et al., 2014).",
        {"p": Param("float", min=0, max=1, doc="the share of values that are dropped")},
        flops=_flops,
    ),
    *(
        Entry(
            getattr(nn, f"Dropout{n}d"),
            "Regularization",
            f"Sets whole channels to zero at random while training ({what}; Tompson et al., 2015).",
            {"p": Param("float", min=0, max=1, doc="the share of channels that are dropped")},
            expects=_expects(n, what),
            flops=_flops,
            takes=what,
        )
        for n, what in (
            (1, "(N, C, L)"),
            (2, "images (N, C, H, W)"),
            (3, "volumes (N, C, D, H, W)"),
        )
    ),
    Entry(
        nn.AlphaDropout,
        "Regularization",
        "Dropout for networks of SELUs: mean 0 and variance 1 stay (Klambauer et al., 2017).",
        {"p": Param("float", min=0, max=1, doc="the share of values that are dropped")},
        flops=_flops,
    ),
]
