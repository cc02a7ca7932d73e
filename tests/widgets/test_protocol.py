import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from workbench.widgets import protocol
from workbench.widgets.protocol import Command, Hello, ProtocolError, Series

# The first text that hypothesis draws on a machine takes a second.
patient = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)

curves = st.lists(
    st.tuples(
        st.text(min_size=1, max_size=20),
        hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1e9)),
    ),
    max_size=5,
)


@patient
@given(curves, st.booleans())
def test_series_come_back_as_they_were_packed(curves, reset):
    series = [Series(key, steps, (steps / 3).astype(np.float32)) for key, steps in curves]
    message = protocol.series_message(series, reset)
    if not curves and not reset:
        assert message is None
        return
    json.dumps(message.content, allow_nan=False)
    back = protocol.unpack_series(message.content, message.buffers)
    assert [s.key for s in back] == [s.key for s in series]
    for got, was in zip(back, series, strict=True):
        assert got.steps.tobytes() == was.steps.tobytes()
        assert got.values.tobytes() == was.values.tobytes()


def test_series_leave_empty_curves_out_and_keep_nan():
    empty = Series("none", np.empty(0), np.empty(0, np.float32))
    full = Series("loss", np.array([1.0]), np.array([np.nan], np.float32))
    message = protocol.series_message([empty, full])
    assert message.content["series"] == [{"key": "loss", "offset": 0, "length": 1}]
    assert math.isnan(protocol.unpack_series(message.content, message.buffers)[0].values[0])
    assert protocol.series_message([empty]) is None
    assert protocol.series_message([], reset=True).buffers == [b"", b""]


def test_series_of_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="'loss' has 2 steps but 1 values"):
        protocol.series_message([Series("loss", np.zeros(2), np.zeros(1, np.float32))])


def test_parse_knows_hello_and_commands():
    assert protocol.parse({"kind": "hello"}) == Hello()
    asked = {"kind": "command", "id": "a-1", "name": "step", "args": {"n": 3}}
    assert protocol.parse(asked) == Command("a-1", "step", {"n": 3})
    assert protocol.parse({"kind": "command", "id": 7, "name": "pause"}) == Command(7, "pause", {})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "expected a message object, got NoneType"),
        ([1], "got list"),
        ({}, "unknown kind of message None"),
        ({"kind": "shout", "id": "x"}, "unknown kind of message 'shout'"),
        ({"kind": "command", "id": "x"}, "needs a name"),
        ({"kind": "command", "id": "x", "name": 3}, "needs a name"),
        ({"kind": "command", "id": {}, "name": "pause"}, "id is text"),
        ({"kind": "command", "id": True, "name": "pause"}, "id is text"),
        ({"kind": "command", "id": "x", "name": "step", "args": [1]}, "args of 'step'"),
    ],
)
def test_malformed_messages_say_what_is_wrong(content, says):
    with pytest.raises(ProtocolError, match=says) as caught:
        protocol.parse(content)
    if isinstance(content, dict) and content.get("id") == "x":
        assert caught.value.id == "x"


class LayerError(ValueError):
    layer = "<img src=x onerror=alert(1)>"


def test_replies_carry_results_and_errors_as_json():
    good = protocol.reply_message("a", {"shape": (1, 2), "x": np.float32(0.5), "bad": math.inf})
    assert good.content["result"] == {"shape": [1, 2], "x": 0.5, "bad": None}
    bad = protocol.error_message("b", LayerError("takes 64 features, got 32"))
    assert bad.content["error"] == {
        "type": "LayerError",
        "message": "takes 64 features, got 32",
        "layer": "<img src=x onerror=alert(1)>",
    }
    for message in (good, bad):
        json.dumps(message.content, allow_nan=False)


def test_errors_read_as_sentences():
    assert protocol.describe_error(KeyError("no layer 'x'"))["message"] == "no layer 'x'"
    assert protocol.describe_error(ValueError())["message"] == "ValueError without a message"
    assert len(protocol.describe_error(ValueError("x" * 10_000))["message"]) <= 2000


@patient
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    )
)
def test_plain_makes_anything_json(value):
    json.dumps(protocol.plain(value), allow_nan=False)


def test_plain_knows_numpy_and_to_dict():
    class Preview:
        def to_dict(self):
            return {"delta": np.float64("nan"), "shapes": {1: np.array([2, 3])}}

    assert protocol.plain(Preview()) == {"delta": None, "shapes": {"1": [2, 3]}}
    assert protocol.plain([np.int64(3), np.bool_(True), {1}, object]) == [
        3,
        True,
        [1],
        str(object),
    ]
