"""Convolution by 3 × 3 kernels in 2.25 times fewer multiplications: Winograd's F(2 × 2, 3 × 3).

Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks" (2016). Output tiles of 2 × 2 come
from input tiles of 4 × 4, tile by tile d and kernel g:

    Aᵀ [ (G g Gᵀ) ∘ (Bᵀ d B) ] A

which over channels is one matrix product for each of the 16 places of a tile. All factors are 0,
±1 and ½: rounding errors stay at the size of the direct sum's. The transforms are sums of whole
planes: images lie as (H, W, N · C), so that every addition runs over long contiguous rows.
"""

from __future__ import annotations

import numpy as np

from workbench.arrays.openblas import products, transpose
from workbench.arrays.scratch import scratch

_CACHE = 3 << 18  # bytes of transformed tiles (input and output) at a time
_RUN = 256  # elements that a row should have at least
_G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])


def _kernels(w):
    """Weights (K, C, 3, 3) as (16, C, K) in the tiles' places, the one along W first."""
    k, c = w.shape[:2]
    both = np.einsum("vj,xi->vxij", _G, _G).reshape(16, 9).astype(w.dtype)
    made = np.matmul(both, w.reshape(k * c, 9).T).reshape(16, k, c)
    return np.ascontiguousarray(made.swapaxes(1, 2))


def _adjoint_kernels(made, geo):
    """The adjoint of `_kernels`: (16, C, K) → (K, C, 3, 3)."""
    both = np.einsum("vj,xi->vxij", _G, _G).reshape(16, 9).astype(made.dtype)
    flat = np.matmul(both.T, made.reshape(16, -1)).reshape(9, geo.c, geo.k)
    return np.ascontiguousarray(flat.transpose(2, 1, 0)).reshape(geo.w_shape)


class Tiles:
    """How the output's sides are cut into tiles, and work is cut into pieces."""

    def __init__(self, geo, itemsize):
        self.geo = geo
        self.oh, self.ow = geo.outs[-2:]
        self.th, self.tw = -(-self.oh // 2), -(-self.ow // 2)
        self.m = min(geo.batch, max(4, -(-_RUN // min(geo.c, geo.k))))
        row = 16 * self.tw * self.m * (geo.c + geo.k) * itemsize
        self.tall = min(self.th, max(1, _CACHE // row))  # rows of tiles at a time

    def batches(self):
        """(slice of the batch, images in it)."""
        n = self.geo.batch
        for i in range(0, n, self.m):
            stop = min(i + self.m, n)
            yield slice(i, stop), stop - i

    def pieces(self):
        """(first row of tiles, how many)."""
        for i in range(0, self.th, self.tall):
            yield i, min(self.tall, self.th - i)


def _load(x, tiles, m):
    """Images (m, C, H, W) as (2 th + 2, W, m · C), zeros above and below."""
    geo = tiles.geo
    h, w = geo.ins[-2:]
    lo = geo.lo[-2]
    tall = 2 * tiles.th + 2
    held = min(h, tall - lo)  # a valid convolution of an even side leaves none out
    rows = scratch("images", (max(tall, lo + h), w, m * geo.c), x.dtype)
    rows[:lo] = 0
    rows[lo + held :] = 0
    transpose(x.reshape(m * geo.c, h * w), rows[lo : lo + h].reshape(h * w, m * geo.c))
    return rows


def _inputs(rows, tiles, m, at, n):
    """Bᵀ d B for `n` rows of tiles from row `at` on: (4, 4, n, tw, m · C), along W first."""
    geo, tw = tiles.geo, tiles.tw
    lo, w = geo.lo[-1], geo.ins[-1]
    wide = 2 * tw + 2
    down = scratch("down", (4, n, max(wide, lo + w), m * geo.c), rows.dtype)
    down[:, :, :lo] = 0
    down[:, :, lo + w :] = 0
    inside = down[:, :, lo : lo + w]
    d0, d1, d2, d3 = (rows[2 * at + i : 2 * at + i + 2 * n - 1 : 2] for i in range(4))
    np.subtract(d0, d2, out=inside[0])
    np.add(d1, d2, out=inside[1])
    np.subtract(d2, d1, out=inside[2])
    np.subtract(d1, d3, out=inside[3])
    both = scratch("tiles", (4, 4, n, tw, m * geo.c), rows.dtype)
    d0, d1, d2, d3 = (down[:, :, i : i + 2 * tw - 1 : 2] for i in range(4))
    np.subtract(d0, d2, out=both[0])
    np.add(d1, d2, out=both[1])
    np.subtract(d2, d1, out=both[2])
    np.subtract(d1, d3, out=both[3])
    return both


def _outputs(made, out, tiles, at, n):
    """Aᵀ m A of (4, 4, n, tw, m · K), along W first, into rows of `out` (oh, ow, m · K)."""
    shape = made.shape[1:]
    half = scratch("half", (3, *shape), made.dtype)
    for side, (combine, last) in enumerate(((np.add, 0), (np.subtract, 3))):
        combine(made[1], made[2], out=half[side])
        (np.add if last == 0 else np.subtract)(half[side], made[last], out=half[side])
    part = out[2 * at : 2 * (at + n)]
    for w in range(2):
        m0, m1, m2, m3 = half[w]
        for h, (combine, finish, last) in enumerate(
            ((np.add, np.add, m0), (np.subtract, np.subtract, m3))
        ):
            target = part[h::2, w::2]
            tall, wide = target.shape[:2]
            between = combine(m1[:tall, :wide], m2[:tall, :wide], out=half[2, 0, :tall, :wide])
            finish(between, last[:tall, :wide], out=target)


def forward(x, w, geo):
    """Images (N, C, H, W) and weights (K, C, 3, 3) → (N, K, oh, ow)."""
    tiles = Tiles(geo, x.dtype.itemsize)
    out = np.empty(geo.y_shape, x.dtype)
    kernels = _kernels(w)
    for part, m in tiles.batches():
        rows = _load(x[part], tiles, m)
        turned = scratch("results", (tiles.oh, tiles.ow, m * geo.k), x.dtype)
        for at, n in tiles.pieces():
            taken = _inputs(rows, tiles, m, at, n).reshape(16, n * tiles.tw * m, geo.c)
            made = scratch("products", (16, n * tiles.tw * m, geo.k), x.dtype)
            np.matmul(taken, kernels, out=made)
            _outputs(made.reshape(4, 4, n, tiles.tw, m * geo.k), turned, tiles, at, n)
        transpose(turned.reshape(-1, m * geo.k), out[part].reshape(m * geo.k, -1))
    return out


def adjoint_input(y, w, geo):
    """Gradients (N, K, oh, ow) of the result → (N, C, H, W): the same with turned kernels."""
    lo, hi = geo.lo, geo.hi
    back = type(geo)(
        geo.batch, geo.k, geo.c, 1, geo.outs, geo.kernel, geo.stride, geo.dilation,
        tuple(2 - p for p in lo), tuple(2 - p for p in hi), geo.ins,
    )  # fmt: skip
    turned = w[:, :, ::-1, ::-1].swapaxes(0, 1)
    return forward(y, np.ascontiguousarray(turned), back)


def _gradients(rows, tiles, m, at, n):
    """A g Aᵀ for `n` rows of tiles from row `at` on: (4, 4, n, tw, m · K), along W first."""
    geo, tw = tiles.geo, tiles.tw
    down = scratch("half", (4, n, 2 * tw, m * geo.k), rows.dtype)
    above, below = rows[2 * at : 2 * (at + n) : 2], rows[2 * at + 1 : 2 * (at + n) : 2]
    down[0] = above
    np.add(above, below, out=down[1])
    np.subtract(above, below, out=down[2])
    np.negative(below, out=down[3])
    both = scratch("products", (4, 4, n, tw, m * geo.k), rows.dtype)
    left, right = down[:, :, ::2], down[:, :, 1::2]
    both[0] = left
    np.add(left, right, out=both[1])
    np.subtract(left, right, out=both[2])
    np.negative(right, out=both[3])
    return both


def _load_gradients(y, tiles, m):
    """Gradients (m, K, oh, ow) as (2 th, 2 tw, m · K), zeros beyond the last."""
    oh, ow, mk = tiles.oh, tiles.ow, m * tiles.geo.k
    rows = scratch("results", (2 * tiles.th, 2 * tiles.tw, mk), y.dtype)
    if oh == 2 * tiles.th and ow == 2 * tiles.tw:
        transpose(y.reshape(mk, oh * ow), rows.reshape(oh * ow, mk))
        return rows
    turned = scratch("turned", (oh, ow, mk), y.dtype)
    transpose(y.reshape(mk, oh * ow), turned.reshape(oh * ow, mk))
    rows[:oh, :ow] = turned
    rows[oh:] = 0
    rows[:, ow:] = 0
    return rows


def adjoint_weight(x, y, geo):
    """Images (N, C, H, W) and gradients (N, K, oh, ow) of the result → (K, C, 3, 3)."""
    tiles = Tiles(geo, x.dtype.itemsize)
    c, k = geo.c, geo.k
    total = np.zeros((16, c, k), x.dtype)
    for part, m in tiles.batches():
        rows = _load(x[part], tiles, m)
        grads = _load_gradients(y[part], tiles, m)
        for at, n in tiles.pieces():
            taken = _inputs(rows, tiles, m, at, n)
            given = _gradients(grads, tiles, m, at, n)
            tall = n * tiles.tw * m
            steps = [(i * tall * c, i * tall * k, i * c * k, True) for i in range(16)]
            products(taken, given, total, (c, k, tall), (c, k, k), steps, transposed=True)
    return _adjoint_kernels(total, geo)
