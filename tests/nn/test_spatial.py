"""Layers of pooling, padding, folding and resizing against torch's: printing, values, gradients."""

from __future__ import annotations

import numpy as np
import pytest
from torch_twins import both, placed, same, torch

import workbench as wb

LINE, PLANE, VOLUME = (2, 4, 9), (2, 4, 8, 6), (2, 3, 6, 5, 4)
SHAPES = {1: LINE, 2: PLANE, 3: VOLUME}

LAYERS = {
    "MaxPool1d": (lambda nn: nn.MaxPool1d(2), LINE),
    "MaxPool1d ceil": (lambda nn: nn.MaxPool1d(4, 3, 2, ceil_mode=True), LINE),
    "MaxPool2d pairs": (lambda nn: nn.MaxPool2d((2, 3), (1, 2), (1, 0), (2, 1)), PLANE),
    "MaxPool3d": (lambda nn: nn.MaxPool3d(2), VOLUME),
    "MaxPool3d all": (lambda nn: nn.MaxPool3d((3, 2, 2), 2, (1, 0, 1), ceil_mode=True), VOLUME),
    "MaxPool3d unbatched": (lambda nn: nn.MaxPool3d(3, 1, dilation=(2, 1, 1)), VOLUME[1:]),
    "AvgPool1d": (lambda nn: nn.AvgPool1d(3, 2, 1, count_include_pad=False), LINE),
    "AvgPool2d": (lambda nn: nn.AvgPool2d(3, 1, 1), PLANE),
    "AvgPool3d": (lambda nn: nn.AvgPool3d(2), VOLUME),
    "AvgPool3d all": (
        lambda nn: nn.AvgPool3d((3, 2, 2), 2, 1, True, False, divisor_override=5),
        VOLUME[1:],
    ),
    "LPPool1d": (lambda nn: nn.LPPool1d(2, 3, stride=2), LINE),
    "LPPool2d": (lambda nn: nn.LPPool2d(4.0, (3, 2), ceil_mode=True), PLANE),
    "LPPool3d": (lambda nn: nn.LPPool3d(2, 2), VOLUME),
    "LPPool2d inf": (lambda nn: nn.LPPool2d(float("inf"), 2), PLANE),
    "LPPool2d -inf": (lambda nn: nn.LPPool2d(-float("inf"), 2), PLANE),
    "AdaptiveAvgPool1d": (lambda nn: nn.AdaptiveAvgPool1d(4), LINE),
    "AdaptiveAvgPool2d": (lambda nn: nn.AdaptiveAvgPool2d((3, None)), PLANE),
    "AdaptiveAvgPool2d one": (lambda nn: nn.AdaptiveAvgPool2d(1), PLANE[1:]),
    "AdaptiveAvgPool2d more": (lambda nn: nn.AdaptiveAvgPool2d((11, 13)), PLANE),
    "AdaptiveAvgPool3d": (lambda nn: nn.AdaptiveAvgPool3d((None, 3, 2)), VOLUME),
    "AdaptiveMaxPool1d": (lambda nn: nn.AdaptiveMaxPool1d(4), LINE),
    "AdaptiveMaxPool2d": (lambda nn: nn.AdaptiveMaxPool2d((3, None)), PLANE),
    "AdaptiveMaxPool2d more": (lambda nn: nn.AdaptiveMaxPool2d((11, 13)), PLANE),
    "AdaptiveMaxPool3d": (lambda nn: nn.AdaptiveMaxPool3d((None, 3, 2)), VOLUME),
    **{
        f"{kind}Pad{n}d": (lambda nn, name=f"{kind}Pad{n}d": getattr(nn, name)(1), SHAPES[n])
        for kind in ("Zero", "Reflection", "Replication", "Circular")
        for n in (1, 2, 3)
    },
    "ConstantPad1d": (lambda nn: nn.ConstantPad1d((2, 1), 3.5), LINE),
    "ConstantPad2d": (lambda nn: nn.ConstantPad2d((2, -1, 0, 1), 3.5), PLANE),
    "ConstantPad3d": (lambda nn: nn.ConstantPad3d((2, -1, 0, 1, 1, 1), -1), VOLUME[1:]),
    "ZeroPad2d crop": (lambda nn: nn.ZeroPad2d((-1, -2, 3, -1)), PLANE),
    "ZeroPad2d short": (lambda nn: nn.ZeroPad2d((1, 2)), PLANE),
    "ReflectionPad2d": (lambda nn: nn.ReflectionPad2d((3, 1, 0, 5)), PLANE),
    "Unfold": (lambda nn: nn.Unfold(2), PLANE),
    "Unfold all": (lambda nn: nn.Unfold((3, 2), (1, 2), 1, (2, 1)), PLANE[1:]),
    "Fold": (lambda nn: nn.Fold((4, 5), 2), (2, 8, 12)),
    "Fold all": (lambda nn: nn.Fold(5, (2, 2), padding=1, stride=(2, 1)), (8, 18)),
    "PixelShuffle": (lambda nn: nn.PixelShuffle(2), PLANE),
    "PixelShuffle 3d": (lambda nn: nn.PixelShuffle(2), PLANE[1:]),
    "PixelUnshuffle": (lambda nn: nn.PixelUnshuffle(2), PLANE),
    "ChannelShuffle": (lambda nn: nn.ChannelShuffle(2), PLANE),
    "Upsample": (lambda nn: nn.Upsample(scale_factor=2), PLANE),
    "Upsample size": (lambda nn: nn.Upsample(size=(5, 13)), PLANE),
    "Upsample line": (lambda nn: nn.Upsample(14, mode="linear"), LINE),
    "Upsample factors": (
        lambda nn: nn.Upsample(scale_factor=(1.5, 0.7), mode="bilinear"),
        PLANE,
    ),
    "Upsample recomputed": (
        lambda nn: nn.Upsample(scale_factor=1.3, mode="bicubic", recompute_scale_factor=True),
        PLANE,
    ),
    "Upsample corners": (
        lambda nn: nn.Upsample((3, 7, 5), mode="trilinear", align_corners=True),
        VOLUME,
    ),
    "Upsample area": (lambda nn: nn.Upsample(scale_factor=0.5, mode="area"), PLANE),
    "Upsample exact": (lambda nn: nn.Upsample((5, 7), mode="nearest-exact"), PLANE),
    "UpsamplingNearest2d": (lambda nn: nn.UpsamplingNearest2d(scale_factor=3), PLANE),
    "UpsamplingBilinear2d": (lambda nn: nn.UpsamplingBilinear2d((5, 9)), PLANE),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layer_agrees_with_torch(name):
    make, shape = LAYERS[name]
    ours, theirs = make(wb.nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    x, y = both(np.random.default_rng(1).normal(size=shape) * 2, grad=True)
    got, want = ours(x), theirs(y)
    same(got, want)
    weights = np.cos(np.arange(got.numel())).reshape(tuple(got.shape))
    got.backward(placed(weights))
    want.backward(torch.from_numpy(weights))
    same(x.grad, y.grad, 1e-8)


TIED = np.random.default_rng(0).integers(0, 3, (2, 3, 7, 6, 5)).astype(float)
WITH_INDICES = {
    "MaxPool1d": lambda nn: nn.MaxPool1d(3, 2, 1, return_indices=True),
    "MaxPool2d": lambda nn: nn.MaxPool2d(2, return_indices=True),
    "MaxPool2d dilated": lambda nn: nn.MaxPool2d(2, 1, 1, 2, True, ceil_mode=True),
    "MaxPool3d": lambda nn: nn.MaxPool3d(3, 2, 1, return_indices=True),
    "AdaptiveMaxPool1d": lambda nn: nn.AdaptiveMaxPool1d(4, return_indices=True),
    "AdaptiveMaxPool2d": lambda nn: nn.AdaptiveMaxPool2d((3, 4), return_indices=True),
    "AdaptiveMaxPool3d": lambda nn: nn.AdaptiveMaxPool3d((3, 4, 2), return_indices=True),
}


@pytest.mark.parametrize("nans", [False, True])
@pytest.mark.parametrize("name", WITH_INDICES)
def test_ties_and_nans_go_where_torch_sends_them(name, nans):
    """The first of equal values, the last of several nans; the gradient follows the index."""
    make = WITH_INDICES[name]
    dims = int(name.split()[0][-2])
    array = TIED[(slice(None), slice(None), *(0,) * (3 - dims))].copy()
    if nans:
        array[np.random.default_rng(3).random(array.shape) < 0.2] = np.nan
    x, y = both(array, grad=True)
    (got, where), (want, there) = make(wb.nn)(x), make(torch.nn)(y)
    same(got, want)
    same(where, there)
    weights = np.cos(np.arange(got.numel())).reshape(tuple(got.shape))
    got.backward(placed(weights), retain_graph=True)
    want.backward(torch.from_numpy(weights))
    same(x.grad, y.grad)
    # and without indices the same
    plain = make(wb.nn)
    plain.return_indices = False
    x.grad = None
    out = plain(x)
    same(out, want)
    out.backward(placed(weights))
    same(x.grad, y.grad)


def test_gradient_of_infinite_gradients_stays_where_it_belongs():
    x = wb.tensor([[[[1.0, 2.0], [3.0, 0.0]]]], requires_grad=True)
    wb.nn.functional.max_pool2d(x, 2).backward(wb.tensor([[[[wb.inf]]]]))
    assert x.grad.tolist() == [[[[0, 0], [wb.inf, 0]]]]


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("unbatched", [False, True])
def test_unpool_undoes_max_pool(dims, unbatched):
    shape = (2, 3, 7, 6, 8)[: dims + 2]
    array = np.random.default_rng(0).normal(size=shape[1:] if unbatched else shape)
    x, y = both(array, grad=True)
    made = []
    for nn, z in ((wb.nn, x), (torch.nn, y)):
        pooled, where = getattr(nn, f"MaxPool{dims}d")(3, 2, return_indices=True)(z)
        unpool = getattr(nn, f"MaxUnpool{dims}d")(3, 2)
        made.append((unpool(pooled * 2, where, output_size=list(z.shape[-dims:])), repr(unpool)))
    (got, text), (want, other) = made
    assert text == other
    same(got, want)
    weights = np.cos(np.arange(got.numel())).reshape(tuple(got.shape))
    got.backward(placed(weights))
    want.backward(torch.from_numpy(weights))
    same(x.grad, y.grad)


def test_unpool_refuses_sizes_and_places_that_do_not_fit():
    value, where = wb.zeros(1, 1, 2, 2), wb.zeros(1, 1, 2, 2, dtype=wb.int64)
    unpool = wb.nn.MaxUnpool2d(2)
    with pytest.raises(ValueError, match="output_size"):
        unpool(value, where, output_size=(9, 4))
    with pytest.raises(ValueError, match="length of '3'"):
        unpool(value, where, output_size=(1, 4, 4))
    with pytest.raises(RuntimeError, match="invalid max index"):
        unpool(value, where + 16)
    with pytest.raises(RuntimeError, match="int64"):
        unpool(value, where.int())


@pytest.mark.parametrize("dims", [2, 3])
def test_fractional_pooling_draws_and_agrees_on_given_samples(dims):
    shape = (2, 3, 9, 8, 7)[: dims + 2]
    array = np.random.default_rng(0).normal(size=shape)
    draws = np.random.default_rng(1).random((2, 3, dims))
    x, y = both(array, grad=True)
    name = f"FractionalMaxPool{dims}d"
    options = {"output_ratio": 0.6, "return_indices": True}
    ours = getattr(wb.nn, name)(2, _random_samples=placed(draws), **options)
    theirs = getattr(torch.nn, name)(2, _random_samples=torch.from_numpy(draws), **options)
    assert repr(ours) == repr(theirs)
    (got, where), (want, there) = ours(x), theirs(y)
    same(got, want)
    same(where, there)
    got.sum().backward()
    want.sum().backward()
    same(x.grad, y.grad)
    with wb.arrays.random.fork(3):
        first = getattr(wb.nn, name)(2, output_size=4)(x)
        second = getattr(wb.nn, name)(2, output_size=4)(x)
    assert tuple(first.shape) == (2, 3, *(4,) * dims)
    assert (first != second).any()
    assert getattr(wb.nn, name)(2, output_size=4)(x[0]).ndim == dims + 1


BAD = [
    (lambda nn: nn.FractionalMaxPool2d(2), ValueError),
    (lambda nn: nn.FractionalMaxPool2d(2, 3, 0.5), ValueError),
    (lambda nn: nn.FractionalMaxPool3d(2, output_ratio=1.5), ValueError),
    (lambda nn: nn.Upsample(3, 2.0)(nn.Parameter(ones(nn, 1, 1, 2, 2))), ValueError),
    (lambda nn: nn.Upsample()(ones(nn, 1, 1, 2, 2)), ValueError),
    (lambda nn: nn.Upsample(3, mode="linear")(ones(nn, 1, 1, 2, 2)), NotImplementedError),
    (lambda nn: nn.Upsample(3, mode="trilinear")(ones(nn, 1, 1, 2, 2)), NotImplementedError),
    (lambda nn: nn.Upsample(3)(ones(nn, 2, 2)), (NotImplementedError, ValueError)),
    (lambda nn: nn.Upsample(3, mode="cubic")(ones(nn, 1, 1, 2, 2)), NotImplementedError),
    (lambda nn: nn.Upsample(3, align_corners=True)(ones(nn, 1, 1, 2, 2)), ValueError),
    (lambda nn: nn.Upsample((3, 3, 3))(ones(nn, 1, 1, 2, 2)), ValueError),
    (lambda nn: nn.Upsample(3, recompute_scale_factor=True)(ones(nn, 1, 1, 2, 2)), ValueError),
    (lambda nn: nn.Upsample(0)(ones(nn, 1, 1, 2, 2)), RuntimeError),
    (lambda nn: nn.Upsample(2.5)(ones(nn, 1, 1, 2, 2)), TypeError),
    (lambda nn: nn.PixelShuffle(2)(ones(nn, 1, 3, 2, 2)), RuntimeError),
    (lambda nn: nn.PixelShuffle(2)(ones(nn, 2, 2)), RuntimeError),
    (lambda nn: nn.PixelUnshuffle(2)(ones(nn, 1, 3, 3, 2)), RuntimeError),
    (lambda nn: nn.ChannelShuffle(2)(ones(nn, 1, 3, 2)), RuntimeError),
    (lambda nn: nn.functional.pixel_shuffle(ones(nn, 1, 4, 2, 2), -1), RuntimeError),
    (lambda nn: nn.functional.pixel_shuffle(ones(nn, 1, 4, 2, 2), 2.0), TypeError),
    (lambda nn: nn.functional.pixel_unshuffle(ones(nn, 1, 4, 2, 2), 0), RuntimeError),
    (lambda nn: nn.functional.channel_shuffle(ones(nn, 1, 4, 2, 2), 0), RuntimeError),
    (lambda nn: nn.functional.interpolate(
        ones(nn, 1, 1, 4), 2, mode="linear", antialias=True), ValueError),
    (lambda nn: nn.functional.interpolate(ones(nn, 1, 1, 4, 4), 2, mode="lanczos"), ValueError),
    (lambda nn: nn.functional.fractional_max_pool2d(ones(nn, 1, 1, 4, 4), 2), ValueError),
    (lambda nn: nn.functional.affine_grid(
        ones(nn, 1, 2, 3), (1, 1, 4), False), NotImplementedError),
    (lambda nn: nn.functional.affine_grid(ones(nn, 1, 3, 3), (1, 1, 4, 4), False), ValueError),
    (lambda nn: nn.functional.affine_grid(ones(nn, 1, 2, 3), (1, 1, 0, 4), False), ValueError),
    (lambda nn: nn.functional.affine_grid(ones(nn, 1, 2, 3), (2, 1, 4, 4), False), RuntimeError),
    (lambda nn: nn.functional.affine_grid(
        ones(nn, 1, 2, 3).int(), (1, 1, 4, 4), False), ValueError),
    (lambda nn: nn.functional.grid_sample(
        ones(nn, 1, 1, 4, 4), ones(nn, 1, 2, 2, 2), "cubic", "zeros", False), ValueError),
    (lambda nn: nn.functional.grid_sample(
        ones(nn, 1, 1, 4, 4), ones(nn, 1, 2, 2, 2), "nearest", "mirror", False), ValueError),
]  # fmt: skip


def ones(nn, *shape):
    return (wb if nn is wb.nn else torch).ones(shape)


@pytest.mark.parametrize(("call", "kind"), BAD)
def test_refuses_what_torch_refuses(call, kind):
    with pytest.raises(kind):
        call(torch.nn)
    with pytest.raises(kind):
        call(wb.nn)


AFFINE = [((2, 1, 4, 5), 2), ((2, 1, 1, 5), 2), ((2, 1, 3, 4, 2), 3)]


@pytest.mark.parametrize(("size", "dims"), AFFINE)
@pytest.mark.parametrize("align", [False, True])
@pytest.mark.filterwarnings("ignore:.*align_corners=True:UserWarning")
def test_affine_grid(size, dims, align):
    x, y = both(np.random.default_rng(0).normal(size=(2, dims, dims + 1)), grad=True)
    got = wb.nn.functional.affine_grid(x, size, align)
    want = torch.nn.functional.affine_grid(y, size, align)
    same(got, want)
    weights = np.cos(np.arange(got.numel())).reshape(tuple(got.shape))
    got.backward(placed(weights))
    want.backward(torch.from_numpy(weights))
    same(x.grad, y.grad)
    same(wb.affine_grid_generator(x, size, align), torch.affine_grid_generator(y, size, align))


def test_defaults_that_changed_are_said():
    theta, image = wb.eye(2, 3)[None], wb.zeros(1, 1, 3, 3)
    with pytest.warns(UserWarning, match="align_corners"):
        grid = wb.nn.functional.affine_grid(theta, (1, 1, 3, 3))
    with pytest.warns(UserWarning, match="align_corners"):
        wb.nn.functional.grid_sample(image, grid)
    with pytest.warns(UserWarning, match="unit|corners"):
        wb.nn.functional.affine_grid(theta, (1, 1, 1, 3), align_corners=True)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [False, True])
def test_grid_sample_far_outside_and_at_the_edges(dtype, mode, padding, align):
    rng = np.random.default_rng(0)
    points = rng.uniform(-4, 4, (2, 6, 5, 2)).astype(dtype)
    points[0, 1] = np.linspace(-1, 1, 5)[:, None]
    (x, y), (p, q) = (
        both(a.astype(dtype), grad=True) for a in (rng.normal(size=(2, 3, 5, 7)), points)
    )
    got = wb.nn.functional.grid_sample(x, p, mode, padding, align)
    want = torch.nn.functional.grid_sample(y, q, mode, padding, align)
    tolerance = 1e-9 if dtype is np.float64 else 2e-4
    same(got, want, tolerance)
    weights = np.cos(np.arange(got.numel())).reshape(tuple(got.shape)).astype(dtype)
    got.backward(placed(weights))
    want.backward(torch.from_numpy(weights))
    same(x.grad, y.grad, tolerance)
    same(p.grad, q.grad, tolerance)
    number = {"bilinear": 0, "nearest": 1, "bicubic": 2}[mode]
    edge = {"zeros": 0, "border": 1, "reflection": 2}[padding]
    same(wb.grid_sampler(x, p, number, edge, align), torch.grid_sampler(y, q, number, edge, align),
         tolerance)  # fmt: skip


SIZES = [(1, 1), (1, 4), (3, 3), (3, 7), (7, 3), (5, 10), (10, 5), (26, 7), (7, 33), (33, 40)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize(("n", "out"), SIZES)
def test_interpolate_in_every_mode(dtype, n, out):
    """uint8 in the whole numbers torch computes with; sizes, scales, aligned corners, antialias."""
    rng = np.random.default_rng(n)
    array = (
        rng.uniform(0, 255, (1, 3, n, 6)) if dtype is np.uint8 else rng.normal(size=(1, 3, n, 6))
    )
    x, y = both(array.astype(dtype))
    tolerance = {np.float32: 2e-5, np.float64: 1e-10, np.uint8: 0}[dtype]
    calls = [{"mode": mode} for mode in ("nearest", "nearest-exact")]
    calls += [
        {"mode": mode, "align_corners": align, "antialias": antialias}
        for mode in ("bilinear", "bicubic")
        for align in (False, True) for antialias in (False, True)
    ]  # fmt: skip
    calls += [{"mode": "lanczos", "antialias": True}]
    if dtype is not np.uint8:
        calls += [{"mode": "area"}]
    for call in calls:
        scales = {"scale_factor": (out / n + 1e-9, 0.7)}
        for size in ({"size": (out, 4)}, scales, scales | {"recompute_scale_factor": True}):
            got = wb.nn.functional.interpolate(x, **size, **call)
            want = torch.nn.functional.interpolate(y, **size, **call)
            same(got, want, tolerance)


def test_older_names_of_interpolate_say_so():
    x, y = both(np.random.default_rng(0).normal(size=(1, 2, 4, 5)))
    F, T = wb.nn.functional, torch.nn.functional
    for name, options in (
        ("upsample", {"size": (3, 7), "mode": "bilinear"}),
        ("upsample_nearest", {"scale_factor": 2}),
        ("upsample_bilinear", {"size": (3, 7)}),
    ):
        with pytest.warns(UserWarning, match="deprecated"):
            got = getattr(F, name)(x, **options)
        with pytest.warns(UserWarning, match="deprecated"):
            want = getattr(T, name)(y, **options)
        same(got, want)


def test_infinities_stay_in_their_neighbourhood():
    array = np.zeros((1, 1, 6, 6))
    array[0, 0, 2, 3] = np.inf
    x, y = both(array)
    for call in (
        lambda F, z: F.interpolate(z, (9, 9), mode="nearest"),
        lambda F, z: F.interpolate(z, (5, 7), mode="bilinear"),
        lambda F, z: F.adaptive_avg_pool2d(z, 4),
        lambda F, z: F.avg_pool2d(z, 3, 1, 1),
    ):
        same(call(wb.nn.functional, x), call(torch.nn.functional, y))


TOP = {
    "max_pool1d": lambda T, x: T.max_pool1d(x[0], 2),
    "max_pool2d": lambda T, x: T.max_pool2d(x, 2, stride=1),
    "max_pool3d": lambda T, x: T.max_pool3d(x, (1, 2, 2)),
    "max_pool1d_with_indices": lambda T, x: T.max_pool1d_with_indices(x[0], 2),
    "adaptive_max_pool1d": lambda T, x: T.adaptive_max_pool1d(x[0], 2),
    "adaptive_avg_pool1d": lambda T, x: T.adaptive_avg_pool1d(x[0], 2),
    "avg_pool1d": lambda T, x: T.avg_pool1d(x[0], 2),
    "pixel_shuffle": lambda T, x: T.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda T, x: T.pixel_unshuffle(x, 2),
    "channel_shuffle": lambda T, x: T.channel_shuffle(x, 2),
    "native_channel_shuffle": lambda T, x: T.native_channel_shuffle(x, 2),
    "constant_pad_nd": lambda T, x: T.constant_pad_nd(x, (1, -1, 2, 0), 3),
    "max_pool2d_with_indices": lambda T, x: T.nn.functional.max_pool2d_with_indices(x, 2),
    "adaptive_max_pool2d_with_indices": (
        lambda T, x: T.nn.functional.adaptive_max_pool2d_with_indices(x, 3)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOP)
def test_names_at_the_top_level(name):
    x, y = both(np.random.default_rng(0).normal(size=(2, 4, 6, 6)))
    got, want = TOP[name](wb, x), TOP[name](torch, y)
    several = isinstance(want, tuple)
    for a, b in zip(got if several else (got,), want if several else (want,), strict=True):
        same(a, b)


def test_windows_are_drawn_for_each_sample_under_vmap():
    x, F = wb.randn(3, 2, 4, 9, 9), wb.nn.functional
    made = wb.vmap(lambda one: F.fractional_max_pool2d(one, 2, 4), randomness="different")(
        x[:1].expand(3, 2, 4, 9, 9)
    )
    assert tuple(made.shape) == (3, 2, 4, 4, 4)
    assert (made[0] != made[1]).any()
    with pytest.raises(RuntimeError, match="randomness"):
        wb.vmap(lambda one: F.fractional_max_pool2d(one, 2, 4))(x)
