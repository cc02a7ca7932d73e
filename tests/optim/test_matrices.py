"""Adafactor, Muon, L-BFGS and SparseAdam beside torch's."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import workbench as wb

torch = pytest.importorskip("torch")


def twins(shapes, dtype=np.float64):
    rng = np.random.default_rng(0)
    arrays = [np.asarray(rng.normal(size=s), dtype) for s in shapes]
    return (
        [wb.nn.Parameter(wb.from_numpy(a.copy())) for a in arrays],
        [torch.nn.Parameter(torch.from_numpy(a.copy())) for a in arrays],
    )


def walk(ours, theirs, opt, other, steps):
    rng = np.random.default_rng(1)
    for _ in range(steps):
        for p, q in zip(ours, theirs, strict=True):
            g = np.asarray(rng.normal(size=tuple(p.shape)), p.array.dtype)
            p.grad, q.grad = wb.from_numpy(g.copy()), torch.from_numpy(g.copy())
        opt.step()
        other.step()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "options",
    [{}, {"lr": 0.5, "beta2_decay": -0.5, "eps": (1e-9, 1e-2), "d": 1.5, "weight_decay": 0.1},
     {"maximize": True}],
)  # fmt: skip
def test_adafactor(options, dtype):
    ours, theirs = twins([(3, 4), (5,), (), (2, 3, 4)], dtype)
    opt, other = wb.optim.Adafactor(ours, **options), torch.optim.Adafactor(theirs, **options)
    assert opt.defaults == other.defaults
    walk(ours, theirs, opt, other, 12)
    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), tolerance, tolerance)
        assert set(opt.state[p]) == set(other.state[q])
        for name, value in opt.state[p].items():
            want = other.state[q][name]
            assert tuple(value.shape) == tuple(want.shape)
            np.testing.assert_allclose(value.numpy(), want.numpy(), tolerance, tolerance)


@pytest.mark.parametrize(
    "options", [{}, {"nesterov": False, "weight_decay": 0.0}, {"adjust_lr_fn": "match_rms_adamw"}]
)
def test_muon_up_to_torchs_bfloat16(options):
    ours, theirs = twins([(6, 4), (4, 9)], np.float32)
    opt = wb.optim.Muon(ours, lr=0.02, **options)
    other = torch.optim.Muon(theirs, lr=0.02, **options)
    assert opt.defaults == other.defaults
    walk(ours, theirs, opt, other, 3)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), atol=3e-3)
        buffers = opt.state[p]["momentum_buffer"], other.state[q]["momentum_buffer"]
        np.testing.assert_allclose(buffers[0].numpy(), buffers[1].numpy(), atol=1e-5)


def test_muon_steps_are_nearly_orthogonal():
    p = wb.nn.Parameter(wb.zeros(6, 4))
    opt = wb.optim.Muon([p], lr=1.0, weight_decay=0.0)
    p.grad = wb.from_numpy(np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32))
    opt.step()
    values = np.linalg.svd(p.detach().numpy() / np.sqrt(6 / 4), compute_uv=False)
    assert 0.6 < values.min() <= values.max() < 1.3


def rosenbrock(lib, p):
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def quadratic(lib, p):
    scale = lib.arange(1, p.shape[0] + 1, dtype=p.dtype)
    return (scale * (p - 1) ** 2).sum() + (p.sum() - 3) ** 2


def quartic(lib, p):
    return ((p**2 - 1) ** 2).sum() + lib.sin(3 * p).sum()


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
@pytest.mark.parametrize("problem", [rosenbrock, quadratic, quartic])
def test_lbfgs_takes_torchs_way(problem, search):
    start = np.array([-0.5, 0.8, 0.3][: 2 if problem is rosenbrock else 3])
    options = {"lr": 0.1 if search is None else 1, "max_iter": 5, "history_size": 3}
    p, q = wb.nn.Parameter(wb.from_numpy(start.copy())), torch.nn.Parameter(torch.tensor(start))
    opt = wb.optim.LBFGS([p], line_search_fn=search, **options)
    other = torch.optim.LBFGS([q], line_search_fn=search, **options)
    assert opt.defaults == other.defaults

    def closure(lib, x, o):
        def compute():
            o.zero_grad()
            loss = problem(lib, x)
            loss.backward()
            return loss

        return compute

    for _ in range(4):
        got, want = opt.step(closure(wb, p, opt)), other.step(closure(torch, q, other))
        assert got.item() == pytest.approx(want.item(), rel=1e-8, abs=1e-10)
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), 1e-7, 1e-9)
    mine, theirs = opt.state[p], other.state[q]
    assert mine["n_iter"] == theirs["n_iter"]
    assert mine["func_evals"] == theirs["func_evals"]


def test_lbfgs_solves_and_travels():
    p = wb.nn.Parameter(wb.tensor([-1.2, 1.0], dtype=wb.float64))
    opt = wb.optim.LBFGS([p], line_search_fn="strong_wolfe", max_iter=4)

    def closure():
        opt.zero_grad()
        loss = rosenbrock(wb, p)
        loss.backward()
        return loss

    for _ in range(4):
        opt.step(closure)
    other = wb.optim.LBFGS([p], line_search_fn="strong_wolfe", max_iter=4)
    other.load_state_dict(copy.deepcopy(opt.state_dict()))
    assert other.state[p]["n_iter"] == opt.state[p]["n_iter"]
    for _ in range(12):
        opt.step(closure)
    np.testing.assert_allclose(p.detach().numpy(), [1, 1], atol=1e-4)
    before, opt.param_groups[0]["tolerance_grad"] = p.tolist(), 1.0
    opt.step(closure)  # near enough already: nothing moves
    assert p.tolist() == before


def test_lbfgs_needs_a_closure_and_one_group():
    opt = wb.optim.LBFGS([wb.nn.Parameter(wb.ones(2))])
    with pytest.raises(TypeError, match="closure"):
        opt.step()
    with pytest.raises(RuntimeError, match="closure"):
        opt.prepare()
    network = wb.Network(4)
    network.append(wb.nn.Linear(4, 2))
    with pytest.raises(TypeError, match="LBFGS computes the loss several times a step"):
        wb.Run(network, (wb.ones(8, 4), wb.zeros(8, dtype=wb.int64)), optimizer="LBFGS")
    opt = wb.optim.LBFGS([wb.nn.Parameter(wb.ones(2))], line_search_fn="armijo")
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
        opt.step(lambda: wb.ones(()))


def test_sparse_adam_refuses_dense_gradients_as_torch_does():
    p, q = wb.nn.Parameter(wb.ones(2)), torch.nn.Parameter(torch.ones(2))
    opt, other = wb.optim.SparseAdam([p]), torch.optim.SparseAdam([q])
    assert opt.defaults == other.defaults
    opt.step()
    p.grad, q.grad = wb.ones(2), torch.ones(2)
    for one in (opt, other):
        with pytest.raises(RuntimeError, match="does not support dense gradients"):
            one.step()


@pytest.mark.parametrize("make", [wb.optim.Adafactor, wb.optim.Muon])
def test_their_steps_can_be_prepared(make):
    ours, _ = twins([(3, 4)])
    again, _ = twins([(3, 4)])
    opt, other = make(ours), make(again)
    ready = opt.prepare()
    for seed in range(3):
        g = np.random.default_rng(seed).normal(size=(3, 4))
        ready.gradients[0][...] = g
        ready.update()
        again[0].grad = wb.from_numpy(g)
        other.step()
    assert ready.valid()
    assert np.array_equal(ours[0].array, again[0].array)


def test_every_optimizer_of_torch_is_here():
    names = {name for name in dir(torch.optim) if name[0].isupper()}
    assert names <= set(dir(wb.optim))
