"""What can be computed: every op, declared once, over raw arrays.

Importing the families fills `OPS`; this room never sees a Tensor.
"""

from . import (
    activation,
    compare,
    conv,
    elementwise,
    fourier,
    index,
    linalg,
    loss,
    norm,
    pool,
    reduce,
    shape,
    sparse,
)
from .declare import OPS, Op, op

__all__ = [
    "OPS",
    "Op",
    "activation",
    "compare",
    "conv",
    "elementwise",
    "fourier",
    "index",
    "linalg",
    "loss",
    "norm",
    "op",
    "pool",
    "reduce",
    "shape",
    "sparse",
]
