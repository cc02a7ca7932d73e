"""What is in the wheel and the sdist, and what works once they are installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

LAB = "share/jupyter/labextensions/workbench-ml"

ROOT = Path(__file__).parents[2]


def names_of_wheel(distributions) -> list[str]:
    with zipfile.ZipFile(distributions["wheel"]) as wheel:
        return wheel.namelist()


def test_wheel_carries_python_widgets_extension_and_notebooks_once(distributions):
    names = names_of_wheel(distributions)
    assert len(names) == len(set(names))
    for wanted in (
        "workbench/__init__.py",
        "workbench/widgets/static/bench.js",
        "workbench/widgets/static/bench.css",
        "workbench/notebooks/00_start.ipynb",
    ):
        assert wanted in names
    shared = [name for name in names if f"/data/{LAB}/" in name]
    assert any(name.endswith("/package.json") for name in shared)
    assert any(name.endswith("/install.json") for name in shared)
    assert len([name for name in shared if "/static/remoteEntry." in name]) == 1
    assert not [name for name in names if name.startswith("workbench/labextension")]


def test_wheel_carries_the_release_build_only(distributions):
    names = names_of_wheel(distributions)
    assert not [name for name in names if name.endswith((".map", ".tsx", ".ts"))]
    assert not [name for name in names if "node_modules" in name or "/tests/" in name]


def test_wheel_is_small(distributions):
    assert distributions["wheel"].stat().st_size < 4_000_000


def test_wheel_names_its_licences(distributions):
    names = names_of_wheel(distributions)
    licences = [name for name in names if "/licenses/" in name]
    assert any(name.endswith("/LICENSE") for name in licences)
    assert any("DIGITS" in name for name in licences)


def test_sdist_ships_the_built_front_end_and_no_dependencies(distributions):
    with tarfile.open(distributions["sdist"]) as sdist:
        names = [name.partition("/")[2] for name in sdist.getnames()]
    for wanted in (
        "workbench/widgets/static/bench.js",
        "workbench/labextension/package.json",
        "extension/package.json",
        "extension/yarn.lock",
        "extension/src/index.ts",
        "notebooks/00_start.ipynb",
    ):
        assert wanted in names
    assert not [name for name in names if "node_modules" in name]


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_installed_extension_is_enabled(installed, command, kind):
    home = installed(kind)
    listed = command(home / ".venv/bin/jupyter", "labextension", "list", cwd=home)
    plain = re.sub(r"\x1b\[[\d;]*m", "", listed)
    assert re.search(r"workbench-ml v\S+ enabled\s+OK", plain), plain


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_installed_bench_renders_in_a_browser(installed, kind):
    """The browser test of that name, with JupyterLab and kernel from the clean environment."""
    home = installed(kind)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/ui/test_render.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "WORKBENCH_LAB_PYTHON": str(home / ".venv/bin/python")},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-6000:]
    assert " passed" in ended.stdout


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_installed_command_is_content(installed, command, kind):
    home = installed(kind)
    output = command(home / ".venv/bin/workbench", "doctor", cwd=home)
    assert "workbench" in output
