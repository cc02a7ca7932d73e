import gc
import weakref

import pytest

from workbench.widgets.registry import Registry


class FakeComm:
    def __init__(self, data):
        self.sent = [data]
        self.closed = False
        self.on_message = self.on_closed = None

    def send(self, data):
        assert not self.closed
        self.sent.append(data)

    def on_msg(self, callback):
        self.on_message = callback

    def on_close(self, callback):
        self.on_closed = callback

    def close(self):
        self.closed = True

    def receive(self, **data):
        self.on_message({"content": {"data": data}})


class House:
    """A registry with its comms, its runs and what it put off for later."""

    def __init__(self, clock):
        self.comms, self.later = [], []
        self.runs = weakref.WeakSet()
        self.registry = Registry(
            self._open, lambda: sorted(self.runs, key=lambda r: r.id), self._later, clock
        )

    def _open(self, data):
        self.comms.append(FakeComm(data))
        return self.comms[-1]

    def _later(self, function, delay):
        self.later.append(function)
        return True

    def add(self, run):
        self.runs.add(run)
        self.registry.add(run)
        return run

    @property
    def comm(self):
        return self.comms[-1]

    def last(self):
        return {r["run_id"]: r for r in self.comm.sent[-1]["runs"]}


@pytest.fixture
def house(clock):
    return House(clock)


def test_the_first_run_opens_the_comm(house, fake_run):
    assert not house.comms
    house.add(fake_run)
    assert house.comm.sent[0] == {
        "kind": "runs",
        "runs": [
            {
                "run_id": "run-one",
                "name": "one",
                "state": "idle",
                "step": 0,
                "steps_total": 100,
                "loss": None,
                "curve": [],
                "model_id": None,
            }
        ],
    }


def test_at_most_two_messages_a_second(house, fake_run, clock):
    house.add(fake_run)
    times = []
    for _ in range(2000):
        clock.tick(0.002)
        before = len(house.comm.sent)
        fake_run.train()
        times += [clock()] * (len(house.comm.sent) - before)
    assert 3 <= len(times) <= 8
    assert len(house.last()["run-one"]["curve"]) <= 60


def test_a_change_of_state_is_never_lost(house, fake_run, clock):
    house.add(fake_run)
    for state in ("running", "paused", "running", "paused"):
        clock.tick(0.01)
        fake_run.become(state)
    assert len(house.later) == 1, "what did not fit is put off, once"
    clock.tick(1)
    house.later.pop()()
    assert house.last()["run-one"]["state"] == "paused"


def test_hello_after_a_reload_gets_the_list(house, fake_run, clock):
    house.add(fake_run)
    sent = len(house.comm.sent)
    house.comm.receive(kind="hello")
    assert len(house.comm.sent) == sent + 1


def test_the_sidebar_pauses_and_resumes_the_right_run(house, make_run):
    one, two = house.add(make_run("one")), house.add(make_run("two"))
    house.comm.receive(kind="command", run_id="run-two", name="pause")
    house.comm.receive(kind="command", run_id="run-one", name="start")
    assert (one.calls, two.calls) == ([("start",)], [("pause",)])


@pytest.mark.parametrize("name", ["undo", "__init__", None])
def test_other_commands_are_refused(house, fake_run, name, caplog):
    house.add(fake_run)
    house.comm.receive(kind="command", run_id="run-one", name=name)
    assert fake_run.calls == []
    assert "not understood" in caplog.text


def test_a_command_to_a_run_that_is_gone_renews_the_list(house, fake_run, clock):
    house.add(fake_run)
    clock.tick(2)
    sent = len(house.comm.sent)
    house.comm.receive(kind="command", run_id="run-nobody", name="pause")
    assert len(house.comm.sent) == sent + 1


def test_a_widget_is_told_by_its_model_id(house, fake_run, clock):
    house.add(fake_run)
    clock.tick(2)
    house.registry.widget(fake_run, "m1")
    clock.tick(2)
    house.registry.widget(fake_run, "m2")
    assert house.last()["run-one"]["model_id"] == "m2"
    clock.tick(2)
    house.registry.widget(fake_run, None, gone="m2")
    assert house.last()["run-one"]["model_id"] == "m1"


def test_a_run_that_was_forgotten_leaves_the_list(house, make_run, clock):
    house.add(make_run("one"))
    house.add(make_run("two"))
    clock.tick(2)
    gc.collect()
    house.later.pop()()
    assert house.last() == {}


def test_a_comm_closed_by_the_browser_is_opened_again_for_the_next_run(house, make_run, clock):
    one = house.add(make_run("one"))
    house.comm.on_closed({})
    clock.tick(2)
    one.train()
    assert len(house.comm.sent) == 1
    two = house.add(make_run("two"))
    assert len(house.comms) == 2
    assert set(house.last()) == {one.id, two.id}


def test_close(house, fake_run, clock):
    house.add(fake_run)
    house.registry.close()
    assert house.comm.closed
    clock.tick(2)
    fake_run.train()
    house.registry.close()


def test_a_comm_that_cannot_be_opened_harms_nobody(clock, fake_run, caplog):
    def refuse(data):
        raise RuntimeError("no kernel")

    registry = Registry(refuse, lambda: [fake_run], lambda *_: False, clock)
    registry.add(fake_run)
    fake_run.train()
    assert "could not be opened" in caplog.text


def test_a_loss_that_is_no_number_leaves_a_gap(house, fake_run, clock):
    fake_run.recorder.add(1, loss=float("nan"))
    fake_run.loss = float("inf")
    house.add(fake_run)
    assert house.last()["run-one"]["curve"] == []
    assert house.last()["run-one"]["loss"] is None
