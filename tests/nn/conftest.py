"""Makes `torch_twins` importable and every test's random numbers its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import workbench as wb

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _seeded():
    with wb.arrays.random.fork(0):
        yield
