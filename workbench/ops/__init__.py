"""What can be computed: every op, declared once, over raw arrays.

Importing the families fills `OPS`; this room never sees a Tensor.
"""

from . import (
    activation,
    arrange,
    blend,
    compare,
    conv,
    decompose,
    elementwise,
    exponentials,
    fourier,
    index,
    join,
    linalg,
    loss,
    lu,
    matrices,
    norm,
    pool,
    reduce,
    shape,
    solve,
    sparse,
    trigonometry,
)
from .declare import OPS, Op, op

__all__ = [
    "OPS",
    "Op",
    "activation",
    "arrange",
    "blend",
    "compare",
    "conv",
    "decompose",
    "elementwise",
    "exponentials",
    "fourier",
    "index",
    "join",
    "linalg",
    "loss",
    "lu",
    "matrices",
    "norm",
    "op",
    "pool",
    "reduce",
    "shape",
    "solve",
    "sparse",
    "trigonometry",
]
