"""DataLoader: batches of a data set in a sampler's order, loaded ahead by threads if asked."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.arrays.random import Generator, default_generator, fork

from .collate import default_collate, default_convert
from .dataset import Dataset, IterableDataset, Subset, TensorDataset
from .sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

_END = object()
_ARRAY_SAMPLERS = (
    SequentialSampler,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
_FIXED = ("dataset", "batch_size", "sampler", "batch_sampler", "drop_last", "persistent_workers")


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """Which loader thread this is: `id` in 0 … `num_workers`-1, its seed, the data set."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Local(threading.local):
    info: WorkerInfo | None = None


_local = _Local()


def get_worker_info() -> WorkerInfo | None:
    """In a loader's thread: which one it is. None elsewhere."""
    return _local.info


class DataLoader:
    """Iterates over batches of `dataset`; arguments as in `torch.utils.data.DataLoader`.

    Order and batches depend only on `generator` (or on `wb.manual_seed` without one). A plain
    `TensorDataset`, or a `Subset` of one, is batched by taking whole rows at once.

    `num_workers` threads load batches ahead (NumPy's heavy functions run side by side; nothing is
    forked or pickled, so any data set and `collate_fn` will do). Batches come in the same order
    and with the same random numbers however many threads there are, as each batch gets a
    generator of its own. An `IterableDataset` is read by one thread. `pin_memory`,
    `multiprocessing_context` and `persistent_workers` are accepted and change nothing.

    Raises ValueError for bad or contradicting arguments.
    """

    def __init__(
        self,
        dataset: Dataset[Any] | Sequence[Any],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Iterable[Sequence[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        streamed = isinstance(dataset, IterableDataset)
        if not isinstance(num_workers, int) or num_workers < 0:
            raise ValueError(f"num_workers must be 0 or a positive integer, got {num_workers!r}")
        if timeout < 0:
            raise ValueError(f"timeout must not be negative, got {timeout!r}")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError("prefetch_factor needs num_workers > 0")
        if prefetch_factor is not None and prefetch_factor < 1:
            raise ValueError(f"prefetch_factor must be at least 1, got {prefetch_factor!r}")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers needs num_workers > 0")
        if generator is not None and not isinstance(generator, Generator):
            raise TypeError(f"generator must be a wb.Generator, got {type(generator).__name__}")
        if streamed and shuffle:
            raise ValueError(
                "an IterableDataset comes in its own order: DataLoader cannot shuffle it"
            )
        if streamed and (sampler is not None or batch_sampler is not None):
            raise ValueError("an IterableDataset comes in its own order: it takes no sampler")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, "
                    "sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None turns batching off, so drop_last has no meaning")
        if sampler is None and not streamed:
            sampler = (
                RandomSampler(dataset, generator=generator)
                if shuffle
                else SequentialSampler(dataset)
            )
        if batch_size is not None:
            # for a stream it only checks the settings; nothing is sampled from it
            grouped = BatchSampler(sampler if sampler is not None else (), batch_size, drop_last)
            batch_sampler = None if streamed else grouped

        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.drop_last = drop_last
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.persistent_workers = persistent_workers
        self.generator = generator
        self.in_order = in_order
        if collate_fn is None:
            collate_fn = default_collate if self._batched else default_convert
        self.collate_fn = collate_fn
        self._ready = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and "_ready" in self.__dict__:
            raise ValueError(
                f"{name} attribute should not be set after DataLoader is initialized; "
                "make a new DataLoader"
            )
        super().__setattr__(name, value)

    @property
    def _batched(self) -> bool:
        return self.batch_size is not None or self.batch_sampler is not None

    def __len__(self) -> int:
        """The number of batches. Raises TypeError when the data set or sampler has no length."""
        if not isinstance(self.dataset, IterableDataset):
            return len(self.batch_sampler if self._batched else self.sampler)  # type: ignore[arg-type]
        samples = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return samples
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if isinstance(self.dataset, IterableDataset):
            indices: Iterator[Any] = itertools.repeat(None)
            fetch = self._stream()
        else:
            indices = self._indices()
            fetch = self._fetch()
        if self.num_workers:
            return self._ahead(indices, fetch)
        return itertools.takewhile(lambda batch: batch is not _END, map(fetch, indices))

    # What to load: the indices of each batch …

    def _indices(self) -> Iterator[Any]:
        grouped = self.batch_sampler
        if type(grouped) is BatchSampler and type(grouped.sampler) in _ARRAY_SAMPLERS:
            order, size = grouped.sampler.draw(), grouped.batch_size  # type: ignore[union-attr]
            stop = len(order) - (len(order) % size if grouped.drop_last else 0)
            return (order[start : start + size] for start in range(0, stop, size))
        return iter(grouped if self._batched else self.sampler)  # type: ignore[arg-type]

    # … and how

    def _fetch(self) -> Callable[[Any], Any]:
        dataset, collate = self.dataset, self.collate_fn
        if not self._batched:
            return lambda index: collate(dataset[index])
        take = rows_of(dataset) if collate is default_collate else None
        if take is not None:
            return lambda indices: take(np.asarray(indices, dtype=np.int64))
        gather = getattr(dataset, "__getitems__", None)

        def fetch(indices: Any) -> Any:
            if isinstance(indices, np.ndarray):
                indices = indices.tolist()
            return collate(gather(indices) if gather else [dataset[i] for i in indices])

        return fetch

    def _stream(self) -> Callable[[Any], Any]:
        samples, collate = iter(self.dataset), self.collate_fn  # type: ignore[call-overload]
        size, drop_last = self.batch_size, self.drop_last
        if size is None:
            return lambda _: next((collate(sample) for sample in samples), _END)

        def fetch(_: Any) -> Any:
            batch = list(itertools.islice(samples, size))
            if not batch or (drop_last and len(batch) < size):
                return _END
            return collate(batch)

        return fetch

    def _ahead(self, indices: Iterator[Any], fetch: Callable[[Any], Any]) -> Iterator[Any]:
        """Yield batches in order while threads load the next ones."""
        streamed = isinstance(self.dataset, IterableDataset)
        workers = 1 if streamed else self.num_workers
        seed = int((self.generator or default_generator()).integers(0, 1 << 62, ()))
        ids = itertools.count()
        failed: list[BaseException] = []

        def start() -> None:
            number = next(ids)
            _local.info = WorkerInfo(number, workers, seed + number, self.dataset)
            if self.worker_init_fn is not None:
                try:
                    self.worker_init_fn(number)
                except BaseException as error:  # noqa: BLE001 - raised where the batch is awaited
                    failed.append(error)

        def work(number: int, wanted: Any) -> Any:
            if failed:
                raise failed[0]
            with fork(seed + number):
                return fetch(wanted)

        pool = ThreadPoolExecutor(workers, "workbench-data", initializer=start)
        pending: deque[Future[Any]] = deque()
        depth = workers * (self.prefetch_factor or 2)
        try:
            for number, wanted in enumerate(indices):
                pending.append(pool.submit(work, number, wanted))
                if len(pending) < depth:
                    continue
                batch = self._result(pending.popleft())
                if batch is _END:
                    return
                yield batch
            while pending:
                yield self._result(pending.popleft())
        finally:  # also when the loop over the batches is left early
            pool.shutdown(wait=False, cancel_futures=True)

    def _result(self, future: Future[Any]) -> Any:
        try:
            return future.result(self.timeout or None)
        except TimeoutError:
            if future.done():  # the data set itself raised it
                raise
            raise RuntimeError(f"DataLoader timed out after {self.timeout} seconds") from None


def rows_of(dataset: Any) -> Callable[[np.ndarray], Any] | None:
    """A function from int64 indices to a whole batch, for data sets that allow it; else None."""
    kind = type(dataset)
    if (
        isinstance(dataset, TensorDataset)
        and kind.__getitem__ is TensorDataset.__getitem__
        and not hasattr(kind, "__getitems__")
    ):
        return dataset.take
    if kind is Subset:
        inner = rows_of(dataset.dataset)
        if inner is not None:
            table = np.asarray(dataset.indices, dtype=np.int64)
            return lambda indices: inner(table[indices])
    return None
