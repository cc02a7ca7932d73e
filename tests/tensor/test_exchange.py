# ruff: noqa: E501 - tables, one case in a line
"""Leaving for Python, NumPy, other libraries and files."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import workbench as wb

PROGRAMS = {
    "item": lambda lib: [lib.tensor(3).item(), lib.tensor([2.5]).item(), lib.tensor(True).item()],
    "item of several": lambda lib: lib.ones(2).item(),
    "tolist": lambda lib: [lib.arange(4).reshape(2, 2).tolist(), lib.tensor(1.5).tolist()],
    "bool of one": lambda lib: [bool(lib.tensor([0.0])), bool(lib.tensor(2))],
    "bool of several": lambda lib: bool(lib.ones(2)),
    "bool of none": lambda lib: bool(lib.ones(0)),
    "float and int": lambda lib: [float(lib.tensor(2)), int(lib.tensor(2.9)), complex(lib.tensor(1))],
    "float of several": lambda lib: float(lib.ones(2)),
    "index": lambda lib: ["a", "b", "c"][lib.tensor(1)],
    "index of a float": lambda lib: ["a", "b"][lib.tensor(1.0)],
    "range of a tensor": lambda lib: list(range(lib.tensor(3))),
    "numpy of a graph": lambda lib: lib.ones(1, requires_grad=True).numpy(),
    "numpy of a detached": lambda lib: lib.ones(1, requires_grad=True).detach().numpy().tolist(),
    "asarray of a graph": lambda lib: np.asarray(lib.ones(1, requires_grad=True)),
    "contains": lambda lib: [2 in lib.arange(3), 7 in lib.arange(3)],
    "len": lambda lib: len(lib.zeros(3, 2)),
    "equality with text": lambda lib: lib.ones(1) == "a",
    "sizes": lambda lib: [
        lib.zeros(2, 3).numel(), lib.zeros(2, 3).dim(), lib.zeros(2, 3).size(-1),
        list(lib.zeros(2, 3).stride()), lib.zeros(2).element_size(), lib.zeros(2, 3).nbytes,
        lib.zeros(2, 3).t().is_contiguous(), list(lib.zeros(2, 3).t().stride()),
    ],
    "size out of range": lambda lib: lib.zeros(2).size(1),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_as_torch(name, both):
    both.same(PROGRAMS[name], label=name)


def test_numpy_shares_memory():
    x = wb.zeros(3)
    x.numpy()[1] = 4
    assert x.tolist() == [0, 4, 0]
    assert np.shares_memory(np.asarray(x), x.array)
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert not np.shares_memory(np.array(x, copy=True), x.array)


def test_numpy_functions_and_operators_meet_tensors():
    x = wb.ones(2, requires_grad=True)
    y = np.float32(3) * x
    assert isinstance(y, wb.Tensor)
    assert y.requires_grad
    assert np.sum(np.asarray(wb.ones(3))) == 3


def test_deepcopy_and_copy():
    x = wb.ones(3, requires_grad=True)
    (x * 2).sum().backward()
    x.note = "kept"
    y = copy.deepcopy(x)
    assert y.requires_grad
    assert y.is_leaf
    assert not np.shares_memory(x.array, y.array)
    assert y.grad.tolist() == [2, 2, 2]
    assert y.note == "kept"
    shallow = copy.copy(x)
    assert np.shares_memory(x.array, shallow.array)
    pair = [x, x]
    first, second = copy.deepcopy(pair)
    assert first is second


def test_pickle_round_trip():
    for x in (
        wb.tensor([1.5, 2.5], requires_grad=True), wb.arange(4).reshape(2, 2).t(),
        wb.tensor([1.5], dtype=wb.bfloat16), wb.tensor(True), wb.zeros(0, 2),
    ):  # fmt: skip
        y = pickle.loads(pickle.dumps(x))
        assert y.dtype is x.dtype
        assert y.shape == x.shape
        assert y.requires_grad == x.requires_grad
        assert y.tolist() == x.tolist()
    assert pickle.loads(pickle.dumps(wb.float32)) is wb.float32
    assert pickle.loads(pickle.dumps(wb.device("cpu"))) == wb.device("cpu")


def test_hashing_is_by_identity():
    x, y = wb.ones(1), wb.ones(1)
    held = {x: 1, y: 2}
    assert held[x] == 1
    assert held[y] == 2
    assert x in {x}
    assert hash(x) != hash(y)


def test_dlpack_to_numpy_and_back():
    x = wb.arange(3.0)
    out = np.from_dlpack(x)
    assert np.shares_memory(out, x.array)
    assert x.__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError, match="detach"):
        np.from_dlpack(wb.ones(1, requires_grad=True))


def test_dlpack_to_torch_and_back(both):
    x = wb.arange(6.0).reshape(2, 3)
    theirs = both.torch.from_dlpack(x)
    theirs[0, 0] = 9
    assert x[0, 0].item() == 9
    back = wb.from_dlpack(theirs)
    assert isinstance(back, wb.Tensor)
    assert back.data_ptr() == theirs.data_ptr()


def test_data_shares_memory_without_history():
    x = wb.ones(2, requires_grad=True)
    x.data[0] = 5
    assert x.tolist() == [5, 1]
    x.data = wb.zeros(2)
    assert x.tolist() == [0, 0]
    assert x.requires_grad
