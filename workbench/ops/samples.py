"""Test samples, stated beside each op.

A samples function takes a `Maker` and yields `Sample`s. The op-table tests run every sample
forward against torch, and through first and second order gradient checks in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


class Sample:
    """One call: positional arguments (arrays stand for tensors), keywords, and what to check.

    `grad=False` leaves the sample out of gradient checks, `exact=False` compares shapes and
    dtypes only (random ops).
    """

    __slots__ = ("args", "exact", "grad", "kwargs")

    def __init__(self, *args: Any, grad: bool = True, exact: bool = True, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs
        self.grad = grad
        self.exact = exact

    def __repr__(self) -> str:
        def show(value: Any) -> str:
            if isinstance(value, np.ndarray):
                return f"{value.dtype}{list(value.shape)}"
            if isinstance(value, (list, tuple)):
                return "(" + ", ".join(show(v) for v in value) + ")"
            return repr(value)

        parts = [show(a) for a in self.args] + [f"{k}={show(v)}" for k, v in self.kwargs.items()]
        return f"Sample({', '.join(parts)})"


Samples = Callable[["Maker"], Iterator[Sample]]


class Maker:
    """Makes arrays for samples: reproducible, and away from kinks and poles on request."""

    def __init__(self, dtype: Any = np.float64, seed: int = 0) -> None:
        self.dtype = np.dtype(dtype)
        self.rng = np.random.default_rng(seed)

    def __call__(
        self, *shape: int, low: float = -2.0, high: float = 2.0, gap: float = 0.0
    ) -> np.ndarray:
        """Floats in [low, high); with `gap`, none within `gap` of an integer multiple of 0.5.

        In an integer dtype they are rounded outwards (1.2 -> 2), in a complex one the imaginary
        part is drawn too.
        """
        values = self.rng.uniform(low, high, shape)
        if gap:
            near = np.round(values * 2) / 2
            close = np.abs(values - near) < gap
            values = np.where(close, near + gap * np.where(values >= near, 1.5, -1.5), values)
        if self.dtype.kind == "c":
            values = values + 1j * self.rng.uniform(low, high, shape)
        elif self.dtype.kind in "iu":
            values = np.copysign(np.ceil(np.abs(values)), values)
            values = np.abs(values) if self.dtype.kind == "u" else values
        return np.asarray(values).astype(self.dtype)

    def number(self, low: float = -2.0, high: float = 2.0, gap: float = 0.0) -> float:
        """A Python float."""
        return float(self(low=low, high=high, gap=gap).real)

    def ints(self, *shape: int, low: int = 0, high: int = 5, dtype: Any = np.int64) -> np.ndarray:
        """Integers in [low, high)."""
        return np.asarray(self.rng.integers(low, high, shape)).astype(dtype)

    def bools(self, *shape: int) -> np.ndarray:
        """Fair coin flips."""
        return np.asarray(self.rng.random(shape) < 0.5)

    def distinct(self, *shape: int) -> np.ndarray:
        """Floats at least 0.1 apart from each other, shuffled: no ties."""
        order = self.rng.permutation(int(np.prod(shape))).reshape(shape)
        if self.dtype.kind in "biu":
            return order.astype(self.dtype)
        return (order * 0.1 - order.size * 0.05 + 0.013).astype(self.dtype)


SHAPES = ((), (3,), (2, 3), (0,), (2, 0, 3), (2, 3, 4))


def unary(low: float = -2.0, high: float = 2.0, gap: float = 0.0) -> Samples:
    """One operand over the edge shapes, a non-contiguous one included."""

    def samples(make: Maker) -> Iterator[Sample]:
        for shape in SHAPES:
            yield Sample(make(*shape, low=low, high=high, gap=gap))
        yield Sample(make(4, 3, low=low, high=high, gap=gap).T)

    return samples


def binary(
    low: float = -2.0,
    high: float = 2.0,
    low2: float | None = None,
    high2: float | None = None,
    gap: float = 0.0,
) -> Samples:
    """Two operands over edge shapes, broadcast pairs and Python numbers."""
    low2 = low if low2 is None else low2
    high2 = high if high2 is None else high2

    def samples(make: Maker) -> Iterator[Sample]:
        pairs = [((), ()), ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 3)),
                 ((2, 3), ()), ((0,), (1,)), ((2, 0, 3), (3,)), ((2, 3, 4), (3, 1))]  # fmt: skip
        for a, b in pairs:
            yield Sample(
                make(*a, low=low, high=high, gap=gap), make(*b, low=low2, high=high2, gap=gap)
            )
        yield Sample(
            make(4, 3, low=low, high=high, gap=gap).T, make(3, 4, low=low2, high=high2, gap=gap)
        )
        yield Sample(
            make(2, 3, low=low, high=high, gap=gap), make.number(low=low2, high=high2, gap=gap)
        )

    return samples


def comparison(make: Maker) -> Iterator[Sample]:
    """Pairs with ties."""
    for a, b in (((3,), (3,)), ((2, 3), (3,)), ((), ()), ((0,), (0,)), ((2, 1), (1, 3))):
        yield Sample(
            make.ints(*a, high=3).astype(make.dtype), make.ints(*b, high=3).astype(make.dtype)
        )
    yield Sample(make.ints(4, high=3).astype(make.dtype), 1.0)
    yield Sample(make.ints(4, high=3), 1)


def reduction(make: Maker) -> Iterator[Sample]:
    """All, one, several and negative dims, with and without keepdim."""
    yield Sample(make())
    yield Sample(make(2, 3))
    yield Sample(make(2, 3), dim=0)
    yield Sample(make(2, 3, 4), dim=-1, keepdim=True)
    yield Sample(make(2, 3, 4), dim=(0, 2))
    yield Sample(make(2, 3, 4), dim=(1, -1), keepdim=True)
    yield Sample(make(4, 3).T, dim=1)
    yield Sample(make(2, 0, 3), dim=2)


# -- input that must be refused ------------------------------------------------------------------


def mismatched(make: Maker) -> Iterator[Sample]:
    """Shapes that do not broadcast, and operands that are no tensors."""
    yield Sample(make(2, 3), make(2))
    yield Sample(make(2, 1, 3), make(4, 2))
    yield Sample(make(2), "text")
    yield Sample(make(2), None)


def bad_dims(make: Maker) -> Iterator[Sample]:
    """Dimensions out of range or named twice."""
    yield Sample(make(2, 3), 2)
    yield Sample(make(2, 3), -3)
    yield Sample(make(2, 3), dim=(0, 5))
    yield Sample(make(2, 3), dim=(1, -1))


def bad_dim(make: Maker) -> Iterator[Sample]:
    """A dimension out of range."""
    yield Sample(make(2, 3), 2)
    yield Sample(make(2, 3), -3)
    yield Sample(make(), 1)
