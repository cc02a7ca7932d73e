"""The written-out way into a replay: it takes the calls that are the plan's, and no others."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.tensor.capture.enter import MISS


def double(x, y=None):
    return x * 2 if y is None else x * y


def ready(function, *args):
    """A compiled function that has seen these arguments."""
    compiled = wb.compile(function)
    compiled(*args)
    assert compiled._enter is not None
    return compiled


def taken(compiled, *args, **kwargs):
    return compiled._enter(args, kwargs) is not MISS


x = wb.arange(6.0).reshape(2, 3)


def test_calls_like_the_first_are_taken():
    compiled = ready(double, x)
    assert taken(compiled, x)
    assert taken(compiled, x.clone())
    assert taken(compiled, wb.nn.Parameter(x, requires_grad=False))
    assert compiled.calls == {"recorded": 1, "replayed": 3, "eager": 0}


def test_other_calls_are_not():
    compiled = ready(double, x)
    others = [
        x[:1], x.double(), x.t().contiguous().t(), x.clone().requires_grad_(), x.int(), 2.0, None,
    ]  # fmt: skip
    for other in others:
        assert not taken(compiled, other)
    assert not taken(compiled)
    assert not taken(compiled, x, x)
    assert not taken(compiled, x=x)
    assert not taken(compiled, x, y=x)
    with wb.no_grad():
        assert not taken(compiled, x)
    with wb.inference_mode():
        assert not taken(compiled, x)
    assert taken(compiled, x)


def test_numbers_and_words_must_be_the_same():
    compiled = ready(lambda x, n, how, on: x * n if on else x, x, 3, "sum", True)
    assert taken(compiled, x, 3, "sum", True)
    for others in ((3.0, "sum", True), (4, "sum", True), (3, "mean", True), (3, "sum", False),
                   (3, "sum", 1)):  # fmt: skip
        assert not taken(compiled, x, *others)


def test_one_array_given_twice_is_another_call():
    once, twice = ready(double, x, x.clone()), ready(double, x, x)
    assert taken(once, x, x.clone())
    assert not taken(once, x, x)
    assert taken(twice, x, x)
    assert not taken(twice, x, x.clone())


@pytest.mark.parametrize("change", ["memory", "frozen", "module", "gradient"])
def test_what_the_plan_relies_on_is_looked_at(change):
    net = wb.nn.Linear(3, 2)

    def step(x):
        loss = net(x).sum()
        loss.backward()
        return loss

    for p in net.parameters():
        p.grad = wb.zeros_like(p)
    compiled = ready(step, x)
    assert taken(compiled, x)
    if change == "memory":
        net.weight.data = net.weight.data.clone()
    elif change == "frozen":
        net.weight.requires_grad_(False)
    elif change == "module":
        net.train(False)
    else:
        net.weight.grad = None
    assert not taken(compiled, x)


def test_a_plan_that_another_thread_is_in_is_left_to_it():
    compiled = ready(double, x)
    (plan,) = compiled.explain().plans
    with plan.busy:
        assert not taken(compiled, x)
    assert taken(compiled, x)


def test_results_are_what_the_plain_function_returns():
    weight = wb.randn(3, 3, requires_grad=True)

    def several(x, y):
        return x @ weight, y, weight

    compiled = ready(several, x, x.clone())
    made, given, outside = compiled(x, y := x + 1)
    assert np.array_equal(made.detach().numpy(), (x @ weight).detach().numpy())
    assert given is y
    assert outside is weight
    made.sum().backward()
    assert np.array_equal(weight.grad.numpy(), x.t().matmul(wb.ones(2, 3)).numpy())
    listed = ready(lambda x: [x + 1], x)
    assert type(listed(x)) is list
    nested = wb.compile(lambda x: {"sum": x + 1})
    for _ in range(3):
        assert np.array_equal(nested(x)["sum"].numpy(), (x + 1).numpy())
    assert nested.calls["replayed"] == 2


def test_two_kinds_of_calls_in_turns():
    compiled = wb.compile(double)
    for _ in range(3):
        assert np.array_equal(compiled(x).numpy(), (x * 2).numpy())
        assert np.array_equal(compiled(x[0]).numpy(), (x[0] * 2).numpy())
    assert compiled.calls == {"recorded": 2, "replayed": 4, "eager": 0}
    compiled.reset()
    compiled(x)
    assert compiled.calls["recorded"] == 3
