"""torch.nn.functional's names: the ops of the table, and what is composed of them here."""

from __future__ import annotations

from typing import Any

from workbench.tensor import FUNCTIONS

from . import (
    activation,
    attention,
    conv,
    distance,
    dropout,
    folding,
    grid,
    loss,
    loss_classes,
    loss_ctc,
    loss_linear,
    loss_margins,
    norm,
    padding,
    pool,
    resample,
    sparse,
)

_TOP = ("relu", "sigmoid", "tanh", "pairwise_distance")

_names: dict[str, Any] = {n: FUNCTIONS[""][n] for n in _TOP if n in FUNCTIONS[""]}
_names.update(FUNCTIONS["nn.functional"])
for _family in (
    activation, attention, conv, distance, dropout, folding, grid, loss, loss_classes, loss_ctc,
    loss_linear, loss_margins, norm, padding, pool, resample, sparse,
):  # fmt: skip
    _names.update({n: getattr(_family, n) for n in _family.__all__})
globals().update(_names)

__all__: list[str] = []
__all__.extend(sorted(_names))


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'workbench.nn.functional' has no attribute {name!r}")
