"""Compiled look-ups against torch: rows, gradients, padding, indices outside, threads."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.arrays import compiler

pytest.importorskip("llvmlite")
torch = pytest.importorskip("torch")
if not compiler.available():
    pytest.skip("no kernels are compiled here", allow_module_level=True)


def looked_up(lib, weight, indices, g, **options):
    """The rows and the weight's gradient."""
    table = lib.tensor(weight, requires_grad=True)
    out = lib.nn.functional.embedding(lib.tensor(indices), table, **options)
    out.backward(lib.tensor(g))
    return out.detach().numpy(), table.grad.numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("integer", [np.int64, np.int32])
@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [(96, 128, (16, 64)), (5, 3, (7,)), (1, 1, ()), (40, 100, (3, 50)), (7, 700, (200,))],
)
def test_rows_and_gradients(dtype, integer, height, width, shape):
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((height, width)).astype(dtype)
    indices = rng.integers(0, height, shape).astype(integer)
    g = rng.standard_normal((*shape, width)).astype(dtype)
    for options in ({}, {"padding_idx": height - 1}):
        ours = looked_up(wb, weight, indices, g, **options)
        theirs = looked_up(torch, weight, indices, g, **options)
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5, atol=1e-5)


def test_both_ways_and_any_threads():
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((50, 260), dtype=np.float32)
    indices = rng.integers(0, 50, (9, 70))
    g = rng.standard_normal((9, 70, 260), dtype=np.float32)
    before = wb.get_num_threads()
    try:
        wb.set_num_threads(1)
        one = looked_up(wb, weight, indices, g)
        wb.set_num_threads(2)
        two = looked_up(wb, weight, indices, g)
        compiler.enable(False)
        plain = looked_up(wb, weight, indices, g)
    finally:
        compiler.enable(True)
        wb.set_num_threads(before)
    for a, b, c in zip(one, two, plain, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=1e-4, atol=1e-5)


def test_indices_outside_and_turned():
    weight = wb.tensor(np.arange(12, dtype=np.float32).reshape(4, 3))
    for bad in (4, -1, 1 << 40):
        with pytest.raises(IndexError, match=f"index {bad} is out of bounds"):
            wb.nn.functional.embedding(wb.tensor([0, bad]), weight)
    turned = wb.tensor(np.array([[0, 1, 2], [3, 2, 1]])).T
    for table in (weight, weight.T.contiguous().T):
        found = wb.nn.functional.embedding(turned, table).numpy()
        np.testing.assert_array_equal(found, table.numpy()[turned.numpy()])
