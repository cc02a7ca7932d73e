"""Initial values: bounds, moments, orthogonality, seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from torch_twins import torch

import workbench as wb
from workbench import nn
from workbench.nn import init


def big(*shape):
    return wb.empty(*(shape or (300, 400)))


@pytest.mark.parametrize(
    ("name", "param"),
    [("linear", None), ("conv2d", None), ("sigmoid", None), ("tanh", None), ("relu", None),
     ("leaky_relu", None), ("leaky_relu", 0.3), ("selu", None)],
)  # fmt: skip
def test_gain(name, param):
    assert init.calculate_gain(name, param) == torch.nn.init.calculate_gain(name, param)


def test_gain_refuses():
    with pytest.raises(ValueError, match="Unsupported"):
        init.calculate_gain("swoosh")
    with pytest.raises(ValueError, match="not a valid number"):
        init.calculate_gain("leaky_relu", "x")


UNIFORM = [
    (lambda t: init.uniform_(t, -2, 3), -2, 3),
    (lambda t: init.xavier_uniform_(t, 2.0), -2 * math.sqrt(6 / 700), 2 * math.sqrt(6 / 700)),
    (
        lambda t: init.kaiming_uniform_(t, nonlinearity="relu"),
        -math.sqrt(6 / 400),
        math.sqrt(6 / 400),
    ),
    (lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)), -1 / 20, 1 / 20),
    (lambda t: init.kaiming_uniform_(t, mode="fan_out"), -math.sqrt(6 / 300), math.sqrt(6 / 300)),
]


@pytest.mark.parametrize(("fill", "low", "high"), UNIFORM)
def test_uniform_kinds(fill, low, high):
    t = big()
    assert fill(t) is t
    values = t.numpy()
    assert values.min() >= np.float32(low)
    assert values.max() <= np.float32(high)
    width = high - low
    assert values.min() < low + 0.01 * width
    assert values.max() > high - 0.01 * width
    assert abs(values.mean() - (low + high) / 2) < 0.01 * width


NORMAL = [
    (lambda t: init.normal_(t, 1.5, 0.2), 1.5, 0.2),
    (lambda t: init.xavier_normal_(t), 0, math.sqrt(2 / 700)),
    (lambda t: init.kaiming_normal_(t, nonlinearity="relu"), 0, math.sqrt(2 / 400)),
]


@pytest.mark.parametrize(("fill", "mean", "std"), NORMAL)
def test_normal_kinds(fill, mean, std):
    values = fill(big()).numpy()
    assert abs(values.mean() - mean) < 0.02 * std
    assert abs(values.std() - std) < 0.02 * std


@pytest.mark.parametrize(("a", "b"), [(-2, 2), (-0.5, 1), (1.5, 3.0), (2.3, 4.5)])
def test_trunc_normal_follows_the_cut_density(a, b):
    stats = pytest.importorskip("scipy.stats")
    values = init.trunc_normal_(big(20_000), mean=0.1, std=1.2, a=a, b=b).numpy()
    assert values.min() >= a
    assert values.max() <= b
    low, high = (a - 0.1) / 1.2, (b - 0.1) / 1.2
    assert stats.kstest(values, stats.truncnorm(low, high, 0.1, 1.2).cdf).pvalue > 1e-4


def test_trunc_normal_refuses():
    with pytest.raises(ValueError, match="less than b"):
        init.trunc_normal_(big(3), a=1, b=1)
    with pytest.raises(ValueError, match="std"):
        init.trunc_normal_(big(3), std=0)
    with pytest.warns(UserWarning, match="more than 2 std"):
        init.trunc_normal_(big(3), mean=10)


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (4, 3, 2)])
def test_orthogonal(shape):
    t = init.orthogonal_(wb.empty(*shape, dtype=wb.float64), gain=2)
    flat = t.numpy().reshape(shape[0], -1)
    small = flat @ flat.T if shape[0] <= flat.shape[1] else flat.T @ flat
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)


def test_constants_and_patterns():
    assert init.ones_(big(3)).tolist() == [1, 1, 1]
    assert init.zeros_(big(2)).tolist() == [0, 0]
    assert init.constant_(big(2), 0.5).tolist() == [0.5, 0.5]
    assert np.array_equal(init.eye_(big(2, 3)).numpy(), np.eye(2, 3))
    for groups in (1, 2):
        ours = init.dirac_(wb.empty(4, 3, 3, 3), groups)
        theirs = torch.nn.init.dirac_(torch.empty(4, 3, 3, 3), groups)
        assert np.array_equal(ours.numpy(), theirs.numpy())
    held = init.sparse_(big(10, 4), 0.25).numpy()
    assert ((held == 0).sum(0) == 3).all()


@pytest.mark.parametrize(
    ("fill", "shape"),
    [(init.xavier_uniform_, (3,)), (init.kaiming_normal_, (3,)), (init.orthogonal_, (3,)),
     (init.eye_, (3,)), (init.dirac_, (3, 3)), (lambda t: init.sparse_(t, 0.1), (3,)),
     (lambda t: init.kaiming_normal_(t, mode="fan"), (3, 3)),
     (lambda t: init.dirac_(t, 2), (3, 1, 1))],
)  # fmt: skip
def test_refusals(fill, shape):
    with pytest.raises(ValueError):  # noqa: PT011 - each has a message of its own
        fill(wb.empty(*shape))


def test_fills_outside_autograd_and_from_the_generator():
    p = nn.Parameter(wb.zeros(3, 3))
    assert init.normal_(p) is p
    assert p.is_leaf
    assert p.requires_grad
    g = wb.Generator().manual_seed(5)
    a = init.uniform_(wb.empty(4), generator=g)
    b = init.uniform_(wb.empty(4), generator=wb.Generator().manual_seed(5))
    assert wb.equal(a, b)
    for dtype in (wb.float16, wb.float64):
        assert init.normal_(wb.empty(4, dtype=dtype)).dtype is dtype


LAYERS = [
    lambda nn: nn.Linear(30, 400),
    lambda nn: nn.Conv2d(4, 200, 3, groups=2),
    lambda nn: nn.Bilinear(9, 8, 30),
    lambda nn: nn.Embedding(100, 30),
]


@pytest.mark.parametrize("make", LAYERS)
def test_default_starts_have_torchs_spread(make):
    wb.manual_seed(0)
    torch.manual_seed(0)
    for p, q in zip(make(nn).parameters(), make(torch.nn).parameters(), strict=True):
        ours, theirs = p.detach().numpy(), q.detach().numpy()
        # four standard errors of the ratio of two sample deviations
        assert abs(ours.std() / theirs.std() - 1) < 4 / ours.size**0.5
        if theirs.size > 1000:
            assert abs(abs(ours).max() / abs(theirs).max() - 1) < 0.5


def test_reset_parameters_repeats_under_a_seed():
    layer = nn.Conv2d(2, 3, 3)
    with wb.arrays.random.fork(1):
        layer.reset_parameters()
    first = layer.weight.detach().clone()
    with wb.arrays.random.fork(1):
        layer.reset_parameters()
    assert wb.equal(first, layer.weight)
    norm = nn.BatchNorm2d(3)
    norm(wb.randn(2, 3, 2, 2))
    norm.reset_parameters()
    assert norm.running_mean.abs().sum() == 0
    assert norm.num_batches_tracked.item() == 0
