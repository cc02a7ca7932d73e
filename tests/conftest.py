"""What all tests share: the slow kinds run when they are asked for.

`pytest` runs everything but the browser tests (`tests/ui`) and the tests that build and install
packages (`tests/packaging`). Name their folder to run them; `python tests/run.py` runs them all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def _real_cuda() -> bool:
    """Whether CuPy is installed and finds a GPU."""
    try:
        import cupy
    except ImportError:
        return False
    return bool(cupy.cuda.is_available())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--real", action="store_true", help="run the CUDA tests on the GPU alone, not the stand-in"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cuda" in metafunc.fixturenames:
        real = _real_cuda()
        if metafunc.config.getoption("--real") and not real:
            raise pytest.UsageError("--real: CuPy is not installed or finds no GPU")
        kinds = ["real"] if metafunc.config.getoption("--real") else ["stand-in"]
        if real and kinds != ["real"]:
            kinds.append("real")
        metafunc.parametrize("cuda", kinds, indirect=True)


@pytest.fixture
def cuda(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A CUDA device: the stand-in of `tests/cuda`, and the GPU where there is one."""
    if request.param == "real":
        import cupy

        yield cupy
        return
    from .cuda import stand_in

    with stand_in.installed():
        yield stand_in
