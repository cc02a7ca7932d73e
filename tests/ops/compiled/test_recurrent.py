"""Compiled recurrent layers against torch: states and every gradient, at any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import ops
from workbench.arrays import compiler
from workbench.ops.compiled import recurrent

pytest.importorskip("llvmlite")
torch = pytest.importorskip("torch")
if not compiler.available():
    pytest.skip("no kernels are compiled here", allow_module_level=True)

KINDS = ["lstm", "gru", "tanh", "relu"]


def layer(lib, kind, inputs, hidden, **options):
    """A layer of either library, with the same weights."""
    made = {
        "lstm": lib.nn.LSTM,
        "gru": lib.nn.GRU,
        "tanh": lib.nn.RNN,
        "relu": lambda *sizes, **o: lib.nn.RNN(*sizes, nonlinearity="relu", **o),
    }[kind](inputs, hidden, **options)
    rng = np.random.default_rng(5)
    for p in made.parameters():
        values = rng.uniform(-1, 1, tuple(p.shape)).astype(np.float32) / np.sqrt(hidden)
        with lib.no_grad():
            p.copy_(lib.tensor(values))
    return made


def results(lib, kind, steps, batch, inputs, hidden, dtype=np.float32, given=True, **options):
    """Outputs, last states and all gradients, as arrays."""
    rng = np.random.default_rng(3)
    made = layer(lib, kind, inputs, hidden, **options)
    if dtype == np.float64:
        made = made.double()
    ways = 2 if options.get("bidirectional") else 1

    def drawn(*shape, scale=1.0):
        values = (rng.standard_normal(shape) * scale).astype(np.float32).astype(dtype)
        return lib.tensor(values)

    x = drawn(steps, batch, inputs).requires_grad_()
    states = [drawn(ways, batch, hidden, scale=0.5).requires_grad_()
              for _ in range(2 if kind == "lstm" else 1)]  # fmt: skip
    held = (tuple(states) if kind == "lstm" else states[0]) if given else None
    out, ends = made(x, held)
    ends = list(ends) if kind == "lstm" else [ends]
    total = (out * drawn(*out.shape)).sum()
    for end in ends:
        total = total + (end * drawn(*end.shape)).sum()
    total.backward()
    gradients = [x, *made.parameters(), *(states if given else [])]
    return [v.detach().numpy() for v in (out, *ends)] + [v.grad.numpy() for v in gradients]


def close(kind, *sizes, **options):
    """Ours is as near to the exact result as torch's, up to a factor."""
    exact = results(torch, kind, *sizes, dtype=np.float64, **options)
    found = results(wb, kind, *sizes, **options)
    peers = results(torch, kind, *sizes, **options)
    for ours, theirs, want in zip(found, peers, exact, strict=True):
        assert ours.shape == want.shape
        assert ours.dtype == np.float32
        scale = np.abs(want).max()
        allowed = 3 * np.abs(theirs - want).max() + 2e-6 * scale
        assert np.abs(ours - want).max() <= allowed


@pytest.fixture
def counted(monkeypatch):
    """How many times steps were taken by kernels."""
    seen = []
    inner = recurrent.repeat

    def repeat(*arguments, **options):
        seen.append(arguments[1])
        return inner(*arguments, **options)

    monkeypatch.setattr(recurrent, "repeat", repeat)
    return seen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "sizes",
    [(8, 1, 1, 1), (5, 3, 4, 5), (4, 32, 20, 48), (6, 7, 3, 33), (5, 13, 16, 64), (4, 2, 5, 100)],
)
def test_is_torch(kind, sizes, counted):
    close(kind, *sizes)
    assert counted == [sizes[0], 1, sizes[0] - 1]


@settings(max_examples=15)
@given(
    kind=st.sampled_from(KINDS), steps=st.integers(4, 9), batch=st.sampled_from([1, 3, 5, 14, 35]),
    inputs=st.integers(1, 20), hidden=st.integers(1, 70), given=st.booleans(),
    bias=st.booleans(), bidirectional=st.booleans(),
)  # fmt: skip
def test_any_size(kind, steps, batch, inputs, hidden, **options):
    close(kind, steps, batch, inputs, hidden, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_and_directions(kind):
    close(kind, 5, 6, 8, 24, num_layers=2, bidirectional=True, given=False)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_change_no_bit(kind, threads):
    threads(1)
    alone = results(wb, kind, 6, 32, 64, 160)
    for count in (2, 3):
        threads(count)
        for a, b in zip(alone, results(wb, kind, 6, 32, 64, 160), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_is_numpys_way(kind):
    compiled = results(wb, kind, 7, 5, 6, 40, bidirectional=True)
    compiler.enable(False)
    try:
        plain = results(wb, kind, 7, 5, 6, 40, bidirectional=True)
    finally:
        compiler.enable(True)
    for a, b in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(b).max())


@pytest.mark.parametrize("kind", KINDS)
def test_captured_step_is_the_plain_one(kind):
    def trained(compile):
        made = layer(wb, kind, 6, 40, batch_first=True)
        optimizer = wb.optim.Adam(made.parameters(), lr=1e-2)
        rng = np.random.default_rng(0)

        def step(x):
            optimizer.zero_grad()
            loss = made(x)[0][:, -1].square().mean()
            loss.backward()
            optimizer.step()
            return loss

        run = wb.compile(step) if compile else step
        losses = [float(run(wb.tensor(rng.standard_normal((5, 8, 6)).astype(np.float32))))
                  for _ in range(6)]  # fmt: skip
        return losses, [p.detach().numpy() for p in made.parameters()]

    (plain, weights), (replayed, others) = trained(False), trained(True)
    assert plain == replayed
    for a, b in zip(weights, others, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_and_infinity_flow(kind):
    def outputs(lib):
        x = np.zeros((6, 3, 4), np.float32)
        x[2, 0, 0], x[3, 1, 1], x[1, 2, 2] = np.nan, np.inf, 1e30
        with lib.no_grad():
            return layer(lib, kind, 4, 20)(lib.tensor(x))[0].numpy()

    np.testing.assert_allclose(outputs(wb), outputs(torch), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_that_repeat_or_lie_across(kind):
    """Gradients of results may be spread views, or lie in another order."""

    def found(lib):
        made = layer(lib, kind, 4, 20, batch_first=True)
        rng = np.random.default_rng(2)
        x = lib.tensor(rng.standard_normal((3, 6, 4)).astype(np.float32)).requires_grad_()
        made(x)[0].sum().backward()
        spread = x.grad.numpy().copy()
        x.grad = None
        steps = lib.tensor(np.arange(6, dtype=np.float32)[:, None])
        (made(x)[0].transpose(0, 2) * steps).sum().backward()
        return spread, x.grad.numpy()

    for a, b in zip(found(wb), found(torch), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_what_is_left_to_numpy(counted):
    close("lstm", 3, 4, 4, 5)  # few steps
    close("lstm", 7, 1, 4, 5)  # few rows
    layer(wb, "lstm", 4, 8, proj_size=3)(wb.zeros(5, 2, 4))[0].sum().backward()
    results(wb, "gru", 5, 2, 4, 5, dtype=np.float64)
    assert not counted
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.zeros(5, 2, 4), [5, 3])
    layer(wb, "gru", 4, 5)(wb.nn.utils.rnn.PackedSequence(
        wb.tensor(packed.data.numpy()), wb.tensor(packed.batch_sizes.numpy())))  # fmt: skip
    assert not counted


@pytest.mark.parametrize("kind", ["lstm_layer", "gru_layer", "rnn_layer"])
def test_results_are_fresh_and_nothing_given_changes(kind):
    op = ops.OPS[kind]
    factor = {"lstm_layer": 4, "gru_layer": 3, "rnn_layer": 1}[kind]
    rng = np.random.default_rng(1)
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    states = [f(3, 20) for _ in range(2 if factor == 4 else 1)]
    wide = factor * 20
    args = [f(5, 3, 6), *states, f(wide, 6), f(wide, 20), f(wide), f(wide)]
    copies = [a.copy() for a in args]
    first, *_ = made = op.forward(np, *args)
    held = first.copy()
    op.forward(np, *[a + 1 for a in args])
    np.testing.assert_array_equal(first, held)
    assert not any(np.shares_memory(first, other) for other in [*made[1:], *args])
    for a, b in zip(args, copies, strict=True):
        np.testing.assert_array_equal(a, b)
