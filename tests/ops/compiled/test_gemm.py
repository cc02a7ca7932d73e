"""Products of matrices by kernels: against float64 and torch, in every order, with every edge."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.arrays import compiler, parallel
from workbench.arrays.compiler.llvm import host
from workbench.ops.compiled import gemm
from workbench.ops.compiled.gemm import product

pytest.importorskip("llvmlite")

# Every tile: full and partial rows, one, two and three vectors, panels of both widths, two blocks
SIZES = [
    (64, 128, 384), (33, 70, 100), (128, 10, 256), (10, 256, 128), (8, 300, 65), (300, 7, 65),
    (17, 17, 500), (100, 48, 1500), (256, 784, 32), (32, 256, 784), (49, 33, 1025), (40, 4096, 1),
]  # fmt: skip


@pytest.fixture(autouse=True)
def kernels():
    before = compiler.available()
    compiler.enable(True)
    if not compiler.available():
        pytest.skip("no kernels are compiled for this processor")
    yield
    compiler.enable(before)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def matrix(rng, shape, flipped, kind="float32"):
    """Random numbers; with `flipped` a transposed view."""
    if flipped:
        shape = (*shape[:-2], shape[-1], shape[-2])
    made = rng.standard_normal(shape).astype(kind)
    return made.swapaxes(-1, -2) if flipped else made


def close(found, wanted, k):
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 3 * np.finfo(found.dtype).eps * (k + 8)


def exact(a, b):
    return a.astype(np.float64) @ b.astype(np.float64)


@pytest.mark.parametrize(("m", "n", "k"), SIZES)
def test_product_in_every_order(rng, m, n, k):
    for flip_a, flip_b in itertools.product((False, True), repeat=2):
        a, b = matrix(rng, (m, k), flip_a), matrix(rng, (k, n), flip_b)
        assert gemm.plan(a, b) is not None
        wanted = exact(a, b)
        close(product(a, b), wanted, k)
        bias = matrix(rng, (1, n), False)[0]
        close(product(a, b, bias=bias), wanted + bias, k)
        into = matrix(rng, (m, n), False)
        close(product(a, b, into.copy(), add=True), wanted + into, k)


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_product_of_both_precisions(rng, kind):
    for m, n, k in [(65, 50, 90), (64, 96, 1030), (20, 200, 40)]:
        for flip_a, flip_b in itertools.product((False, True), repeat=2):
            a, b = matrix(rng, (m, k), flip_a, kind), matrix(rng, (k, n), flip_b, kind)
            assert gemm.plan(a, b) is not None
            wanted = a.astype(np.longdouble) @ b.astype(np.longdouble)
            close(product(a, b), wanted, k)


def test_blocks_of_large_factors(rng, monkeypatch):
    monkeypatch.setattr(gemm, "_ROOM", 1 << 14)
    monkeypatch.setattr(gemm, "DEEP", 128)
    monkeypatch.setattr(gemm, "_plans", {})
    for m, n, k in [(200, 700, 300), (130, 417, 129), (700, 100, 260)]:
        for flip_a, flip_b in itertools.product((False, True), repeat=2):
            a, b = matrix(rng, (m, k), flip_a), matrix(rng, (k, n), flip_b)
            bias = matrix(rng, (1, n), False)[0]
            close(product(a, b, bias=bias), exact(a, b) + bias, k)


@pytest.mark.parametrize("lanes", [4, 8])
def test_narrower_vectors(rng, monkeypatch, lanes):
    monkeypatch.setattr(host(), "lanes", lanes)
    monkeypatch.setattr(host(), "registers", 16 if lanes == 8 else 32)
    monkeypatch.setattr(gemm, "_plans", {})
    for m, n, k in [(65, 50, 90), (20, 200, 40), (200, 9, 80), (33, 6, 700)]:
        for flip_a, flip_b in itertools.product((False, True), repeat=2):
            a, b = matrix(rng, (m, k), flip_a), matrix(rng, (k, n), flip_b)
            close(product(a, b), exact(a, b), k)


SIDES = st.sampled_from([1, 2, 3, 5, 6, 7, 8, 12, 15, 16, 17, 31, 33, 48, 50, 64, 97, 130])


@settings(max_examples=40, deadline=None)
@given(m=SIDES, n=SIDES, k=SIDES, flips=st.tuples(st.booleans(), st.booleans()),
       lead=st.sampled_from([(), (3,), (2, 3), (0,), (1,)]),
       gaps=st.integers(0, 3))  # fmt: skip
def test_any_shape(m, n, k, flips, lead, gaps):
    rng = np.random.default_rng(m * 10007 + n * 101 + k)
    a, b = matrix(rng, (*lead, m, k), flips[0]), matrix(rng, (*lead, k, n), flips[1])
    out = np.full((*lead, m, n + gaps), 7, np.float32)
    made = product(a, b, out[..., :n])
    assert made.base is out or made is out
    if made.size:
        close(made, exact(a, b), k)
    assert (out[..., n:] == 7).all()


def test_batches(rng):
    for lead_a, lead_b in [((5,), (5,)), ((2, 3), (2, 3)), ((2, 1), (1, 3)), ((), (4,)),
                           ((4,), ()), ((40,), (40,))]:  # fmt: skip
        for flip_a, flip_b in itertools.product((False, True), repeat=2):
            a = matrix(rng, (*lead_a, 40, 70), flip_a)
            b = matrix(rng, (*lead_b, 70, 50), flip_b)
            assert gemm.plan(a, b) is not None
            close(product(a, b), exact(a, b), 70)


def test_heads_of_attention_where_they_lie(rng):
    q, k = (rng.standard_normal((2, 64, 4, 32)).astype("f").swapaxes(1, 2) for _ in range(2))
    assert gemm.plan(q, k.swapaxes(-1, -2)) is not None
    close(product(q, k.swapaxes(-1, -2)), exact(q, k.swapaxes(-1, -2)), 32)


def test_what_numpy_computes(rng):
    wide = rng.standard_normal((100, 200)).astype("f")
    for a, b in [
        (wide[:3], wide.T), (wide[:, ::2], wide[:, ::2].T), (wide.astype(int), wide.T.astype(int)),
        (wide[:8, :8], wide[:8, :8]), (wide.astype(">f4"), wide.T),
    ]:  # fmt: skip
        assert gemm.plan(a, b) is None
        np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-6)


def test_rows_repeated_by_a_stride_of_zero(rng):
    row = rng.standard_normal((1, 200)).astype("f")
    a, b = np.broadcast_to(row, (50, 200)), matrix(rng, (200, 60), False)
    close(product(a, b), exact(a, b), 200)


def test_same_bits_for_any_number_of_threads_and_order(rng):
    before = parallel.threads()
    a, b = matrix(rng, (200, 1100), False), matrix(rng, (1100, 150), False)
    batch = matrix(rng, (6, 200, 300), False)
    try:
        parallel.set_threads(1)
        alone = product(a, b), product(batch, batch.swapaxes(-1, -2))
        for threads in (2, 3):
            parallel.set_threads(threads)
            for _ in range(5):
                assert (product(a, b) == alone[0]).all()
                assert (product(batch, batch.swapaxes(-1, -2)) == alone[1]).all()
    finally:
        parallel.set_threads(before)
    for left in (a, np.asfortranarray(a)):
        for right in (b, np.asfortranarray(b)):
            assert (product(left, right) == alone[0]).all()


def test_infinite_and_undefined_numbers_stay_in_their_rows_and_columns(rng):
    a, b = matrix(rng, (50, 80), False), matrix(rng, (80, 70), True)
    a[3, 5], a[49, 79], b[7, 69] = np.inf, np.nan, -np.inf
    b[5, 0] = 0
    found = product(a, b)
    with np.errstate(invalid="ignore"):
        wanted = exact(a, b)
    assert (np.isnan(found) == np.isnan(wanted)).all()
    assert (np.isposinf(found) == np.isposinf(wanted)).all()
    assert (np.isneginf(found) == np.isneginf(wanted)).all()


def test_as_exact_as_torch(rng):
    torch = pytest.importorskip("torch")
    for m, n, k in [(128, 256, 784), (1024, 128, 512), (256, 256, 4096)]:
        a, b = matrix(rng, (m, k), False), matrix(rng, (k, n), True)
        wanted = exact(a, b)
        ours = np.abs(product(a, b) - wanted)
        theirs = np.abs((torch.from_numpy(a) @ torch.from_numpy(b)).numpy() - wanted)
        assert np.sqrt((ours**2).mean()) <= 2 * np.sqrt((theirs**2).mean())


def test_linear_and_its_gradients_against_torch(rng):
    torch = pytest.importorskip("torch")
    for shape, units in [((128, 784), 256), ((4, 64, 128), 384), ((32, 256), 10)]:
        values = [rng.standard_normal(s).astype("f") for s in (shape, (units, shape[-1]), units)]
        ours = [wb.tensor(v, requires_grad=True) for v in values]
        theirs = [torch.tensor(v, requires_grad=True) for v in values]
        out, out_t = wb.nn.functional.linear(*ours), torch.nn.functional.linear(*theirs)
        g = rng.standard_normal(out.shape).astype("f")
        out.backward(wb.tensor(g))
        out_t.backward(torch.from_numpy(g))
        np.testing.assert_allclose(out.detach().numpy(), out_t.detach().numpy(), atol=2e-4)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one.grad.numpy(), other.grad.numpy(), atol=5e-4)


def test_captured_products_give_the_plain_bits(rng):
    F = wb.nn.functional
    x = wb.tensor(rng.standard_normal((64, 200)).astype("f"))
    g = wb.tensor(rng.standard_normal((64, 10)).astype("f"))

    def model():
        held = np.random.default_rng(1)
        return [wb.tensor(held.standard_normal(s).astype("f") / 10, requires_grad=True)
                for s in ((150, 200), (150,), (10, 150), (10,))]  # fmt: skip

    def step(w, b, v, c):
        out = F.linear(F.relu(F.linear(x, w, b)), v, c)
        for p in (w, b, v, c):
            p.grad = None
        out.backward(g)
        with wb.no_grad():
            for p in (w, b, v, c):
                p -= 0.1 * p.grad
        return out

    plain, replayed = model(), model()
    captured = wb.compile(lambda: step(*replayed))
    for _ in range(5):
        assert (step(*plain).detach().numpy() == captured().detach().numpy()).all()
    for p, q in zip(plain, replayed, strict=True):
        assert (p.detach().numpy() == q.detach().numpy()).all()


def test_ops_with_kernels_and_without_agree(rng):
    a, b = wb.tensor(matrix(rng, (3, 60, 70), False)), wb.tensor(matrix(rng, (3, 70, 50), False))
    c = wb.tensor(matrix(rng, (3, 60, 50), False))
    calls = [
        lambda: wb.bmm(a, b), lambda: wb.mm(a[0], b[0]), lambda: wb.addmm(c[0], a[0], b[0]),
        lambda: wb.baddbmm(c, a, b), lambda: wb.einsum("bij,bjk->bik", a, b), lambda: a @ b[0],
    ]  # fmt: skip
    for call in calls:
        fast = call().numpy()
        compiler.enable(False)
        slow = call().numpy()
        compiler.enable(True)
        np.testing.assert_allclose(fast, slow, rtol=1e-4, atol=1e-4)
