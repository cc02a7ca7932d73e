"""Filling a tensor with random numbers in place, and draws from further distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import random, to_numpy

from .functions import METHODS, function
from .inplace import fill_raw
from .tensor import Tensor, wrap

random.as_state = wrap  # type: ignore[assignment]  # a generator's state is a tensor, as in torch

_DOUBLE = np.dtype(np.float64)


def _filling(name: str, draw: Any, doc: str, kinds: str) -> None:
    def fill(self: Tensor, *args: Any, generator: Any = None, **kwargs: Any) -> Tensor:
        if self.array.dtype.kind not in kinds:
            raise NotImplementedError(f'"{name}" not implemented for {self.dtype}')
        drawn = draw(generator or random.default_generator(), self, *args, **kwargs)

        def write(array: Any) -> None:
            array[...] = drawn.astype(array.dtype)

        return fill_raw(self, name, write)

    fill.__name__ = fill.__qualname__ = name
    fill.__doc__ = doc
    METHODS[name] = fill


def _open_uniform(source: Any, tensor: Tensor) -> np.ndarray:
    """Uniform on (0, 1]."""
    return 1.0 - source.uniform(tensor.array.shape, _DOUBLE)


def _exponential(source: Any, tensor: Tensor, lambd: float = 1.0) -> Any:
    if lambd <= 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    return -np.log(_open_uniform(source, tensor)) / lambd


def _cauchy(source: Any, tensor: Tensor, median: float = 0.0, sigma: float = 1.0) -> Any:
    if sigma <= 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    return median + sigma * np.tan(np.pi * (source.uniform(tensor.array.shape, _DOUBLE) - 0.5))


def _geometric(source: Any, tensor: Tensor, p: float) -> Any:
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    return np.ceil(np.log(_open_uniform(source, tensor)) / np.log1p(-p)).clip(1)


def _log_normal(source: Any, tensor: Tensor, mean: float = 1.0, std: float = 2.0) -> Any:
    if std <= 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    return np.exp(mean + std * source.normal(tensor.array.shape, _DOUBLE))


_filling(
    "exponential_", _exponential,
    "Fill with exponential numbers of rate `lambd`: -log(u) / lambd.", "fV",
)  # fmt: skip
_filling("cauchy_", _cauchy, "Fill with Cauchy numbers around `median`, `sigma` wide.", "fV")
_filling(
    "geometric_", _geometric,
    "Fill with the number of trials up to the first success, at probability `p` each.", "iufV",
)  # fmt: skip
_filling(
    "log_normal_", _log_normal,
    "Fill with exponentials of normal numbers with `mean` and `std`.", "fV",
)  # fmt: skip


@function(method=False)
def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """How many of `count` trials succeed at probability `prob` each; shapes broadcast.

    Raises RuntimeError for dtypes that are no floats and for values that make no sense.
    """
    if count.array.dtype != prob.array.dtype or count.array.dtype.kind not in "fV":
        raise RuntimeError(
            f"binomial: count and prob must be floats of one dtype, got {count.dtype} and "
            f"{prob.dtype}"
        )
    n, p = (to_numpy(t.array).astype(np.float64) for t in (count, prob))
    if (n < 0).any() or not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError("binomial: count must not be negative, prob must lie in [0, 1]")
    source = generator or random.default_generator()
    drawn = source.bits.binomial(n.astype(np.int64), p)
    return wrap(np.asarray(drawn).astype(count.array.dtype))
