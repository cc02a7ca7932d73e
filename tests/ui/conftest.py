"""A real JupyterLab and a real browser.

`lab` is one server for all tests, on a free port of this machine, with configuration, data and
workspaces of its own: nothing of the user's Jupyter is read or written. `notebook(...)` opens a
notebook in it with a fresh kernel. Every test fails on an error in the browser's console.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Page

SYSTEM_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Headless, as root in a container, and asking nothing of the network.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# What JupyterLab itself says on the console, and that says nothing about us.
HARMLESS = (
    "Failed to load resource",  # e.g. a workspace that does not exist yet: 404 by design
    "WebSocket connection to",  # a kernel that is restarted or shut down closes its socket
    "Canceled future for",  # JupyterLab's questions to a kernel that restarts are never answered
)

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}

READY = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  return panel?.sessionContext?.session?.kernel?.status === 'idle' && panel.content?.model !== null;
}"""

IDLE = """() => window.jupyterapp.shell.currentWidget.content.widgets.every(
  cell => cell.model.type !== 'code' || cell.model.executionState === 'idle')"""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's Chromium (or Chrome) where there is one, else the browser Playwright installed."""
    named = os.environ.get("WORKBENCH_CHROMIUM")
    path = named or next(filter(None, map(shutil.which, SYSTEM_BROWSERS)), None)
    found = {"executable_path": path} if path else {}
    return {**browser_type_launch_args, **found, "args": FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1400, "height": 950}}


@dataclass
class Lab:
    """A running JupyterLab: where it listens and which folder it shows."""

    url: str
    folder: Path

    def api(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method)
        with urllib.request.urlopen(request, timeout=30) as reply:
            body = reply.read()
        return json.loads(body) if body else None

    def shut_down_kernels(self) -> None:
        for session in self.api("sessions"):
            with contextlib.suppress(OSError):
                self.api(f"sessions/{session['id']}", "DELETE")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on a free port of the loopback interface, without a token, in its own folders.

    WORKBENCH_LAB_PYTHON names another Python to run it with: that of an installed wheel.
    """
    root = tmp_path_factory.mktemp("lab")
    settings = root / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    folder = root / "work"
    folder.mkdir()
    port = _free_port()
    python = os.environ.get("WORKBENCH_LAB_PYTHON", sys.executable)
    command = [
        python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True", f"--LabApp.user_settings_dir={root / 'settings'}",
        f"--LabApp.workspaces_dir={root / 'workspaces'}", "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    own = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython", "MPLCONFIGDIR": "matplotlib",
    }  # fmt: skip
    environment = {**os.environ, **{name: str(root / where) for name, where in own.items()}}
    log = root / "log.txt"
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    running = Lab(f"http://127.0.0.1:{port}", folder)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                running.api("status")
                break
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")
            time.sleep(0.1)  # polls a server that is starting; no test waits on it
        yield running
        running.shut_down_kernels()
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture
def console_errors(page: Page) -> Iterator[list[str]]:
    """Errors of the page and its console. A test that expects one clears the list itself."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"{error}\n{error.stack or ''}"))
    page.on(
        "console",
        lambda message: errors.append(message.text) if message.type == "error" else None,
    )
    yield errors
    real = [error for error in errors if not any(known in error for known in HARMLESS)]
    assert not real, "errors in the browser's console:\n" + "\n".join(real)


class NotebookPage:
    """A notebook open in JupyterLab, driven by JupyterLab's own commands."""

    def __init__(self, page: Page, lab: Lab, path: str) -> None:
        self.page = page
        self.lab = lab
        self.path = path

    def command(self, name: str, **args: Any) -> None:
        """Start a command of JupyterLab; it is not awaited (running cells would be)."""
        self.page.evaluate(
            "([name, args]) => { void window.jupyterapp.commands.execute(name, args); }",
            [name, args],
        )

    def wait_ready(self, timeout: float = 60_000) -> None:
        """Until the notebook is the current tab and its kernel is idle."""
        self.page.wait_for_function(READY, timeout=timeout)

    def wait_idle(self, timeout: float = 120_000) -> None:
        """Until no cell runs or waits to run."""
        self.page.wait_for_function(IDLE, timeout=timeout)

    def run_all(self, *, wait: bool = True, timeout: float = 120_000) -> None:
        """Run all cells; with `wait`, until the last has run."""
        self.command("notebook:run-all-cells")
        if wait:
            self.page.wait_for_function(
                "() => window.jupyterapp.shell.currentWidget.content.widgets.every("
                "cell => cell.model.type !== 'code' || cell.model.executionCount !== null)",
                timeout=timeout,
            )
            self.wait_idle(timeout)

    def execute(self, code: str, timeout: float = 60_000) -> str:
        """Run `code` in a new last cell, as a user would; the text of its output."""
        index = self.page.evaluate(
            """code => {
              const { model } = window.jupyterapp.shell.currentWidget.content;
              const at = model.cells.length;
              model.sharedModel.insertCell(at, { cell_type: 'code', source: code });
              window.jupyterapp.shell.currentWidget.content.activeCellIndex = at;
              return at;
            }""",
            code,
        )
        self.command("notebook:run-cell")
        self.page.wait_for_function(
            """index => {
              const cell = window.jupyterapp.shell.currentWidget.content.widgets[index];
              return cell.model.executionCount !== null && cell.model.executionState === 'idle';
            }""",
            arg=index,
            timeout=timeout,
        )
        return self.output(index)

    def output(self, index: int) -> str:
        """Text of a cell's outputs: streams, results and tracebacks."""
        return str(
            self.page.evaluate(
                """index => {
                  const cell = window.jupyterapp.shell.currentWidget.content.widgets[index];
                  return cell.model.outputs.toJSON().map(output => {
                    const plain = output.data?.['text/plain'];
                    const text = output.text ?? plain ?? output.traceback ?? '';
                    return Array.isArray(text) ? text.join('') : text;
                  }).join('');
                }""",
                index,
            )
        )

    def restart_kernel(self) -> None:
        """Restart without asking, and wait until the new process answers."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()"
        )
        self.wait_ready()

    def save(self) -> nbformat.NotebookNode:
        """Save and read what stands on disk."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")
        return nbformat.read(self.lab.folder / self.path, as_version=4)

    def reload(self) -> None:
        """Load the page again; the kernel goes on."""
        self.page.reload()
        self.wait_ready()


OpenNotebook = Callable[..., NotebookPage]


@pytest.fixture
def notebook(page: Page, lab: Lab, console_errors: list[str]) -> Iterator[OpenNotebook]:
    """`notebook(source, files=…)` opens a copy of a notebook with a fresh kernel.

    `source` is the path of an .ipynb, or a list of the code of its cells. `files` (paths) are
    copied beside it, so that its cells can import them.
    """

    def open_(source: Path | list[str], files: list[Path] | None = None) -> NotebookPage:
        folder = lab.folder / uuid.uuid4().hex[:8]
        folder.mkdir()
        for extra in files or []:
            shutil.copy(extra, folder)
        if isinstance(source, Path):
            target = folder / source.name
            shutil.copy(source, target)
        else:
            target = folder / "test.ipynb"
            book = nbformat.v4.new_notebook(
                cells=[nbformat.v4.new_code_cell(code) for code in source],
                metadata={"kernelspec": KERNEL},
            )
            nbformat.write(book, target)
        opened = NotebookPage(page, lab, target.relative_to(lab.folder).as_posix())
        # ?reset forgets the tabs of the test before.
        page.goto(f"{lab.url}/lab/tree/{opened.path}?reset")
        opened.wait_ready()
        return opened

    yield open_
    with contextlib.suppress(Exception):
        page.goto("about:blank")  # the page lets go of its sockets before its kernels end
    lab.shut_down_kernels()


@pytest.fixture
def shoot(page: Page) -> Callable[[str], Path]:
    """`shoot(name)` takes a screenshot into tests/ui/shots, for people to look at."""
    shots = Path(__file__).parent / "shots"

    def take(name: str) -> Path:
        shots.mkdir(exist_ok=True)
        path = shots / f"{name}.png"
        page.screenshot(path=path)
        return path

    return take
