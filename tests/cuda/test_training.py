"""Training on a CUDA device gives what training on the CPU gives."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench import nn
from workbench.data import DataLoader, TensorDataset

from . import stand_in


@pytest.fixture(autouse=True)
def _device(cuda):
    """Every test here runs with a CUDA device."""


def model():
    wb.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(4 * 9, 8), nn.LayerNorm(8), nn.GELU(), nn.Dropout(0.2), nn.Linear(8, 3),
    )  # fmt: skip


def batches(count=3):
    rng = np.random.default_rng(0)
    return [
        (wb.from_numpy(rng.normal(size=(5, 1, 6, 6)).astype(np.float32)),
         wb.from_numpy(rng.integers(0, 3, 5)))
        for _ in range(count)
    ]  # fmt: skip


OPTIMIZERS = {
    "SGD": lambda p: wb.optim.SGD(p, lr=0.1),
    "SGD momentum": lambda p: wb.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: wb.optim.Adam(p, lr=0.01),
    "Adam amsgrad": lambda p: wb.optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.1),
    "AdamW": lambda p: wb.optim.AdamW(p, lr=0.01),
    **{
        name: (lambda kind: lambda p: kind(p, lr=0.01))(getattr(wb.optim, name))
        for name in ("RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "Rprop")
        if hasattr(wb.optim, name)
    },
}


def trained(where, make, steps=3):
    network = model().to(where)
    optimizer = make(network.parameters())
    losses = []
    wb.manual_seed(2)
    for x, y in batches(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(x.to(where)), y.to(where))
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return network, optimizer, losses


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_agree_with_the_cpu(name):
    here, _, expected = trained("cpu", OPTIMIZERS[name])
    there, optimizer, losses = trained("cuda", OPTIMIZERS[name])
    assert losses == pytest.approx(expected, rel=1e-4)
    for (key, a), (_, b) in zip(here.state_dict().items(), there.state_dict().items(), strict=True):
        assert b.device.type == "cuda", key
        np.testing.assert_allclose(b.cpu().numpy(), a.numpy(), rtol=2e-3, atol=2e-4, err_msg=key)
    for p in there.parameters():
        assert p.grad.device.type == "cuda"
        for value in optimizer.state[p].values():
            if isinstance(value, wb.Tensor) and value.ndim:
                assert value.device.type == "cuda"


def test_a_step_does_not_make_the_host_wait(cuda):
    """Only labels are looked at, so that a wrong one cannot train on; nothing else waits."""
    if cuda is not stand_in:
        pytest.skip("only the stand-in sees where the host waits")
    network = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 3)).cuda()
    optimizer = wb.optim.Adam(network.parameters(), lr=0.01)
    x, y = wb.randn(8, 6).cuda(), wb.randn(8, 3).cuda()

    def step():
        optimizer.zero_grad()
        nn.functional.mse_loss(network(x), y).backward()
        optimizer.step()

    step()
    with stand_in.no_syncs(), stand_in.counting():
        step()
        assert stand_in.state.downloads == 0


def test_state_dicts_travel_between_devices():
    here, there = model(), model().cuda()
    there.load_state_dict(here.state_dict())
    assert next(there.parameters()).device.type == "cuda"
    here.load_state_dict(there.state_dict())
    assert next(here.parameters()).device.type == "cpu"
    _, optimizer, _ = trained("cuda", OPTIMIZERS["Adam"])
    kept = optimizer.state_dict()
    other = OPTIMIZERS["Adam"](model().parameters())
    other.load_state_dict(kept)
    assert all(
        v.device.type == "cpu"
        for state in other.state.values()
        for v in state.values()
        if isinstance(v, wb.Tensor)
    )


def test_modules_move_in_place_and_back():
    network = model()
    weight = network[0].weight
    assert network.cuda() is network
    assert network[0].weight is weight
    assert all(t.device.type == "cuda" for t in network.state_dict().values())
    network.cpu()
    assert all(t.device.type == "cpu" for t in network.state_dict().values())
    assert nn.Linear(2, 3, device="cuda").weight.device.type == "cuda"


def test_initial_values_are_those_of_the_cpu():
    wb.manual_seed(3)
    here = nn.Linear(4, 4)
    wb.manual_seed(3)
    there = nn.Linear(4, 4, device="cuda")
    assert wb.equal(there.weight.cpu(), here.weight)


def test_batches_go_to_the_device():
    loader = DataLoader(TensorDataset(wb.arange(6.0), wb.arange(6)), batch_size=4)
    for x, y in loader:
        x, y = x.to("cuda", non_blocking=True), y.cuda()
        assert x.device.type == y.device.type == "cuda"


def test_a_run_trains_on_the_device_of_its_network():
    """Edits, metrics and predictions included; the losses are the CPU's."""
    found = {}
    for where in ("cpu", "cuda"):
        network = wb.Network((1, 8, 8), name="digits")
        network.append(nn.Flatten(), name="flatten")
        network.append(nn.Linear(64, 16), name="fc1", seed=1)
        network.append(nn.ReLU(), name="act")
        network.append(nn.Linear(16, 10), name="out", seed=2)
        network.to(where)
        run = wb.Run(network, wb.data.datasets.digits(), seed=3)
        run.train(steps=6)
        assert run.device.startswith(where)
        network.insert(nn.Dropout(0.1), after="act", name="drop")
        run.train(steps=4)
        assert run.predict(wb.zeros(2, 1, 8, 8)).shape == (2, 10)
        assert all(p.device.type == where for p in network.parameters())
        found[where] = (run.loss, run.evaluate()["loss"])
    assert found["cuda"] == pytest.approx(found["cpu"], rel=1e-3)
