"""Norms, bags of embeddings and dropout of channels against torch: values, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
from torch_twins import both, same, torch, twins

import workbench as wb
import workbench.nn.functional as F
from workbench.autograd import gradcheck, gradgradcheck

T = torch.nn.functional
rng = np.random.default_rng(0)

LAYERS = {
    "InstanceNorm1d": (lambda nn: nn.InstanceNorm1d(3), (2, 3, 5)),
    "InstanceNorm1d one": (lambda nn: nn.InstanceNorm1d(3, affine=True), (3, 5)),
    "InstanceNorm2d": (
        lambda nn: nn.InstanceNorm2d(3, affine=True, track_running_stats=True), (2, 3, 5, 4),
    ),
    "InstanceNorm2d tracked": (
        lambda nn: nn.InstanceNorm2d(3, 1e-2, 0.3, track_running_stats=True), (2, 3, 5, 4),
    ),
    "InstanceNorm3d": (lambda nn: nn.InstanceNorm3d(2, affine=True, bias=False), (2, 2, 3, 2, 2)),
    "SyncBatchNorm": (lambda nn: nn.SyncBatchNorm(3), (4, 3, 2, 5)),
    "LocalResponseNorm": (lambda nn: nn.LocalResponseNorm(3, 0.5, 0.6, 1.5), (2, 5, 4, 3)),
    "LocalResponseNorm 1d": (lambda nn: nn.LocalResponseNorm(4, 0.5), (2, 5, 4)),
    "GroupNorm rows": (lambda nn: nn.GroupNorm(2, 4), (2, 4, 8, 7)),
    "BatchNorm2d rows": (lambda nn: nn.BatchNorm2d(3), (2, 3, 8, 7)),
    "LayerNorm many": (lambda nn: nn.LayerNorm(6), (128, 6)),
    "PReLU": (lambda nn: nn.PReLU(3), (2, 3, 4)),
    "RReLU eval": (lambda nn: nn.RReLU(0.1, 0.4).eval(), (2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layer_agrees_with_torch(name):
    make, shape = LAYERS[name]
    ours, theirs = twins(make)
    assert repr(make(wb.nn)) == repr(make(torch.nn))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    array = rng.normal(size=shape) * 2 + 1
    modes = (False,) if "eval" in name else (True, False)
    for training in modes:
        ours.train(training)
        theirs.train(training)
        x, y = both(array, grad=True)
        got, want = ours(x * 1), theirs(y * 1)
        same(got, want)
        weights = np.cos(np.arange(got.numel())).reshape(tuple(got.shape))
        (got * wb.from_numpy(weights)).sum().backward()
        (want * torch.from_numpy(weights)).sum().backward()
        same(x.grad, y.grad, 1e-8)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            same(p.grad, q.grad, 1e-8)
        for held, other in zip(
            ours.state_dict().values(), theirs.state_dict().values(), strict=True
        ):
            same(held, other)


def test_half_precision_with_parameters_in_float32():
    for name, shape, call in (
        ("layer", (4, 6), lambda F, x, w, b: F.layer_norm(x, (6,), w, b)),
        ("batch", (8, 6), lambda F, x, w, b: F.batch_norm(x, None, None, w, b, True)),
        ("group", (4, 6), lambda F, x, w, b: F.group_norm(x, 2, w, b)),
    ):
        x, y = both(rng.normal(size=shape).astype(np.float32))
        (w, v), (b, c) = (both(rng.normal(size=6).astype(np.float32)) for _ in range(2))
        got, want = call(F, x.half(), w, b), call(T, y.half(), v, c)
        assert got.dtype is wb.float16, name
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=5e-3, atol=5e-3)


def test_lazy_instance_norm():
    layer = wb.nn.LazyInstanceNorm2d()
    layer(wb.randn(2, 3, 4, 4))
    assert type(layer) is wb.nn.InstanceNorm2d
    assert layer.num_features == 3
    layer = wb.nn.LazyInstanceNorm1d()
    layer(wb.randn(5, 4))
    assert layer.num_features == 5


def test_instance_norm_minds_its_number_of_features():
    with pytest.warns(UserWarning, match="does not match num_features"):
        wb.nn.InstanceNorm1d(4)(wb.randn(2, 3, 4))
    with pytest.raises(ValueError, match="num_features"):
        wb.nn.InstanceNorm1d(4, affine=True)(wb.randn(2, 3, 4))


def test_sync_batch_norm_replaces_batch_norm():
    net = wb.nn.Sequential(wb.nn.Linear(3, 3), wb.nn.BatchNorm1d(3))
    weight = net[1].weight
    made = wb.nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert type(made[1]) is wb.nn.SyncBatchNorm
    assert made[1].weight is weight


REFUSED = {
    "instance one place": lambda F, L: F.instance_norm(L.ones(2, 3, 1)),
    "instance one place 2d": lambda F, L: F.instance_norm(L.ones(2, 3)),
    "instance no statistics": lambda F, L: F.instance_norm(L.ones(2, 3, 4), use_input_stats=False),
    "instance one statistic": lambda F, L: F.instance_norm(L.ones(2, 3, 4), L.zeros(3), None),
    "instance statistics": lambda F, L: F.instance_norm(L.ones(2, 3, 4), L.zeros(2), L.ones(2)),
    "batch eps": lambda F, L: F.batch_norm(L.ones(2, 3), None, None, training=True, eps=0),
    "batch eps negative": lambda F, L: F.batch_norm(L.ones(2, 3), L.ones(3), L.ones(3), eps=-1),
    "batch 1d": lambda F, L: F.batch_norm(L.ones(3), L.ones(3), L.ones(3)),
    "batch one value": lambda F, L: F.batch_norm(L.ones(1, 3), None, None, training=True),
    "batch none": lambda F, L: F.batch_norm(L.ones(2, 3), None, None),
    "batch weight": lambda F, L: F.batch_norm(L.ones(2, 3), None, None, L.ones(2), training=True),
    "batch one statistic": lambda F, L: F.batch_norm(L.ones(2, 3), L.ones(3), None, training=True),
    "batch ints": lambda F, L: F.batch_norm(L.ones(2, 3).long(), None, None, training=True),
    "batch mixed": lambda F, L: F.batch_norm(
        L.ones(2, 3), None, None, L.ones(3).double(), training=True
    ),
    "layer int": lambda F, L: F.layer_norm(L.ones(2, 3), 3),
    "layer shape": lambda F, L: F.layer_norm(L.ones(2, 3), (4,)),
    "layer weight": lambda F, L: F.layer_norm(L.ones(2, 3), (3,), L.ones(2)),
    "layer mixed": lambda F, L: F.layer_norm(L.ones(3), (3,), L.ones(3).double()),
    "group": lambda F, L: F.group_norm(L.ones(2, 4), 3),
    "group 1d": lambda F, L: F.group_norm(L.ones(4), 2),
    "group one value": lambda F, L: F.group_norm(L.ones(1, 4), 4),
    "group weight": lambda F, L: F.group_norm(L.ones(2, 4), 2, L.ones(3)),
    "rms weight": lambda F, L: F.rms_norm(L.ones(2, 4), (4,), L.ones(3)),
    "rms ints": lambda F, L: F.rms_norm(L.ones(2, 4).long(), (4,)),
    "response 2d": lambda F, L: F.local_response_norm(L.ones(2, 3), 2),
    "response size": lambda F, L: F.local_response_norm(L.ones(2, 3, 4), 0),
    "normalize ints": lambda F, L: F.normalize(L.ones(2, 3).long()),
    "normalize dim": lambda F, L: F.normalize(L.ones(3)),
    "cosine ints": lambda F, L: F.cosine_similarity(L.tensor([1]), L.tensor([1]), dim=0),
    "cosine shapes": lambda F, L: F.cosine_similarity(L.ones(2, 3), L.ones(4, 3)),
    "pdist 3d": lambda F, L: F.pdist(L.ones(2, 2, 3)),
    "pdist p": lambda F, L: F.pdist(L.ones(2, 3), -1.0),
    "pdist ints": lambda F, L: F.pdist(L.ones(2, 3).long()),
    "pdist half": lambda F, L: F.pdist(L.ones(2, 3).half()),
    "embedding 1d": lambda F, L: F.embedding(L.tensor([0]), L.ones(3)),
    "embedding padding": lambda F, L: F.embedding(L.tensor([0]), L.ones(3, 2), padding_idx=5),
    "bag no offsets": lambda F, L: F.embedding_bag(L.tensor([0, 1]), L.ones(5, 3)),
    "bag 2d offsets": lambda F, L: F.embedding_bag(
        L.tensor([[0, 1]]), L.ones(5, 3), L.tensor([0])
    ),
    "bag 3d": lambda F, L: F.embedding_bag(L.tensor([[[0, 1]]]), L.ones(5, 3)),
    "bag start": lambda F, L: F.embedding_bag(L.tensor([0, 1]), L.ones(5, 3), L.tensor([1])),
    "bag end": lambda F, L: F.embedding_bag(L.tensor([0, 1]), L.ones(5, 3), L.tensor([0, 3])),
    "bag float offsets": lambda F, L: F.embedding_bag(L.tensor([0, 1]), L.ones(5, 3), L.zeros(1)),
    "bag floats": lambda F, L: F.embedding_bag(L.ones(2, 3), L.ones(5, 3)),
    "bag index": lambda F, L: F.embedding_bag(L.tensor([[5, 1]]), L.ones(5, 3)),
    "bag mode": lambda F, L: F.embedding_bag(L.tensor([[1]]), L.ones(5, 3), mode="x"),
    "bag weighted mean": lambda F, L: F.embedding_bag(
        L.tensor([[1]]), L.ones(5, 3), per_sample_weights=L.ones(1, 1)
    ),
    "bag weights' shape": lambda F, L: F.embedding_bag(
        L.tensor([[1]]), L.ones(5, 3), mode="sum", per_sample_weights=L.ones(1)
    ),
    "bag weights' dtype": lambda F, L: F.embedding_bag(
        L.tensor([[1]]), L.ones(5, 3), mode="sum", per_sample_weights=L.ones(1, 1).double()
    ),
    "bag padding": lambda F, L: F.embedding_bag(L.tensor([[1]]), L.ones(5, 3), padding_idx=7),
    "bag max frequency": lambda F, L: F.embedding_bag(
        L.tensor([[1]]), L.ones(5, 3), mode="max", scale_grad_by_freq=True
    ),
    "bag last offset": lambda F, L: F.embedding_bag(
        L.tensor([1]), L.ones(5, 3), L.tensor([]).long(), include_last_offset=True
    ),
    "dropout": lambda F, L: F.dropout(L.ones(2), 1.5),
    "dropout ints": lambda F, L: F.dropout(L.ones(2).long()),
    "dropout1d": lambda F, L: F.dropout1d(L.ones(3)),
    "feature alpha": lambda F, L: F.feature_alpha_dropout(L.ones(3), 0.5, True),
    "alpha ints": lambda F, L: F.alpha_dropout(L.ones(3).long(), 0.5, True),
    "glu odd": lambda F, L: F.glu(L.ones(3)),
    "glu 0d": lambda F, L: F.glu(L.ones(())),
    "softshrink": lambda F, L: F.softshrink(L.ones(3), -1.0),
    "hardtanh": lambda F, L: F.hardtanh(L.ones(3), 2.0, 1.0),
    "hardtanh bytes": lambda F, L: F.hardtanh(L.ones(3).byte()),
    "celu": lambda F, L: F.celu(L.ones(3), 0.0),
    "rrelu": lambda F, L: F.rrelu(L.ones(3), 0.5, 0.1),
    "prelu": lambda F, L: F.prelu(L.ones(2, 3), L.ones(2)),
    "prelu mixed": lambda F, L: F.prelu(L.ones(2, 3), L.ones(3).double()),
    "prelu 2d": lambda F, L: F.prelu(L.ones(2, 3), L.ones(1, 3)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:dropout.d. Received")
@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_torch_refuses(name):
    call = REFUSED[name]
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - whatever torch raises is what we want
        call(T, torch)
    with pytest.raises(theirs.type) as ours:
        call(F, wb)
    assert str(ours.value)


TABLE = rng.normal(size=(6, 4))
BAGS = {
    "rows": (np.array([[0, 2, 5], [1, 1, 3]]), None, {}),
    "offsets": (np.array([0, 2, 5, 1, 1, 3, 0]), np.array([0, 0, 3, 4, 7]), {}),
    "int32": (np.array([0, 2, 5], np.int32), np.array([0, 1], np.int32), {}),
    "last offset": (np.array([0, 2, 5]), np.array([0, 2, 3]), {"include_last_offset": True}),
    "padding": (np.array([[0, 2, 5], [2, 2, 2]]), None, {"padding_idx": 2}),
    "padding at": (np.array([0, 2, 5, 2]), np.array([0, 2, 3]), {"padding_idx": -4}),
    "none": (np.array([], int), np.array([0]), {}),
    "no bags": (np.zeros((0, 3), int), None, {}),
}


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("name", BAGS)
def test_bags(name, mode):
    index, offsets, options = BAGS[name]
    w, v = both(TABLE, grad=True)
    i, j = both(index)
    o, p = (None, None) if offsets is None else both(offsets)
    got = F.embedding_bag(i, w, o, mode=mode, **options)
    want = T.embedding_bag(j, v, p, mode=mode, **options)
    same(got, want)
    weights = np.cos(np.arange(got.numel())).reshape(tuple(got.shape))
    (got * wb.from_numpy(weights)).sum().backward()
    (want * torch.from_numpy(weights)).sum().backward()
    same(w.grad, v.grad)


@pytest.mark.parametrize("name", ["rows", "offsets", "padding at"])
def test_weighted_bags(name):
    index, offsets, options = BAGS[name]
    (w, v), (i, j) = both(TABLE, grad=True), both(index)
    s, t = both(rng.normal(size=index.shape), grad=True)
    o, p = (None, None) if offsets is None else both(offsets)
    got = F.embedding_bag(i, w, o, mode="sum", per_sample_weights=s, **options)
    want = T.embedding_bag(j, v, p, mode="sum", per_sample_weights=t, **options)
    same(got, want)
    (got * got).sum().backward()
    (want * want).sum().backward()
    same(w.grad, v.grad)
    same(s.grad, t.grad)


def test_bag_layer():
    def make(nn):
        return nn.EmbeddingBag(6, 4, max_norm=1.0, norm_type=1.0, mode="sum", padding_idx=-1)

    ours, theirs = twins(make)
    assert repr(make(wb.nn)) == repr(make(torch.nn))
    i, j = both(np.array([[0, 2, 5], [1, 1, 3]]))
    same(ours(i), theirs(j))
    same(ours.weight, theirs.weight)
    made = wb.nn.EmbeddingBag.from_pretrained(wb.from_numpy(TABLE.copy()))
    assert not made.weight.requires_grad
    frequent, _ = both(TABLE, grad=True)
    F.embedding_bag(i, frequent, scale_grad_by_freq=True, mode="sum").sum().backward()
    # torch itself divides by the count of the row before
    assert frequent.grad[:, 0].tolist() == [1, 1, 1, 1, 0, 1]


def test_offsets_of_bags_do_not_decrease():  # torch reads beyond its memory
    with pytest.raises(RuntimeError, match="must not decrease"):
        F.embedding_bag(wb.tensor([0, 1, 2]), wb.ones(5, 3), wb.tensor([0, 2, 1]))


def test_normalisation_across_channels_by_its_old_name():
    x = wb.randn(2, 5, 4, 3)
    assert repr(wb.nn.CrossMapLRN2d(3)) == repr(torch.nn.CrossMapLRN2d(3))
    same(
        wb.nn.CrossMapLRN2d(3, 0.5)(x),
        torch.nn.LocalResponseNorm(3, 0.5)(torch.from_numpy(x.numpy())),
        1e-6,
    )


@pytest.mark.parametrize("p", [0.0, 1.0, 1.5, 2.0, float("inf")])
def test_pdist(p):
    x, y = both(rng.normal(size=(5, 3)), grad=True)
    got, want = F.pdist(x, p), T.pdist(y, p)
    same(got, want)
    (got * got).sum().backward()
    (want * want).sum().backward()
    same(x.grad, y.grad)
    for shape in ((1, 3), (0, 3), (3, 0)):
        same(F.pdist(wb.ones(shape), p), T.pdist(torch.ones(shape), p))


def test_similarities_of_edge_shapes():
    same(F.cosine_similarity(wb.zeros(2), wb.ones(2), dim=0), T.cosine_similarity(
        torch.zeros(2), torch.ones(2), dim=0))  # fmt: skip
    for shapes in (((2, 3), (3,)), ((2, 1, 3), (4, 3))):
        (x, y), (a, b) = (both(rng.normal(size=s), grad=True) for s in shapes)
        got, want = F.cosine_similarity(x, a, -1), T.cosine_similarity(y, b, -1)
        same(got, want)
        got.sum().backward()
        want.sum().backward()
        same(x.grad, y.grad)
        same(a.grad, b.grad)
    x, y = both(np.zeros((2, 3)), grad=True)
    F.pairwise_distance(x, x, eps=0.0).sum().backward()
    assert not x.grad.any()
    same(F.pairwise_distance(wb.tensor([1, 2]), wb.tensor([1, 2])),
         T.pairwise_distance(torch.tensor([1, 2]), torch.tensor([1, 2])), 1e-7)  # fmt: skip


def test_normalize_into_and_over_several_dims():
    x, y = both(rng.normal(size=(2, 3)))
    out = wb.empty(2, 3, dtype=wb.float64)
    assert F.normalize(x, out=out) is out
    same(out, T.normalize(y))
    same(F.normalize(x, dim=(0, 1)), T.normalize(y, dim=(0, 1)))
    same(F.normalize(x, float("inf")), T.normalize(y, float("inf")))


CHANNELS = {
    "dropout1d": ((2, 3, 50), (2, 3)),
    "dropout1d one": ((3, 50), (3,)),
    "dropout2d": ((2, 3, 5, 6), (2, 3)),
    "dropout3d": ((2, 3, 5, 2, 3), (2, 3)),
    "dropout3d one": ((3, 5, 2, 3), (3,)),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_whole_channels_are_dropped(name):
    shape, channels = CHANNELS[name]
    x = wb.ones(shape, requires_grad=True)
    out = getattr(F, name.split()[0])(x, 0.5)
    rows = out.detach().numpy().reshape(*channels, -1)
    assert (rows == rows[..., :1]).all()
    assert set(np.unique(rows)) <= {0.0, 2.0}
    out.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), out.detach().numpy())


def test_unusual_shapes_of_dropout_warn():
    with pytest.warns(UserWarning, match="3D input"):
        F.dropout2d(wb.ones(2, 3, 4))
    with pytest.warns(UserWarning, match="2-D input"):
        F.dropout2d(wb.ones(2, 3))
    with pytest.warns(UserWarning, match="3-D input"):
        F.dropout3d(wb.ones(2, 3, 4))


def test_feature_alpha_dropout_keeps_mean_and_variance():
    x = wb.randn(400, 50, 10)
    out = F.feature_alpha_dropout(x, 0.3, True).numpy()
    assert abs(out.mean()) < 0.05
    assert abs(out.std() - 1) < 0.05
    assert F.feature_alpha_dropout(x, 0.3, False) is x
    assert not F.alpha_dropout(x, 1.0, True).any()


def test_rrelu_draws_slopes():
    x, y = wb.full((1000,), -2.0, requires_grad=True), wb.ones(3)
    out = F.rrelu(x, 0.1, 0.4, True)
    slopes = out.detach().numpy() / -2
    assert slopes.min() >= 0.1
    assert slopes.max() <= 0.4
    assert slopes.std() > 0.05
    out.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), slopes, rtol=1e-6)
    assert F.rrelu(y, training=True).tolist() == [1, 1, 1]


IN_PLACE = ["relu_", "celu_", "elu_", "hardtanh_", "leaky_relu_", "rrelu_", "selu_", "threshold_"]


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_names(name):
    x, y = both(rng.normal(size=(3, 4)))
    options = (0.1, 2.0) if name == "threshold_" else ()
    got = getattr(F, name)(x, *options)
    assert got is x
    same(got, getattr(T, name)(y, *options))


def test_softmax_without_a_dimension_warns():
    for name in ("softmax", "log_softmax", "softmin"):
        with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name}") as seen:
            getattr(F, name)(wb.ones(2, 3))
        assert seen[0].filename == __file__
    with pytest.warns(UserWarning, match="Implicit"):
        wb.nn.Softmax()(wb.ones(3))


def test_large_activations_take_the_same_values():
    """From some size on other kernels are used."""
    for name in ("relu", "elu", "leaky_relu", "softplus", "silu", "gelu", "hardshrink", "mish"):
        x, y = both((rng.normal(size=(120, 100)) * 3).astype(np.float32), grad=True)
        got, want = getattr(F, name)(x), getattr(T, name)(y)
        same(got, want, 2e-6)
        got.sum().backward()
        want.sum().backward()
        same(x.grad, y.grad, 2e-6)


def test_softmax_of_extremes():
    rows = np.array([[1e4, 0, -1e4], [-1e4, -1e4, -1e4], [0, -np.inf, 1], [60, 0, 60]], np.float32)
    for name in ("softmax", "log_softmax"):
        same(
            getattr(F, name)(wb.from_numpy(rows), 1), getattr(T, name)(torch.tensor(rows), 1), 1e-6
        )
    x, y = both(rows[[0, 1, 3]], grad=True)
    labels = np.array([1, 0, 2])
    got = F.cross_entropy(x, wb.tensor(labels))
    want = T.cross_entropy(y, torch.tensor(labels))
    same(got, want, 1e-6)
    got.backward()
    want.backward()
    same(x.grad, y.grad, 1e-6)


def test_adaptive_log_softmax():
    def make(nn):
        return nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 10, 15], 2.0, True)

    ours, theirs = twins(make)
    assert repr(make(wb.nn)) == repr(make(torch.nn))
    x, y = both(rng.normal(size=(8, 16)), grad=True)
    t, u = both(np.array([0, 4, 5, 9, 12, 14, 19, 3]))
    got, want = ours(x, t), theirs(y, u)
    same(got.output, want.output)
    same(got.loss, want.loss)
    got.loss.backward()
    want.loss.backward()
    same(x.grad, y.grad)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        same(p.grad, q.grad)
    same(ours.log_prob(x), theirs.log_prob(y))
    same(ours.predict(x), theirs.predict(y))
    same(ours(x[0], t[0]).output, theirs(y[0], u[0]).output)
    for cutoffs in ([], [5, 5], [0, 5], [5, 20], [7, 3]):
        with pytest.raises(ValueError, match="cutoffs"):
            wb.nn.AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs)
    with pytest.raises(RuntimeError, match="Target values"):
        ours(x, t + 5)


def test_second_order_of_norms():
    x = wb.randn(2, 4, 3, dtype=wb.float64, requires_grad=True)
    w = wb.randn(4, dtype=wb.float64, requires_grad=True)

    def norms(x, w):
        out = F.instance_norm(x, wb.zeros(4), wb.ones(4), w, w)
        return F.local_response_norm(F.group_norm(out, 2, w), 3, 0.5)

    assert gradcheck(norms, (x, w))
    assert gradgradcheck(norms, (x, w))


def test_gradients_of_many_rows():
    index = rng.integers(0, 50, (40, 30))
    (w, v), (i, j) = both(rng.normal(size=(50, 16)), grad=True), both(index)
    weights = rng.normal(size=(40, 30, 16))
    for padding in (None, 3):
        (F.embedding(i, w, padding) * wb.from_numpy(weights)).sum().backward()
        (T.embedding(j, v, padding) * torch.from_numpy(weights)).sum().backward()
        same(w.grad, v.grad)
