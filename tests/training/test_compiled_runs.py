"""Runs whose steps are captured train to the same bits, through edits and failures."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench import nn
from workbench.data.datasets import digits


def network(seed=0):
    with wb.arrays.random.fork(seed):
        net = wb.Network((1, 8, 8))
        net.append(nn.Conv2d(1, 4, 3, padding=1), name="conv")
        net.append(nn.BatchNorm2d(4), name="norm")
        net.append(nn.ReLU(), name="relu")
        net.append(nn.Flatten(), name="flatten")
        net.append(nn.Dropout(0.2), name="drop")
        net.append(nn.Linear(256, 10), name="head")
    return net


def weights(net):
    return {k: v.detach().numpy().tobytes() for k, v in net.state_dict().items()}


def trained(*, compiled):
    net = network()
    run = wb.Run(net, digits(), batch_size=100, seed=3, clip_grad_norm=1.0)
    if compiled:
        run.compile().result()
    run.train(steps=20)  # an epoch has a smaller last batch
    net.insert(nn.Linear(256, 256), after="flatten", name="more", seed=5)
    run.train(steps=5)
    run.set_lr(3e-4).result()
    run.set_batch_size(50).result()
    run.train(steps=5)
    run.undo().result()
    run.train(steps=5)
    return run, net


def test_a_compiled_run_gives_the_same_bits_through_edits():
    (plain, a), (run, b) = trained(compiled=False), trained(compiled=True)
    assert weights(a) == weights(b)
    assert [x.tolist() for x in plain.recorder.read("loss")] == [
        x.tolist() for x in run.recorder.read("loss")
    ]
    calls = run._loop.compiled.calls
    assert calls["replayed"] >= 20, calls
    assert calls["eager"] == 0, calls
    assert plain.explain() is None
    assert "plan" in str(run.explain())


def test_the_script_of_a_compiled_run_says_so_and_gives_the_same_weights():
    run, net = trained(compiled=True)
    script = run.script()
    assert "run.compile()" in script
    space = {}
    exec(script, space)
    assert weights(space["net"]) == weights(net)
    run.compile(False).result()
    run.train(steps=1)
    assert run.explain() is None


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_failing_step_is_taken_back_when_compiled_too():
    x = np.random.default_rng(0).standard_normal((32, 1, 8, 8)).astype(np.float32)
    y = np.arange(32) % 10
    net = network()
    run = wb.Run(net, (wb.tensor(x), wb.tensor(y)), batch_size=32)
    run.compile().result()
    run.train(steps=3)
    before = weights(net)
    held = run._sources.train.tensors[0]
    held.array[:] = np.nan
    with pytest.raises(wb.training.TrainingError, match="NaN"):
        run.train(steps=1)
    assert weights(net) == before
    assert run.step_count == 3
    held.array[:] = x
    run.train(steps=2)
    assert run.step_count == 5
