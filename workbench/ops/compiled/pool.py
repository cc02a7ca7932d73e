"""Which pools are computed by kernels, and what windows over planes of given sizes need."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.arrays import compiler, parallel
from workbench.arrays.compiler.kernel import address, real
from workbench.arrays.scratch import scratch

from .pool_kernels import Plan, pitch_of, squares, squares_back, windows, windows_back

_TAPS = 49  # of a window: each is written out
_GRAIN = 1 << 16  # elements that are worth a thread


class _Ready:
    """Both kernels of some windows over some planes, with their sizes."""

    def __init__(self, kind: str, real: str, w: Any, divisor: float | None, include: bool) -> None:
        sides = w.sides
        flat = len(sides) == 1
        ones, none = ((1,), (0,)) if flat else ((), ())
        shape = (*ones, *w.shape[-len(sides) :])
        self.height, self.width = shape
        self.rows, self.columns = (*ones, *(side.n_out for side in sides))
        self.area = self.height * self.width
        self.square = not flat and all(side.exact and side.kernel == 2 for side in sides)
        if kind == "mean" and divisor not in (None, 4):
            self.square = False
        self.grain = max(1, _GRAIN // self.area)
        if self.square:
            settings = {"real": real, "kind": kind}
            self.forward, self.back = squares.of(**settings), squares_back.of(**settings)
            return
        geometry = {
            "size": (*ones, *w.kernel), "stride": (*ones, *w.stride),
            "padding": (*none, *w.padding), "gap": (*ones, *(side.gap for side in sides)),
        }  # fmt: skip
        plan = Plan(real, geometry["size"], geometry["stride"], geometry["padding"],
                     geometry["gap"])  # fmt: skip
        settings = {"real": real, "kind": kind, **geometry}
        self.forward, self.back = windows.of(**settings), windows_back.of(**settings)
        lanes = plan.lanes
        self.pitch = pitch_of(plan, self.width, self.columns)
        margin = -(-max(1, plan.reach) // lanes) * lanes
        count = -(-self.width // plan.step)
        reach = max(self.columns, count + (plan.before + plan.step) // plan.step)
        self.line = margin + (-(-reach // lanes) + 1) * lanes
        self.item = 4 if real == "float" else 8
        phases = self.pitch * plan.step * (self.height + 1)
        self.little = phases * self.item
        self.much = (phases + 2 * self.line * self.rows + plan.step * lanes) * self.item
        dtype = np.float32 if real == "float" else np.float64
        self.counts = [np.ones(self.rows, dtype), np.ones(self.columns + lanes, dtype)]
        if kind == "mean":
            self._count(w, plan, divisor, include)
        self.places = [address(counts) for counts in self.counts]

    def _count(self, w: Any, plan: Plan, divisor: float | None, include: bool) -> None:
        """How many elements a mean is over: one factor for rows, one for columns."""
        if divisor is not None:
            self.counts[0][:] = divisor
            return
        every = zip(w.sides[::-1], w.shape[::-1], w.kernel[::-1], w.padding[::-1], strict=False)
        for (side, n, k, p), counts in zip(every, self.counts[::-1], strict=False):
            stops = np.minimum(side.starts + k, n + p)
            if not include:
                stops = np.minimum(stops, n)
            begin = side.starts if include else np.maximum(side.starts, 0)
            counts[: side.n_out] = stops - begin

    def pool(self, x: np.ndarray, out: np.ndarray) -> None:
        """Maxima or means."""
        if self.square:
            self.forward(len(x), self.grain, address(x), address(out), self.rows, self.columns)
            return
        room = -(-self.little // 64) * 64
        work = address(scratch("pool", (parallel.threads(), room), np.uint8))
        self.forward(
            len(x), self.grain, address(x), address(out), *self.places, work, self.height,
            self.width, self.rows, self.columns, self.pitch, room,
        )  # fmt: skip

    def unpool(self, g: np.ndarray, x: np.ndarray | None, out: np.ndarray) -> None:
        """Gradients of maxima over `x` (None: of means)."""
        source = 0 if x is None else address(x)
        if self.square:
            self.back(
                len(out), self.grain, address(g), source, address(out), self.rows, self.columns
            )
            return
        room = -(-self.much // 64) * 64
        work = address(scratch("pool", (parallel.threads(), room), np.uint8))
        self.back(
            len(out), self.grain, address(g), source, address(out), *self.places, work,
            self.height, self.width, self.rows, self.columns, self.pitch, self.line, room,
        )  # fmt: skip


_ready: dict[Any, _Ready] = {}


def ready(
    kind: str, x: np.ndarray, w: Any, divisor: float | None = None, include: bool = True
) -> _Ready | None:
    """What pools planes like `x` over the windows `w`, or None where NumPy has to do it."""
    if (
        x.dtype.char not in "fd"
        or not compiler.available()
        or len(w.sides) > 2
        or math.prod(w.kernel) > _TAPS
        or max(w.stride) > _TAPS
        or max(w.kernel) == 1
        or not x.size
        or not x.flags.c_contiguous
    ):
        return None
    key = (kind, x.dtype.char, w, divisor, include)
    found = _ready.get(key)
    if found is None:
        if len(_ready) > 256:
            _ready.clear()
        found = _ready[key] = _Ready(kind, real(x.dtype), w, divisor, include)
    return found
