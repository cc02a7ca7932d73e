import threading

import numpy as np
import pytest

import workbench as wb
from workbench import nn

PATIENCE = 30  # seconds that a test waits for what should take milliseconds


@pytest.fixture(scope="session")
def digits():
    return wb.data.datasets.digits()


@pytest.fixture
def build():
    """A small network on the digits; the same weights for the same seed."""

    def make(seed=1, dropout=0.0, norm=False):
        net = wb.Network((1, 8, 8), name="digits")
        net.append(nn.Flatten(), name="flatten")
        net.append(nn.Linear(64, 24), name="fc1", seed=seed)
        if norm:
            net.append(nn.BatchNorm1d(24), name="norm")
        net.append(nn.ReLU(), name="act")
        if dropout:
            net.append(nn.Dropout(dropout), name="drop")
        net.append(nn.Linear(24, 10), name="out", seed=seed + 1)
        return net

    return make


@pytest.fixture
def weights():
    """A network's state as plain arrays, to compare bit by bit."""

    def read(net):
        return {key: value.numpy().copy() for key, value in net.state_dict().items()}

    return read


@pytest.fixture
def same_bits():
    def check(one, other):
        assert one.keys() == other.keys()
        for key in one:
            assert one[key].dtype == other[key].dtype
            assert np.array_equal(one[key], other[key]), key

    return check


@pytest.fixture
def at_step():
    """Waits, by an event, until a run has taken its `n`-th step."""

    def wait(run, n):
        reached = threading.Event()

        def listen(event):
            if event.kind == "step" and event.step >= n:
                reached.set()

        unsubscribe = run.subscribe(listen)
        if run.step_count < n:
            assert reached.wait(PATIENCE)
        unsubscribe()

    return wait


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    for run in wb.training.runs():
        run.stop()
    left = [t for t in threading.enumerate() if t not in before and t.name.startswith("workbench")]
    for thread in left:
        thread.join(PATIENCE)
        assert not thread.is_alive(), thread.name
