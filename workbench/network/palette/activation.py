"""Functions applied to every element, and softmax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from workbench import nn

from .entry import Entry, Param, Shape

_DIM = {"dim": Param("int", min=-8, max=8, start=1, doc="the dimension whose values sum to one")}


def _per_element(count: int) -> Callable[[Any, Sequence[Shape], Shape], int]:
    def flops(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
        return count * prod(out)

    return flops


def _first(shape: Shape) -> dict[str, Any]:
    return {"dim": 1}  # leaving it open is deprecated in torch


def _nothing(shape: Shape) -> dict[str, Any]:
    return {}


def _entry(
    name: str, doc: str, cost: int, params: dict[str, Param] | None = None, *hidden: str
) -> Entry:
    # an exponential, logarithm or division is counted as one operation
    return Entry(
        getattr(nn, name),
        "Activation",
        doc,
        params or {},
        infer=_first if params is _DIM else _nothing,
        flops=_per_element(cost),
        hidden=frozenset({"inplace", *hidden}),
    )


ENTRIES = [
    _entry("ReLU", "Cuts negative values to zero.", 1),
    _entry(
        "LeakyReLU",
        "Like ReLU, but lets a little of the negative side through.",
        2,
        {"negative_slope": Param("float", doc="slope on the negative side")},
    ),
    _entry(
        "ELU",
        "Like ReLU, but bends smoothly to -alpha on the negative side.",
        4,
        {"alpha": Param("float", doc="how far down the negative side goes")},
    ),
    _entry(
        "GELU",
        "x·Φ(x), a smooth ReLU; common in transformers (Hendrycks & Gimpel, 2016).",
        5,
        {"approximate": Param("choice", choices=("none", "tanh"), doc="exact, or by tanh")},
    ),
    _entry("SiLU", "x·sigmoid(x), a smooth ReLU, also called swish.", 5),
    _entry("Sigmoid", "Squeezes every value between 0 and 1.", 4),
    _entry("Tanh", "Squeezes every value between -1 and 1.", 5),
    _entry(
        "Softplus",
        "log(1 + exp x), a smooth ReLU that stays positive.",
        4,
        {
            "beta": Param("float", min=1e-6, doc="sharpness of the bend"),
            "threshold": Param("float", min=0, doc="above this it is the identity, for safety"),
        },
    ),
    _entry("ReLU6", "ReLU that stops at 6.", 2),
    _entry(
        "PReLU",
        "Like LeakyReLU, with a slope that is learned (He et al., 2015).",
        2,
        {
            "num_parameters": Param(
                "int", min=1, max=1_000_000, doc="one slope, or one per channel of the input"
            ),
            "init": Param("float", doc="the slope at the start"),
        },
    ),
    _entry(
        "RReLU",
        "Like LeakyReLU, with slopes drawn at random while training (Xu et al., 2015).",
        2,
        {
            "lower": Param("float", min=0, max=1, doc="smallest slope on the negative side"),
            "upper": Param("float", min=0, max=1, doc="largest slope on the negative side"),
        },
    ),
    _entry("SELU", "ELU scaled so that mean 0 and variance 1 stay (Klambauer et al., 2017).", 5),
    _entry(
        "CELU",
        "ELU without a kink for any alpha (Barron, 2017).",
        5,
        {"alpha": Param("float", min=1e-6, doc="how far down the negative side goes")},
    ),
    _entry("Mish", "x·tanh(softplus(x)), smooth and not monotonic (Misra, 2019).", 8),
    _entry("Hardswish", "SiLU made of straight lines (Howard et al., 2019).", 5),
    _entry("Hardsigmoid", "Sigmoid made of straight lines.", 4),
    _entry(
        "Hardtanh",
        "Holds every value between two bounds.",
        2,
        {
            "min_val": Param("float", doc="lower bound"),
            "max_val": Param("float", doc="upper bound"),
        },
        "min_value",  # torch's old names of the bounds
        "max_value",
    ),
    _entry("LogSigmoid", "The logarithm of sigmoid, safer to compute with.", 5),
    _entry("Softsign", "x / (1 + |x|), a sigmoid with long tails.", 3),
    _entry("Tanhshrink", "x - tanh(x).", 6),
    _entry(
        "Hardshrink",
        "Sets small values to zero.",
        2,
        {"lambd": Param("float", min=0, doc="what counts as small")},
    ),
    _entry(
        "Softshrink",
        "Moves every value towards zero, small ones all the way.",
        3,
        {"lambd": Param("float", min=0, doc="how far")},
    ),
    _entry("Softmax", "Turns scores into probabilities that sum to one.", 4, _DIM),
    _entry("LogSoftmax", "The logarithm of softmax, safer to compute with.", 5, _DIM),
]
