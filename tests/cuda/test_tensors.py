"""Tensors on a CUDA device: made there, moved, indexed, written, printed, kept."""

from __future__ import annotations

import copy
import pickle
import weakref

import numpy as np
import pytest

import workbench as wb

from . import stand_in


@pytest.fixture(autouse=True)
def _device(cuda):
    """Every test here runs with a CUDA device."""


MAKES = {
    "tensor": lambda d: wb.tensor([[1.0, 2.0]], device=d),
    "as_tensor": lambda d: wb.as_tensor(np.arange(3), device=d),
    "zeros": lambda d: wb.zeros(2, 3, device=d),
    "ones": lambda d: wb.ones(2, dtype=wb.bfloat16, device=d),
    "full": lambda d: wb.full((2,), 3, device=d),
    "eye": lambda d: wb.eye(2, 3, device=d),
    "arange": lambda d: wb.arange(5, device=d),
    "linspace": lambda d: wb.linspace(0, 1, 5, device=d),
    "rand": lambda d: wb.rand(3, device=d),
    "randn": lambda d: wb.randn(2, 3, device=d),
    "randint": lambda d: wb.randint(0, 9, (5,), device=d),
    "randperm": lambda d: wb.randperm(6, device=d),
    "normal": lambda d: wb.normal(wb.zeros(3, device=d), 1.0),
    "bernoulli": lambda d: wb.bernoulli(wb.full((9,), 0.5, device=d)),
    "multinomial": lambda d: wb.multinomial(wb.ones(4, device=d), 2),
    "poisson": lambda d: wb.poisson(wb.ones(4, device=d)),
    "tril_indices": lambda d: wb.tril_indices(3, 3, device=d),
    "zeros_like": lambda d: wb.zeros_like(wb.ones(2, device=d)),
    "rand_like": lambda d: wb.rand_like(wb.ones(2, device=d)),
    "new_ones": lambda d: wb.ones(2, device=d).new_ones(3),
    "new_tensor": lambda d: wb.ones(2, device=d).new_tensor([1, 2]),
    "uniform_": lambda d: wb.empty(5, device=d).uniform_(-1, 1),
    "normal_": lambda d: wb.empty(5, device=d).normal_(),
    "random_": lambda d: wb.empty(5, dtype=wb.int64, device=d).random_(7),
    "fill_": lambda d: wb.empty(5, device=d).fill_(2),
    "copy of a tensor": lambda d: wb.tensor(wb.ones(2, device=d)),
}


@pytest.mark.parametrize("name", MAKES)
def test_made_on_the_device_with_the_numbers_of_the_cpu(name):
    """Random numbers too: one seed gives the same numbers on either device."""
    wb.manual_seed(5)
    here = MAKES[name]("cpu")
    wb.manual_seed(5)
    there = MAKES[name]("cuda")
    assert there.device == wb.device("cuda", 0)
    assert there.is_cuda
    assert there.dtype is here.dtype
    assert there.get_device() == 0
    assert there.cpu().tolist() == here.tolist()


def test_moving_there_and_back():
    x = wb.randn(2, 3)
    y = x.cuda()
    assert y.to("cuda") is y
    assert y.to("cuda:0") is y
    assert x.to("cpu") is x
    assert wb.equal(y.cpu(), x)
    z = x.to("cuda", wb.float64)
    assert (z.device.type, z.dtype) == ("cuda", wb.float64)
    assert x.to(z).device == z.device


def test_gradients_flow_across_devices():
    x = wb.tensor([1.0, 2.0], requires_grad=True)
    (x.cuda() * x.cuda() * 3).sum().cpu().backward()
    assert x.grad.device.type == "cpu"
    assert x.grad.tolist() == [6.0, 12.0]


def test_a_zero_dim_tensor_of_the_cpu_is_a_number():
    scale = wb.tensor(2.0, requires_grad=True)
    x = wb.ones(3, device="cuda", requires_grad=True)
    y = (x * scale + scale).sum()
    assert y.device.type == "cuda"
    y.backward()
    assert scale.grad.device.type == "cpu"
    assert (scale.grad.item(), x.grad.tolist()) == (6.0, [2.0] * 3)
    assert (wb.tensor(1) + wb.ones(2, device="cuda")).dtype is wb.float32


MIXED = {
    "add": lambda a, b: a + b,
    "matmul": lambda a, b: a @ b,
    "linear": lambda a, b: wb.nn.functional.linear(a, b),
    "cat": lambda a, b: wb.cat([a, b]),
    "stack": lambda a, b: wb.stack([a, b]),
    "where": lambda a, b: wb.where(a > 0, a, b),
    "mse_loss": lambda a, b: wb.nn.functional.mse_loss(a, b),
    "gather": lambda a, b: a.gather(0, b.long()),
    "maximum": lambda a, b: wb.maximum(a, b),
    "eq": lambda a, b: a == b,
    "embedding": lambda a, b: wb.nn.functional.embedding(b.long(), a),
    "add_": lambda a, b: a.add_(b),
}


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("places", [("cuda", "cpu"), ("cpu", "cuda")])
def test_tensors_on_two_devices_are_refused_in_torchs_words(name, places):
    a, b = (wb.ones(2, 2, device=place) for place in places)
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device") as got:
        MIXED[name](a, b)
    assert "cuda:0" in str(got.value)
    assert "cpu" in str(got.value)


def test_no_such_device():
    with pytest.raises(RuntimeError, match="invalid CUDA device index 7"):
        wb.zeros(2, device="cuda:7")


def test_indices_of_the_cpu_and_of_the_device():
    x = wb.arange(12.0, device="cuda").reshape(3, 4)
    index = wb.tensor([2, 0])
    assert wb.equal(x[index], x[index.cuda()])
    assert wb.equal(x[x > 5].cpu(), wb.arange(6.0, 12.0))
    x[index.cuda()] = 0
    x[1] = wb.ones(4)
    x[1, 0] = wb.tensor(5.0)
    assert x.tolist() == [[0] * 4, [5, 1, 1, 1], [0] * 4]


@pytest.mark.parametrize(
    "act",
    [
        lambda x: x[wb.tensor([3], device="cuda")],
        lambda x: x[:, wb.tensor([0, -5], device="cuda")],
        lambda x: x.__setitem__(wb.tensor([9], device="cuda"), 1.0),
        lambda x: x.index_select(0, wb.tensor([3], device="cuda")),
        lambda x: wb.nn.functional.embedding(wb.tensor([3], device="cuda"), x),
        lambda x: wb.nn.functional.cross_entropy(x, wb.tensor([0, 4, 1], device="cuda")),
    ],
)
def test_indices_out_of_range_are_refused(act):
    """A GPU would wrap them around and go on with the wrong numbers."""
    with pytest.raises(IndexError):
        act(wb.arange(12.0, device="cuda").reshape(3, 4))


def test_writes_through_views_reach_the_base_and_its_gradient():
    x = wb.ones(3, device="cuda", requires_grad=True)
    y = x * 2
    y[1:].mul_(5)
    y[0] = 7
    y.sum().backward()
    assert y.tolist() == [7, 10, 10]
    assert x.grad.tolist() == [0, 10, 10]


def test_an_expanded_tensor_is_not_written():
    with pytest.raises(RuntimeError, match="clone"):
        wb.ones(1, device="cuda").expand(3).add_(1)


def test_stale_values_are_noticed():
    x = wb.ones(3, device="cuda", requires_grad=True)
    y = x.exp()
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_printing_names_the_device_and_asks_it_once(cuda):
    x = wb.arange(4.0, device="cuda", requires_grad=True)
    if cuda is not stand_in:
        assert repr(x) == "tensor([0., 1., 2., 3.], device='cuda:0', requires_grad=True)"
        return
    with stand_in.counting():
        assert repr(x) == "tensor([0., 1., 2., 3.], device='cuda:0', requires_grad=True)"
        assert stand_in.state.downloads == 1


def test_the_host_gets_numbers_only_when_it_asks():
    x = wb.ones(2, device="cuda")
    with pytest.raises(TypeError, match=r"can't convert a cuda tensor to numpy.*Tensor\.cpu\(\)"):
        x.numpy()
    with pytest.raises(TypeError, match="cuda"):
        np.asarray(x)
    assert x.numpy(force=True).tolist() == [1, 1]
    assert x.sum().item() == 2.0
    assert bool((x == 1).all())


def test_pickling_and_copying_keep_the_device():
    x = wb.randn(3, device="cuda", requires_grad=True)
    for made in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), copy.copy(x), x.clone()):
        assert made.device == x.device
        assert wb.equal(made, x)
    assert copy.deepcopy(x).data_ptr() != x.data_ptr()


def test_dlpack_knows_the_device(cuda):
    x = wb.ones(2, device="cuda")
    assert x.__dlpack_device__() == (2, 0)
    if cuda is stand_in:  # which has no device memory to hand out
        with pytest.raises(BufferError):
            np.from_dlpack(x)


def test_memory_comes_back():
    x = wb.ones(100, 100, device="cuda", requires_grad=True)
    y = (x @ x).relu()
    held = weakref.ref(y)
    y.sum().backward()
    del y
    assert held() is None


def test_half_precision_there_is_that_of_the_cpu():
    for dtype in (wb.float16, wb.bfloat16):
        x = wb.linspace(-2, 2, 9).to(dtype)
        here = [x * 1.5, x.exp(), x @ x, x.softmax(0), x.sum(), x.sort().values]
        y = x.cuda()
        there = [y * 1.5, y.exp(), y @ y, y.softmax(0), y.sum(), y.sort().values]
        for a, b in zip(here, there, strict=True):
            assert b.dtype is a.dtype
            assert wb.allclose(b.cpu().float(), a.float(), rtol=1e-2)


def test_a_graph_over_two_devices_differentiates_each_part_on_its_own():
    x = wb.arange(4.0, requires_grad=True)
    y = wb.arange(4.0, device="cuda", requires_grad=True)
    loss = (x.exp().cuda() * y).sum() + (y.cumsum(0).cpu() * x).sum().cuda()
    loss.backward()
    a, b = wb.arange(4.0, requires_grad=True), wb.arange(4.0, requires_grad=True)
    ((a.exp() * b).sum() + (b.cumsum(0) * a).sum()).backward()
    assert wb.allclose(x.grad, a.grad)
    assert y.grad.device.type == "cuda"
    assert wb.allclose(y.grad.cpu(), b.grad)
    with pytest.raises(RuntimeError, match="expected device cuda:0 but got cpu"):
        (y * 2).backward(wb.ones(4))
