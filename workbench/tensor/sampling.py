"""Random draws with parameters: bernoulli, multinomial, normal, poisson."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import as_dtype, get_default_dtype, namespace, random, to_numpy

from .create import as_shape
from .functions import function
from .tensor import Tensor, wrap


def _source(generator: Any) -> Any:
    return generator or random.default_generator()


def _beside(input: Tensor, drawn: Any) -> Tensor:
    """Drawn numbers as a tensor on the device of `input`."""
    return wrap(namespace(input.array).asarray(drawn))


@function()
def bernoulli(input: Tensor, p: float | None = None, *, generator: Any = None) -> Tensor:
    """Ones with the probabilities in `input` (or `p` for all), else zeros, in its dtype.

    Raises RuntimeError for probabilities outside [0, 1].
    """
    chance = to_numpy(input.array) if p is None else np.asarray(p)
    if chance.size and not bool(((chance >= 0) & (chance <= 1)).all()):
        raise RuntimeError(
            "Expected p_in >= 0 && p_in <= 1 to be true: probabilities lie in [0, 1]"
        )
    drawn = _source(generator).uniform(input.array.shape, np.dtype(np.float64))
    return _beside(input, np.asarray(drawn < chance).astype(input.array.dtype))


@function()
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None
) -> Tensor:
    """Indices drawn by the weights in each row of `input` (k) or (n, k) → (num_samples) or (n, …).

    Raises RuntimeError for negative, infinite or all-zero weights, and for more samples than
    weights without replacement.
    """
    weights = to_numpy(input.array)
    if weights.dtype.kind not in "fV":
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {input.dtype}"
        )
    if weights.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    rows = np.atleast_2d(weights).astype(np.float64)
    if not np.isfinite(rows).all() or (rows < 0).any():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (rows.sum(axis=1) <= 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    source = _source(generator)
    if replacement:
        ends = np.cumsum(rows, axis=1)
        drawn = source.uniform((len(rows), num_samples), np.dtype(np.float64)) * ends[:, -1:]
        found = np.stack(
            [np.searchsorted(e, d, side="right") for e, d in zip(ends, drawn, strict=True)]
        )
    else:
        if num_samples > rows.shape[1] or (np.count_nonzero(rows, axis=1) < num_samples).any():
            raise RuntimeError(
                "invalid multinomial distribution (with replacement=False, not enough non-negative "
                "category to sample)"
            )
        # the k largest of u^(1/w): Efraimidis & Spirakis, "Weighted random sampling", 2006
        noise = np.log(1.0 - source.uniform(rows.shape, np.dtype(np.float64)))
        with np.errstate(divide="ignore"):
            keys = np.where(rows > 0, noise / rows, -np.inf)
        found = np.argsort(-keys, axis=1, kind="stable")[:, :num_samples]
    found = found.astype(np.int64)
    return _beside(input, np.ascontiguousarray(found[0] if weights.ndim == 1 else found))


@function(method=False)
def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers with `mean` and `std`: tensors of one shape, or numbers and a `size`.

    Raises RuntimeError for negative deviations.
    """
    parts = [to_numpy(v.array) if isinstance(v, Tensor) else v for v in (mean, std)]
    if np.any(np.asarray(parts[1]) < 0):
        raise RuntimeError("normal expects all elements of std >= 0.0")
    arrays = [p for p in parts if isinstance(p, np.ndarray)]
    if size is None and not arrays:
        raise TypeError("normal(): give tensors, or numbers with size=")
    shape = (
        as_shape((tuple(size),))
        if size is not None
        else np.broadcast_shapes(*(a.shape for a in arrays))
    )
    if dtype is not None:
        target = as_dtype(dtype).numpy
    else:
        target = arrays[0].dtype if arrays else get_default_dtype().numpy
    drawn = _source(generator).normal(shape, target)
    made = wrap(np.asarray(drawn * parts[1] + parts[0]).astype(target))
    given = next((v for v in (mean, std) if isinstance(v, Tensor)), made)
    made = made.to(given.device if device is None else device)
    return made.requires_grad_() if requires_grad else made


@function(method=False)
def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Poisson numbers with the rates in `input`, in its dtype; RuntimeError for negative rates."""
    rates = to_numpy(input.array)
    if rates.size and rates.min() < 0:
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    drawn = _source(generator).bits.poisson(rates.astype(np.float64))
    return _beside(input, np.asarray(drawn).astype(input.array.dtype))
