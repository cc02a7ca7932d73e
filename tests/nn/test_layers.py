"""Every layer against torch's: printing, state, values, gradients of input and parameters."""

from __future__ import annotations

import numpy as np
import pytest
from torch_twins import both, placed, same, torch, twins

import workbench as wb

LAYERS = {
    "Identity": (lambda nn: nn.Identity(3, x=1), (4, 3)),
    "Linear": (lambda nn: nn.Linear(3, 5), (4, 3)),
    "Linear no bias": (lambda nn: nn.Linear(3, 5, bias=False), (2, 4, 3)),
    "Linear 1d": (lambda nn: nn.Linear(3, 5), (3,)),
    "Conv1d": (lambda nn: nn.Conv1d(3, 4, 3, stride=2, padding=1), (2, 3, 9)),
    "Conv1d same": (lambda nn: nn.Conv1d(3, 4, 4, padding="same", dilation=3), (2, 3, 12)),
    "Conv2d": (lambda nn: nn.Conv2d(3, 4, 3), (2, 3, 7, 6)),
    "Conv2d all": (
        lambda nn: nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2), groups=2, bias=False),
        (2, 4, 8, 9),
    ),
    "Conv2d same": (lambda nn: nn.Conv2d(2, 3, (4, 3), padding="same", dilation=2), (2, 2, 9, 8)),
    "Conv2d valid": (lambda nn: nn.Conv2d(2, 3, 3, padding="valid"), (2, 2, 5, 5)),
    "Conv2d reflect": (
        lambda nn: nn.Conv2d(2, 3, 3, padding=(2, 1), padding_mode="reflect"),
        (2, 2, 5, 6),
    ),
    "Conv2d replicate": (
        lambda nn: nn.Conv2d(2, 3, 3, padding="same", padding_mode="replicate"),
        (2, 2, 5, 6),
    ),
    "Conv2d circular": (
        lambda nn: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"),
        (2, 2, 5, 6),
    ),
    "Conv2d unbatched": (lambda nn: nn.Conv2d(2, 3, 3), (2, 5, 6)),
    "MaxPool1d": (lambda nn: nn.MaxPool1d(2), (2, 3, 9)),
    "MaxPool2d": (lambda nn: nn.MaxPool2d(2), (2, 3, 6, 7)),
    "MaxPool2d all": (lambda nn: nn.MaxPool2d((3, 2), 2, 1, ceil_mode=True), (2, 3, 8, 7)),
    "MaxPool2d dilated": (lambda nn: nn.MaxPool2d(2, stride=1, dilation=2), (3, 8, 7)),
    "AvgPool1d": (lambda nn: nn.AvgPool1d(3, 2, 1), (2, 3, 9)),
    "AvgPool2d": (lambda nn: nn.AvgPool2d(2), (2, 3, 6, 7)),
    "AvgPool2d all": (
        lambda nn: nn.AvgPool2d((3, 2), 2, 1, ceil_mode=True, count_include_pad=False),
        (2, 3, 8, 7),
    ),
    "AvgPool2d divisor": (lambda nn: nn.AvgPool2d(2, divisor_override=3), (3, 6, 7)),
    "AdaptiveAvgPool1d": (lambda nn: nn.AdaptiveAvgPool1d(4), (2, 3, 9)),
    "AdaptiveAvgPool2d": (lambda nn: nn.AdaptiveAvgPool2d((3, None)), (2, 3, 8, 7)),
    "AdaptiveMaxPool1d": (lambda nn: nn.AdaptiveMaxPool1d(4), (2, 3, 9)),
    "AdaptiveMaxPool2d": (lambda nn: nn.AdaptiveMaxPool2d((3, 2)), (2, 3, 8, 7)),
    "BatchNorm1d": (lambda nn: nn.BatchNorm1d(3), (6, 3)),
    "BatchNorm1d 3d": (lambda nn: nn.BatchNorm1d(3, eps=1e-2, momentum=0.3), (6, 3, 4)),
    "BatchNorm2d": (lambda nn: nn.BatchNorm2d(3), (4, 3, 5, 2)),
    "BatchNorm2d average": (lambda nn: nn.BatchNorm2d(3, momentum=None), (4, 3, 5, 2)),
    "BatchNorm2d plain": (lambda nn: nn.BatchNorm2d(3, affine=False), (4, 3, 5, 2)),
    "BatchNorm2d stateless": (
        lambda nn: nn.BatchNorm2d(3, track_running_stats=False),
        (4, 3, 5, 2),
    ),
    "BatchNorm3d": (lambda nn: nn.BatchNorm3d(2), (3, 2, 2, 3, 2)),
    "LayerNorm": (lambda nn: nn.LayerNorm(5), (4, 3, 5)),
    "LayerNorm 2d": (lambda nn: nn.LayerNorm([3, 5], eps=1e-3), (4, 3, 5)),
    "LayerNorm no bias": (lambda nn: nn.LayerNorm(5, bias=False), (4, 5)),
    "LayerNorm plain": (lambda nn: nn.LayerNorm(5, elementwise_affine=False), (4, 5)),
    "RMSNorm": (lambda nn: nn.RMSNorm(5), (4, 3, 5)),
    "RMSNorm eps": (lambda nn: nn.RMSNorm((3, 5), eps=1e-3, elementwise_affine=False), (4, 3, 5)),
    "GroupNorm": (lambda nn: nn.GroupNorm(2, 6), (4, 6, 3, 2)),
    "GroupNorm plain": (lambda nn: nn.GroupNorm(3, 6, affine=False), (4, 6)),
    "Dropout off": (lambda nn: nn.Dropout(0.0), (4, 3)),
    "Flatten": (lambda nn: nn.Flatten(), (4, 3, 2)),
    "Flatten dims": (lambda nn: nn.Flatten(0, 1), (4, 3, 2)),
    "Unflatten": (lambda nn: nn.Unflatten(1, (2, -1)), (4, 6, 2)),
    "Unflatten last": (lambda nn: nn.Unflatten(-1, (2, 3)), (4, 6)),
    "ReLU": (lambda nn: nn.ReLU(), (4, 5)),
    "ReLU6": (lambda nn: nn.ReLU6(), (4, 5)),
    "LeakyReLU": (lambda nn: nn.LeakyReLU(0.2), (4, 5)),
    "PReLU": (lambda nn: nn.PReLU(5, 0.1), (4, 5, 2)),
    "PReLU one": (lambda nn: nn.PReLU(), (4, 5)),
    "ELU": (lambda nn: nn.ELU(0.5), (4, 5)),
    "CELU": (lambda nn: nn.CELU(0.5), (4, 5)),
    "SELU": (lambda nn: nn.SELU(), (4, 5)),
    "GELU": (lambda nn: nn.GELU(), (4, 5)),
    "GELU tanh": (lambda nn: nn.GELU("tanh"), (4, 5)),
    "SiLU": (lambda nn: nn.SiLU(), (4, 5)),
    "Mish": (lambda nn: nn.Mish(), (4, 5)),
    "Sigmoid": (lambda nn: nn.Sigmoid(), (4, 5)),
    "Tanh": (lambda nn: nn.Tanh(), (4, 5)),
    "LogSigmoid": (lambda nn: nn.LogSigmoid(), (4, 5)),
    "Softsign": (lambda nn: nn.Softsign(), (4, 5)),
    "Tanhshrink": (lambda nn: nn.Tanhshrink(), (4, 5)),
    "Softplus": (lambda nn: nn.Softplus(2.0, 1.5), (4, 5)),
    "Hardtanh": (lambda nn: nn.Hardtanh(-0.5, 0.7), (4, 5)),
    "Hardsigmoid": (lambda nn: nn.Hardsigmoid(), (4, 5)),
    "Hardswish": (lambda nn: nn.Hardswish(), (4, 5)),
    "Hardshrink": (lambda nn: nn.Hardshrink(0.3), (4, 5)),
    "Softshrink": (lambda nn: nn.Softshrink(0.3), (4, 5)),
    "Threshold": (lambda nn: nn.Threshold(0.1, 20), (4, 5)),
    "GLU": (lambda nn: nn.GLU(1), (4, 6)),
    "Softmax": (lambda nn: nn.Softmax(dim=1), (4, 5)),
    "Softmin": (lambda nn: nn.Softmin(dim=0), (4, 5)),
    "LogSoftmax": (lambda nn: nn.LogSoftmax(dim=-1), (4, 5)),
    "Softmax2d": (lambda nn: nn.Softmax2d(), (2, 3, 2, 2)),
    "Sequential": (
        lambda nn: nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(18, 4)
        ),
        (3, 1, 5, 5),
    ),
}


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel:UserWarning")
@pytest.mark.parametrize("name", LAYERS)
def test_layer_agrees_with_torch(name):
    make, shape = LAYERS[name]
    ours, theirs = twins(make)
    assert repr(make(wb.nn)) == repr(make(torch.nn))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    array = np.random.default_rng(1).normal(size=shape) * 2
    for training in (True, False):
        ours.train(training)
        theirs.train(training)
        x, y = both(array, grad=True)
        # a leaf may pass straight through (Identity); differentiate something computed
        got, want = ours(x * 1), theirs(y * 1)
        same(got, want)
        weights = np.cos(np.arange(got.numel())).reshape(tuple(got.shape))
        (got * placed(weights)).sum().backward()
        (want * torch.from_numpy(weights)).sum().backward()
        # torch computes hard sigmoid's slope in float32
        same(x.grad, y.grad, 1e-7 if name.startswith("Hard") else 1e-8)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            same(p.grad, q.grad, 1e-8)
        for (key, held), other in zip(
            ours.state_dict().items(), theirs.state_dict().values(), strict=True
        ):
            assert held.shape == tuple(other.shape), key
            same(held, other)
        ours.zero_grad()
        theirs.zero_grad()


BILINEAR = [(4,), (2, 3)]


@pytest.mark.parametrize("lead", BILINEAR)
@pytest.mark.parametrize("bias", [True, False])
def test_bilinear_agrees_with_torch(lead, bias):
    ours, theirs = twins(lambda nn: nn.Bilinear(3, 4, 5, bias=bias))
    rng = np.random.default_rng(0)
    (a, b), (c, d) = (both(rng.normal(size=(*lead, n)), grad=True) for n in (3, 4))
    got, want = ours(a, c), theirs(b, d)
    same(got, want)
    got.sum().backward()
    want.sum().backward()
    same(a.grad, b.grad)
    same(ours.weight.grad, theirs.weight.grad)
    assert repr(ours) == repr(theirs)


EMBEDDINGS = {
    "plain": lambda nn: nn.Embedding(7, 3),
    "padding": lambda nn: nn.Embedding(7, 3, padding_idx=-6),
    "max norm": lambda nn: nn.Embedding(7, 3, max_norm=0.5, norm_type=1.0),
    "frequency": lambda nn: nn.Embedding(7, 3, padding_idx=0, scale_grad_by_freq=True),
}


@pytest.mark.parametrize("name", EMBEDDINGS)
def test_embedding_agrees_with_torch(name):
    ours, theirs = twins(EMBEDDINGS[name])
    assert repr(ours) == repr(theirs)
    where = np.array([[1, 2, 1], [6, 0, 1]])
    x, y = both(where)
    got, want = ours(x), theirs(y)
    same(got, want)
    weights = np.arange(18.0).reshape(2, 3, 3)
    (got * placed(weights)).sum().backward()
    (want * torch.from_numpy(weights)).sum().backward()
    same(ours.weight.grad, theirs.weight.grad)
    same(ours.weight, theirs.weight)  # max_norm writes


def test_embedding_padding_row_starts_at_zero_and_pretrained_is_frozen():
    layer = wb.nn.Embedding(4, 3, padding_idx=2)
    assert layer.weight[2].abs().sum() == 0
    table = wb.randn(5, 2)
    kept = wb.nn.Embedding.from_pretrained(table)
    assert kept.weight.requires_grad is False
    assert kept.weight.array is table.array
    with pytest.raises(ValueError, match="2-dimensional"):
        wb.nn.Embedding.from_pretrained(wb.zeros(3))
    with pytest.raises(ValueError, match="Shape of weight"):
        wb.nn.Embedding(2, 3, _weight=wb.zeros(3, 3))


def test_max_pool_indices_agree_with_torch():
    array = np.random.default_rng(0).integers(0, 4, (2, 3, 7, 6)).astype(float)  # with ties
    x, y = both(array)
    for options in ({}, {"stride": 1, "padding": 1}, {"dilation": 2, "ceil_mode": True}):
        pair = [nn.MaxPool2d(2, return_indices=True, **options) for nn in (wb.nn, torch.nn)]
        for got, want in zip(pair[0](x), pair[1](y), strict=True):
            same(got, want)
    got, want = (
        nn.AdaptiveMaxPool2d((3, 4), return_indices=True)(z)
        for nn, z in ((wb.nn, x), (torch.nn, y))
    )
    for a, b in zip(got, want, strict=True):
        same(a, b)


INPLACE = [
    "ReLU", "ReLU6", "SiLU", "Mish", "SELU", "Hardswish", "Hardsigmoid", "Hardtanh", "LeakyReLU",
    "ELU", "CELU",
]  # fmt: skip


@pytest.mark.parametrize("name", INPLACE)
def test_inplace_overwrites_its_input_and_keeps_the_gradient(name):
    array = np.random.default_rng(0).normal(size=(4, 5)) * 3
    x, y = both(array, grad=True)
    held = x * 1
    out = getattr(wb.nn, name)(inplace=True)(held)
    want = getattr(torch.nn, name)(inplace=True)(y * 1)
    assert out is held
    same(out, want)
    out.sum().backward()
    want.sum().backward()
    same(x.grad, y.grad, 1e-7 if name.startswith("Hard") else 1e-10)


def test_dropout_zeroes_and_scales():
    x = wb.ones(20_000)
    out = wb.nn.Dropout(0.25)(x).numpy()
    assert set(np.unique(out)) == {0.0, np.float32(1 / 0.75)}
    assert abs((out == 0).mean() - 0.25) < 0.02
    assert wb.nn.Dropout(0.25).eval()(x) is x
    assert wb.nn.Dropout(1.0)(x).sum() == 0
    planes = wb.nn.Dropout2d(0.5)(wb.ones(40, 30, 2, 3)).numpy()
    assert np.all((planes == 0).all((2, 3)) | (planes == 2).all((2, 3)))
    assert 0.4 < (planes == 0).mean() < 0.6
    lines = wb.nn.Dropout1d(0.5)(wb.ones(40, 30, 3)).numpy()
    assert np.all((lines == 0).all(2) | (lines == 2).all(2))


def test_dropout_is_reproducible_and_differentiable():
    x = wb.ones(50, requires_grad=True)
    with wb.arrays.random.fork(7):
        first = wb.nn.Dropout(0.5)(x)
    with wb.arrays.random.fork(7):
        second = wb.nn.Dropout(0.5)(x)
    assert np.array_equal(first.detach().numpy(), second.detach().numpy())
    first.sum().backward()
    assert np.array_equal(x.grad.numpy(), first.detach().numpy())


def test_alpha_dropout_keeps_mean_and_variance():
    out = wb.nn.AlphaDropout(0.3)(wb.randn(200_000)).numpy()
    assert abs(out.mean()) < 0.02
    assert abs(out.std() - 1) < 0.02


BAD = [
    (lambda nn: nn.Linear(0, 3), ValueError, "in_features"),
    (lambda nn: nn.Linear(2.5, 3), TypeError, "in_features"),
    (lambda nn: nn.Linear(2, True), TypeError, "out_features"),
    (lambda nn: nn.Conv2d(3, 4, 0), ValueError, "kernel_size"),
    (lambda nn: nn.Conv2d(3, 4, (3, 3, 3)), ValueError, "kernel_size"),
    (lambda nn: nn.Conv2d(3, 4, 3, padding=-1), ValueError, "padding"),
    (lambda nn: nn.Conv2d(3, 4, 3, padding="full"), ValueError, "padding"),
    (lambda nn: nn.Conv2d(3, 4, 3, stride=2, padding="same"), ValueError, "same"),
    (lambda nn: nn.Conv2d(3, 4, 3, groups=2), ValueError, "in_channels must be divisible"),
    (lambda nn: nn.Conv2d(4, 3, 3, groups=2), ValueError, "out_channels must be divisible"),
    (lambda nn: nn.Conv2d(3, 4, 3, padding_mode="mirror"), ValueError, "padding_mode"),
    (lambda nn: nn.MaxPool2d("2"), TypeError, "kernel_size"),
    (lambda nn: nn.BatchNorm2d(-1), ValueError, "num_features"),
    (lambda nn: nn.BatchNorm2d(3, eps=-1), ValueError, "eps"),
    (lambda nn: nn.LayerNorm(()), ValueError, "normalized_shape"),
    (lambda nn: nn.GroupNorm(4, 6), ValueError, "divisible by num_groups"),
    (lambda nn: nn.Dropout(1.5), ValueError, "between 0 and 1"),
    (lambda nn: nn.Dropout("much"), TypeError, "p must be a number"),
    (lambda nn: nn.Embedding(0, 3), ValueError, "num_embeddings"),
    (lambda nn: nn.Embedding(4, 3, padding_idx=4), ValueError, "padding_idx"),
    (lambda nn: nn.GELU("fast"), ValueError, "approximate"),
    (lambda nn: nn.Hardtanh(1, -1), ValueError, "max_val"),
    (lambda nn: nn.Unflatten(1, 6), TypeError, "unflattened_size"),
    (lambda nn: nn.HuberLoss(delta=0), ValueError, "delta"),
    (lambda nn: nn.MSELoss(reduction="avg"), ValueError, "reduction"),
    (lambda nn: nn.CrossEntropyLoss(label_smoothing=2), ValueError, "label_smoothing"),
]


@pytest.mark.parametrize(("make", "kind", "message"), BAD)
def test_bad_arguments_are_named(make, kind, message):
    with pytest.raises(kind, match=message):
        make(wb.nn)


WRONG_INPUT = [
    (lambda nn: nn.Linear(3, 4), (2, 5), RuntimeError),
    (lambda nn: nn.Conv2d(3, 4, 3), (2, 2, 8, 8), RuntimeError),
    (lambda nn: nn.Conv2d(3, 4, 3), (2, 3, 2, 2), RuntimeError),
    (lambda nn: nn.BatchNorm2d(3), (2, 3), ValueError),
    (lambda nn: nn.BatchNorm1d(3), (1, 3), ValueError),
    (lambda nn: nn.BatchNorm1d(3), (4, 5), RuntimeError),
    (lambda nn: nn.LayerNorm(3), (2, 5), RuntimeError),
    (lambda nn: nn.GroupNorm(2, 6), (2, 5, 3), RuntimeError),
    (lambda nn: nn.GLU(), (2, 3), RuntimeError),
    (lambda nn: nn.Unflatten(1, (2, 2)), (2, 5), RuntimeError),
    (lambda nn: nn.PReLU(3), (2, 5), RuntimeError),
    (lambda nn: nn.MaxPool2d(4), (1, 1, 2, 2), RuntimeError),
]


@pytest.mark.parametrize(("make", "shape", "kind"), WRONG_INPUT)
def test_wrong_input_raises_as_in_torch(make, shape, kind):
    with pytest.raises(kind):
        make(torch.nn)(torch.zeros(shape))
    with pytest.raises(kind):
        make(wb.nn)(wb.zeros(*shape))


def test_constructor_arguments_are_attributes():
    conv = wb.nn.Conv2d(3, 4, 3, padding=1, groups=1)
    assert (conv.in_channels, conv.out_channels, conv.kernel_size) == (3, 4, (3, 3))
    assert (conv.stride, conv.padding, conv.dilation, conv.groups) == ((1, 1), (1, 1), (1, 1), 1)
    assert wb.nn.MaxPool2d(2).stride == 2
    assert wb.nn.Linear(2, 3).in_features == 2
    assert wb.nn.BatchNorm2d(3).num_features == 3
    assert wb.nn.LayerNorm(3).normalized_shape == (3,)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtype_argument(dtype):
    wanted = getattr(wb, dtype)
    for layer in (wb.nn.Linear(2, 3, dtype=wanted), wb.nn.BatchNorm2d(3, dtype=wanted)):
        for p in layer.parameters():
            assert p.dtype is wanted
            assert p.is_leaf
            assert p.requires_grad
