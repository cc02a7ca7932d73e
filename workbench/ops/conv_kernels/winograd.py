"""Convolution with kernels three rows high in two thirds of the multiplications.

Winograd's F(2, 3) along H (Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks",
2016): two output rows y come from four input rows d and three kernel rows g by four products,

    y = Aᵀ [ (G g) ∘ (Bᵀ d) ],

where a "product" is a convolution along W, here matrix products of shifted rows. All factors are
0, ±1 and ½, so rounding errors stay at the size of the direct sum's. Along W too it would save
more multiplications than the additions are worth in NumPy.

Images lie as (H, W, N · C): the transforms are sums of whole image rows, contiguous and long, and
a tap's windows are contiguous rows of (W · N, C). The adjoints run the same steps transposed.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np

from workbench.arrays.openblas import products, transpose
from workbench.arrays.scratch import scratch

_CACHE = 1 << 18  # bytes of transformed rows at a time, at least
_TALL = 448  # rows that a product should have: fewer cost calls, more leave the cache


class Layout:
    """How a batch of images is cut into tiles, and the products over them."""

    def __init__(self, geo, itemsize):
        self.geo = geo
        self.m = m = geo.batch
        self.pairs = -(-geo.outs[-2] // 2)  # pairs of output rows
        self.wide, self.kw = geo.room[-1], geo.kernel[-1]
        self.tall = geo.outs[-1] * m
        self.row_in, self.row_out = self.wide * m * geo.c, self.tall * geo.k
        each = 4 * itemsize * (self.row_in + self.row_out)
        self.n = max(1, min(self.pairs, _CACHE // each))  # pairs at a time

    def pieces(self):
        """(first pair of output rows, how many)."""
        for at in range(0, self.pairs, self.n):
            yield at, min(self.n, self.pairs - at)

    def _walk(self, places, rows):
        """(in the rows, in the kernels, in the results) for each product; one tap after another.

        `places`: which of the four products; `rows(place, t)`: the row of results of pair t.
        """
        geo = self.geo
        step = geo.dilation[-1] * self.m * geo.c
        return [
            (
                (x * self.n + t) * self.row_in + j * step,
                (x * self.kw + j) * geo.c * geo.k,
                rows(x, t) * self.row_out,
                j > 0,
            )
            for t in range(self.n)
            for x in places
            for j in range(self.kw)
        ]

    @cached_property
    def outer(self):
        """The first and the last product: they go into the output rows themselves."""
        return self._walk((0, 3), lambda x, t: 2 * t + (x == 3))

    @cached_property
    def inner(self):
        """The two in between, whose sum and difference are added to the output rows."""
        return self._walk((1, 2), lambda x, t: (x - 1) * self.n + t)

    @cached_property
    def outer_back(self):
        """`outer` for the adjoint in the input: results, kernels, rows."""
        return [(o, k, i, True) for i, k, o, _ in self.outer]

    @cached_property
    def inner_back(self):
        """`inner` likewise."""
        return [(o, k, i, True) for i, k, o, _ in self.inner]

    @cached_property
    def outer_weight(self):
        """`outer` for the adjoint in the weight: rows, results, kernels."""
        return sorted((i, o, k, True) for i, k, o, _ in self.outer)

    @cached_property
    def inner_weight(self):
        """`inner` likewise."""
        return sorted((i, o, k, True) for i, k, o, _ in self.inner)


@lru_cache(maxsize=256)
def _layout(geo, itemsize):
    return Layout(geo, itemsize)


def _batches(geo, itemsize):
    """(slice of the batch, its layout): even parts, each with products tall enough."""
    parts = max(1, round(geo.batch * geo.outs[-1] / _TALL))
    size = -(-geo.batch // parts)
    for i in range(0, geo.batch, size):
        stop = min(i + size, geo.batch)
        yield slice(i, stop), _layout(geo.resized(stop - i, geo.c, geo.k, 1), itemsize)


def _pairs(rows, at, n, first):
    """Every second row, from row `first` of pair `at` on."""
    start = 2 * at + first
    return rows[start : start + 2 * n - 1 : 2]


def _load(x, lay):
    """Images (m, C, H, W) as (rows that the tiles see, W, m · C), zeros above and below."""
    geo = lay.geo
    (h, w), lo, mc = geo.ins[-2:], geo.lo[-2], lay.m * geo.c
    rows = scratch("images", (max(2 * lay.pairs + 2, lo + h), w, mc), x.dtype)
    rows[:lo] = 0
    rows[lo + h :] = 0
    transpose(x.reshape(mc, h * w), rows[lo : lo + h].reshape(h * w, mc))
    return rows


def _inputs(rows, lay, at, n):
    """Bᵀ d for `n` pairs of output rows from pair `at` on: (4, lay.n, room, m · C)."""
    geo = lay.geo
    lo, w = geo.lo[-1], geo.ins[-1]
    made = scratch("tiles", (4, lay.n, lay.wide, lay.m * geo.c), rows.dtype)
    made[:, :, :lo] = 0
    made[:, :, lo + w :] = 0
    inside = made[:, :n, lo : lo + w]
    d0, d1, d2, d3 = (_pairs(rows, at, n, i) for i in range(4))
    np.subtract(d0, d2, out=inside[0])
    np.add(d1, d2, out=inside[1])
    np.subtract(d2, d1, out=inside[2])
    np.subtract(d1, d3, out=inside[3])
    return made


def _some(steps, lay, n):
    """The steps of the first `n` pairs, where a piece has fewer than the others."""
    return steps if n == lay.n else steps[: len(steps) // lay.n * n]


def _kernels(w):
    """G g of weights (K, C, 3, kw): (4, kw, C, K).

    They are g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2 and -g2; the last one's sign makes the
    fourth product's sign in Aᵀ a plus.
    """
    k, c, _, kw = w.shape
    turned = scratch("turned kernels", (c, 3, kw, k), w.dtype)
    transpose(w.reshape(k, -1), turned.reshape(-1, k))
    g0, g1, g2 = turned.transpose(1, 2, 0, 3)
    made = np.empty((4, kw, c, k), w.dtype)
    half = w.dtype.type(0.5)
    made[0] = g0
    outer = np.add(g0, g2, out=made[3])
    np.add(outer, g1, out=made[1])
    made[1] *= half
    np.subtract(outer, made[1], out=made[2])
    np.negative(g2, out=made[3])
    return made


def _other_way(kernels):
    """(4, kw, C, K) as (4, kw, K, C)."""
    four, kw, c, k = kernels.shape
    made = np.empty((four, kw, k, c), kernels.dtype)
    for one, other in zip(kernels.reshape(-1, c, k), made.reshape(-1, k, c), strict=True):
        transpose(one, other)
    return made


def _weight(total, out):
    """Gᵀ of what four kernels (4, kw, C, K) got, as weights: `out` (K, C, 3, kw)."""
    _, kw, c, k = total.shape
    turned = scratch("turned kernels", (c, 3, kw, k), total.dtype)
    g0, g1, g2 = turned.transpose(1, 2, 0, 3)
    first, second, third, last = total
    half = total.dtype.type(0.5)
    np.add(second, third, out=g2)
    np.subtract(second, third, out=g1)
    turned[:, 1:] *= half
    np.add(first, g2, out=g0)
    g2 -= last
    if out.flags.c_contiguous:
        transpose(turned.reshape(-1, k), out.reshape(k, -1))
    else:
        out[...] = turned.transpose(3, 0, 1, 2)


def forward(x, w, geo, out):
    """Images (N, C, H, W) and weights (K, C, 3, kw) → (N, K, oh, ow)."""
    kernels = _kernels(w)
    oh, c, k = geo.outs[-2], geo.c, geo.k
    for part, lay in _batches(geo, x.dtype.itemsize):
        rows = _load(x[part], lay)
        turned = scratch("results", (2 * lay.pairs, lay.row_out), x.dtype)
        mixed = scratch("products", (3, lay.n, lay.row_out), x.dtype)
        size, strides = (lay.tall, k, c), (c, k, k)
        for at, n in lay.pieces():
            tiles = _inputs(rows, lay, at, n)
            products(tiles, kernels, mixed, size, strides, _some(lay.inner, lay, n))
            products(tiles, kernels, turned[2 * at :], size, strides, _some(lay.outer, lay, n))
            first, second, total = mixed[:, :n]
            np.add(first, second, out=total)
            np.subtract(first, second, out=first)
            above, below = _pairs(turned, at, n, 0), _pairs(turned, at, n, 1)
            np.add(above, total, out=above)
            np.add(below, first, out=below)
        transpose(turned[:oh].reshape(-1, lay.m * k), out[part].reshape(lay.m * k, -1))


def _load_gradients(y, lay):
    """Gradients (m, K, oh, ow) of the result as pairs of rows (2 pairs, ow · m · K)."""
    oh, mk = lay.geo.outs[-2], lay.m * lay.geo.k
    rows = scratch("results", (2 * lay.pairs, lay.row_out), y.dtype)
    rows[oh:] = 0
    transpose(y.reshape(mk, -1), rows[:oh].reshape(-1, mk))
    return rows


def _mixed(rows, lay, at, n):
    """Sums and differences of pairs of rows: (2, lay.n, ow · m · K)."""
    made = scratch("products", (2, lay.n, lay.row_out), rows.dtype)
    above, below = _pairs(rows, at, n, 0), _pairs(rows, at, n, 1)
    np.add(above, below, out=made[0, :n])
    np.subtract(above, below, out=made[1, :n])
    return made


def adjoints(x, y, w, geo, dx, dw):
    """What the gradients `y` (N, K, oh, ow) of the result give for the images and the weights.

    Written into `dx` (N, C, H, W) and `dw` (K, C, 3, kw), either of which may be None. Both at a
    time share the way there of `y`.
    """
    c, k, kw = geo.c, geo.k, geo.kernel[-1]
    total = None if dw is None else np.zeros((4, kw, c, k), y.dtype)
    kernels = None if dx is None else _other_way(_kernels(w))
    for part, lay in _batches(geo, y.dtype.itemsize):
        given = _load_gradients(y[part], lay)
        images = None if dw is None else _load(x[part], lay)
        back = None if dx is None else _blank(lay, y.dtype)
        for at, n in lay.pieces():
            mixed = _mixed(given, lay, at, n)
            if dw is not None:
                _weigh(images, given, mixed, total, lay, at, n)
            if dx is not None:
                _spread(given, mixed, kernels, back, lay, at, n)
        if dx is not None:
            lo, h, mc = geo.lo[-2], geo.ins[-2], lay.m * c
            transpose(back[lo : lo + h].reshape(-1, mc), dx[part].reshape(mc, -1))
    if dw is not None:
        _weight(total, dw)


def _blank(lay, dtype):
    """Zeros in the shape of `_load`'s rows."""
    h, wide = lay.geo.ins[-2:]
    tall = max(2 * lay.pairs + 2, lay.geo.lo[-2] + h)
    rows = scratch("gradients", (tall, wide, lay.m * lay.geo.c), dtype)
    rows[...] = 0
    return rows


def _weigh(images, given, mixed, total, lay, at, n):
    """Add what `n` pairs of rows give for the transformed weights to `total`."""
    c, k = lay.geo.c, lay.geo.k
    tiles = _inputs(images, lay, at, n)
    for steps, grads in ((lay.inner_weight, mixed), (lay.outer_weight, given[2 * at :])):
        chosen = steps if n == lay.n else [s for s in steps if s[0] // lay.row_in % lay.n < n]
        products(tiles, grads, total, (c, k, lay.tall), (c, k, k), chosen, transposed=True)


def _spread(given, mixed, kernels, back, lay, at, n):
    """Add what `n` pairs of rows give for the images to `back`, the adjoint of `_inputs`."""
    c, k = lay.geo.c, lay.geo.k
    left, wide = lay.geo.lo[-1], lay.geo.ins[-1]
    tiles = scratch("tiles", (4, lay.n, lay.wide, lay.m * c), given.dtype)
    tiles[...] = 0
    size, strides = (lay.tall, c, k), (k, c, c)
    products(mixed, kernels, tiles, size, strides, _some(lay.inner_back, lay, n))
    products(given[2 * at :], kernels, tiles, size, strides, _some(lay.outer_back, lay, n))
    t0, t1, t2, t3 = tiles[:, :n, left : left + wide]
    d0, d1, d2, d3 = (_pairs(back, at, n, i) for i in range(4))
    d0 += t0
    d3 -= t3
    t3 += t1
    t3 -= t2
    d1 += t3
    t1 += t2
    t1 -= t0
    d2 += t1


def adjoint_input(y, w, geo, out):
    """Gradients (N, K, oh, ow) of the result and weights → `out` (N, C, H, W)."""
    adjoints(None, y, w, geo, out, None)


def adjoint_weight(x, y, geo, out):
    """Images (N, C, H, W) and gradients (N, K, oh, ow) of the result → `out` (K, C, 3, kw)."""
    adjoints(x, y, None, geo, None, out)
