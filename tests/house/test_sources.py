"""What no source file of ours may contain."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT = 500

# Files longer than LIMIT, with the reason.
LONG = {
    "workbench/nn/module.py": "torch's Module is one class with many methods",
    "workbench/optim/lr_scheduler.py": "torch's module of that name: many small classes",
}

# Calls that turn data into code, with the reason why they may.
TRUSTED = {
    ("workbench/tensor/binding.py", "exec"): "functions generated from our own op declarations",
    ("workbench/tensor/capture/emit.py", "exec"): "replays written out from recorded kernels",
    ("workbench/tensor/out.py", "exec"): "functions generated from our own signatures",
}

# Nothing of the machine a file was written on, no registry's address, no key.
UNWANTED = {
    "a path on somebody's machine": re.compile(
        r"(?<![\w.])/(?:work|home/\w+|Users/\w+|root|tmp/\w+)/"
    ),
    "the address of a package registry": re.compile(
        r"registry\.(?:npmjs|yarnpkg)|pypi\.org/simple|files\.pythonhosted|deb\.debian\.org"
    ),
    "a merge conflict": re.compile(r"^(?:<{7} |>{7} )", re.MULTILINE),
}
QUOTED = {Path("tests/house/test_sources.py"), Path("tests/notebooks/test_notebooks.py")}


def tracked() -> list[Path]:
    """Files of the project, as git sees them (new ones too); everything in an unpacked sdist."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
    else:
        names = [
            str(path.relative_to(ROOT))
            for top in ("workbench", "extension/src", "tests", "notebooks")
            for path in (ROOT / top).rglob("*")
        ]
    return [path for name in names if (path := Path(name)) and (ROOT / path).is_file()]


FILES = tracked()
PYTHON = [path for path in FILES if path.suffix == ".py"]
PACKAGE = [path for path in PYTHON if path.parts[0] == "workbench"]
CODE = [*PYTHON, *(path for path in FILES if path.suffix in {".ts", ".tsx", ".mjs", ".css"})]


def text(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("what", UNWANTED)
def test_no_file_names_a_machine_or_a_registry(what):
    skip = {".png", ".npz", ".gz"}
    found = [
        f"{path}: {match.group()!r}"
        for path in FILES
        if path not in QUOTED and path.suffix not in skip
        for match in [UNWANTED[what].search(text(path))]
        if match
    ]
    assert not found, f"{what} in:\n" + "\n".join(found)


def test_files_stay_small_enough_to_read():
    long = {str(path): n for path in CODE if (n := text(path).count("\n")) > LIMIT}
    assert set(long) <= set(LONG), f"over {LIMIT} lines without a reason: {long}"
    assert set(LONG) <= set(long), "a reason for a file that is short again: take it out"


def _risky_calls(path: Path) -> list[tuple[str, int]]:
    calls = []
    for node in ast.walk(ast.parse(text(path))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        by_name = called == "__import__" and not isinstance(node.args[0], ast.Constant)
        unpickles = called.split(".")[0] in {"pickle", "marshal", "shelve", "dill", "joblib"}
        if called in {"eval", "exec"} or by_name or unpickles:
            calls.append((called, node.lineno))
        for keyword in node.keywords:
            pickles = keyword.arg == "allow_pickle"
            if pickles and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            ):
                calls.append(("allow_pickle", node.lineno))
    return calls


def test_no_data_is_ever_turned_into_code():
    found = [
        f"{path}:{line}: {called}"
        for path in PACKAGE
        for called, line in _risky_calls(path)
        if (path.as_posix(), called) not in TRUSTED
    ]
    assert not found, "pickle, eval and exec run what a file says:\n" + "\n".join(found)


def test_an_array_file_is_never_unpickled():
    bare = [
        f"{path}:{node.lineno}"
        for path in PACKAGE
        for node in ast.walk(ast.parse(text(path)))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"np.load", "numpy.load"}
        and not any(keyword.arg == "allow_pickle" for keyword in node.keywords)
    ]
    assert not bare, "say allow_pickle=False at: " + ", ".join(bare)


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads(text(Path("pyproject.toml")))["project"]
    package = json.loads(text(Path("extension/package.json")))
    assert package["version"] == project["version"]
    assert package["name"] == project["name"]


def test_the_top_level_holds_nothing_unplanned():
    planned = {
        "pyproject.toml", "workbench", "extension", "notebooks", "tests",
        "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
    }  # fmt: skip
    present = {path.parts[0] for path in FILES if not path.parts[0].startswith(".")}
    assert present <= planned
