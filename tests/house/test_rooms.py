"""Imports between the rooms go one way, and importing the package stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "workbench"

# Each room imports only from rooms left of it.
ROOMS = (
    "arrays", "ops", "tensor", "nn", "optim", "data",
    "network", "training", "plots", "widgets", "cli",
)  # fmt: skip

# torch's module paths, as thin names over the rooms: (what they may reach, who may reach them).
NAMES = (
    "array_api", "autograd", "func", "linalg", "fft", "special", "cuda", "utils", "serialization",
    "profiler",
    "accelerator", "amp", "backends", "distributions", "random", "signal", "testing", "version",
)  # fmt: skip

# A method may open a door to a room further right when it is called: said here, with the reason.
DOORS = {
    ("tensor", "array_api"): "a tensor names its namespace of the array API standard",
    ("network", "plots"): "network.draw() draws itself",
    ("training", "plots"): "run.plot() draws itself",
}

SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "labextension" not in path.parts)


def room(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Every `workbench…` module that a file imports: dotted name, line, and whether lazily."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lazy = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) or _is_type_checking(outer)
        for inner in ast.walk(outer)
    }
    parts = ("workbench", *path.relative_to(PACKAGE).with_suffix("").parts)
    package = parts[:-1]  # of a plain module and of an __init__ alike
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node.lineno, id(node) in lazy
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            if module == "workbench":  # `from workbench import network`
                for name in node.names:
                    yield f"workbench.{name.name}", node.lineno, id(node) in lazy
            else:
                yield module, node.lineno, id(node) in lazy


def _is_type_checking(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def test_every_room_is_known():
    present = {room(path) for path in SOURCES} - {"__init__", "__main__"}
    assert present - {*ROOMS, *NAMES} == set(), "a new room needs its place in ROOMS"


@pytest.mark.parametrize("own", ROOMS)
def test_a_room_imports_only_from_rooms_left_of_it(own):
    wrong = []
    for path in SOURCES:
        if room(path) != own:
            continue
        for module, line, lazy in imports(path):
            head, _, rest = module.partition(".")
            if head != "workbench":
                continue
            target = rest.partition(".")[0]
            if target in ROOMS and ROOMS.index(target) <= ROOMS.index(own):
                continue
            if lazy and ((own, target) in DOORS or own == "cli"):
                continue
            wrong.append(f"{path.relative_to(PACKAGE.parent)}:{line} imports {module}")
    assert not wrong, f"{own} may import only {ROOMS[: ROOMS.index(own)]}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("own", NAMES)
def test_thin_names_reach_no_further_than_the_engine(own):
    engine = {"arrays", "ops", "tensor", "nn", "optim", "data", "cuda", own}
    wrong = [
        f"{path.relative_to(PACKAGE.parent)}:{line} imports {module}"
        for path in SOURCES
        if room(path) == own
        for module, line, _ in imports(path)
        if module.startswith("workbench.") and module.split(".")[1] not in engine
    ]
    assert not wrong, "\n".join(wrong)


HEAVY = (
    "matplotlib", "IPython", "ipywidgets", "anywidget", "cupy", "jupyter_core", "jupyterlab",
    "ipykernel", "traitlets", "scipy", "llvmlite", "torch", "pandas",
)  # fmt: skip


@pytest.mark.parametrize("last", ["", *ROOMS[: ROOMS.index("training") + 1]])
def test_importing_it_brings_nothing_heavy(last):
    room = ".".join(filter(None, ["workbench", last]))
    code = f"import sys, {room}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert ended.stdout.split() == []


UNUSED = (
    "decimal", "fractions", "hashlib", "llvmlite", "pathlib", "queue", "workbench.autograd",
    "workbench.arrays.compiler.ir", "workbench.arrays.compiler.llvm", "workbench.nn",
    "workbench.optim",
)  # fmt: skip


def test_importing_it_brings_nothing_that_few_programs_use():
    code = f"import sys, workbench; print(*[name for name in {UNUSED!r} if name in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert ended.stdout.split() == []


def test_importing_it_starts_no_thread_and_prints_nothing():
    code = "import workbench, threading; assert threading.active_count() == 1"
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, check=False, cwd=PACKAGE.parent,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
