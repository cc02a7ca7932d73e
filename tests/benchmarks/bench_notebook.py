"""How fast a notebook answers while a run trains in its kernel, and what that costs the run.

A real ipykernel is started and asked through jupyter_client, as JupyterLab would: cells `1+1` one
after the other, first with the kernel at rest, then while a network trains at full speed. The time
from sending a cell to its "idle" message is what a user waits. Commands are timed in the kernel,
from the call to the step boundary at which they took effect.

    python tests/benchmarks/bench_notebook.py [--cells 200] [--intervals 0.005 0.0005]

Prints numbers and asserts nothing. Budgets: median 50 ms, 95 % 200 ms; 3 % of training speed.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

SETUP = """
import json, sys, threading, time
import workbench as wb
from workbench import nn
from workbench.training import politeness

def mlp():
    net = wb.Network((1, 8, 8), name="mlp")
    net.append(nn.Flatten())
    for width in (256, 256):
        net.append(nn.Linear(net.output_shape[0], width), seed=1)
        net.append(nn.ReLU())
    net.append(nn.Linear(256, 10), seed=2)
    return net

def cnn():
    net = wb.Network((1, 8, 8), name="cnn")
    net.append(nn.Conv2d(1, 32, 3, padding=1), seed=1)
    net.append(nn.ReLU())
    net.append(nn.Conv2d(32, 64, 3, padding=1), seed=2)
    net.append(nn.ReLU())
    net.append(nn.MaxPool2d(2))
    net.append(nn.Flatten())
    net.append(nn.Linear(64 * 16, 10), seed=3)
    return net

digits = wb.data.datasets.digits()

def speed(run, seconds):
    # of the running run, by its own count
    began, steps = time.perf_counter(), run.step_count
    threading.Event().wait(seconds)
    return (run.step_count - steps) / (time.perf_counter() - began)
"""

COMMANDS = """
taken = []
for i in range(200):
    began = time.perf_counter()
    run.set_lr(1e-3 + 1e-6 * (i % 2)).result()
    taken.append(time.perf_counter() - began)
print(json.dumps(taken))
"""


class Notebook:
    """A kernel and a client for it."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(kernel_name="python3")

    def cell(self, code: str) -> tuple[float, str]:
        """Seconds until the kernel is idle again, and what the cell printed."""
        began = time.perf_counter()
        message = self.client.execute(code)
        printed = []
        while True:
            got: dict[str, Any] = self.client.get_iopub_msg(timeout=120)
            if got["parent_header"].get("msg_id") != message:
                continue
            kind, content = got["msg_type"], got["content"]
            if kind == "error":
                raise RuntimeError("\n".join(content["traceback"]))
            if kind == "stream":
                printed.append(content["text"])
            if kind == "status" and content["execution_state"] == "idle":
                break
        took = time.perf_counter() - began
        self.client.get_shell_msg(timeout=60)
        return took, "".join(printed)

    def close(self) -> float:
        """Shut down; the seconds that it took."""
        began = time.perf_counter()
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=False)
        return time.perf_counter() - began


def spread(seconds: list[float]) -> str:
    """Median, 95 % and worst, in milliseconds."""
    median, most, worst = np.percentile(seconds, [50, 95, 100]) * 1000
    return f"median {median:7.2f} ms   95 % {most:7.2f} ms   worst {worst:7.2f} ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--intervals", type=float, nargs="*", default=[0.005, 0.0005])
    options = parser.parse_args()
    notebook = Notebook()
    notebook.cell(SETUP)
    rest = [notebook.cell("1+1")[0] for _ in range(options.cells)]
    print(f"kernel at rest            1+1     {spread(rest)}")
    for name in ("mlp", "cnn"):
        for interval in options.intervals:
            notebook.cell(f"politeness.INTERVAL = {interval!r}")
            notebook.cell(f"run = wb.Run({name}(), digits).start()")
            notebook.cell("threading.Event().wait(1.0)")
            alone = json.loads(notebook.cell("print(speed(run, 3.0))")[1])
            cells = [notebook.cell("1+1")[0] for _ in range(options.cells)]
            commands = json.loads(notebook.cell(COMMANDS)[1])
            notebook.cell("run.stop()")
            head = f"{name} training, {interval * 1000:4.1f} ms"
            print(f"{head:<25} 1+1     {spread(cells)}   {alone:7.1f} steps/s")
            print(f"{'':<25} set_lr  {spread(commands)}")
    notebook.cell("run = wb.Run(cnn(), digits).start()")
    print(f"shutdown of the kernel while a run trains: {notebook.close():.2f} s")


if __name__ == "__main__":
    main()
