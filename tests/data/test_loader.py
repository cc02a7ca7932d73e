"""DataLoader and default_collate: order, batches, edge cases, threads."""

from __future__ import annotations

import threading
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import data

torch = pytest.importorskip("torch")


def pairs(n):
    return data.TensorDataset(wb.arange(n * 2).reshape(n, 2).float(), wb.arange(n))


class PerSample(data.Dataset):
    """The same samples as `pairs`, one at a time."""

    def __init__(self, n):
        self.inner = pairs(n)

    def __len__(self):
        return len(self.inner)

    def __getitem__(self, i):
        return self.inner[i]


class Stream(data.IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


def listed(loader):
    return [[t.tolist() for t in batch] for batch in loader]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 23), st.integers(1, 9), st.booleans(), st.booleans())
def test_fast_and_slow_paths_agree(n, size, drop_last, shuffle):
    made = []
    for ds in (pairs(n) if n else data.TensorDataset(wb.zeros(0, 2), wb.arange(0)), PerSample(n)):
        g = wb.Generator().manual_seed(4)
        loader = data.DataLoader(ds, size, shuffle=shuffle, drop_last=drop_last, generator=g)
        batches = listed(loader)
        assert len(loader) == len(batches)
        made.append(batches)
    assert made[0] == made[1]
    seen = sorted(i for _, labels in made[0] for i in labels)
    if not drop_last:
        assert seen == list(range(n))
    assert all(len(labels) == size for _, labels in made[0][:-1])


def test_batches_are_lists_of_tensors_and_copies():
    ds = pairs(5)
    batch = next(iter(data.DataLoader(ds, 2)))
    assert type(batch) is list
    assert batch[0].dtype is wb.float32
    batch[0].array[...] = -1
    assert ds.tensors[0].array.min() == 0


def test_order_depends_only_on_the_seed():
    def run():
        loader = data.DataLoader(pairs(30), 7, shuffle=True)
        return [listed(loader), listed(loader)]

    with wb.arrays.random.fork(1):
        first = run()
    with wb.arrays.random.fork(1):
        second = run()
    assert first == second
    assert first[0] != first[1]  # every epoch anew
    g = wb.Generator().manual_seed(1)
    loader = data.DataLoader(pairs(30), 7, shuffle=True, generator=g)
    with wb.arrays.random.fork(5):
        before = wb.arrays.random.default_generator().get_state()
        listed(loader)
        after = wb.arrays.random.default_generator().get_state()
    assert np.array_equal(before, after)  # its own generator draws, not the shared one


def test_subsets_take_the_fast_path_too():
    part = data.Subset(data.Subset(pairs(10), [9, 8, 7, 1]), [3, 0, 1])
    assert listed(data.DataLoader(part, 2)) == [[[[2, 3], [18, 19]], [1, 9]], [[[16, 17]], [8]]]
    assert data.loader.rows_of(part) is not None

    class Changed(data.TensorDataset):
        def __getitem__(self, i):
            x, y = super().__getitem__(i)
            return x + 100, y

    assert data.loader.rows_of(Changed(wb.zeros(2), wb.zeros(2))) is None
    assert next(iter(data.DataLoader(Changed(wb.zeros(2), wb.zeros(2)))))[0].item() == 100


def test_samplers_and_batch_samplers():
    ds = pairs(6)
    assert [b[1].tolist() for b in data.DataLoader(ds, 2, sampler=[5, 0, 3])] == [[5, 0], [3]]
    groups = [[0, 1, 2], [5]]
    loader = data.DataLoader(ds, batch_sampler=groups)
    assert [b[1].tolist() for b in loader] == groups
    assert loader.batch_size is None
    weights = data.WeightedRandomSampler([0, 0, 1, 0, 0, 0], 4)
    assert next(iter(data.DataLoader(ds, 4, sampler=weights)))[1].tolist() == [2, 2, 2, 2]


def test_without_batches():
    loader = data.DataLoader([np.zeros(2), np.ones(2)], batch_size=None)
    first, second = loader
    assert isinstance(first, wb.Tensor)
    assert second.tolist() == [1, 1]
    assert len(loader) == 2
    assert list(data.DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]


@pytest.mark.parametrize("workers", [0, 2])
def test_streams(workers):
    loader = data.DataLoader(Stream(5), 2, num_workers=workers)
    assert [b.tolist() for b in loader] == [[0, 1], [2, 3], [4]]
    assert len(loader) == 3
    loader = data.DataLoader(Stream(5), 2, num_workers=workers, drop_last=True)
    assert [b.tolist() for b in loader] == [[0, 1], [2, 3]]
    assert len(loader) == 2


class Noisy(data.Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, i):
        return wb.randn(2) + i


def test_threads_change_neither_order_nor_numbers():
    made = []
    for workers in (1, 2, 5):
        g = wb.Generator().manual_seed(2)
        loader = data.DataLoader(Noisy(), 3, shuffle=True, num_workers=workers, generator=g)
        made.append([b.tolist() for b in loader])
    assert made[0] == made[1] == made[2]
    one = listed(data.DataLoader(pairs(11), 4, num_workers=3))
    assert one == listed(data.DataLoader(pairs(11), 4))


def test_threads_end_and_errors_arrive():
    def loading():
        return [t for t in threading.enumerate() if t.name.startswith("workbench-data")]

    batches = iter(data.DataLoader(pairs(100), 2, num_workers=2))
    next(batches)
    del batches
    for thread in loading():
        thread.join(5)
    assert not loading()

    class Bad(PerSample):
        def __getitem__(self, i):
            if i == 7:
                raise KeyError("sample 7")
            return super().__getitem__(i)

    for workers in (0, 2):
        got = []
        with pytest.raises(KeyError, match="sample 7"):  # noqa: PT012 - the loop raises
            for batch in data.DataLoader(Bad(10), 3, num_workers=workers):
                got.append(batch[1].tolist())  # noqa: PERF401 - what came before the error
        assert got == [[0, 1, 2], [3, 4, 5]]


def test_worker_info_and_init():
    seen = []

    class Who(data.Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, i):
            info = data.get_worker_info()
            assert info.dataset is self
            return info.num_workers

    loader = data.DataLoader(Who(), 2, num_workers=2, worker_init_fn=seen.append)
    assert [b.tolist() for b in loader] == [[2, 2]] * 4
    assert set(seen) <= {0, 1}
    assert seen
    assert data.get_worker_info() is None

    def broken(number):
        raise ValueError("no start")

    with pytest.raises(ValueError, match="no start"):
        list(data.DataLoader(Who(), 2, num_workers=1, worker_init_fn=broken))


def test_a_slow_sample_times_out():
    gate = threading.Event()

    class Slow(data.Dataset):
        def __len__(self):
            return 1

        def __getitem__(self, i):
            gate.wait(10)
            return 0

    try:
        with pytest.raises(RuntimeError, match="timed out"):
            list(data.DataLoader(Slow(), num_workers=1, timeout=0.05))
    finally:
        gate.set()


BAD = [
    {"batch_size": 0},
    {"batch_size": -1},
    {"batch_size": 2.5},
    {"num_workers": -1},
    {"timeout": -1},
    {"prefetch_factor": 2},
    {"persistent_workers": True},
    {"shuffle": True, "sampler": [0]},
    {"batch_sampler": [[0]], "batch_size": 2},
    {"batch_sampler": [[0]], "shuffle": True},
    {"batch_size": None, "drop_last": True},
]


@pytest.mark.parametrize("options", BAD)
def test_bad_options_raise_as_in_torch(options):
    with pytest.raises(ValueError):  # noqa: PT011
        torch.utils.data.DataLoader([1, 2], **options)
    with pytest.raises(ValueError):  # noqa: PT011
        data.DataLoader([1, 2], **options)


def test_more_refusals():
    with pytest.raises(ValueError, match="cannot shuffle"):
        data.DataLoader(Stream(3), shuffle=True)
    with pytest.raises(ValueError, match="takes no sampler"):
        data.DataLoader(Stream(3), sampler=[0])
    with pytest.raises(TypeError, match=r"wb\.Generator"):
        data.DataLoader([1], generator=3)
    loader = data.DataLoader([1, 2])
    with pytest.raises(ValueError, match="make a new DataLoader"):
        loader.batch_size = 3


Point = namedtuple("Point", "x y")

SAMPLES = {
    "ints": [1, 2],
    "floats": [1.0, 2.5],
    "bools": [True, False],
    "strings": ["a", "b"],
    "arrays": [np.arange(3), np.arange(3)],
    "scalars": [np.float32(1), np.float32(2)],
    "tuples": [(1, "a", 2.0), (2, "b", 3.0)],
    "lists": [[1, [2.0]], [3, [4.0]]],
    "dicts": [{"x": 1, "y": [np.ones(2)]}, {"x": 2, "y": [np.zeros(2)]}],
    "named": [Point(1, 2.0), Point(3, 4.0)],
}


def compare(ours, theirs):
    if isinstance(theirs, torch.Tensor):
        assert repr(ours.dtype).rpartition(".")[2] == repr(theirs.dtype).rpartition(".")[2]
        assert ours.tolist() == theirs.tolist()
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for key in theirs:
            compare(ours[key], theirs[key])
    elif isinstance(theirs, str):
        assert ours == theirs
    else:
        assert type(ours) is type(theirs)
        for a, b in zip(ours, theirs, strict=True):
            compare(a, b)


@pytest.mark.parametrize("name", SAMPLES)
def test_collate_as_in_torch(name):
    compare(data.default_collate(SAMPLES[name]), torch.utils.data.default_collate(SAMPLES[name]))


def test_collate_tensors_with_gradients_and_refusals():
    x = wb.ones(2, requires_grad=True)
    out = data.default_collate([x, x * 2])
    out.sum().backward()
    assert x.grad.tolist() == [3, 3]
    with pytest.raises(RuntimeError, match="equal size"):
        data.default_collate([wb.ones(2), wb.ones(3)])
    with pytest.raises(RuntimeError, match="equal size"):
        data.default_collate([(1, 2), (1,)])
    for bad in (object(), np.array(["a"])):
        with pytest.raises(TypeError, match="collate_fn"):
            data.default_collate([bad, bad])


def test_own_collate():
    loader = data.DataLoader(pairs(4), 2, collate_fn=len)
    assert list(loader) == [2, 2]


def test_a_batched_getter_is_used():
    class Many(data.Dataset):
        def __len__(self):
            return 4

        def __getitems__(self, indices):
            return [i * 10 for i in indices]

    assert [b.tolist() for b in data.DataLoader(Many(), 3)] == [[0, 10, 20], [30]]
