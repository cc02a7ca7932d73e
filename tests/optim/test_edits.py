"""Taking parameters out and putting them back, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench as wb


def made(count=5, split=None):
    params = [wb.nn.Parameter(wb.randn(i + 1)) for i in range(count)]
    groups = [{"params": params}] if split is None else [
        {"params": params[:split]}, {"params": params[split:], "lr": 0.3},
    ]  # fmt: skip
    return params, wb.optim.Adam(groups, lr=0.1)


def stepped(params, opt, times=1):
    for _ in range(times):
        for p in params:
            p.grad = p.detach() * 0.5 + 1
        opt.step()


def snapshot(params, opt):
    return [
        (p.detach().numpy().tobytes(), {k: v.numpy().tobytes() for k, v in opt.state[p].items()})
        for p in params
    ]


def order(opt):
    return [[id(p) for p in group["params"]] for group in opt.param_groups]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.data())
def test_restore_is_the_inverse_of_remove(count, data):
    split = data.draw(st.none() | st.integers(1, count - 1)) if count > 1 else None
    params, opt = made(count, split)
    stepped(params, opt)
    chosen = data.draw(st.lists(st.sampled_from(range(count)), unique=True))
    before, places = snapshot(params, opt), order(opt)
    taken = opt.remove_params([params[i] for i in chosen])
    assert len(taken) == len(chosen)
    assert all(params[i] not in opt.state for i in chosen)
    rest = [p for i, p in enumerate(params) if i not in chosen]
    assert sorted(id(p) for g in opt.param_groups for p in g["params"]) == sorted(map(id, rest))
    opt.restore_params(taken)
    assert order(opt) == places
    assert snapshot(params, opt) == before


def test_the_others_train_on_and_the_taken_stays():
    params, opt = made(4)
    stepped(params, opt, 2)
    taken = opt.remove_params([params[1]])
    held = params[1].detach().numpy().tobytes()
    state = {k: v.numpy().tobytes() for k, v in taken[0].state.items()}
    stepped(params, opt, 3)
    assert params[1].detach().numpy().tobytes() == held
    opt.restore_params(taken)
    assert {k: v.numpy().tobytes() for k, v in opt.state[params[1]].items()} == state
    stepped(params, opt)
    assert opt.state[params[1]]["step"].item() == 3
    assert opt.state[params[0]]["step"].item() == 6


def test_a_run_with_a_detour_equals_one_without():
    results = []
    for detour in (False, True):
        with wb.arrays.random.fork(0):
            params, opt = made(3)
        stepped(params, opt, 2)
        if detour:
            taken = opt.remove_params(params[:2])
            opt.restore_params(taken)
        stepped(params, opt, 2)
        results.append(snapshot(params, opt))
    assert results[0] == results[1]


def test_new_parameters_join_the_group_of_another():
    params, opt = made(4, 2)
    fresh = wb.nn.Parameter(wb.ones(2))
    opt.add_params([fresh], like=params[3])
    assert opt.group_of(fresh) is opt.param_groups[1]
    assert opt.param_groups[1]["params"][-1] is fresh
    opt.add_params([wb.nn.Parameter(wb.ones(1))])
    assert len(opt.param_groups[0]["params"]) == 3
    stepped([fresh], opt)
    assert opt.state[fresh]["step"].item() == 1
    assert not np.allclose(fresh.detach().numpy(), 1)


def test_mistakes_change_nothing():
    params, opt = made(3)
    stepped(params, opt)
    stranger = wb.nn.Parameter(wb.ones(2))
    places, before = order(opt), snapshot(params, opt)
    for act in (
        lambda: opt.add_params([stranger, params[0]]),
        lambda: opt.add_params([stranger, stranger]),
        lambda: opt.add_params([stranger], like=wb.nn.Parameter(wb.ones(1))),
        lambda: opt.remove_params([params[0], stranger]),
        lambda: opt.group_of(stranger),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - each has a message of its own
            act()
        assert order(opt) == places
    taken = opt.remove_params([params[1]])
    opt.restore_params(taken)
    with pytest.raises(ValueError, match="held by this optimizer already"):
        opt.restore_params(taken)
    assert order(opt) == places
    assert snapshot(params, opt) == before


def test_an_emptied_group_stays_and_takes_its_parameters_back():
    params, opt = made(3, 1)
    taken = opt.remove_params(params[:1])
    assert [len(g["params"]) for g in opt.param_groups] == [0, 2]
    stepped(params[1:], opt)
    opt.zero_grad()
    opt.restore_params(taken)
    assert opt.group_of(params[0]) is opt.param_groups[0]


def test_schedulers_keep_working_through_an_edit():
    params, opt = made(2)
    scheduler = wb.optim.lr_scheduler.StepLR(opt, 1, 0.5)
    taken = opt.remove_params(params[:1])
    stepped(params, opt)
    scheduler.step()
    opt.restore_params(taken)
    assert opt.param_groups[0]["lr"] == 0.05


def test_a_parameter_moved_to_other_memory_is_followed():
    params, opt = made(2)
    stepped(params, opt)
    params[0].array = params[0].array.copy()  # as a change of device or dtype does
    opt.state[params[1]]["exp_avg"] = wb.zeros(2)
    before = params[0].detach().numpy().copy()
    stepped(params, opt)
    assert not np.array_equal(before, params[0].detach().numpy())
    assert opt.state[params[1]]["exp_avg"].abs().sum() > 0
