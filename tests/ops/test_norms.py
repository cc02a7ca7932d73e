"""Norms of vectors and matrices, against torch."""

from __future__ import annotations

import math

import numpy as np
import pytest

import workbench as wb

from .twins import agree, numbers

KINDS = ["float64", "complex128"]
ORDERS = ["fro", "nuc", math.inf, -math.inf, 1, -1, 2, -2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ORDERS)
def test_matrix_norms(order, kind):
    agree(lambda t, x: t.linalg.matrix_norm(x, order), numbers(3, 4, kind=kind))
    for keepdim in (True, False):
        agree(
            lambda t, x, k=keepdim: t.linalg.matrix_norm(x, order, dim=(2, 0), keepdim=k),
            numbers(3, 2, 4, kind=kind),
        )
    agree(lambda t, x: t.linalg.norm(x, order), numbers(3, 4, kind=kind))
    agree(lambda t, x: t.linalg.norm(x, order, dim=(0, 1)), numbers(3, 4, 2, kind=kind))


@pytest.mark.parametrize("order", [None, 0, 1, 2, 3.5, 0.5, -1, math.inf, -math.inf])
def test_vector_norms(order):
    some = order != 0
    agree(lambda t, x: t.linalg.norm(x, order), numbers(5), gradients=some)
    agree(lambda t, x: t.linalg.norm(x, order, dim=1, keepdim=True), numbers(2, 3), gradients=some)
    agree(lambda t, x: t.linalg.norm(x), numbers(2, 3, 2))
    if order is not None:
        agree(
            lambda t, x: t.linalg.vector_norm(x, order, dim=(0, 1)),
            numbers(2, 3, 2),
            gradients=some,
        )
        agree(
            lambda t, x: t.linalg.vector_norm(x, order, dtype=t.float64),
            numbers(4).astype("f4"),
            gradients=False,
        )


@pytest.mark.parametrize("order", [1, 2, 3, 1.5, math.inf])
def test_the_gradient_of_a_norm_at_zero_is_zero(order):
    x = wb.zeros(3, dtype=wb.float64, requires_grad=True)
    wb.linalg.vector_norm(x, order).backward()
    np.testing.assert_array_equal(x.grad.array, np.zeros(3))
