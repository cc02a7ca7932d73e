"""Small compositions on numbers: fused forms, counts, sets, limits of dtypes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.arrays import as_dtype
from workbench.arrays.dtypes import get_default_dtype

from .compose import like_product, var
from .functions import METHODS, function, raw
from .inplace import inplace_variant
from .tensor import Tensor, wrap

_add, _mul, _div, _matmul = (raw(n) for n in ("add", "mul", "div", "matmul"))


def _scaled(tensor: Tensor, factor: Any) -> Tensor:
    return tensor if type(factor) in (int, float) and factor == 1 else _mul(tensor, factor)


@function()
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value * tensor1 * tensor2."""
    return _add(input, _scaled(_mul(tensor1, tensor2), value))


@function()
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Any = 1) -> Tensor:
    """input + value * tensor1 / tensor2."""
    return _add(input, _scaled(_div(tensor1, tensor2), value))


def _fused(name: str, doc: str) -> Any:
    def fused(
        input: Tensor, first: Tensor, second: Tensor, *, beta: Any = 1, alpha: Any = 1
    ) -> Tensor:
        out = _matmul(first, second)
        start = like_product(input, first, out)
        if name == "addbmm":
            out = raw("sum")(out, 0)
        out = _scaled(out, alpha)
        return out if beta == 0 else _add(_scaled(start, beta), out)

    fused.__name__ = fused.__qualname__ = name
    fused.__doc__ = doc
    return function()(fused)


baddbmm = _fused("baddbmm", "beta * input + alpha * (first @ second), batches of matrices.")
addbmm = _fused("addbmm", "beta * input + alpha * the sum of the products of two batches.")
addmv = _fused("addmv", "beta * input + alpha * (matrix @ vector).")


@function()
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * the outer product of two vectors."""
    outer = _mul(raw("unsqueeze")(vec1, 1), raw("unsqueeze")(vec2, 0))
    return _add(_scaled(input, beta), _scaled(outer, alpha))


@function()
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sums of products over the last dimension of both."""
    if input.array.ndim == 0 or other.array.ndim == 0:
        return _mul(input, other)
    from .einsum import tensordot

    return tensordot(input, other, ([-1], [-1]))


@function()
def rsub(input: Tensor, other: Any, *, alpha: Any = 1) -> Tensor:
    """other - alpha * input."""
    return raw("sub")(other, _scaled(input, alpha))


@function()
def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians."""
    return _mul(input, math.pi / 180)


@function()
def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees."""
    return _mul(input, 180 / math.pi)


@function()
def clamp_min(input: Tensor, min: Any) -> Tensor:
    """Each element, but at least `min`."""
    return METHODS["clamp"](input, min, None)


@function()
def clamp_max(input: Tensor, max: Any) -> Tensor:
    """Each element, but at most `max`."""
    return METHODS["clamp"](input, None, max)


@function()
def float_power(input: Any, exponent: Any) -> Tensor:
    """`input` to the power `exponent`, computed in float64 (or complex128)."""

    def wide(v: Any) -> Any:
        if not isinstance(v, Tensor):
            return v
        return v.to(as_dtype(np.complex128 if v.array.dtype.kind == "c" else np.float64))

    base, power = wide(input), wide(exponent)
    if not isinstance(base, Tensor):
        base = wrap(np.asarray(base, np.complex128 if isinstance(base, complex) else np.float64))
    return METHODS["pow"](base, power)


@function(method=False)
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest value, of all or along `dim`."""
    from .results import result_type

    where = () if dim is None else dim
    made = (raw("amin")(input, where, keepdim), raw("amax")(input, where, keepdim))
    return result_type("aminmax", ("min", "max"))(*made)


METHODS["aminmax"] = aminmax


@function()
def count_nonzero(input: Tensor, dim: Any = None) -> Tensor:
    """How many elements are nonzero, of all or along `dim`, int64."""
    return raw("sum")(input != 0, dim)


def _mean_with(name: str, spread: Any) -> Any:
    def both(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False,
             *, correction: float | None = None) -> tuple[Tensor, Tensor]:  # fmt: skip
        return (
            spread(input, dim, unbiased, keepdim, correction=correction),
            raw("mean")(input, None if isinstance(dim, bool) else dim, keepdim),
        )

    both.__name__ = both.__qualname__ = name
    both.__doc__ = f"({name.split('_')[0]}, mean) over `dim`."
    return function(method=False)(both)


_mean_with("var_mean", var)
_mean_with("std_mean", METHODS["std"])


@function()
def argwhere(input: Tensor) -> Tensor:
    """Positions of the nonzero elements, (n, dims) in int64."""
    return METHODS["nonzero"](input)


@function(method=False)
def logspace(start: float, end: float, steps: int, base: float = 10.0, *, dtype: Any = None,
             device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """`steps` numbers from base**start to base**end, evenly spaced exponents."""
    chosen = get_default_dtype() if dtype is None else as_dtype(dtype)
    made = wrap(np.logspace(start, end, steps, base=base).astype(chosen.numpy))
    made = made if device is None else made.to(device)
    return made.requires_grad_() if requires_grad else made


class finfo:  # noqa: N801 - torch spells it so
    """Limits of a floating-point dtype: `bits`, `eps`, `max`, `min`, `tiny`, `resolution`.

    Raises TypeError for other dtypes.
    """

    def __init__(self, type: Any = None) -> None:
        kind = get_default_dtype() if type is None else as_dtype(type)
        if not (kind.is_floating_point or kind.is_complex):
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                f"'{kind.name}'".replace("torch", "workbench")
            )
        real = kind.to_real()
        import ml_dtypes

        held = ml_dtypes.finfo(real.numpy)
        self.dtype = real.name
        self.bits = real.itemsize * 8
        self.eps, self.max, self.min = float(held.eps), float(held.max), float(held.min)
        self.tiny = self.smallest_normal = float(held.smallest_normal)
        self.resolution = 10.0 ** -int(held.precision)

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:  # noqa: N801 - torch spells it so
    """Limits of an integer dtype: `bits`, `max`, `min`. Raises TypeError for other dtypes."""

    def __init__(self, type: Any) -> None:
        kind = as_dtype(type)
        if kind.numpy.kind not in "iu":
            raise TypeError(
                "workbench.iinfo() requires an integer input type. Use workbench.finfo to handle "
                f"'{kind.name}'"
            )
        held = np.iinfo(kind.numpy)
        self.dtype = kind.name
        self.bits, self.max, self.min = int(held.bits), int(held.max), int(held.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


function("", "finfo", method=False)(finfo)
function("", "iinfo", method=False)(iinfo)

for _name in ("addmm", "addcmul", "addcdiv", "baddbmm", "addbmm", "addmv", "addr", "clamp_min",
              "clamp_max", "deg2rad", "rad2deg", "float_power"):  # fmt: skip
    METHODS[f"{_name}_"] = inplace_variant(_name, METHODS[_name])
