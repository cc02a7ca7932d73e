"""Runs the sides of a row in turns, each in a process of its own.

While one side works the others are stopped (SIGSTOP), so that no thread that waits for work by
spinning takes time from the side being measured. Apart from the number of threads, and the cores
the processes may use, each side has the settings its user has.
"""

from __future__ import annotations

import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.rows import Row

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SIDES = ("torch", "torch.compile", "jax", "workbench", "captured")
CHECKED = 8  # losses of the first steps that must agree
CAN_STOP = hasattr(signal, "SIGSTOP")


def environment(threads: int) -> dict[str, str]:
    """The children's: the caller's without what bends BLAS or Python's bytecode."""
    own = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("OPENBLAS_", "NVPL_", "MKL_", "OMP_", "GOMP_", "KMP_", "XLA_"))
        and key not in ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    }
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        own[name] = str(threads)
    if threads == 1:
        own["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    own["JAX_PLATFORMS"] = "cpu"
    own["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(HERE.parent)])
    return own


class Side:
    """A child and the line protocol with it."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        command = [sys.executable, str(HERE / "child.py")]
        if hasattr(os, "sched_getaffinity") and threads < len(os.sched_getaffinity(0)):
            cores = ",".join(map(str, sorted(os.sched_getaffinity(0))[:threads]))
            setter = f"import os,sys;os.sched_setaffinity(0,{{{cores}}});"
            command = [
                sys.executable,
                "-c",
                setter + "os.execv(sys.argv[1],sys.argv[1:])",
                *command,
            ]
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed in close()
        self.process = subprocess.Popen(
            command, env=environment(threads), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.said, text=True,
        )  # fmt: skip

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request, one answer; the child runs only meanwhile."""
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        self._signal("SIGCONT")
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.said.seek(0)
            return {"error": f"the process ended: {self.said.read()[-400:].strip()}"}
        self._signal("SIGSTOP")
        return json.loads(line)  # type: ignore[no-any-return]

    def _signal(self, name: str) -> None:
        if CAN_STOP and self.process.poll() is None:
            os.kill(self.process.pid, getattr(signal, name))

    def close(self) -> None:
        """End the child."""
        self._signal("SIGCONT")
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.said):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass


@dataclass
class Result:
    """What a row gave: seconds a step of each side, peak megabytes, and what went wrong."""

    row: Row
    seconds: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    bases: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    mismatch: str | None = None
    steps: int = 0

    def ratio(self, side: str, *against: str) -> float | None:
        """How many times faster `side` is than the fastest of `against`; None without both."""
        peers = [self.seconds[peer] for peer in against if peer in self.seconds]
        if side not in self.seconds or not peers or self.mismatch:
            return None
        return min(peers) / self.seconds[side]


def measure(
    row: Row, sides: Sequence[str], *, threads: int, short: bool, rounds: int, budget: float
) -> Result:
    """Run one row: `rounds` blocks of each side in turn, of about `budget` seconds in all."""
    result = Result(row)
    alive: list[Side] = []
    first: dict[str, list[float]] = {}
    try:
        for name in sides:
            side = Side(name, threads)
            alive.append(side)
            started = side.ask(do="start", row=row.name, side=name, short=short, threads=threads)
            warm = started if set(started) != {"version"} else side.ask(do="steps", count=CHECKED)
            if "times" not in warm:
                result.notes[name] = warm.get("absent") or warm.get("error", "?")
                side.close()
                alive.remove(side)
                continue
            result.versions[name] = started["version"]
            first[name] = [*warm["losses"], side.ask(do="check")["value"]]
        result.mismatch = _mismatch(first, row.tolerance)
        for side in alive:
            side.ask(do="settle", limit=0.0 if short else 90.0)
        times = _rounds(alive, short, rounds, budget, result)
        for side in alive:
            if side.name in result.notes:
                continue
            result.seconds[side.name] = statistics.median(times[side.name])
            usage = side.ask(do="usage")
            result.peaks[side.name], result.bases[side.name] = usage["peak"], usage["imported"]
    finally:
        for side in alive:
            side.close()
    return result


def _rounds(
    alive: list[Side], short: bool, rounds: int, budget: float, result: Result
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {side.name: [] for side in alive}
    count = 2
    if not short:  # as many steps in a block as make the whole row last about `budget`
        trial = [side.ask(do="steps", count=3) for side in alive]
        each = sum(min(answer.get("times", [1.0])) for answer in trial)
        count = max(2, min(2000, round(budget / rounds / max(each, 1e-6))))
    result.steps = count * rounds
    for _ in range(rounds):
        for side in alive:
            if side.name in result.notes:
                continue
            side.ask(do="steps", count=max(1, count // 10))  # its caches are cold after the others
            answer = side.ask(do="steps", count=count)
            if "times" in answer:
                times[side.name] += answer["times"]
            else:
                result.notes[side.name] = answer.get("error", "?")
    return times


def _mismatch(first: dict[str, list[float]], tolerance: float) -> str | None:
    """What differs between the sides' first losses, or None."""
    reference = first.get("torch") or next(iter(first.values()), [])
    for name, losses in first.items():
        for i, (got, wanted) in enumerate(zip(losses, reference, strict=True)):
            if not math.isclose(got, wanted, rel_tol=tolerance, abs_tol=tolerance * 1e-2):
                what = f"loss {i + 1}" if i < CHECKED else "gradient"
                return f"{name}: {what} is {got:.6g}, elsewhere {wanted:.6g}"
    return None
