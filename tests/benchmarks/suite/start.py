"""What one pays before the first step: import time and installed size."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from suite.conductor import ROOT, environment

IMPORTS = {"workbench": "import workbench", "torch": "import torch", "jax": "import jax"}


def import_times(rounds: int) -> dict[str, float]:
    """Seconds of each import in fresh processes, in turns, less those of an empty one.

    The first round writes the bytecode and does not count. A package that is missing is left out.
    """
    clean = environment(1)
    times: dict[str, list[float]] = {}
    cases = {"": "pass", **IMPORTS}
    for number in range(rounds + 1):
        for name, code in list(cases.items()):
            began = time.perf_counter()
            ended = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True)
            if ended.returncode:
                del cases[name]
            elif number:
                times.setdefault(name, []).append(time.perf_counter() - began)
    empty = statistics.median(times.pop(""))
    return {name: statistics.median(found) - empty for name, found in times.items()}


def installed_sizes() -> dict[str, tuple[float, float]]:
    """Megabytes of each package alone, and with everything it requires."""
    found = {}
    for name, alone, needs in (
        ("workbench", _own_size, _own_needs), ("torch", None, None), ("jax", None, None),
    ):  # fmt: skip
        try:
            size = alone() if alone else _size(name)
            seen: set[str] = set()
            for need in needs() if needs else _needs(name):
                _gather(need, seen)
        except PackageNotFoundError:
            continue
        found[name] = (size, size + sum(_size(need) for need in seen))
    return found


def _own_size() -> float:
    kept = [
        path.stat().st_size
        for path in (ROOT / "workbench").rglob("*")
        if path.is_file() and not {"__pycache__", "labextension"} & set(path.parts)
    ]
    return sum(kept) / 1e6


def _own_needs() -> list[str]:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [_name(line) for line in project["dependencies"]]


def _name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0].lower()


def _needs(name: str) -> list[str]:
    """Required packages; those of extras, or for other systems, are not installed or not asked."""
    lines = distribution(name).requires or []
    return [_name(line) for line in lines if "extra ==" not in line]


def _gather(name: str, seen: set[str]) -> None:
    if name in seen:
        return
    try:
        distribution(name)
    except PackageNotFoundError:
        return
    seen.add(name)
    for need in _needs(name):
        _gather(need, seen)


def _size(name: str) -> float:
    measure: Callable[[Path], int] = lambda path: path.stat().st_size if path.is_file() else 0  # noqa: E731
    files = distribution(name).files or []
    return sum(measure(Path(str(path.locate()))) for path in files if path.suffix != ".pyc") / 1e6
