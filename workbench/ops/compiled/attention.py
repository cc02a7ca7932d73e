"""Which attention is computed by kernels, and what a call of given shapes and strides needs.

Everything about shapes is worked out once and kept; a call then allocates, packs addresses and
starts the kernel. Results, and gradients, lie in memory as query, key and value do: with heads
inside of places where theirs are, so that turning them back costs nothing.
"""

from __future__ import annotations

import math
import struct
from typing import Any, NamedTuple

import numpy as np

from workbench.arrays import compiler, parallel
from workbench.arrays.compiler.crew import launch
from workbench.arrays.compiler.kernel import address, real
from workbench.arrays.compiler.llvm import host
from workbench.arrays.scratch import room

from .attention_kernels import attend, attend_back

_LEAST = 8  # queries: fewer leave vectors empty
_GRAIN = 1 << 19  # multiply-adds that are worth a thread
_SHARES = 8  # items that a gradient is cut into where there are fewer heads


def plan(q: Any, k: Any, v: Any, causal: bool) -> _Plan | None:
    """What computes attention of arrays of these shapes and strides; None where NumPy does."""
    if not compiler.available():
        return None
    key = (q.shape, q.strides, k.shape, k.strides, v.shape, v.strides, q.dtype, causal)
    try:
        found = _plans[key]
    except KeyError:
        if len(_plans) >= _PLANS:
            _plans.clear()
        found = _plans[key] = _Plan(q, k, v, causal) if _suits(q, k, v) else None
    except TypeError:  # not NumPy's
        return None
    return found if type(q) is type(k) is type(v) is np.ndarray else None


_plans: dict[Any, _Plan | None] = {}
_PLANS = 1024


def _suits(*arrays: Any) -> bool:
    """Whether the kernels take these: matrices in floats of one size, each row in one piece."""
    q, k, v = arrays
    dtype = q.dtype
    if any(
        type(x) is not np.ndarray or x.dtype != dtype or not x.dtype.isnative or not x.size
        or not 2 <= x.ndim <= 4 or not _fits(x)
        for x in arrays
    ):  # fmt: skip
        return False
    return (
        dtype.char in "fd"
        and q.shape[-2] >= _LEAST
        and q.shape[-1] == k.shape[-1]
        and k.shape[-2] == v.shape[-2]
    )


def _fits(x: np.ndarray) -> bool:
    return (
        x.flags.aligned
        and (x.strides[-1] == x.itemsize or x.shape[-1] == 1)
        and not any(s % x.itemsize for s in x.strides)
    )


class _Steps(NamedTuple):
    """Strides in elements along batch, head and row; 0 where an array is broadcast."""

    batch: int
    head: int
    row: int


def _steps(x: np.ndarray) -> _Steps:
    held = [0 if n == 1 else s // x.itemsize
            for n, s in zip(x.shape[:-1], x.strides[:-1], strict=True)]  # fmt: skip
    return _Steps(*[0] * (3 - len(held)), *held)


class _Memory:
    """How a result (…, L, E) lies: heads inside of places where those of `like` do."""

    def __init__(self, shape: tuple[int, ...], like: np.ndarray) -> None:
        self.swapped = len(shape) == like.ndim == 4 and like.strides[1] < like.strides[2]
        self.shape = (shape[0], shape[2], shape[1], shape[3]) if self.swapped else shape
        self.dtype = like.dtype
        self.steps = _steps(self())

    def __call__(self) -> np.ndarray:
        made = np.empty(self.shape, self.dtype)
        return made.swapaxes(1, 2) if self.swapped else made


class _Plan:
    """How attention over arrays of certain shapes and strides is computed."""

    def __init__(self, q: np.ndarray, k: np.ndarray, v: np.ndarray, causal: bool) -> None:
        self.lead = lead = np.broadcast_shapes(*(x.shape[:-2] for x in (q, k, v)))
        self.dtype, self.causal = q.dtype, causal
        self.rows, self.keys = rows, keys = q.shape[-2], k.shape[-2]
        self.width, self.values = width, values = q.shape[-1], v.shape[-1]
        self.settings = {
            "real": real(q.dtype), "width": width, "values": values, "causal": causal,
        }  # fmt: skip
        self.inputs = (*_steps(q), *_steps(k), *_steps(v))
        self.memory = _Memory((*lead, rows, values), q)
        self.row_shape = (*lead, rows, 1)
        lanes = host().lanes * 4 // q.itemsize
        self.block = block = 2 * lanes
        tall = 8 if host().registers >= 32 else 4
        self.tall = -(-keys // tall) * tall
        self.count, self.heads = math.prod(lead), lead[-1] if lead else 1
        self.size = (width + 1 + self.tall) * block * q.itemsize
        self.total = self.count * -(-rows // block)
        each = block * keys * (width + values) // (2 if causal else 1)
        self.grain = max(1, _GRAIN // each)
        self.entry = attend.of(**self.settings).entry
        self.fixed = _integers(self.heads, rows, keys, *self.inputs, *self.memory.steps, self.size)
        self._back: dict[Any, _Back] = {}
        self._like = [np.lib.stride_tricks.as_strided(np.empty((), x.dtype), x.shape, x.strides)
                      for x in (q, k, v)]  # fmt: skip

    def forward(
        self, q: np.ndarray, k: np.ndarray, v: np.ndarray, scale: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(result, one over the sums of exponentials, their shifts)."""
        out = self.memory()
        inverse = np.empty(self.row_shape, self.dtype)
        largest = np.empty(self.row_shape, self.dtype)
        work = room("attention", self.size * parallel.threads())
        launch(
            self.entry,
            _SEVEN(address(q), address(k), address(v), address(out), address(largest),
                   address(inverse), address(work), scale) + self.fixed,
            self.total, self.grain,
        )  # fmt: skip
        return out, inverse, largest

    def backward(
        self, g: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, inverse: np.ndarray,
        largest: np.ndarray, scale: float,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        """The gradients of query, key and value, each with all leading dimensions."""
        if not _fits(g):
            g = np.ascontiguousarray(g)
        back = self._back.get(g.strides)
        if back is None:
            if len(self._back) > 16:
                self._back.clear()
            back = self._back[g.strides] = _Back(self, g, *self._like)
        return back(g, q, k, v, inverse, largest, scale)


class _Back:
    """How the gradients are computed, for an incoming gradient of certain strides."""

    def __init__(self, of: _Plan, g: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray):
        lead, rows, keys, width, values = of.lead, of.rows, of.keys, of.width, of.values
        shares = max(1, min(_SHARES // of.count, -(-rows // of.block) // 4))
        self.shares = shares
        self.query = _Memory((*lead, rows, width), q)
        shapes = ((*lead, keys, width), (*lead, keys, values))
        steps: list[int] = []
        self.others = []
        for shape, like in zip(shapes, (k, v), strict=True):
            one = _Memory(shape, like if shares == 1 else like[..., 0, 0])
            steps += (*one.steps, math.prod(shape))
            if shares > 1:
                one.shape = (shares, *shape)
            self.others.append(one)
        self.size = (width + values + 2 * of.tall) * of.block * of.dtype.itemsize
        each = rows * keys * (3 * width + 2 * values) // (2 if of.causal else 1) // shares
        self.total, self.grain = of.count * shares, max(1, _GRAIN // max(each, 1))
        self.entry = attend_back.of(**of.settings).entry
        self.fixed = _integers(
            of.heads, rows, keys, shares, *_steps(g), *of.inputs, *self.query.steps, *steps,
            self.size,
        )  # fmt: skip

    def __call__(
        self, g: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray, inverse: np.ndarray,
        largest: np.ndarray, scale: float,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        dq, dk, dv = self.query(), self.others[0](), self.others[1]()
        work = room("attention", self.size * parallel.threads())
        launch(
            self.entry,
            _TEN(address(g), address(q), address(k), address(v), address(largest),
                 address(inverse), address(dq), address(dk), address(dv), address(work), scale)
            + self.fixed,
            self.total, self.grain,
        )  # fmt: skip
        if self.shares > 1:
            dk, dv = np.add.reduce(dk, axis=0), np.add.reduce(dv, axis=0)
        return dq, dk, dv


_SEVEN, _TEN = struct.Struct("=7Qd").pack, struct.Struct("=10Qd").pack


def _integers(*numbers: int) -> bytes:
    return struct.pack(f"={len(numbers)}q", *numbers)
