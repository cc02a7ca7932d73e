"""Twenty steps of every optimizer against torch's, settings and state included."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.optim import optimizer as room

torch = pytest.importorskip("torch")

OPTIMIZERS = {
    "SGD": lambda o, p: o.SGD(p, lr=0.1),
    "SGD momentum": lambda o, p: o.SGD(p, 0.1, momentum=0.9),
    "SGD dampening": lambda o, p: o.SGD(p, 0.1, 0.9, 0.3, 0.01),
    "SGD nesterov": lambda o, p: o.SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.1),
    "SGD maximize": lambda o, p: o.SGD(p, 0.01, 0.5, maximize=True, weight_decay=0.1),
    "Adam": lambda o, p: o.Adam(p, 0.05),
    "Adam decay": lambda o, p: o.Adam(p, 0.05, (0.8, 0.95), 1e-6, 0.1),
    "Adam amsgrad": lambda o, p: o.Adam(p, 0.05, amsgrad=True),
    "Adam maximize": lambda o, p: o.Adam(p, 0.05, maximize=True, weight_decay=0.1),
    "AdamW": lambda o, p: o.AdamW(p, 0.05),
    "AdamW amsgrad": lambda o, p: o.AdamW(p, 0.05, weight_decay=0.3, amsgrad=True, maximize=True),
    "RMSprop": lambda o, p: o.RMSprop(p, 0.05),
    "RMSprop all": lambda o, p: o.RMSprop(
        p, 0.05, 0.9, 1e-6, 0.1, momentum=0.5, centered=True, maximize=True
    ),
    "Adagrad": lambda o, p: o.Adagrad(p, 0.1),
    "Adagrad all": lambda o, p: o.Adagrad(p, 0.1, 0.1, 0.1, 0.5, 1e-6, maximize=True),
    "Adadelta": lambda o, p: o.Adadelta(p, 0.5),
    "Adamax": lambda o, p: o.Adamax(p, 0.05),
    "Adamax all": lambda o, p: o.Adamax(p, 0.05, (0.8, 0.9), 1e-6, 0.1, maximize=True),
    "NAdam": lambda o, p: o.NAdam(p, 0.05),
    "NAdam decay": lambda o, p: o.NAdam(p, 0.05, (0.8, 0.95), 1e-6, 0.1, 0.01, maximize=True),
    "NAdam decoupled": lambda o, p: o.NAdam(
        p, 0.05, weight_decay=0.1, decoupled_weight_decay=True, maximize=True
    ),
    "RAdam": lambda o, p: o.RAdam(p, 0.05),
    "RAdam decay": lambda o, p: o.RAdam(p, 0.05, (0.8, 0.7), 1e-6, 0.1, maximize=True),
    "RAdam decoupled": lambda o, p: o.RAdam(
        p, 0.05, (0.9, 0.6), weight_decay=0.1, decoupled_weight_decay=True
    ),
    "ASGD": lambda o, p: o.ASGD(p, 0.05),
    "ASGD average": lambda o, p: o.ASGD(p, 0.05, 0.01, 0.6, 3, 0.1, maximize=True),
    "Rprop": lambda o, p: o.Rprop(p, 0.05),
    "Rprop all": lambda o, p: o.Rprop(p, 0.05, (0.3, 1.4), (1e-3, 0.2), maximize=True),
    "Adadelta all": lambda o, p: o.Adadelta(p, 0.5, 0.8, 1e-5, 0.1, maximize=True),
}

SHAPES = [(3, 4), (4,), (), (2, 3, 2)]


def parameters(dtype=np.float64, shapes=SHAPES):
    rng = np.random.default_rng(0)
    arrays = [np.asarray(rng.normal(size=s), dtype) for s in shapes]
    ours = [wb.nn.Parameter(wb.from_numpy(a.copy())) for a in arrays]
    theirs = [torch.nn.Parameter(torch.from_numpy(a.copy())) for a in arrays]
    return ours, theirs


def walk(ours, theirs, opt, other, steps=20, seed=1):
    rng = np.random.default_rng(seed)
    for i in range(steps):
        for k, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            if i % 3 == 2 and k == 1:
                p.grad = q.grad = None  # not every parameter takes part in every step
                continue
            g = np.asarray(rng.normal(size=tuple(p.shape))).astype(p.array.dtype)
            p.grad, q.grad = wb.from_numpy(g.copy()), torch.from_numpy(g.copy())
        opt.step()
        other.step()


def close(ours, theirs, tolerance):
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(
            p.detach().numpy(), q.detach().numpy(), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-6)])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps(name, dtype, tolerance):
    ours, theirs = parameters(dtype)
    make = OPTIMIZERS[name]
    opt, other = make(wb.optim, ours), make(torch.optim, theirs)
    walk(ours, theirs, opt, other)
    close(ours, theirs, tolerance)
    for p, q in zip(ours, theirs, strict=True):
        assert set(opt.state[p]) == set(other.state[q])
        for key, value in opt.state[p].items():
            want = other.state[q][key].numpy()
            assert value.array.dtype == want.dtype
            np.testing.assert_allclose(value.numpy(), want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_settings_and_printing_are_torchs(name):
    ours, theirs = parameters()
    opt, other = OPTIMIZERS[name](wb.optim, ours), OPTIMIZERS[name](torch.optim, theirs)
    assert opt.defaults == other.defaults
    assert repr(opt) == repr(other)
    assert opt.state_dict()["param_groups"] == other.state_dict()["param_groups"]


@pytest.mark.parametrize("name", ["SGD nesterov", "Adam amsgrad", "RMSprop all", "Adadelta"])
def test_large_parameters_go_in_blocks_with_the_same_result(name, monkeypatch):
    shapes = [(37, 11), (500,)]
    results = []
    for block in (1 << 16, 64):
        monkeypatch.setattr(room, "BLOCK", block)
        ours, theirs = parameters(np.float32, shapes)
        opt, other = OPTIMIZERS[name](wb.optim, ours), OPTIMIZERS[name](torch.optim, theirs)
        walk(ours, theirs, opt, other, 7)
        close(ours, theirs, 2e-6)
        results.append([p.detach().numpy().copy() for p in ours])
    for a, b in zip(*results, strict=True):
        assert np.array_equal(a, b)  # to the bit


@pytest.mark.parametrize("name", ["SGD nesterov", "Adam decay"])
def test_transposed_parameters_and_gradients(name):
    ours, theirs = parameters(np.float64, [(4, 3)])
    ours[0].array = np.asfortranarray(ours[0].array)
    opt, other = OPTIMIZERS[name](wb.optim, ours), OPTIMIZERS[name](torch.optim, theirs)
    walk(ours, theirs, opt, other, 5)
    close(ours, theirs, 1e-12)
    plain, theirs = parameters(np.float64, [(4, 3)])
    opt, other = OPTIMIZERS[name](wb.optim, plain), OPTIMIZERS[name](torch.optim, theirs)
    g = np.arange(12.0).reshape(3, 4)
    plain[0].grad, theirs[0].grad = wb.from_numpy(g).t(), torch.from_numpy(g).t()
    opt.step()
    other.step()
    close(plain, theirs, 1e-12)


def test_a_gradient_is_not_changed_and_memory_is_not_replaced():
    for name in OPTIMIZERS:
        ours, _ = parameters()
        opt = OPTIMIZERS[name](wb.optim, ours)
        arrays = [p.array for p in ours]
        for p in ours:
            p.grad = wb.ones_like(p)
        opt.step()
        opt.step()
        for p, a in zip(ours, arrays, strict=True):
            assert p.array is a
            assert (p.grad == 1).all()


def test_complex_parameters():
    a = np.array([1 + 2j, -0.5j])
    p, q = wb.nn.Parameter(wb.from_numpy(a.copy())), torch.nn.Parameter(torch.from_numpy(a.copy()))
    opt, other = wb.optim.Adam([p], 0.1), torch.optim.Adam([q], 0.1)
    for i in range(5):
        g = np.array([0.3 * i - 1j, 2 + 0.1j])
        p.grad, q.grad = wb.from_numpy(g), torch.from_numpy(g)
        opt.step()
        other.step()
    np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-12)


def test_closure_groups_and_tensor_rate():
    p, q = wb.nn.Parameter(wb.ones(2)), wb.nn.Parameter(wb.ones(2))
    opt = wb.optim.SGD([{"params": [p]}, {"params": q, "lr": 0.5}], lr=wb.tensor(0.1))

    def closure():
        opt.zero_grad()
        loss = (p.sum() + q.sum()) * 2
        loss.backward()
        return loss

    with wb.no_grad():
        loss = opt.step(closure)
    assert loss.item() == 8
    assert p.tolist() == pytest.approx([0.8, 0.8])
    assert q.tolist() == [0.0, 0.0]


def test_a_step_counts_as_a_write():
    p = wb.nn.Parameter(wb.ones(2))
    x = wb.ones(2, requires_grad=True)
    out = (p * x).sum()
    opt = wb.optim.SGD([p], 0.1)
    out.backward(retain_graph=True)
    opt.step()
    with pytest.raises(RuntimeError, match="inplace operation"):
        out.backward()


def test_zero_grad():
    p = wb.nn.Parameter(wb.ones(2))
    opt = wb.optim.SGD([p], 0.1)
    (p * 3).sum().backward()
    opt.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0, 0]
    opt.zero_grad()
    assert p.grad is None
    opt.step()
    assert p.tolist() == [1, 1]


BAD = [
    (lambda o, p: o.SGD(p, lr=-1), ValueError),
    (lambda o, p: o.SGD(p, momentum=-0.1), ValueError),
    (lambda o, p: o.SGD(p, weight_decay=-0.1), ValueError),
    (lambda o, p: o.SGD(p, nesterov=True), ValueError),
    (lambda o, p: o.SGD(p, momentum=0.9, dampening=0.1, nesterov=True), ValueError),
    (lambda o, p: o.Adam(p, lr=-1), ValueError),
    (lambda o, p: o.Adam(p, eps=-1), ValueError),
    (lambda o, p: o.Adam(p, betas=(1.0, 0.9)), ValueError),
    (lambda o, p: o.Adam(p, betas=(0.9, -0.1)), ValueError),
    (lambda o, p: o.AdamW(p, weight_decay=-1), ValueError),
    (lambda o, p: o.RMSprop(p, alpha=-1), ValueError),
    (lambda o, p: o.Adagrad(p, lr_decay=-1), ValueError),
    (lambda o, p: o.Adadelta(p, rho=2), ValueError),
    (lambda o, p: o.Adamax(p, lr=-1), ValueError),
    (lambda o, p: o.NAdam(p, momentum_decay=-1), ValueError),
    (lambda o, p: o.RAdam(p, eps=-1), ValueError),
    (lambda o, p: o.ASGD(p, weight_decay=-1), ValueError),
    (lambda o, p: o.Rprop(p, etas=(1, 2)), ValueError),
    (lambda o, p: o.Adafactor(p, lr=-1), ValueError),
    (lambda o, p: o.Adafactor(p, beta2_decay=1), ValueError),
    (lambda o, p: o.Adafactor(p, eps=(-1, 1)), ValueError),
    (lambda o, p: o.Adafactor(p, eps=(None, -1)), ValueError),
    (lambda o, p: o.Adafactor(p, d=0.5), ValueError),
    (lambda o, p: o.Adafactor(p, weight_decay=-1), ValueError),
    (lambda o, p: o.Muon(p[:1], lr=-1), ValueError),
    (lambda o, p: o.Muon(p[:1], momentum=-1), ValueError),
    (lambda o, p: o.Muon(p), ValueError),
    (lambda o, p: o.Muon(p[:1], adjust_lr_fn="x"), ValueError),
    (lambda o, p: o.SparseAdam(p, lr=0), ValueError),
    (lambda o, p: o.SparseAdam(p, eps=0), ValueError),
    (lambda o, p: o.SparseAdam(p, betas=(0.9, 1)), ValueError),
    (lambda o, p: o.LBFGS(p, lr=-1), ValueError),
    (lambda o, p: o.LBFGS([{"params": p[:1]}, {"params": p[1:]}]), ValueError),
    (lambda o, p: o.SGD([]), ValueError),
    (lambda o, p: o.SGD(p[0]), TypeError),
    (lambda o, p: o.SGD([1.0]), TypeError),
    (lambda o, p: o.SGD([{"params": set(p)}]), TypeError),
    (lambda o, p: o.SGD([p[0] * 2]), ValueError),
    (lambda o, p: o.SGD([{"params": p}, {"params": p[0]}]), ValueError),
    (lambda o, p: o.SGD([{"params": p}, 3]), TypeError),
]


@pytest.mark.parametrize(("make", "kind"), BAD)
def test_bad_arguments_raise_as_in_torch(make, kind):
    ours, theirs = parameters()
    with pytest.raises(kind):
        make(torch.optim, theirs)
    with pytest.raises(kind):
        make(wb.optim, ours)


def test_a_rate_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="Invalid learning rate: nan"):
        wb.optim.SGD(parameters()[0], lr=math.nan)


def test_duplicates_are_warned_about_and_groups_are_checked():
    p = wb.nn.Parameter(wb.ones(2))
    with pytest.warns(UserWarning, match="duplicate"):
        wb.optim.SGD([p, p])
    opt = wb.optim.SGD([p])
    for bad, kind in (
        ({"params": [p]}, ValueError),
        ({"params": [wb.ones(1)], "lr": -1}, ValueError),
        ({"lr": 1}, KeyError),
    ):
        with pytest.raises(kind):
            opt.add_param_group(bad)
        assert len(opt.param_groups) == 1
    with pytest.raises(RuntimeError, match="differentiable"):
        wb.optim.SGD([p], differentiable=True)


def test_a_gradient_of_another_shape_is_refused():
    p = wb.nn.Parameter(wb.ones(2))
    opt = wb.optim.SGD([p])
    p.grad = wb.ones(3)
    with pytest.raises(RuntimeError, match="must not change between backward and step"):
        opt.step()


@pytest.mark.parametrize(
    "name", ["SGD momentum", "Adam amsgrad", "AdamW", "RMSprop all", "Adagrad"]
)
def test_states_travel_between_here_and_torch(name):
    ours, theirs = parameters()
    make = OPTIMIZERS[name]
    opt, other = make(wb.optim, ours), make(torch.optim, theirs)
    walk(ours, theirs, opt, other, 5)
    # ours → a fresh one of ours
    again, _ = parameters()
    for p, q in zip(again, ours, strict=True):
        p.array[...] = q.array
    fresh = make(wb.optim, again)
    fresh.load_state_dict(opt.state_dict())
    # torch's → a fresh one of ours
    third, _ = parameters()
    for p, q in zip(third, ours, strict=True):
        p.array[...] = q.array
    from_torch = make(wb.optim, third)
    from_torch.load_state_dict(other.state_dict())
    walk(again, theirs, fresh, make(torch.optim, parameters()[1]), 5, seed=2)
    walk(ours, theirs, opt, other, 5, seed=2)
    walk(third, theirs, from_torch, make(torch.optim, parameters()[1]), 5, seed=2)
    for a, b, c in zip(again, ours, third, strict=True):
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())
        np.testing.assert_allclose(c.detach().numpy(), b.detach().numpy(), rtol=1e-12)
    assert fresh.state[again[0]] is not opt.state[ours[0]]


def test_a_state_that_does_not_fit_changes_nothing():
    ours, theirs = parameters()
    opt = wb.optim.Adam(ours, 0.1)
    walk(ours, theirs, opt, torch.optim.Adam(theirs, 0.1), 2)
    held = opt.state_dict()
    few = wb.optim.Adam(ours[:2], 0.3)
    for bad in (held, {"state": {}, "param_groups": []}):
        with pytest.raises(ValueError, match="parameter group"):
            few.load_state_dict(bad)
    swapped = wb.optim.Adam(ours[::-1], 0.3)
    with pytest.raises(ValueError, match="has shape"):
        swapped.load_state_dict(held)
    assert swapped.param_groups[0]["lr"] == few.param_groups[0]["lr"] == 0.3
    assert not swapped.state


def test_copies_and_pickles():
    model = wb.nn.Linear(2, 2)
    opt = wb.optim.Adam(model.parameters(), 0.1)
    model(wb.ones(1, 2)).sum().backward()
    opt.step()
    twin, other = copy.deepcopy((model, opt))
    assert other.param_groups[0]["params"][0] is twin.weight
    for m, o in ((model, opt), (twin, other)):
        m.zero_grad()
        m(wb.ones(1, 2)).sum().backward()
        o.step()
    assert wb.equal(model.weight, twin.weight)
    loaded = pickle.loads(pickle.dumps(opt))
    assert repr(loaded) == repr(opt)


def test_hooks_around_a_step():
    p = wb.nn.Parameter(wb.ones(1))
    opt, seen = wb.optim.SGD([p]), []
    first = opt.register_step_pre_hook(lambda *a: seen.append("pre"))
    opt.register_step_post_hook(lambda *a: seen.append("post"))
    opt.step()
    first.remove()
    opt.step()
    assert seen == ["pre", "post", "post"]


def test_a_users_optimizer_only_needs_step():
    class Signs(wb.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def step(self, closure=None):
            with wb.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        p.sub_(p.grad.sign() * group["lr"])

    p = wb.nn.Parameter(wb.ones(2))
    (p * 5).sum().backward()
    Signs([p], 0.25).step()
    assert p.tolist() == [0.75, 0.75]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=4),
    st.floats(1e-4, 1.0),
    st.floats(0, 0.99),
    st.integers(1, 5),
)
def test_sgd_equals_its_formula(sizes, lr, momentum, steps):
    rng = np.random.default_rng(0)
    values = [rng.normal(size=n) for n in sizes]
    params = [wb.nn.Parameter(wb.from_numpy(v.copy())) for v in values]
    buffers = [None] * len(sizes)
    opt = wb.optim.SGD(params, lr, momentum)
    for _ in range(steps):
        for i, p in enumerate(params):
            g = rng.normal(size=sizes[i])
            p.grad = wb.from_numpy(g)
            buffers[i] = g if buffers[i] is None else momentum * buffers[i] + g
            values[i] = values[i] - lr * buffers[i]
        opt.step()
    for p, v in zip(params, values, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), v, rtol=1e-12, atol=1e-12)
