"""autocast: dtypes as torch's on the CPU; GradScaler as torch's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import workbench as wb

torch = pytest.importorskip("torch")

CASES = {
    "matmul": lambda lib: lib.ones(2, 3) @ lib.ones(3, 2),
    "matmul function": lambda lib: lib.matmul(lib.ones(2, 3), lib.ones(3, 2)),
    "mm": lambda lib: lib.mm(lib.ones(2, 3), lib.ones(3, 2)),
    "bmm": lambda lib: lib.bmm(lib.ones(1, 2, 3), lib.ones(1, 3, 2)),
    "addmm": lambda lib: lib.addmm(lib.ones(2, 2), lib.ones(2, 3), lib.ones(3, 2)),
    "baddbmm": lambda lib: lib.baddbmm(lib.ones(1, 2, 2), lib.ones(1, 2, 3), lib.ones(1, 3, 2)),
    "linear": lambda lib: lib.nn.functional.linear(lib.ones(2, 3), lib.ones(4, 3), lib.ones(4)),
    "conv1d": lambda lib: lib.nn.functional.conv1d(lib.ones(1, 1, 5), lib.ones(1, 1, 2)),
    "conv2d": lambda lib: lib.nn.functional.conv2d(lib.ones(1, 1, 5, 5), lib.ones(1, 1, 2, 2)),
    "doubles stay": lambda lib: lib.ones(2, 3).double() @ lib.ones(3, 2).double(),
    "add": lambda lib: lib.ones(2) + lib.ones(2),
    "softmax": lambda lib: lib.ones(2).softmax(0),
    "exp of a product": lambda lib: (lib.ones(2, 2) @ lib.ones(2, 2)).exp(),
    "sum of a product": lambda lib: (lib.ones(2, 2) @ lib.ones(2, 2)).sum(),
    "prod": lambda lib: (lib.ones(2, 2) @ lib.ones(2, 2)).prod(),
    "cdist": lambda lib: lib.cdist(lib.ones(2, 2) @ lib.ones(2, 2), lib.eye(2) @ lib.ones(2, 2)),
    "fft": lambda lib: lib.fft.fft(lib.ones(2, 2) @ lib.ones(2, 2)),
    "inv": lambda lib: lib.linalg.inv(lib.eye(2) @ lib.eye(2)),
    "module": lambda lib: lib.nn.Linear(3, 4)(lib.ones(2, 3)),
    "relu of a module": lambda lib: lib.nn.Linear(3, 4)(lib.ones(2, 3)).relu(),
    "layer norm": lambda lib: lib.nn.functional.layer_norm(lib.ones(2, 3), (3,)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_dtypes_as_torch(name, kind):
    def run(lib):
        with lib.amp.autocast("cpu", dtype=getattr(lib, kind)):
            return str(CASES[name](lib).dtype).split(".")[1]

    assert run(wb) == run(torch)


def test_outside_the_block_nothing_changes():
    a, b = wb.ones(2, 2), wb.ones(2, 2)
    with wb.autocast("cpu"):
        assert (a @ b).dtype is wb.bfloat16
        assert wb.is_autocast_enabled("cpu")
        assert wb.get_autocast_dtype("cpu") is wb.bfloat16
        with wb.autocast("cpu", enabled=False):
            assert (a @ b).dtype is wb.float32
        assert wb.matmul(a, b, out=wb.empty(2, 2)).dtype is wb.float32
    assert (a @ b).dtype is wb.float32
    assert not wb.is_autocast_enabled("cpu")


def test_as_a_decorator_and_after_an_error():
    @wb.amp.autocast("cpu")
    def product(a):
        return a @ a

    assert product(wb.ones(2, 2)).dtype is wb.bfloat16
    with pytest.raises(RuntimeError), wb.amp.autocast("cpu"):
        wb.ones(2, 3) @ wb.ones(2, 3)
    assert (wb.ones(2, 2) @ wb.ones(2, 2)).dtype is wb.float32


def test_gradients_come_back_in_float32():
    net = wb.nn.Sequential(wb.nn.Linear(3, 4), wb.nn.ReLU(), wb.nn.Linear(4, 2))
    with wb.amp.autocast("cpu"):
        out = net(wb.randn(5, 3))
        loss = out.float().pow(2).mean()
    loss.backward()
    assert all(p.grad.dtype is wb.float32 for p in net.parameters())


def test_other_dtypes_and_devices():
    with pytest.warns(UserWarning, match="not supported"):
        block = wb.amp.autocast("cpu", dtype=wb.float64)
    with block:
        assert (wb.ones(1, 1) @ wb.ones(1, 1)).dtype is wb.float32
    with pytest.raises(RuntimeError, match="unsupported"):
        wb.amp.autocast("tpu")
    with pytest.raises(ValueError, match="str"):
        wb.amp.autocast(True)
    if not wb.cuda.is_available():
        with pytest.warns(UserWarning, match="CUDA is not available"):
            wb.amp.autocast("cuda")
        with pytest.warns(UserWarning, match="CUDA is not available"):
            wb.cuda.amp.autocast()
    assert wb.amp.is_autocast_available("cpu")


# -- GradScaler ----------------------------------------------------------------------------------


def training(lib, gradients):
    """Scales and weights over steps whose gradients are `gradients` times the loss's."""
    w = lib.ones(2, dtype=lib.float32, requires_grad=True)
    optimizer = lib.optim.SGD([w], lr=0.1)
    scaler = lib.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    seen = []
    for g in gradients:
        optimizer.zero_grad()
        scaler.scale((w * g).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        seen.append((scaler.get_scale(), w.tolist()))
    return seen, scaler.state_dict()


def test_scales_and_steps_as_torch():
    inf = float("inf")
    found, state = training(wb, [1.0, 2.0, inf, 1.0, float("nan"), 1.0, 1.0, 1.0])
    expected, other = training(torch, [1.0, 2.0, inf, 1.0, float("nan"), 1.0, 1.0, 1.0])
    for (scale, w), (theirs, v) in zip(found, expected, strict=True):
        assert scale == theirs
        np.testing.assert_allclose(w, v, rtol=1e-6)
    assert state == other


def test_what_may_not_be_called_twice():
    w = wb.ones(2, requires_grad=True)
    optimizer = wb.optim.SGD([w], lr=0.1)
    scaler = wb.amp.GradScaler("cpu")
    scaler.scale(w.sum()).backward()
    scaler.unscale_(optimizer)
    assert w.grad.tolist() == [1, 1]
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="after step"):
        scaler.unscale_(optimizer)
    scaler.update()
    with pytest.raises(AssertionError):
        scaler.update()
    scaler.update(4.0)
    assert scaler.get_scale() == 4
    with pytest.raises(RuntimeError, match="empty"):
        scaler.load_state_dict({})
    with pytest.raises(ValueError, match="growth"):
        wb.amp.GradScaler("cpu", growth_factor=1.0)
    assert scaler.scale([w, (w,)])[1][0].tolist() == (w * 4).tolist()


def test_switched_off_it_does_nothing():
    w = wb.ones(2, requires_grad=True)
    optimizer = wb.optim.SGD([w], lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scalers = [wb.amp.GradScaler("cpu", enabled=False)]
        scalers += [] if wb.cuda.is_available() else [wb.cuda.amp.GradScaler()]
    for scaler in scalers:
        loss = w.sum()
        assert scaler.scale(loss) is loss
        loss.backward()
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == 1
        assert scaler.state_dict() == {}
        assert not scaler.is_enabled()
