"""`workbench demo`: the main job without a browser. Train, edit between two steps, draw."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from workbench.cli.progress import Progress


def demo(steps: int, out: str, seed: int = 0, undo: bool = False) -> int:
    """Train on digits with one edit on the way and write a picture; returns the exit status."""
    target = Path(out).expanduser()
    if find_spec("matplotlib") is None:
        print(
            "workbench: the picture needs matplotlib; install it with\n\n"
            f"    {sys.executable} -m pip install 'workbench-ml[lab]'",
            file=sys.stderr,
        )
        return 1
    if not target.parent.is_dir():
        print(f"workbench: there is no folder {target.parent} to write to", file=sys.stderr)
        return 1
    run = make_run(steps, seed)
    network = run.network
    print(network.summary())
    print("\ntraining on 1,437 handwritten digits; 360 others are kept for the test\n", flush=True)

    progress = Progress(steps)
    began = time.monotonic()
    unsubscribe = run.subscribe(lambda event: _show(progress, run, event))
    try:
        run.start()
        edited = steps // 3
        _wait_for_step(run, edited)
        result = run.apply(_identity_edit()).result()
        progress.say(f"step {run.step_count}: {result.label}  |  {result.code}")
        if undo:
            _wait_for_step(run, 2 * steps // 3)
            taken = run.undo().result()
            progress.say(f"step {run.step_count}: taken back: {taken.label}")
        run.wait()
    except KeyboardInterrupt:
        run.stop().result()
        progress.say("stopped")
        return 130
    finally:
        unsubscribe()
        progress.close()
    if run.error is not None:
        print(f"workbench: training failed: {run.error.message}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    scores = run.evaluate()
    print(
        f"\ntest accuracy {scores['accuracy']:.1%}, loss {scores['loss']:.4f} "
        f"after {run.step_count} steps in {seconds:.1f} s"
    )
    write_picture(run, target)
    print(f"picture: {target}")
    return 0


def make_run(steps: int, seed: int) -> Any:
    """The run of the demo: a small convolutional network on the digits, not started yet."""
    import workbench as wb
    from workbench import nn

    wb.manual_seed(seed)
    network = wb.Network((1, 8, 8), name="digits")
    network.append(nn.Conv2d(1, 16, 3, padding=1), name="conv1")
    network.append(nn.ReLU(), name="relu1")
    network.append(nn.MaxPool2d(2), name="pool1")
    network.append(nn.Flatten(), name="flatten")
    network.append(nn.Linear(256, 64), name="fc1")
    network.append(nn.ReLU(), name="relu2")
    network.append(nn.Linear(64, 10), name="fc2")
    data = wb.data.datasets.digits()
    return wb.Run(network, data, optimizer="Adam", lr=2e-3, steps=steps, seed=seed)


def _identity_edit() -> Any:
    from workbench import nn
    from workbench.network import Insert

    return Insert(nn.BatchNorm1d(64), after="fc1", name="norm")


def write_picture(run: Any, target: Path) -> None:
    """Write the curves of ``run`` as a PNG, whole or not at all."""
    figure = run.plot()
    handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=target.suffix or ".png")
    os.close(handle)
    try:
        figure.savefig(temporary, format=target.suffix.lstrip(".") or "png", dpi=120)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _wait_for_step(run: Any, step: int) -> None:
    """Block until ``run`` has made ``step`` steps (or has ended)."""
    from threading import Event

    reached = Event()

    def look(event: Any) -> None:
        if run.step_count >= step or (event.kind == "state" and run.state != "running"):
            reached.set()

    unsubscribe = run.subscribe(look)
    try:
        if run.step_count < step and run.state == "running":
            reached.wait()
    finally:
        unsubscribe()


def _show(progress: Progress, run: Any, event: Any) -> None:
    if event.kind == "step":
        accuracy = (run.metrics or {}).get("accuracy")
        note = f"loss {run.loss:.3f}"
        progress.update(
            event.step, note if accuracy is None else f"{note}  accuracy {accuracy:.0%}"
        )
