"""What a live bench costs the run that it shows, and how quickly it shows and obeys.

A real ipykernel trains a network while this script plays the browser: it opens a bench, says hello,
reads everything that comes and clicks. The cost is CPU time of the training thread spent in the
bench's listeners, as a share of all its CPU time, so that a busy machine does not change it much.

    python tests/benchmarks/bench_live.py [--seconds 5]

Prints numbers and asserts nothing. Budgets: 3 % of training; at most 20 messages a second; at least
10 updates of the curves a second; a click takes effect at the next step boundary.
"""

from __future__ import annotations

import argparse
import queue
import statistics
import time
from typing import Any

SETUP = """
import time
import workbench.widgets.widget as widget_module
widget_module.bundle = lambda name: "export default { render() {} }"
import workbench as wb
from workbench import nn
from workbench.widgets import live, registry

def mlp():
    net = wb.Network((1, 8, 8), name="mlp")
    net.append(nn.Flatten())
    for width in (64, 64):
        net.append(nn.Linear(net.output_shape[0], width), seed=1)
        net.append(nn.ReLU())
    net.append(nn.Linear(64, 10), seed=2)
    return net

def cnn():
    net = wb.Network((1, 8, 8), name="cnn")
    net.append(nn.Conv2d(1, 16, 3, padding=1), seed=1)
    net.append(nn.ReLU())
    net.append(nn.MaxPool2d(2))
    net.append(nn.Flatten())
    net.append(nn.Linear(256, 64), seed=2)
    net.append(nn.ReLU())
    net.append(nn.Linear(64, 10), seed=3)
    return net

spent = {}

def timed(name, function):
    def wrapper(self, event):
        began = time.thread_time()
        function(self, event)
        spent[name] = spent.get(name, 0.0) + time.thread_time() - began
        if event.kind == "step":
            spent["total"] = time.thread_time()
            spent.setdefault("first", spent["total"])
            spent["steps"] = spent.get("steps", 0) + 1
    return wrapper

live.Link.on_event = timed("bench", live.Link.on_event)
registry.Registry._on_event = timed("sidebar", registry.Registry._on_event)
data = wb.data.datasets.digits()
"""


class FrontEnd:
    """Runs cells and talks to one widget."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.widget = ""
        self.count = 0

    def run(self, code: str) -> str:
        """Run a cell; what it printed."""
        printed: list[str] = []

        def hook(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "comm_open" and content["target_name"] == "jupyter.widget":
                self.widget = content["comm_id"]
            if message["msg_type"] == "stream":
                printed.append(content["text"])
            if message["msg_type"] == "error":
                raise RuntimeError("\n".join(content["traceback"]))

        self.client.execute_interactive(code, output_hook=hook, timeout=120)
        return "".join(printed).strip()

    def say(self, **content: Any) -> None:
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": self.widget, "data": data})
        self.client.shell_channel.send(message)

    def listen(self, seconds: float, reply: str | None = None) -> list[tuple[float, str]]:
        """Kinds of the widget's messages as they come, until ``reply`` came or time is up."""
        found = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                message = self.client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                continue
            content = message["content"]
            if message["msg_type"] != "comm_msg" or content["comm_id"] != self.widget:
                continue
            custom = content["data"].get("content") or {"kind": "traits"}
            found.append((time.monotonic(), custom["kind"]))
            if reply is not None and custom.get("id") == reply:
                break
        return found

    def click(self, name: str, **args: Any) -> float:
        """Seconds from a click to its reply."""
        self.count += 1
        me = f"click-{self.count}"
        began = time.monotonic()
        self.say(kind="command", id=me, name=name, args=args)
        self.listen(20, reply=me)
        return time.monotonic() - began


def measure(end: FrontEnd, network: str, seconds: float) -> None:
    end.run(f"net = {network}(); bench = wb.Bench(net, data, lr=1e-4); bench; bench.widget")
    end.say(kind="hello")
    end.listen(2)
    end.click("start")
    end.listen(1)
    end.run("spent.clear()")
    seen = end.listen(seconds)
    print_cost(end, network)
    kinds: dict[str, int] = {}
    for _, kind in seen:
        kinds[kind] = kinds.get(kind, 0) + 1
    rate = len(seen) / seconds
    peak = max(sum(t <= u < t + 1 for u, _ in seen) for t, _ in seen)
    each = ", ".join(f"{kind} {count / seconds:.1f}" for kind, count in sorted(kinds.items()))
    print(f"  messages/s {rate:.1f}, at most {peak} in a second ({each})")
    clicks = [end.click("set_lr", lr=1e-4 + 1e-6 * i) for i in range(40)]
    late = end.run(
        "import threading\n"
        "late = []\n"
        "for i in range(50):\n"
        "    asked = bench.run.step_count\n"
        "    bench.run.set_lr(1e-4).result()\n"
        "    late.append(bench.run.recorder.marks[-1].step - asked)\n"
        "print(max(late))"
    )
    p95 = sorted(clicks)[int(0.95 * len(clicks))]
    print(
        f"  click to reply: median {statistics.median(clicks) * 1e3:.0f} ms, "
        f"95 % {p95 * 1e3:.0f} ms; applied at most {late} step boundaries later"
    )
    end.run("bench.close()")


def print_cost(end: FrontEnd, network: str) -> None:
    line = end.run(
        "cpu = spent['total'] - spent['first']\n"
        "print(f\"{spent['steps']} steps of {cpu / spent['steps'] * 1e3:.2f} ms CPU; bench "
        "{spent['bench'] / cpu:.2%}, sidebar {spent['sidebar'] / cpu:.2%} of it\")"
    )
    print(f"{network}: {line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    seconds = parser.parse_args().seconds
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    try:
        end = FrontEnd(client)
        end.run(SETUP)
        for network in ("mlp", "cnn"):
            measure(end, network, seconds)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


if __name__ == "__main__":
    main()
