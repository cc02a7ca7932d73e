"""Convolution as products of shifted views of channels-last rows: nothing is unfolded.

A few images at a time lie as (W, N, D, H, C), padded, in a buffer that stays in the cache. A row of
it is one column of one image, so an output row's windows at one horizontal tap are a *plain
submatrix*: the rows (w + tap, n) for all w and n, and the columns (h … h + kh, C), which lie side
by side. Each tap of one side of the kernel is then one matrix product over kh · C, added to the
output (BLAS gemm with beta = 1); a stride along W becomes contiguous by storing every stride-th
column together. The adjoint in the input adds the same products the other way round, into the
same submatrices; the adjoint in the weight multiplies them by the output's gradient. All three
multiply exactly as much as the definition does.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from math import prod

import numpy as np

from workbench.arrays.openblas import products, transpose
from workbench.arrays.scratch import scratch

_CACHE = 5 << 18  # bytes of padded rows at a time
_TALL = 128  # rows that a product should have at least


class Layout:
    """Where a batch of `m` images lies in rows, and the products over them."""

    def __init__(self, geo, m):
        (_, _, sw), (_, dh, _) = geo.stride, geo.dilation
        self.geo, self.m = geo, m
        depth, height, width = geo.room
        self.wide = -(-width // sw)  # columns of one residue
        self.shape = (sw, self.wide, m, depth, height, geo.c)
        self.row = depth * height * geo.c
        self.joined = dh == 1 and geo.kernel[1] > 1  # vertical taps lie side by side
        od, oh, ow = geo.outs
        kd, kh, kw = geo.kernel
        self.tall = ow * m
        self.k = geo.c * (kh if self.joined else 1)
        self.taps = [
            (d, h, w) for d in range(kd) for h in range(1 if self.joined else kh) for w in range(kw)
        ]
        self.spots = [(d, h) for d in range(od) for h in range(oh)]
        self.starts = [
            [self._start(d, h, tap) for d, h in self.spots] for tap in self.taps
        ]  # fmt: skip

    def _start(self, d, h, tap):
        """Where the submatrix of an output row (d, h) at a tap begins, in elements."""
        geo = self.geo
        at_d = d * geo.stride[0] + tap[0] * geo.dilation[0]
        at_h = h * geo.stride[1] + tap[1] * geo.dilation[1]
        at_w = tap[2] * geo.dilation[2]
        column = at_w % geo.stride[2] * self.wide + at_w // geo.stride[2]
        return column * self.m * self.row + (at_d * geo.room[1] + at_h) * geo.c

    def _walk(self, spot_first):
        """(tap, spot, element where the tap's submatrix begins)."""
        pairs = [(t, s) for t in range(len(self.taps)) for s in range(len(self.spots))]
        if spot_first:
            pairs.sort(key=lambda pair: pair[1])
        return [(t, s, self.starts[t][s]) for t, s in pairs]

    @cached_property
    def onward(self):
        """The products of the convolution: rows, kernels, output."""
        weight, row = self.k * self.geo.k, self.tall * self.geo.k
        return [(at, t * weight, s * row, t > 0) for t, s, at in self._walk(True)]

    @cached_property
    def back(self):
        """Those of its adjoint in the input: output, kernels, rows."""
        return [(o, k, i, True) for i, k, o, _ in self.onward]

    @cached_property
    def weight(self):
        """Those of its adjoint in the weight: output, rows, kernels."""
        weight, row = self.k * self.geo.k, self.tall * self.geo.k
        return [(s * row, at, t * weight, True) for t, s, at in self._walk(False)]

    def residues(self):
        """For every residue of W by the stride: it, its first column and the input's columns."""
        geo, step = self.geo, self.geo.stride[2]
        lo, n = geo.lo[2], geo.ins[2]
        for r in range(step):
            first = max(0, -(-(lo - r) // step))
            columns = range(first * step + r - lo, n, step)
            yield r, first, columns


@lru_cache(maxsize=256)
def _layout(geo):
    return Layout(geo, geo.batch)


def _chunks(geo, itemsize):
    """(slice of the batch, its layout), one after the other: even parts that fit the cache."""
    each = prod(geo.room) * geo.c * itemsize
    want = max(1, _CACHE // max(each, 1), -(-_TALL // geo.outs[-1]))
    parts = max(1, round(geo.batch / want))
    size = -(-geo.batch // parts)
    for i in range(0, geo.batch, size):
        stop = min(i + size, geo.batch)
        yield slice(i, stop), _layout(geo.resized(stop - i, geo.c, geo.k, 1))


def _flat(x):
    """A contiguous (N, C, *sides) as a matrix (N · C, positions)."""
    return x.reshape(x.shape[0] * x.shape[1], -1)


def _load(x, lay):
    """Images (m, C, D, H, W) as padded rows."""
    geo, m = lay.geo, lay.m
    turned = scratch("turned", (*geo.ins, m, geo.c), x.dtype)
    transpose(_flat(x), turned.reshape(-1, m * geo.c))
    rows = scratch("rows", lay.shape, x.dtype)
    (ld, lh, _), (d, h, _) = geo.lo, geo.ins
    if ld or ld + d < geo.room[0]:
        rows[:, :, :, :ld] = 0
        rows[:, :, :, ld + d :] = 0
    if lh or lh + h < geo.room[1]:
        rows[:, :, :, :, :lh] = 0
        rows[:, :, :, :, lh + h :] = 0
    source = turned.transpose(2, 3, 0, 1, 4)
    for r, first, columns in lay.residues():
        stop = first + len(columns)
        rows[r, :first] = 0
        rows[r, stop:] = 0
        rows[r, first:stop, :, ld : ld + d, lh : lh + h] = source[columns.start :: columns.step]
    return rows


def _store(rows, lay, out):
    """The adjoint of `_load`: padded rows cut out and turned into images."""
    geo, m = lay.geo, lay.m
    turned = scratch("turned", (*geo.ins, m, geo.c), rows.dtype)
    (ld, lh, _), (d, h, _) = geo.lo, geo.ins
    target = turned.transpose(2, 3, 0, 1, 4)
    for r, first, columns in lay.residues():
        part = rows[r, first : first + len(columns), :, ld : ld + d, lh : lh + h]
        target[columns.start :: columns.step] = part
    transpose(turned.reshape(-1, m * geo.c), _flat(out))


def _load_outputs(y, lay):
    """Gradients (m, K, D, H, W) of the result as (D, H, W, m, K)."""
    geo = lay.geo
    turned = scratch("outputs", (*geo.outs, lay.m, geo.k), y.dtype)
    transpose(_flat(y), turned.reshape(-1, lay.m * geo.k))
    return turned


def forward(x, w, geo, out):
    """Float32 or float64 images (N, C, D, H, W) and the weight → (N, K, D, H, W)."""
    turned = np.ascontiguousarray(w.transpose(2, 4, 3, 1, 0) if geo.dilation[1] == 1
                                  else w.transpose(2, 3, 4, 1, 0))  # fmt: skip
    for part, lay in _chunks(geo, x.dtype.itemsize):
        rows = _load(x[part], lay)
        made = scratch("outputs", (*geo.outs, lay.m, geo.k), x.dtype)
        products(rows, turned, made, (lay.tall, geo.k, lay.k), (lay.row, geo.k, geo.k),
                 lay.onward)  # fmt: skip
        transpose(made.reshape(-1, lay.m * geo.k), _flat(out[part]))


def adjoints(x, y, w, geo, dx, dw):
    """What the gradients `y` (N, K, D, H, W) of the result give for the images and the weights.

    Written into `dx` (N, C, D, H, W) and `dw`, either of which may be None. Both at a time share
    the way there of `y`.
    """
    near = geo.dilation[1] == 1
    turned = total = None
    if dx is not None:
        order = (2, 4, 0, 3, 1) if near else (2, 3, 4, 0, 1)
        turned = np.ascontiguousarray(w.transpose(order))
    if dw is not None:
        total = np.zeros(geo.k * geo.c * geo.taps, y.dtype)
    for part, lay in _chunks(geo, y.dtype.itemsize):
        given, k = _load_outputs(y[part], lay), geo.k
        if dw is not None:
            rows = _load(x[part], lay)
            products(given, rows, total, (k, lay.k, lay.tall), (k, lay.row, lay.k), lay.weight,
                     transposed=True)  # fmt: skip
        if dx is not None:
            rows = scratch("rows", lay.shape, y.dtype)
            rows[...] = 0
            products(given, turned, rows, (lay.tall, lay.k, k), (k, lay.k, lay.row), lay.back)
            _store(rows, lay, dx[part])
    if dw is not None:
        kd, kh, kw = geo.kernel
        if near:
            dw[...] = total.reshape(kd, kw, geo.k, kh, geo.c).transpose(2, 4, 0, 3, 1)
        else:
            dw[...] = total.reshape(kd, kh, kw, geo.k, geo.c).transpose(3, 4, 0, 1, 2)


def adjoint_input(y, w, geo, out):
    """Gradients (N, K, D, H, W) of the result and the weight → `out` (N, C, D, H, W)."""
    adjoints(None, y, w, geo, out, None)


def adjoint_weight(x, y, geo, out):
    """Images and gradients of the result → `out`, the weight's gradient."""
    adjoints(x, y, None, geo, None, out)
