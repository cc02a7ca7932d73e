"""One side of one row, in a process of its own; the parent asks, line by line, in JSON.

    {"do": "start", "row": …, "side": …, "short": …, "threads": …}
    {"do": "steps", "count": n}      n timed steps: seconds of each, and the losses
    {"do": "settle"}                 wait for what compiles in the background
    {"do": "check"}                  the number that must agree beside the losses
    {"do": "usage"}                  peak memory, memory after import, CPU seconds
    {"do": "machine"}                the best rates of a matrix product and of a copy

Every answer is one line; a failure is {"error": …}. Nothing else is written to standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def memory(name: str) -> float:
    """A line of this process's own account, in MB; 0 where there is none."""
    try:
        with Path("/proc/self/status").open(encoding="ascii") as status:
            for line in status:
                if line.startswith(name):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


class Child:
    """Answers the parent."""

    def __init__(self) -> None:
        self.job: Any = None
        self.imported = 0.0
        self.count = 0

    def start(self, row: str, side: str, short: bool, threads: int) -> dict[str, Any]:
        """Build the row's work."""
        from suite import jaxside, torchlike
        from suite.rows import row_named

        reason = jaxside.missing() if side == "jax" else torchlike.missing(side)
        if reason is not None:
            return {"absent": reason}
        self.imported = memory("VmRSS")
        wanted = row_named(row, short)
        self.job = jaxside.job(wanted) if side == "jax" else torchlike.job(wanted, side, threads)
        package = {"jax": "jax", "torch": "torch", "torch.compile": "torch"}.get(side)
        try:
            return {"version": version(package) if package else _own_version()}
        except PackageNotFoundError:
            return {"version": "?"}

    def steps(self, count: int) -> dict[str, Any]:
        """Take timed steps."""
        step, clock = self.job.step, time.perf_counter
        times, losses = [], []
        for i in range(self.count, self.count + count):
            began = clock()
            loss = step(i)
            times.append(clock() - began)
            losses.append(loss)
        self.count += count
        return {"times": times, "losses": losses}

    def settle(self, limit: float) -> dict[str, Any]:
        """Wait until no thread of this process works any more, at most `limit` seconds.

        All sides may compile before they are measured; one that does so in the background would
        otherwise be measured against itself.
        """
        began = time.perf_counter()
        while time.perf_counter() - began < limit:
            before = time.process_time()
            time.sleep(0.2)
            if time.process_time() - before < 0.02:
                break
        return {"seconds": time.perf_counter() - began}

    def check(self) -> dict[str, Any]:
        """The number that must agree beside the losses."""
        return {"value": self.job.check()}

    def usage(self) -> dict[str, Any]:
        """What the process has used so far."""
        return {"peak": memory("VmHWM"), "imported": self.imported, "cpu": time.process_time()}

    def machine(self, short: bool) -> dict[str, Any]:
        """The machine's best rates."""
        from suite.machine import rates

        return rates(short)


def _own_version() -> str:
    import workbench

    return str(workbench.__version__)


def main() -> None:
    """Read requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    warnings.simplefilter("ignore")
    child = Child()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(child, request.pop("do"))(**request)
        except Exception as error:  # noqa: BLE001 - the parent prints it in the row's place
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
