# ruff: noqa: E501 - tables, one case in a line
"""Leaving for Python, NumPy, other libraries and files."""

from __future__ import annotations

import copy
import operator
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
    "contains a tensor": lambda lib: [lib.tensor(1.0) in lib.ones(2), 2.5 in lib.ones(2), True in lib.ones(2)],
    "contains rows": lambda lib: lib.tensor([1, 2]) in lib.tensor([[1, 2], [3, 4]]),
    "contains text": lambda lib: "a" in lib.ones(2),
    "contains None": lambda lib: None in lib.ones(2),
    "reversed": lambda lib: [list(reversed(lib.tensor([1, 2, 3]))), lib.tensor([[1, 2], [3, 4]]).__reversed__()],
    "reversed 0-d": lambda lib: lib.tensor(1).__reversed__(),
    "iteration of a 0-d": lambda lib: list(lib.tensor(1)),
    "len of a 0-d": lambda lib: len(lib.tensor(1)),
    "index of one element": lambda lib: [lib.tensor([[3]]).__index__(), lib.tensor(True).__index__()],
    "index of several": lambda lib: lib.ones(2, dtype=lib.int64).__index__(),
    "index of a complex": lambda lib: lib.tensor(1 + 0j).__index__(),
    "float of a complex": lambda lib: float(lib.tensor(1 + 2j)),
    "int of a float": lambda lib: [int(lib.tensor(2.7)), int(lib.tensor([-2.7]))],
    "tolist of none": lambda lib: [lib.ones(0, 2).tolist(), lib.ones(2, 0).tolist(), lib.tensor(3).tolist()],
    "format": lambda lib: [f"{lib.tensor(1.23456):.2f}", f"{lib.tensor(7):03d}", f"{lib.tensor(3)}", f"{lib.tensor(2+1j):.1f}"],
    "format of several": lambda lib: f"{lib.ones(2):.2f}",
    "format of a parameter": lambda lib: f"{lib.nn.Parameter(lib.ones(2)):.2f}",
    "format of a number that is trained": lambda lib: f"{lib.nn.Parameter(lib.tensor(2.0))}",
    "format of it with digits": lambda lib: f"{lib.nn.Parameter(lib.tensor(2.0)):.2f}",
    "plus None": lambda lib: lib.ones(2) + None,
    "None plus": lambda lib: None + lib.ones(2),
    "list plus": lambda lib: operator.add([1, 1], lib.ones(2)),
    "less than None": lambda lib: lib.ones(2) < None,
    "equal to None": lambda lib: [lib.ones(2) == None, lib.ones(2) != None, lib.ones(2) == [1, 1]],  # noqa: E711
    "matrix product with a number": lambda lib: lib.ones(2) @ 3,
    "shift by reflection": lambda lib: [1 << lib.tensor([2, 3]), 64 >> lib.tensor([2, 3])],
    "bits by reflection": lambda lib: [5 & lib.tensor([4]), 1 | lib.tensor([4]), 1 ^ lib.tensor([5])],
    "power by reflection": lambda lib: [2 ** lib.tensor([1, 2]), 2.5 ** lib.tensor([1, 2])],
    "quotient by reflection": lambda lib: [5 // lib.tensor([2, 3]), 5 % lib.tensor([2, 3]), 5 / lib.tensor([2, 3])],
    "NumPy's sine": lambda lib: np.sin(lib.tensor([1.0, 2.0])),
    "NumPy's sum of two": lambda lib: [np.add(np.ones(2), lib.ones(2)), np.add(lib.ones(2), np.ones(2))],
    "NumPy's truth": lambda lib: np.isnan(lib.ones(2)),
    "NumPy's maximum": lambda lib: np.maximum(lib.ones(2), np.zeros(2)),
    "NumPy's functions of a graph": lambda lib: np.sin(lib.ones(2, requires_grad=True)),
    "tensor and array": lambda lib: [lib.ones(2) + np.ones(2), lib.ones(2) * np.ones(2), lib.ones(2, 2) @ np.ones(2)],
    "array and tensor": lambda lib: np.ones(2) * lib.ones(2),
    "array product tensor": lambda lib: np.ones(2) @ lib.ones(2),
    "array and tensor compared": lambda lib: [np.ones(2) == lib.ones(2), lib.ones(2) == np.ones(2)],
    "array less than a tensor": lambda lib: np.ones(2) < lib.ones(2),
    "NumPy's numbers": lambda lib: [np.float64(2) * lib.ones(2), lib.ones(2) * np.float32(2), np.int64(2) - lib.ones(2)],
    "NumPy's joins": lambda lib: np.concatenate([lib.ones(2), lib.zeros(2)]).tolist(),
    "NumPy's norm": lambda lib: float(np.linalg.norm(lib.tensor([3.0, 4.0]))),
    "array in another dtype": lambda lib: np.asarray(lib.arange(3), dtype=np.float32).tolist(),
    "from_numpy backwards": lambda lib: lib.from_numpy(np.arange(3.0)[::-1]),
    "as_tensor backwards": lambda lib: lib.as_tensor(np.arange(3.0)[::-1]),
    "pickle of a result": lambda lib: [pickle.loads(pickle.dumps(lib.ones(2, requires_grad=True) * 2)).requires_grad, pickle.loads(pickle.dumps(lib.ones(2, requires_grad=True) * 2)).is_leaf],
    "copy of a result": lambda lib: [copy.copy(lib.ones(2, requires_grad=True) * 2).is_leaf, copy.copy(lib.ones(2, requires_grad=True) * 2)],
    "deepcopy of a result": lambda lib: copy.deepcopy(lib.ones(2, requires_grad=True) * 2),
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


def test_deepcopy_keeps_shared_memory_shared(both):
    """Views stay views: of one copy."""
    for lib in (wb, both.torch):
        x = lib.arange(6.0).reshape(2, 3)
        a, row, turned, again = copy.deepcopy([x, x[1], x.t(), x])
        row[0] = 9
        assert a[1, 0].item() == turned[0, 1].item() == 9
        assert x[1, 0].item() == 3
        assert again is a
        assert tuple(turned.stride()) == (1, 3)
    x = wb.randn(3, 4).t()
    y = copy.deepcopy(x)
    assert y.stride() == x.stride()
    assert y.tolist() == x.tolist()


def test_copies_of_parameters():
    p = wb.nn.Parameter(wb.ones(2))
    (p * 2).sum().backward()
    for q in (copy.copy(p), copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert type(q) is wb.nn.Parameter
        assert q.requires_grad
        assert q.is_leaf
    assert copy.deepcopy(p).grad.tolist() == [2, 2]
    assert pickle.loads(pickle.dumps(p)).grad is None


def test_hooks_are_not_pickled_and_say_so():
    x = wb.ones(2, requires_grad=True)
    x.register_hook(lambda g: g)
    with pytest.warns(UserWarning, match="will not be serialized"):
        y = pickle.loads(pickle.dumps(x))
    assert y.requires_grad
    assert copy.deepcopy(x)._hooks is None


def test_asarray_without_a_copy():
    x = wb.ones(2)
    assert np.shares_memory(np.asarray(x, copy=False), x.array)
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, dtype=np.float64, copy=False)
    assert np.array(x).base is None


def test_in_place_with_arrays_of_numpy():
    x = wb.ones(2)
    with pytest.raises(TypeError):
        x += "a"


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
