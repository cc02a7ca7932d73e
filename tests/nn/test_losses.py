"""Losses against torch: values, gradients, reductions, weights, errors."""

from __future__ import annotations

import numpy as np
import pytest
from torch_twins import both, same, torch

import workbench as wb
import workbench.nn.functional as F

rng = np.random.default_rng(0)
A, B = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
P, Q = rng.uniform(0.01, 0.99, (4, 5)), rng.uniform(0, 1, (4, 5))
LOGP = np.log(P / P.sum(1, keepdims=True))
DIST = Q / Q.sum(1, keepdims=True)
EDGES = np.array([[0.0, 1.0, 0.5, 0.0, 1.0]])

PAIRS = {
    "MSELoss": (lambda nn, **k: nn.MSELoss(**k), A, B),
    "L1Loss": (lambda nn, **k: nn.L1Loss(**k), A, B),
    "L1Loss tie": (lambda nn, **k: nn.L1Loss(**k), A, A),
    "SmoothL1Loss": (lambda nn, **k: nn.SmoothL1Loss(beta=0.7, **k), A, B),
    "SmoothL1Loss 0": (lambda nn, **k: nn.SmoothL1Loss(beta=0, **k), A, B),
    "HuberLoss": (lambda nn, **k: nn.HuberLoss(delta=0.7, **k), A, B),
    "BCELoss": (lambda nn, **k: nn.BCELoss(**k), P, Q),
    "BCEWithLogitsLoss": (lambda nn, **k: nn.BCEWithLogitsLoss(**k), A * 30, Q),
    "BCEWithLogitsLoss 0": (lambda nn, **k: nn.BCEWithLogitsLoss(**k), A * 0, Q),
    "KLDivLoss": (lambda nn, **k: nn.KLDivLoss(**k), LOGP, np.where(DIST < 0.1, 0, DIST)),
    "KLDivLoss log": (lambda nn, **k: nn.KLDivLoss(log_target=True, **k), LOGP, np.log(DIST)),
}


@pytest.mark.filterwarnings("ignore:reduction. .mean. divides")
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", PAIRS)
def test_pair_losses(name, reduction):
    make, a, b = PAIRS[name]
    if reduction == "mean" and name.startswith("KL"):
        reduction = "batchmean"
    ours, theirs = make(wb.nn, reduction=reduction), make(torch.nn, reduction=reduction)
    assert repr(ours) == repr(theirs)
    (x, y), (t, u) = both(a, grad=True), both(b, grad=True)
    got, want = ours(x, t), theirs(y, u)
    same(got, want)
    got.sum().backward()
    want.sum().backward()
    same(x.grad, y.grad, 1e-9)
    if "KL" not in name:
        same(t.grad, u.grad, 1e-9)


def test_weights_of_binary_losses():
    weight, other = both(rng.uniform(size=(4, 5)))
    pos, spos = both(rng.uniform(size=5))
    (x, y), (t, u) = both(A), both(Q)
    same(
        wb.nn.BCEWithLogitsLoss(weight, pos_weight=pos)(x, t),
        torch.nn.BCEWithLogitsLoss(other, pos_weight=spos)(y, u),
    )
    (x, y) = both(P)
    same(wb.nn.BCELoss(weight)(x, t), torch.nn.BCELoss(other)(y, u))
    x, y = both(EDGES)
    t, u = both(1 - EDGES)
    same(F.binary_cross_entropy(x, t), torch.nn.functional.binary_cross_entropy(y, u))


CLASS_SHAPES = {
    "plain": ((4, 3), (4,)),
    "one": ((3,), ()),
    "planes": ((2, 3, 4, 2), (2, 4, 2)),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("name", CLASS_SHAPES)
def test_cross_entropy_with_classes(name, smoothing, weighted, reduction):
    shape, target_shape = CLASS_SHAPES[name]
    local = np.random.default_rng(3)
    x, y = both(local.normal(size=shape) * 3, grad=True)
    labels = local.integers(0, 3, target_shape)
    if labels.ndim:
        labels.reshape(-1)[:2] = [0, 1]
    t, u = both(np.asarray(labels))
    w, v = both(local.uniform(0.5, 2, 3))
    options = {"ignore_index": 1 if labels.ndim else -100, "reduction": reduction}
    if smoothing:
        options["label_smoothing"] = smoothing
    got = wb.nn.CrossEntropyLoss(w if weighted else None, **options)(x, t)
    want = torch.nn.CrossEntropyLoss(v if weighted else None, **options)(y, u)
    same(got, want)
    got.sum().backward()
    want.sum().backward()
    same(x.grad, y.grad)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("shape", [(4, 3), (3,), (2, 3, 4)])
def test_cross_entropy_with_probabilities(shape, smoothing, reduction):
    local = np.random.default_rng(3)
    x, y = both(local.normal(size=shape), grad=True)
    t, u = both(local.uniform(size=shape), grad=True)
    w, v = both(local.uniform(0.5, 2, 3))
    options = {"reduction": reduction, "label_smoothing": smoothing}
    got = F.cross_entropy(x, t, w, **options)
    want = torch.nn.functional.cross_entropy(y, u, v, **options)
    same(got, want)
    got.sum().backward()
    want.sum().backward()
    same(x.grad, y.grad)
    same(t.grad, u.grad)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", CLASS_SHAPES)
def test_nll(name, reduction):
    shape, target_shape = CLASS_SHAPES[name]
    local = np.random.default_rng(3)
    x, y = both(local.normal(size=shape), grad=True)
    t, u = both(np.asarray(local.integers(0, 2, target_shape)))
    w, v = both(local.uniform(0.5, 2, 3))
    got = wb.nn.NLLLoss(w, ignore_index=2, reduction=reduction)(x, t)
    want = torch.nn.NLLLoss(v, ignore_index=2, reduction=reduction)(y, u)
    same(got, want)
    got.sum().backward()
    want.sum().backward()
    same(x.grad, y.grad)


@pytest.mark.parametrize("log_input", [True, False])
@pytest.mark.parametrize("full", [True, False])
def test_poisson(log_input, full):
    (x, y), (t, u) = both(P, grad=True), both(np.round(Q * 5))
    options = {"log_input": log_input, "full": full}
    same(F.poisson_nll_loss(x, t, **options), torch.nn.functional.poisson_nll_loss(y, u, **options))


def test_the_class_weight_is_in_the_state_of_a_loss():
    assert list(wb.nn.CrossEntropyLoss(wb.ones(3)).state_dict()) == ["weight"]
    assert list(wb.nn.CrossEntropyLoss().state_dict()) == []
    assert list(wb.nn.BCEWithLogitsLoss(pos_weight=wb.ones(3)).state_dict()) == ["pos_weight"]


BAD = [
    (lambda nn, z: nn.CrossEntropyLoss()(z(3, 4), z(3).long() + 4), IndexError),
    (lambda nn, z: nn.CrossEntropyLoss()(z(3, 4), z(3).long() - 1), IndexError),
    (lambda nn, z: nn.CrossEntropyLoss()(z(3, 4), z(2).long()), ValueError),
    (lambda nn, z: nn.CrossEntropyLoss()(z(3, 4), z(3)), RuntimeError),
    (lambda nn, z: nn.CrossEntropyLoss(z(3))(z(3, 4), z(3).long()), RuntimeError),
    (lambda nn, z: nn.BCELoss()(z(3) + 2, z(3)), RuntimeError),
    (lambda nn, z: nn.BCELoss()(z(3), z(4)), ValueError),
    (lambda nn, z: nn.BCEWithLogitsLoss()(z(3), z(3, 1)), ValueError),
    (lambda nn, z: nn.MSELoss(reduction="avg")(z(3), z(3)), ValueError),
    (lambda nn, z: nn.functional.huber_loss(z(3), z(3), delta=-1), RuntimeError),
    (lambda nn, z: nn.functional.smooth_l1_loss(z(3), z(3), beta=-1), RuntimeError),
]


@pytest.mark.parametrize(("call", "kind"), BAD)
def test_errors_are_of_torchs_kind(call, kind):
    with pytest.raises(kind):
        call(torch.nn, torch.zeros)
    with pytest.raises(kind):
        call(wb.nn, wb.zeros)


def test_shapes_that_only_broadcast_are_warned_about():
    with pytest.warns(UserWarning, match="different to the input size"):
        F.mse_loss(wb.zeros(3, 1), wb.zeros(3))


@pytest.mark.filterwarnings("ignore:size_average and reduce")
def test_old_switches():
    a, b = wb.tensor([1.0, 2.0]), wb.tensor([3.0, 5.0])
    assert F.mse_loss(a, b, size_average=False).item() == 13
    assert F.mse_loss(a, b, reduce=False).tolist() == [4.0, 9.0]
