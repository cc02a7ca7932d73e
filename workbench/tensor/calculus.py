"""Along a dimension: differences, slopes, integrals by trapezoids, distances, norms of slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .compose import norm
from .compose import where as select
from .functions import METHODS, function, raw
from .inplace import inplace_variant
from .tensor import Tensor

_add, _sub, _mul, _div = (raw(n) for n in ("add", "sub", "mul", "div"))
_narrow, _cat = raw("narrow"), raw("cat")


def _axis(dim: int, ndim: int) -> int:
    from workbench.ops.reduce import axis

    return axis(dim, ndim)


def _steps(x: Tensor, dim: int) -> Tensor:
    n = x.array.shape[dim]
    later, earlier = _narrow(x, dim, 1, n - 1), _narrow(x, dim, 0, n - 1)
    if x.array.dtype.kind == "b":
        return raw("logical_xor")(later, earlier)
    return _sub(later, earlier)


@function()
def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """The n-th differences of neighbours along `dim`, with `prepend` and `append` joined on."""
    if input.array.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    where = _axis(dim, input.array.ndim)
    parts = [p for p in (prepend, input, append) if p is not None]
    for part in parts:
        if part.array.ndim != input.array.ndim:
            raise RuntimeError(
                "diff expects prepend or append to have the same number of dimensions as input"
            )
    made = _cat(parts, where) if len(parts) > 1 else input
    if n == 0:
        return raw("clone")(made)
    if n >= made.array.shape[where]:
        return _narrow(made, where, 0, 0)
    for _ in range(n):
        made = _steps(made, where)
    return made


def _pieces(name: str, y: Tensor, x: Any, dx: float, dim: int) -> tuple[Tensor, int]:
    """The areas of the trapezoids (twice), and the dimension they lie along."""
    where = _axis(dim, y.array.ndim)
    n = y.array.shape[where] if y.array.ndim else 1
    if not y.array.ndim:
        raise IndexError(f"{name}: y has no dimensions")
    if n == 0:
        both = y
    else:
        both = _add(_narrow(y, where, 1, n - 1), _narrow(y, where, 0, n - 1))
    if x is None:
        return (both if dx == 1 else _mul(both, dx)), where
    if x.array.ndim == 1 and y.array.ndim > 1:
        if x.array.shape[0] != n:
            raise RuntimeError(
                f"{name}: There must be one `x` value for each sample point, got "
                f"{x.array.shape[0]} for {n}"
            )
        side = [1] * y.array.ndim
        side[where] = n
        x = raw("reshape")(x, tuple(side))
    at = _axis(dim, x.array.ndim)
    if x.array.shape[at] != n and x.array.shape[at] != 1:
        raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
    return _mul(both, _steps(x, at)), where


def _positional(x: Any, dx: float | None) -> tuple[Any, float]:
    if x is not None and not isinstance(x, Tensor):
        raise TypeError("trapezoid(): x must be a Tensor; give the spacing as dx=")
    return x, 1.0 if dx is None else dx


@function("", "trapezoid", "trapz", method=False)
def trapezoid(y: Tensor, x: Any = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """The integral along `dim` by the trapezoidal rule, of points at `x` or `dx` apart."""
    x, dx = _positional(x, dx)
    twice, where = _pieces("trapezoid", y, x, dx, dim)
    return _div(raw("sum")(twice, where), 2.0)


@function(method=False)
def cumulative_trapezoid(
    y: Tensor, x: Any = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """The integral from the first point to each of the others, by the trapezoidal rule."""
    x, dx = _positional(x, dx)
    twice, where = _pieces("cumulative_trapezoid", y, x, dx, dim)
    return _div(raw("cumsum")(twice, where), 2.0)


@function(method=False)
def gradient(
    input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1
) -> tuple[Tensor, ...]:
    """Slopes along each `dim` by second-order differences, first or second order at the edges.

    `spacing`: one number, one per dimension, or one tensor of coordinates per dimension.
    Raises RuntimeError for dimensions too small for `edge_order`.
    """
    ndim = input.array.ndim
    dims = range(ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    places = [_axis(d, ndim) for d in dims]
    gaps: Sequence[Any] = (
        list(spacing) if isinstance(spacing, (list, tuple)) else [spacing] * len(places)
    )
    if isinstance(spacing, Tensor):
        gaps = [spacing]
    if len(gaps) != len(places):
        raise RuntimeError(
            "gradient expected spacing to be unspecified, a scalar, or a list of length "
            f"{len(places)}, got {len(gaps)}"
        )
    if edge_order not in (1, 2):
        raise RuntimeError("gradient only supports edge_order=1 and edge_order=2.")
    return tuple(_slope(input, d, h, edge_order) for d, h in zip(places, gaps, strict=True))


def _slope(x: Tensor, d: int, h: Any, order: int) -> Tensor:
    n = x.array.shape[d]
    if n <= order:
        raise RuntimeError(
            f"gradient expected each dimension size to be at least edge_order+1, got {n}"
        )
    rises = _steps(x, d)
    if isinstance(h, Tensor):
        side = [1] * x.array.ndim
        side[d] = n - 1
        runs: Any = raw("reshape")(_steps(h, 0), tuple(side))
        slopes = _div(rises, runs)
        left, right = _narrow(runs, d, 0, n - 2), _narrow(runs, d, 1, n - 2)
        a, b = _narrow(slopes, d, 0, n - 2), _narrow(slopes, d, 1, n - 2)
        inner = _div(_add(_mul(a, right), _mul(b, left)), _add(left, right))
    else:
        slopes = _div(rises, h)
        inner = _mul(_add(_narrow(slopes, d, 0, n - 2), _narrow(slopes, d, 1, n - 2)), 0.5)
    first, last = _narrow(slopes, d, 0, 1), _narrow(slopes, d, n - 2, 1)
    if order == 2:
        first, last = _second(slopes, h, d, n, True), _second(slopes, h, d, n, False)
    return _cat([first, inner, last], d)


def _second(slopes: Tensor, h: Any, d: int, n: int, start: bool) -> Tensor:
    """The slope at an edge of the parabola through the three points next to it."""
    near, far = (0, 1) if start else (n - 2, n - 3)
    a, b = _narrow(slopes, d, near, 1), _narrow(slopes, d, far, 1)
    if not isinstance(h, Tensor):
        return _sub(_mul(a, 1.5), _mul(b, 0.5))
    run = [float(h.array[i + 1] - h.array[i]) for i in (near, far)]
    share = run[0] / (run[0] + run[1])
    return _sub(_mul(a, 1 + share), _mul(b, share))


# -- distances -----------------------------------------------------------------------------------


@function()
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other."""
    return norm(_sub(input, other), p)


_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist",
          "donot_use_mm_for_euclid_dist")  # fmt: skip


@function(method=False)
def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """The p-norm of the difference of every row of x1 (…, P, M) and of x2 (…, R, M) → (…, P, R).

    `compute_mode` says whether Euclidean distances go by a matrix product.
    """
    if compute_mode not in _MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode; use {_MODES}")
    products = (None, True, False)[_MODES.index(compute_mode)]
    return raw("cdist_forward")(x1, x2, float(p), products)


@function()
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Each slice along `dim` scaled down to a p-norm of `maxnorm` where it is larger."""
    if input.array.ndim < 2:
        raise RuntimeError(
            f"renorm: input needs at least 2 dimensions, got {input.array.ndim} dimensions"
        )
    if not p > 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    at = _axis(dim, input.array.ndim)
    others = tuple(d for d in range(input.array.ndim) if d != at)
    size = norm(input, p, others, True)
    scale = _div(maxnorm, _add(size, 1e-7))
    return _mul(input, select(raw("gt")(size, maxnorm), scale, 1.0))


METHODS["renorm_"] = inplace_variant("renorm", renorm)
