# ruff: noqa: E501 - tables, one case in a line
"""Types, storages, switches, generators, devices: what programs ask and set, as torch answers."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import workbench as wb

torch = pytest.importorskip("torch")

FIELDS = ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype")


@pytest.mark.parametrize(
    "name", ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"]
)
def test_finfo(name):
    ours, theirs = wb.finfo(getattr(wb, name)), torch.finfo(getattr(torch, name))
    for field in FIELDS:
        expected = getattr(theirs, field)
        if isinstance(expected, float):
            expected = pytest.approx(expected, rel=1e-5)
        assert getattr(ours, field) == expected, field
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("name", ["uint8", "int8", "int16", "int32", "int64", "uint16", "uint64"])
def test_iinfo(name):
    ours, theirs = wb.iinfo(getattr(wb, name)), torch.iinfo(getattr(torch, name))
    for field in ("bits", "max", "min", "dtype"):
        assert getattr(ours, field) == getattr(theirs, field), field
    assert repr(ours) == repr(theirs)


def test_limits_of_the_wrong_kind():
    assert wb.finfo().dtype == "float32"
    with pytest.raises(TypeError):
        wb.finfo(wb.int64)
    with pytest.raises(TypeError):
        wb.iinfo(wb.float32)


TYPES = {
    "FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "LongTensor": "int64",
    "IntTensor": "int32", "ShortTensor": "int16", "CharTensor": "int8", "ByteTensor": "uint8",
    "BoolTensor": "bool", "BFloat16Tensor": "bfloat16",
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_older_types(name):
    make, dtype = getattr(wb, name), getattr(wb, TYPES[name])
    assert make([1, 0]).dtype is dtype
    assert make([1, 0]).tolist() == [1, 0]
    assert make(2, 3).shape == (2, 3)
    assert make(wb.Size([2])).shape == (2,)
    assert make().shape == (0,)
    assert isinstance(make([1]), make)
    assert not isinstance(wb.ones(1, dtype=wb.int32 if name != "IntTensor" else wb.int64), make)
    assert wb.ones(2).type(f"torch.{name}").dtype is dtype
    assert wb.ones(2).type(make).dtype is dtype
    assert wb.ones(2).type(dtype).dtype is dtype
    assert make([1]).type() == getattr(torch, name)([1]).type().replace("torch", "workbench")
    assert wb.typename(make([1])) == make([1]).type()


def test_older_types_refuse():
    with pytest.raises(TypeError):
        wb.LongTensor(wb.ones(2))
    with pytest.raises(ValueError, match="invalid type"):
        wb.ones(2).type("torch.NoTensor")
    assert wb.ones(2).new([1, 2]).dtype is wb.float32
    assert wb.ones(2).long().new(3).dtype is wb.int64
    assert wb.typename("text") == "str"


def test_default_dtype():
    try:
        wb.set_default_dtype(wb.float64)
        assert wb.ones(1).dtype is wb.float64
        assert wb.get_default_dtype() is wb.float64
        wb.set_default_tensor_type("torch.HalfTensor")
        assert wb.ones(1).dtype is wb.float16
    finally:
        wb.set_default_dtype(wb.float32)
    with pytest.raises(TypeError):
        wb.set_default_dtype(wb.int64)


def test_switches():
    wb.use_deterministic_algorithms(True, warn_only=True)
    assert wb.are_deterministic_algorithms_enabled()
    assert wb.is_deterministic_algorithms_warn_only_enabled()
    assert wb.get_deterministic_debug_mode() == 1
    wb.set_deterministic_debug_mode("default")
    assert not wb.are_deterministic_algorithms_enabled()
    wb.set_float32_matmul_precision("high")
    assert wb.get_float32_matmul_precision() == "high"
    wb.set_float32_matmul_precision("highest")
    with pytest.raises(ValueError, match="precision"):
        wb.set_float32_matmul_precision("low")
    with pytest.raises(RuntimeError):
        wb.set_deterministic_debug_mode("never")
    assert wb.set_flush_denormal(True) is False
    assert wb.get_num_threads() >= 1
    assert wb.get_num_interop_threads() == 1
    with pytest.raises(RuntimeError):
        wb.set_num_interop_threads(0)
    wb.set_warn_always(True)
    assert wb.is_warn_always_enabled()
    wb.set_warn_always(False)


def test_default_device():
    assert wb.get_default_device() == wb.device("cpu")
    try:
        wb.set_default_device("cpu")
        with wb.device("cpu"):
            assert wb.ones(2).device == wb.device("cpu")
        wb.set_default_device("cuda")
        assert wb.get_default_device() == wb.device("cuda")
        if not wb.cuda.is_available():
            with pytest.raises(RuntimeError, match="CUDA"):
                wb.ones(2)
        with wb.device("cpu"):
            assert wb.ones(2).device == wb.device("cpu")
    finally:
        wb.set_default_device(None)
    assert wb.tensor([1.0]).device == wb.device("cpu")


# -- memory ----------------------------------------------------------------------------------------

MEMORY = {
    "offset": lambda lib: [lib.arange(6)[2:].storage_offset(), lib.arange(6).view(2, 3).t()[1].storage_offset()],
    "sizes": lambda lib: [lib.ones(2, 3).element_size(), lib.ones(2, 3).nbytes, lib.ones(2, 3)[0].untyped_storage().nbytes()],
    "storage": lambda lib: lib.ones(2).untyped_storage().tolist(),
    "resize smaller": lambda lib: lib.arange(6.0).resize_(2, 2),
    "resize larger": lambda lib: list(lib.arange(2.0).resize_(5).shape),
    "resize keeps": lambda lib: lib.arange(4.0).resize_(6)[:4],
    "resize grad": lambda lib: lib.ones(2, requires_grad=True).resize_(3),
    "resize_as_": lambda lib: list(lib.ones(6).resize_as_(lib.ones(2, 3)).shape),
    "set": lambda lib: lib.ones(1).set_(lib.arange(3.0)),
    "set dtype": lambda lib: lib.ones(1).set_(lib.arange(3)),
    "set nothing": lambda lib: lib.ones(3).set_(),
    "as_strided_": lambda lib: lib.arange(6.0).as_strided_((2, 2), (1, 2)),
    "dim_order": lambda lib: list(lib.ones(2, 3, 4).permute(2, 0, 1).dim_order()),
    "swapaxes_": lambda lib: lib.arange(6.0).view(2, 3).swapaxes_(0, 1),
    "is_set_to": lambda lib: [(lambda x: x.is_set_to(x.view(2, 3)))(lib.ones(6)), (lambda x: x.is_set_to(x.detach()))(lib.ones(6))],
    "share": lambda lib: lib.ones(2).share_memory_(),
    "is_inference": lambda lib: lib.ones(2).is_inference(),
    "sparse parts": lambda lib: lib.ones(2).values(),
    "coalesce": lambda lib: lib.ones(2).coalesce(),
    "to_dense": lambda lib: lib.ones(2).to_dense(),
    "is_storage": lambda lib: [lib.is_storage(lib.ones(1)), lib.is_storage(lib.ones(1).untyped_storage())],
    "is_sparse": lambda lib: [lib.ones(2).is_sparse, lib.ones(2).is_quantized, lib.ones(1).is_meta],
    "scalar_tensor": lambda lib: lib.scalar_tensor(3),
    "empty_strided": lambda lib: list(lib.empty_strided((2, 3), (1, 2)).stride()),
    "empty_strided lengths": lambda lib: lib.empty_strided((2, 3), (1,)),
    "empty_permuted": lambda lib: list(lib.empty_permuted((2, 3, 5), (0, 2, 1)).stride()),
    "empty_permuted twice": lambda lib: lib.empty_permuted((2, 3), (0, 0)),
    "range": lambda lib: lib.range(1, 3, 0.5),
    "frombuffer": lambda lib: lib.frombuffer(bytearray(range(8)), dtype=lib.int16, count=2, offset=2),
    "frombuffer short": lambda lib: lib.frombuffer(bytearray(3), dtype=lib.int16),
    "frombuffer offset": lambda lib: lib.frombuffer(bytearray(4), dtype=lib.int16, offset=9),
    "frombuffer empty": lambda lib: lib.frombuffer(bytearray(), dtype=lib.int16),
    "new_empty_strided": lambda lib: list(lib.ones(1).new_empty_strided((2, 2), (1, 2)).stride()),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:range is deprecated")
@pytest.mark.parametrize("name", MEMORY)
def test_memory_as_torch(name, both):
    both.same(MEMORY[name], label=name)


def test_a_mapped_file(tmp_path):
    path = tmp_path / "numbers"
    x = wb.from_file(str(path), shared=True, size=3)
    x.copy_(wb.tensor([1.0, 2.0, 3.0]))
    del x
    assert np.fromfile(path, np.float32).tolist() == [1, 2, 3]
    assert wb.from_file(str(path), size=2).tolist() == [1, 2]


def test_python_functions_element_by_element():
    assert wb.arange(3.0).apply_(lambda v: v * 2 + 1).tolist() == [1, 3, 5]
    assert wb.arange(3.0).map_(wb.ones(3), lambda a, b: a - b).tolist() == [-1, 0, 1]
    with pytest.raises(RuntimeError):
        wb.ones(2, requires_grad=True).apply_(abs)


def test_what_is_not_here_says_what_to_use():
    for call in (
        lambda: wb.sparse_coo_tensor([[0]], [1.0], (2,)), lambda: wb.ones(2).to_sparse(),
        lambda: wb.quantize_per_tensor(wb.ones(2), 1.0, 0, None), lambda: wb.spmm(wb.ones(2), 1),
    ):  # fmt: skip
        with pytest.raises(NotImplementedError, match="workbench has no"):
            call()
    for name in ("jit", "onnx", "hub", "distributed", "sparse"):
        with pytest.raises(AttributeError, match=f"no attribute '{name}': "):
            getattr(wb, name)
        assert not hasattr(wb, name)


# -- random numbers ----------------------------------------------------------------------------------


def test_generators_whole():
    g = wb.Generator().manual_seed(3)
    assert g.initial_seed() == 3
    assert g.device == wb.device("cpu")
    state = g.get_state()
    assert state.dtype is wb.uint8
    a = wb.rand(4, generator=g)
    copy = g.clone_state()
    assert g.set_state(state) is g
    assert (wb.rand(4, generator=g) == a).all()
    assert (wb.rand(2, generator=g) == wb.rand(2, generator=copy)).all()
    assert g.seed() == g.initial_seed()
    wb.manual_seed(5)
    assert wb.initial_seed() == 5
    before = wb.get_rng_state()
    x = wb.rand(3)
    wb.set_rng_state(before)
    assert (wb.rand(3) == x).all()
    assert wb.seed() == wb.initial_seed()


def test_fork_rng():
    wb.manual_seed(0)
    with wb.random.fork_rng():
        inside = wb.rand(2)
    assert (wb.rand(2) == inside).all()
    wb.manual_seed(0)
    with wb.random.fork_rng(enabled=False):
        inside = wb.rand(2)
    assert not (wb.rand(2) == inside).all()


FILLS = {
    "exponential_": (lambda x: x.exponential_(2.0), 0.5, 0.25),
    "geometric_": (lambda x: x.geometric_(0.25), 4.0, 12.0),
    "log_normal_": (lambda x: x.log_normal_(0.0, 0.5), np.exp(0.125), (np.exp(0.25) - 1) * np.exp(0.25)),
    "uniform_": (lambda x: x.uniform_(1, 3), 2.0, 1 / 3),
    "normal_": (lambda x: x.normal_(1, 2), 1.0, 4.0),
    "bernoulli_": (lambda x: x.bernoulli_(0.3), 0.3, 0.21),
    "random_": (lambda x: x.random_(0, 10), 4.5, 8.25),
}  # fmt: skip


@pytest.mark.parametrize("name", FILLS)
def test_fills_follow_their_distributions(name):
    wb.manual_seed(1)
    fill, mean, variance = FILLS[name]
    x = fill(wb.empty(40_000, dtype=wb.float64))
    assert abs(float(x.mean()) - mean) < 5 * (variance / 40_000) ** 0.5
    assert abs(float(x.var()) - variance) < 0.15 * variance


def test_cauchy_and_binomial():
    wb.manual_seed(1)
    x = wb.empty(40_000, dtype=wb.float64).cauchy_(2.0, 3.0)
    assert abs(float(x.median()) - 2) < 0.1
    assert abs(float(x.quantile(0.75)) - 5) < 0.2
    drawn = wb.binomial(wb.full((20_000,), 10.0), wb.tensor(0.3))
    assert abs(float(drawn.mean()) - 3) < 0.05


BAD_DRAWS = {
    "exponential": lambda lib: lib.ones(2).exponential_(-1),
    "exponential ints": lambda lib: lib.ones(2).long().exponential_(),
    "cauchy": lambda lib: lib.ones(2).cauchy_(0, -1),
    "geometric": lambda lib: lib.ones(2).geometric_(1.5),
    "log_normal": lambda lib: lib.ones(2).log_normal_(0, -1),
    "binomial dtypes": lambda lib: lib.binomial(lib.ones(2), lib.ones(2).double()),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_DRAWS)
def test_draws_that_make_no_sense(name, both):
    both.same(BAD_DRAWS[name], label=name)


# -- devices -----------------------------------------------------------------------------------------


@pytest.mark.skipif(wb.cuda.is_available(), reason="there is a CUDA device here")
def test_without_a_gpu_questions_have_answers_and_orders_are_errors():
    assert wb.cuda.device_count() == wb.cuda.memory_allocated() == 0
    assert wb.cuda.max_memory_allocated() == wb.cuda.memory_reserved() == 0
    wb.cuda.empty_cache()
    wb.cuda.reset_peak_memory_stats()
    assert not wb.cuda.is_bf16_supported()
    assert wb.accelerator.current_accelerator() is None
    assert not wb.accelerator.is_available()
    assert wb.accelerator.device_count() == 0
    for order in (
        wb.cuda.synchronize, wb.cuda.current_device, wb.cuda.get_device_name, wb.cuda.Event,
        wb.cuda.get_device_capability, wb.cuda.Stream, wb.accelerator.synchronize,
        lambda: wb.cuda.set_device(0), lambda: wb.accelerator.set_device_index(0),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="CUDA"):
            order()
    with wb.accelerator.device_index(None):
        pass


def test_backends_hold_what_programs_set():
    wb.backends.cudnn.benchmark = True
    wb.backends.cuda.matmul.allow_tf32 = True
    assert wb.backends.cudnn.benchmark
    wb.backends.cudnn.benchmark = wb.backends.cuda.matmul.allow_tf32 = False
    assert not wb.backends.mps.is_available()
    assert not wb.backends.cudnn.is_available()
    assert not wb.backends.mkl.is_available()
    assert wb.version.cuda is None
    assert wb.version.__version__ == wb.__version__


def test_rng_of_cuda_is_the_default_one():
    wb.cuda.manual_seed_all(9)
    assert wb.initial_seed() == 9
    state = wb.cuda.get_rng_state()
    x = wb.rand(2)
    wb.cuda.set_rng_state(state)
    assert (wb.rand(2) == x).all()


def test_default_dtype_reaches_other_threads():
    found = []
    thread = threading.Thread(target=lambda: found.append(wb.get_default_device()))
    with wb.device("cuda"):
        thread.start()
        thread.join()
    assert found == [wb.device("cpu")]  # a block is its thread's own
