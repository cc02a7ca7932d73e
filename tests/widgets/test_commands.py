import sys
import types

import pytest

from workbench.widgets import commands
from workbench.widgets.protocol import Command


class Answer:
    def __init__(self):
        self.given = []

    def __call__(self, result, error):
        self.given.append((result, error))

    @property
    def error(self):
        ((_, error),) = self.given
        return error

    @property
    def result(self):
        ((result, error),) = self.given
        assert error is None
        return result


@pytest.fixture
def answer():
    return Answer()


def ask(run, answer, name, **args):
    commands.settle(run, Command("1", name, args), answer)


@pytest.mark.parametrize(
    ("name", "args", "call"),
    [
        ("pause", {}, ("pause",)),
        ("resume", {}, ("resume",)),
        ("stop", {}, ("stop",)),
        ("step", {}, ("step", 1)),
        ("step", {"n": 5}, ("step", 5)),
        ("step", {"n": 5.0}, ("step", 5)),
        ("set_lr", {"lr": 0.5}, ("set_lr", 0.5)),
        ("set_batch_size", {"batch_size": 32}, ("set_batch_size", 32)),
    ],
)
def test_a_queued_command_is_answered_when_it_was_done(fake_run, answer, name, args, call):
    ask(fake_run, answer, name, **args)
    assert fake_run.calls == [call]
    assert not answer.given, "answered before the run did it"
    fake_run.pending.set_result(None)
    assert answer.result is None


def test_start_is_answered_at_once(fake_run, answer):
    ask(fake_run, answer, "start")
    assert fake_run.calls == [("start",)]
    assert answer.result is None, "a run is not JSON"


def test_the_script_comes_back_as_text(fake_run, answer):
    ask(fake_run, answer, "script")
    assert answer.result == "run = wb.Run(net, data)"


def test_an_error_of_the_run_is_the_reply(fake_run, answer):
    ask(fake_run, answer, "set_lr", lr=-1.0)
    fake_run.pending.set_exception(ValueError("lr must be positive, got -1.0"))
    assert str(answer.error) == "lr must be positive, got -1.0"


def test_a_run_that_ends_first_says_so(fake_run, answer):
    ask(fake_run, answer, "pause")
    fake_run.pending.cancel()
    assert "ended before" in str(answer.error)


def test_errors_raised_at_once_are_replies_too(fake_run, answer):
    fake_run.pause = lambda: 1 / 0
    ask(fake_run, answer, "pause")
    assert isinstance(answer.error, ZeroDivisionError)


@pytest.mark.parametrize(
    ("name", "args", "says"),
    [
        ("puase", {}, "no command 'puase'; did you mean 'pause'"),
        ("__class__", {}, "no command"),
        ("set_lr", {}, "lr must be a number, got None"),
        ("set_lr", {"lr": "0.1"}, "lr must be a number, got '0.1'"),
        ("set_lr", {"lr": True}, "lr must be a number"),
        ("set_batch_size", {"batch_size": 1.5}, "whole number, got 1.5"),
        ("step", {"n": "many"}, "n must be a whole number"),
    ],
)
def test_wrong_commands_are_refused_with_a_reason(fake_run, answer, name, args, says):
    ask(fake_run, answer, name, **args)
    assert says in str(answer.error)
    assert fake_run.calls == []


def test_edits_need_a_network_and_an_edit(fake_run, answer, monkeypatch):
    room = types.SimpleNamespace(Network=type(fake_run.network), Edit=None)
    monkeypatch.setitem(sys.modules, "workbench.network", room)
    ask(fake_run, answer, "edit", edit="remove fc1")
    assert "needs an edit" in str(answer.error)
    answer.given.clear()
    fake_run.network = object()
    ask(fake_run, answer, "undo")
    assert "cannot be edited" in str(answer.error)


def test_an_edit_result_is_told_by_its_log_entry():
    entry = types.SimpleNamespace(seq=3, label="Remove fc1", code="net.remove('fc1')")
    result = types.SimpleNamespace(entry=entry, kept=("fc2",))
    assert commands.result_of(result) == {
        "seq": 3,
        "label": "Remove fc1",
        "code": "net.remove('fc1')",
        "kept": ["fc2"],
    }
