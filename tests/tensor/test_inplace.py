"""Writing in place under autograd, through views too: values and gradients as torch's."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import workbench as wb

# -- named cases ---------------------------------------------------------------------------------


def write_base_seen_by_view(lib):
    x = lib.arange(6.0).reshape(2, 3).requires_grad_()
    y = x * 1
    row = y[0]
    y.mul_(2)
    row.sum().backward()
    return x.grad, row, y


def write_view_seen_by_base(lib):
    x = lib.arange(6.0).reshape(2, 3).requires_grad_()
    y = x * 1
    y[0].mul_(3)
    (y * lib.arange(6.0).reshape(2, 3)).sum().backward()
    return x.grad, y


def write_view_of_view(lib):
    x = lib.arange(12.0).reshape(3, 4).requires_grad_()
    y = x * 2
    block = y[1:].t()
    block[0].mul_(5)
    (y * y).sum().backward()
    return x.grad, y, block


def sibling_views(lib):
    x = lib.arange(4.0).requires_grad_()
    y = x * 1
    a, b = y[:3], y[1:]
    a.mul_(2)
    (b * lib.tensor([1.0, 10.0, 100.0])).sum().backward()
    return x.grad, a, b, y


def constant_becomes_differentiable(lib):
    x = lib.ones(2, requires_grad=True)
    buffer = lib.zeros(4)
    buffer[1:3] = x * 3
    (buffer * lib.arange(4.0)).sum().backward()
    return x.grad, buffer, buffer.requires_grad


def whole_overwritten(lib):
    x = lib.ones(3, requires_grad=True)
    y = x * 2
    y.zero_()
    out = y.sum()
    return y.requires_grad, out.requires_grad, y


def partly_overwritten(lib):
    x = lib.ones(4, requires_grad=True)
    y = x * 2
    y[1:3] = 0.0
    (y * 5).sum().backward()
    return x.grad, y


def partly_filled(lib):
    x = lib.ones(4, requires_grad=True)
    y = x * 2
    y[1:3].fill_(7.0)
    (y * y).sum().backward()
    return x.grad, y


def chain_of_writes(lib):
    x = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x.clone()
    y += 1
    y *= x
    y -= 0.5
    y /= 2
    y.pow_(2)
    y.sum().backward()
    return x.grad, y


def index_put_with_repeats(lib):
    x = lib.arange(4.0).requires_grad_()
    v = lib.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    y[lib.tensor([0, 2])] = v * 3
    (y * lib.arange(1.0, 5.0)).sum().backward()
    return x.grad, v.grad, y


def set_with_mask(lib):
    x = lib.arange(4.0).requires_grad_()
    y = x * 1
    y[lib.tensor([True, False, True, False])] = -1.0
    (y * y).sum().backward()
    return x.grad, y


def set_with_broadcast(lib):
    x = lib.zeros(2, 3, requires_grad=True)
    v = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * 1
    y[:, :] = v
    (y * lib.arange(6.0).reshape(2, 3)).sum().backward()
    return x.grad, v.grad, y


def copy_with_gradient(lib):
    x = lib.ones(2, 2, requires_grad=True)
    y = lib.zeros(2, 2)
    y.copy_(x * 3)
    y.sum().backward()
    return x.grad, y


def copy_into_view_with_cast(lib):
    x = lib.ones(2, dtype=lib.float64, requires_grad=True)
    y = lib.zeros(2, 2)
    y[0].copy_(x)
    (y * 2).sum().backward()
    return x.grad, y


def masked_fill_in_place(lib):
    x = lib.arange(4.0).requires_grad_()
    y = x * 1
    y.masked_fill_(x > 1.5, 9.0)
    y.sum().backward()
    return x.grad, y


def under_no_grad(lib):
    x = lib.ones(3, requires_grad=True)
    with lib.no_grad():
        x.add_(1)
        x[0] = 5
    (x * x).sum().backward()
    return x.grad, x, x.requires_grad


def detach_shares(lib):
    x = lib.ones(3, requires_grad=True)
    d = x.detach()
    d[0] = 4.0
    return x, d.requires_grad


def expanded_source(lib):
    x = lib.ones(3, requires_grad=True)
    y = (x * 2).expand(2, 3).clone()
    y[0] += 1
    y.mul_(2)
    y.sum().backward()
    return x.grad


def category_error(lib):
    x = lib.ones(3, dtype=lib.int64)
    x.add_(0.5)


def shape_error(lib):
    x = lib.ones(3)
    x.add_(lib.ones(2, 3))


def division_of_ints(lib):
    x = lib.ones(3, dtype=lib.int64)
    x.div_(2)


def narrowing_is_allowed(lib):
    x = lib.ones(3, dtype=lib.float32)
    x.add_(lib.ones(3, dtype=lib.float64))
    return x


def bool_in_place(lib):
    x = lib.ones(3, dtype=lib.bool)
    x.add_(True)
    return x


def expanded_in_place(lib):
    lib.ones(1).expand(3).add_(1)


CASES = [
    value for value in list(globals().values())
    if callable(value) and getattr(value, "__module__", "") == __name__
]  # fmt: skip


@pytest.mark.parametrize("program", CASES, ids=[c.__name__ for c in CASES])
def test_as_torch(program, both):
    both.same(program)


# -- random programs -------------------------------------------------------------------------------

VIEWS = {
    "row": lambda t: t[0],
    "rest": lambda t: t[1:],
    "every_second": lambda t: t[::2],
    "transposed": lambda t: t.transpose(0, -1),
    "flat": lambda t: t.reshape(-1),
    "column": lambda t: t[..., 0:1],
    "unsqueezed": lambda t: t.unsqueeze(0),
    "last": lambda t: t[..., -1],
    "narrowed": lambda t: t.narrow(0, 0, max(t.shape[0] - 1, 1)),
    "same": lambda t: t.view(t.shape),
}
WRITES = {
    "mul": lambda t, s: t.mul_(1.5),
    "add": lambda t, s: t.add_(0.25),
    "add_source": lambda t, s: t.add_(s.sum() * 0.1),
    "mul_self": lambda t, s: t.mul_(t.detach()),
    "tanh": lambda t, s: t.tanh_(),
    "set_first": lambda t, s: t.__setitem__((0,) if t.ndim else (), s.mean()),
    "set_number": lambda t, s: t.__setitem__((slice(0, 1),) if t.ndim else (), 0.3),
    "zero": lambda t, s: t.zero_(),
    "fill": lambda t, s: t.fill_(0.7),
    "copy": lambda t, s: t.copy_(s.sum()),
}


@st.composite
def programs(draw):
    """Steps ("view", which tensor, which view) and ("write", which tensor, which write)."""
    steps = []
    for _ in range(draw(st.integers(2, 8))):
        kind = draw(st.sampled_from(("view", "view", "write", "write", "op")))
        name = {"view": VIEWS, "write": WRITES, "op": {"op": 0}}[kind]
        steps.append((kind, draw(st.integers(0, 7)), draw(st.sampled_from(sorted(name)))))
    return steps


def execute(lib, steps):
    x = (lib.arange(12.0, dtype=lib.float64).reshape(3, 4) * 0.1 + 0.2).requires_grad_()
    source = lib.tensor([0.5, -0.25], dtype=lib.float64, requires_grad=True)
    held = [x * 1.0]
    for kind, index, name in steps:
        t = held[index % len(held)]
        if kind == "view":
            if t.ndim == 0 or t.numel() < 2:
                continue
            held.append(VIEWS[name](t))
        elif kind == "write":
            WRITES[name](t, source)
        else:
            held.append(t * 0.5 + 1)
    total = 0.0
    for i, t in enumerate(held):
        total = total + (t * (i + 1)).sum()
    total.backward()
    # where nothing is left of a tensor its gradient may be zeros or None
    grads = [lib.zeros_like(t) if t.grad is None else t.grad for t in (x, source)]
    return [*grads, *held]


@settings(max_examples=100, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(programs())
def test_random_programs_of_views_and_writes(both, steps):
    # reshape(-1) may copy where a view was meant: both must agree on that too
    _, stale = both.run(lambda lib: execute(lib, steps), both.torch)
    if (
        stale is not None
    ):  # torch saves an in-place op's result; we keep our own and need not refuse
        assert "modified by an inplace operation" in str(stale), stale
        return
    both.same(lambda lib: execute(lib, steps), rtol=1e-9, label=str(steps))


# -- versions --------------------------------------------------------------------------------------


def test_versions_are_shared_by_views():
    x = wb.zeros(4)
    view = x[1:]
    assert x._version == view._version
    before = x._version
    view.add_(1)
    assert x._version == view._version == before + 1
    x.detach().mul_(2)
    assert view._version == before + 2


def test_mark_written_makes_a_graph_stale():
    x = wb.ones(3, requires_grad=True)
    out = (x * x).sum()
    x.array[...] = 5
    from workbench.tensor import mark_written

    mark_written(x)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_a_refused_write_changes_nothing():
    x = wb.arange(3)
    with pytest.raises(RuntimeError):
        x.add_(0.5)
    np.testing.assert_array_equal(x.array, [0, 1, 2])
    assert x._version == 0


def test_augmented_assignment_writes_into_the_same_tensor():
    mask = wb.tensor([True, False, True])
    alias = mask
    mask &= wb.tensor([True, True, False])
    assert alias is mask
    assert alias.tolist() == [True, False, False]
    bits = wb.tensor([1, 2])
    other = bits
    bits |= 4
    bits ^= 1
    bits <<= 1
    assert other.tolist() == [8, 14]
    x = wb.tensor([1.0, 2.0])
    assert x.eq_(1.0) is x
    assert x.tolist() == [1.0, 0.0]
