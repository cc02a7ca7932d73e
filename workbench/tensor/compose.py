"""torch's functions that are compositions of ops, or ops with a wider signature."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.arrays import as_dtype, namespace, result_dtype
from workbench.arrays.dtypes import dtype_of, number_dtype

from .functions import METHODS, function, raw
from .tensor import Tensor, beside, wrap
from .transfer import cast_to


def _numpy_dtype(dtype: Any) -> np.dtype | None:
    return None if dtype is None else as_dtype(dtype).numpy


# -- arithmetic with more settings -----------------------------------------------------------

_add, _sub, _mul = raw("add"), raw("sub"), raw("mul")


@function()
def add(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """input + alpha * other; shapes broadcast."""
    return _add(input, other if alpha == 1 else _mul(other, alpha))


@function("", "sub", "subtract")
def sub(input: Any, other: Any, *, alpha: Any = 1) -> Tensor:
    """input - alpha * other; shapes broadcast.

    Raises RuntimeError for bool tensors: use logical_xor.
    """
    return _sub(input, other if alpha == 1 else _mul(other, alpha))


_div = raw("div")


@function("", "div", "divide", "true_divide")
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """input / other; with `rounding_mode` "floor" or "trunc", rounded and in the inputs' dtype."""
    if rounding_mode is None:
        return _div(input, other)
    if rounding_mode == "floor":
        return raw("floor_divide")(input, other)
    if rounding_mode != "trunc":
        raise RuntimeError(
            "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
            f"'{rounding_mode}'"
        )
    quotient = _div(input, other)
    return wrap(np.trunc(quotient.array).astype(raw("mul")(input, other).array.dtype))


_pow, _floor_divide = raw("pow"), raw("floor_divide")


@function()
def pow(input: Any, exponent: Any) -> Tensor:  # noqa: A001 - torch's name
    """`input` raised to `exponent`, elementwise.

    Raises RuntimeError for integers to negative powers.
    """
    if type(exponent) in (int, float) and isinstance(input, Tensor):
        array = input.array
        if array.dtype.kind in "iub" and type(exponent) is int and exponent < 0:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        if exponent == 2 and array.dtype.kind in "fc":
            return _square(input)
        if exponent == 0.5 and array.dtype.kind == "f":
            return raw("sqrt")(input)
    if isinstance(input, Tensor) and isinstance(exponent, Tensor):
        base, power = input.array, exponent.array
        if base.dtype.kind in "iu" and power.dtype.kind == "i" and (power < 0).any():
            return _negative_power(input, exponent)
    return _pow(input, exponent)


def _negative_power(base: Tensor, power: Tensor) -> Tensor:
    """Integers to integer powers, some of them negative: 1 / x^n rounded towards zero."""
    exponent = cast_to(power, result_dtype(_kinds((base, power))).numpy)
    found = _pow(base, wrap(np.maximum(exponent.array, 0))).array
    signs = np.where(exponent.array % 2 == 0, 1, base.array)
    inverse = np.where(abs(base.array) == 1, signs, 0).astype(found.dtype)
    return wrap(np.where(exponent.array < 0, inverse, found))


_square = raw("square")

_where = raw("where")


@function()
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where `condition`, else `other`; with only a condition, its nonzero positions."""
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if not isinstance(condition, Tensor):
        raise TypeError(f"where(): condition must be a Tensor, not {type(condition).__name__}")
    if condition.array.dtype != np.bool_:
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{condition.dtype}"
        )
    target = result_dtype(_kinds((input, other))).numpy
    xp = namespace(condition.array)
    chosen, rest = (
        cast_to(v, target) if isinstance(v, Tensor) else wrap(xp.asarray(v, target))
        for v in (input, other)
    )
    return _where(condition, chosen, rest)


_masked_fill = raw("masked_fill")


@function()
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Tensor:
    """A copy with `value` (a number or a 0-d tensor) where `mask` (bool, broadcast) is true.

    Raises RuntimeError for masks that are not bool and for numbers the dtype cannot hold.
    """
    if not isinstance(value, Tensor):
        return _masked_fill(input, mask, value)
    if value.array.ndim:
        raise RuntimeError(
            "masked_fill only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.array.ndim} dimension(s)."
        )
    if mask.array.dtype != np.bool_:
        return _masked_fill(input, mask, 0)  # which says what is wrong
    return where(mask, cast_to(value, input.array.dtype), input)


_clamp = raw("clamp")


@function("", "clamp", "clip")
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """Each element limited to [min, max] (numbers or tensors); where min > max, max.

    Raises RuntimeError when both limits are missing.
    """
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        raised = input if min is None else raw("maximum")(input, min)
        return raised if max is None else raw("minimum")(raised, max)
    array = input.array
    if array.dtype.kind in "biu":
        kinds = [(dtype_of(array), 0 if array.ndim else 1)]
        kinds += [(number_dtype(v), 2) for v in (min, max) if v is not None]
        return _clamp(cast_to(input, result_dtype(kinds).numpy), min, max)
    return _clamp(input, min, max)


def masked_where(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """`self` where `condition`, else `other`."""
    return where(condition, self, other)


METHODS["where"] = masked_where


@function()
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """Positions of the nonzero elements, (n, dims) in int64, or one tensor per dimension."""
    found = np.nonzero(input.array) if input.array.ndim else np.nonzero(input.array.reshape(1))
    if as_tuple:
        return tuple(wrap(namespace(f).ascontiguousarray(f)) for f in found)
    if not input.array.ndim:
        return beside(input, np.zeros((len(found[0]), 0), np.int64))
    return wrap(np.stack(found, 1))


def _kinds(values: tuple[Any, ...]) -> list[Any]:
    return [
        (dtype_of(v.array), 0 if v.array.ndim else 1)
        if isinstance(v, Tensor)
        else (number_dtype(v), 2)
        for v in values
    ]


@function(method=False)
def result_type(tensor1: Any, tensor2: Any) -> Any:
    """The dtype of an operation on two tensors or numbers."""
    return result_dtype(_kinds((tensor1, tensor2)))


@function(method=False)
def can_cast(from_: Any, to: Any) -> bool:
    """Whether one dtype may become the other in place: never a lower category."""
    return as_dtype(from_).category <= as_dtype(to).category


# -- reductions --------------------------------------------------------------------------------

_sum, _mean, _variance = raw("sum"), raw("mean"), raw("variance")


@function()
def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:  # noqa: A001
    """Sum over `dim` (None: all; an int or a tuple); integers add up in int64."""
    return _sum(input, dim, keepdim, _numpy_dtype(dtype))


@function()
def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Mean over `dim`; RuntimeError for integers."""
    return _mean(input, dim, keepdim, _numpy_dtype(dtype))


@function()
def var(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None) -> Tensor:  # fmt: skip
    """Variance over `dim`, dividing by n - correction (1 by default)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return _variance(input, dim, keepdim, correction)


@function()
def std(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None) -> Tensor:  # fmt: skip
    """Standard deviation over `dim`."""
    return raw("sqrt")(var(input, dim, unbiased, keepdim, correction=correction))


def _extreme(name: str) -> Any:
    flat, along = raw(f"a{name}"), raw(f"{name}_dim")
    pairwise = raw(f"{name}imum")

    def extreme(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        if isinstance(dim, Tensor):
            return pairwise(input, dim)
        if other is not None:
            return pairwise(input, other)
        if dim is None:
            if input.array.size == 0:
                raise RuntimeError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                    "Specify the reduction dim with the 'dim' argument."
                )
            return flat(input)
        return along(input, dim, keepdim)

    extreme.__name__ = extreme.__qualname__ = name
    extreme.__doc__ = (
        f"`{name}(x)`: the {name}imum (ties share the gradient); `{name}(x, dim)`: values and "
        f"indices along `dim`; `{name}(x, y)`: elementwise."
    )
    return function()(extreme)


max, min = _extreme("max"), _extreme("min")  # noqa: A001


@function("", "softmax")
def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """exp(x) / sum of exp(x) along `dim`."""
    return raw("softmax")(input if dtype is None else cast_to(input, as_dtype(dtype).numpy), dim)


@function("", "log_softmax")
def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """log(softmax(x)) along `dim`, without overflow."""
    return raw("log_softmax")(
        input if dtype is None else cast_to(input, as_dtype(dtype).numpy), dim
    )


@function()
def norm(input: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False) -> Tensor:
    """The p-norm over `dim` ("fro" and 2: Euclidean; inf: largest absolute value)."""
    absolute = raw("abs")(input)
    if p in ("fro", 2, 2.0):
        # the slope of the root at 0 is infinite; the norm's is taken as 0
        total = _sum(_square(absolute), dim, keepdim)
        zero = total == 0
        if bool(zero.array.any()):
            return where(zero, total * 0, raw("sqrt")(where(zero, total + 1, total)))
        return raw("sqrt")(total)
    if p == math.inf:
        return raw("amax")(absolute, () if dim is None else dim, keepdim)
    if p == -math.inf:
        return raw("amin")(absolute, () if dim is None else dim, keepdim)
    if p == 0:
        return _sum(cast_to(absolute != 0, absolute.array.dtype), dim, keepdim)
    if p == 1:
        return _sum(absolute, dim, keepdim)
    return pow(_sum(pow(absolute, p), dim, keepdim), 1.0 / p)


@function("", "cumsum")
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running sum along `dim`."""
    return raw("cumsum")(input, dim, _numpy_dtype(dtype))


@function("", "cumprod")
def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running product along `dim`."""
    return raw("cumprod")(input, dim, _numpy_dtype(dtype))


@function("", "prod")
def prod(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """Product over `dim` (one dimension or all)."""
    return raw("prod")(input, dim, keepdim, _numpy_dtype(dtype))


# -- matrix products ---------------------------------------------------------------------------

_matmul = raw("matmul")


def _product(name: str, dims: tuple[int, int]) -> Any:
    def product(input: Tensor, mat2: Tensor) -> Tensor:
        if (input.array.ndim, mat2.array.ndim) != dims:
            raise RuntimeError(
                f"{name}(): expected {dims[0]}-D and {dims[1]}-D tensors, got {input.array.ndim}-D "
                f"and {mat2.array.ndim}-D"
            )
        if name == "bmm" and input.array.shape[0] != mat2.array.shape[0]:
            raise RuntimeError(
                f"bmm(): batch sizes differ: {input.array.shape[0]} and {mat2.array.shape[0]}"
            )
        return _matmul(input, mat2)

    product.__name__ = product.__qualname__ = name
    product.__doc__ = (
        f"Matrix product of {dims[0]}-d and {dims[1]}-d tensors, without broadcasting."
    )
    return function()(product)


mm, bmm, mv, dot = (
    _product(n, d) for n, d in (("mm", (2, 2)), ("bmm", (3, 3)), ("mv", (2, 1)), ("dot", (1, 1)))
)


@function()
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2)."""
    product = _matmul(mat1, mat2)
    return _add(_mul(like_product(input, mat1, product), beta), _mul(product, alpha))


def like_product(input: Tensor, factor: Tensor, product: Tensor) -> Tensor:
    """`input` in the product's dtype where autocast chose that one; else as it is."""
    if product.array.dtype == factor.array.dtype:
        return input
    return cast_to(input, product.array.dtype)


@function()
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """input[:, None] * vec2[None, :]."""
    return _mul(raw("unsqueeze")(input, 1), raw("unsqueeze")(vec2, 0))


# -- comparing whole tensors ---------------------------------------------------------------------


@function()
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape and elements."""
    return input.array.shape == other.array.shape and bool((input.array == other.array).all())


@function()
def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Elementwise |input - other| <= atol + rtol * |other|."""
    return wrap(np.isclose(input.array, other.array, rtol, atol, equal_nan))


@function()
def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether all elements are close."""
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())
