"""Products of matrices of float32 and float64: `out (+)= a @ b (+ bias)`.

    product(x, weight.T, bias=bias)      # a linear layer: what is transposed is told by strides
    product(g.T, x)                      # its weight's gradient
    product(q, k.swapaxes(-1, -2))       # batches: up to two leading dimensions, broadcast
    product(a, b, out=c, add=True)       # c += a @ b

`product` takes any arrays and leaves to NumPy what it does not compute itself: other dtypes and
orders in memory, single rows or columns, products so small that a call of the BLAS is over before
a kernel has begun. `plan(a, b, …)` is None for those; for the others it is what computes a product
of these shapes and strides, found once. Which way a product goes depends on shapes, strides and
dtypes alone, and a number of `out` is a sum of chains of fused multiply-adds, cut by k alone: the
same bits for any number of threads, tile or order in memory.

The ops call `matmul` and `linear`, which are `product` without its settings.

How a product is computed is Goto & van de Geijn's ("Anatomy of high-performance matrix
multiplication", 2008), with either factor in either part: packing costs as much as the factor it is
done to is large, so the smaller one is packed, and a tile is transposed on its way out where that
is the left one.
"""

from __future__ import annotations

import struct
from math import prod
from typing import Any

import numpy as np

from workbench.arrays import compiler
from workbench.arrays.compiler import crew
from workbench.arrays.compiler.kernel import real
from workbench.arrays.compiler.llvm import host
from workbench.arrays.scratch import room
from workbench.ops.rows import over_rows

from . import gemm_kernels as kernels
from .gemm_kernels import where

LEAST = 1 << 17  # multiply-adds: below it NumPy is quicker
DEEP = 1024  # of k in a block: a panel of `right` fits the second cache
_ALONE = 1 << 19  # multiply-adds below which it is not worth calling the other threads
_ITEM = 1 << 18  # multiply-adds of an item of work, about
_ROOM = 1 << 20  # elements of a packed block of `right`, and of `left`: a few MB
_NARROW = 6  # rows or columns: fewer fill too little of a vector
_SHORT = 128  # k: a `left` so short is read where it lies
_PLANS = 4096

_plans: dict[Any, Plan | None] = {}


def product(a: Any, b: Any, out: Any = None, *, bias: Any = None, add: bool = False) -> Any:
    """`a @ b`, with `bias` (n) added to every row, in memory of its own or in `out`.

    a: (…, m, k), b: (…, k, n), out: (…, m, n) that overlaps neither. With `add`, the product is
    added to what `out` holds.
    """
    if all(x is None or type(x) is np.ndarray for x in (a, b, out, bias)):
        made = plan(a, b, out, bias)
        if made is not None:
            return made(a, b, out, bias, add)
    if add:
        out += np.matmul(a, b)
    else:
        out = np.matmul(a, b, out=out)
    if bias is not None:
        out += bias
    return out


def matmul(a: Any, b: Any, out: Any = None) -> Any:
    """`a @ b` of two matrices or batches of them; `out`, if given, has their dtype."""
    if a.size * b.shape[-1] >= LEAST:
        if type(a) is not np.ndarray or type(b) is not np.ndarray:
            return _elsewhere(matmul, a, b)
        made = plan(a, b, out)
        if made is not None:
            return made(a, b, out)
    if a.ndim == 2 == b.ndim and a.dtype.char in "fdFD":
        return a.dot(b, out)  # the same product, reached in 0.6 µs less than by matmul
    return np.matmul(a, b, out=out)


def linear(a: Any, b: Any, bias: Any, out: Any = None) -> Any:
    """`a @ b + bias` of two matrices and a vector as long as `b`'s rows."""
    if a.size * b.shape[-1] >= LEAST:
        if type(a) is not np.ndarray or type(b) is not np.ndarray or type(bias) is not np.ndarray:
            return _elsewhere(linear, a, b, bias)
        made = plan(a, b, out, bias)
        if made is not None:
            return made(a, b, out, bias)
    out = a.dot(b, out) if a.dtype.char in "fdFD" else np.matmul(a, b, out=out)
    if len(out) < 64:  # too few for `over_rows` to matter
        return np.add(out, bias, out=out)
    return over_rows(np.add, out, bias, out)


def _elsewhere(function: Any, *arrays: Any) -> Any:
    """The product where some arrays stand in for NumPy's."""
    if plan(*arrays[:2], None, *arrays[2:]) is not None:
        kinds = {type(x) for x in arrays} - {np.ndarray}
        if all(hasattr(kind, "recorder") for kind in kinds):  # a step is being written down
            held = next(x for x in arrays if type(x) is not np.ndarray).recorder
            return held.product(function, arrays)
    made = np.matmul(*arrays[:2])
    return made + arrays[2] if len(arrays) == 3 else made


def plan(a: Any, b: Any, out: Any = None, bias: Any = None) -> Plan | None:
    """What computes this product; None where NumPy does."""
    if not compiler.available():
        return None
    key = (
        a.shape, a.strides, b.shape, b.strides, a.dtype, b.dtype, bias is not None,
        None if out is None else out.strides,
    )  # fmt: skip
    try:
        return _plans[key]
    except KeyError:
        if len(_plans) >= _PLANS:
            _plans.clear()
        made = _plans[key] = _made(a, b, out, bias)
        return made


class _Factor:
    """One factor: its strides, in elements, along m or n (`step`) and k."""

    def __init__(self, size: int, depth: int, step: int, along: int) -> None:
        if size == 1:
            step = depth if along == 1 else 1
        if depth == 1 and step != 1:
            along = 1
        self.size, self.step, self.along = size, step, along
        self.suits = step == 1 or along == 1
        self.deep = along == 1 and (step != 1 or depth == 1)  # k side by side


def _made(a: Any, b: Any, out: Any, bias: Any) -> Plan | None:
    kind = a.dtype
    if kind.char not in "fd" or not kind.isnative or b.dtype != kind or a.ndim < 2 or b.ndim < 2:
        return None
    unit = kind.itemsize
    m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
    if b.shape[-2] != k or min(m, n) < _NARROW or not k:
        return None
    arrays = [a, b, *(() if out is None else (out,))]
    if any(not x.flags.aligned or any(s % unit for s in x.strides) for x in arrays):
        return None
    if out is not None and (out.dtype != kind or out.strides[-1] != unit or out.shape[-1] != n):
        return None
    if bias is not None and (bias.dtype != kind or bias.shape != (n,) or bias.strides != (unit,)):
        return None
    lead = _leading(a, b, out, unit)
    if lead is None or prod(lead[0]) * m * n * k < LEAST:
        return None
    left = _Factor(m, k, a.strides[-2] // unit, a.strides[-1] // unit)
    right = _Factor(n, k, b.strides[-1] // unit, b.strides[-2] // unit)
    if not left.suits or not right.suits:
        return None
    step = n if out is None else out.strides[-2] // unit
    return Plan(left, right, k, step, real(kind), kind, lead, bias is not None)


def _leading(a: Any, b: Any, out: Any, unit: int) -> Any:
    """(shape, [(size, of a, of b, of out)] for two loops) of the leading dimensions."""
    shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    m, n = a.shape[-2], b.shape[-1]
    if out is None:
        steps, size = [], m * n
        for extent in shape[::-1]:
            steps.append(size)
            size *= extent
        of_out = tuple(steps[::-1])
    elif out.shape[:-2] != shape:
        return None
    else:
        of_out = tuple(s // unit for s in out.strides[:-2])

    def strides(x: Any) -> list[int]:
        held = [0] * (len(shape) + 2 - x.ndim)
        for extent, stride in zip(x.shape[:-2], x.strides[:-2], strict=True):
            held.append(0 if extent == 1 else stride // unit)
        return held

    loops: list[tuple[int, ...]] = []
    for extent, *steps in zip(shape, strides(a), strides(b), of_out, strict=True):
        if extent == 1:
            continue
        if loops and all(
            was == now * extent for was, now in zip(loops[-1][1:], steps, strict=True)
        ):
            loops[-1] = (loops[-1][0] * extent, *steps)
        else:
            loops.append((extent, *steps))
    if len(loops) > 2 or 0 in shape:
        return None
    return shape, [(1, 0, 0, 0)] * (2 - len(loops)) + loops


def _tile(vectors: int) -> tuple[int, int, int]:
    """(rows, wide, narrow) for a `right` of so many vectors."""
    many = host().registers >= 32
    if vectors == 1:
        return (16 if many else 8), 1, 0
    if vectors == 2:
        return (12 if many else 4), 2, 0
    return (8 if many else 4), 3, 0 if vectors % 3 == 0 else 2


def _worth_packing(m: int, n: int, depth: int, lanes: int) -> bool:
    """Whether a `right` whose rows suit is better packed than read where it lies for every tile.

    It has to be where the last vector is not full: whole vectors are read.
    """
    return n % lanes != 0 or m > (256 if depth <= 512 else 64)


def _cost(left: _Factor, right: _Factor, depth: int, lanes: int, turned: bool) -> float:
    """Cycles beside the multiply-adds proper, about."""
    m, n = left.size, right.size
    spent = m * depth * (-n % lanes) / (2 * lanes)
    if right.deep:
        spent += n * depth * 4 / lanes
    elif _worth_packing(m, n, depth, lanes):
        spent += n * depth * 2 / lanes
    if not left.deep and depth > _SHORT:
        spent += m * depth * 2 / lanes
    return spent + (m * n * 8 / lanes if turned else 0)


def _blocks(m: int, n: int, depth: int, rows: int, lanes: int, packs: tuple[bool, bool]) -> Any:
    """How many of m, n and k are taken at a time: what is packed of a factor fits its room."""
    k_block = -(-depth // -(-depth // DEEP))
    n_block, m_block = n, m
    if packs[1] and n * k_block > _ROOM:
        vectors = -(-n // lanes)
        each = max(vectors // -(-n * k_block // _ROOM) // 3 * 3, 3)
        while vectors % each == 1:  # a panel of one vector is none of the two widths
            each += 3
        n_block = min(each * lanes, n)
    if packs[0]:
        several = 16 * rows
        m_block = min(max(_ROOM // k_block // several, 1) * several, m)
    return m_block, n_block, k_block


def _up(size: int, unit: int) -> int:
    return -(-size // unit) * unit


class Plan:
    """How products of certain shapes and strides are computed."""

    __slots__ = ("crew", "entry", "fixed", "grain", "kind", "shape", "size", "swapped", "total")

    def __init__(self, left: _Factor, right: _Factor, depth: int, out_step: int, name: str,
                 kind: Any, lead: Any, with_bias: bool) -> None:  # fmt: skip
        self.kind = kind
        self.shape = (*lead[0], left.size, right.size)
        lanes = host().lanes * 4 // kind.itemsize
        turned = _cost(right, left, depth, lanes, True)
        self.swapped = turned < _cost(left, right, depth, lanes, False)
        if self.swapped:
            left, right = right, left
        m, n = left.size, right.size
        rows, wide, narrow = _tile(-(-n // lanes))
        pack_right = right.deep or _worth_packing(m, n, depth, lanes)
        pack_left = not left.deep and depth > _SHORT
        m_block, n_block, k_block = _blocks(m, n, depth, rows, lanes, (pack_left, pack_right))
        work, batch = m * n * depth, lead[1][0][0] * lead[1][1][0]
        # a batch is shared out by its products, except few large ones
        shared = batch == 1 or work >= (1 << 21 if batch < 8 else 1 << 24)
        panels = -(-n // (wide * lanes))
        chunk = _up(_ITEM, wide * lanes * k_block * rows) // (wide * lanes * k_block)
        while chunk > rows and panels * -(-m_block // chunk) < 8:
            chunk = _up(chunk, 2 * rows) // 2
        chunk = min(chunk, _up(m_block, rows))
        merged = shared and pack_right and not pack_left and chunk >= m
        over = max(m_block % rows, m % m_block % rows)
        widths = {"real": name, "lanes": lanes, "wide_by": wide, "narrow_by": narrow}
        compute = kernels.compute.of(
            **widths, rows=rows,
            tail=min(rows, next(t for t in (0, 1, 2, 4, 8, 12, 16) if t >= over)),
            left_form="packed" if pack_left else "rows" if left.deep else "columns",
            packed=pack_right,
            bias_form="" if not with_bias else "rows" if self.swapped else "columns",
            turned=self.swapped, long=k_block > kernels.CHAIN,
        ).entry  # fmt: skip
        to_right = kernels.pack_right.of(**widths, across=right.deep).entry if pack_right else 0
        to_left = kernels.pack_left.of(real=name, rows=rows).entry if pack_left else 0
        right_room = _up(_up(n_block, lanes) * k_block, 16) if pack_right else 0
        left_room = _up(m_block, rows * kernels.GROUPS) * k_block if pack_left else 0
        size = _up(right_room + left_room, 16)
        self.entry = kernels.walk.of(
            **widths, rows=rows, right_packed=pack_right, left_packed=pack_left, shared=shared,
            merged=merged,
        ).entry  # fmt: skip
        out_m, out_n = (1, out_step) if self.swapped else (out_step, 1)
        one, other = (2, 1) if self.swapped else (1, 2)
        outer, inner = lead[1]
        self.fixed = struct.pack(
            "=QQQQQ28q", crew.entries()[0], compute, to_right, to_left, kernels.both.of().entry,
            left.step if left.deep else left.along, left.step, left.along,
            right.step if right.deep else right.along, right.along, right.step,
            out_step, out_m, out_n, m, n, depth, m_block, n_block, k_block,
            int(self.swapped), int(not self.swapped), chunk, int(work < _ALONE), right_room, size,
            inner[0], outer[one], inner[one], outer[other], inner[other], outer[3], inner[3],
        )  # fmt: skip
        self.total = batch
        self.crew = batch * work >= _ALONE
        alone = shared or not self.crew
        self.grain = batch if alone else max(1, _ITEM // work)
        self.size = size * kind.itemsize * (1 if alone else -1)  # below 0: for every thread

    def __call__(self, a: Any, b: Any, out: Any, bias: Any = None, add: bool = False) -> Any:
        """The product of arrays of the plan's shapes and strides."""
        if out is None:
            out = np.empty(self.shape, self.kind)
        state, size = 0, self.size
        if self.crew:
            held = crew.ready()
            state = held.state
            if size < 0:
                size *= -held.threads
        if self.swapped:
            a, b = b, a
        space = room("products", size)
        crew.launch(
            self.entry,
            _pack(where(a), where(b), where(out), 0 if bias is None else where(bias),
                  where(space), state,
                  kernels.ADD if add else kernels.SET if bias is None else kernels.BIAS)
            + self.fixed,
            self.total, self.grain,
        )  # fmt: skip
        return out


_pack = struct.Struct("=QQQQQQq").pack
