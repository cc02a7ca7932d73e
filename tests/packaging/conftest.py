"""Builds the distributions once, from a clean copy of the tree, and installs them where asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path, **more: str) -> str:
    """Run a command without Node or our own tools on the path; its output."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    # Node must come from the build requirements, or not be needed at all.
    tools = [Path(sys.executable).parent, *(p.parent for p in map(Path, _all("node")))]
    kept = [p for p in environment["PATH"].split(os.pathsep) if Path(p) not in tools]
    environment["PATH"] = os.pathsep.join([*kept, *_links(cwd)])
    ended = subprocess.run(
        [str(part) for part in command],
        cwd=cwd, env={**environment, **more}, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    output = ended.stdout + ended.stderr
    assert ended.returncode == 0, f"{command} failed:\n{output[-4000:]}"
    return output


def _all(name: str) -> list[str]:
    paths = os.environ.get("PATH", "").split(os.pathsep)
    return [found for path in paths if (found := shutil.which(name, path=path))]


def _links(folder: Path) -> list[str]:
    """Debian's Node shares /usr/bin with everything else: link what a build may need elsewhere."""
    if not any(Path(p).parent == Path("/usr/bin") for p in _all("node")):
        return []
    links = folder.parent / "bin"
    if not links.exists():
        links.mkdir()
        for name in ("sh", "bash", "env", "uname", "git", "cc", "gcc", "sed", "dirname"):
            if tool := shutil.which(name, path="/usr/bin:/bin"):
                (links / name).symlink_to(tool)
    return [str(links)]


@pytest.fixture(scope="session")
def command() -> Callable[..., str]:
    """`command("tool", "argument", cwd=…)` runs a program to its end; its output."""
    return run


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's files and of nothing that was built."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    copy = tmp_path_factory.mktemp("source") / "workbench"
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="session")
def distributions(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist built from the tree, and the wheel built from that sdist."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", out, cwd=tree)
    (sdist,) = out.glob("*.tar.gz")
    (wheel,) = out.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


@pytest.fixture(scope="session")
def installed(
    distributions: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """`installed("wheel")` is a folder with workbench-ml[lab] from it in a `.venv` of its own."""
    made: dict[str, Path] = {}

    def install(kind: str) -> Path:
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind) / "home"
            folder.mkdir()
            run(sys.executable, "-m", "venv", folder / ".venv", cwd=folder)
            run(
                folder / ".venv/bin/python", "-m", "pip", "install", "-q",
                f"{distributions[kind]}[lab]", cwd=folder,
            )  # fmt: skip
            made[kind] = folder
        return made[kind]

    return install
