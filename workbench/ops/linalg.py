"""Matrix products."""

from __future__ import annotations

import math

import numpy as np

from .compiled import gemm
from .declare import op
from .rows import column_sums
from .samples import Sample


def _matmul_shape(input, other):
    lead = np.broadcast_shapes(input[:-2], other[:-2])
    return (*lead, *input[-2:-1], *(other[-1:] if len(other) > 1 else ()))


def _matmul_errors(make):
    yield Sample(make(2, 3), make(2, 3))
    yield Sample(make(3), make(2))
    yield Sample(make(), make(3))
    yield Sample(make(2, 2, 3), make(3, 3, 4))
    yield Sample(make(2, 3), make(3, 2).astype("float32"))
    yield Sample(make(2, 3), 2.0)


def _matmul_samples(make):
    shapes = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)),
              ((5, 2, 3), (5, 3, 4)), ((2, 1, 2, 3), (5, 3, 4)), ((5, 2, 3), (3,)),
              ((3,), (5, 3, 2)), ((0, 3), (3, 4)), ((2, 0), (0, 4))]  # fmt: skip
    for a, b in shapes:
        yield Sample(make(*a), make(*b))
    yield Sample(make(3, 2).T, make(4, 3).T)


@op(
    errors=_matmul_errors,
    accepts="iufc",
    shape=_matmul_shape,
    operator="matmul",
    dtype="same",
    samples=_matmul_samples,
)
def matmul(xp, input, other, /):
    """Matrix product; vectors are rows or columns, leading dimensions broadcast.

    Raises RuntimeError when the inner sizes differ or an operand is 0-d.
    """
    if input.ndim == 0 or other.ndim == 0:
        raise RuntimeError(
            "both arguments to matmul need to be at least 1D, but they are "
            f"{input.ndim}D and {other.ndim}D"
        )
    inner = other.shape[-2] if other.ndim > 1 else other.shape[0]
    if input.shape[-1] != inner:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({_show(input.shape)} and "
            f"{_show(other.shape)}): the last side of the first ({input.shape[-1]}) must equal the "
            f"second's rows ({inner})"
        )
    try:
        return _product(xp, input, other)
    except ValueError:
        raise RuntimeError(
            f"matmul(): the leading dimensions of {tuple(input.shape)} and {tuple(other.shape)} do "
            "not broadcast"
        ) from None


def _show(shape):
    return "x".join(map(str, shape))


def _t(F, x):
    return F.transpose(x, -1, -2)


def _matmul_input(F, g, other, input_shape):
    if len(input_shape) == 1 and len(other.shape) == 1:
        return g * F.conj(other)
    if len(other.shape) == 1:
        return F.unsqueeze(g, -1) * F.conj(other)
    if len(input_shape) == 1:
        out = F.sum_to(F.matmul(F.unsqueeze(g, -2), F.conj(_t(F, other))), (1, *input_shape))
        return F.reshape(out, input_shape)
    return F.sum_to(F.matmul(g, F.conj(_t(F, other))), input_shape)


def _matmul_other(F, g, input, other_shape):
    if len(other_shape) == 1 and len(input.shape) == 1:
        return g * F.conj(input)
    if len(input.shape) == 1:
        out = F.unsqueeze(F.conj(input), -1) * F.unsqueeze(g, -2)
        return F.sum_to(out, other_shape)
    if len(other_shape) == 1:
        out = F.matmul(F.conj(_t(F, input)), F.unsqueeze(g, -1))
        return F.reshape(F.sum_to(out, (*other_shape, 1)), other_shape)
    if len(other_shape) == 2 and len(input.shape) > 2:
        # one product over all leading dimensions instead of a batch of them and a sum
        rows = F.reshape(input, (-1, input.shape[-1]))
        return F.matmul(F.conj(_t(F, rows)), F.reshape(g, (-1, g.shape[-1])))
    return F.sum_to(F.matmul(F.conj(_t(F, input)), g), other_shape)


matmul.vjp(input=_matmul_input, other=_matmul_other)


def _linear_errors(make):
    yield Sample(make(4, 3), make(2, 4))
    yield Sample(make(4, 3), make(2, 3), make(3))
    yield Sample(make(4, 3), make(2, 3).astype("float32"))


def _linear_samples(make):
    yield Sample(make(4, 3), make(2, 3), make(2))
    yield Sample(make(4, 3), make(2, 3))
    yield Sample(make(3), make(2, 3), make(2))
    yield Sample(make(2, 4, 3), make(2, 3), make(2))
    yield Sample(make(0, 3), make(2, 3), make(2))


@op(
    errors=_linear_errors,
    accepts="iufc",
    shape=lambda input, weight: (*input[:-1], *weight[:-1]),
    namespace="nn.functional",
    dtype="same",
    samples=_linear_samples,
)
def linear(xp, input, weight, bias=None, /):
    """y = x Wᵀ + b. `input` (*, in), `weight` (out, in), `bias` (out) → (*, out).

    Raises RuntimeError when the last side of `input` is not `in`.
    """
    if weight.ndim > 2 or (weight.ndim == 1 and bias is not None and input.ndim != 1):
        raise RuntimeError(
            f"linear() wants a weight of at most 2 dimensions (2 with a bias), got {weight.shape}"
        )
    if input.ndim == 0 or input.shape[-1] != weight.shape[-1]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({_show(input.shape)} and "
            f"{_show(weight.shape[::-1])}): linear() got input of shape {tuple(input.shape)} and "
            f"wants (*, {weight.shape[-1]})"
        )
    if bias is not None and xp is np and input.ndim == 2 == bias.ndim + 1 == weight.ndim:
        return gemm.linear(input, weight.T, bias)
    if bias is not None and xp is np and input.ndim > 2 and bias.ndim == 1 and weight.ndim == 2:
        rows = input.reshape(math.prod(input.shape[:-1]), input.shape[-1])
        return gemm.linear(rows, weight.T, bias).reshape(*input.shape[:-1], weight.shape[0])
    out = _product(xp, input, weight.T)
    if bias is not None:
        out += bias
    return out


def _product(xp, x, matrix):
    """x @ matrix, with the leading dimensions of `x` as rows of one product."""
    if x.ndim == 1 or matrix.ndim == 1:
        return xp.matmul(x, matrix)
    product = gemm.matmul if xp is np else xp.matmul
    if x.ndim == 2 or matrix.ndim != 2:
        return product(x, matrix)
    rows = math.prod(x.shape[:-1])
    out = product(x.reshape(rows, x.shape[-1]), matrix)
    return out.reshape(*x.shape[:-1], matrix.shape[-1])


def _linear_weight(F, g, input):
    if len(input.shape) == 1:
        return F.unsqueeze(g, -1) * F.conj(input)
    if len(input.shape) > 2:
        input = F.reshape(input, (-1, input.shape[-1]))
        g = F.reshape(g, (-1, g.shape[-1]))
    return F.matmul(_t(F, g), F.conj(input))


def _linear_bias(F, g, weight_shape):
    lead = len(g.shape) - 1
    if not lead:
        return g
    if F.taped:
        return F.sum(g, tuple(range(lead)), False)
    return column_sums(g.reshape(math.prod(g.shape[:-1]), g.shape[-1]))


linear.vjp(
    input=lambda F, g, weight: F.matmul(g, F.conj(weight)),
    weight=_linear_weight,
    bias=_linear_bias,
)
