"""The Python array API standard, 2024.12, over Tensors.

`wb.Tensor.__array_namespace__()` returns this module, so that libraries written for the standard
(SciPy, scikit-learn, …) take tensors. Its functions have the standard's names, arguments and
semantics, record on the tape, and return `Array`s: Tensors whose operators follow the standard
too (see `array.Array` for where torch's differ). Promotion of integers with floats, which the
standard leaves open, is torch's.
"""

from __future__ import annotations

import math as _math

from workbench.arrays.dtypes import bool_ as bool
from workbench.arrays.dtypes import (
    complex64,
    complex128,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)  # fmt: skip

from . import array as _array
from . import elementwise as _elementwise
from . import fft, linalg
from .array import Array
from .creation import (
    arange,
    asarray,
    empty,
    empty_like,
    eye,
    from_dlpack,
    full,
    full_like,
    linspace,
    meshgrid,
    ones,
    ones_like,
    tril,
    triu,
    zeros,
    zeros_like,
)
from .data_types import astype, can_cast, finfo, iinfo, isdtype, result_type
from .elementwise import (
    abs,
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    ceil,
    clip,
    conj,
    copysign,
    cos,
    cosh,
    divide,
    equal,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    hypot,
    imag,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    negative,
    nextafter,
    not_equal,
    positive,
    pow,
    real,
    reciprocal,
    remainder,
    round,
    sign,
    signbit,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    trunc,
)
from .indexing import take, take_along_axis
from .info import Info as _Info
from .linear_algebra import matmul, matrix_transpose, tensordot, vecdot
from .manipulation import (
    broadcast_arrays,
    broadcast_to,
    concat,
    expand_dims,
    flip,
    moveaxis,
    permute_dims,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    tile,
    unstack,
)
from .searching import argmax, argmin, count_nonzero, nonzero, searchsorted, where
from .sets import unique_all, unique_counts, unique_inverse, unique_values
from .sorting import argsort, sort
from .statistical import cumulative_prod, cumulative_sum, max, mean, min, prod, std, sum, var
from .utility import all, any, diff

__array_api_version__ = "2024.12"

e, inf, nan, pi, newaxis = _math.e, _math.inf, _math.nan, _math.pi, None


def __array_namespace_info__() -> _Info:
    """What the namespace can do: capabilities, default_device, devices, default_dtypes, dtypes."""
    return _Info()


_array.attach({**vars(_elementwise), "matmul": matmul})
