"""Which pools are computed by kernels, and what windows over planes of given sizes need."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from workbench.arrays import compiler, parallel
from workbench.arrays.compiler.kernel import address, real
from workbench.arrays.scratch import scratch

from .pool_kernels import Plan, pitch_of, squares, squares_back, windows, windows_back
from .pool_whole import whole, whole_back

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


class Whole:
    """Pools over whole planes of `area` elements; a mean is the sum over `divisor`."""

    def __init__(self, kind: str, real: str, area: int, divisor: float) -> None:
        self.settings = area, float(divisor)
        self.grain = max(1, _GRAIN // area)
        self.forward, self.back = (one.of(real=real, kind=kind) for one in (whole, whole_back))

    def pool(self, x: np.ndarray, out: np.ndarray) -> None:
        """Maxima or means, in memory of one for each plane."""
        self.forward(out.size, self.grain, address(x), address(out), *self.settings)

    def unpool(self, g: np.ndarray, x: np.ndarray | None, out: np.ndarray) -> None:
        """Gradients of maxima over `x` (None: of means)."""
        source = 0 if x is None else address(x)
        self.back(g.size, self.grain, address(g), source, address(out), *self.settings)


def plane(x: np.ndarray, area: int) -> Whole | None:
    """What takes means of whole planes of an array like `x`, or None where NumPy does."""
    if type(x) is not np.ndarray or not _suits(x):
        return None
    key = (x.dtype.char, area)
    found = _ready.get(key)
    if found is None:
        found = _ready[key] = Whole("mean", real(x.dtype), area, area)
    return found


def _suits(x: np.ndarray) -> bool:
    return x.dtype.char in "fd" and compiler.available() and x.size > 0 and x.flags.c_contiguous


_ready: dict[Any, Any] = {}


def ready(
    kind: str, x: np.ndarray, w: Any, divisor: float | None = None, include: bool = True
) -> _Ready | Whole | None:
    """What pools planes like `x` over the windows `w`, or None where NumPy has to do it."""
    if not _suits(x) or max(w.kernel) == 1:
        return None
    one = all(side.exact and side.n_out == 1 for side in w.sides)
    most = math.prod(w.kernel)
    if not one and (len(w.sides) > 2 or most > _TAPS or max(w.stride) > _TAPS):
        return None
    key = (kind, x.dtype.char, w, divisor, include)
    found = _ready.get(key)
    if found is None:
        if len(_ready) > 256:
            _ready.clear()
        if one:
            found = Whole(kind, real(x.dtype), most, most if divisor is None else divisor)
        else:
            found = _Ready(kind, real(x.dtype), w, divisor, include)
        _ready[key] = found
    return found
