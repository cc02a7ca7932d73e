"""Samplers: in which order the samples of a data set come."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from workbench.arrays.random import Generator, default_generator

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """Yields indices (or lists of indices): a subclass defines `__iter__` and usually `__len__`."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")


class ArraySampler(Sampler[int]):
    """A sampler that can give a whole epoch's indices as one int64 array."""

    def draw(self) -> np.ndarray:
        """The indices of one epoch; advances the generator as iterating does."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        return iter(self.draw().tolist())


class SequentialSampler(ArraySampler):
    """0, 1, 2, …"""

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def draw(self) -> np.ndarray:
        """The indices of one epoch, int64."""
        return np.arange(len(self.data_source))

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(ArraySampler):
    """Samples in random order, or drawn independently with `replacement`.

    `num_samples` (default: all) may be more than there are: without replacement the samples then
    come in several permutations. Without `generator`, the thread's default generator draws.

    Raises TypeError or ValueError for bad settings.
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got {replacement=}")
        if num_samples is not None and (
            not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0
        ):
            raise ValueError(
                f"num_samples should be a positive integer value, but got {num_samples=}"
            )
        self.data_source = data_source
        self.replacement = replacement
        self.generator = generator
        self._num_samples = num_samples

    @property
    def num_samples(self) -> int:
        """How many indices one epoch has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def draw(self) -> np.ndarray:
        """The indices of one epoch, int64."""
        generator = self.generator or default_generator()
        available, wanted = len(self.data_source), self.num_samples
        if available == 0:
            return np.empty(0, np.int64)
        if self.replacement:
            return generator.integers(0, available, (wanted,))
        rounds = [generator.permutation(available) for _ in range(-(-wanted // available))]
        return rounds[0] if wanted == available else np.concatenate(rounds)[:wanted]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(ArraySampler):
    """The given indices in random order."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def draw(self) -> np.ndarray:
        """The indices of one epoch, int64."""
        order = (self.generator or default_generator()).permutation(len(self.indices))
        return np.asarray(self.indices, dtype=np.int64)[order]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(ArraySampler):
    """`num_samples` indices drawn with probabilities proportional to `weights`.

    Raises ValueError for bad settings, for negative weights, for weights that are all zero, and
    when more samples are wanted without replacement than have a weight above zero.
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(
                f"num_samples should be a positive integer value, but got {num_samples=}"
            )
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got {replacement=}")
        values = np.array(getattr(weights, "array", weights), dtype=np.float64)
        if values.ndim != 1:
            raise ValueError(f"weights should be a 1d sequence, but got shape {values.shape}")
        if not np.all(np.isfinite(values)) or np.any(values < 0) or not values.sum() > 0:
            raise ValueError("weights must be finite, none negative and not all zero")
        if not replacement and num_samples > np.count_nonzero(values):
            raise ValueError(
                f"cannot draw {num_samples} samples without replacement: only "
                f"{np.count_nonzero(values)} weights are above zero"
            )
        self.weights = values
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def draw(self) -> np.ndarray:
        """The indices of one epoch, int64."""
        generator = self.generator or default_generator()
        if self.replacement:
            edges = np.cumsum(self.weights)
            points = generator.uniform((self.num_samples,), np.dtype(np.float64)) * edges[-1]
            return np.minimum(np.searchsorted(edges, points, side="right"), len(edges) - 1)
        # Exponential races: the smallest of Exp(1)/weight are a weighted draw without replacement
        # (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006).
        uniform = generator.uniform(self.weights.shape, np.dtype(np.float64))
        with np.errstate(divide="ignore"):
            times = -np.log1p(-uniform) / self.weights
        times[self.weights == 0] = np.inf
        return np.argsort(times, kind="stable")[: self.num_samples]

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Groups the indices of a sampler into lists of `batch_size`.

    The last list may be shorter, and is left out with `drop_last`. Raises ValueError for bad
    settings.
    """

    def __init__(
        self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool
    ) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(
                f"batch_size should be a positive integer value, but got {batch_size=}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got {drop_last=}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
