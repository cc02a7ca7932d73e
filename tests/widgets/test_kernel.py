"""A bench in a real kernel, talked to as a notebook's front end does."""

import queue
import statistics
import time

import pytest

jupyter_client = pytest.importorskip("jupyter_client")

SETUP = """
import workbench.widgets.widget as widget_module
widget_module.bundle = lambda name: "export default { render() {} }"
import workbench as wb
from workbench import nn
wb.manual_seed(0)
net = wb.Network((1, 8, 8), name="tiny")
net.append(nn.Flatten(), name="flatten")
net.append(nn.Linear(64, 32), name="fc1")
net.append(nn.ReLU(), name="relu1")
net.append(nn.Linear(32, 10), name="fc2")
data = wb.data.datasets.digits()
"""


class FrontEnd:
    """Runs cells, keeps what comes in by comm, and sends custom messages."""

    def __init__(self, client):
        self.client = client
        self.messages = []
        self.count = 0

    def pump(self, timeout=1.0):
        try:
            message = self.client.get_iopub_msg(timeout=timeout)
        except queue.Empty:
            return None
        message["arrived"] = time.monotonic()
        self.messages.append(message)
        return message

    def until(self, found, timeout=30.0):
        """The first message, old or new, for which ``found(message)`` is true."""
        for message in self.messages:
            if found(message):
                return message
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            message = self.pump()
            if message is not None and found(message):
                return message
        raise AssertionError("the message did not come")

    def run(self, code, cell="cell"):
        content = {
            "code": code, "silent": False, "store_history": True, "user_expressions": {},
            "allow_stdin": False, "stop_on_error": True,
        }  # fmt: skip
        message = self.client.session.msg("execute_request", content)
        message["metadata"] = {"cellId": cell}
        self.client.shell_channel.send(message)
        asked = message["header"]["msg_id"]

        def about(kind):
            return lambda m: (
                m["parent_header"].get("msg_id") == asked and m["msg_type"] == kind and kind
            )

        def idle(m):
            return about("status")(m) and m["content"]["execution_state"] == "idle"

        self.until(idle, 60)
        mine = [m for m in self.messages if m["parent_header"].get("msg_id") == asked]
        for m in mine:
            assert m["msg_type"] != "error", "\n".join(m["content"]["traceback"])
        return mine

    def text(self, code):
        """What a cell prints."""
        return "".join(
            m["content"]["text"] for m in self.run(code) if m["msg_type"] == "stream"
        ).strip()

    def send(self, comm, data):
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        self.client.shell_channel.send(message)

    def say(self, comm, **content):
        self.send(comm, {"method": "custom", "content": content})

    def ask(self, comm, name, **args):
        """Send a command and wait for its reply."""
        self.count += 1
        me = f"test-{self.count}"
        self.say(comm, kind="command", id=me, name=name, args=args)
        message = self.until(lambda m: custom(m, "reply") and custom(m, "reply")["id"] == me)
        return custom(message, "reply")

    def opened(self, target):
        return [
            m
            for m in self.messages
            if m["msg_type"] == "comm_open" and m["content"]["target_name"] == target
        ]


def custom(message, kind=None):
    """The content of a custom widget message of that kind, else None."""
    if message["msg_type"] != "comm_msg":
        return None
    content = message["content"]["data"].get("content")
    return content if content and kind in (None, content.get("kind")) else None


@pytest.fixture(scope="module")
def front_end():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    end = FrontEnd(client)
    end.run(SETUP)
    yield end
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def bench(front_end):
    """The comm id of a new bench, displayed by cell "bench"."""
    front_end.messages.clear()
    code = "bench = wb.Bench(net, data, optimizer='Adam', seed=1); bench"
    front_end.run(code, cell="bench")
    widget = front_end.opened("jupyter.widget")[-1]["content"]["comm_id"]
    yield widget
    front_end.run("bench.close()")


def test_display(front_end, bench):
    shown = front_end.until(lambda m: m["msg_type"] == "display_data")
    data = shown["content"]["data"]
    assert data["application/vnd.workbench.bench+json"] == {"model_id": bench, "version": 1}
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == bench
    assert data["text/plain"].startswith("Bench('tiny'")
    assert shown["content"]["transient"]["display_id"]
    assert len(front_end.opened("jupyter.widget")) == 1, "one comm a bench, no layout model"


def test_training_watching_and_editing(front_end, bench):
    front_end.say(bench, kind="hello")
    front_end.until(lambda m: custom(m, "predictions") and custom(m, "predictions")["images"])
    assert front_end.ask(bench, "start")["ok"]
    front_end.messages.clear()
    first = time.monotonic()
    replies = []
    while time.monotonic() < first + 3:
        began = time.monotonic()
        assert front_end.text("print(1 + 1)") == "2"
        replies.append(time.monotonic() - began)
    print(f"cells while training: median {statistics.median(replies) * 1000:.0f} ms")
    mine = [m for m in front_end.messages if m["msg_type"] == "comm_msg"]
    mine = [m for m in mine if m["content"]["comm_id"] == bench]
    times = [m["header"]["date"].timestamp() for m in mine]
    assert max(sum(t <= u < t + 1 for u in times) for t in times) <= 21
    series = [m for m in mine if custom(m, "series")]
    assert series
    assert all(len(m["buffers"]) == 2 for m in series)

    edit = {
        "op": "insert", "layer": {"type": "Tanh", "args": {}}, "after": "fc1", "name": "<b>act</b>",
    }  # fmt: skip
    assert front_end.ask(bench, "check_edit", edit=edit)["result"]["ok"]
    assert front_end.ask(bench, "edit", edit=edit)["result"]["label"]
    assert "<b>act</b>" in front_end.text("print(list(net.layers))")
    assert front_end.ask(bench, "undo")["ok"]
    bad = front_end.ask(bench, "edit", edit={"op": "remove", "layer": "nobody"})
    assert not bad["ok"]
    assert "nobody" in bad["error"]["message"]
    assert front_end.ask(bench, "set_lr", lr=-1)["error"]["type"] == "ValueError"
    assert front_end.ask(bench, "dance")["error"]["type"] == "ProtocolError"
    assert front_end.text("print(bench.run.state)") == "running", "errors harm no run"
    assert front_end.ask(bench, "pause")["ok"]
    assert front_end.text("print(bench.run.state)") == "paused"
    front_end.until(lambda m: m["msg_type"] == "update_display_data")


def test_the_sidebar_hears_of_runs(front_end, bench):
    found = front_end.text(
        "from workbench.widgets import registry\n"
        "print(registry._registry._comm.comm_id, bench.run.id)"
    )
    sidebar, run_id = found.split()
    front_end.send(sidebar, {"kind": "hello"})

    def listed(state):
        def found(m):
            if m["msg_type"] != "comm_msg" or m["content"]["comm_id"] != sidebar:
                return False
            rows = {row["run_id"]: row for row in m["content"]["data"]["runs"]}
            row = rows.get(run_id, {})
            return row.get("state") == state and row["model_id"] == bench

        return found

    front_end.until(listed("idle"))
    front_end.send(sidebar, {"kind": "command", "run_id": run_id, "name": "start"})
    front_end.until(listed("running"))
    front_end.send(sidebar, {"kind": "command", "run_id": run_id, "name": "pause"})
    front_end.until(listed("paused"))


def test_running_the_cell_again_leaves_one_of_everything(front_end):
    count = (
        "import comm, threading\n"
        "print(len(comm.get_comm_manager().comms),"
        " sum(t.name.startswith('workbench-run') for t in threading.enumerate()))"
    )
    front_end.run("bench = None; import gc; gc.collect();")
    code = "bench = wb.Bench(net, data); bench.run.start(); bench"
    front_end.run(code, cell="again")
    once = front_end.text(count)
    for _ in range(3):
        front_end.run(code, cell="again")
    assert front_end.text(count) == once
    front_end.run("bench.close()")
