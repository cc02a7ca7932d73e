"""Compiled convolutions against torch in float64, over geometries of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workbench.arrays import compiler, parallel
from workbench.ops import conv_kernels
from workbench.ops.conv_kernels import geometry

pytest.importorskip("llvmlite")
if not compiler.available():
    pytest.skip("this processor has no vectors to compile for", allow_module_level=True)

from workbench.ops.compiled import conv, conv_layout, conv_weight

TOLERANCE = {np.dtype("f"): 2e-5, np.dtype("d"): 1e-12}

CASES = [
    # batch, channels in and out, sides, kernel, stride, padding, dilation (, groups)
    (3, 6, 6, (14, 14), (3, 3), 1, 1, 1, 6),
    (2, 5, 10, (9, 9), (3, 3), 2, 1, 1, 5),
    (2, 6, 9, (8, 8), (5, 5), 1, 2, 1, 3),
    (2, 40, 24, (8, 16), (3, 3), 1, 1, 1, 2),
    (2, 3, 8, (32, 32), (3, 3), 1, 1, 1),
    (3, 16, 16, (32, 32), (3, 3), 1, 1, 1),
    (2, 16, 32, (32, 32), (3, 3), 2, 1, 1),
    (2, 16, 32, (32, 32), (1, 1), 2, 0, 1),
    (5, 9, 7, (8, 8), (3, 3), 1, 1, 1),
    (1, 5, 7, (14, 14), (3, 3), 1, 1, 1),
    (2, 3, 5, (20,), (4,), 3, 2, 2),
    (2, 3, 5, (1,), (1,), 1, 0, 1),
    (2, 3, 4, (5, 6, 7), (3, 2, 3), (1, 2, 1), (1, 0, 1), 1),
    (2, 3, 4, (13, 17), (5, 3), (3, 1), (2, 1), (1, 2)),
    (2, 2, 3, (3, 3), (3, 3), 1, 2, 1),  # more padding than image
    (1, 64, 32, (60, 70), (3, 3), 1, 1, 1),  # several blocks
    (1, 40, 9, (9, 40, 41), (3, 3, 3), 1, 1, 1),  # several blocks along D
    (70, 4, 8, (6, 6), (3, 3), 1, 1, 1),  # several groups of images
    (2, 4, 5, (9, 9), (2, 2), 4, 0, 1),  # places that no window reads
]


def oracle(x, w, b, g, *settings):
    """Result and gradients by torch, in float64."""
    torch = pytest.importorskip("torch")
    function = getattr(torch.nn.functional, f"conv{x.ndim - 2}d")
    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (x, w)]
    out = function(*tensors, torch.tensor(b, dtype=torch.float64), *settings)
    out.backward(torch.tensor(g, dtype=torch.float64))
    return out.detach().numpy(), *(t.grad.numpy() for t in tensors)


def made(x, w, b, g, geo):
    """Result and gradients by the compiled kernels; what they leave unwritten stays nan."""
    three = geo.lifted()
    out, dx, dw = (np.full(shape, np.nan, x.dtype) for shape in
                   (three.y_shape, three.x_shape, three.w_shape))  # fmt: skip
    x, w, g = x.reshape(three.x_shape), w.reshape(three.w_shape), g.reshape(three.y_shape)
    conv.forward(x, w, three, out, b)
    conv.adjoint_input(g, w, three, dx)
    conv.adjoint_weight(x, g, three, dw)
    return out.reshape(geo.y_shape), dx.reshape(geo.x_shape), dw.reshape(geo.w_shape)


def operands(case, dtype, seed=0):
    batch, c, k, sides, kernel, stride, padding, dilation, *rest = case
    groups = rest[0] if rest else 1
    make = np.random.default_rng(seed).standard_normal
    x, w, b = (make(s).astype(dtype) for s in ((batch, c, *sides), (k, c // groups, *kernel), (k,)))
    geo = geometry.forward(
        f"conv{len(sides)}d", x.shape, w.shape, b.shape, stride, padding, dilation, groups
    )
    return x, w, b, make(geo.y_shape).astype(dtype), geo


def agree(case, dtype):
    x, w, b, g, geo = operands(case, dtype)
    wanted = oracle(x, w, b, g, *case[5:])
    for name, one, other in zip(("out", "dx", "dw"), made(x, w, b, g, geo), wanted, strict=True):
        scale = np.abs(other).max() + 1e-30
        np.testing.assert_allclose(
            one, other, rtol=0, atol=TOLERANCE[np.dtype(dtype)] * scale, err_msg=name
        )


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_as_torch(case, dtype):
    agree(case, dtype)


@pytest.mark.parametrize("case", [(9, 6, 20, (7, 7), (3, 3), 1, 1, 1),
                                  (9, 6, 40, (11, 5), (3, 3), 2, 1, 1, 2)], ids=str)  # fmt: skip
@pytest.mark.parametrize("limits", [{"_MUCH": 1}, {"_SUMS": 1}, {"_SUMS": 1, "_FAR": 4000}],
                         ids=str)  # fmt: skip
def test_large_weights(case, limits, monkeypatch):
    """Several images at a time, and sums cut along K, which only large weights would ask for."""
    for name, value in limits.items():
        monkeypatch.setattr(conv if name == "_MUCH" else conv_weight, name, value)
    conv_layout.forward.cache_clear()
    conv_layout.backward.cache_clear()
    agree(case, "f")
    conv_layout.forward.cache_clear()
    conv_layout.backward.cache_clear()


@st.composite
def geometries(draw):
    dims = draw(st.integers(1, 3))

    def several(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(dims))

    sides, kernel = several(1, 20 if dims < 3 else 7), several(1, 4)
    stride, padding, dilation = several(1, 3), several(0, 3), several(1, 2)
    for n, k, p, d in zip(sides, kernel, padding, dilation, strict=True):
        assume(n + 2 * p >= d * (k - 1) + 1)
    batch, groups = draw(st.integers(1, 4)), draw(st.sampled_from((1, 1, 2, 3)))
    c, k = groups * draw(st.integers(1, 9)), groups * draw(st.integers(1, 18))
    return (batch, c, k, sides, kernel, stride, padding, dilation, groups)


@given(geometries())
def test_any_geometry(case):
    agree(case, "f")


def test_threads_do_not_change_a_bit():
    x, w, b, g, geo = operands((7, 16, 20, (16, 16), (3, 3), 1, 1, 1), "f")
    before = parallel.threads()
    try:
        found = []
        for threads in (1, 2, 3):
            parallel.set_threads(threads)
            found.append(made(x, w, b, g, geo))
    finally:
        parallel.set_threads(before)
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_other_values_stay_where_they_are():
    """A nan in one image or channel reaches what it should and nothing else."""
    x, w, b, g, geo = operands((2, 3, 4, (8, 8), (3, 3), 1, 1, 1), "f")
    clean = made(x, w, b, g, geo)
    x[1, 2, 4, 4] = np.nan
    out, dx, _ = made(x, w, b, g, geo)
    near = np.zeros(out.shape, bool)
    near[1, :, 3:6, 3:6] = True
    np.testing.assert_array_equal(np.isnan(out), near)
    np.testing.assert_array_equal(out[~near], clean[0][~near])
    np.testing.assert_array_equal(dx, clean[1])


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_same_without_a_compiler(groups):
    """The op's choice: with kernels and without them, from views, in every group."""
    make = np.random.default_rng(3).standard_normal
    x = make((4, 20, 20, 8)).astype("f").transpose(0, 3, 1, 2)
    w, b = make((8, 8 // groups, 3, 3)).astype("f"), make(8).astype("f")
    geo = geometry.forward("conv2d", x.shape, w.shape, b.shape, 1, 1, 1, groups)
    g = make(geo.y_shape).astype("f")
    found = []
    try:
        for on in (True, False):
            compiler.enable(on)
            found.append(
                (conv_kernels.forward(np, x, w, geo, b), *conv_kernels.adjoints(np, x, g, w, geo))
            )
    finally:
        compiler.enable(True)
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4)


def test_layouts_fill_their_vectors():
    """Rows that end in half-filled vectors run on instead; whole rows do not."""

    def flat(side):
        geo = geometry.forward("conv2d", (1, 1, 4, side), (1, 1, 3, 3), None, 1, 1, 1, 1)
        return conv_layout.forward(geo.lifted(), 16).flat

    assert not flat(32)
    assert not flat(16)
    assert flat(17)
