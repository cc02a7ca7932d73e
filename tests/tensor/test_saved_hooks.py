"""Hooks on saved tensors and checkpointing."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import workbench as wb
from workbench import nn
from workbench.autograd.graph import (
    disable_saved_tensors_hooks,
    get_gradient_edge,
    register_multi_grad_hook,
    save_on_cpu,
    saved_tensors_hooks,
)
from workbench.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential


def program_with_hooks(L):
    seen = []

    def pack(x):
        seen.append(("pack", list(x.shape)))
        return x * 3

    def unpack(x):
        seen.append(("unpack", list(x.shape)))
        return x / 3

    a = L.tensor([1.0, 2.0], requires_grad=True)
    b = L.tensor([3.0, 4.0], requires_grad=True)
    with L.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = a * b
    z = y * b  # outside: not packed
    z.sum().backward()
    return a.grad, b.grad, sorted(map(str, seen))


def test_hooks_as_torch(both):
    both.same(program_with_hooks)


def test_the_innermost_hooks_apply_and_second_order_unpacks_too():
    log = []

    def pair(name):
        return saved_tensors_hooks(lambda t: (log.append(name), t.clone())[1], lambda t: t)

    x = wb.tensor([2.0], requires_grad=True)
    with pair("outer"):
        with pair("inner"):
            y = x * x
        z = y.exp()
    assert log.count("inner") == 2
    assert log.count("outer") == 1
    (g,) = wb.autograd.grad(z, x, create_graph=True)
    (h,) = wb.autograd.grad(g, x)
    assert g.item() == pytest.approx(4 * np.exp(4), rel=1e-5)
    assert h.item() == pytest.approx(18 * np.exp(4), rel=1e-5)


def test_user_functions_pack_too():
    class Square(wb.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x * x
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return g * 2 * x + 0 * y

    x = wb.tensor([3.0], requires_grad=True) * 1
    packed = []
    with saved_tensors_hooks(lambda t: packed.append(t.numpy().copy()) or len(packed) - 1,
                             lambda i: wb.from_numpy(packed[i])):  # fmt: skip
        y = Square.apply(x)
    assert len(packed) == 2
    assert wb.autograd.grad(y, x)[0].item() == 6.0


def test_save_on_cpu_copies_and_refusals_refuse():
    x = wb.tensor([2.0], requires_grad=True) * 1
    with save_on_cpu():
        y = x * x
    x.detach().fill_(100)  # what was saved is a copy
    assert wb.autograd.grad(y, x)[0].item() == 4.0
    with (
        disable_saved_tensors_hooks("not here"),
        pytest.raises(RuntimeError, match="not here"),
        save_on_cpu(),
    ):
        pass
    x = wb.ones(1, requires_grad=True)
    with saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = x * x
    with pytest.raises(TypeError, match="unpack_hook expected to be a Tensor"):
        y.backward()


def test_written_memory_that_a_hook_kept_is_stale():
    x = wb.ones(2, requires_grad=True) * 1
    with saved_tensors_hooks(lambda t: t, lambda t: t):
        y = x * x
    x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_multi_grad_hook_and_gradient_edge():
    a, b = wb.ones(1, requires_grad=True), wb.ones(1, requires_grad=True)
    seen = []
    with register_multi_grad_hook((a, b), lambda grads: seen.append([g.item() for g in grads])):
        (a * 2 + b * 3).backward()
        (a * 2).backward()
    (a + b).backward()
    assert seen == [[2.0, 3.0]]
    assert get_gradient_edge(a * 2).node.name() == "MulBackward0"
    with pytest.raises(RuntimeError, match="does not require"):
        get_gradient_edge(wb.ones(1))


# -- checkpointing -------------------------------------------------------------------------------


def network():
    wb.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)
    )


WAYS = {
    "whole": lambda m, x: checkpoint(m, x, use_reentrant=False),
    "reentrant": lambda m, x: checkpoint(m, x, use_reentrant=True),
    "nested": lambda m, x: checkpoint(
        lambda y: m[3:](checkpoint(m[:3], y, use_reentrant=False)), x, use_reentrant=False
    ),
    "in parts": lambda m, x: checkpoint_sequential(m, 3, x, use_reentrant=False),
    "by keyword": lambda m, x: checkpoint(lambda *, a: m(a), a=x, use_reentrant=False),
}


@pytest.mark.parametrize("way", WAYS)
def test_gradients_and_random_numbers_are_the_same_to_the_bit(way):
    m = network()
    x = wb.randn(5, 4, requires_grad=True)

    def grads(run):
        m.zero_grad()
        x.grad = None
        wb.manual_seed(3)
        (run(x) ** 2).sum().backward()
        return [*(p.grad.numpy() for p in m.parameters()), x.grad.numpy(), wb.randn(2).numpy()]

    for a, b in zip(grads(m), grads(lambda x: WAYS[way](m, x)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_inside_is_kept():
    held = []

    class Watched(wb.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2 + 0 * ctx.saved_tensors[0]

    def part(x):
        y = x.exp()
        held.append(weakref.ref(y.array))
        return Watched.apply(y).exp().exp().sum()

    gc.disable()
    try:
        x = wb.ones(100, requires_grad=True)
        out = checkpoint(part, x, use_reentrant=False)
        assert held[0]() is None
        out.backward()
        assert len(held) == 2
        del out
        assert held[1]() is None
    finally:
        gc.enable()


def test_second_order_and_transforms_through_checkpoints():
    def f(x):
        return (x.tanh() ** 2 * x).sum()

    def g(x):
        return checkpoint(f, x, use_reentrant=False)

    x = wb.randn(4, dtype=wb.float64)
    for transform in (wb.func.grad, wb.func.hessian, lambda f: wb.vmap(wb.func.grad(f))):
        np.testing.assert_allclose(transform(f)(x).numpy(), transform(g)(x).numpy())


def test_retained_graphs_run_again():
    calls = []

    def part(x):
        calls.append(1)
        return x.exp() * x

    x = wb.ones(1, requires_grad=True)
    y = checkpoint(part, x, use_reentrant=False)
    y.backward(retain_graph=True)
    y.backward()
    assert len(calls) == 3
    assert x.grad.item() == pytest.approx(4 * np.e)


def test_a_part_that_does_something_else_is_an_error():
    flip = [True, False]

    def part(x):
        return x.exp().exp() if flip.pop() else x.exp()

    y = checkpoint(part, wb.ones(1, requires_grad=True), use_reentrant=False)
    with pytest.raises(CheckpointError, match="different number of tensors"):
        y.backward()
    sizes = [2, 3]

    def other(x):
        return (x.expand(sizes.pop()) * 1).exp().sum()

    y = checkpoint(other, wb.ones(1, requires_grad=True), use_reentrant=False)
    with pytest.raises(CheckpointError, match="different"):
        y.backward()


def test_settings_are_checked():
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(lambda x: x, 1, determinism_check="perhaps")
    with pytest.raises(ValueError, match="keyword"):
        checkpoint(lambda x: x, 1, use_reentrant=True, a=2)
    with wb.no_grad():
        assert not checkpoint(lambda x: x * 2, wb.ones(1, requires_grad=True)).requires_grad
