"""Memory shared with other libraries through DLPack, without a copy."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

import workbench as wb

KINDS = ["bool", "uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64",
         "float16", "bfloat16", "float32", "float64", "complex64", "complex128"]  # fmt: skip


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="torch is the other side of the exchange")


def a_tensor(kind, *shape):
    values = np.arange(np.prod(shape, dtype=int)).reshape(shape) % 3
    return wb.from_numpy(values).to(getattr(wb, kind))


# -- NumPy -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "bfloat16"])
def test_numpy_both_ways(kind):
    x = a_tensor(kind, 2, 3)
    out = np.from_dlpack(x)
    assert out.dtype == x.array.dtype
    assert np.shares_memory(out, x.array)
    back = wb.from_dlpack(out)
    assert back.dtype is x.dtype
    assert back.data_ptr() == x.data_ptr()


def test_numpy_has_no_bfloat16():
    with pytest.raises((BufferError, RuntimeError), match="dtype"):
        np.from_dlpack(wb.ones(2, dtype=wb.bfloat16))


def test_layouts():
    base = wb.arange(24.0).reshape(4, 6)
    for x in (
        base.t(),
        base[1:, ::2],
        base[:0],
        wb.tensor(3.0),
        base.reshape(2, 3, 4).permute(1, 2, 0),
    ):
        out = np.from_dlpack(x)
        assert out.shape == tuple(x.shape)
        assert out.size == 0 or np.shares_memory(out, base.array) or x.ndim == 0
        np.testing.assert_array_equal(out, x.array)
        assert wb.from_dlpack(out).shape == x.shape


def test_expanded_tensors_share_their_memory():
    x = wb.ones(1)
    out = np.from_dlpack(x.expand(3))
    x[0] = 7
    assert out.tolist() == [7, 7, 7]


def test_read_only_memory():
    held = np.ones(3)
    held.flags.writeable = False
    x = wb.from_dlpack(held)
    assert x.data_ptr() == held.ctypes.data
    with pytest.raises(RuntimeError, match="read-only"):
        x[0] = 2
    assert not np.from_dlpack(x).flags.writeable  # DLPack 1.0 says so
    old = x.__dlpack__()  # the first version cannot: it gets a copy
    assert type(old).__name__ == "PyCapsule"
    with pytest.raises(BufferError, match="read-only"):
        x.__dlpack__(copy=False)


def test_negative_strides_are_copied_or_refused():
    held = np.arange(3.0)[::-1]
    x = wb.from_dlpack(held)
    assert x.tolist() == [2, 1, 0]
    assert not np.shares_memory(x.array, held)
    with pytest.raises(BufferError, match="negative"):
        wb.from_dlpack(held, copy=False)
    for make in (wb.from_numpy, wb.as_tensor):
        with pytest.raises(ValueError, match="negative"):
            make(held)


def test_arguments():
    x = wb.ones(2)
    assert np.shares_memory(np.from_dlpack(x, copy=None), x.array)
    assert not np.shares_memory(np.from_dlpack(x, copy=True), x.array)
    for version in (None, (0, 8), (1, 0), (2, 0)):
        assert type(x.__dlpack__(max_version=version)).__name__ == "PyCapsule"
    x.__dlpack__(dl_device=(1, 0), copy=False)
    with pytest.raises(BufferError, match="device"):
        x.__dlpack__(dl_device=(2, 0))
    with pytest.raises(AssertionError, match="stream"):
        x.__dlpack__(stream=1)
    with pytest.raises(BufferError, match="detach"):
        wb.ones(2, requires_grad=True).__dlpack__()
    assert x.__dlpack_device__() == (1, 0)
    held = np.ones(2)
    assert not np.shares_memory(wb.from_dlpack(held, copy=True).array, held)
    assert wb.from_dlpack(held, device="cpu").data_ptr() == held.ctypes.data


def test_things_that_are_no_arrays():
    for thing in (3, "a", [1.0], None):
        with pytest.raises(TypeError, match="__dlpack__"):
            wb.from_dlpack(thing)
    with pytest.raises(BufferError):
        wb.from_dlpack(np.array(["a"]))
    with pytest.raises(BufferError, match="byte order"):
        wb.from_dlpack(np.ones(2, ">f4"))


def test_the_memory_outlives_its_owner():
    x = wb.from_dlpack(np.arange(1000.0))
    out = np.from_dlpack(wb.arange(1000.0))
    assert x.sum().item() == out.sum() == 499500


def test_a_capsule_is_used_once():
    class Once:
        def __init__(self, capsule):
            self.capsule = capsule

        def __dlpack__(self, **options):
            return self.capsule

        def __dlpack_device__(self):
            return (1, 0)

    taken = Once(wb.ones(2).__dlpack__(max_version=(1, 0)))
    wb.from_dlpack(taken)
    with pytest.raises((ValueError, BufferError)):
        wb.from_dlpack(taken)


def test_libraries_of_the_first_version():
    """`__dlpack__` without `max_version`, and bfloat16 in its capsule."""

    class Old:
        def __init__(self, tensor):
            self.tensor = tensor

        def __dlpack__(self, stream=None):
            return self.tensor.__dlpack__()

        def __dlpack_device__(self):
            return (1, 0)

    for kind in ("float32", "bfloat16"):
        x = a_tensor(kind, 4)
        back = wb.from_dlpack(Old(x))
        assert back.dtype is x.dtype
        assert back.data_ptr() == x.data_ptr()


# -- torch -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_torch_both_ways(torch, kind):
    x = a_tensor(kind, 2, 3)
    theirs = torch.from_dlpack(x)
    assert str(theirs.dtype) == f"torch.{kind}"
    assert theirs.data_ptr() == x.data_ptr()
    theirs[0, 0] = 1
    assert x[0, 0].item() == 1
    back = wb.from_dlpack(theirs.t())
    assert back.dtype is x.dtype
    assert back.shape == (3, 2)
    assert back.data_ptr() == x.data_ptr()
    assert torch.from_dlpack(x[:0]).shape == (0, 3)


def test_torch_refuses_as_we_do(torch):
    with pytest.raises(BufferError):
        wb.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(BufferError):
        torch.from_dlpack(wb.ones(2, requires_grad=True))
    x = wb.ones(2)
    assert torch.from_dlpack(x, copy=True).data_ptr() != x.data_ptr()


# -- JAX -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bool", "int32", "float32", "bfloat16", "complex64"])
def test_jax_both_ways(kind):
    jnp = pytest.importorskip("jax.numpy", reason="JAX (extra [bench]) is the other side")
    x = a_tensor(kind, 2, 3)
    theirs = jnp.from_dlpack(x)
    np.testing.assert_array_equal(np.asarray(theirs), x.array)
    back = wb.from_dlpack(theirs)
    assert back.dtype is x.dtype
    assert back.data_ptr() == theirs.unsafe_buffer_pointer()
    with pytest.raises(RuntimeError, match="read-only"):  # JAX's arrays never change
        back[0, 0] = 0


# -- CUDA ------------------------------------------------------------------------------------------


def test_cuda_arrays_go_through_cupy(monkeypatch):
    """A library on the GPU is asked through CuPy, on the tensor's device."""
    from workbench.arrays import dlpack

    asked = []

    class Theirs:
        def __dlpack__(self, **options):
            raise AssertionError("CuPy takes the capsule itself")

        def __dlpack_device__(self):
            return (2, 1)

    class CuPy:
        def from_dlpack(self, source):
            asked.append(source)
            return np.ones(2)

    def namespace(where):
        asked.append(str(where))
        return CuPy()

    monkeypatch.setattr(dlpack, "device_namespace", namespace)
    source = Theirs()
    assert wb.from_dlpack(source).tolist() == [1, 1]
    assert asked == ["cuda:1", source]


def test_the_type_code_lies_where_the_protocol_says():
    """DLPack's structures, read as C lays them out."""

    class Tensor(ctypes.Structure):
        _fields_ = [
            ("data", ctypes.c_void_p), ("device", ctypes.c_int32 * 2), ("ndim", ctypes.c_int32),
            ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
        ]  # fmt: skip

    class Versioned(ctypes.Structure):
        _fields_ = [
            ("version", ctypes.c_uint32 * 2), ("manager", ctypes.c_void_p),
            ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", Tensor),
        ]  # fmt: skip

    from workbench.arrays import dlpack

    assert dlpack._PLACES[b"dltensor"] == Tensor.code.offset
    assert dlpack._PLACES[b"dltensor_versioned"] == Versioned.tensor.offset + Tensor.code.offset
