"""Scaled dot-product attention, and attention with rules, against torch's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from torch_twins import both, placed, same, torch

import workbench as wb
from workbench.ops import attention as kernels

sdpa = wb.nn.functional.scaled_dot_product_attention
theirs = torch.nn.functional.scaled_dot_product_attention


def numbers(*shape, seed=0, kind="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(kind)


def tensors(shapes, kind="float64", size=1.0):
    pairs = [both(numbers(*s, seed=i, kind=kind) * size, grad=True) for i, s in enumerate(shapes)]
    return zip(*[(a.detach().requires_grad_(), b) for a, b in pairs], strict=True)


def agree(shapes, tolerance=1e-9, size=1.0, masks=(None, None), **options):
    ours, others = tensors(shapes, size=size)
    got = sdpa(*ours, masks[0], **options)
    want = theirs(*others, masks[1], **options)
    same(got, want, tolerance)
    weights = numbers(*got.shape, seed=7)
    (got * placed(weights)).sum().backward()
    (want * torch.from_numpy(weights)).sum().backward()
    for a, b in zip(ours, others, strict=True):
        same(a.grad, b.grad, tolerance * 10)


SHAPES = {
    "matrices": [(3, 4), (5, 4), (5, 6)],
    "batch": [(2, 3, 4), (2, 5, 4), (2, 5, 6)],
    "heads": [(2, 3, 4, 8), (2, 3, 6, 8), (2, 3, 6, 8)],
    "broadcast": [(2, 1, 4, 8), (1, 3, 6, 8), (3, 6, 5)],
    "no rows": [(2, 0, 4), (2, 5, 4), (2, 5, 6)],
    "no columns": [(2, 3, 4), (2, 0, 4), (2, 0, 6)],
    "no width": [(3, 0), (5, 0), (5, 6)],
    "five dimensions": [(2, 1, 2, 3, 4), (2, 1, 2, 5, 4), (2, 1, 2, 5, 6)],
}


@pytest.fixture(params=["whole", "in blocks"])
def size_of_blocks(request, monkeypatch):
    """Either all scores are kept, or they are made again in small blocks."""
    if request.param == "in blocks":
        monkeypatch.setattr(kernels, "WHOLE", 0)
        monkeypatch.setattr(kernels, "BLOCK", 7)
    return request.param


@pytest.mark.usefixtures("size_of_blocks")
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name, causal):
    agree(SHAPES[name], is_causal=causal)
    agree(SHAPES[name], is_causal=causal, scale=0.3)


@pytest.mark.usefixtures("size_of_blocks")
@pytest.mark.parametrize("size", [1.0, 40.0])  # large scores need their rows' maxima
@pytest.mark.parametrize("shape", [(4, 6), (2, 1, 4, 6), (3, 1, 6), (1, 1, 1, 1)])
def test_masks(shape, size):
    kept = numbers(*shape, seed=3) > -0.4
    agree(SHAPES["heads"], masks=both(kept), size=size, tolerance=1e-8)
    agree(SHAPES["heads"], masks=both(numbers(*shape, seed=4)), size=size, tolerance=1e-8)
    barred = np.where(kept, numbers(*shape, seed=5), -np.inf)
    agree(SHAPES["heads"], masks=both(barred), size=size, tolerance=1e-8)


@pytest.mark.usefixtures("size_of_blocks")
@pytest.mark.parametrize("kind", ["bool", "float"])
def test_rows_that_see_nothing_are_zero(kind):
    kept = np.ones((4, 6), bool)
    kept[1] = False
    mask = kept if kind == "bool" else np.where(kept, 0.5, -np.inf)
    ours, others = tensors(SHAPES["heads"])
    a, b = both(mask)
    got, want = sdpa(*ours, a), theirs(*others, b)
    same(got, want)
    assert not got[:, :, 1].any()
    (got * got).sum().backward()
    (want * want).sum().backward()
    for x, y in zip(ours, others, strict=True):
        assert wb.isfinite(x.grad).all()
        same(x.grad, y.grad.nan_to_num())


@pytest.mark.usefixtures("size_of_blocks")
def test_a_mask_gets_gradients():
    ours, others = tensors([*SHAPES["heads"], (3, 1, 6)])
    got, want = sdpa(*ours), theirs(*others)
    same(got, want)
    weights = numbers(*got.shape, seed=7)
    (got * placed(weights)).sum().backward()
    (want * torch.from_numpy(weights)).sum().backward()
    same(ours[3].grad, others[3].grad)


HEADS = {"two": (4, 2, 2), "one": (4, 1, 1), "different": (4, 2, 1), "all": (4, 4, 4)}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", HEADS)
def test_grouped_heads(name, masked):
    q, k, v = HEADS[name]
    masks = both(numbers(2, 4, 3, 5) > -1) if masked else (None, None)
    agree([(2, q, 3, 8), (2, k, 5, 8), (2, v, 5, 8)], masks=masks, enable_gqa=True)


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_other_floats(kind):
    ours, others = tensors(SHAPES["heads"], kind)
    got, want = sdpa(*ours, is_causal=True), theirs(*others, is_causal=True)
    same(got, want, 1e-5 if kind == "float32" else 5e-3)
    masks = both(numbers(4, 6, kind="float32"))
    same(sdpa(*ours, masks[0]), theirs(*others, masks[1]), 1e-5 if kind == "float32" else 5e-3)


@pytest.mark.usefixtures("size_of_blocks")
def test_dropout_is_of_the_attention_and_follows_the_generator():
    q, k = wb.zeros(2, 40, 4).requires_grad_(), wb.zeros(2, 50, 4)
    v = wb.eye(50).expand(2, 50, 50).clone().requires_grad_()
    wb.manual_seed(3)
    first = sdpa(q, k, v, dropout_p=0.25)
    wb.manual_seed(3)
    np.testing.assert_array_equal(first.detach(), sdpa(q, k, v, dropout_p=0.25).detach())
    kept = first.detach().numpy()
    assert set(np.unique(np.round(kept * 50 * 0.75, 4))) == {0.0, 1.0}
    assert 0.7 < (kept > 0).mean() < 0.8
    # linear in the values: the gradient is the attention that was used
    first.backward(wb.ones(2, 40, 50))
    np.testing.assert_allclose(
        v.grad.numpy(), np.broadcast_to(kept.sum(1)[..., None], (2, 50, 50)), rtol=1e-4
    )
    assert not sdpa(q, k, v, dropout_p=1.0).detach().numpy().any()


@pytest.mark.usefixtures("size_of_blocks")
def test_gradients_under_dropout():
    ours, _ = tensors(SHAPES["batch"])

    def call(*given):
        with wb.arrays.random.fork(5):
            return sdpa(*given, dropout_p=0.4)

    assert wb.autograd.gradcheck(call, ours)
    assert wb.autograd.gradgradcheck(call, ours)


BAD = {
    "1d": lambda f, lib: f(lib.ones(4), lib.ones(4), lib.ones(4)),
    "width": lambda f, lib: f(lib.ones(3, 4), lib.ones(5, 3), lib.ones(5, 6)),
    "values": lambda f, lib: f(lib.ones(3, 4), lib.ones(5, 4), lib.ones(6, 6)),
    "lead": lambda f, lib: f(lib.ones(2, 3, 4), lib.ones(3, 5, 4), lib.ones(2, 5, 6)),
    "mask": lambda f, lib: f(lib.ones(3, 4), lib.ones(5, 4), lib.ones(5, 6), lib.ones(3, 6)),
    "lead mask": lambda f, lib: f(
        lib.ones(3, 4), lib.ones(5, 4), lib.ones(5, 6), lib.ones(2, 3, 5)
    ),
    "ints": lambda f, lib: f(
        lib.ones(3, 4), lib.ones(5, 4), lib.ones(5, 6), lib.ones(3, 5, dtype=lib.int64)
    ),
    "double": lambda f, lib: f(
        lib.ones(3, 4), lib.ones(5, 4), lib.ones(5, 6), lib.ones(3, 5).double()
    ),
    "causal": lambda f, lib: f(
        lib.ones(3, 4), lib.ones(5, 4), lib.ones(5, 6), lib.ones(3, 5), is_causal=True
    ),
    "mixed": lambda f, lib: f(lib.ones(3, 4), lib.ones(5, 4).double(), lib.ones(5, 6)),
    "p": lambda f, lib: f(lib.ones(3, 4), lib.ones(5, 4), lib.ones(5, 6), dropout_p=1.5),
    "heads": lambda f, lib: f(
        lib.ones(1, 4, 3, 4), lib.ones(1, 3, 5, 4), lib.ones(1, 3, 5, 6), enable_gqa=True
    ),
    "no heads": lambda f, lib: f(lib.ones(3, 4), lib.ones(5, 4), lib.ones(5, 6), enable_gqa=True),
    "list": lambda f, lib: f([1.0], lib.ones(5, 4), lib.ones(5, 6)),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name):
    raised = []
    for f, lib in ((sdpa, wb), (theirs, torch)):
        with pytest.raises((RuntimeError, ValueError, TypeError, IndexError)) as error:
            BAD[name](f, lib)
        raised.append(error.value)
    assert type(raised[0]) is type(raised[1]), raised
    assert str(raised[0])


def test_all_backends_are_this_one():
    from workbench.nn.attention import SDPBackend, sdpa_kernel

    x = wb.randn(3, 4)
    with sdpa_kernel(SDPBackend.MATH):
        first = sdpa(x, x, x)
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH], set_priority=True):
        np.testing.assert_array_equal(first, sdpa(x, x, x))
    members = {name: int(one) for name, one in SDPBackend.__members__.items()}
    other = torch.nn.attention.SDPBackend.__members__
    assert members == {name: int(one.value) for name, one in other.items()}
    for wrong in ("math", [], [1]):
        with pytest.raises(AssertionError), sdpa_kernel(wrong):
            pass


def test_causal_masks_by_name():
    from torch.nn.attention import bias

    from workbench.nn.attention.bias import causal_lower_right, causal_upper_left

    ours, others = tensors(SHAPES["batch"])
    for make, other in (
        (causal_upper_left, bias.causal_upper_left), (causal_lower_right, bias.causal_lower_right)
    ):  # fmt: skip
        same(sdpa(*ours, make(3, 5).to(ours[0].device)), theirs(*others, other(3, 5)))


# -- attention with rules --------------------------------------------------------------------------

FLEX = {
    "plain": (None, None),
    "relative": (lambda score, b, h, q, kv: score + (q - kv) * 0.1, None),
    "alibi": (lambda score, b, h, q, kv: score - (h + 1) * 0.3 * (q - kv), "causal"),
    "window": (None, "window"),
    "per head": (lambda score, b, h, q, kv: score * (b + 1), "heads"),
}
RULES = {
    None: None,
    "causal": lambda b, h, q, kv: q >= kv,
    "window": lambda b, h, q, kv: (q - kv <= 2) & (q >= kv),
    "heads": lambda b, h, q, kv: (q + h + b) % 3 != kv % 2,
}


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
@pytest.mark.filterwarnings("ignore:return_lse is deprecated:FutureWarning")
@pytest.mark.parametrize("name", FLEX)
def test_flex_attention_agrees_with_torch(name):
    from torch.nn.attention import flex_attention as other

    from workbench.nn.attention import flex_attention as own

    change, rule = FLEX[name]
    shapes = [(2, 4, 6, 8), (2, 2, 6, 8), (2, 2, 6, 8)]
    ours, others = tensors(shapes, "float32")
    results = []
    for lib, given in ((own, ours), (other, others)):
        mask = None
        if rule is not None:
            more = {"device": "cpu" if lib is other else ours[0].device}
            mask = lib.create_block_mask(RULES[rule], 2, 4, 6, 6, BLOCK_SIZE=4, **more)
        results.append(
            lib.flex_attention(
                *(x.detach() for x in given), change, mask, enable_gqa=True, return_lse=True
            )
        )
        if mask is not None:
            results[-1] += (mask.to_dense(), mask.kv_num_blocks, mask.full_kv_num_blocks)
    for a, b in zip(*results, strict=True):
        same(a, b, 1e-4)
    learned = wb.zeros(4, device=ours[0].device).requires_grad_()
    out = own.flex_attention(
        *ours, lambda score, b, h, q, kv: score + learned[h] * q, enable_gqa=True
    )
    (out * out).sum().backward()
    assert all(x.grad is not None for x in ours)


def test_masks_are_made_of_functions_of_positions():
    from torch.nn.attention import flex_attention as other

    from workbench.nn.attention import flex_attention as own

    sizes = (2, 3, 4, 5)
    for name in ("causal", "window", "heads"):
        same(own.create_mask(RULES[name], *sizes), other.create_mask(RULES[name], *sizes, "cpu"))
    for join in ("and_masks", "or_masks"):
        same(
            own.create_mask(getattr(own, join)(RULES["causal"], RULES["heads"]), *sizes),
            other.create_mask(getattr(other, join)(RULES["causal"], RULES["heads"]), *sizes, "cpu"),
        )
    assert own.create_mask(own.noop_mask, None, None, 2, 3).all()
    block = own.create_block_mask(RULES["causal"], None, None, 8, 8, BLOCK_SIZE=(2, 4))
    assert block.shape == (1, 1, 8, 8)
    assert math.isclose(block.sparsity(), 25.0)
    assert block.numel() == 64
    assert "25.00%" in repr(block)
    with pytest.raises(ValueError, match="enable_gqa"):
        own.flex_attention(wb.ones(1, 4, 2, 3), wb.ones(1, 2, 2, 3), wb.ones(1, 2, 2, 3))
    with pytest.raises(ValueError, match="block_mask"):
        own.flex_attention(*(wb.ones(1, 1, 3, 2),) * 3, block_mask=block)
    with pytest.raises(NotImplementedError, match="4D"):
        own.flex_attention(*(wb.ones(3, 2),) * 3)
