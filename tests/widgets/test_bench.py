"""Benches on real runs, in a process without a kernel: what they say and what they leave."""

import gc
import threading
import types
import weakref

import comm
import ipywidgets
import pytest

import workbench as wb
from workbench import nn
from workbench.widgets import Bench, cells, kernel
from workbench.widgets import widget as widget_module


@pytest.fixture(autouse=True)
def front_end(monkeypatch):
    """These tests need no built front end."""
    monkeypatch.setattr(widget_module, "bundle", lambda name: f"/* {name} */")


@pytest.fixture
def network():
    wb.manual_seed(0)
    net = wb.Network((1, 8, 8), name="tiny")
    net.append(nn.Flatten(), name="flatten")
    net.append(nn.Linear(64, 16), name="fc1")
    net.append(nn.ReLU(), name="relu1")
    net.append(nn.Linear(16, 10), name="fc2")
    return net


@pytest.fixture(scope="module")
def data():
    return wb.data.datasets.digits()


def listeners(run):
    return len(run._bus._listeners)


def comms():
    return set(comm.get_comm_manager().comms)


def training_threads():
    return [t for t in threading.enumerate() if t.name.startswith("workbench-run")]


def test_a_bench_makes_a_run_or_takes_one(network, data):
    bench = Bench(network, data, optimizer="SGD", lr=0.1, steps=5)
    assert bench.run.network is bench.network is network
    assert bench.run.lr == 0.1
    other = Bench(bench.run)
    assert other.run is bench.run
    assert wb.Bench is Bench


def test_wrong_arguments_say_what_to_write(network, data):
    with pytest.raises(TypeError, match=r"wb\.Bench\(network, data\)"):
        Bench(network)
    run = wb.Run(network, data)
    with pytest.raises(TypeError, match="got data, lr"):
        Bench(run, data, lr=0.1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'lerning_rate'"):
        Bench(network, data, lerning_rate=0.1)


def test_its_text_is_the_same_each_time(network, data):
    bench = Bench(network, data, steps=3)
    text = repr(bench)
    assert text == "Bench('tiny': 4 layers, 1,210 parameters; Adam, CrossEntropyLoss)"
    bench.run.train()
    assert repr(bench) == text
    assert "bench.run.train(" in str(bench), "outside Jupyter it says what to do without one"


def test_without_the_built_front_end_it_says_how_to_build_it(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(widget_module, "STATIC", tmp_path)
    with pytest.raises(widget_module.BundleMissingError, match=r"pip install -e \."):
        widget_module.bundle("bench.js")
    (tmp_path / "bench.js").write_text("export default {}")
    assert widget_module.bundle("bench.js") == "export default {}"


def test_the_widget_shows_the_run(network, data):
    bench = Bench(network, data, steps=20)
    widget = bench.widget
    assert [node["name"] for node in widget.graph["nodes"]] == ["flatten", "fc1", "relu1", "fc2"]
    assert widget.classes == [str(digit) for digit in range(10)]
    assert widget.status["state"] == "idle"
    assert widget.status["loss_name"] == "CrossEntropyLoss"
    assert any(family["name"] for family in widget.catalogue["families"])
    assert not {"curves", "series", "images"} & set(widget.get_state()), "data is never state"
    bench.close()


def sent(widget, monkeypatch):
    messages = []
    monkeypatch.setattr(widget, "send", lambda content, buffers=None: messages.append(content))
    return messages


def say(widget, **content):
    widget._handle_custom_msg(content, [])


def test_a_session_over_the_wire(network, data, monkeypatch):
    """Hello, train, edit, undo, and an edit that does not fit: everything is answered."""
    bench = Bench(network, data, steps=50)
    widget = bench.widget
    messages = sent(widget, monkeypatch)
    say(widget, kind="hello")
    assert [m["kind"] for m in messages] == ["series", "marks", "predictions"]
    assert messages[2]["images"]

    def ask(name, **args):
        say(widget, kind="command", id=name, name=name, args=args)

    def answer(name):
        (reply,) = [m for m in messages if m["kind"] == "reply" and m["id"] == name]
        messages.remove(reply)
        return reply

    relu = {"op": "insert", "layer": {"type": "Tanh", "args": {}}, "after": "fc1", "name": "act"}
    ask("check_edit", edit=relu)
    preview = answer("check_edit")["result"]
    assert preview["ok"]
    assert preview["code"].startswith("net.insert(")
    ask("edit", edit=relu)
    told = answer("edit")["result"]
    assert told["code"].startswith("net.insert(")
    assert [n["name"] for n in widget.graph["nodes"]].count("act") == 1
    assert widget.history["can_undo"]

    wrong = {"op": "replace", "layer": "fc1", "with": {"type": "Linear", "args": {}}}
    ask("edit", edit=wrong)
    refused = answer("edit")
    assert not refused["ok"]
    assert refused["error"]["message"]
    ask("check_edit", edit={"op": "remove", "layer": "fc9"})
    assert "fc9" in answer("check_edit")["error"]["message"]
    ask("edit", edit={"op": "explode"})
    assert not answer("edit")["ok"]

    ask("undo")
    assert answer("undo")["ok"]
    assert "act" not in [n["name"] for n in widget.graph["nodes"]]
    assert [e["state"] for e in widget.history["edits"]][-1] == "undone"
    ask("start")
    assert answer("start")["ok"]
    bench.run.wait()
    assert widget.status["state"] == "finished"
    ask("code")
    assert "fc1" in answer("code")["result"]
    ask("script")
    assert "run.train(steps=50)" in answer("script")["result"]
    bench.close()


def test_a_module_that_is_no_network_is_shown_but_not_edited(data, monkeypatch):
    bench = Bench(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), data, steps=3)
    messages = sent(bench.widget, monkeypatch)
    say(bench.widget, kind="hello")
    assert bench.widget.graph == {}
    say(bench.widget, kind="command", id=1, name="undo")
    assert "cannot be edited" in messages[-1]["error"]["message"]
    say(bench.widget, kind="command", id=2, name="start")
    bench.run.wait()
    assert bench.widget.status["state"] == "finished"
    bench.close()


def test_a_name_with_markup_stays_text(network, data):
    name = "<img src=x onerror=alert(1)>"
    bench = Bench(network, data)
    say(bench.widget, kind="hello")
    network.rename("fc1", name)
    assert name in [node["name"] for node in bench.widget.graph["nodes"]]
    bench.close()


def test_close_leaves_nothing(network, data):
    before_widgets, before_comms = set(ipywidgets.widgets.widget._instances), comms()
    bench = Bench(network, data)
    before = listeners(bench.run)
    assert bench.widget is bench.widget
    assert listeners(bench.run) > before
    bench.run.start()
    bench.close()
    bench.close()
    assert listeners(bench.run) == before
    assert not training_threads()
    assert comms() == before_comms
    assert set(ipywidgets.widgets.widget._instances) == before_widgets
    assert bench.run.state == "stopped"


def test_a_run_that_was_given_goes_on_after_close(network, data):
    run = wb.Run(network, data)
    bench = Bench(run)
    assert bench.widget
    run.start()
    bench.close()
    assert run.state == "running"
    run.stop()


def test_a_forgotten_bench_takes_everything_with_it(network, data):
    before_widgets, before_comms = set(ipywidgets.widgets.widget._instances), comms()
    bench = Bench(network, data)
    assert bench.widget
    bench.run.start()
    gone = [weakref.ref(bench), weakref.ref(bench.run)]
    thread = bench.run._worker.thread
    del bench
    gc.collect()
    thread.join(10)
    gc.collect()
    assert [ref() for ref in gone] == [None, None]
    assert not training_threads()
    assert comms() == before_comms
    assert set(ipywidgets.widgets.widget._instances) == before_widgets


def test_a_forgotten_view_leaves_a_given_run_alone(network, data):
    run = wb.Run(network, data)
    before = listeners(run)
    bench = Bench(run)
    assert bench.widget
    del bench
    gc.collect()
    assert listeners(run) == before
    run.train(steps=2)


def test_a_closed_bench_can_be_shown_again(network, data):
    bench = Bench(network, data)
    first = bench.widget.model_id
    bench.close()
    assert not bench.is_open
    assert bench.widget.model_id != first
    bench.close()


def test_a_browser_that_closes_the_comm_closes_the_view(network, data):
    bench = Bench(network, data)
    channel = bench.widget.comm
    before = listeners(bench.run)
    comm.get_comm_manager().comm_close(None, None, {"content": {"comm_id": channel.comm_id}})
    assert listeners(bench.run) < before


class Notebook:
    """The part of a kernel that cells.py listens to."""

    def __init__(self):
        self.hooks = []
        self.events = types.SimpleNamespace(register=lambda name, hook: self.hooks.append(hook))
        self.current = None

    def run(self, cell):
        for hook in self.hooks:
            hook(types.SimpleNamespace(cell_id=cell))
        self.current = cell


@pytest.fixture
def book(monkeypatch):
    book = Notebook()
    monkeypatch.setattr(kernel, "shell", lambda: book)
    monkeypatch.setattr(kernel, "cell_id", lambda: book.current)
    monkeypatch.setattr(cells, "_hooked", None)
    return book


def test_running_the_cell_again_ends_what_it_made(network, data, book):
    book.run("a")
    bench = Bench(network, data)
    assert bench.widget
    bench.run.start()
    book.run("b")
    assert bench.run.state == "running", "another cell changes nothing"
    before = listeners(bench.run)
    book.run("a")
    assert bench.run.state == "stopped"
    assert not bench.is_open
    assert listeners(bench.run) < before
    assert not training_threads()


def test_running_a_cell_that_only_shows_it_does_not_stop_the_run(network, data, book):
    book.run("a")
    bench = Bench(network, data)
    book.run("b")
    bench._cells.add(cells.settle_in(bench))
    assert bench.widget
    bench.run.start()
    book.run("b")
    assert not bench.is_open
    assert bench.run.state == "running"
    bench.close()
