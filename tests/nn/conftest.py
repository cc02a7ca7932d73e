"""Makes `torch_twins` importable and every test's random numbers its own."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

import workbench as wb

from ..cuda import stand_in  # noqa: TID252

sys.path.insert(0, str(Path(__file__).parent))


# Files whose tests hold our layers and functions against torch's through `torch_twins`.
ON_CUDA = {
    "test_layers.py", "test_functional.py", "test_losses.py", "test_losses_margins.py",
    "test_attention.py", "test_recurrent.py", "test_transformer.py", "test_spatial.py",
}  # fmt: skip


def pytest_generate_tests(metafunc):
    """The tests of these files run on the CPU and on CUDA."""
    if metafunc.definition.path.name in ON_CUDA:
        metafunc.parametrize("where", ["cpu", "cuda"], indirect=True)


@pytest.fixture(autouse=True)
def where(request, monkeypatch):
    """Our side's device in `torch_twins`."""
    place = getattr(request, "param", "cpu")
    if place == "cpu":
        yield place
        return
    import torch_twins

    monkeypatch.setattr(torch_twins, "where", place)
    with nullcontext() if request.config.getoption("--real") else stand_in.installed():
        yield place


@pytest.fixture(autouse=True)
def _seeded():
    with wb.arrays.random.fork(0):
        yield
