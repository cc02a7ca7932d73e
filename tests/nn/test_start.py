"""Initial values that can be had again."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench import nn
from workbench.arrays import random

LAYERS = [
    lambda: nn.Linear(4, 5),
    lambda: nn.Conv2d(2, 3, 3),
    lambda: nn.Embedding(6, 4),
    lambda: nn.Bilinear(2, 3, 4),
]


@pytest.mark.parametrize("make", LAYERS)
def test_a_layer_starts_again_from_the_seed_it_remembers(make):
    wb.manual_seed(3)
    for layer in (make(), make(), make()):  # the first starts from the generator's own seed
        with random.fork(layer.initial_seed):
            again = make()
        assert again.initial_seed == layer.initial_seed
        for p, q in zip(layer.parameters(), again.parameters(), strict=True):
            assert np.array_equal(p.array, q.array)


def test_layers_made_one_after_the_other_differ():
    wb.manual_seed(0)
    first, second = nn.Linear(8, 8), nn.Linear(8, 8)
    assert not np.array_equal(first.weight.array, second.weight.array)
    assert first.initial_seed != second.initial_seed


def test_numbers_drawn_after_a_layer_are_not_its_weights():
    wb.manual_seed(0)
    layer = nn.Linear(8, 8)
    bound = 1 / 8**0.5
    drawn = (wb.rand(8, 8) * 2 - 1) * bound
    assert not np.allclose(layer.weight.array, drawn.array, atol=1e-3)
