"""nn.functional's compositions against torch."""

from __future__ import annotations

import numpy as np
import pytest
from torch_twins import both, placed, same, torch

import workbench as wb
import workbench.nn.functional as F

T = torch.nn.functional
X = np.random.default_rng(0).normal(size=(2, 3, 6, 5))
KINKS = np.array([-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0])

PADS = [
    ((1, 2), "constant", 0.5),
    ((0, 1, 2, 0), "constant", None),
    ((1, 1, 2, 2, 0, 1), "constant", None),
    ((-1, 1, 2, -2), "constant", None),
    ((2, 1, 1, 3), "reflect", None),
    ((2, 1, 1, 3), "replicate", None),
    ((2, 1, 1, 3), "circular", None),
]


@pytest.mark.parametrize(("widths", "mode", "value"), PADS)
def test_pad(widths, mode, value):
    x, y = both(X, grad=True)
    options = {} if value is None else {"value": value}
    got, want = F.pad(x, widths, mode, **options), T.pad(y, widths, mode, **options)
    same(got, want)
    weights = np.cos(np.arange(got.numel())).reshape(tuple(got.shape))
    (got * placed(weights)).sum().backward()
    (want * torch.from_numpy(weights)).sum().backward()
    same(x.grad, y.grad)


@pytest.mark.parametrize(
    ("widths", "mode", "kind"),
    [
        ((1, 2, 3), "constant", RuntimeError),
        ((1,) * 10, "constant", RuntimeError),
        ((5, 0), "reflect", RuntimeError),
        ((6, 0), "circular", RuntimeError),
        ((1, 1), "mirror", NotImplementedError),
        ((-3, -3), "constant", RuntimeError),
    ],
)
def test_pad_refuses(widths, mode, kind):
    with pytest.raises(kind):
        F.pad(wb.zeros(2, 3, 6, 5), widths, mode)


KINKED = [
    "relu", "relu6", "hardtanh", "hardsigmoid", "hardswish", "logsigmoid", "softsign", "celu",
    "hardshrink", "softshrink", "leaky_relu", "elu", "selu", "silu", "mish", "gelu", "softplus",
    "tanhshrink",
]  # fmt: skip


@pytest.mark.parametrize("name", KINKED)
def test_slopes_at_kinks(name):
    x, y = both(KINKS, grad=True)
    got, want = getattr(F, name)(x), getattr(T, name)(y)
    same(got, want)
    got.sum().backward()
    want.sum().backward()
    same(x.grad, y.grad, 1e-7)


def test_logsigmoid_and_softplus_do_not_overflow():
    x = wb.tensor([-1e4, 1e4], requires_grad=True)
    out = F.logsigmoid(x)
    assert out.tolist() == [-1e4, 0.0]
    out.sum().backward()
    assert x.grad.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize("dim", [0, -1])
def test_softmax_family(name, dim):
    x, y = both(X, grad=True)
    got, want = getattr(F, name)(x, dim), getattr(T, name)(y, dim)
    same(got, want)
    (got * got).sum().backward()
    (want * want).sum().backward()
    same(x.grad, y.grad)
    single = getattr(F, name)(x, dim, dtype=wb.float32)
    assert single.dtype is wb.float32


def test_gumbel_softmax():
    logits = wb.randn(200, 5, requires_grad=True)
    soft = F.gumbel_softmax(logits, tau=0.5)
    np.testing.assert_allclose(soft.sum(1).detach().numpy(), 1, rtol=1e-5)
    hard = F.gumbel_softmax(logits, hard=True)
    values = hard.detach().numpy()
    assert np.allclose(np.sort(values, axis=1), [0, 0, 0, 0, 1], atol=1e-6)
    (hard * wb.randn(200, 5)).sum().backward()
    assert logits.grad.abs().sum() > 0


@pytest.mark.parametrize("causal", [False, True])
def test_attention(causal):
    rng = np.random.default_rng(0)
    parts = [both(rng.normal(size=(2, 3, 4, n)), grad=True) for n in (5, 5, 6)]
    got = F.scaled_dot_product_attention(*(p[0] for p in parts), is_causal=causal)
    want = T.scaled_dot_product_attention(*(p[1] for p in parts), is_causal=causal)
    same(got, want)
    (got * got).sum().backward()
    (want * want).sum().backward()
    for ours, theirs in parts:
        same(ours.grad, theirs.grad)


def test_attention_masks_scale_and_groups():
    rng = np.random.default_rng(0)
    (q, tq), (k, tk), (v, tv) = (both(rng.normal(size=(2, h, 4, 5))) for h in (4, 2, 2))
    mask, tmask = both(rng.uniform(size=(4, 4)) > 0.4)
    mask.array[:, 0] = True
    tmask[:, 0] = True
    options = {"enable_gqa": True, "scale": 0.3}
    same(
        F.scaled_dot_product_attention(q, k, v, mask, **options),
        T.scaled_dot_product_attention(tq, tk, tv, tmask, **options),
    )
    added, tadded = both(rng.normal(size=(4, 4)))
    same(
        F.scaled_dot_product_attention(q, k, v, added, **options),
        T.scaled_dot_product_attention(tq, tk, tv, tadded, **options),
    )
    with pytest.raises(RuntimeError, match="is_causal"):
        F.scaled_dot_product_attention(q, q, q, mask, is_causal=True)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_normalize_and_distances(p):
    (x, y), (a, b) = both(X[0, 0], grad=True), both(X[0, 1], grad=True)
    got, want = F.normalize(x, p), T.normalize(y, p)
    same(got, want)
    got, want = F.pairwise_distance(x, a, p), T.pairwise_distance(y, b, p)
    same(got, want)
    got, want = F.cosine_similarity(x, a), T.cosine_similarity(y, b)
    same(got, want)
    got.sum().backward()
    want.sum().backward()
    same(x.grad, y.grad)


def test_one_hot():
    x, y = both(np.array([[1, 0], [3, 1]]))
    same(F.one_hot(x), T.one_hot(y))
    same(F.one_hot(x, 6), T.one_hot(y, 6))
    with pytest.raises(RuntimeError, match="smaller than num_classes"):
        F.one_hot(x, 3)
    with pytest.raises(RuntimeError, match="non-negative"):
        F.one_hot(-x)
    with pytest.raises(RuntimeError, match="LongTensor"):
        F.one_hot(x.float())


def test_instance_norm():
    x, y = both(X, grad=True)
    same(F.instance_norm(x), T.instance_norm(y))


def test_batch_norm_updates_the_running_statistics():
    x, y = both(X)
    mean, tmean = both(np.ones(3))
    var, tvar = both(np.full(3, 2.0))
    same(
        F.batch_norm(x, mean, var, training=True, momentum=0.3),
        T.batch_norm(y, tmean, tvar, training=True, momentum=0.3),
    )
    same(mean, tmean)
    same(var, tvar)
    same(F.batch_norm(x, mean, var), T.batch_norm(y, tmean, tvar))
    with pytest.raises(RuntimeError, match="running_mean"):
        F.batch_norm(x, None, None)


def test_second_derivatives_go_through_layers():
    from workbench.autograd import gradcheck, gradgradcheck

    x = wb.randn(3, 4, dtype=wb.float64, requires_grad=True)
    w = wb.randn(4, dtype=wb.float64, requires_grad=True)

    def layer(x, w):
        return F.rms_norm(F.mish(F.celu(x)), (4,), w).square()

    assert gradcheck(layer, (x, w))
    assert gradgradcheck(layer, (x, w))


def test_every_listed_name_exists_and_has_a_docstring():
    assert len(F.__all__) > 50
    for name in F.__all__:
        assert getattr(F, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = F.nothing
