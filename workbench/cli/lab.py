"""`workbench lab`: JupyterLab on a copy of the start notebook."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from urllib.parse import quote

START = "00_start.ipynb"


def lab(
    notebook: str | None,
    folder: str = ".",
    port: int | None = None,
    browser: bool = True,
    extra: Sequence[str] = (),
) -> int:
    """Open JupyterLab; returns its exit status, or 1 with a message when it cannot be started."""
    if importlib.util.find_spec("jupyterlab") is None:
        return _fail(
            "JupyterLab is not installed here. Install it with\n\n"
            f"    {sys.executable} -m pip install 'workbench-ml[lab]'\n\n"
            "or train without a browser: workbench demo"
        )
    root = Path(folder).expanduser().resolve()
    if root.exists() and not root.is_dir():
        return _fail(f"{root} is not a folder")
    try:
        root.mkdir(parents=True, exist_ok=True)
        opened = _own(root, notebook) if notebook else copy_start(root)
    except OSError as error:
        return _fail(f"{error.strerror or error}: {error.filename or root}")
    print(f"workbench: opening {opened}", file=sys.stderr)
    return _launch(lab_command(root, opened, port, browser, extra))


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def lab_command(
    root: Path, notebook: Path, port: int | None, browser: bool, extra: Sequence[str]
) -> list[str]:
    """The command that starts JupyterLab in folder ``root`` with ``notebook`` open."""
    path = quote(notebook.relative_to(root).as_posix())
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{path}",
    ]
    if _is_root():  # a fresh container: JupyterLab refuses to start there unless told
        command.append("--ServerApp.allow_root=True")
    if port is not None:
        command.append(f"--port={port}")
    if not browser:
        command.append("--no-browser")
    return [*command, *extra]


def start_notebook() -> bytes:
    """The start notebook as it was shipped: from the wheel, or from a checkout.

    Raises:
        FileNotFoundError: the installation is not whole.
    """
    package = resources.files("workbench")
    for place in (
        package.joinpath("notebooks", START),
        Path(str(package)).parent / "notebooks" / START,
    ):
        if place.is_file():
            return place.read_bytes()
    raise FileNotFoundError(2, "the start notebook is missing from this installation", START)


def copy_start(folder: Path) -> Path:
    """A copy of the start notebook in ``folder`` that its owner has not changed.

    An unchanged copy is used again (outputs do not count as a change); a changed one is never
    touched: the next free name, ``00_start-1.ipynb`` and so on, is taken.
    """
    shipped = start_notebook()
    wanted = _cells(shipped)
    for name in _names():
        path = folder / name
        if not path.exists():
            return _write(path, shipped)
        if _cells(path.read_bytes()) == wanted:
            return path
    raise AssertionError("unreachable: names never end")


def _names():  # type: ignore[no-untyped-def]
    yield START
    stem, suffix = START.rsplit(".", 1)
    number = 1
    while True:
        yield f"{stem}-{number}.{suffix}"
        number += 1


def _cells(notebook: bytes) -> list[tuple[str, str]] | None:
    """Kind and text of each cell; None for a file that is no notebook."""
    try:
        cells = json.loads(notebook)["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError):
        return None


def _write(path: Path, content: bytes) -> Path:
    """Write a new file whole or not at all; never over one that appeared meanwhile."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return copy_start(path.parent)
        except OSError:  # a file system without links
            Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


def _own(root: Path, notebook: str) -> Path:
    path = (root / Path(notebook).expanduser()).resolve()
    if not path.is_file():
        raise FileNotFoundError(2, "no such notebook", str(path))
    if not path.is_relative_to(root):
        reason = f"the notebook is outside {root}; give its folder with --dir"
        raise FileNotFoundError(2, reason, str(path))
    return path


def _launch(command: list[str]) -> int:
    if os.name == "posix":
        # JupyterLab takes this process over: Ctrl-C and signals reach it directly.
        sys.stderr.flush()
        os.execv(command[0], command)
    return subprocess.call(command)


def _fail(message: str) -> int:
    print(f"workbench: {message}", file=sys.stderr)
    return 1
