"""What all tests share: the slow kinds run when they are asked for.

`pytest` runs everything but the browser tests (`tests/ui`) and the tests that build and install
packages (`tests/packaging`). Name their folder to run them; `python tests/run.py` runs them all.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A slow machine is no failure: no time limit for an example. Continuous integration repeats the
# same examples; everywhere else new ones are tried.
settings.register_profile("workbench", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("workbench")

SLOW = [Path(__file__).parent / name for name in ("ui", "packaging")]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = [Path(argument.split("::")[0]).resolve() for argument in config.invocation_params.args
             if isinstance(argument, str) and not argument.startswith("-")]  # fmt: skip
    left_out = [
        folder
        for folder in SLOW
        if not any(path == folder or folder in path.parents for path in asked)
    ]
    slow = [item for item in items if any(folder in item.path.parents for folder in left_out)]
    if slow:
        # Reported in the closing line as "deselected": nobody takes them for passed.
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
