"""The stand-in refuses what CuPy refuses: without that, tests on it would prove nothing."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from .stand_in import HostSync, Undefined, counting, cupy, cupyx, no_syncs, state, twin


def device(*values, dtype=np.float32):
    return cupy.asarray(np.array(values, dtype))


@pytest.fixture
def a():
    return cupy.asarray(np.arange(12, dtype=np.float32).reshape(3, 4))


REFUSED = {
    "NumPy conversion": (lambda a: np.asarray(a), TypeError, "Implicit conversion"),
    "host array in an operator": (lambda a: a + np.ones(4, np.float32), TypeError, "Unsupported"),
    "host array on the left": (lambda a: np.ones(4, np.float32) * a, TypeError, "Unsupported"),
    "host 0-d array": (lambda a: cupy.multiply(a, np.array(2.0)), TypeError, "Unsupported"),
    "list in a ufunc": (lambda a: cupy.add(a, [1, 2, 3, 4]), TypeError, "Unsupported"),
    "host array in a function": (lambda a: cupy.where(a > 0, a, np.ones(4)), TypeError, "Unsup"),
    "host array written": (lambda a: a.__setitem__(0, np.ones(4)), TypeError, "Unsupported"),
    "initial": (lambda a: cupy.max(a, initial=0), TypeError, "initial"),
    "where": (lambda a: a.sum(where=a > 0), TypeError, "where"),
    "where of a ufunc": (lambda a: cupy.add(a, a, where=a > 0), TypeError, "Wrong arguments"),
    "a name it lacks": (lambda a: cupy.geomspace(1, 2, 3), AttributeError, "geomspace"),
    "a method it lacks": (lambda a: a.itemset(0, 1), AttributeError, "itemset"),
    "writeable flag": (lambda a: a.flags.writeable, AttributeError, "writeable"),
    "its memory": (lambda a: a.__array_interface__, AttributeError, "interface"),
    "at without atomics": (lambda a: cupy.multiply.at(a, 0, 1), NotImplementedError, "at"),
    "at of complex": (
        lambda a: cupy.add.at(a.astype(np.complex64), device(0, dtype=int), 1), TypeError, "complex"
    ),
    "reduce": (lambda a: cupy.maximum.reduce(a), NotImplementedError, "reduce"),
    "a dtype without a loop": (lambda a: cupy.bitwise_and(a, a), TypeError, "Wrong type"),
    "complex logic": (lambda a: cupy.logical_not(a.astype(np.complex64)), TypeError, "Wrong type"),
    "sorting a number": (lambda a: cupy.sort(a[0, 0]), np.exceptions.AxisError, "rank of zero"),
    "float16 in linalg": (
        lambda a: cupy.linalg.inv(cupy.eye(2, dtype=np.float16)), TypeError, "float16"
    ),
    "solve does not broadcast": (
        lambda a: cupy.linalg.solve(cupy.zeros((2, 3, 3)), cupy.zeros((3, 1))), ValueError, "shape"
    ),
    "strings": (lambda a: cupy.asarray(np.array(["a"])), ValueError, "Unsupported dtype"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_cupy_does(name, a):
    act, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        act(a)


def test_results_stay_arrays(a):
    for value in (a.sum(), a[0, 0], cupy.max(a), a.mean(), cupy.add(1, 2), a.argmax()):
        assert isinstance(value, cupy.ndarray)
        assert value.shape == ()


def test_views_share_memory_and_keep_their_base(a):
    view = a[1:].T
    assert view.base is a
    view[0, 0] = 50
    assert float(a[1, 0]) == 50
    assert a.base is None
    assert (a + 1).base is None
    assert a[0:0].base is a


def test_indices_out_of_range_wrap(a):
    assert (
        a[device(3, -4, dtype=np.int64)].get().tolist() == a[device(0, 2, dtype=int)].get().tolist()
    )


def test_an_index_twice_in_an_assignment_is_undefined(a):
    with pytest.raises(Undefined):
        a[device(0, 0, dtype=np.int64)] = cupy.asarray(np.arange(8.0).reshape(2, 4))
    a[device(0, 0, dtype=np.int64)] = 1.0  # the same value twice
    cupy.add.at(a, device(0, 0, dtype=np.int64), 1.0)
    assert a[0].get().tolist() == [3.0] * 4


def test_writing_to_an_expanded_array_is_undefined():
    with pytest.raises(Undefined):
        cupy.broadcast_to(device(1.0), (3,))[...] = 2.0


WAITS = {
    "bool": lambda a: bool(a.sum()), "float": lambda a: float(a.sum()),
    "item": lambda a: a[0, 0].item(),
    "get": lambda a: a.get(), "tolist": lambda a: a.tolist(), "print": repr,
    "nonzero": lambda a: cupy.nonzero(a), "mask": lambda a: a[a > 3],
    "masked write": lambda a: a.__setitem__(a > 3, 0), "unique": lambda a: cupy.unique(a),
    "argwhere": lambda a: cupy.argwhere(a), "asnumpy": lambda a: cupy.asnumpy(a),
    "synchronize": lambda a: cupy.cuda.Device().synchronize(),
}  # fmt: skip


@pytest.mark.parametrize("name", WAITS)
def test_waiting_for_the_device_is_seen(name, a):
    with counting():
        WAITS[name](a)
        assert state.syncs == 1
    with pytest.raises(HostSync), no_syncs():
        WAITS[name](a)


def test_ordinary_work_does_not_wait(a):
    with no_syncs(), counting():
        b = cupy.maximum(a @ a.T, 0).sum(axis=0)
        b += 1
        b[0] = 3
        cupy.asarray(np.ones(3))
        assert state.launches >= 4
        assert state.uploads == 1


def test_type_loops_are_cupys():
    brain = np.dtype(ml_dtypes.bfloat16)
    half = cupy.ones(2, brain)
    assert (half + half).dtype == brain
    assert (half * 2.0).dtype == np.float32  # a Python float lifts it, as in NumPy
    assert (device(1, dtype=np.int8) * 2.0).dtype == np.float64
    assert (device(1.0) * 2.0).dtype == np.float32
    assert (device(1.0) * np.float64(2)).dtype == np.float64
    assert cupy.sqrt(device(1, dtype=np.int8)).dtype == np.float16
    assert device(True, dtype=bool).sum().dtype == np.int64
    with pytest.raises(OverflowError):
        device(1, dtype=np.int8) + 300


def test_a_singular_matrix_is_silent_unless_asked():
    singular = cupy.zeros((2, 2))
    assert cupy.isfinite(cupy.linalg.inv(singular)).all()
    with cupyx.errstate(linalg="raise"), pytest.raises(np.linalg.LinAlgError):
        cupy.linalg.inv(singular)


def test_numpys_functions_on_device_arrays_are_cupys(a):
    assert isinstance(np.add(a, a), cupy.ndarray)
    assert isinstance(np.sum(a), cupy.ndarray)
    assert isinstance(np.stack([a, a]), cupy.ndarray)
    with pytest.raises(TypeError):
        np.add(a, np.ones(4))


def test_memory_is_counted():
    before = cupy.get_default_memory_pool().used_bytes()
    held = cupy.zeros(1000, np.float32)
    view = held[10:]
    assert cupy.get_default_memory_pool().used_bytes() == before + 4000
    del held
    assert cupy.get_default_memory_pool().used_bytes() == before + 4000
    del view
    assert cupy.get_default_memory_pool().used_bytes() == before


def test_kernels_run_their_numpy_twin():
    @twin("double_it")
    def _(x, y):
        y[...] = x * 2

    kernel = cupy.RawKernel("extern ...", "double_it")
    x = device(1.0, 2.0)
    y = cupy.zeros_like(x)
    kernel((1,), (32,), (x, y))
    assert y.get().tolist() == [2.0, 4.0]
    with pytest.raises(NotImplementedError, match="twin"):
        cupy.RawKernel("", "nobody")((1,), (1,), (x,))
