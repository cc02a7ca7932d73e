"""What OpenBLAS is told before NumPy loads it, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

VARIABLE = "OPENBLAS_THREAD_TIMEOUT"
WATCH = f"""
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print(os.environ.get("{VARIABLE}"))
sys.meta_path.insert(0, Watch())
"""


def said(code: str, **variables: str) -> list[str]:
    clean = {key: value for key, value in os.environ.items() if key != VARIABLE}
    ended = subprocess.run(
        [sys.executable, "-c", f"{WATCH}\n{code}\nprint(os.environ.get('{VARIABLE}'))"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        env=clean | variables,
    )  # fmt: skip
    return ended.stdout.split()


def test_the_threads_sleep_soon_and_no_child_hears_of_it():
    assert said("import workbench") == ["20", "None"]


@pytest.mark.parametrize("code", ["import numpy, workbench", "import numpy.linalg, workbench"])
def test_a_numpy_that_is_loaded_already_stays_as_it_is(code):
    assert said(code) == ["None", "None"]


def test_the_users_own_word_counts():
    assert said("import workbench", **{VARIABLE: "25"}) == ["25", "25"]
