import logging
import threading

import pytest

from workbench.training.commands import Command, Mailbox, Reply
from workbench.training.events import Bus, Event
from workbench.training.state import FOLLOWS, STATES, check_transition


def test_a_reply_has_the_result_or_the_error():
    reply = Reply("edit")
    Command(reply, lambda: 3).carry_out()
    assert reply.result() == 3
    reply = Reply("edit")
    Command(reply, lambda: 1 / 0).carry_out()
    with pytest.raises(ZeroDivisionError):
        reply.result()


def test_a_cancelled_command_is_not_carried_out():
    done = []
    reply = Reply("edit")
    reply.cancel()
    Command(reply, lambda: done.append(1)).carry_out()
    assert not done


def test_a_reply_is_the_same_text_whenever_it_is_printed():
    reply = Reply("pause")
    before = repr(reply)
    reply.set_result(None)
    assert repr(reply) == before
    assert "0x" not in before


def test_waiting_for_oneself_raises_instead_of_hanging():
    reply = Reply("step", lambda: True)
    with pytest.raises(RuntimeError, match="wait for itself"):
        reply.result()
    with pytest.raises(RuntimeError, match="wait for itself"):
        reply.exception()
    reply.set_result(1)
    assert reply.result() == 1


def test_an_error_that_nobody_asked_for_is_logged(caplog):
    with caplog.at_level(logging.ERROR, "workbench.training"):
        reply = Reply("apply")
        Command(reply, lambda: 1 / 0).carry_out()
        del reply
        assert "apply was refused: ZeroDivisionError" in caplog.text
        caplog.clear()
        reply = Reply("apply")
        Command(reply, lambda: 1 / 0).carry_out()
        reply.exception()
        del reply
        assert not caplog.text


def test_a_closed_mailbox_takes_nothing_and_gives_back_the_rest():
    mailbox = Mailbox()
    command = Command(Reply("a"), lambda: None)
    assert not mailbox.post(command)
    mailbox.open()
    assert mailbox.post(command)
    mailbox.wake()
    assert mailbox.close() == [command]
    assert not mailbox.post(command)
    assert mailbox.poll() is None


def test_no_command_is_lost_between_posting_and_closing():
    mailbox = Mailbox()
    mailbox.open()
    accepted, taken = [], []
    start = threading.Barrier(3)

    def post():
        start.wait()
        for _ in range(500):
            command = Command(Reply("x"), lambda: None)
            if mailbox.post(command):
                accepted.append(command)

    posters = [threading.Thread(target=post) for _ in range(2)]
    for thread in posters:
        thread.start()
    start.wait()
    while len(taken) < 200:
        command = mailbox.poll()
        if command is not None:
            taken.append(command)
    taken += mailbox.close()
    for thread in posters:
        thread.join()
    assert len(taken) == len(accepted)


def test_a_listener_that_raises_is_dropped_and_the_others_go_on():
    bus, heard = Bus(), []

    def bad(event):
        raise ValueError("boo")

    bus.subscribe(bad)
    unsubscribe = bus.subscribe(heard.append)
    with pytest.warns(RuntimeWarning, match="boo"):
        bus.emit(Event("step", 1))
    bus.emit(Event("step", 2))
    assert [event.step for event in heard] == [1, 2]
    unsubscribe()
    unsubscribe()
    assert not bus


def test_a_listener_dropped_under_warnings_as_errors_does_not_raise(caplog):
    bus = Bus()
    bus.subscribe(lambda event: 1 / 0)
    bus.emit(Event("step", 1))  # this project's tests make every warning an error
    assert "ZeroDivisionError" in caplog.text
    assert not bus


def test_a_listener_must_be_callable():
    with pytest.raises(TypeError, match="callable"):
        Bus().subscribe(3)


def test_every_state_can_be_left_and_unknown_ways_are_refused():
    assert set(FOLLOWS) == set(STATES)
    assert all(after <= set(STATES) and after for after in FOLLOWS.values())
    with pytest.raises(RuntimeError, match="stopped cannot become paused"):
        check_transition("stopped", "paused")
