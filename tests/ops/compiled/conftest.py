"""What the tests of compiled kernels share."""

import pytest

import workbench as wb


@pytest.fixture
def threads():
    """Sets the number of threads; the number is as before after the test."""
    before = wb.get_num_threads()
    yield wb.set_num_threads
    wb.set_num_threads(before)
