"""Functions of nn.functional that torch has at the top too, with the signatures they have there."""

from __future__ import annotations

import numpy as np
import pytest
from torch_twins import torch

import workbench as wb

rng = np.random.default_rng(0)
A, B, C = (rng.normal(size=(4, 3)) for _ in range(3))
ONES = np.ones(3)

CALLS = {
    "batch_norm": lambda L, t: L.batch_norm(
        t(A), t(ONES), t(ONES), None, None, True, 0.1, 1e-5, False
    ),
    "instance_norm": lambda L, t: L.instance_norm(
        t(A[None]), None, None, None, None, True, 0.1, 1e-5, False
    ),
    "layer_norm": lambda L, t: L.layer_norm(t(A), (3,), t(ONES)),
    "group_norm": lambda L, t: L.group_norm(t(A), 3),
    "rms_norm": lambda L, t: L.rms_norm(t(A), (3,)),
    "embedding": lambda L, t: L.embedding(t(A), t(np.array([1, 0, 3]))),
    "ctc_loss": lambda L, t: L.ctc_loss(
        t(A[:, None]), t(np.array([[1]])), t(np.array([4])), t(np.array([1])), 0, 2
    ),
    "kl_div": lambda L, t: L.kl_div(t(A), t(B), 1, log_target=True),
    "poisson_nll_loss": lambda L, t: L.poisson_nll_loss(t(A), t(abs(B)), True, False, 1e-8, 0),
    "binary_cross_entropy_with_logits": lambda L, t: L.binary_cross_entropy_with_logits(
        t(A), t(abs(B)), None, t(ONES * 2), 2
    ),
    "hinge_embedding_loss": lambda L, t: L.hinge_embedding_loss(t(A), t(np.sign(B)), 1.0, 0),
    "margin_ranking_loss": lambda L, t: L.margin_ranking_loss(t(A), t(B), t(np.sign(C)), 0.5, 1),
    "cosine_embedding_loss": lambda L, t: L.cosine_embedding_loss(
        t(A), t(B), t(np.array([1, -1, 1, -1])), 0.1, 2
    ),
    "triplet_margin_loss": lambda L, t: L.triplet_margin_loss(
        t(A), t(B), t(C), 1.0, 2, 1e-6, False, 0
    ),
    "cosine_similarity": lambda L, t: L.cosine_similarity(t(A), t(B)),
    "pairwise_distance": lambda L, t: L.pairwise_distance(t(A), t(B)),
    "pdist": lambda L, t: L.pdist(t(A)),
    "celu": lambda L, t: L.celu(t(A), 0.5),
    "selu_": lambda L, t: L.selu_(t(A)),
    "threshold": lambda L, t: L.threshold(t(A), 0.1, 2.0),
    "prelu": lambda L, t: L.prelu(t(A), t(ONES)),
    "hardshrink": lambda L, t: L.hardshrink(t(A), 0.3),
    "rrelu": lambda L, t: L.rrelu(t(A)),
    "dropout": lambda L, t: L.dropout(t(A), 0.5, False),
    "feature_dropout_": lambda L, t: L.feature_dropout_(t(A), 0.0, True),
    "alpha_dropout": lambda L, t: L.alpha_dropout(t(A), 0.5, False),
    "feature_alpha_dropout": lambda L, t: L.feature_alpha_dropout(t(A), 1.0, True),
}


@pytest.mark.parametrize("name", CALLS)
def test_as_torch(name):
    call = CALLS[name]
    want = call(torch, lambda a: torch.from_numpy(a.copy()))
    got = call(wb, lambda a: wb.from_numpy(a.copy()))
    assert tuple(got.shape) == tuple(want.shape)
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-10, atol=1e-10)


def test_linear_cross_entropy():
    F, T = wb.nn.functional, torch.nn.functional
    for sides in ((), (2,)):
        labels = rng.integers(0, 5, (4, *sides))
        weight, bias = rng.normal(size=(5, *sides, 3)), rng.normal(size=(5, *sides))
        for options in ({}, {"reduction": "none"}, {"ignore_index": 1, "label_smoothing": 0.1}):
            results = []
            for lib, f in ((wb, F), (torch, T)):
                x, w, b = (lib.tensor(a, requires_grad=True) for a in (A, weight, bias))
                loss = f.linear_cross_entropy(x, w, lib.tensor(labels), linear_bias=b, **options)
                loss.sum().backward()
                results.append([loss.detach(), x.grad, w.grad, b.grad])
            for mine, other in zip(*results, strict=True):
                np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-9, atol=1e-9)
    ours = wb.nn.LinearCrossEntropyLoss(3, 5, out_features=(2,), bias=True).double()
    theirs = torch.nn.LinearCrossEntropyLoss(3, 5, out_features=(2,), bias=True).double()
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({k: torch.from_numpy(v.numpy()) for k, v in ours.state_dict().items()})
    labels = rng.integers(0, 5, (4, 2))
    got, want = ours(wb.tensor(A), wb.tensor(labels)), theirs(torch.tensor(A), torch.tensor(labels))
    assert got.item() == pytest.approx(want.item())
    with pytest.raises(RuntimeError, match="in_features"):
        F.linear_cross_entropy(wb.ones(4, 3), wb.ones(5, 4), wb.zeros(4).long())
    with pytest.raises(ValueError, match="acc_policy"):
        wb.nn.LinearCrossEntropyOptions(acc_policy="x")
