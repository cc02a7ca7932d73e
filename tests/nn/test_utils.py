"""Clipping and flattening."""

from __future__ import annotations

import math

import numpy as np
import pytest
from torch_twins import same, torch, twins

import workbench as wb
from workbench.nn import utils


def with_grads(scale=1.0):
    ours, theirs = twins(lambda nn: nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)))
    rng = np.random.default_rng(0)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        g = rng.normal(size=tuple(p.shape)) * scale
        p.grad, q.grad = wb.from_numpy(g.copy()), torch.from_numpy(g.copy())
    return ours, theirs


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 3.0, math.inf])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clip_norm(norm_type, max_norm):
    ours, theirs = with_grads()
    got = utils.clip_grad_norm_(ours.parameters(), max_norm, norm_type)
    want = torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_norm, norm_type)
    same(got, want)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        same(p.grad, q.grad)


def test_clip_norm_of_large_small_and_bad_gradients():
    p = wb.zeros(4, requires_grad=True)
    for value in (1e30, 1e-30):  # their squares leave float32
        p.grad = wb.full((4,), value)
        assert utils.clip_grad_norm_(p, 1.0).item() == pytest.approx(2 * value)
    p.grad = wb.tensor([math.nan, 1, 1, 1])
    assert math.isnan(utils.clip_grad_norm_([p], 1.0).item())
    with pytest.raises(RuntimeError, match="non-finite"):
        utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
    p.grad = None
    assert utils.clip_grad_norm_([p], 1.0).item() == 0


def test_clip_value():
    ours, theirs = with_grads()
    utils.clip_grad_value_(ours.parameters(), 0.3)
    torch.nn.utils.clip_grad_value_(theirs.parameters(), 0.3)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        same(p.grad, q.grad)


def test_vector_round_trip():
    ours, theirs = with_grads()
    vector = utils.parameters_to_vector(ours.parameters())
    same(vector, torch.nn.utils.parameters_to_vector(theirs.parameters()))
    utils.vector_to_parameters(vector * 2, ours.parameters())
    same(ours[0].weight, theirs[0].weight * 2)
    before = ours[0].weight.detach().clone()
    with pytest.raises(RuntimeError, match="elements"):
        utils.vector_to_parameters(wb.zeros(3), ours.parameters())
    with pytest.raises(TypeError):
        utils.vector_to_parameters([1.0], ours.parameters())
    assert wb.equal(before, ours[0].weight)
