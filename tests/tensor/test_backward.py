"""The backward pass: what torch's does, held against torch where it is installed."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

import workbench as wb


def leaf(values, **options):
    return wb.tensor(values, requires_grad=True, **options)


# -- against torch ---------------------------------------------------------------------------


def accumulate(lib):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    first = x.grad.clone()
    y.backward()
    return first, x.grad


def higher_order(lib):
    x = lib.tensor([0.3, -1.2, 2.0], requires_grad=True)
    (g,) = lib.autograd.grad((x.sin() * x.exp()).sum(), x, create_graph=True)
    (h,) = lib.autograd.grad((g * g).sum(), x, create_graph=True)
    (k,) = lib.autograd.grad(h.sum(), x)
    return g, h, k


def backward_of_backward(lib):
    x = lib.tensor([2.0], requires_grad=True)
    (x**3).backward(create_graph=True)
    first = x.grad.clone()
    x.grad.sum().backward()
    return first, x.grad


def vector_gradient(lib):
    x = lib.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x @ x
    y.backward(lib.tensor([[1.0, 0.5], [0.0, -1.0]]))
    return x.grad


def unused_input(lib):
    x, y = (lib.tensor([v], requires_grad=True) for v in (1.0, 2.0))
    return lib.autograd.grad(x * 2, (x, y), allow_unused=True)


def unused_input_refused(lib):
    x, y = (lib.tensor([v], requires_grad=True) for v in (1.0, 2.0))
    return lib.autograd.grad(x * 2, (x, y))


def unused_as_zeros(lib):
    x, y = (lib.tensor([v], requires_grad=True) for v in (1.0, 2.0))
    return lib.autograd.grad(x * 2, (x, y), materialize_grads=True)


def intermediate(lib):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    return lib.autograd.grad((y * y).sum(), y)


def batched(lib):
    x = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
    return lib.autograd.grad(x * x, x, lib.eye(3), is_grads_batched=True)


def only_some_inputs(lib):
    x, y = (lib.tensor([v], requires_grad=True) for v in (1.0, 2.0))
    (x * y).sum().backward(inputs=[x])
    return x.grad, y.grad


def several_roots(lib):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    lib.autograd.backward([x.sum(), (x * x).sum()])
    return x.grad


def hooks(lib):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.clone()))
    handle = y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    (y * y).sum().backward()
    handle.remove()
    first = x.grad.clone()
    x.grad = None
    (x * 2).sum().backward()
    return seen, first, x.grad


def kept_gradients(lib):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    (y * y).sum().backward()
    return y.grad, x.grad


def post_accumulate(lib):
    x = lib.tensor([1.0, 2.0], requires_grad=True)
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.clone()))
    (x * 3).sum().backward()
    (x * 4).sum().backward()
    return seen


def diamond(lib):
    x = lib.tensor([0.5], requires_grad=True)
    a = x * 2
    b = a + x
    c = a * b
    (c + a + b).backward()
    return x.grad


def detach_cuts(lib):
    x = lib.tensor([2.0], requires_grad=True)
    (x * (x * x).detach()).backward()
    return x.grad


def no_grad_cuts(lib):
    x = lib.tensor([2.0], requires_grad=True)
    with lib.no_grad():
        y = x * 3
        with lib.enable_grad():
            z = x * 5
    return y.requires_grad, z.requires_grad, y.is_leaf, z.is_leaf


def dtype_of_gradient(lib):
    x = lib.ones(3, requires_grad=True)
    y = lib.ones(3, dtype=lib.float64, requires_grad=True)
    (x * y).sum().backward()
    return x.grad, y.grad


def mixed_precision(lib):
    x = lib.ones(3, requires_grad=True)
    (x.to(lib.bfloat16) * 2).sum().backward()
    return x.grad


PROGRAMS = [
    accumulate, higher_order, backward_of_backward, vector_gradient, unused_input,
    unused_input_refused, unused_as_zeros, intermediate, batched, only_some_inputs, several_roots,
    hooks, kept_gradients, post_accumulate, diamond, detach_cuts, no_grad_cuts, dtype_of_gradient,
    mixed_precision,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True:UserWarning")
@pytest.mark.parametrize("program", PROGRAMS, ids=[p.__name__ for p in PROGRAMS])
def test_as_torch(program, both):
    both.same(program)


# -- errors ------------------------------------------------------------------------------------


def twice(lib):
    x = lib.tensor([1.0], requires_grad=True)
    y = (x * x).sum()
    y.backward()
    y.backward()


def needs_scalar(lib):
    (lib.ones(2, requires_grad=True) * 2).backward()


def needs_graph(lib):
    lib.ones(1).backward()


def wrong_gradient_shape(lib):
    (lib.ones(2, requires_grad=True) * 2).backward(lib.ones(3))


def integer_leaf(lib):
    lib.tensor([1, 2], requires_grad=True)


def not_a_leaf(lib):
    (lib.ones(1, requires_grad=True) * 2).requires_grad_(False)


def hook_without_gradient(lib):
    lib.ones(1).register_hook(lambda g: g)


def retain_without_gradient(lib):
    lib.ones(1).retain_grad()


def numpy_of_grad(lib):
    lib.ones(1, requires_grad=True).numpy()


def stale_square(lib):
    x = lib.ones(3, requires_grad=True)
    y = x * 2
    z = y * y
    y.add_(1)
    z.sum().backward()


def stale_out(lib):
    x = lib.ones(3, requires_grad=True)
    y = x.exp()
    y.mul_(2)
    y.sum().backward()


def stale_through_view(lib):
    x = lib.ones(3, requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    y[0] = 5.0
    z.backward()


def stale_through_detached(lib):
    x = lib.ones(3, requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    y.detach().zero_()
    z.backward()


def leaf_in_place(lib):
    lib.ones(3, requires_grad=True).add_(1)


def leaf_set_item(lib):
    lib.ones(3, requires_grad=True)[0] = 1.0


def view_of_leaf_in_place(lib):
    lib.ones(3, requires_grad=True)[:2].mul_(2)


def deepcopy_of_result(lib):
    import copy

    copy.deepcopy(lib.ones(1, requires_grad=True) * 2)


ERRORS = [
    twice, needs_scalar, needs_graph, wrong_gradient_shape, integer_leaf, not_a_leaf,
    hook_without_gradient, retain_without_gradient, numpy_of_grad, stale_square, stale_out,
    stale_through_view, stale_through_detached, leaf_in_place, leaf_set_item,
    view_of_leaf_in_place, deepcopy_of_result,
]  # fmt: skip


@pytest.mark.parametrize("program", ERRORS, ids=[p.__name__ for p in ERRORS])
def test_refused_as_in_torch(program, both):
    theirs, expected = both.run(program, both.torch)
    assert expected is not None, theirs
    with pytest.raises(type(expected)) as caught:
        program(wb)
    assert str(caught.value)


def test_writes_that_touch_nothing_saved_are_fine(both):
    def program(lib):
        x = lib.ones(3, requires_grad=True)
        y = x * 2  # saves nothing of y
        y.add_(1)
        y.mul_(3)
        (y + 1).sum().backward()
        return x.grad, y

    both.same(program)


# -- graphs and memory -----------------------------------------------------------------------------


def test_a_chain_of_100_000_ops():
    x = leaf([1.0])
    y = x
    for _ in range(50_000):
        y = (y * 1.00001) + 0.0
    y.backward()
    assert np.isfinite(x.grad.item())
    assert x.grad.item() == pytest.approx(1.00001**50_000, rel=1e-3)


def test_a_long_chain_is_freed_without_recursion():
    x = leaf([1.0])
    y = x
    for _ in range(100_000):
        y = y + 1.0
    del y  # frees 100,000 nodes, each holding the next


def test_memory_is_freed_by_backward_without_the_cycle_collector():
    gc.collect()
    gc.disable()
    try:
        x = leaf(np.ones((4, 4), np.float32))
        hidden = x * 2
        saved = weakref.ref(hidden.array)
        out = (hidden * hidden).sum()
        node = weakref.ref(out.grad_fn)
        del hidden
        assert saved() is not None  # the graph holds it
        out.backward()
        assert saved() is None
        del out
        assert node() is None
        array = weakref.ref(x.array)
        del x
        assert array() is None
    finally:
        gc.enable()


def test_a_graph_that_is_dropped_without_backward_leaves_no_cycle():
    gc.collect()
    gc.disable()
    try:
        x = leaf(np.ones(4, np.float32))
        y = (x.exp() * x).reshape(2, 2)
        z = y[0]
        held = weakref.ref(y.array)
        del y, z
        assert held() is None
    finally:
        gc.enable()


def test_gradients_do_not_share_memory_with_each_other_or_with_the_seed():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    seed = wb.ones(2)
    (x + y).backward(seed)
    assert not np.shares_memory(x.grad.array, y.grad.array)
    assert not np.shares_memory(x.grad.array, seed.array)
    x.grad.zero_()
    np.testing.assert_array_equal(y.grad.array, [1, 1])
    np.testing.assert_array_equal(seed.array, [1, 1])


def test_grad_results_do_not_share_memory():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    gx, gy = wb.autograd.grad(x + y, (x, y), wb.ones(2))
    gx.zero_()
    np.testing.assert_array_equal(gy.array, [1, 1])


def test_gradients_of_broadcast_views_are_writable():
    x = leaf(np.ones((2, 3), np.float32))
    x.sum().backward()
    x.grad.mul_(2)
    np.testing.assert_array_equal(x.grad.array, np.full((2, 3), 2))


# -- modes -----------------------------------------------------------------------------------------


def test_no_grad_is_per_thread():
    seen = []

    def other():
        seen.append(wb.is_grad_enabled())

    with wb.no_grad():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert not wb.is_grad_enabled()
    assert seen == [True]
    assert wb.is_grad_enabled()


def test_modes_as_decorators_and_after_errors():
    @wb.no_grad()
    def inside():
        return wb.is_grad_enabled()

    @wb.no_grad
    def bare():
        return wb.is_grad_enabled()

    @wb.inference_mode()
    def inference():
        return wb.is_grad_enabled(), wb.is_inference_mode_enabled()

    assert inside() is False
    assert bare() is False
    assert inference() == (False, True)
    with pytest.raises(KeyError), wb.no_grad():
        raise KeyError
    assert wb.is_grad_enabled()


def test_set_grad_enabled_as_function_and_context():
    try:
        wb.set_grad_enabled(False)
        assert not wb.is_grad_enabled()
    finally:
        wb.set_grad_enabled(True)
    with wb.set_grad_enabled(False):
        assert not wb.is_grad_enabled()
        with wb.set_grad_enabled(True):
            assert wb.is_grad_enabled()
        assert not wb.is_grad_enabled()
    assert wb.is_grad_enabled()


def test_no_grad_can_be_entered_again_inside_itself():
    guard = wb.no_grad()
    with guard, guard:
        assert not wb.is_grad_enabled()
    assert wb.is_grad_enabled()


def test_generator_functions_keep_the_mode_of_each_step():
    x = leaf([1.0])
    with wb.inference_mode():
        y = x * 2
    assert not y.requires_grad
    with wb.inference_mode(False):
        assert (x * 2).requires_grad


def test_grad_fn_names_and_next_functions(both):
    def names(lib):
        x = lib.ones(2, requires_grad=True)
        y = (x * 2 + 1).sum()
        chain, node = [], y.grad_fn
        while node is not None:
            chain.append(node.name())
            node = node.next_functions[0][0] if node.next_functions else None
        return chain

    assert names(wb)[:3] == ["SumBackward0", "AddBackward0", "MulBackward0"]
    assert [n.split("::")[-1] for n in names(both.torch)] == [*names(wb)[:3], "AccumulateGrad"]
    assert names(wb)[-1].endswith("AccumulateGrad")
