"""Functions far out, where absolute tolerances see nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import workbench as wb


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_keeps_its_lower_tail(dtype):
    x = np.array([-80, -30, -18, -1, 0, 1, 30, 1000], dtype)
    found = wb.sigmoid(wb.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, special.expit(x), rtol=4 * np.finfo(dtype).eps)


def test_sigmoid_at_the_ends():
    x = wb.tensor([-float("inf"), float("inf"), float("nan")])
    np.testing.assert_array_equal(wb.sigmoid(x).numpy(), np.float32([0, 1, np.nan]))
