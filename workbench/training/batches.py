"""Where batches come from: whatever the user calls data, read in an order that a seed fixes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from workbench.arrays.random import Generator, fork
from workbench.data import DataLoader, Dataset, IterableDataset, Sampler, TensorDataset
from workbench.tensor import Tensor, from_numpy


class Batch(NamedTuple):
    """One batch: the network's inputs, the target, and which samples they are (None: unknown)."""

    inputs: tuple[Tensor, ...]
    target: Tensor
    indices: np.ndarray | None = None


@dataclass(frozen=True)
class Sources:
    """What `data` was found to be: training data, test data (or None), and the code of both."""

    train: Any
    test: Any | None
    code: str | None
    classes: list[str] | None


def sources(data: Any) -> Sources:
    """Take `data` apart: Splits, (train, test), one Dataset or DataLoader, or (X, y).

    Raises TypeError when it is none of these, ValueError when X and y do not fit together.
    """
    code = getattr(data, "code", None)
    if hasattr(data, "train") and hasattr(data, "test"):
        train, test = data.train, data.test
    elif _is_data(data):
        train, test = data, None
    elif isinstance(data, (tuple, list)) and len(data) == 2:
        first, second = data
        if _is_data(first) and (second is None or _is_data(second)):
            train, test = first, second
        elif _is_pair(first) and _is_pair(second):
            train, test = _arrays(first, "the training data"), _arrays(second, "the test data")
        elif _is_array(first) and _is_array(second):
            train, test = _arrays((first, second), "the data"), None
        else:
            raise _not_data(data)
    else:
        raise _not_data(data)
    if not code:
        codes = [getattr(part, "code", None) for part in (train, test) if part is not None]
        if codes and all(codes):
            code = codes[0] if len(codes) == 1 else f"({codes[0]}, {codes[1]})"
    if not isinstance(train, (DataLoader, IterableDataset)) and len(train) == 0:
        raise ValueError("the training data is empty")
    classes = getattr(train, "classes", None) or getattr(data, "classes", None)
    return Sources(train, test, code or None, None if classes is None else [*map(str, classes)])


def _is_data(value: Any) -> bool:
    if isinstance(value, (Dataset, DataLoader)):
        return True
    return (
        not isinstance(value, (tuple, list, dict, str))
        and not _is_array(value)
        and hasattr(value, "__getitem__")
        and hasattr(value, "__len__")
    )


def _is_array(value: Any) -> bool:
    return isinstance(value, (Tensor, np.ndarray))


def _is_pair(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and all(map(_is_array, value))


def _arrays(pair: Any, what: str) -> TensorDataset:
    tensors = [part if isinstance(part, Tensor) else _tensor(part) for part in pair]
    lengths = [part.shape[0] if part.ndim else 0 for part in tensors]
    if lengths[0] != lengths[1]:
        raise ValueError(
            f"{what}: X has {lengths[0]} samples and y has {lengths[1]}; each sample needs a target"
        )
    return TensorDataset(*tensors)


def _tensor(array: np.ndarray) -> Tensor:
    # The bench computes in float32, as torch does by default; NumPy's default is float64.
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    elif array.dtype.kind in "iu":
        array = array.astype(np.int64)
    return from_numpy(np.ascontiguousarray(array))


def _not_data(data: Any) -> TypeError:
    what = type(data).__name__
    if isinstance(data, (tuple, list)):
        what = f"{what} of {', '.join(type(part).__name__ for part in data) or 'nothing'}"
    return TypeError(
        f"data must be Splits or (train, test), a Dataset, a DataLoader, or (X, y) of arrays or "
        f"tensors; got {what}"
    )


class Feed(Protocol):
    """An endless row of batches. `next` gives the same batch until `commit` says it was used."""

    epoch: int

    def next(self) -> Batch:
        """The current batch."""
        ...

    def commit(self) -> bool:
        """Go on to the next batch; True when that ends an epoch."""
        ...

    @property
    def batch_size(self) -> int | None:
        """Samples in a batch."""
        ...

    def steps_left(self) -> int | None:
        """Batches to the end of this epoch."""
        ...

    def steps_per_epoch(self) -> int | None:
        """Batches in an epoch, or None when nobody knows."""
        ...


def feed(train: Any, batch_size: int, seed: int) -> Feed:
    """The feed for training data: shuffled by `seed`, or as its DataLoader has it."""
    if isinstance(train, DataLoader):
        return LoaderFeed(train)
    if isinstance(train, IterableDataset):
        return LoaderFeed(DataLoader(train, batch_size=batch_size))
    return ShuffledFeed(train, batch_size, seed)


class _Current(Sampler[Any]):
    """A sampler that names the current batch of a ShuffledFeed, again and again."""

    def __init__(self, owner: ShuffledFeed) -> None:
        self._owner = owner

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield self._owner.indices()


class ShuffledFeed:
    """A data set in a new order each epoch.

    The order of epoch `e` depends on (seed, e) alone: not on what else was drawn, nor on the batch
    size, which may change within an epoch: the samples not seen yet come in the same order.
    """

    def __init__(self, dataset: Any, batch_size: int, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self.epoch = 0
        self.position = 0
        self.batch_size = batch_size
        self._length = len(dataset)
        self._order = self._shuffle()
        self._batches = iter(DataLoader(dataset, batch_sampler=_Current(self)))

    def _shuffle(self) -> np.ndarray:
        word = np.random.SeedSequence(self.seed, spawn_key=(self.epoch,)).generate_state(1, "u8")
        return Generator().manual_seed(int(word[0])).permutation(self._length)

    def indices(self) -> np.ndarray:
        """The samples of the current batch."""
        return self._order[self.position : self.position + self.batch_size]

    def next(self) -> Batch:
        """The current batch; the same until `commit`."""
        try:
            got = next(self._batches)
        except Exception:
            # A loader may be of no use after its data set raised; the order is ours, so a new one
            # goes on at the same batch.
            self._batches = iter(DataLoader(self.dataset, batch_sampler=_Current(self)))
            raise
        return split(got, self.indices())

    def commit(self) -> bool:
        """Go on to the next batch; True when that ends an epoch."""
        self.position += min(self.batch_size, self._length - self.position)
        left = self._length - self.position
        # A lone last sample is left out (another one each epoch): batch norm cannot train on it.
        if left and not (left == 1 < self.batch_size):
            return False
        self.epoch += 1
        self.position = 0
        self._order = self._shuffle()
        return True

    def steps_left(self) -> int:
        """Batches to the end of this epoch."""
        return self._count(self._length - self.position)

    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return self._count(self._length)

    def _count(self, samples: int) -> int:
        whole, rest = divmod(samples, self.batch_size)
        lone = rest == 1 < self.batch_size and whole > 0
        return whole + (1 if rest and not lone else 0)


class LoaderFeed:
    """The batches of a DataLoader, epoch after epoch; its order comes from the run's generator."""

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        self.epoch = 0
        self._taken = 0
        self._iterator: Iterator[Any] | None = None
        self._batch: Batch | None = None
        self._following: Any = None

    @property
    def batch_size(self) -> int | None:
        """The loader's own."""
        return self.loader.batch_size

    def next(self) -> Batch:
        """The current batch; the same until `commit`."""
        if self._batch is None:
            if self._iterator is None:
                self._iterator = iter(self.loader)
                self._following = next(self._iterator, _END)
                if self._following is _END:
                    raise ValueError("the training DataLoader gave no batch")
            batch = split(self._following, None)
            # Looking one batch ahead tells the last one of an epoch, with or without a length.
            self._following = next(self._iterator, _END)
            self._batch = batch
        return self._batch

    def commit(self) -> bool:
        """Go on to the next batch; True when that ends an epoch."""
        self._batch = None
        self._taken += 1
        if self._following is not _END:
            return False
        self.epoch += 1
        self._taken = 0
        self._iterator = None
        return True

    def steps_left(self) -> int | None:
        """Batches to the end of this epoch."""
        total = self.steps_per_epoch()
        return None if total is None else max(0, total - self._taken)

    def steps_per_epoch(self) -> int | None:
        """Batches in an epoch."""
        try:
            return len(self.loader)
        except TypeError:
            return None


_END = object()


def split(batch: Any, indices: np.ndarray | None) -> Batch:
    """Tell inputs from target: the last entry is the target; a single entry is its own target.

    Raises TypeError for a batch that is not made of tensors.
    """
    parts = tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)
    if not parts or not all(isinstance(part, Tensor) for part in parts):
        kinds = ", ".join(type(part).__name__ for part in parts) or "nothing"
        raise TypeError(
            f"a batch must be (inputs, target) tensors, got {kinds}; "
            "a Dataset should return (x, y) for each index"
        )
    if len(parts) == 1:
        return Batch(parts, parts[0], indices)
    return Batch(parts[:-1], parts[-1], indices)


def in_order(data: Any, batch_size: int = 512, limit: int | None = None) -> Iterator[Batch]:
    """The batches of `data` once through, in its own order; `limit`: at most so many samples."""
    if isinstance(data, DataLoader):
        loader = data
    elif isinstance(data, IterableDataset) or limit is None:
        loader = DataLoader(data, batch_size=batch_size)
    else:
        count = min(limit, len(data))
        starts = range(0, count, batch_size)
        rows: Any = [np.arange(start, min(start + batch_size, count)) for start in starts]
        loader = DataLoader(data, batch_sampler=rows)
    # A loader that shuffles draws from the default generator: not from the run's, whose stream
    # must not depend on how often somebody looks.
    with fork(0):
        for batch in loader:
            yield split(batch, None)
