"""Lazy layers become ordinary ones at their first input."""

from __future__ import annotations

import copy

import pytest
from torch_twins import torch

import workbench as wb
from workbench import nn

CASES = [
    (lambda nn: nn.LazyLinear(4), (2, 3), "Linear"),
    (lambda nn: nn.LazyLinear(4, bias=False), (5,), "Linear"),
    (lambda nn: nn.LazyConv1d(4, 3), (2, 3, 8), "Conv1d"),
    (lambda nn: nn.LazyConv2d(4, 3, padding="same", groups=2), (2, 6, 8, 8), "Conv2d"),
    (lambda nn: nn.LazyConv2d(4, 3), (3, 8, 8), "Conv2d"),
    (lambda nn: nn.LazyConv3d(4, 3, bias=False), (1, 3, 5, 5, 5), "Conv3d"),
    (lambda nn: nn.LazyConvTranspose1d(4, 3, 2), (2, 3, 8), "ConvTranspose1d"),
    (lambda nn: nn.LazyConvTranspose2d(4, 3, 2, 1, 1, 2), (6, 4, 4), "ConvTranspose2d"),
    (lambda nn: nn.LazyConvTranspose3d(4, 3), (2, 3, 3, 3, 3), "ConvTranspose3d"),
    (lambda nn: nn.LazyBatchNorm1d(), (4, 3), "BatchNorm1d"),
    (lambda nn: nn.LazyBatchNorm2d(affine=False), (4, 3, 2, 2), "BatchNorm2d"),
]


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.parametrize(("make", "shape", "becomes"), CASES)
def test_becomes_what_torch_makes(make, shape, becomes):
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    assert ours.has_uninitialized_params()
    assert ours(wb.zeros(*shape)).shape == tuple(theirs(torch.zeros(shape)).shape)
    assert type(ours) is getattr(nn, becomes)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for p in ours.parameters():
        assert type(p) is nn.Parameter
        assert p.requires_grad


def test_shapes_are_refused_until_then():
    layer = nn.LazyLinear(3)
    with pytest.raises(RuntimeError, match="uninitialized"):
        _ = layer.weight.shape
    with pytest.raises(RuntimeError, match="Expected 3D"):
        nn.LazyConv2d(3, 3)(wb.zeros(4))


def test_loading_a_state_gives_shapes():
    layer = nn.LazyLinear(3)
    layer.load_state_dict(nn.Linear(5, 3).state_dict())
    assert layer.weight.shape == (3, 5)
    layer(wb.zeros(1, 5))
    assert type(layer) is nn.Linear
    assert layer.in_features == 5


def test_seed_and_copy():
    layer = copy.deepcopy(nn.LazyLinear(3, dtype=wb.float64))
    with wb.arrays.random.fork(3):
        layer(wb.zeros(1, 4, dtype=wb.float64))
    with wb.arrays.random.fork(3):
        plain = nn.Linear(4, 3, dtype=wb.float64)
    assert wb.equal(layer.weight, plain.weight)


def test_parameters_stay_the_same_objects():
    layer = nn.LazyLinear(3)
    held = list(layer.parameters())
    opt = wb.optim.SGD(layer.parameters(), lr=0.1)
    layer(wb.ones(2, 4)).sum().backward()
    assert all(a is b for a, b in zip(held, layer.parameters(), strict=True))
    before = layer.weight.detach().clone()
    opt.step()
    assert not wb.equal(before, layer.weight)
