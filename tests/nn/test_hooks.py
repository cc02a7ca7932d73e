"""Hooks on calls and on backward passes."""

from __future__ import annotations

import numpy as np
import pytest
from torch_twins import both, same, torch

import workbench as wb
from workbench import nn


def test_forward_hooks_see_and_replace():
    m = nn.Linear(2, 3)
    x = wb.randn(4, 2)
    plain = m(x)
    seen = []
    first = m.register_forward_pre_hook(lambda mod, args: seen.append(("pre", mod is m, args)))
    second = m.register_forward_pre_hook(lambda mod, args: args[0] * 2)
    third = m.register_forward_hook(lambda mod, args, out: seen.append(("post", args[0], out)))
    fourth = m.register_forward_hook(lambda mod, args, out: out + 1)
    out = m(x)
    assert wb.allclose(out, m.forward(x * 2) + 1)
    assert seen[0][0] == "pre"
    assert seen[0][2][0] is x
    assert wb.equal(seen[1][1], x * 2)
    for handle in (first, second, third, fourth):
        handle.remove()
        handle.remove()
    assert wb.equal(m(x), plain)
    assert "_hooks" not in m.__dict__  # back on the fast path


def test_order_prepend_and_with_block():
    m = nn.Identity()
    order = []
    with (
        m.register_forward_hook(lambda *a: order.append(1)),
        m.register_forward_hook(lambda *a: order.append(2)),
        m.register_forward_hook(lambda *a: order.append(0), prepend=True),
    ):
        m(wb.zeros(1))
    m(wb.zeros(1))
    assert order == [0, 1, 2]


def test_keyword_arguments():
    class Scaled(nn.Module):
        def forward(self, x, *, by=1.0):
            return x * by

    m = Scaled()
    m.register_forward_pre_hook(
        lambda mod, args, kw: (args, {"by": kw["by"] + 1}), with_kwargs=True
    )
    m.register_forward_hook(lambda mod, args, kw, out: out + kw["by"], with_kwargs=True)
    assert m(wb.ones(1), by=1.0).item() == 4
    m.register_forward_pre_hook(lambda mod, args, kw: 3, with_kwargs=True)
    with pytest.raises(RuntimeError, match="new_args, new_kwargs"):
        m(wb.ones(1), by=1.0)


def test_always_call_runs_after_an_error():
    class Broken(nn.Module):
        def forward(self, x):
            raise KeyError("broken")

    m, seen = Broken(), []
    m.register_forward_hook(lambda *a: seen.append(a[-1]), always_call=True)
    m.register_forward_hook(lambda *a: seen.append("never"))
    with pytest.raises(KeyError):
        m(wb.ones(1))
    assert seen == [None]


def test_a_hook_must_be_callable():
    with pytest.raises(TypeError, match="callable"):
        nn.ReLU().register_forward_hook(3)


def test_backward_hooks_agree_with_torch():
    array = np.random.default_rng(0).normal(size=(4, 3))
    results = []
    for lib, x in zip((wb, torch), both(array, grad=True), strict=True):
        m = lib.nn.Sequential(lib.nn.Tanh(), lib.nn.Sigmoid())
        seen = []
        m[1].register_full_backward_hook(lambda mod, gi, go, seen=seen: seen.append((gi, go)))
        m[1].register_full_backward_pre_hook(lambda mod, go: (go[0] * 2,))
        m[0].register_full_backward_hook(lambda mod, gi, go: (gi[0] * 3,))
        y = m(x * 1)
        (y * y).sum().backward()
        results.append((x.grad, seen[0][0][0], seen[0][1][0]))
    for ours, theirs in zip(*results, strict=True):
        same(ours, theirs)


def test_backward_hook_without_input_gradient():
    m = nn.Linear(2, 3)
    seen = []
    m.register_full_backward_hook(lambda mod, gi, go: seen.append((gi, go)))
    m(wb.randn(4, 2)).sum().backward()
    assert seen[0][0] == (None,)
    assert seen[0][1][0].shape == (4, 3)
    with wb.no_grad():
        m(wb.randn(4, 2))
    assert len(seen) == 1


def test_backward_hook_wants_tensors():
    class Wordy(nn.Module):
        def forward(self, x):
            return {"y": x}

    m = Wordy()
    m.register_full_backward_hook(lambda *a: None)
    with pytest.raises(RuntimeError, match="returns a tensor"):
        m(wb.zeros(1))
