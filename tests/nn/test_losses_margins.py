"""The losses with margins, Gaussian and CTC losses against torch: values, gradients, errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from torch_twins import both, placed, same, torch

import workbench as wb
from workbench.autograd import gradcheck, gradgradcheck

rng = np.random.default_rng(0)
A, B, C = (rng.normal(size=(4, 5)) for _ in range(3))
SIGNS = np.where(rng.uniform(size=(4, 5)) < 0.5, -1.0, 1.0)
LABELS = rng.integers(0, 5, 4)
LISTS = np.array([[0, 3, -1, 2, 1], [-1, 0, 0, 0, 0], [4, 2, 1, 0, 3], [2, 2, -1, -1, -1]])
POSITIVE = rng.uniform(0.1, 2, (4, 5))

# name -> (layer, arrays); every float array gets a gradient
CASES = {
    "hinge embedding": (lambda nn, **k: nn.HingeEmbeddingLoss(0.5, **k), (A, SIGNS)),
    "hinge embedding other": (lambda nn, **k: nn.HingeEmbeddingLoss(**k), (A, SIGNS.round() * 0)),
    "hinge embedding ints": (lambda nn, **k: nn.HingeEmbeddingLoss(**k), (A, SIGNS.astype(int))),
    "margin ranking": (lambda nn, **k: nn.MarginRankingLoss(0.3, **k), (A, B, SIGNS)),
    "margin ranking tie": (lambda nn, **k: nn.MarginRankingLoss(0, **k), (A, A, SIGNS)),
    "cosine embedding": (lambda nn, **k: nn.CosineEmbeddingLoss(0.1, **k), (A, B, SIGNS[:, 0])),
    "cosine embedding one": (
        lambda nn, **k: nn.CosineEmbeddingLoss(**k),
        (A[0], B[0], np.array(-1)),
    ),
    "cosine embedding zeros": (
        lambda nn, **k: nn.CosineEmbeddingLoss(**k),
        (A * 0, B, np.array([1, -1, 0, 1])),
    ),
    "multi margin": (lambda nn, **k: nn.MultiMarginLoss(**k), (A, LABELS)),
    "multi margin 2": (lambda nn, **k: nn.MultiMarginLoss(2, 0.4, **k), (A, LABELS)),
    "multi margin one": (lambda nn, **k: nn.MultiMarginLoss(**k), (A[0], np.array(2))),
    "multi margin one in a row": (lambda nn, **k: nn.MultiMarginLoss(**k), (A[0], np.array([2]))),
    "multi margin none": (lambda nn, **k: nn.MultiMarginLoss(**k), (A[:0], LABELS[:0])),
    "multilabel margin": (lambda nn, **k: nn.MultiLabelMarginLoss(**k), (A, LISTS)),
    "multilabel margin one": (lambda nn, **k: nn.MultiLabelMarginLoss(**k), (A[0], LISTS[0])),
    "multilabel soft margin": (
        lambda nn, **k: nn.MultiLabelSoftMarginLoss(**k),
        (A, (SIGNS > 0).astype(float)),
    ),
    "multilabel soft margin one": (
        lambda nn, **k: nn.MultiLabelSoftMarginLoss(**k),
        (A[0], (SIGNS[0] > 0).astype(float)),
    ),
    "soft margin": (lambda nn, **k: nn.SoftMarginLoss(**k), (A * 20, SIGNS.astype(int))),
    "triplet": (lambda nn, **k: nn.TripletMarginLoss(**k), (A, B, C)),
    "triplet swap": (lambda nn, **k: nn.TripletMarginLoss(2.0, 1, swap=True, **k), (A, B, C)),
    "triplet 3": (lambda nn, **k: nn.TripletMarginLoss(0.5, 3.0, 1e-3, **k), (A, B, C)),
    "triplet one": (lambda nn, **k: nn.TripletMarginLoss(**k), (A[0], B[0], C[0])),
    "triplet distance": (lambda nn, **k: nn.TripletMarginWithDistanceLoss(**k), (A, B, C)),
    "triplet own distance": (
        lambda nn, **k: nn.TripletMarginWithDistanceLoss(
            distance_function=nn.CosineSimilarity(), swap=True, margin=0.2, **k
        ),
        (A, B, C),
    ),
    "gaussian": (lambda nn, **k: nn.GaussianNLLLoss(**k), (A, B, POSITIVE)),
    "gaussian full": (lambda nn, **k: nn.GaussianNLLLoss(full=True, **k), (A, B, POSITIVE[:, 0])),
    "gaussian one": (lambda nn, **k: nn.GaussianNLLLoss(**k), (A, B, POSITIVE[:, :1])),
    "gaussian small": (lambda nn, **k: nn.GaussianNLLLoss(eps=0.5, **k), (A, B, POSITIVE)),
    "poisson": (lambda nn, **k: nn.PoissonNLLLoss(full=True, **k), (A, POSITIVE * 3)),
    "poisson rate": (lambda nn, **k: nn.PoissonNLLLoss(False, **k), (POSITIVE, POSITIVE * 3)),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", CASES)
def test_as_torch(name, reduction):
    make, arrays = CASES[name]
    ours, theirs = make(wb.nn, reduction=reduction), make(torch.nn, reduction=reduction)
    assert repr(ours) == repr(theirs)
    pairs = [both(np.asarray(a), grad=True) for a in arrays]
    got, want = ours(*(p[0] for p in pairs)), theirs(*(p[1] for p in pairs))
    same(got, want)
    if not want.numel():
        return
    weights = np.cos(np.arange(got.numel())).reshape(tuple(got.shape))
    (got * placed(weights)).sum().backward()
    (want * torch.from_numpy(weights)).sum().backward()
    for mine, other in pairs:
        if other.grad is not None:
            same(mine.grad, other.grad, 1e-9)


def test_weights():
    for make, target in (
        (lambda nn, w: nn.MultiMarginLoss(weight=w), LABELS),
        (lambda nn, w: nn.MultiLabelSoftMarginLoss(w), (SIGNS > 0).astype(float)),
    ):
        w, v = both(POSITIVE[0])
        (x, y), (t, u) = both(A, grad=True), both(target)
        ours, theirs = make(wb.nn, w), make(torch.nn, v)
        assert list(ours.state_dict()) == list(theirs.state_dict()) == ["weight"]
        got, want = ours(x, t), theirs(y, u)
        same(got, want)
        got.backward()
        want.backward()
        same(x.grad, y.grad)


DIFFERENTIABLE = {
    "cosine": lambda x, y, z: wb.nn.functional.cosine_embedding_loss(x, y, wb.tensor([1, -1] * 2)),
    "gaussian": lambda x, y, z: wb.nn.functional.gaussian_nll_loss(x, y, z * z + 0.1),
    "triplet": lambda x, y, z: wb.nn.functional.triplet_margin_loss(x, y, z, margin=5.0),
    "soft": lambda x, y, z: wb.nn.functional.soft_margin_loss(x, wb.tensor(SIGNS)),
    "multi": lambda x, y, z: wb.nn.functional.multi_margin_loss(x, wb.tensor(LABELS), p=2),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_second_order(name):
    leaves = [wb.tensor(a, requires_grad=True) for a in (A, B, C)]
    call = DIFFERENTIABLE[name]
    assert gradcheck(call, leaves)
    assert gradgradcheck(call, leaves)


# -- CTC -------------------------------------------------------------------------------------------

T, N, K = 9, 3, 5
LOGITS = rng.normal(size=(T, N, K)) * 2
PADDED = np.array([[1, 2, 2, 4], [3, 1, 0, 0], [4, 4, 4, 4]])
LENGTHS, SIZES = (9, 7, 8), (4, 2, 3)
CTC = {
    "padded": (PADDED, LENGTHS, SIZES, {}),
    "padded int32": (PADDED.astype(np.int32), LENGTHS, SIZES, {}),
    "concatenated": (np.array([1, 2, 2, 4, 3, 1, 4, 4, 4]), LENGTHS, SIZES, {}),
    "last blank": (PADDED % 4, LENGTHS, SIZES, {"blank": 4}),
    "an empty label": (PADDED, LENGTHS, (4, 0, 3), {}),
    "no labels at all": (PADDED, LENGTHS, (0, 0, 0), {}),
    "too long": (PADDED, (5, 2, 4), SIZES, {"zero_infinity": True}),
    "too long, inf": (PADDED, (5, 2, 4), SIZES, {}),
    "no frames": (PADDED, (9, 0, 0), (4, 0, 1), {"zero_infinity": True}),
    "the blank as a label": (np.array([[1, 0, 2, 4], [3, 0, 0, 0], [4, 4, 4, 4]]), LENGTHS, SIZES,
                             {}),
}  # fmt: skip


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("name", CTC)
def test_ctc(name, normalised, reduction):
    labels, lengths, sizes, options = CTC[name]
    pairs = [both(LOGITS, grad=True), both(labels), both(np.array(lengths)), both(np.array(sizes))]
    made = []
    for lib, (x, *rest) in ((wb, [p[0] for p in pairs]), (torch, [p[1] for p in pairs])):
        log_probs = x.log_softmax(2) if normalised else x
        made.append(lib.nn.CTCLoss(reduction=reduction, **options)(log_probs, *rest))
    got, want = made
    same(got, want)
    if name == "the blank as a label":  # no proper label: torch's gradient misses a path there
        return
    if torch.isinf(want).any():
        finite = torch.isfinite(want)
        if reduction != "none" or not finite.any():
            return
        got, want = got[placed(finite.numpy())], want[finite]
    got.sum().backward()
    want.sum().backward()
    same(pairs[0][0].grad, pairs[0][1].grad)


def test_ctc_of_one_sample_and_lengths_as_tuples():
    x, y = both(LOGITS[:, 0])
    t, u = both(PADDED[0])
    for reduction in ("mean", "none"):
        same(
            wb.nn.functional.ctc_loss(x, t, (9,), (4,), reduction=reduction),
            torch.nn.functional.ctc_loss(y, u, (9,), (4,), reduction=reduction),
        )
    x, y = both(LOGITS)
    t, u = both(PADDED)
    same(
        wb.nn.functional.ctc_loss(x, t, LENGTHS, SIZES),
        torch.nn.functional.ctc_loss(y, u, LENGTHS, SIZES),
    )


def test_ctc_second_order_and_long_sequences():
    x = wb.tensor(LOGITS, requires_grad=True)

    def loss(x):
        return wb.nn.functional.ctc_loss(x.log_softmax(2), wb.tensor(PADDED), LENGTHS, SIZES)

    assert gradcheck(loss, [x])
    assert gradgradcheck(loss, [x])
    long = np.random.default_rng(1).normal(size=(400, 2, 6)).astype(np.float32)
    labels = np.random.default_rng(2).integers(1, 6, (2, 80))
    (x, y), (t, u) = both(long, grad=True), both(labels)
    got = wb.nn.functional.ctc_loss(x.log_softmax(2), t, (400, 390), (80, 71))
    want = torch.nn.functional.ctc_loss(y.log_softmax(2), u, (400, 390), (80, 71))
    same(got, want, 1e-4)
    got.backward()
    want.backward()
    same(x.grad, y.grad, 1e-4)


# -- input that must be refused --------------------------------------------------------------------


def z(lib, *shape):
    return lib.full(shape, 0.25)


REFUSED = {
    "margin ranking dims": lambda nn, L: nn.functional.margin_ranking_loss(
        z(L, 3), z(L, 2, 3), z(L, 3)
    ),
    "cosine 2d target": lambda nn, L: nn.functional.cosine_embedding_loss(
        z(L, 2, 3), z(L, 2, 3), z(L, 2, 3)
    ),
    "cosine 1d input": lambda nn, L: nn.functional.cosine_embedding_loss(z(L, 3), z(L, 3), z(L, 1)),
    "cosine shapes": lambda nn, L: nn.functional.cosine_embedding_loss(
        z(L, 2, 3), z(L, 4, 3), z(L, 2)
    ),
    "triplet margin": lambda nn, L: nn.TripletMarginLoss(margin=0),
    "triplet distance margin": lambda nn, L: nn.TripletMarginWithDistanceLoss(margin=-1.0),
    "triplet f margin": lambda nn, L: nn.functional.triplet_margin_loss(
        z(L, 3), z(L, 3), z(L, 3), margin=-1
    ),
    "triplet dims": lambda nn, L: nn.functional.triplet_margin_loss(z(L, 3), z(L, 3), z(L, 2, 3)),
    "multi margin p": lambda nn, L: nn.MultiMarginLoss(p=3),
    "multi margin weight": lambda nn, L: nn.MultiMarginLoss(weight=z(L, 2, 3)),
    "multi margin weights": lambda nn, L: nn.functional.multi_margin_loss(
        z(L, 2, 3), L.tensor([0, 1]), weight=z(L, 2)
    ),
    "multi margin 3d": lambda nn, L: nn.functional.multi_margin_loss(
        z(L, 2, 3, 4), L.tensor([0, 1])
    ),
    "multi margin class": lambda nn, L: nn.functional.multi_margin_loss(
        z(L, 2, 3), L.tensor([0, 3])
    ),
    "multi margin batch": lambda nn, L: nn.functional.multi_margin_loss(
        z(L, 2, 3), L.tensor([0, 1, 1])
    ),
    "multi margin int32": lambda nn, L: nn.functional.multi_margin_loss(
        z(L, 2, 3), L.tensor([0, 1]).int()
    ),
    "multi margin ints": lambda nn, L: nn.functional.multi_margin_loss(
        L.tensor([1, 2, 3]), L.tensor([0])
    ),
    "multilabel class": lambda nn, L: nn.functional.multilabel_margin_loss(
        z(L, 3), L.tensor([0, 3, -1])
    ),
    "multilabel shape": lambda nn, L: nn.functional.multilabel_margin_loss(
        z(L, 2, 3), L.tensor([0, 1, -1])
    ),
    "multilabel floats": lambda nn, L: nn.functional.multilabel_margin_loss(
        z(L, 2, 3), z(L, 2, 3)
    ),
    "multilabel soft 0d": lambda nn, L: nn.functional.multilabel_soft_margin_loss(z(L), z(L)),
    "multilabel soft reduction": lambda nn, L: nn.functional.multilabel_soft_margin_loss(
        z(L, 2), z(L, 2), reduction="x"
    ),
    "soft ints": lambda nn, L: nn.functional.soft_margin_loss(L.tensor([1, 2]), L.tensor([1, -1])),
    "gaussian negative": lambda nn, L: nn.functional.gaussian_nll_loss(
        z(L, 2, 3), z(L, 2, 3), -z(L, 2, 3)
    ),
    "gaussian negative number": lambda nn, L: nn.functional.gaussian_nll_loss(
        z(L, 2, 3), z(L, 2, 3), -1.0
    ),
    "gaussian int": lambda nn, L: nn.functional.gaussian_nll_loss(z(L, 2, 3), z(L, 2, 3), 1),
    "gaussian size": lambda nn, L: nn.functional.gaussian_nll_loss(z(L, 2, 3), z(L, 2, 3), z(L, 3)),
    "gaussian reduction": lambda nn, L: nn.functional.gaussian_nll_loss(
        z(L, 2), z(L, 2), z(L, 2), reduction="x"
    ),
    "poisson reduction": lambda nn, L: nn.functional.poisson_nll_loss(
        z(L, 2), z(L, 2), reduction="x"
    ),
    "ctc blank": lambda nn, L: ctc(nn, L, blank=5),
    "ctc frames": lambda nn, L: ctc(nn, L, lengths=(10, 7, 8)),
    "ctc negative": lambda nn, L: ctc(nn, L, lengths=(-1, 7, 8)),
    "ctc labels": lambda nn, L: ctc(nn, L, sizes=(5, 2, 3)),
    "ctc batch": lambda nn, L: ctc(nn, L, lengths=(9, 7)),
    "ctc batch of labels": lambda nn, L: ctc(nn, L, sizes=(4, 2)),
    "ctc float lengths": lambda nn, L: ctc(
        nn, L, lengths=L.tensor([9.0, 7, 8]), sizes=L.tensor(SIZES)
    ),
    "ctc concatenated": lambda nn, L: ctc(nn, L, labels=L.tensor([1, 2])),
    "ctc half": lambda nn, L: nn.functional.ctc_loss(
        z(L, T, N, K).half(), L.tensor(PADDED), LENGTHS, SIZES
    ),
    "ctc reduction": lambda nn, L: ctc(nn, L, reduction="x"),
    "ctc empty": lambda nn, L: nn.functional.ctc_loss(z(L, T, 0, K), L.tensor(PADDED[:0]), (), ()),
}  # fmt: skip


def ctc(nn, L, labels=None, lengths=LENGTHS, sizes=SIZES, **options):
    labels = L.tensor(PADDED) if labels is None else labels
    return nn.functional.ctc_loss(z(L, T, N, K), labels, lengths, sizes, **options)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_torch_refuses(name):
    call = REFUSED[name]
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - whatever torch raises is what we want
        call(torch.nn, torch)
    with pytest.raises(theirs.type) as ours:
        call(wb.nn, wb)
    assert str(ours.value)


WARNED = {
    "old switches": (lambda F, L: F.mse_loss(z(L, 2), z(L, 2), size_average=False), UserWarning),
    "old switch": (lambda F, L: F.soft_margin_loss(z(L, 2), z(L, 2), reduce=False), UserWarning),
    "old name": (
        lambda F, L: F.huber_loss(z(L, 2), z(L, 2), reduction="elementwise_mean"), UserWarning,
    ),
    "broadcast": (lambda F, L: F.l1_loss(z(L, 2, 3), z(L, 3)), UserWarning),
    "broadcast smooth": (lambda F, L: F.smooth_l1_loss(z(L, 2, 3), z(L, 3)), UserWarning),
    "divergence": (lambda F, L: F.kl_div(z(L, 2), z(L, 2)), UserWarning),
}  # fmt: skip


@pytest.mark.parametrize("name", WARNED)
def test_warns_as_torch_warns(name):
    call, kind = WARNED[name]
    with pytest.warns(kind):
        want = call(torch.nn.functional, torch)
    with pytest.warns(kind) as seen:
        got = call(wb.nn.functional, wb)
    assert seen[0].filename == __file__
    same(got, want, 1e-6)


def test_old_names_of_layers_warn():
    with pytest.warns(FutureWarning, match="NLLLoss2d"):
        wb.nn.NLLLoss2d()
    with pytest.warns(UserWarning, match="reduction='sum'"):
        assert wb.nn.L1Loss(size_average=False).reduction == "sum"


def test_weighted_pairs():
    for name in ("mse_loss", "l1_loss", "huber_loss"):
        for reduction in ("none", "mean", "sum"):
            pairs = [both(a, grad=True) for a in (A, B, POSITIVE)]
            results = []
            for F, i in ((wb.nn.functional, 0), (torch.nn.functional, 1)):
                x, t, w = (p[i] for p in pairs)
                results.append(getattr(F, name)(x, t, reduction=reduction, weight=w))
                results[-1].sum().backward()
            same(*results)
            for mine, other in pairs:
                same(mine.grad, other.grad)
        with pytest.raises(ValueError, match="same size"):
            getattr(wb.nn.functional, name)(wb.ones(2, 3), wb.ones(2, 3), weight=wb.ones(3))


def test_no_warning_without_cause():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wb.nn.KLDivLoss(reduction="batchmean")(wb.zeros(2, 3), wb.ones(2, 3))
