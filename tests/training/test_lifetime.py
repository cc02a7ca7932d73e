"""Nothing is left behind: threads, listeners, processes that hang."""

import os
import signal
import subprocess
import sys
import threading
import weakref

import pytest

import workbench as wb
from workbench import nn

PATIENCE = 30

PROLOGUE = """
import os, signal, sys, threading
import workbench as wb
from workbench import nn
net = wb.Network((1, 8, 8))
net.append(nn.Flatten())
net.append(nn.Linear(64, 10), name="out", seed=1)
digits = wb.data.datasets.digits()
reached = threading.Event()
def listen(event):
    if event.kind == "step" and event.step == 20:
        reached.set()
"""


def python(code, **options):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", PROLOGUE + code],
        capture_output=True, text=True, timeout=60, check=False, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    "code",
    [
        "run = wb.Run(net, digits); run.subscribe(listen); run.start(); reached.wait()",
        "run = wb.Run(net, digits); run.step(3).result()",
        "run = wb.Run(net, digits); run.start(); run.pause()",
        "run = wb.Run(net, digits); run.start(); run.stop()",
        "run = wb.Run(net, digits); run.start(); raise SystemExit(0)",
        "run = wb.Run(net, digits); run.start(); os.kill(os.getpid(), signal.SIGTERM)",
        (
            "import warnings; warnings.simplefilter('ignore')\n"  # each takes the network over
            "for _ in range(5): run = wb.Run(net, digits).start()"
        ),
    ],
)
def test_a_process_ends_whatever_its_run_does(code):
    done = python(code)
    assert done.returncode in (0, -signal.SIGTERM), done.stderr
    assert done.stderr == ""


def test_ctrl_c_in_train_pauses_at_a_boundary_and_is_raised():
    done = python(
        """
run = wb.Run(net, digits)
def interrupt(event):
    if event.kind == "step" and event.step == 20:
        os.kill(os.getpid(), signal.SIGINT)
run.subscribe(interrupt)
try:
    run.train(steps=10**9)
except KeyboardInterrupt as error:
    print(run.state, str(error).startswith("paused after step"), run.step_count >= 20)
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
before = run.step_count
run.train(steps=5)
print(run.step_count - before, run.state)
"""
    )
    assert done.stdout.split() == ["paused", "True", "True", "True", "5", "finished"], done.stderr


def test_ctrl_c_while_waiting_pauses_the_run():
    done = python(
        """
run = wb.Run(net, digits)
def interrupt(event):
    if event.kind == "step" and event.step == 20:
        os.kill(os.getpid(), signal.SIGINT)
run.subscribe(interrupt)
try:
    run.start()
    run.wait()
except KeyboardInterrupt:
    print(run.state)
"""
    )
    assert done.stdout.split() == ["paused"], done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_has_a_run_without_thread_that_can_go_on():
    done = python(
        """
import warnings
warnings.simplefilter("ignore")  # forking with threads warns on newer Pythons
run = wb.Run(net, digits); run.subscribe(listen); run.start(); reached.wait()
child = os.fork()
if child == 0:
    before = run.step_count
    run.train(steps=3)
    os._exit(0 if run.step_count == before + 3 and run.state == "finished" else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), run.state)
"""
    )
    assert done.stdout.split() == ["0", "running"], done.stderr


def threads():
    return [t for t in threading.enumerate() if t.name.startswith("workbench-run")]


@pytest.mark.parametrize("state", ["running", "paused", "failed", "finished", "stopped", "idle"])
def test_a_run_that_nobody_refers_to_takes_its_thread_along(build, digits, at_step, state):
    net = build()
    run = wb.Run(net, digits, steps=20 if state == "finished" else None)
    if state != "idle":
        run.start()
        if state == "finished":
            run.wait(PATIENCE)
        else:
            at_step(run, 2)
    if state == "paused":
        run.pause().result(PATIENCE)
    if state == "stopped":
        run.stop()
    if state == "failed":
        run.subscribe(lambda event: None)
        net["out"].weight.array[...] = float("nan")
        with pytest.raises(wb.training.TrainingError):
            run.wait(PATIENCE)
    assert run.state == state
    gone = weakref.ref(run)
    mine = threads()
    before = sys.getswitchinterval()
    del run
    for thread in mine:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert gone() is None
    assert not net._gates
    net.insert(nn.Tanh(), after="act")  # goes through no gate any more
    if state == "running":
        assert sys.getswitchinterval() > before


def test_the_switch_interval_comes_back(build, digits, at_step):
    before = sys.getswitchinterval()
    run = wb.Run(build(), digits).start()
    at_step(run, 2)
    assert sys.getswitchinterval() < before
    run.pause().result(PATIENCE)
    assert sys.getswitchinterval() == before
    run.resume().result(PATIENCE)
    other = wb.Run(build(), digits).start()
    run.stop()
    assert sys.getswitchinterval() < before
    other.stop()
    assert sys.getswitchinterval() == before


def test_finishing_leaves_no_thread(build, digits):
    run = wb.Run(build(), digits, steps=5).start()
    mine = threads()
    run.wait(PATIENCE)
    for thread in mine:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert run.set_lr(0.1).result() == 0.1  # without a thread, at once
