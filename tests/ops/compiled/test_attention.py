"""Compiled attention against torch and float64: values, gradients, layouts, limits, threads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.arrays import compiler
from workbench.nn import functional

pytest.importorskip("llvmlite")
torch = pytest.importorskip("torch")
if not compiler.available():
    pytest.skip("no kernels are compiled here", allow_module_level=True)


def drawn(*shape, seed=0, inner=False, dtype=np.float32, by=1.0):
    """Normal numbers; `inner`: with heads inside of places in memory."""
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(shape) * by).astype(dtype)
    return x.swapaxes(1, 2).copy().swapaxes(1, 2) if inner and len(shape) == 4 else x


def attended(lib, arrays, g, **options):
    """The result and the gradients of query, key and value."""
    tensors = [lib.tensor(x, requires_grad=True) for x in arrays]
    out = lib.nn.functional.scaled_dot_product_attention(*tensors, **options)
    out.backward(lib.tensor(g.astype(arrays[0].dtype)))
    return [out.detach().numpy(), *(t.grad.numpy() for t in tensors)]


def compare(arrays, **options):
    """Not much further from float64 than torch is."""
    exact = [x.astype(np.float64) for x in arrays]
    lead = np.broadcast_shapes(*(x.shape[:-2] for x in arrays))
    g = drawn(*lead, arrays[0].shape[-2], arrays[2].shape[-1], seed=9)
    want = attended(torch, exact, g, **options)
    theirs = attended(torch, arrays, g, **options)
    ours = attended(wb, arrays, g, **options)
    for one, other, right in zip(ours, theirs, want, strict=True):
        assert one.shape == right.shape
        assert one.dtype == other.dtype
        far = np.abs(other - right).max()
        eps = np.finfo(one.dtype).eps
        assert np.abs(one - right).max() <= 2.5 * far + 32 * eps * np.abs(right).max()


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    ("q", "k", "v"),
    [
        ((2, 3, 64, 32), (2, 3, 64, 32), (2, 3, 64, 32)),
        ((2, 3, 50, 20), (2, 3, 50, 20), (2, 3, 50, 20)),
        ((2, 2, 37, 64), (2, 2, 53, 64), (2, 2, 53, 48)),
        ((2, 2, 53, 16), (2, 2, 37, 16), (2, 2, 37, 80)),
        ((1, 1, 300, 64), (1, 1, 300, 64), (1, 1, 300, 64)),
        ((3, 70, 8), (3, 70, 8), (3, 70, 8)),
        ((33, 8), (33, 8), (33, 8)),
        ((1, 8, 9, 1), (1, 8, 9, 1), (1, 8, 9, 1)),
    ],
)
def test_shapes(q, k, v, causal):
    for inner in (False, True):
        arrays = [drawn(*s, seed=i, inner=inner) for i, s in enumerate((q, k, v))]
        compare(arrays, is_causal=causal)
    compare([x.astype(np.float64) for x in arrays], is_causal=causal, scale=0.3)


@given(
    lead=st.lists(st.integers(1, 3), max_size=2),
    rows=st.integers(8, 70),
    keys=st.integers(1, 70),
    widths=st.tuples(st.sampled_from([1, 16, 24]), st.sampled_from([8, 17, 40])),
    causal=st.booleans(),
    inner=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_any_sizes(lead, rows, keys, widths, causal, inner):
    width, values = widths
    shapes = ((rows, width), (keys, width), (keys, values))
    arrays = [drawn(*lead, *s, seed=i, inner=inner) for i, s in enumerate(shapes)]
    compare(arrays, is_causal=causal)


def test_long_and_far():
    compare([drawn(1, 1, 1100, 32, seed=i) for i in range(3)])
    compare([drawn(1, 2, 64, 32, seed=i, by=20.0) for i in range(3)], is_causal=True)


def test_broadcast_heads():
    compare([drawn(2, 3, 16, 8), drawn(2, 1, 20, 8, seed=1), drawn(2, 3, 20, 8, seed=2)])
    compare([drawn(3, 16, 8), drawn(3, 20, 8, seed=1), drawn(3, 20, 8, seed=2).copy()])


def test_parts_of_a_projection():
    x = drawn(2, 40, 3 * 4 * 8)

    def split(lib):
        whole = lib.tensor(x, requires_grad=True)
        q, k, v = whole.view(2, 40, 3, 4, 8).permute(2, 0, 3, 1, 4)
        out = lib.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out = out.transpose(1, 2).reshape(2, 40, 32)
        (out * out).sum().backward()
        return out.detach().numpy(), whole.grad.numpy()

    for a, b in zip(split(wb), split(torch), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_stays_in_its_rows(odd):
    arrays = [drawn(1, 2, 40, 8, seed=i) for i in range(3)]
    for which in range(3):
        given = [x.copy() for x in arrays]
        given[which][0, 0, 17, 3] = odd
        for causal in (True, False):
            ours, theirs = (
                lib.nn.functional.scaled_dot_product_attention(
                    *(lib.tensor(x) for x in given), is_causal=causal
                ).numpy()
                for lib in (wb, torch)
            )
            if causal and which == 2:  # torch adds 0 · nan of later keys, by blocks
                assert np.isfinite(ours)[np.isfinite(theirs)].all()
                assert not np.isfinite(ours[0, 0, 17:, 3]).any()
            else:
                np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs))


def test_gradients_that_are_spread_or_turned():
    arrays = [drawn(2, 2, 20, 8, seed=i) for i in range(3)]

    def of(lib, which):
        q, k, v = (lib.tensor(x, requires_grad=True) for x in arrays)
        out = lib.nn.functional.scaled_dot_product_attention(q, k, v)
        if which:
            out = out.transpose(2, 3) * lib.tensor(drawn(2, 2, 8, 20, seed=4))
        out.sum().backward()
        return [t.grad.numpy() for t in (q, k, v)]

    for which in (False, True):
        for a, b in zip(of(wb, which), of(torch, which), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 4, 64, 32), (1, 2, 400, 32), (1, 1, 1000, 16)])
def test_both_ways_and_any_threads(threads, shape):
    arrays = [drawn(*shape, seed=i) for i in range(3)]
    g = drawn(*shape, seed=3)
    threads(1)
    one = attended(wb, arrays, g, is_causal=True)
    threads(2)
    two = attended(wb, arrays, g, is_causal=True)
    compiler.enable(False)
    try:
        plain = attended(wb, arrays, g, is_causal=True)
    finally:
        compiler.enable(True)
    for a, b, c in zip(one, two, plain, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=1e-3, atol=1e-5)


def test_higher_orders():
    q, k, v = (
        wb.tensor(drawn(1, 2, 8, 3, seed=i, dtype=np.float64), requires_grad=True) for i in range(3)
    )
    for causal in (True, False):

        def attend(q, k, v, causal=causal):
            return functional.scaled_dot_product_attention(q, k, v, is_causal=causal)

        assert wb.autograd.gradcheck(attend, (q, k, v))
        assert wb.autograd.gradgradcheck(attend, (q, k, v))
