"""Kernels' modules run when they are first used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAD = """
import sys, threading
import workbench as wb
from workbench.ops import compiled
from workbench.ops.compiled import Later
families = {name: sys.modules[f"workbench.ops.compiled.{name}"] for name in compiled.FAMILIES}
"""


def said(code: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-c", HEAD + code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    return ended.stdout.split()


def test_an_import_runs_none_of_them_nor_the_compiler():
    code = """
print(*[name for name, module in families.items() if type(module) is not Later])
print(*[name for name in sys.modules if name.startswith("workbench.arrays.compiler.")])
"""
    assert said(code) == ["activation", "elementwise"]  # light ones that are read at once


def test_one_that_is_used_is_an_ordinary_module_from_then_on():
    code = """
import workbench.ops.softmax as op
print(op.lines.__name__, type(families["lines"]).__name__)
op.lines.fit
import workbench.ops.compiled.lines as again
print(type(families["lines"]).__name__, again is families["lines"] is op.lines is compiled.lines)
"""
    assert said(code) == ["workbench.ops.compiled.lines", "Later", "module", "True"]


def test_threads_that_come_at_once_find_all_of_it():
    code = """
sys.setswitchinterval(1e-6)
start, seen = threading.Barrier(8), []
def use():
    start.wait()
    for name, module in families.items():
        module.annotations  # what every file's first line defines
        seen.append((name, len(vars(module))))
threads = [threading.Thread(target=use) for _ in range(8)]
for t in threads: t.start()
for t in threads: t.join()
print(set(seen) == {(name, len(vars(module))) for name, module in families.items()})
"""
    assert said(code) == ["True"]


def test_an_error_in_it_is_told_each_time():
    code = """
module = families["pool"]
real, module.__spec__.loader = module.__spec__.loader, None
for _ in range(2):
    try:
        module.anything
    except AttributeError as error:
        print("NoneType" in str(error))
module.__spec__.loader = real
print(module.annotations.compiler_flag > 0)
"""
    assert said(code) == ["True", "True", "True"]
