"""Data sets: things with a length and an index, or things to iterate over."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from workbench.arrays import namespace
from workbench.arrays.random import Generator, default_generator
from workbench.tensor import Tensor, wrap

T = TypeVar("T")


class Dataset(Generic[T]):
    """Samples by index: a subclass defines `__getitem__(index)` and usually `__len__`.

    `a + b` is the two, one after the other.
    """

    def __getitem__(self, index: Any) -> T:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index)")

    def __add__(self, other: Dataset[T]) -> ConcatDataset[T]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T]):
    """Samples from a stream: a subclass defines `__iter__`. `a + b` chains two streams."""

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__()")

    def __add__(self, other: Dataset[T]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample `i` is the tuple of the `i`-th entries of tensors of equal length.

    The data sets that come with the package also have `classes`, the labels' names, and `code`,
    the Python expression that makes them.

    Raises ValueError when the tensors' first dimensions differ, TypeError for other arguments.
    """

    tensors: tuple[Tensor, ...]
    classes: list[str]
    code: str

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("TensorDataset needs at least one tensor")
        for position, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    f"TensorDataset takes tensors; argument {position} is a "
                    f"{type(tensor).__name__}: wrap it in wb.tensor(…) or wb.from_numpy(…)"
                )
            if tensor.array.ndim == 0:
                raise ValueError(
                    f"tensor {position} of TensorDataset has no dimension to take samples along"
                )
        lengths = [tensor.array.shape[0] for tensor in tensors]
        if len(set(lengths)) > 1:
            raise ValueError(
                "the tensors of a TensorDataset must have the same length, got "
                f"{', '.join(map(str, lengths))} (Size mismatch between tensors)"
            )
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)  # type: ignore[index]

    def __len__(self) -> int:
        return int(self.tensors[0].array.shape[0])

    def take(self, indices: np.ndarray) -> list[Tensor]:
        """A batch: copies of the entries at `indices` (int64, may be negative) of every tensor.

        Raises IndexError when one is out of range.
        """
        return [_rows(tensor, indices) for tensor in self.tensors]


def _rows(tensor: Tensor, indices: np.ndarray) -> Tensor:
    if tensor.requires_grad:  # must stay on the tape
        return tensor[wrap(indices)]  # type: ignore[index]
    array = tensor.array
    if namespace(array) is not np:
        indices = namespace(array).asarray(indices)
    return wrap(array.take(indices, axis=0))


class StackDataset(Dataset[Any]):
    """Samples of several data sets side by side: tuples, or dicts when given by keyword.

    Raises ValueError when lengths differ or positional and keyword arguments are mixed.
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if bool(args) == bool(kwargs):
            raise ValueError("StackDataset takes data sets either by position or by keyword")
        parts = list(args or kwargs.values())
        if len({len(part) for part in parts}) > 1:
            raise ValueError(
                "the parts of a StackDataset must have the same length, got "
                f"{', '.join(str(len(part)) for part in parts)}"
            )
        self._length = len(parts[0])
        self.datasets = args or kwargs

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {key: part[index] for key, part in self.datasets.items()}
        return tuple(part[index] for part in self.datasets)

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T]):
    """Data sets one after the other. Raises TypeError for an `IterableDataset`."""

    datasets: list[Dataset[T]]
    cumulative_sizes: list[int]

    def __init__(self, datasets: Iterable[Dataset[T]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset needs at least one data set")
        for part in self.datasets:
            if isinstance(part, IterableDataset):
                raise TypeError(
                    "ConcatDataset cannot index into an IterableDataset; use ChainDataset"
                )
        self.cumulative_sizes = list(itertools.accumulate(len(d) for d in self.datasets))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> T:
        length = len(self)
        if not -length <= index < length:
            raise IndexError(f"index {index} is out of range for {length} samples")
        index %= length
        part = bisect.bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[part - 1] if part else 0
        return self.datasets[part][index - before]


class ChainDataset(IterableDataset[Any]):
    """Streams one after the other."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator[Any]:
        for part in self.datasets:
            if not isinstance(part, IterableDataset):
                raise TypeError("ChainDataset chains IterableDataset-s only")
            yield from part

    def __len__(self) -> int:
        return sum(len(part) for part in self.datasets)


class Subset(Dataset[T]):
    """The samples of `dataset` at `indices`, in that order."""

    def __init__(self, dataset: Dataset[T], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> T:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Dataset[T], lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset[T]]:
    """Cut a data set into disjoint random parts.

    `lengths` are counts that add up to `len(dataset)`, or fractions that add up to 1 (what
    rounding leaves over goes one by one to the first parts).

    Raises ValueError when they do not add up.
    """
    total = len(dataset)  # type: ignore[arg-type]
    sizes = list(lengths)
    if math.isclose(sum(sizes), 1) and sum(sizes) <= 1:
        if any(not 0 <= share <= 1 for share in sizes):
            raise ValueError(f"fractions must be between 0 and 1, got {sizes}")
        counts = [math.floor(total * share) for share in sizes]
        for extra in range(total - sum(counts)):
            counts[extra % len(counts)] += 1
    else:
        counts = [int(size) for size in sizes]
    if sum(counts) != total or any(count < 0 for count in counts):
        raise ValueError(
            "Sum of input lengths does not equal the length of the input dataset! "
            f"(lengths {list(lengths)} for {total} samples)"
        )
    order = (generator or default_generator()).permutation(total).tolist()
    ends = itertools.accumulate(counts)
    return [
        Subset(dataset, order[end - count : end]) for count, end in zip(counts, ends, strict=True)
    ]
