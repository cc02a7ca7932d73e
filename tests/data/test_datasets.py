"""Data sets, splits, samplers and the digits."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench import data


def test_tensor_dataset():
    x, y = wb.arange(6).reshape(3, 2), wb.tensor([0, 1, 2])
    ds = data.TensorDataset(x, y)
    assert len(ds) == 3
    first, label = ds[1]
    assert first.tolist() == [2, 3]
    assert label.item() == 1
    assert [t.shape for t in ds[:2]] == [(2, 2), (2,)]
    assert ds.tensors == (x, y)
    taken = ds.take(np.array([2, -3]))
    assert [t.tolist() for t in taken] == [[[4, 5], [0, 1]], [2, 0]]
    taken[0].array[...] = 9
    assert x[2].tolist() == [4, 5]  # a batch is a copy
    with pytest.raises(IndexError):
        ds.take(np.array([3]))


@pytest.mark.parametrize(
    ("tensors", "kind", "message"),
    [
        ((), ValueError, "at least one"),
        ((np.zeros(3),), TypeError, "argument 0 is a ndarray"),
        ((wb.zeros(3), wb.zeros(2)), ValueError, "Size mismatch"),
        ((wb.tensor(1.0),), ValueError, "no dimension"),
    ],
)
def test_tensor_dataset_refuses(tensors, kind, message):
    with pytest.raises(kind, match=message):
        data.TensorDataset(*tensors)


class Squares(data.Dataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return i * i


class Count(data.IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))


def test_concat_chain_stack_subset():
    both = Squares(3) + Squares(4)
    assert len(both) == 7
    assert [both[i] for i in range(7)] == [0, 1, 4, 0, 1, 4, 9]
    assert both[-1] == 9
    for bad in (7, -8):
        with pytest.raises(IndexError):
            both[bad]
    assert list(Count(2) + Count(3)) == [0, 1, 0, 1, 2]
    with pytest.raises(TypeError, match="ChainDataset"):
        data.ConcatDataset([Count(2)])
    with pytest.raises(ValueError, match="at least one"):
        data.ConcatDataset([])
    assert data.StackDataset(Squares(3), [7, 8, 9])[2] == (4, 9)
    assert data.StackDataset(a=Squares(3))[2] == {"a": 4}
    with pytest.raises(ValueError, match="same length"):
        data.StackDataset(Squares(3), Squares(2))
    with pytest.raises(ValueError, match="by position or by keyword"):
        data.StackDataset()
    part = data.Subset(Squares(10), [3, 1])
    assert (len(part), part[0], part[1]) == (2, 9, 1)
    with pytest.raises(NotImplementedError, match="__getitem__"):
        data.Dataset()[0]


def test_random_split():
    parts = data.random_split(Squares(10), [7, 3], generator=wb.Generator().manual_seed(1))
    again = data.random_split(Squares(10), [7, 3], generator=wb.Generator().manual_seed(1))
    assert [p.indices for p in parts] == [p.indices for p in again]
    assert sorted(parts[0].indices + parts[1].indices) == list(range(10))
    assert [len(p) for p in data.random_split(Squares(10), [0.5, 0.3, 0.2])] == [5, 3, 2]
    assert [len(p) for p in data.random_split(Squares(11), [0.5, 0.5])] == [6, 5]
    for bad in ([5, 4], [0.5, 0.4], [-1, 11], [1.5, -0.5]):
        with pytest.raises(ValueError, match=r"fraction|Sum of input lengths"):
            data.random_split(Squares(10), bad)


def test_samplers():
    g = lambda: wb.Generator().manual_seed(3)  # noqa: E731
    assert list(data.SequentialSampler([1, 2, 3])) == [0, 1, 2]
    order = list(data.RandomSampler(range(20), generator=g()))
    assert sorted(order) == list(range(20))
    assert order == list(data.RandomSampler(range(20), generator=g()))
    assert order != list(range(20))
    many = data.RandomSampler(range(4), num_samples=10, generator=g())
    drawn = list(many)
    assert len(many) == len(drawn) == 10
    assert sorted(drawn[:4]) == sorted(drawn[4:8]) == [0, 1, 2, 3]
    assert set(data.RandomSampler(range(3), True, 50)) == {0, 1, 2}
    assert list(data.RandomSampler([])) == []
    assert sorted(data.SubsetRandomSampler([5, 7, 9])) == [5, 7, 9]
    batches = data.BatchSampler(data.SequentialSampler(range(5)), 2, False)
    assert list(batches) == [[0, 1], [2, 3], [4]]
    assert len(batches) == 3
    batches = data.BatchSampler(range(5), 2, True)
    assert list(batches) == [[0, 1], [2, 3]]
    assert len(batches) == 2


def test_weighted_sampler_follows_its_weights():
    weights = [0.0, 1.0, 3.0, 0.0]
    sampler = data.WeightedRandomSampler(weights, 8000)
    counts = np.bincount(list(sampler), minlength=4)
    assert counts[0] == counts[3] == 0
    assert counts[2] / 8000 == pytest.approx(0.75, abs=0.03)
    firsts = [list(data.WeightedRandomSampler(weights, 2, replacement=False)) for _ in range(800)]
    assert all(sorted(f) == [1, 2] for f in firsts)
    assert np.mean([f[0] == 2 for f in firsts]) == pytest.approx(0.75, abs=0.07)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: data.RandomSampler([1], replacement=1), TypeError),
        (lambda: data.RandomSampler([1], num_samples=0), ValueError),
        (lambda: data.BatchSampler([1], 0, False), ValueError),
        (lambda: data.BatchSampler([1], 2.0, False), ValueError),
        (lambda: data.BatchSampler([1], 2, 1), ValueError),
        (lambda: data.WeightedRandomSampler([1, 2], 0), ValueError),
        (lambda: data.WeightedRandomSampler([1, -2], 1), ValueError),
        (lambda: data.WeightedRandomSampler([0, 0], 1), ValueError),
        (lambda: data.WeightedRandomSampler([[1]], 1), ValueError),
        (lambda: data.WeightedRandomSampler([1, 0], 2, False), ValueError),
        (lambda: data.WeightedRandomSampler([1, 0], 2, 0), ValueError),
    ],
)
def test_samplers_refuse(make, kind):
    with pytest.raises(kind):
        make()


def test_digits():
    splits = data.datasets.digits()
    assert splits == (splits.train, splits.test)
    train, test = splits
    assert (len(train), len(test)) == (1437, 360)
    for part, name in ((train, "train"), (test, "test")):
        images, labels = part.tensors
        assert images.shape[1:] == (1, 8, 8)
        assert images.dtype is wb.float32
        assert labels.dtype is wb.int64
        assert images.array.min() == 0
        assert images.array.max() == 1
        assert set(np.unique(images.array * 16 % 1)) == {0}
        assert part.classes == list("0123456789")
        assert part.code == f"wb.data.datasets.digits().{name}"
        made = eval(part.code, {"wb": wb})
        assert np.array_equal(made.tensors[0].array, images.array)
    assert splits.code == "wb.data.datasets.digits()"
    counts = np.bincount(test.tensors[1].array)
    assert counts.min() >= 35
    assert counts.max() <= 37
    everything = np.concatenate([train.tensors[0].array, test.tensors[0].array])
    assert everything.shape[0] == 1797
    assert everything.sum() * 16 == 561718  # the sum of all pixels in the source


def test_digits_name_their_licence():
    from importlib import resources

    text = resources.files("workbench.data").joinpath("DIGITS-LICENSE.txt").read_text("utf-8")
    for part in ("Alpaydin", "Kaynak", "UCI", "CC BY 4.0"):
        assert part in text


@pytest.mark.parametrize("make", [data.datasets.two_moons, data.datasets.spirals])
def test_synthetic_sets(make):
    ds = make(101)
    points, labels = ds.tensors
    assert points.shape == (101, 2)
    assert points.dtype is wb.float32
    assert labels.dtype is wb.int64
    counts = np.bincount(labels.array)
    assert counts.max() - counts.min() <= 1
    assert len(ds.classes) == len(counts)
    again = eval(ds.code, {"wb": wb})
    assert np.array_equal(again.tensors[0].array, points.array)
    assert not np.array_equal(make(101, seed=1).tensors[0].array, points.array)
    for bad in ({"n": 1}, {"noise": -1}):
        with pytest.raises(ValueError, match="must"):
            make(**bad)


def test_torchs_module_paths():
    import workbench.utils.data
    from workbench.utils.data.dataloader import DataLoader
    from workbench.utils.data.dataset import TensorDataset
    from workbench.utils.data.sampler import RandomSampler

    assert workbench.utils.data.DataLoader is DataLoader is data.DataLoader
    assert TensorDataset is data.TensorDataset
    assert RandomSampler is data.RandomSampler
