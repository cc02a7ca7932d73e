"""Set up everything and run every check: `python tests/run.py`.

Needs Python 3.11 or later and nothing else: makes `.venv`, installs workbench and its tools into it
(Node comes as a Python package), finds or installs a browser, and runs the stages below. It goes on
after a failure and closes with a table. `python tests/run.py lint python` runs some stages only.

With `--torch`, or where CI is set, PyTorch is installed as an oracle if it can be had; without it
the comparisons with PyTorch are skipped and say so.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
TORCH = "torch==2.13.0"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Checks:
    """Runs commands in the project's environment and remembers how they ended."""

    python: Path
    reports: Path
    results: list[tuple[str, bool, float]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        own = {**os.environ, "PYTHONUNBUFFERED": "1"}
        own["PATH"] = os.pathsep.join([str(self.python.parent), os.environ.get("PATH", "")])
        # The caller's own Jupyter and Python settings are not part of the test.
        for name in ("PYTHONPATH", "PYTHONHOME", "JUPYTER_PATH", "JUPYTER_CONFIG_PATH"):
            own.pop(name, None)
        return own

    def run(self, title: str, *command: str, cwd: Path = ROOT) -> bool:
        """Run one command; its output goes straight to the terminal."""
        print(f"\n=== {title}: {' '.join(command)}", flush=True)
        start = time.monotonic()
        tool = shutil.which(command[0], path=self.environment["PATH"]) or command[0]
        words = [tool, *command[1:]]
        status = subprocess.call(words, cwd=cwd, env=self.environment, stdin=subprocess.DEVNULL)
        self.results.append((title, status == 0, time.monotonic() - start))
        return status == 0

    def pytest(self, title: str, *arguments: str) -> None:
        report = self.reports / f"{len(self.results)}.xml"
        self.run(title, str(self.python), "-m", "pytest", f"--junit-xml={report}", *arguments)

    def counts(self) -> dict[str, int]:
        """How many tests passed, failed and were skipped, over all of pytest's reports."""
        total = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
        for report in self.reports.glob("*.xml"):
            for suite in ET.parse(report).getroot().iter("testsuite"):
                for name in total:
                    total[name] += int(suite.get(name, 0))
        failed = total["failures"] + total["errors"]
        passed = total["tests"] - failed - total["skipped"]
        return {"passed": passed, "failed": failed, "skipped": total["skipped"]}


# --- setting up ----------------------------------------------------------------------------------


def is_debian_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(*packages: str) -> bool:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-qy", "--no-install-recommends", *packages]
    commands = (["apt-get", "update", "-q"], install)
    return all(subprocess.call(command, env=quiet) == 0 for command in commands)


def make_venv() -> Path:
    """Python of the project's own environment, made where it is missing."""
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if python.exists():
        return python
    print(f"=== environment: {VENV}", flush=True)
    command = [sys.executable, "-m", "venv", str(VENV)]
    if subprocess.call(command) == 0:
        return python
    shutil.rmtree(VENV, ignore_errors=True)
    # Debian keeps part of venv in a package of its own.
    if is_debian_root() and apt_install("python3-venv") and subprocess.call(command) == 0:
        return python
    sys.exit(
        "Python cannot make a virtual environment here; on Debian or Ubuntu type\n"
        "  sudo apt-get install python3-venv\n"
        "and run this again."
    )


def set_up(checks: Checks, *, torch: bool) -> None:
    pip = (str(checks.python), "-m", "pip", "--disable-pip-version-check")
    print("\nThe first installation takes some minutes: JupyterLab, the tools, the front end.")
    if not checks.run("install", *pip, "install", "-q", "-e", ".[test]"):
        sys.exit("The installation failed (see above); nothing was tested.")
    if torch:
        found = checks.run("oracle", *pip, "install", "-q", TORCH)
        if not found:
            checks.results.pop()  # an oracle is welcome, not required
            print("PyTorch could not be had: comparisons with it are skipped.", flush=True)


def find_browser() -> str | None:
    """None when there is a browser, or could be installed; else what to do about it."""
    if os.environ.get("WORKBENCH_CHROMIUM") or any(map(shutil.which, BROWSERS)):
        return None
    if is_debian_root() and apt_install("chromium", "fonts-dejavu-core"):
        return None
    return (
        "no Chromium or Chrome was found for the browser tests. Install one (on Debian or Ubuntu:\n"
        "  sudo apt-get install chromium\n"
        "elsewhere: .venv/bin/playwright install chromium, then set WORKBENCH_CHROMIUM to it)."
    )


# --- stages --------------------------------------------------------------------------------------


def lint(checks: Checks) -> None:
    """ruff: style, likely bugs, docstrings, annotations; and formatting"""
    checks.run("ruff", "ruff", "check", ".")


def types(checks: Checks) -> None:
    """mypy on the package"""
    checks.run("mypy", "mypy")


def frontend(checks: Checks) -> None:
    """tsc, eslint, prettier, stylelint, vitest"""
    extension = ROOT / "extension"
    if checks.run("front end: dependencies", "jlpm", "install", "--immutable", cwd=extension):
        checks.run("front end: types, lint", "jlpm", "check", cwd=extension)
        checks.run("front end: vitest", "jlpm", "test", cwd=extension)


def python(checks: Checks) -> None:
    """all Python tests but those below"""
    checks.pytest("pytest", "tests")


def notebooks(checks: Checks) -> None:
    """every notebook runs and says what it said (nbval)"""
    checks.pytest("nbval", "--nbval", "--nbval-current-env", "notebooks")


def browser(checks: Checks) -> None:
    """a real JupyterLab in a real browser (Playwright)"""
    problem = find_browser()
    if problem is None:
        checks.pytest("browser", "tests/ui")
    else:
        print(f"\n=== browser: {problem}", flush=True)
        checks.results.append(("browser: none found", False, 0.0))


def packaging(checks: Checks) -> None:
    """wheel and sdist, built and installed in clean environments"""
    checks.pytest("packaging", "tests/packaging")


STAGES: dict[str, Callable[[Checks], None]] = {
    stage.__name__: stage
    for stage in (lint, types, frontend, python, notebooks, browser, packaging)
}


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - said in words, before anything fails without them
        sys.exit(f"workbench needs Python 3.11 or later; this is {sys.version.split()[0]}.")
    parser = argparse.ArgumentParser(
        prog="python tests/run.py",
        description="Set up everything in .venv and run every check.",
        epilog="stages:\n" + "\n".join(f"  {n:10} {s.__doc__}" for n, s in STAGES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="stages to run (default: all)")
    here = "use the Python that runs this, as it is; install nothing"
    parser.add_argument("--here", action="store_true", help=here)
    parser.add_argument("--torch", action="store_true", help="install PyTorch as an oracle first")
    options = parser.parse_args()
    unknown = [name for name in options.stages if name not in STAGES]
    if unknown:
        parser.error(f"no stage is called {unknown[0]!r}; there are {', '.join(STAGES)}")

    # A shell that runs this in the background has it ignore Ctrl-C, and with it every program it
    # starts; the tests of Ctrl-C must not inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as reports:
        # Not resolved: the link inside the environment is what makes it that environment.
        own = Path(sys.executable) if options.here else make_venv()
        checks = Checks(own, Path(reports))
        if not options.here:
            set_up(checks, torch=options.torch or bool(os.environ.get("CI")))
        for name in options.stages or STAGES:
            STAGES[name](checks)
        counts = checks.counts()

    print("\n=== all stages")
    for title, passed, seconds in checks.results:
        print(f"  {'ok    ' if passed else 'FAILED'} {seconds:7.1f} s  {title}")
    print(f"  in all {time.monotonic() - start:7.1f} s")
    if any(counts.values()):
        print(", ".join(f"{number} {word}" for word, number in counts.items()))
    return 0 if all(passed for _, passed, _ in checks.results) else 1


if __name__ == "__main__":
    sys.exit(main())
