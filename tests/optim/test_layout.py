"""Flat state and prepared steps: the same numbers to the bit, whoever owns the memory."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench.optim import optimizer as room
from workbench.tensor import versions

SHAPES = [(40, 30), (), (7,), (0,), (3, 5), (900,), (2, 2, 2)]
MAKERS = {
    "SGD": lambda p: wb.optim.SGD(p, 0.1),
    "momentum": lambda p: wb.optim.SGD(p, 0.1, 0.9, 0.3, 0.01),
    "Adam": lambda p: wb.optim.Adam(p, 0.05, amsgrad=True, weight_decay=0.1),
    "AdamW": lambda p: wb.optim.AdamW(p, 0.05),
    "RMSprop": lambda p: wb.optim.RMSprop(p, 0.05, momentum=0.5, centered=True),
    "Adadelta": lambda p: wb.optim.Adadelta(p, 0.5),
}


def parameters(shapes=SHAPES, dtype=np.float32):
    rng = np.random.default_rng(0)
    return [wb.nn.Parameter(wb.from_numpy(np.asarray(rng.normal(size=s), dtype))) for s in shapes]


def gradients(params, seed):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=tuple(p.shape)), p.array.dtype) for p in params]


def stepped(params, opt, seed, without=()):
    for i, (p, g) in enumerate(zip(params, gradients(params, seed), strict=True)):
        p.grad = None if i in without else wb.from_numpy(g)
    opt.step()


def bits(params, opt):
    return [
        (p.detach().numpy().tobytes(), {k: v.numpy().tobytes() for k, v in opt.state[p].items()})
        for p in params
    ]


@pytest.mark.parametrize("name", MAKERS)
def test_together_is_as_one_by_one(name):
    together, alone = parameters(), parameters()
    opt = MAKERS[name](together)
    singles = [MAKERS[name]([p]) for p in alone]
    for seed in range(6):
        without = (1, 5) if seed == 2 else (4,) if seed == 4 else ()
        stepped(together, opt, seed, without)
        for i, (p, g) in enumerate(zip(alone, gradients(alone, seed), strict=True)):
            p.grad = None if i in without else wb.from_numpy(g)
            singles[i].step()
    for p, q, single in zip(together, alone, singles, strict=True):
        assert bits([p], opt) == bits([q], single)


@pytest.mark.parametrize("name", MAKERS)
def test_blocks_of_any_size_and_threads_change_no_bit(name, monkeypatch):
    from workbench.arrays import parallel

    found = []
    for block, least, threads in ((1 << 16, 1 << 60, 1), (64, 1 << 60, 1), (256, 1, 3)):
        monkeypatch.setattr(room, "BLOCK", block)
        monkeypatch.setattr(parallel, "LEAST", least)
        monkeypatch.setattr(parallel, "_count", threads)
        params = parameters()
        opt = MAKERS[name](params)
        for seed in range(4):
            stepped(params, opt, seed, (2,) if seed == 1 else ())
        found.append(bits(params, opt))
    assert found[0] == found[1] == found[2]


def test_the_state_of_small_parameters_is_one_piece_of_memory():
    params = parameters()
    opt = wb.optim.Adam(params)
    stepped(params, opt, 0)
    owners = {id(versions.owner(opt.state[p]["exp_avg"].array)) for p in params}
    assert len(owners) == 1
    assert all(opt.state[p]["exp_avg"].shape == p.shape for p in params)
    steps = [opt.state[p]["step"] for p in params]
    assert all(step.shape == () and step.item() == 1 for step in steps)


def test_what_is_taken_out_holds_no_flat_buffer():
    params = parameters()
    opt = wb.optim.Adam(params)
    stepped(params, opt, 0)
    (taken,) = opt.remove_params([params[2]])
    assert all(value.array.base is None for value in taken.state.values())
    opt.restore_params([taken])
    stepped(params, opt, 1)
    assert opt.state[params[2]]["step"].item() == 2


@pytest.mark.parametrize("change", ["replaced", "written", "cleared", "data", "loaded"])
def test_changes_of_state_between_steps_count(change):
    def run(prepare):
        params = parameters()
        opt = wb.optim.Adam(params, 0.05)
        for seed in range(2):
            stepped(params, opt, seed)
        if prepare:
            opt = copy.deepcopy((params, opt))[1]  # no memory shared with anything before
            params = opt.param_groups[0]["params"]
        own = opt.state[params[0]]
        if change == "replaced":
            own["exp_avg"] = wb.full_like(params[0].detach(), 0.5)
        elif change == "written":
            own["exp_avg"].array[...] = 0.25
            own["step"].array[...] = 7
        elif change == "cleared":
            opt.state.clear()
        elif change == "data":
            params[0].data = params[0].detach() * 2
        else:
            opt.load_state_dict(opt.state_dict())
        stepped(params, opt, 3)
        stepped(params, opt, 4)
        return bits(params, opt)

    assert run(False) == run(True)


def test_settings_that_change_the_state_count_too():
    params = parameters()
    opt = wb.optim.Adam(params)
    stepped(params, opt, 0)
    opt.param_groups[0]["amsgrad"] = True
    stepped(params, opt, 1)
    assert "max_exp_avg_sq" in opt.state[params[0]]


def test_parameters_without_a_gradient_get_no_state():
    params = parameters()
    opt = wb.optim.Adam(params)
    stepped(params, opt, 0, without=(0, 3))
    assert params[0] not in opt.state
    stepped(params, opt, 1, without=(3,))
    assert opt.state[params[0]]["step"].item() == 1
    assert opt.state[params[1]]["step"].item() == 2
    assert params[3] not in opt.state


def test_dtypes_and_orders_mix():
    rng = np.random.default_rng(0)
    arrays = [
        rng.normal(size=(4, 3)), rng.normal(size=3).astype(np.float32),
        np.asfortranarray(rng.normal(size=(4, 3))), rng.normal(size=5) + 1j * rng.normal(size=5),
        np.asfortranarray(rng.normal(size=(3, 2)) + 1j * rng.normal(size=(3, 2))),
        np.asarray(1 + 2j), rng.normal(size=6).astype(np.float16),
    ]  # fmt: skip

    def run(opt, params):
        for seed in range(3):
            rng = np.random.default_rng(seed)
            for p in params:
                g = rng.normal(size=tuple(p.shape)).astype(p.array.dtype)
                p.grad = wb.from_numpy(np.asarray(g * (1 + 1j) if p.is_complex() else g))
            opt(params)

    together = [wb.nn.Parameter(wb.from_numpy(a.copy(order="K"))) for a in arrays]
    adam = wb.optim.Adam(together, 0.05)
    run(lambda _: adam.step(), together)
    alone = [wb.nn.Parameter(wb.from_numpy(a.copy())) for a in arrays]
    each = [wb.optim.Adam([p], 0.05) for p in alone]
    run(lambda _: [one.step() for one in each], alone)
    for p, q in zip(together, alone, strict=True):
        assert np.array_equal(p.detach().numpy(), q.detach().numpy())


# -- prepared steps ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_a_prepared_step_is_a_step(name):
    params, twins = parameters(), parameters()
    opt, other = MAKERS[name](params), MAKERS[name](twins)
    stepped(twins, other, 0)
    ready = opt.prepare()
    assert [p is q for p, q in zip(ready.parameters, params, strict=True)]
    for seed in range(4):
        if seed:
            stepped(twins, other, seed)
        for buffer, g in zip(ready.gradients, gradients(params, seed), strict=True):
            assert buffer.shape == g.shape
            buffer[...] = g
        assert ready.valid()
        ready.update()
    assert bits(params, opt) == bits(twins, other)
    assert all(p.grad is None for p in params)
    stepped(params, opt, 9)  # the ordinary way goes on from there
    stepped(twins, other, 9)
    assert bits(params, opt) == bits(twins, other)


def test_a_prepared_step_leaves_out_what_gets_no_gradient():
    params, twins = parameters(), parameters()
    opt, other = wb.optim.AdamW(params), wb.optim.AdamW(twins)
    params[1].requires_grad_(False)
    ready = opt.prepare()
    assert all(p is not params[1] for p in ready.parameters)
    some = opt.prepare(params[2:4])
    assert [p.shape for p in some.parameters] == [p.shape for p in params[2:4]]
    for buffer, g in zip(ready.gradients, gradients(ready.parameters, 0), strict=True):
        buffer[...] = g
    ready.update()
    rest = [q for i, q in enumerate(twins) if i != 1]
    for q, g in zip(rest, gradients(rest, 0), strict=True):
        q.grad = wb.from_numpy(g)
    other.step()
    assert bits(ready.parameters, opt) == bits(rest, other)
    assert np.array_equal(params[1].array, twins[1].array)


def test_a_prepared_step_reads_rates_and_counts_and_marks_writes():
    p = wb.nn.Parameter(wb.ones(3))
    opt = wb.optim.SGD([p], 1.0)
    seen = []
    opt.register_step_pre_hook(lambda *a: seen.append("pre"))
    opt.register_step_post_hook(lambda *a: seen.append("post"))
    schedule = wb.optim.lr_scheduler.StepLR(opt, 1, 0.5)
    ready = opt.prepare()
    ready.gradients[0][...] = 1
    before = p._version
    ready.update()
    schedule.step()
    ready.update()
    assert p.tolist() == [-0.5] * 3
    assert p._version == before + 2
    assert seen == ["pre", "post"] * 2


CHANGES = {
    "a group more": lambda p, o: o.add_param_group({"params": [wb.nn.Parameter(wb.ones(1))]}),
    "a parameter more": lambda p, o: o.add_params([wb.nn.Parameter(wb.ones(1))]),
    "a parameter less": lambda p, o: o.remove_params([p[0]]),
    "other memory": lambda p, o: setattr(p[0], "data", wb.zeros(40, 30)),
    "state loaded": lambda p, o: o.load_state_dict(o.state_dict()),
    "state replaced": lambda p, o: o.state[p[0]].update(exp_avg=wb.zeros(40, 30)),
    "state cleared": lambda p, o: o.state.clear(),
    "other settings": lambda p, o: o.param_groups[0].update(amsgrad=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_prepared_step_says_when_it_no_longer_holds(change):
    params = parameters()
    opt = wb.optim.Adam(params)
    ready = opt.prepare()
    ready.update()
    assert ready.valid()
    CHANGES[change](params, opt)
    assert not ready.valid()
    assert opt.prepare().valid()


def test_an_optimizer_of_ones_own_can_be_prepared():
    class Signs(wb.optim.Optimizer):
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        p.array[...] -= group["lr"] * np.sign(p.grad.array)

    p, q = wb.nn.Parameter(wb.ones(2)), wb.nn.Parameter(wb.ones(2), requires_grad=False)
    opt = Signs([p, q], {"lr": 0.5})
    ready = opt.prepare()
    ready.gradients[0][...] = [3, -1]
    p.grad = wb.ones(2)
    ready.update()
    assert p.tolist() == [0.5, 1.5]
    assert p.grad.tolist() == [1, 1]
    assert q.tolist() == [1, 1]
    assert ready.valid()
    p.data = wb.zeros(2)
    assert not ready.valid()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=6),
    st.lists(st.integers(0, 63), min_size=1, max_size=6),
)
def test_any_pattern_of_missing_gradients(sizes, masks):
    params = parameters([(n,) for n in sizes])
    opt = wb.optim.Adam(params, 0.1)
    twins = parameters([(n,) for n in sizes])
    others = [wb.optim.Adam([q], 0.1) for q in twins]
    for seed, mask in enumerate(masks):
        without = [i for i in range(len(sizes)) if mask >> i & 1]
        stepped(params, opt, seed, without)
        for i, (q, g) in enumerate(zip(twins, gradients(twins, seed), strict=True)):
            q.grad = None if i in without else wb.from_numpy(g)
            others[i].step()
    for p, q, other in zip(params, twins, others, strict=True):
        assert bits([p], opt) == bits([q], other)
