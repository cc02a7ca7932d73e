"""Compiled norms, softmax and cross-entropy: against torch in double precision, any shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.arrays import compiler
from workbench.nn import functional

pytest.importorskip("llvmlite")
torch = pytest.importorskip("torch")
if not compiler.available():
    pytest.skip("no kernels are compiled here", allow_module_level=True)


@pytest.fixture(params=[True, False], ids=["compiled", "numpy"])
def way(request):
    compiler.enable(request.param)
    yield request.param
    compiler.enable(True)


def layer(F, x, w, b, **_):
    return F.layer_norm(x, x.shape[-1:], w, b)


def rms(F, x, w, b, **_):
    return F.rms_norm(x, x.shape[-1:], w, 1e-5)


def batch(F, x, w, b, **_):
    return F.batch_norm(x, None, None, w, b, True)


def affine(F, x, w, b, mean, variance, **_):
    return F.batch_norm(x, mean, variance, w, b, False)


def group(F, x, w, b, groups, **_):
    return F.group_norm(x, groups, w, b)


def softmax(F, x, *_, **__):
    return F.softmax(x, -1)


def log_softmax(F, x, *_, **__):
    return F.log_softmax(x, -1)


ROWS = [layer, rms, softmax, log_softmax]
CHANNELS = [batch, affine, group]
KINDS = [(np.float32, True), (np.float32, False), (np.float64, True)]


def drawn(call, shape, offset=0.0, dtype=np.float32, parameters=True):
    """Operands and further arguments of a call."""
    rng = np.random.default_rng(0)
    c = shape[1] if call in CHANNELS else shape[-1]
    x = rng.standard_normal(shape) + offset
    operands = [x, *((rng.standard_normal(c), rng.standard_normal(c)) if parameters else ())]
    rest = {"mean": rng.standard_normal(c), "variance": rng.random(c) + 0.5}
    return [a.astype(dtype) for a in operands], {k: v.astype(dtype) for k, v in rest.items()}


def computed(library, call, operands, rest, groups):
    """The result and the gradients of all operands that it depends on."""
    F = functional if library is wb else torch.nn.functional
    tensors = [library.tensor(a).requires_grad_() for a in operands]
    rest = {k: library.tensor(v) for k, v in rest.items()}
    given = [*tensors, None, None][:3]
    out = call(F, *given, groups=groups, **rest)
    g = np.random.default_rng(1).standard_normal(tuple(out.shape))
    out.backward(library.tensor(g.astype(operands[0].dtype)))
    return [out.detach().numpy(), *(t.grad.numpy() for t in tensors if t.grad is not None)]


def near(call, shape, offset=0.0, dtype=np.float32, groups=1, parameters=True):
    """No further from double precision than twice what torch is, and some rounding."""
    operands, rest = drawn(call, shape, offset, dtype, parameters)
    double = [a.astype("f8") for a in operands], {k: v.astype("f8") for k, v in rest.items()}
    ours = computed(wb, call, operands, rest, groups)
    theirs = computed(torch, call, operands, rest, groups)
    exact = computed(torch, call, *double, groups)
    assert len(ours) == len(exact)
    for a, b, right in zip(ours, theirs, exact, strict=True):
        assert (a.dtype, a.shape) == (dtype, right.shape)
        size = max(np.abs(right).max(), 1.0)
        # torch's own double precision is all there is to compare with, in double precision
        slack = np.finfo(dtype).eps * (16 if dtype == np.float32 else 256) * size * (1 + offset)
        assert np.abs(a - right).max() <= 2 * np.abs(b - right).max() + slack


@pytest.mark.parametrize(("dtype", "parameters"), KINDS)
@pytest.mark.parametrize("call", ROWS)
@pytest.mark.parametrize("shape", [(300, 128), (3, 5, 33), (1, 5000), (2, 64)])
def test_rows(call, shape, parameters, dtype, way):
    near(call, shape, dtype=dtype, parameters=parameters)
    near(call, shape, offset=30.0, dtype=dtype, parameters=parameters)


@pytest.mark.parametrize(("dtype", "parameters"), KINDS)
@pytest.mark.parametrize("call", CHANNELS)
@pytest.mark.parametrize(
    "shape", [(32, 6, 16, 16), (4, 6, 5), (600, 34), (2, 2, 70, 71), (40, 2, 3, 3)]
)
def test_channels(call, shape, parameters, dtype, way):
    near(call, shape, dtype=dtype, parameters=parameters, groups=2)
    near(call, shape, offset=100.0, dtype=dtype, parameters=parameters, groups=2)


@settings(max_examples=30)
@given(
    st.sampled_from([*ROWS, *CHANNELS]),
    st.lists(st.integers(1, 40), min_size=2, max_size=4),
    st.sampled_from([1, 2]),
)
@example(batch, [1, 3, 1, 2], 1)
@example(group, [1, 2, 1, 17], 2)
def test_any_shape(call, shape, groups):
    shape = tuple(shape)
    values = np.prod(shape) // (shape[1] if call is batch else 1)
    if call is group:
        shape = (shape[0], shape[1] * groups, *shape[2:])
        values = np.prod(shape) // shape[0] // groups
    if values > 2 and shape[-1] > 2:  # of one or two values little but rounding is left
        near(call, shape, groups=groups)


@pytest.mark.parametrize("call", [*ROWS, *CHANNELS])
def test_the_same_bits_for_any_number_of_threads(call, threads):
    for shape in [(64, 48, 16, 16), (700, 130)]:
        operands, rest = drawn(call, shape)
        found = []
        for count in (1, 2, 3):
            threads(count)
            found.append([a.tobytes() for a in computed(wb, call, operands, rest, 2)])
        assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("call", [*ROWS, *CHANNELS])
def test_operands_with_gaps_and_a_spread_gradient(call):
    operands, rest = drawn(call, (6, 4, 10))
    wide = np.zeros((6, 4, 20), np.float32)
    wide[..., ::2] = operands[0]
    rest = {k: wb.tensor(v) for k, v in rest.items()}
    others = [wb.tensor(a) for a in operands[1:]]
    found = []
    for x in (wb.tensor(wide)[..., ::2], wb.tensor(operands[0])):
        x.requires_grad_()
        out = call(functional, x, *others, groups=2, **rest)
        out.sum().backward()
        found.append((out.detach().numpy(), x.grad.numpy()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("call", [layer, rms, batch, group, softmax, log_softmax])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_odd_numbers_stay_where_torch_has_them(call, odd):
    for shape in [(4, 6, 35), (5, 4, 3), (8, 6)]:
        operands, rest = drawn(call, shape)
        operands[0][1, 2] = odd
        ours = computed(wb, call, operands, rest, 2)
        theirs = computed(torch, call, operands, rest, 2)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(np.isnan(a), np.isnan(b))


@pytest.mark.parametrize("call", [layer, rms, batch, group, softmax, log_softmax, affine])
def test_gradients_of_gradients(call):
    operands, rest = drawn(call, (3, 4, 2), dtype=np.float64)
    rest = {k: wb.tensor(v) for k, v in rest.items()}
    tensors = [wb.tensor(a).requires_grad_() for a in operands]
    used = 1 if call in (softmax, log_softmax) else 2 if call is rms else 3

    def run(*given):
        return call(functional, *given, *tensors[len(given) :], groups=2, **rest)

    assert wb.autograd.gradcheck(run, tuple(tensors[:used]))
    assert wb.autograd.gradgradcheck(run, tuple(tensors[:used]))


@pytest.mark.parametrize("shape", [(8, 20, 6, 6), (30, 20)])
@pytest.mark.parametrize("momentum", [0.1, 0.0, 1.0])
def test_running_statistics_move_as_without_a_compiler(shape, momentum):
    x, (mean, variance) = drawn(batch, shape)[0][0], drawn(batch, shape)[1].values()
    held = {}
    for library in (wb, torch):
        F = functional if library is wb else torch.nn.functional
        m, v = library.tensor(mean), library.tensor(variance)
        F.batch_norm(library.tensor(x), m, v, training=True, momentum=momentum)
        held[library] = m.numpy(), v.numpy()
    for a, b in zip(held[wb], held[torch], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_written_running_mean_is_noticed():
    mean = wb.zeros(3)
    before = mean._version
    functional.batch_norm(wb.randn(4, 3, 5), mean, wb.ones(3), training=True)
    assert mean._version > before


def test_a_replay_gives_the_plain_runs_bits():
    net = wb.nn.Sequential(
        wb.nn.Conv2d(2, 8, 3), wb.nn.BatchNorm2d(8), wb.nn.GroupNorm(2, 8), wb.nn.Flatten(),
        wb.nn.LayerNorm(128), wb.nn.Linear(128, 10),
    )  # fmt: skip
    x, labels = wb.randn(6, 2, 6, 6), wb.tensor(np.arange(6))
    start = {k: v.clone() for k, v in net.state_dict().items()}

    def step():
        net.zero_grad()
        loss = functional.cross_entropy(net(x), labels)
        loss.backward()
        return loss

    found = []
    for run in (step, wb.compile(step)):
        net.load_state_dict(start)
        losses = [run().item() for _ in range(4)]
        arrays = [p.grad for p in net.parameters()] + list(net.buffers())
        found.append((losses, [a.numpy().tobytes() for a in arrays]))
    assert found[0] == found[1]
