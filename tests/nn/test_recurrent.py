"""Recurrent layers, cells and packed sequences against torch's."""

from __future__ import annotations

import numpy as np
import pytest
from torch_twins import both, placed, same, torch, twins

import workbench as wb

LAYERS = {
    "RNN": lambda nn: nn.RNN(3, 4),
    "RNN relu": lambda nn: nn.RNN(3, 4, nonlinearity="relu", bias=False),
    "RNN deep": lambda nn: nn.RNN(3, 4, 2, bidirectional=True),
    "GRU": lambda nn: nn.GRU(3, 4),
    "GRU no bias": lambda nn: nn.GRU(3, 2, bias=False, batch_first=True),
    "GRU deep": lambda nn: nn.GRU(3, 4, 2, bidirectional=True, batch_first=True),
    "LSTM": lambda nn: nn.LSTM(3, 4),
    "LSTM no bias": lambda nn: nn.LSTM(3, 2, 2, bias=False),
    "LSTM deep": lambda nn: nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True),
    "LSTM projected": lambda nn: nn.LSTM(3, 5, 2, proj_size=2, bidirectional=True),
}
STEPS, BATCH = 5, 3
LENGTHS = [5, 2, 3]


def leaves(shape, count=1, seed=1):
    rng = np.random.default_rng(seed)
    pairs = [both(rng.normal(size=shape), grad=True) for _ in range(count)]
    return zip(*pairs, strict=True)


def states(layer, batched=True, seed=2):
    """Initial states for the two sides: a tensor each, or a pair for an LSTM."""
    ways = layer.num_layers * (1 + layer.bidirectional)
    widths = [layer.proj_size or layer.hidden_size]
    if layer.mode == "LSTM":
        widths.append(layer.hidden_size)
    shapes = [(ways, BATCH, w) if batched else (ways, w) for w in widths]
    made = [both(np.random.default_rng(seed + i).normal(size=s), grad=True)
            for i, s in enumerate(shapes)]  # fmt: skip
    ours, theirs = zip(*made, strict=True)
    return (ours, theirs) if len(made) > 1 else (ours[0], theirs[0])


def flat(value):
    if isinstance(value, (tuple, list)) and not hasattr(value, "batch_sizes"):
        return [one for part in value for one in flat(part)]
    return [value.data if hasattr(value, "batch_sizes") else value]


def agree(ours, theirs, got, want, *inputs):
    """The results, and the gradients of parameters and `inputs` (pairs), agree."""
    mine, other = flat(got), flat(want)
    assert len(mine) == len(other)
    for i, (a, b) in enumerate(zip(mine, other, strict=True)):
        same(a, b)
        weights = np.cos(np.arange(a.numel()) + i).reshape(tuple(a.shape))
        (a * placed(weights)).sum().backward(retain_graph=True)
        (b * torch.from_numpy(weights)).sum().backward(retain_graph=True)
    for x, y in inputs:
        for a, b in zip(flat(x), flat(y), strict=True):
            same(a.grad, b.grad, 1e-8)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        same(p.grad, q.grad, 1e-8)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_layer_agrees_with_torch(name, given):
    ours, theirs = twins(LAYERS[name])
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    (x,), (y,) = leaves((BATCH, STEPS, 3) if ours.batch_first else (STEPS, BATCH, 3))
    hx, hy = states(ours) if given else (None, None)
    inputs = [(x, y), (hx, hy)] if given else [(x, y)]
    agree(ours, theirs, ours(x, hx), theirs(y, hy), *inputs)
    shapes = [[tuple(w.shape) for w in group] for group in ours.all_weights]
    assert shapes == [[tuple(w.shape) for w in group] for group in theirs.all_weights]
    ours.flatten_parameters()


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_one_sequence_without_a_batch(name, given):
    ours, theirs = twins(LAYERS[name])
    (x,), (y,) = leaves((STEPS, 3))
    hx, hy = states(ours, batched=False) if given else (None, None)
    agree(ours, theirs, ours(x, hx), theirs(y, hy), (x, y))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("ordered", [True, False])
def test_packed_sequences(name, ordered):
    ours, theirs = twins(LAYERS[name])
    lengths = sorted(LENGTHS, reverse=True) if ordered else LENGTHS
    (x,), (y,) = leaves((STEPS, BATCH, 3))
    hx, hy = states(ours)
    p = wb.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=ordered)
    q = torch.nn.utils.rnn.pack_padded_sequence(y, lengths, enforce_sorted=ordered)
    got, want = ours(p, hx), theirs(q, hy)
    assert isinstance(got[0], wb.nn.utils.rnn.PackedSequence)
    agree(ours, theirs, got, want, (x, y), (hx, hy))
    a, size = wb.nn.utils.rnn.pad_packed_sequence(got[0], batch_first=True, padding_value=-1.0)
    b, length = torch.nn.utils.rnn.pad_packed_sequence(want[0], True, -1.0)
    same(a, b)
    same(size, length)
    agree(ours, theirs, ours(p), theirs(q))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_products_in_blocks_of_rows(kind, monkeypatch):
    from workbench.ops import recurrent

    monkeypatch.setattr(recurrent, "_SMALL", 2100)
    monkeypatch.setattr(recurrent, "blas_threads_now", lambda: 1)
    product = recurrent.Product(np, np.ones((32, 16)), 8)
    assert product.blocks == 2
    ours, theirs = twins(lambda nn: getattr(nn, kind)(6, 32 if kind == "RNN" else 16))
    (x,), (y,) = leaves((STEPS, 8, 6))
    agree(ours, theirs, ours(x), theirs(y), (x, y))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_gradients_that_come_in_are_left_alone(kind):
    layer = getattr(wb.nn, kind)(3, 4)
    _, last = layer(wb.randn(STEPS, 1, 3))
    ends = flat(last)
    given = [wb.ones(1, 1, 4) for _ in ends]
    wb.autograd.backward(ends, given)
    assert all((g == 1).all() for g in given)


@pytest.mark.parametrize("name", LAYERS)
def test_a_batch_of_nothing(name):
    ours, theirs = twins(LAYERS[name])
    (x,), (y,) = leaves((0, STEPS, 3) if ours.batch_first else (STEPS, 0, 3))
    got, want = ours(x), theirs(y)
    for a, b in zip(flat(got), flat(want), strict=True):
        assert tuple(a.shape) == tuple(b.shape)
    sum(part.sum() for part in flat(got)).backward()
    assert x.grad.shape == x.shape
    assert all(not p.grad.any() for p in ours.parameters())


def test_all_equally_long_sequences_may_be_packed():
    ours, theirs = twins(LAYERS["LSTM deep"])
    (x,), (y,) = leaves((STEPS, BATCH, 3))
    p = wb.nn.utils.rnn.pack_padded_sequence(x, [4] * BATCH)
    q = torch.nn.utils.rnn.pack_padded_sequence(y, [4] * BATCH)
    agree(ours, theirs, ours(p), theirs(q), (x, y))


def test_dropout_between_layers_only_while_training():
    layer = wb.nn.LSTM(3, 8, 2, dropout=0.5)
    x = wb.randn(4, 2, 3)
    assert not np.allclose(layer(x)[0].detach(), layer(x)[0].detach())
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].detach(), layer(x)[0].detach())
    assert repr(layer) == repr(torch.nn.LSTM(3, 8, 2, dropout=0.5))
    with pytest.warns(UserWarning, match="num_layers greater than 1"):
        wb.nn.GRU(3, 4, dropout=0.5)
    certain = wb.nn.GRU(3, 4, 2, dropout=1.0)
    same_bias = certain(x)[0] - certain(wb.zeros(4, 2, 3))[0]
    assert not same_bias.detach().numpy().any()  # nothing of the input passes


@pytest.mark.parametrize("name", ["RNN relu", "GRU", "LSTM projected"])
def test_second_order(name):
    ours, _ = twins(LAYERS[name])
    x = placed(np.random.default_rng(0).normal(size=(2, 1, 3))).requires_grad_()

    def loss(x):
        return sum((part * part).sum() for part in flat(ours(x)))

    assert wb.autograd.gradgradcheck(loss, (x,))


BAD_LAYERS = {
    "layers": lambda nn: nn.LSTM(3, 4, 0), "hidden": lambda nn: nn.GRU(3, 0),
    "float": lambda nn: nn.RNN(3, 4.0), "dropout": lambda nn: nn.LSTM(3, 4, dropout=2.0),
    "bool": lambda nn: nn.LSTM(3, 4, dropout=True), "proj": lambda nn: nn.LSTM(3, 4, proj_size=4),
    "negative": lambda nn: nn.LSTM(3, 4, proj_size=-1), "gru": lambda nn: nn.GRU(3, 4, proj_size=2),
    "rnn": lambda nn: nn.RNN(3, 4, proj_size=2), "what": lambda nn: nn.RNN(3, 4, nonlinearity="x"),
    "input": lambda nn: nn.LSTM(0, 4), "mode": lambda nn: nn.RNNBase("X", 3, 4),
    "text": lambda nn: nn.LSTM("a", 4),
}  # fmt: skip
BAD_CALLS = {
    "1d": lambda lib, m, g: m(lib.ones(3)), "4d": lambda lib, m, g: m(lib.ones(1, 1, 1, 3)),
    "size": lambda lib, m, g: m(lib.ones(5, 2, 4)), "steps": lambda lib, m, g: m(lib.ones(0, 2, 3)),
    "dtype": lambda lib, m, g: m(lib.ones(5, 2, 3).double()),
    "hx": lambda lib, m, g: m(lib.ones(5, 2, 3), (lib.ones(1, 3, 4), lib.ones(1, 2, 4))),
    "cx": lambda lib, m, g: m(lib.ones(5, 2, 3), (lib.ones(1, 2, 4), lib.ones(1, 2, 5))),
    "hx 2d": lambda lib, m, g: m(lib.ones(5, 2, 3), (lib.ones(2, 4), lib.ones(2, 4))),
    "one": lambda lib, m, g: m(lib.ones(5, 3), (lib.ones(1, 2, 4), lib.ones(1, 2, 4))),
    "g hx": lambda lib, m, g: g(lib.ones(5, 2, 3), lib.ones(1, 3, 4)),
    "g 2d": lambda lib, m, g: g(lib.ones(5, 2, 3), lib.ones(2, 4)),
    "g one": lambda lib, m, g: g(lib.ones(5, 3), lib.ones(1, 2, 4)),
    "g dtype": lambda lib, m, g: g(lib.ones(5, 2, 3), lib.ones(1, 2, 4).double()),
    "c 3d": lambda lib, m, g: lib.nn.LSTMCell(3, 4)(lib.ones(1, 1, 3)),
    "c size": lambda lib, m, g: lib.nn.LSTMCell(3, 4)(lib.ones(1, 4)),
    "c hx": lambda lib, m, g: lib.nn.LSTMCell(3, 4)(lib.ones(2, 3), (lib.ones(1, 1, 4),) * 2),
    "c hidden": lambda lib, m, g: lib.nn.GRUCell(3, 4)(lib.ones(2, 3), lib.ones(2, 5)),
    "c batch": lambda lib, m, g: lib.nn.RNNCell(3, 4)(lib.ones(2, 3), lib.ones(3, 4)),
    "c kind": lambda lib, m, g: lib.nn.RNNCell(3, 4, nonlinearity="x")(lib.ones(2, 3)),
}  # fmt: skip


def refused_alike(call):
    raised = []
    for lib in (wb, torch):
        with pytest.raises((RuntimeError, ValueError, TypeError, IndexError)) as error:
            call(lib)
        raised.append(error.value)
    assert type(raised[0]) is type(raised[1]), raised
    assert str(raised[0])


@pytest.mark.parametrize("name", BAD_LAYERS)
def test_settings_that_are_refused(name):
    refused_alike(lambda lib: BAD_LAYERS[name](lib.nn))


@pytest.mark.parametrize("name", BAD_CALLS)
def test_input_that_is_refused(name):
    refused_alike(lambda lib: BAD_CALLS[name](lib, lib.nn.LSTM(3, 4), lib.nn.GRU(3, 4)))


CELLS = {
    "RNN": lambda nn: nn.RNNCell(3, 4),
    "RNN relu": lambda nn: nn.RNNCell(3, 4, nonlinearity="relu", bias=False),
    "GRU": lambda nn: nn.GRUCell(3, 4),
    "LSTM": lambda nn: nn.LSTMCell(3, 4),
    "LSTM no bias": lambda nn: nn.LSTMCell(3, 4, bias=False),
}


@pytest.mark.parametrize("lead", [(), (2,)])
@pytest.mark.parametrize("name", CELLS)
def test_cell_agrees_with_torch(name, lead):
    ours, theirs = twins(CELLS[name])
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    (x,), (y,) = leaves((*lead, 3))
    agree(ours, theirs, ours(x), theirs(y), (x, y))
    hx, hy = leaves((*lead, 4), 2 if name.startswith("LSTM") else 1, seed=5)
    if len(hx) == 1:
        hx, hy = hx[0], hy[0]
    agree(ours, theirs, ours(x, hx), theirs(y, hy), (hx, hy))


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
def test_the_functions_behind_the_layers(kind):
    name = {"lstm": "LSTM", "gru": "GRU"}.get(kind, "RNN")
    more = {"nonlinearity": "relu"} if kind == "rnn_relu" else {}
    ours, theirs = twins(lambda nn: getattr(nn, name)(3, 4, 2, bidirectional=True, **more))
    (x,), (y,) = leaves((BATCH, STEPS, 3))
    hx, hy = states(ours)
    rest = (True, 2, 0.0, False, True)
    got = getattr(wb, kind)(x, hx, list(ours.parameters()), *rest, True)
    want = getattr(torch, kind)(y, hy, list(theirs.parameters()), *rest, True)
    agree(ours, theirs, got, want, (x, y))
    p = wb.nn.utils.rnn.pack_padded_sequence(x, [5, 3, 2], True)
    q = torch.nn.utils.rnn.pack_padded_sequence(y, [5, 3, 2], True)
    got = getattr(wb, kind)(p.data, p.batch_sizes, hx, list(ours.parameters()), *rest)
    want = getattr(torch, kind)(q.data, q.batch_sizes, hy, list(theirs.parameters()), *rest)
    agree(ours, theirs, got, want, (x, y))


# -- sequences of different lengths -------------------------------------------------------------

SEQUENCES = [np.arange(n * 2.0).reshape(n, 2) for n in (4, 1, 3)]
CALLS = {
    "pad": lambda r, s: r.pad_sequence(s),
    "pad batch": lambda r, s: r.pad_sequence(s, batch_first=True, padding_value=7.0),
    "pad left": lambda r, s: r.pad_sequence(s, padding_side="left"),
    "unpack": lambda r, s: r.unpack_sequence(r.pack_sequence(s, enforce_sorted=False)),
    "pack": lambda r, s: tuple(r.pack_sequence(s, enforce_sorted=False)),
    "sorted": lambda r, s: r.pack_sequence([s[0], s[2], s[1]])[:2],
    "long": lambda r, s: r.pad_packed_sequence(
        r.pack_sequence(s, enforce_sorted=False), True, -2.0, 6
    ),
    "unpad": lambda r, s: r.unpad_sequence(
        *r.pad_packed_sequence(r.pack_sequence(s, enforce_sorted=False))
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_sequences_agree_with_torch(name):
    ours, theirs = zip(*(both(s, grad=True) for s in SEQUENCES), strict=True)
    call = CALLS[name]
    got, want = call(wb.nn.utils.rnn, list(ours)), call(torch.nn.utils.rnn, list(theirs))
    got, want = flat(got) if name != "pack" else list(got), list(flat(want))
    for a, b in zip(got, want, strict=True):
        same(a, b)
    (got[0] * got[0]).sum().backward()
    (want[0] * want[0]).sum().backward()
    for a, b in zip(ours, theirs, strict=True):
        assert (a.grad is None) == (b.grad is None)
        if b.grad is not None:
            same(a.grad, b.grad)


def test_a_packed_sequence_is_a_tuple_that_moves():
    packed = wb.nn.utils.rnn.pack_sequence([wb.ones(3, 2), wb.ones(1, 2)])
    _, sizes, order, back = packed
    assert (order, back) == (None, None)
    assert sizes.tolist() == [2, 1, 1]
    assert packed.double().data.dtype is wb.float64
    assert packed.to(wb.float32) is packed
    assert packed.cpu() is packed
    assert not packed.is_cuda
    assert not packed.is_pinned()
    assert repr(packed).startswith("PackedSequence(data=tensor(")
    shuffled = wb.nn.utils.rnn.pack_sequence([wb.ones(1, 2), wb.ones(3, 2)], enforce_sorted=False)
    assert shuffled.sorted_indices.tolist() == [1, 0]
    assert shuffled.half().unsorted_indices.tolist() == [1, 0]
    assert wb.nn.utils.rnn.invert_permutation(wb.tensor([2, 0, 1])).tolist() == [1, 2, 0]
    assert wb.nn.utils.rnn.invert_permutation(None) is None


BAD_SEQUENCES = {
    "zero": lambda lib, r: r.pack_padded_sequence(lib.ones(3, 2, 1), [2, 0]),
    "unsorted": lambda lib, r: r.pack_padded_sequence(lib.ones(3, 2, 1), [1, 2]),
    "few": lambda lib, r: r.pack_padded_sequence(lib.ones(3, 2, 1), [1]),
    "1d": lambda lib, r: r.pack_padded_sequence(lib.ones(3), [3]),
    "none": lambda lib, r: r.pack_padded_sequence(lib.ones(3, 0, 2), []),
    "empty": lambda lib, r: r.pad_sequence([]),
    "shapes": lambda lib, r: r.pad_sequence([lib.ones(2, 3), lib.ones(3, 4)]),
    "side": lambda lib, r: r.pad_sequence([lib.ones(2)], padding_side="x"),
    "number": lambda lib, r: r.pad_sequence(5),
    "numbers": lambda lib, r: r.pad_sequence([1, 2]),
    "pack": lambda lib, r: r.pack_sequence([lib.ones(2, 3), lib.ones(3, 3)]),
    "total": lambda lib, r: r.pad_packed_sequence(r.pack_sequence([lib.ones(3, 1)]),
                                                  total_length=2),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_SEQUENCES)
def test_sequences_that_are_refused(name):
    refused_alike(lambda lib: BAD_SEQUENCES[name](lib, lib.nn.utils.rnn))
