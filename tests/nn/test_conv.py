"""Convolutions as functions and layers, against torch; every way to compute them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from torch_twins import both, same, torch, twins

import workbench as wb
from workbench.arrays import compiler
from workbench.ops import conv_kernels
from workbench.ops.conv_kernels import columns, depthwise, geometry, pointwise, rows, winograd

LAYERS = {
    "1d": (lambda nn: nn.Conv1d(3, 4, 3, stride=2, padding=1), (2, 3, 9)),
    "1d replicate": (lambda nn: nn.Conv1d(3, 4, 3, padding=2, padding_mode="replicate"), (3, 9)),
    "2d circular same": (
        lambda nn: nn.Conv2d(2, 3, (4, 3), padding="same", padding_mode="circular"),
        (2, 2, 7, 6),
    ),
    "2d reflect valid": (
        lambda nn: nn.Conv2d(2, 3, 3, padding="valid", padding_mode="reflect"),
        (2, 2, 5, 6),
    ),
    "3d": (lambda nn: nn.Conv3d(2, 3, (3, 2, 1), (1, 2, 1), (1, 0, 2)), (2, 2, 4, 5, 3)),
    "3d groups": (lambda nn: nn.Conv3d(4, 6, 2, groups=2, dilation=2, bias=False), (4, 4, 5, 4)),
    "3d same": (lambda nn: nn.Conv3d(1, 2, (4, 3, 2), padding="same"), (1, 1, 4, 4, 4)),
    "3d reflect": (
        lambda nn: nn.Conv3d(1, 2, 3, padding=1, padding_mode="reflect"),
        (1, 1, 4, 3, 4),
    ),
    "3d circular": (
        lambda nn: nn.Conv3d(1, 2, 3, padding=(2, 1, 1), padding_mode="circular"),
        (1, 1, 4, 3, 4),
    ),
    "transposed 1d": (lambda nn: nn.ConvTranspose1d(3, 4, 3, 2, 1, 1), (2, 3, 5)),
    "transposed 2d": (lambda nn: nn.ConvTranspose2d(3, 4, 3), (2, 3, 5, 4)),
    "transposed 2d all": (
        lambda nn: nn.ConvTranspose2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 0), 2, False, (1, 2)),
        (2, 4, 5, 4),
    ),
    "transposed 2d one": (lambda nn: nn.ConvTranspose2d(3, 4, 3, stride=2), (3, 5, 4)),
    "transposed 3d": (lambda nn: nn.ConvTranspose3d(2, 3, 2, (1, 2, 1), 1), (2, 2, 3, 4, 3)),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("name", LAYERS)
def test_layer_matches_torch(name):
    make, shape = LAYERS[name]
    ours, theirs = twins(make)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x, y = both(np.random.default_rng(0).standard_normal(shape), grad=True)
    a, b = ours(x), theirs(y)
    same(a, b)
    seed = np.random.default_rng(1).standard_normal(a.shape)
    a.backward(wb.from_numpy(seed))
    b.backward(torch.from_numpy(seed))
    same(x.grad, y.grad)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        same(p.grad, q.grad)


def test_output_size_picks_the_output_padding():
    ours, theirs = twins(lambda nn: nn.ConvTranspose2d(3, 4, 3, stride=(2, 3), padding=1))
    x, y = both(np.random.default_rng(0).standard_normal((2, 3, 5, 4)))
    for size in ([9, 10], [10, 12], (2, 4, 10, 11), torch.Size([2, 4, 9, 12])):
        same(ours(x, output_size=size), theirs(y, output_size=list(size)))
    same(ours(x[0], [10, 11]), theirs(y[0], [10, 11]))
    for size in ([11, 10], [8, 10], [9], [1, 2, 3]):
        with pytest.raises(ValueError, match=r"output.size"):
            theirs(y, output_size=size)
        with pytest.raises(ValueError, match=r"output.size"):
            ours(x, output_size=size)


@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"),
        lambda nn: nn.ConvTranspose2d(3, 4, 3, groups=2),
        lambda nn: nn.Conv3d(3, 4, 3, groups=0),
        lambda nn: nn.Conv3d(3, 4, 3, stride=2, padding="same"),
        lambda nn: nn.Conv1d(3, 4, 3, padding="full"),
    ],
)
def test_bad_settings_raise_as_in_torch(make):
    with pytest.raises(ValueError, match=r"padding|groups"):
        make(torch.nn)
    with pytest.raises(ValueError, match=r"padding|groups"):
        make(wb.nn)


def test_a_derived_layer_may_give_another_weight():
    class Doubled(wb.nn.Conv2d):
        def forward(self, input):
            return self._conv_forward(input, self.weight * 2, None)

    layer = Doubled(2, 3, 3, padding=1, padding_mode="circular", bias=False)
    plain = wb.nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular", bias=False)
    plain.load_state_dict(layer.state_dict())
    x = wb.randn(1, 2, 5, 5)
    assert wb.allclose(layer(x), plain(x) * 2)


def test_convolution_by_its_general_name():
    rng = np.random.default_rng(0)
    x, y = both(rng.standard_normal((2, 4, 5, 6)))
    w, v = both(rng.standard_normal((4, 2, 3, 2)))
    b, c = both(rng.standard_normal(4))
    for args in (([1, 1], [0, 0], [1, 1], False, [0, 0], 2), ([2], [1], [1], False, [0], 2),
                 ([2, 1], [1, 0], [1, 1], True, [1, 0], 2)):  # fmt: skip
        same(wb.convolution(x, w, b, *args), torch.convolution(y, v, c, *args))
    with pytest.raises(RuntimeError, match="3, 4 or 5"):
        wb.convolution(x, wb.zeros(4, 2), None, [1], [0], [1], False, [0], 1)


def test_time_first():
    rng = np.random.default_rng(0)
    x, y = both(rng.standard_normal((7, 2, 3)), grad=True)
    w, v = both(rng.standard_normal((3, 3, 5)), grad=True)
    b, c = both(rng.standard_normal(5), grad=True)
    out, other = wb.conv_tbc(x, w, b, 1), torch.conv_tbc(y, v, c, 1)
    same(out, other)
    assert out.is_contiguous()
    out.sum().backward()
    other.sum().backward()
    for p, q in ((x, y), (w, v), (b, c)):
        same(p.grad, q.grad)
    with pytest.raises(RuntimeError, match="3 dimensions"):
        wb.conv_tbc(x[0], w, b)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_summed_in_single_precision(dtype):
    """300 ones: each sum is exact, where half precision itself would stop at 256 or lose bits."""
    x = wb.ones(1, 300, 3, 3, dtype=getattr(wb, dtype), requires_grad=True)
    w = wb.ones(2, 300, 3, 3, dtype=getattr(wb, dtype), requires_grad=True)
    out = wb.nn.functional.conv2d(x, w)
    assert out.dtype is x.dtype
    assert float(out[0, 0, 0, 0]) == float(torch.tensor(2700.0).to(getattr(torch, dtype)))
    out.sum().backward()
    assert x.grad.dtype is x.dtype
    assert w.grad.dtype is x.dtype


# -- the ways to compute ---------------------------------------------------------------------------

WAYS = {"rows": rows, "winograd": winograd, "pointwise": pointwise, "depthwise": depthwise}


def _cases():
    """(way, geometry): strides, paddings, dilations, odd sides, one image and several pieces."""
    for ins, kernel, stride, dilation, padding in itertools.product(
        [(6, 9), (7, 5)], [(3, 3), (1, 2), (4, 3)], [(1, 1), (2, 3)], [(1, 1), (2, 1), (1, 2)],
        [(0, 0), (2, 1)],
    ):  # fmt: skip
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        if any(r > n + 2 * p for r, n, p in zip(reach, ins, padding, strict=True)):
            continue
        for batch in (1, 3):
            yield "rows", ((batch, 3, *ins), (5, 3, *kernel), stride, padding, dilation, 1)
            yield "depthwise", ((batch, 3, *ins), (6, 1, *kernel), stride, padding, dilation, 3)
    for kernel, dilation in (((2, 3, 2), (1, 1, 1)), ((2, 2, 1), (2, 2, 1))):
        yield "rows", ((2, 3, 5, 4, 6), (4, 3, *kernel), (2, 1, 2), (1, 0, 1), dilation, 1)
    for n, k in ((7, 3), (9, 1)):
        yield "rows", ((2, 3, n), (4, 3, k), (2,), (1,), (1,), 1)
        yield "depthwise", ((2, 3, n), (3, 1, k), (2,), (1,), (1,), 3)
    for ins, padding, (kw, gap) in itertools.product(
        [(6, 6), (5, 7), (3, 4)], [(0, 0), (1, 1), (2, 1), (4, 3), "same"], [(3, 1), (1, 1), (2, 2)]
    ):
        for batch in (1, 5):
            yield (
                "winograd",
                ((batch, 3, *ins), (4, 3, 3, kw), (1, 1), padding, (1, gap), 1),
            )
    for stride in (1, 2, 3):
        yield "pointwise", ((2, 3, 5, 4), (4, 3, 1, 1), stride, 0, 1, 1)


def _numbers(case):
    (way, (x, w, stride, padding, dilation, groups)) = case
    geo = geometry.forward(f"conv{len(x) - 2}d", x, w, None, stride, padding, dilation, groups)
    rng = np.random.default_rng(0)
    return (
        WAYS[way],
        geo,
        rng.standard_normal(x),
        rng.standard_normal(w),
        rng.standard_normal(geo.y_shape),
    )


def test_every_way_gives_what_columns_give():
    for case in _cases():
        way, geo, x, w, y = _numbers(case)
        made = geo.lifted() if way in (rows, depthwise) else geo
        for name, first, second, shape in (
            ("forward", x, w, geo.y_shape),
            ("adjoint_input", y, w, geo.x_shape),
            ("adjoint_weight", x, y, geo.w_shape),
        ):
            shapes = {"forward": (made.x_shape, made.w_shape),
                      "adjoint_input": (made.y_shape, made.w_shape),
                      "adjoint_weight": (made.x_shape, made.y_shape)}[name]  # fmt: skip
            wanted = getattr(columns, name)(np, first, second, geo)
            got = np.full(shape, np.nan)
            into = {"forward": made.y_shape, "adjoint_input": made.x_shape,
                    "adjoint_weight": made.w_shape}[name]  # fmt: skip
            getattr(way, name)(
                first.reshape(shapes[0]), second.reshape(shapes[1]), made, got.reshape(into)
            )
            np.testing.assert_allclose(
                got, wanted, rtol=1e-10, atol=1e-10, err_msg=f"{name} {case}"
            )


LARGE = {
    "winograd": ((60, 33, 13, 10), (40, 33, 3, 3), 1, 1, 1, 1),
    "rows": ((14, 16, 12, 11), (24, 16, 3, 3), 2, 1, 1, 1),
    "columns": ((4, 2, 40, 40), (16, 2, 5, 5), 1, 2, 1, 1),
    "pointwise": ((4, 24, 16, 16), (40, 24, 1, 1), 2, 0, 1, 1),
    "depthwise": ((4, 32, 20, 20), (32, 1, 3, 3), 1, 1, 1, 32),
    "groups": ((4, 32, 20, 20), (64, 16, 3, 3), 1, 1, 1, 2),
    "many groups": ((4, 32, 20, 20), (32, 4, 3, 3), 1, 1, 1, 8),
}


@pytest.fixture
def without_compiler():
    on = compiler.available()
    compiler.enable(False)
    yield
    compiler.enable(on)


@pytest.mark.parametrize("name", LARGE)
def test_large_shapes_take_their_way_and_match_torch(name, without_compiler):
    """Single precision, where the choice among the ways is made; the same bits each time."""
    shape, weight, *settings = LARGE[name]
    stride, padding, dilation, groups = settings
    geo = geometry.forward("conv2d", shape, weight, None, stride, padding, dilation, groups)
    chosen = conv_kernels._choice(geo, "f", False)
    assert (chosen is None) == (name in ("columns", "many groups"))
    assert name not in WAYS or chosen is WAYS[name]
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(s).astype(np.float32) for s in (shape, weight, weight[:1])]
    found = []
    for _ in range(2):
        x, w, b = (wb.from_numpy(v.copy()).requires_grad_() for v in values)
        out = wb.conv2d(x, w, b, *settings)
        assert out.is_contiguous()
        seed = np.random.default_rng(1).standard_normal(out.shape).astype(np.float32)
        out.backward(wb.from_numpy(seed))
        assert out.array.base is None  # else backward passes would copy it
        assert w.grad.array.base is None
        found.append([out.detach().numpy(), x.grad.numpy(), w.grad.numpy(), b.grad.numpy()])
    for first, second in zip(*found, strict=True):
        assert np.array_equal(first, second)
    y, v, c = (torch.from_numpy(v).double().requires_grad_() for v in values)
    other = torch.conv2d(y, v, c, *settings)
    other.backward(torch.from_numpy(seed).double())
    for mine, theirs in zip(found[0], (other, y.grad, v.grad, c.grad), strict=True):
        wanted = theirs.detach().numpy()
        assert np.abs(mine - wanted).max() < 3e-6 * max(1, np.abs(wanted).max())


def test_many_channels_take_fewer_multiplications_with_a_compiler_too():
    def way(channels, dtype="f", groups=1):
        weight = (channels, channels // groups, 3, 3)
        geo = geometry.forward("conv2d", (8, channels, 8, 8), weight, None, 1, 1, 1, groups)
        return conv_kernels._choice(geo, dtype, True)

    assert way(256) is winograd
    for other in (way(64), way(256, "d"), way(512, groups=2)):
        assert other.__name__.endswith("compiled.conv")


def test_results_are_fresh_and_inputs_untouched():
    for name, (shape, weight, *settings) in LARGE.items():
        x, w = wb.randn(*shape), wb.randn(*weight)
        kept = x.clone(), w.clone()
        first = wb.conv2d(x, w, None, *settings)
        before = first.clone()
        second = wb.conv2d(x * 2, w, None, *settings)
        assert wb.equal(first, before), name
        assert not np.shares_memory(first.array, second.array)
        assert wb.equal(x, kept[0])
        assert wb.equal(w, kept[1])


def test_without_openblas_the_results_are_the_same(monkeypatch):
    from workbench.arrays import openblas

    for name in ("winograd", "rows", "depthwise"):
        shape, weight, stride, padding, dilation, groups = LARGE[name]
        x, w = wb.randn(*shape, requires_grad=True), wb.randn(*weight, requires_grad=True)
        results = []
        for found in (None, openblas._functions):
            with monkeypatch.context() as patch:
                if found is None:
                    patch.setattr(openblas, "_functions", lambda char: None)
                out = wb.conv2d(x, w, None, stride, padding, dilation, groups)
                grads = wb.autograd.grad((out * out).sum(), (x, w))
            results.append([out.detach().numpy(), *(g.numpy() for g in grads)])
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5 * np.abs(b).max())


def test_empty_sides_and_channels():
    assert wb.conv2d(wb.zeros(0, 3, 5, 5), wb.zeros(4, 3, 3, 3)).shape == (0, 4, 3, 3)
    out = wb.conv2d(wb.zeros(2, 0, 5, 5), wb.zeros(4, 0, 3, 3), wb.ones(4))
    assert wb.equal(out, wb.ones(2, 4, 3, 3))
    assert wb.conv_transpose1d(wb.zeros(0, 3, 5), wb.zeros(3, 4, 3)).shape == (0, 4, 7)
