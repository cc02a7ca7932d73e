"""A link between a fake run and a fake browser, under a clock that the test moves."""

import gc
import json
import types
import weakref

import numpy as np
import pytest

from workbench.widgets.live import Link
from workbench.widgets.protocol import unpack_series


@pytest.fixture
def link(fake_run, surface, clock):
    return Link(fake_run, surface, clock=clock)


def steps_of(message):
    return [int(s) for part in unpack_series(*message) for s in part.steps]


def hello(link):
    link.on_message({"kind": "hello"})


def test_nothing_is_sent_before_somebody_looks(link, fake_run, surface, clock):
    for _ in range(100):
        clock.tick(0.1)
        fake_run.train()
    fake_run.become("running")
    assert surface.sent == 0


def test_hello_gets_everything(link, fake_run, surface):
    fake_run.train(3, grad_norm__n1=0.5)
    fake_run.recorder.marks.append(types.SimpleNamespace(step=2, kind="edit", label="Insert act"))
    hello(link)
    (series,) = surface.of("series")
    assert series.content["reset"]
    assert {s["key"] for s in series.content["series"]} == {"loss", "grad_norm:n1"}
    assert surface.of("marks")[0].content["marks"] == [
        {"step": 2, "kind": "edit", "label": "Insert act"}
    ]
    assert surface.traits["graph"]["nodes"][0]["name"] == "fc1"
    assert surface.traits["status"]["step"] == 3
    assert surface.traits["status"]["steps_per_s"] is None, "NaN is not JSON"
    json.dumps(surface.traits, allow_nan=False)


def test_hello_to_a_running_run_is_answered_at_its_next_step(link, fake_run, surface):
    fake_run.state = "running"
    hello(link)
    assert surface.sent == 0
    fake_run.train()
    assert surface.of("series")[0].content["reset"]


def test_hello_is_answered_when_the_run_ends_before_its_next_step(link, fake_run, surface):
    fake_run.state = "running"
    hello(link)
    fake_run.become("paused")
    assert surface.of("series")[0].content["reset"]


def test_every_point_arrives_once_and_in_order(link, fake_run, surface, clock):
    hello(link)
    surface.clear()
    fake_run.state = "running"
    for _ in range(500):
        clock.tick(0.004)
        fake_run.train()
    fake_run.become("paused")
    seen = [step for message in surface.of("series") for step in steps_of(message)]
    assert seen == list(range(1, 501))


@pytest.mark.parametrize("step_time", [0.0005, 0.004, 0.05, 0.3])
def test_rate_of_messages(link, fake_run, surface, clock, step_time):
    """At most 20 messages in any second, and 10 updates a second where steps allow."""
    hello(link)
    fake_run.state = "running"
    times, curves = [], []
    before = surface.sent
    began = clock()
    while clock() < began + 4:
        clock.tick(step_time)
        fake_run.train()
        times += [clock()] * (surface.sent - before)
        before = surface.sent
        curves.append(len(surface.of("series")))
    assert max(sum(t <= u < t + 1 for u in times) for t in times) <= 20
    if step_time < 0.05:
        assert curves[-1] / 4 >= 10


def test_a_storm_of_edits_stays_within_the_rate(link, fake_run, surface, clock):
    hello(link)
    fake_run.state = "running"
    clock.tick(2)
    surface.clear()
    for _ in range(100):
        clock.tick(0.001)
        fake_run.network.version += 1
        fake_run.emit("edit")
    assert surface.sent <= 20
    clock.tick(2)
    fake_run.train()
    assert surface.traits["graph"]["version"] == fake_run.network.version, "the last one wins"


def test_a_storm_of_edits_while_paused_shows_the_last_one(fake_run, surface, clock):
    put_off = []
    link = Link(fake_run, surface, clock, later=lambda f, delay: put_off.append(f) or True)
    hello(link)
    fake_run.become("paused")
    for _ in range(100):
        fake_run.network.version += 1
        fake_run.emit("edit")
    assert len(put_off) == 1
    clock.tick(1)
    put_off.pop()()
    assert surface.traits["graph"]["version"] == fake_run.network.version
    assert not put_off


def test_an_edit_shows_at_once(link, fake_run, surface, clock):
    hello(link)
    clock.tick(2)
    fake_run.network.nodes.append({"id": "n2", "name": "<script>alert(1)</script>"})
    fake_run.emit("edit")
    names = [node["name"] for node in surface.traits["graph"]["nodes"]]
    assert names == ["fc1", "<script>alert(1)</script>"], "names travel as plain text"


def test_pausing_shows_the_last_point_and_the_state(link, fake_run, surface, clock):
    hello(link)
    fake_run.state = "running"
    clock.tick(1)
    fake_run.train()
    clock.tick(0.001)
    fake_run.train()
    fake_run.become("paused")
    assert surface.traits["status"]["state"] == "paused"
    assert steps_of(surface.of("series")[-1])[-1] == 2


def test_a_failure_is_shown_where_it_happened(link, fake_run, surface):
    hello(link)
    fake_run.error = types.SimpleNamespace(kind="nan", message="loss is NaN", layer="fc1", step=7)
    fake_run.become("failed")
    assert surface.traits["status"]["error"] == {
        "kind": "nan",
        "message": "loss is NaN",
        "layer": "fc1",
        "step": 7,
    }


def test_commands_are_answered_by_id(link, fake_run, surface):
    link.on_message({"kind": "command", "id": "v-1", "name": "pause"})
    assert not surface.of("reply")
    fake_run.pending.set_result(None)
    assert surface.of("reply")[0].content == {
        "kind": "reply",
        "id": "v-1",
        "ok": True,
        "result": None,
        "error": None,
    }


@pytest.mark.parametrize(
    "content", [None, 3, {"kind": "dance", "id": "v-1"}, {"kind": "command", "id": "v-1"}]
)
def test_nonsense_is_answered_with_an_error(link, surface, content):
    link.on_message(content)
    (reply,) = surface.of("reply")
    assert reply.content["ok"] is False
    assert reply.content["error"]["type"] == "ProtocolError"


def found(n=3, k=2):
    return types.SimpleNamespace(
        step=5,
        inputs=np.linspace(0, 1, n * 4, dtype=np.float32).reshape(n, 1, 2, 2),
        true=np.array([0, 1, 1]),
        guess=np.array([0, 0, 1]),
        probabilities=np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], np.float32),
        confusion=np.array([[1, 0], [1, 1]], np.int32),
        classes=["cat", "dog"],
    )


def test_images_travel_once_and_guesses_while_it_trains(link, fake_run, surface, clock):
    fake_run.guesses = found()
    hello(link)
    (first,) = surface.of("predictions")
    assert first.content["images"]
    assert first.content["prob"] == [0.9, 0.6, 0.8]
    assert np.frombuffer(first.buffers[0], np.int32).tolist() == [1, 0, 1, 1]
    assert np.frombuffer(first.buffers[1], np.uint8)[[0, -1]].tolist() == [0, 255]
    surface.clear()
    fake_run.state = "running"
    for _ in range(1000):
        clock.tick(0.004)
        fake_run.train()
    later = surface.of("predictions")
    assert 4 <= len(later) <= 8, "at most two a second"
    assert not any(m.content["images"] or len(m.buffers) != 1 for m in later)


def test_a_run_that_does_not_classify_has_no_predictions(link, fake_run, surface, clock):
    hello(link)
    fake_run.state = "running"
    for _ in range(100):
        clock.tick(0.1)
        fake_run.train()
    assert not surface.of("predictions")
    assert fake_run.calls.count(("predictions", 48)) == 1, "asked once, not at every round"


def test_an_update_that_fails_does_not_end_the_view(link, fake_run, surface, clock, caplog):
    hello(link)
    fake_run.state = "running"
    fake_run.network.graph = lambda: 1 / 0
    fake_run.emit("edit")
    assert "ZeroDivisionError" in caplog.text
    clock.tick(1)
    fake_run.train()
    assert steps_of(surface.of("series")[-1]) == [1]


def test_close_leaves_no_listener(link, fake_run, surface):
    hello(link)
    assert len(fake_run.listeners) == 1
    link.close()
    link.close()
    assert fake_run.listeners == []
    surface.clear()
    hello(link)
    assert surface.sent == 0


def test_the_run_does_not_keep_a_link_alive(fake_run, surface, clock):
    link = Link(fake_run, surface, clock=clock)
    gone = weakref.ref(link)
    del link
    gc.collect()
    assert gone() is None
    fake_run.train()  # the empty listener that is left does no harm


def test_two_links_of_one_run_stay_in_step(fake_run, surface, clock):
    other = type(surface)()
    links = [Link(fake_run, s, clock=clock) for s in (surface, other)]
    for link in links:
        hello(link)
    fake_run.state = "running"
    for _ in range(50):
        clock.tick(0.05)
        fake_run.train()
    fake_run.become("finished")
    assert surface.traits == other.traits
    points = [[s for m in x.of("series") for s in steps_of(m)] for x in (surface, other)]
    assert points[0] == points[1]
