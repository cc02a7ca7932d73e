"""Attention layers and transformers against torch's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from torch_twins import both, placed, same, torch, twins

import workbench as wb


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def differentiate(ours, theirs, got, want, pairs=(), tolerance=1e-8):
    """Equal results and gradients; `got` and `want` are tensors."""
    same(got, want)
    weights = np.cos(np.arange(got.numel())).reshape(tuple(got.shape))
    (got * placed(weights)).sum().backward()
    (want * torch.from_numpy(weights)).sum().backward()
    for a, b in pairs:
        same(a.grad, b.grad, tolerance)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None), name
        if q.grad is not None:
            same(p.grad, q.grad, tolerance)


# -- multi-head attention --------------------------------------------------------------------------

E, HEADS, B, L, S = 8, 2, 3, 4, 5
ATTENTION = {
    "plain": {},
    "no bias": {"bias": False},
    "kv": {"add_bias_kv": True, "add_zero_attn": True},
    "zero": {"add_zero_attn": True, "bias": False},
    "widths": {"kdim": 6, "vdim": 7},
    "widths no bias": {"kdim": 6, "vdim": 7, "bias": False, "add_bias_kv": True},
}
BARRED = np.triu(np.ones((L, S), bool), 2)
PADDED = np.arange(S) >= np.array([5, 3, 4])[:, None]
MASKS = {
    "none": (None, None),
    "bool": (BARRED, None),
    "float": (np.where(BARRED, -1.5, 0.3), None),
    "infinite": (np.where(BARRED, -np.inf, 0.0), PADDED),
    "padding": (None, PADDED),
    "float padding": (BARRED, np.where(PADDED, -np.inf, 0.1)),
    "both": (BARRED, PADDED),
    "3d": (numbers(B * HEADS, L, S, seed=9), PADDED),
    "3d bool": (np.broadcast_to(BARRED, (B * HEADS, L, S)).copy(), None),
}


def inputs(options, batch_first):
    widths = (E, options.get("kdim", E), options.get("vdim", E))
    made = []
    for i, (n, width) in enumerate(zip((L, S, S), widths, strict=True)):
        x = numbers(n, B, width, seed=i)
        made.append(both(np.ascontiguousarray(x.swapaxes(0, 1)) if batch_first else x, grad=True))
    return zip(*made, strict=True)


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask:UserWarning")
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("name", ATTENTION)
def test_attention_agrees_with_torch(name, masks, need_weights):
    batch_first = masks in ("both", "3d")
    options = ATTENTION[name] | {"batch_first": batch_first}
    ours, theirs = twins(lambda nn: nn.MultiheadAttention(E, HEADS, **options))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x, y = inputs(options, batch_first)
    (mask, other), (padding, pad) = ((None, None) if m is None else both(m) for m in MASKS[masks])
    got, weights = ours(*x, padding, need_weights, mask, average_attn_weights=name != "kv")
    want, wanted = theirs(*y, pad, need_weights, other, average_attn_weights=name != "kv")
    assert (weights is None) == (wanted is None) == (not need_weights)
    if need_weights:
        same(weights, wanted)
    differentiate(ours, theirs, got, want, zip(x, y, strict=True))


@pytest.mark.parametrize("need_weights", [True, False])
def test_attention_to_itself_and_to_one_other(need_weights):
    ours, theirs = twins(lambda nn: nn.MultiheadAttention(E, HEADS))
    (x, y), (u, v) = both(numbers(L, B, E), grad=True), both(numbers(S, B, E, seed=1), grad=True)
    differentiate(ours, theirs, ours(x, x, x, need_weights=need_weights)[0],
                  theirs(y, y, y, need_weights=need_weights)[0], [(x, y)])  # fmt: skip
    differentiate(ours, theirs, ours(x, u, u, need_weights=need_weights)[0],
                  theirs(y, v, v, need_weights=need_weights)[0], [(x, y), (u, v)])  # fmt: skip
    causal = wb.nn.Transformer.generate_square_subsequent_mask(L, dtype=wb.float64).to(x.device)
    seen = torch.nn.Transformer.generate_square_subsequent_mask(L, dtype=torch.float64)
    got = ours(x, x, x, attn_mask=causal, need_weights=need_weights, is_causal=True)
    want = theirs(y, y, y, attn_mask=seen, need_weights=need_weights, is_causal=True)
    same(got[0], want[0])


@pytest.mark.parametrize("average", [True, False])
def test_attention_of_one_sequence(average):
    ours, theirs = twins(lambda nn: nn.MultiheadAttention(E, HEADS))
    pairs = [both(numbers(n, E, seed=n), grad=True) for n in (L, S)]
    (x, u), (y, v) = zip(*pairs, strict=True)
    (mask, other), (padding, pad) = both(numbers(HEADS, L, S)), both(PADDED[1])
    got, weights = ours(x, u, u, wb.where(padding, -math.inf, 0.0).double(), True, mask, average)
    want, wanted = theirs(y, v, v, torch.where(pad, -math.inf, 0.0).double(), True, other, average)
    same(weights, wanted)
    differentiate(ours, theirs, got, want, pairs)


@pytest.mark.parametrize("static", [False, True])
def test_attention_as_a_function(static):
    ours, theirs = twins(lambda nn: nn.MultiheadAttention(E, HEADS))
    pairs = [both(numbers(n, B, E, seed=n), grad=True) for n in (L, S)]
    (x, u), (y, v) = zip(*pairs, strict=True)
    held = [both(numbers(B * HEADS, S, E // HEADS, seed=i)) for i in range(2)]
    results = []
    for lib, layer, q, k, which in ((wb, ours, x, u, 0), (torch, theirs, y, v, 1)):
        more = {"static_k": held[0][which], "static_v": held[1][which]} if static else {}
        results.append(
            lib.nn.functional.multi_head_attention_forward(
                q, k, k, E, HEADS, layer.in_proj_weight, layer.in_proj_bias, None, None, True, 0.0,
                layer.out_proj.weight, layer.out_proj.bias, **more,
            )
        )  # fmt: skip
    same(results[0][1], results[1][1])
    differentiate(ours, theirs, results[0][0], results[1][0], pairs[:1])


def test_attention_drops_out_only_while_training():
    layer = wb.nn.MultiheadAttention(E, HEADS, dropout=0.5)
    x = wb.randn(L, B, E)
    for need_weights in (True, False):
        layer.train()
        first, second = (layer(x, x, x, need_weights=need_weights)[0].detach() for _ in range(2))
        assert not np.allclose(first, second)
        layer.eval()
        first, second = (layer(x, x, x, need_weights=need_weights)[0].detach() for _ in range(2))
        np.testing.assert_array_equal(first, second)


def _bad(call):
    def run(lib):
        layer = lib.nn.MultiheadAttention(E, HEADS)
        return call(lib, layer, lib.ones(L, B, E), lib.ones(S, B, E))

    return run


BAD = {
    "divide": lambda lib: lib.nn.MultiheadAttention(7, 2),
    "zero": lambda lib: lib.nn.MultiheadAttention(0, 2),
    "heads": lambda lib: lib.nn.MultiheadAttention(8, 0),
    "1d": _bad(lambda lib, m, q, k: m(lib.ones(8), k, k)),
    "mixed": _bad(lambda lib, m, q, k: m(q, lib.ones(5, 8), lib.ones(5, 8))),
    "one": _bad(lambda lib, m, q, k: m(lib.ones(3, 8), k, k)),
    "width": _bad(lambda lib, m, q, k: m(lib.ones(L, B, 7), k, k)),
    "value": _bad(lambda lib, m, q, k: m(q, k, lib.ones(4, B, E))),
    "batch": _bad(lambda lib, m, q, k: m(q, lib.ones(S, 2, E), lib.ones(S, 2, E))),
    "key": _bad(lambda lib, m, q, k: m(q, lib.ones(S, B, 7), lib.ones(S, B, 7))),
    "2d mask": _bad(lambda lib, m, q, k: m(q, k, k, attn_mask=lib.zeros(3, 4))),
    "3d mask": _bad(lambda lib, m, q, k: m(q, k, k, attn_mask=lib.zeros(3, L, S))),
    "1d mask": _bad(lambda lib, m, q, k: m(q, k, k, attn_mask=lib.zeros(S))),
    "int mask": _bad(lambda lib, m, q, k: m(q, k, k, attn_mask=lib.zeros(L, S, dtype=lib.int64))),
    "padding": _bad(lambda lib, m, q, k: m(q, k, k, lib.zeros(B, 4, dtype=lib.bool))),
    "1d padding": _bad(lambda lib, m, q, k: m(q, k, k, lib.zeros(S, dtype=lib.bool))),
    "int padding": _bad(lambda lib, m, q, k: m(q, k, k, lib.zeros(B, S, dtype=lib.uint8))),
    "causal": _bad(lambda lib, m, q, k: m(q, k, k, is_causal=True)),
    "activation": lambda lib: lib.nn.TransformerEncoderLayer(8, 2, activation="x"),
    "layer": lambda lib: lib.nn.TransformerDecoderLayer(7, 2),
    "src": lambda lib: lib.nn.Transformer(8, 2, 1, 1)(lib.ones(3, 2, 8), lib.ones(4, 3, 8)),
    "dims": lambda lib: lib.nn.Transformer(8, 2, 1, 1)(lib.ones(3, 2, 8), lib.ones(4, 8)),
    "model": lambda lib: lib.nn.Transformer(8, 2, 1, 1)(lib.ones(3, 2, 7), lib.ones(4, 2, 7)),
}


# torch says that its own fast path is not taken
quiet = pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")


@quiet
@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name):
    raised = []
    for lib in (wb, torch):
        with pytest.raises((RuntimeError, ValueError, AssertionError)) as error:
            BAD[name](lib)
        raised.append(error.value)
    assert type(raised[0]) is type(raised[1]), raised
    assert str(raised[0])


# -- transformers ----------------------------------------------------------------------------------


def _encoder(nn, layer, **options):
    return nn.TransformerEncoder(layer(nn), 2, enable_nested_tensor=False, **options)


MODELS = {
    "layer": lambda nn: nn.TransformerEncoderLayer(E, HEADS, 16, 0.0),
    "gelu": lambda nn: nn.TransformerEncoderLayer(
        E, HEADS, 16, 0.0, "gelu", norm_first=True, bias=False, layer_norm_eps=1e-3
    ),
    "function": lambda nn: nn.TransformerEncoderLayer(
        E, HEADS, 16, 0.0, nn.functional.silu, batch_first=True
    ),
    "encoder": lambda nn: _encoder(
        nn, lambda nn: nn.TransformerEncoderLayer(E, HEADS, 16, 0.0, batch_first=True),
        norm=nn.LayerNorm(E),
    ),
}  # fmt: skip


@pytest.mark.parametrize("masked", ["none", "causal", "padded"])
@pytest.mark.parametrize("name", MODELS)
def test_encoders_agree_with_torch(name, masked):
    ours, theirs = twins(MODELS[name])
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    first = name in ("function", "encoder")
    x, y = both(numbers(B, S, E) if first else numbers(S, B, E), grad=True)
    more = [{}, {}]
    if masked == "causal":
        more = [
            {"is_causal": True, ("mask" if name == "encoder" else "src_mask"):
             lib.nn.Transformer.generate_square_subsequent_mask(S, dtype=lib.float64)}
            for lib in (wb, torch)
        ]  # fmt: skip
    if masked == "padded":
        more = [{"src_key_padding_mask": m} for m in both(PADDED)]
    differentiate(ours, theirs, ours(x, **more[0]), theirs(y, **more[1]), [(x, y)])


def test_an_encoder_sees_by_itself_that_a_mask_is_causal():
    ours, theirs = twins(MODELS["encoder"])
    x, y = both(numbers(B, S, E), grad=True)
    barred = np.triu(np.ones((S, S), bool), 1)
    for mask, other in (both(barred), both(np.where(barred, -np.inf, 0.0)), both(barred.T)):
        same(ours(x, mask), theirs(y, other))


@quiet
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_the_whole_transformer_agrees_with_torch(batch_first, norm_first):
    def make(nn):
        return nn.Transformer(
            E, HEADS, 2, 2, 16, 0.0, batch_first=batch_first, norm_first=norm_first
        )

    ours, theirs = twins(make)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    shapes = [(B, S, E), (B, L, E)] if batch_first else [(S, B, E), (L, B, E)]
    pairs = [both(numbers(*s, seed=i), grad=True) for i, s in enumerate(shapes)]
    (x, u), (y, v) = zip(*pairs, strict=True)
    results = []
    for lib, model, src, tgt, padding in (
        (wb, ours, x, u, placed(PADDED)), (torch, theirs, y, v, torch.from_numpy(PADDED)),
    ):  # fmt: skip
        mask = lib.nn.Transformer.generate_square_subsequent_mask(L, dtype=lib.float64)
        results.append(
            model(src, tgt, tgt_mask=mask, src_key_padding_mask=padding.clone(),
                  memory_key_padding_mask=padding, tgt_is_causal=True)
        )  # fmt: skip
    differentiate(ours, theirs, *results, pairs)


def test_one_sequence_through_a_transformer():
    ours, theirs = twins(lambda nn: nn.Transformer(E, HEADS, 1, 1, 16, 0.0, batch_first=True))
    pairs = [both(numbers(n, E, seed=n), grad=True) for n in (S, L)]
    (x, u), (y, v) = zip(*pairs, strict=True)
    differentiate(ours, theirs, ours(x, u), theirs(y, v), pairs)


def test_layers_of_a_stack_are_copies_and_custom_parts_are_kept():
    layer = wb.nn.TransformerEncoderLayer(E, HEADS)
    stack = wb.nn.TransformerEncoder(layer, 2)
    first, second = (one.linear1.weight for one in stack.layers)
    assert first is not second
    np.testing.assert_array_equal(first.detach(), second.detach())
    model = wb.nn.Transformer(E, HEADS, 1, 1, custom_encoder=stack)
    assert model.encoder is stack
    mask = wb.nn.Transformer.generate_square_subsequent_mask(3)
    same(mask, torch.nn.Transformer.generate_square_subsequent_mask(3))
