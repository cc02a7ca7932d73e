"""Sampling of planes and volumes at any points (Jaderberg et al., 2015).

A sample is a sum over a few neighbours along each side, weighted by a polynomial of the distance.
Its derivative by a coordinate is the same sum with that side's polynomials differentiated: so one
op, which knows the `orders` of differentiation per coordinate, serves gradients of every order.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from .declare import op, shape_setting
from .planes import accumulate
from .samples import Sample

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")

# Weights of the neighbours as polynomials of the distance t from the first inner one, the highest
# power first; the cubic ones are Keys' (1981) with a = -0.75.
_A = -0.75
_POLYNOMIALS = {
    "nearest": ((0, (1.0,)),),
    "bilinear": ((0, (-1.0, 1.0)), (1, (1.0, 0.0))),
    "bicubic": (
        (-1, (_A, -2 * _A, _A, 0.0)),
        (0, (_A + 2, -(_A + 3), 0.0, 1.0)),
        (1, (-(_A + 2), 2 * _A + 3, -_A, 0.0)),
        (2, (-_A, _A, 0.0, 0.0)),
    ),
}


def _derived(mode, order):
    """(offset, polynomial) of the neighbours after `order` differentiations; none when all 0."""
    made = []
    for offset, polynomial in _POLYNOMIALS[mode]:
        derived = np.polyder(np.array(polynomial), order) if order else np.array(polynomial)
        if len(derived) and derived.any():
            made.append((offset, derived.tolist()))
    return made


def _reflected(xp, x, low, high):
    """x mirrored at low / 2 and high / 2, and the sign of its slope."""
    if low == high:
        return x * 0, x * 0
    least, span = low / 2, (high - low) / 2
    shifted = x - least
    sign = xp.where(shifted < 0, -1, 1)
    shifted = abs(shifted)
    extra = xp.fmod(shifted, span)
    odd = xp.floor(shifted / span) % 2 == 1
    return xp.where(odd, span - extra, extra) + least, xp.where(odd, -sign, sign)


def _clipped(xp, x, n):
    return xp.clip(xp.where(xp.isnan(x), 0, x), 0, n - 1)


def _inside(xp, x, n, padding, align):
    """Coordinates brought inside 0 … n-1 by the padding, and their slope; None for "zeros"."""
    if padding == "zeros":
        return x, None
    slope = None
    if padding == "reflection":
        bounds = (0, 2 * (n - 1)) if align else (-1, 2 * n - 1)
        x, slope = _reflected(xp, x, *bounds)
    free = ((x > 0) & (x < n - 1)).astype(x.dtype)
    return _clipped(xp, x, n), free if slope is None else slope * free


def _neighbours(xp, coordinate, n, mode, padding, align, order):
    """Pairs (place along the side, -1 for outside; weight or None for 1) for one coordinate."""
    real = coordinate.dtype.type
    if align:
        x, slope = (coordinate + real(1)) * real((n - 1) / 2), (n - 1) / 2
    else:
        x, slope = ((coordinate + real(1)) * real(n) - real(1)) / real(2), n / 2
    inner = None
    if mode != "bicubic":
        x, inner = _inside(xp, x, n, padding, align)
    first = xp.rint(x) if mode == "nearest" else xp.floor(x)
    t = x - first
    # what is far outside or no number must not become a random place
    first = xp.where(abs(x) < 2**30, first, real(-100))
    factor = None
    if order:
        factor = real(slope**order) if inner is None else real(slope**order) * inner**order
    made = []
    for offset, polynomial in _derived(mode, order):
        weight = None
        if polynomial != [1.0]:
            weight = xp.full(t.shape, polynomial[0], t.dtype)
            for value in polynomial[1:]:
                weight = weight * t + real(value)
        if factor is not None:
            weight = factor if weight is None else weight * factor
        where = first + real(offset)
        if mode == "bicubic":
            where, _ = _inside(xp, where, n, padding, align)
        place = where.astype(np.int64)
        made.append((xp.where((place < 0) | (place >= n), -1, place), weight))
    return made


def _weighted(xp, grid, sides, mode, padding, align, orders):
    """For every combination of neighbours: rows in a table of all pixels (one more, the last, for
    those outside) and weights, both (N · points)."""
    dims, batch = len(sides), grid.shape[0]
    points = grid.reshape(batch, math.prod(grid.shape[1:-1]), dims)
    by_side = [
        _neighbours(xp, points[..., dims - 1 - i], n, mode, padding, align, orders[dims - 1 - i])
        for i, n in enumerate(sides)
    ]
    size = math.prod(sides)
    first = xp.arange(batch, dtype=np.int64)[:, None] * size
    for chosen in itertools.product(*by_side):
        place, outside, weight = 0, None, None
        for (where, part), n in zip(chosen, sides, strict=True):
            place = place * n + where
            gone = where < 0
            outside = gone if outside is None else outside | gone
            weight = part if weight is None else weight if part is None else weight * part
        rows = xp.where(outside, batch * size, place + first)
        yield rows.reshape(-1), None if weight is None else weight.reshape(-1)


def check(input, grid, mode, padding_mode):
    """Raises RuntimeError unless `grid` (N, *points, sides) fits `input` (N, C, *sides)."""
    dims = len(input) - 2
    if dims not in (2, 3) or len(grid) != len(input):
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but "
            f"got input with sizes {list(input)} and grid with sizes {list(grid)}"
        )
    if input[0] != grid[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with "
            f"sizes {list(input)} and grid with sizes {list(grid)}"
        )
    if grid[-1] != dims:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {dims} in last dimension, but got grid "
            f"with sizes {list(grid)}"
        )
    if 0 in input[2:]:
        raise RuntimeError(
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has "
            f"sizes {list(input)}"
        )
    if mode == "bicubic" and dims == 3:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    for given, known in ((mode, MODES), (padding_mode, PADDINGS)):
        if given not in known:
            raise ValueError(
                f"grid_sample(): expected one of {', '.join(known)}, but got: {given!r}"
            )


def _table(xp, x):
    """(N, C, *sides) as rows of channels, and a row of zeros for what is outside."""
    n, channels, *sides = x.shape
    size = math.prod(sides)
    made = xp.empty((n * size + 1, channels), x.dtype)
    made[:-1] = x.reshape(n, channels, size).swapaxes(1, 2).reshape(n * size, channels)
    made[-1] = 0
    return made


def _wide(x):
    return x.astype(np.float32) if x.dtype.char == "e" else x


def _samples(make):
    def points(*shape):
        drawn = make(*shape, low=-1.4, high=1.4)
        # torch computes halves in halves: then only simple fractions mean the same
        return np.round(drawn * 2) / 2 if drawn.dtype.itemsize == 2 else drawn

    for mode in MODES:
        for padding in PADDINGS:
            for align in (False, True):
                yield Sample(make(2, 2, 4, 5), points(2, 3, 2, 2), mode, padding, align)
                if mode != "bicubic":
                    yield Sample(make(1, 2, 3, 4, 2), points(1, 2, 1, 3, 3), mode, padding, align)
    yield Sample(make(1, 2, 1, 1), points(1, 2, 2, 2), "bilinear", "reflection", True)
    yield Sample(make(0, 2, 3, 3), points(0, 2, 2, 2))


def _errors(make):
    x = make(2, 3, 4, 5)
    yield Sample(x, make(1, 3, 3, 2))
    yield Sample(x, make(2, 3, 3, 3))
    yield Sample(x, make(2, 3, 3, 3, 3))
    yield Sample(make(3, 4, 5), make(3, 3, 2))
    yield Sample(make(2, 3, 0, 5), make(2, 3, 3, 2))
    yield Sample(make(1, 1, 3, 3, 3), make(1, 2, 2, 2, 3), "bicubic")
    yield Sample(x, make(2, 3, 3, 2), "cubic")
    yield Sample(x, make(2, 3, 3, 2), "bilinear", "mirror")
    yield Sample(x, make(2, 3, 3, 2).astype(np.float32))


def _oracle(torch, input, grid, mode="bilinear", padding_mode="zeros", align_corners=False):
    return torch.nn.functional.grid_sample(input, grid, mode, padding_mode, align_corners)


def _raised(orders, dims, i):
    """The orders with one more differentiation by coordinate `i`."""
    held = orders or (0,) * dims
    return tuple(o + (j == i) for j, o in enumerate(held))


@op(
    accepts="f",
    dtype="same",
    shape=lambda input, grid: (*input[:2], *grid[1:-1]),
    function=False,
    method=False,
    samples=_samples,
    errors=_errors,
    oracle=_oracle,
)
def sample_grid(
    xp, input, grid, /, mode="bilinear", padding_mode="zeros", align_corners=False, orders=None
):
    """`input` (N, C, *sides) at the points `grid` (N, *points, sides), each in [-1, 1]: x first.

    `orders`: how often the samples are differentiated by each coordinate, not at all by default.
    Raises RuntimeError for shapes that do not fit, ValueError for an unknown mode.
    """
    check(input.shape, grid.shape, mode, padding_mode)
    dims, channels = input.ndim - 2, input.shape[1]
    table, total = _table(xp, _wide(input)), None
    for rows, weight in _weighted(
        xp, _wide(grid), input.shape[2:], mode, padding_mode, align_corners, orders or (0,) * dims
    ):
        values = table[rows]
        if weight is not None:
            values *= weight[:, None]
        total = values if total is None else total + values
    shape = (grid.shape[0], *grid.shape[1:-1])
    if total is None:
        return xp.zeros((shape[0], channels, *shape[1:]), input.dtype)
    made = xp.moveaxis(total.reshape(*shape, channels), -1, 1)
    return xp.ascontiguousarray(made).astype(input.dtype, copy=False)


def _slopes(F, g, input, grid, mode, padding_mode, align_corners, orders):
    """The gradient by the grid of Σ g · sample(input)."""
    dims = len(grid.shape) - 2
    parts = []
    for i in range(dims):
        slope = F.sample_grid(
            input, grid, mode, padding_mode, align_corners, _raised(orders, dims, i)
        )
        parts.append(F.sum(g * slope, (1,), False))
    return F.stack(parts, -1)


def _put_samples(make):
    for orders in (None, (1, 0)):
        yield Sample(
            make(2, 2, 3, 2), make(2, 3, 2, 2, low=-1.3, high=1.3), (2, 2, 4, 5), "bicubic",
            "zeros", False, orders,
        )  # fmt: skip
    yield Sample(
        make(1, 2, 2, 1, 3), make(1, 2, 1, 3, 3, low=-1.3, high=1.3), (1, 2, 3, 4, 2), "bilinear",
        "reflection", True, None,
    )  # fmt: skip


@op(
    accepts="f",
    dtype="same",
    shape=shape_setting,
    function=False,
    method=False,
    oracle=False,
    samples=_put_samples,
)
def put_grid(xp, input, grid, /, shape, mode, padding_mode, align_corners, orders):
    """The adjoint of sample_grid in its input: (N, C, *points) → `shape`."""
    n, channels, *sides = shape
    g = _wide(input)
    values = xp.moveaxis(g, 1, -1).reshape(-1, channels)
    out = xp.zeros((n * math.prod(sides) + 1) * channels, g.dtype)
    column = xp.arange(channels, dtype=np.int64)
    for rows, weight in _weighted(
        xp, _wide(grid), sides, mode, padding_mode, align_corners, orders or (0,) * len(sides)
    ):
        share = values if weight is None else values * weight[:, None]
        accumulate(xp, out, (rows[:, None] * channels + column).reshape(-1), share.reshape(-1))
    made = out[:-channels].reshape(n, math.prod(sides), channels) if channels else out
    return xp.ascontiguousarray(made.swapaxes(1, 2)).reshape(shape).astype(input.dtype, copy=False)


sample_grid.vjp(
    input=lambda F, g, grid, input_shape, mode, padding_mode, align_corners, orders: F.put_grid(
        g, grid, input_shape, mode, padding_mode, align_corners, orders
    ),
    grid=_slopes,
)
put_grid.vjp(
    input=lambda F, g, grid, mode, padding_mode, align_corners, orders: F.sample_grid(
        g, grid, mode, padding_mode, align_corners, orders
    ),
    grid=lambda F, g, input, grid, mode, padding_mode, align_corners, orders: _slopes(
        F, input, g, grid, mode, padding_mode, align_corners, orders
    ),
)
