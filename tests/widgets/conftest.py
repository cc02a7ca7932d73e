"""Stand-ins for a run and a browser: small, and a description of what the widgets rely on."""

from __future__ import annotations

import types
from concurrent.futures import Future

import numpy as np
import pytest


class FakeClock:
    """Time that moves when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def tick(self, seconds):
        self.now += seconds


class FakeRecorder:
    """Curves by key, and marks."""

    def __init__(self):
        self.curves = {}
        self.marks = []

    def add(self, step, **values):
        for key, value in values.items():
            self.curves.setdefault(key.replace("__", ":"), []).append((step, value))

    def keys(self):
        return list(self.curves)

    def read(self, key, since=0):
        points = [p for p in self.curves[key] if p[0] > since]
        return (
            np.array([p[0] for p in points], np.float64),
            np.array([p[1] for p in points], np.float32),
        )

    def history(self, key, points=1000):
        steps, values = self.read(key, -1)
        stride = max(1, -(-len(steps) // points))
        return steps[::stride], values[::stride]


class FakeNetwork:
    name = "fake"
    version = 1

    def __init__(self):
        self.log = []
        self.can_undo = self.can_redo = False
        self.nodes = [{"id": "n1", "name": "fc1"}]

    def graph(self):
        return {"version": self.version, "nodes": [dict(node) for node in self.nodes]}

    def code(self):
        return "net = wb.Network((4,))"


class FakeRun:
    """What the widgets read of a Run, and the listeners it calls."""

    def __init__(self, name="one"):
        self.id = f"run-{name}"
        self.name = name
        self.network = FakeNetwork()
        self.recorder = FakeRecorder()
        self.optimizer = types.SimpleNamespace()
        self.state = "idle"
        self.step_count = 0
        self.steps_total = 100
        self.epoch = 0
        self.lr = 0.01
        self.batch_size = 64
        self.eta = None
        self.steps_per_second = float("nan")
        self.loss = None
        self.metrics = {}
        self.error = None
        self.device = "cpu"
        self.seed = 0
        self.loss_name = "CrossEntropyLoss"
        self.listeners = []
        self.calls = []
        self.guesses = TypeError("not a classifier")

    def subscribe(self, listener):
        self.listeners.append(listener)

        def unsubscribe():
            if listener in self.listeners:
                self.listeners.remove(listener)

        return unsubscribe

    def emit(self, kind, **data):
        event = types.SimpleNamespace(kind=kind, step=self.step_count, data=data)
        for listener in list(self.listeners):
            listener(event)

    def train(self, steps=1, **values):
        """Make steps, as a training thread would."""
        for _ in range(steps):
            self.step_count += 1
            self.loss = 1.0 / self.step_count
            self.recorder.add(self.step_count, loss=self.loss, **values)
            self.emit("step")

    def become(self, state):
        before, self.state = self.state, state
        self.emit("state", before=before, state=state)

    def predictions(self, n, limit=None):
        self.calls.append(("predictions", n))
        if isinstance(self.guesses, Exception):
            raise self.guesses
        return self.guesses

    def script(self):
        return "run = wb.Run(net, data)"

    def _queued(self, *call):
        self.calls.append(call)
        future = Future()
        self.pending = future
        return future

    def pause(self):
        return self._queued("pause")

    def resume(self):
        return self._queued("resume")

    def stop(self, wait=True):
        assert not wait, "a view never waits"
        return self._queued("stop")

    def step(self, n=1):
        return self._queued("step", n)

    def set_lr(self, lr):
        return self._queued("set_lr", lr)

    def set_batch_size(self, n):
        return self._queued("set_batch_size", n)

    def start(self):
        self.calls.append(("start",))
        return self


class FakeSurface:
    """A browser that remembers what it was shown."""

    def __init__(self):
        self.messages = []
        self.traits = {}
        self.sent = 0

    def show(self, message):
        self.sent += 1
        self.messages.append(message)

    def update(self, **traits):
        if any(self.traits.get(name) != value for name, value in traits.items()):
            self.sent += 1
        self.traits.update(traits)

    def of(self, kind):
        return [m for m in self.messages if m.content["kind"] == kind]

    def clear(self):
        self.messages.clear()
        self.sent = 0


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def fake_run():
    return FakeRun()


@pytest.fixture
def make_run():
    return FakeRun


@pytest.fixture
def surface():
    return FakeSurface()


@pytest.fixture
def recorder():
    return FakeRecorder()
