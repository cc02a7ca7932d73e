"""Tables of learned vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench import nn

from .entry import Entry, Param, Problem, Shape
from .linear import features


def _expects(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    if integer:
        return None
    return Problem(
        "integers (int64)",
        "its input holds floats, not the numbers of rows",
        hint="make the network with dtype=wb.int64 and put the embedding first",
    )


def _size(args: Mapping[str, Any]) -> int:
    return int(args["num_embeddings"] * args["embedding_dim"])


ENTRIES = [
    Entry(
        nn.Embedding,
        "Embedding",
        "Looks up a learned vector for each integer (a word, a token).",
        {
            "num_embeddings": Param(
                "int", min=1, max=10_000_000, start=100, doc="number of different integers"
            ),
            "embedding_dim": features("length of each vector", start=16),
            "padding_idx": Param(
                "int", min=-10_000_000, max=10_000_000, nullable=True, doc="row that never learns"
            ),
            "max_norm": Param("float", min=0, nullable=True, doc="longest allowed vector"),
            "norm_type": Param("float", min=0, doc="p of that length"),
        },
        expects=_expects,
        size=_size,
        hidden=frozenset({"sparse", "scale_grad_by_freq"}),
    ),
]
