"""Parametrized weights, weight and spectral norm, fused layers, against torch."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from torch_twins import both, same, torch

import workbench as wb
from workbench.nn import utils
from workbench.nn.utils import parametrizations, parametrize

rng = np.random.default_rng(0)
X = rng.normal(size=(4, 3))


def pair(make):
    """The same layer twice, in float64, before anything is done to it."""
    theirs = make(torch.nn).double()
    ours = make(wb.nn).double()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def agree(ours, theirs, array):
    x, y = both(array, grad=True)
    got, want = ours(x), theirs(y)
    same(got, want)
    (got * got).sum().backward()
    (want * want).sum().backward()
    same(x.grad, y.grad, 1e-8)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    named = dict(theirs.named_parameters())
    for name, p in ours.named_parameters():
        same(p.grad, named[name].grad, 1e-8)


@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm(dim):
    ours, theirs = pair(lambda nn: nn.Linear(3, 5))
    before = ours.weight.detach().clone()
    parametrizations.weight_norm(ours, dim=dim)
    torch.nn.utils.parametrizations.weight_norm(theirs, dim=dim)
    np.testing.assert_allclose(ours.weight.detach().numpy(), before.numpy(), rtol=1e-12)
    assert repr(ours) == repr(theirs)
    agree(ours, theirs, X)
    parametrize.remove_parametrizations(ours, "weight")
    torch.nn.utils.parametrize.remove_parametrizations(theirs, "weight")
    assert type(ours) is wb.nn.Linear
    assert isinstance(ours.weight, wb.nn.Parameter)
    ours.zero_grad()
    theirs.zero_grad()
    agree(ours, theirs, X)


@pytest.mark.filterwarnings("ignore:.*weight_norm. is deprecated")
def test_weight_norm_by_hooks():
    ours, theirs = pair(lambda nn: nn.Conv1d(3, 4, 2))
    utils.weight_norm(ours)
    torch.nn.utils.weight_norm(theirs)
    agree(ours, theirs, rng.normal(size=(2, 3, 5)))
    with pytest.raises(RuntimeError, match="two weight_norm hooks"):
        utils.weight_norm(ours)
    utils.remove_weight_norm(ours)
    torch.nn.utils.remove_weight_norm(theirs)
    ours.zero_grad()
    theirs.zero_grad()
    agree(ours, theirs, rng.normal(size=(2, 3, 5)))
    with pytest.raises(ValueError, match="not found"):
        utils.remove_weight_norm(ours)


@pytest.mark.parametrize("hooks", [False, True])
@pytest.mark.parametrize("name", ["linear", "conv"])
def test_spectral_norm(name, hooks):
    array = X if name == "linear" else rng.normal(size=(2, 3, 5, 5))
    ours, theirs = pair(lambda nn: nn.Linear(3, 5) if name == "linear" else nn.Conv2d(3, 4, 2))
    if hooks:
        utils.spectral_norm(ours, n_power_iterations=2)
        torch.nn.utils.spectral_norm(theirs, n_power_iterations=2)
    else:
        parametrizations.spectral_norm(ours)
        torch.nn.utils.parametrizations.spectral_norm(theirs)
    ours.load_state_dict({k: wb.from_numpy(v.numpy()) for k, v in theirs.state_dict().items()})
    agree(ours, theirs, array)
    for held, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        same(held, other)
    ours.eval()
    theirs.eval()
    same(ours(both(array)[0]), theirs(both(array)[1]))
    if hooks:
        utils.remove_spectral_norm(ours)
        assert "weight" in dict(ours.named_parameters())
    else:
        parametrize.remove_parametrizations(ours, "weight")
        assert type(ours).__name__ in ("Linear", "Conv2d")


@pytest.mark.parametrize("how", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6)])
def test_orthogonal(how, shape):
    layer = wb.nn.Linear(shape[1], shape[0]).double()
    parametrizations.orthogonal(layer, orthogonal_map=how)
    peer = torch.nn.utils.parametrizations.orthogonal(
        torch.nn.Linear(shape[1], shape[0]).double(), orthogonal_map=how
    )
    assert list(layer.state_dict()) == list(peer.state_dict())
    optimizer = wb.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (layer(wb.randn(5, shape[1], dtype=wb.float64)) ** 3).sum().backward()
        optimizer.step()
    w = layer.weight.detach().numpy()
    inner = w.T @ w if shape[0] >= shape[1] else w @ w.T
    np.testing.assert_allclose(inner, np.eye(min(shape)), atol=1e-10)
    target = np.linalg.qr(rng.normal(size=(max(shape), min(shape))))[0]
    target = target if shape[0] >= shape[1] else target.T
    layer.weight = wb.from_numpy(target.copy())
    span = layer.weight.detach().numpy()
    met = span.T @ target if shape[0] >= shape[1] else span @ target.T
    np.testing.assert_allclose(np.abs(met), np.eye(min(shape)), atol=1e-9)
    with pytest.raises(ValueError, match="orthogonal_map"):
        parametrizations.orthogonal(wb.nn.Linear(2, 2), orthogonal_map="x")
    with pytest.raises(ValueError, match="matrix"):
        parametrizations.orthogonal(wb.nn.Linear(2, 2), "bias")


def symmetric(nn):
    class Symmetric(nn.Module):
        def forward(self, X):
            return X.triu() + X.triu(1).mT

        def right_inverse(self, A):
            return A.triu()

    return Symmetric()


def doubled(nn):
    class Doubled(nn.Module):
        def forward(self, X):
            return X * 2

        def right_inverse(self, X):
            return X / 2

    return Doubled()


def test_own_parametrizations():
    ours, theirs = pair(lambda nn: nn.Linear(3, 3))
    for make in (symmetric, doubled):
        parametrize.register_parametrization(ours, "weight", make(wb.nn))
        torch.nn.utils.parametrize.register_parametrization(theirs, "weight", make(torch.nn))
    assert repr(ours) == repr(theirs)
    assert parametrize.is_parametrized(ours)
    assert parametrize.is_parametrized(ours, "weight")
    assert not parametrize.is_parametrized(ours, "bias")
    assert parametrize.type_before_parametrizations(ours) is wb.nn.Linear
    agree(ours, theirs, X)
    value = rng.normal(size=(3, 3))
    value = value + value.T
    ours.weight, theirs.weight = both(value)
    np.testing.assert_allclose(ours.weight.detach().numpy(), value, rtol=1e-12)
    twin = copy.deepcopy(ours)
    same(twin(both(X)[0]), theirs(both(X)[1]))
    with parametrize.cached():
        assert ours.weight is ours.weight
    assert ours.weight is not ours.weight
    other = wb.nn.Linear(3, 3).double()
    parametrize.transfer_parametrizations_and_params(ours, other)
    np.testing.assert_allclose(other.weight.detach().numpy(), value, rtol=1e-12)
    parametrize.remove_parametrizations(ours, "weight", leave_parametrized=False)
    torch.nn.utils.parametrize.remove_parametrizations(theirs, "weight", leave_parametrized=False)
    same(ours.weight, theirs.weight)


def test_what_a_parametrization_may_not_do():
    class Wide(wb.nn.Module):
        def forward(self, X):
            return X.flatten()

    with pytest.raises(ValueError, match="may not change"):
        parametrize.register_parametrization(wb.nn.Linear(2, 2), "weight", Wide())
    parametrize.register_parametrization(wb.nn.Linear(2, 2), "weight", Wide(), unsafe=True)
    with pytest.raises(ValueError, match="does not have a parameter"):
        parametrize.register_parametrization(wb.nn.Linear(2, 2), "nothing", Wide())
    with pytest.raises(ValueError, match="does not have a parametrization"):
        parametrize.remove_parametrizations(wb.nn.Linear(2, 2), "weight")
    with pytest.raises(ValueError, match="no parameter or buffer"):
        parametrizations.spectral_norm(wb.nn.Linear(2, 2), "nothing")
    layer = parametrizations.weight_norm(wb.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="sequence of tensors"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)


def test_fused_layers():
    for make, shape in (
        (lambda nn: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), (2, 3, 5, 5)),
        (lambda nn: nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4)), (5, 3)),
    ):
        net = make(wb.nn)
        for _ in range(3):
            net(wb.randn(shape))
        net.eval()
        conv = len(shape) == 4
        fuse = utils.fuse_conv_bn_eval if conv else utils.fuse_linear_bn_eval
        x = wb.randn(shape)
        one = fuse(net[0], net[1])
        np.testing.assert_allclose(one(x).detach().numpy(), net(x).detach().numpy(), atol=1e-5)
        with pytest.raises(AssertionError, match="eval"):
            fuse(net[0].train(), net[1])


def test_clipping_by_a_known_norm_and_old_names():
    p = wb.zeros(2, requires_grad=True)
    p.grad = wb.tensor([3.0, 4.0])
    utils.clip_grads_with_norm_([p], 1.0, utils.get_total_norm([p.grad]))
    np.testing.assert_allclose(p.grad.numpy(), [0.6, 0.8], rtol=1e-5)
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        utils.clip_grad_norm([p], 0.5)
    assert utils.skip_init(wb.nn.Linear, 2, 3).weight.shape == (3, 2)
    with pytest.raises(RuntimeError, match="device"):
        utils.skip_init(wb.nn.ReLU)
