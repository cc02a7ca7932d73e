"""Making tensors: dtypes inferred, shapes and errors as torch's."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb

MAKES = {
    "int": lambda lib: lib.tensor(3),
    "float": lambda lib: lib.tensor(3.5),
    "bool": lambda lib: lib.tensor(True),
    "complex": lambda lib: lib.tensor(1 + 2j),
    "mixed list": lambda lib: lib.tensor([1, 2.5]),
    "bools and ints": lambda lib: lib.tensor([True, 2]),
    "empty": lambda lib: lib.tensor([]),
    "nested": lambda lib: lib.tensor([[1, 2], [3, 4]]),
    "empty nested": lambda lib: lib.tensor([[], []]),
    "tuple": lambda lib: lib.tensor((1, 2)),
    "tensors inside": lambda lib: lib.tensor([lib.tensor(1.0), lib.tensor(2.0)]),
    "float64 array": lambda lib: lib.tensor(np.ones(2)),
    "int32 array": lambda lib: lib.tensor(np.ones(2, np.int32)),
    "list of float32 scalars": lambda lib: lib.tensor([np.float32(1), np.float32(2)]),
    "dtype given": lambda lib: lib.tensor([1.7, -1.7], dtype=lib.int64),
    "to bool": lambda lib: lib.tensor([0.0, 0.5], dtype=lib.bool),
    "half": lambda lib: lib.tensor([0.1], dtype=lib.float16),
    "range": lambda lib: lib.tensor(range(3)),
    "ragged": lambda lib: lib.tensor([[1, 2], [3]]),
    "string": lambda lib: lib.tensor("a"),
    "None inside": lambda lib: lib.tensor([1, None]),
    "dict": lambda lib: lib.tensor({"a": 1}),
    "dtype as text": lambda lib: lib.tensor([1], dtype="float32"),
    "zeros": lambda lib: lib.zeros(2, 3),
    "zeros of a tuple": lambda lib: lib.zeros((2, 3)),
    "zeros of a size": lambda lib: lib.zeros(lib.ones(2, 3).shape),
    "zeros of nothing": lambda lib: lib.zeros(()),
    "zeros with a zero side": lambda lib: lib.zeros(0, 3),
    "negative side": lambda lib: lib.zeros(-1),
    "float side": lambda lib: lib.zeros(2.0),
    "ones": lambda lib: lib.ones(2, dtype=lib.int32),
    "full": lambda lib: lib.full((2,), 7),
    "full float": lambda lib: lib.full((2,), 7.0),
    "full bool": lambda lib: lib.full((2,), True),
    "full dtype": lambda lib: lib.full((2,), 7, dtype=lib.float64),
    "eye": lambda lib: lib.eye(3),
    "eye wide": lambda lib: lib.eye(2, 3),
    "arange": lambda lib: lib.arange(5),
    "arange float": lambda lib: lib.arange(5.0),
    "arange steps": lambda lib: lib.arange(1, 2, 0.25),
    "arange negative": lambda lib: lib.arange(5, 0, -2),
    "arange empty": lambda lib: lib.arange(0),
    "arange dtype": lambda lib: lib.arange(3, dtype=lib.float32),
    "arange zero step": lambda lib: lib.arange(0, 3, 0),
    "arange wrong way": lambda lib: lib.arange(3, 0),
    "arange inexact end": lambda lib: lib.arange(0, 0.3, 0.1),
    "linspace": lambda lib: lib.linspace(0, 1, 5),
    "linspace one": lambda lib: lib.linspace(2, 7, 1),
    "linspace none": lambda lib: lib.linspace(0, 1, 0),
    "linspace ints": lambda lib: lib.linspace(0, 10, 4, dtype=lib.int64),
    "zeros_like": lambda lib: lib.zeros_like(lib.ones(2, 3, dtype=lib.int32)),
    "ones_like": lambda lib: lib.ones_like(lib.zeros(2), dtype=lib.float64),
    "full_like": lambda lib: lib.full_like(lib.zeros(2, 2), 3),
    "new_zeros": lambda lib: lib.ones(2, dtype=lib.float64).new_zeros(3),
    "new_ones": lambda lib: lib.ones(2, dtype=lib.int32).new_ones((2, 2)),
    "new_full": lambda lib: lib.ones(2, dtype=lib.float64).new_full((2,), 3),
    "new_tensor": lambda lib: lib.ones(2, dtype=lib.float64).new_tensor([1, 2]),
    "as_tensor": lambda lib: lib.as_tensor([1.0, 2.0]),
    "as_tensor dtype": lambda lib: lib.as_tensor(np.ones(2), dtype=lib.float32),
    "from_numpy list": lambda lib: lib.from_numpy([1, 2]),
    "from_numpy text": lambda lib: lib.from_numpy(np.array(["a"])),
    "Tensor of sizes": lambda lib: lib.Tensor(2, 3).shape == (2, 3),
    "Tensor of data": lambda lib: lib.Tensor([1, 2]),
    "randint empty range": lambda lib: lib.randint(3, 3, (2,)),
    "randint dtype": lambda lib: lib.randint(0, 3, (2,)).dtype,
    "rand of ints": lambda lib: lib.rand(2, dtype=lib.int64),
    "randperm dtype": lambda lib: lib.randperm(4).dtype,
    "requires grad of ints": lambda lib: lib.tensor([1], requires_grad=True),
    "requires grad": lambda lib: lib.ones(2, requires_grad=True).requires_grad,
}


@pytest.mark.parametrize("name", MAKES)
def test_as_torch(name, both):
    both.same(MAKES[name], label=name)


def test_tensor_copies_and_as_tensor_shares():
    data = np.zeros(3, np.float32)
    copied, shared, view = wb.tensor(data), wb.as_tensor(data), wb.from_numpy(data)
    data[0] = 5
    assert copied.tolist() == [0, 0, 0]
    assert shared.tolist() == view.tolist() == [5, 0, 0]
    tensor = wb.zeros(2)
    assert wb.as_tensor(tensor) is tensor


def test_draws_are_in_range_and_of_the_right_shape():
    wb.manual_seed(0)
    u = wb.rand(1000)
    assert float(u.min()) >= 0
    assert float(u.max()) < 1
    assert abs(float(u.mean()) - 0.5) < 0.05
    n = wb.randn(50, 40)
    assert abs(float(n.mean())) < 0.1
    assert abs(float(n.std()) - 1) < 0.1
    k = wb.randint(-2, 3, (500,))
    assert sorted(set(k.tolist())) == [-2, -1, 0, 1, 2]
    assert sorted(wb.randperm(20).tolist()) == list(range(20))
    assert wb.rand_like(wb.zeros(2, 3, dtype=wb.float64)).dtype is wb.float64
    assert wb.rand(1000, dtype=wb.float16).max().item() < 1


def test_the_same_seed_gives_the_same_numbers():
    wb.manual_seed(3)
    first = [wb.rand(3).tolist(), wb.randn(2).tolist(), wb.randperm(5).tolist()]
    wb.manual_seed(3)
    assert first == [wb.rand(3).tolist(), wb.randn(2).tolist(), wb.randperm(5).tolist()]
    g = wb.Generator().manual_seed(3)
    assert wb.rand(3, generator=g).tolist() == first[0]


def test_fills_in_place():
    wb.manual_seed(0)
    x = wb.empty(1000)
    x.uniform_(2, 3)
    assert float(x.min()) >= 2
    assert float(x.max()) < 3
    x.normal_(5, 0.1)
    assert abs(float(x.mean()) - 5) < 0.05
    x.bernoulli_(0.3)
    assert set(x.tolist()) == {0.0, 1.0}
