"""Module: registration, walking, conversion, printing, copies."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
from torch_twins import torch

import workbench as wb
from workbench import nn


def block(nn, zeros):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("first", zeros(2))
            self.scale = nn.Parameter(zeros(3))
            self.register_parameter("nothing", None)
            self.inner = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
            self.register_buffer("passing", zeros(1), persistent=False)
            self.again = self.inner
            self.names = ["a"]
            self.shift = nn.Parameter(zeros(3))

        def forward(self, x):
            return self.inner(x * self.scale + self.shift)

        def extra_repr(self):
            return "one\ntwo"

    return Block()


def pair():
    return block(wb.nn, wb.zeros), block(torch.nn, torch.zeros)


def test_names_and_order_are_torchs():
    ours, theirs = pair()
    for call in (
        lambda m: [n for n, _ in m.named_parameters()],
        lambda m: [n for n, _ in m.named_parameters(remove_duplicate=False)],
        lambda m: [n for n, _ in m.named_parameters(prefix="x", recurse=False)],
        lambda m: [n for n, _ in m.named_buffers()],
        lambda m: [n for n, _ in m.named_buffers(recurse=False)],
        lambda m: [n for n, _ in m.named_modules()],
        lambda m: [n for n, _ in m.named_modules(prefix="p", remove_duplicate=False)],
        lambda m: [n for n, _ in m.named_children()],
        lambda m: len(list(m.modules())),
        lambda m: len(list(m.children())),
        lambda m: list(m.state_dict()),
        lambda m: list(m.state_dict(prefix="net.")),
        lambda m: list(m._parameters),
        lambda m: list(m._buffers),
        lambda m: list(m._modules),
        repr,
    ):
        assert call(ours) == call(theirs)


def test_assignment_moves_between_kinds_as_in_torch():
    for lib, zeros in ((wb.nn, wb.zeros), (torch.nn, torch.zeros)):
        m = lib.Module()
        m.x = 3
        m.x = lib.Parameter(zeros(2))  # an ordinary attribute gives way
        assert list(m._parameters) == ["x"]
        m.y = lib.Parameter(zeros(2))
        m.x = lib.Parameter(zeros(3))  # stays first
        assert [n for n, _ in m.named_parameters()] == ["x", "y"]
        with pytest.raises(TypeError, match="cannot assign"):
            m.x = lib.Linear(1, 1)
        del m.x
        m.x = lib.Linear(1, 1)
        assert list(m._parameters) == ["y"]
        assert list(m._modules) == ["x"]
        m.x = None
        assert list(m._modules) == ["x"]
        assert list(m.children()) == []
        m.y = None
        assert list(m.parameters()) == []
        with pytest.raises(TypeError, match="cannot assign"):
            m.y = 4
        with pytest.raises(TypeError, match="cannot assign"):
            m.x = 4
        m.register_buffer("b", zeros(1))
        m.b = zeros(2)
        assert m.b.shape == (2,)
        with pytest.raises(TypeError, match="cannot assign"):
            m.b = 4
        del m.b
        assert not hasattr(m, "b")
        assert list(m.buffers()) == []
        m.c = lib.Buffer(zeros(1), persistent=False)
        assert list(m.state_dict()) == []
        assert list(m._buffers) == ["c"]


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (lambda lib, m, z: m.register_parameter("a.b", None), KeyError),
        (lambda lib, m, z: m.register_parameter("", None), KeyError),
        (lambda lib, m, z: m.register_parameter("forward", None), KeyError),
        (lambda lib, m, z: m.register_parameter(3, None), TypeError),
        (lambda lib, m, z: m.register_parameter("p", z(2)), TypeError),
        (lambda lib, m, z: m.register_buffer("training", z(2)), KeyError),
        (lambda lib, m, z: m.register_buffer("b", 3), TypeError),
        (lambda lib, m, z: m.add_module("m", 3), TypeError),
        (lambda lib, m, z: m.add_module("a.b", None), KeyError),
        (lambda lib, m, z: m.get_submodule("x.y"), AttributeError),
        (lambda lib, m, z: m.get_parameter("x"), AttributeError),
        (lambda lib, m, z: m.get_buffer("training"), AttributeError),
        (lambda lib, m, z: m.train("yes"), ValueError),
        (lambda lib, m, z: m.forward(3), NotImplementedError),
        (lambda lib, m, z: m.missing, AttributeError),
        (lambda lib, m, z: m.load_state_dict([1]), TypeError),
    ],
)
def test_misuse_raises_as_in_torch_and_changes_nothing(act, kind):
    for lib, zeros in ((wb.nn, wb.zeros), (torch.nn, torch.zeros)):
        m = lib.Module()
        with pytest.raises(kind):
            act(lib, m, zeros)
        assert list(m.state_dict()) == []


def test_members_before_init_are_refused():
    class Hasty(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"before Module\.__init__"):
        Hasty()


def test_a_computed_tensor_cannot_be_a_parameter():
    m = nn.Module()
    p = nn.Parameter(wb.zeros(2))
    q = p * 2
    with pytest.raises(TypeError):
        m.register_parameter("q", q)


def test_lookup_by_path():
    m, _ = pair()
    assert m.get_submodule("") is m
    assert m.get_submodule("inner.0") is m.inner[0]
    assert m.get_parameter("inner.0.weight") is m.inner[0].weight
    assert m.get_buffer("inner.1.running_mean") is m.inner[1].running_mean
    fresh = nn.Linear(3, 4)
    m.set_submodule("inner.0", fresh)
    assert m.inner[0] is fresh
    with pytest.raises(AttributeError):
        m.set_submodule("inner.7", fresh, strict=True)


def test_the_register_is_a_live_mapping():
    m = nn.Sequential(nn.Linear(2, 3))
    m._modules["0"] = nn.Linear(2, 4)
    assert m[0].out_features == 4
    weight = nn.Parameter(wb.zeros(4, 2))
    m[0]._parameters["weight"] = weight
    assert m[0].weight is weight
    del m[0]._parameters["bias"]
    assert not hasattr(m[0], "bias")
    with pytest.raises(KeyError):
        m[0]._buffers["weight"]


def test_conversion_keeps_parameter_objects_and_converts_gradients():
    m = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    before = list(m.parameters())
    m(wb.randn(4, 3)).sum().backward()
    assert m.double() is m
    assert [id(p) for p in m.parameters()] == [id(p) for p in before]
    assert all(p.dtype is wb.float64 for p in m.parameters())
    assert all(p.grad.dtype is wb.float64 for p in m.parameters())
    assert m[1].running_mean.dtype is wb.float64
    assert m[1].num_batches_tracked.dtype is wb.int64
    assert m.half()[0].weight.dtype is wb.float16
    assert m.to(wb.float32)[0].weight.dtype is wb.float32
    assert m.to("cpu", wb.float64)[0].weight.dtype is wb.float64
    assert m.to(wb.zeros(1))[0].weight.dtype is wb.float32
    assert m.float().cpu()[0].weight.is_leaf
    with pytest.raises(TypeError, match="floating point"):
        m.to(wb.int64)
    with pytest.raises(TypeError):
        m.to(None, 3.5)


def test_modes_and_freezing():
    m, _ = pair()
    assert m.training
    assert not any(x.training for x in m.eval().modules())
    assert all(x.training for x in m.train().modules())
    m.requires_grad_(False)
    assert not any(p.requires_grad for p in m.parameters())
    m.requires_grad_()
    m(wb.randn(4, 3)).sum().backward()
    m.zero_grad(set_to_none=False)
    assert all(p.grad is not None and p.grad.abs().sum() == 0 for p in m.parameters())
    m.zero_grad()
    assert all(p.grad is None for p in m.parameters())


def test_apply_visits_children_first():
    seen = []
    m = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU()))
    assert m.apply(lambda x: seen.append(type(x).__name__)) is m
    assert seen == ["Linear", "ReLU", "Sequential", "Sequential"]


def test_deepcopy_is_independent_and_keeps_ties():
    m, _ = pair()
    made = copy.deepcopy(m)
    assert made.again is made.inner
    assert list(made.state_dict()) == list(m.state_dict())
    made.inner[0].weight.array[...] = 7
    assert not (m.inner[0].weight == 7).any()
    assert isinstance(made.scale, nn.Parameter)
    assert made.scale.requires_grad
    assert repr(made) == repr(m)


def test_shallow_copy_has_its_own_register():
    m = nn.Linear(2, 3)
    made = copy.copy(m)
    assert made.weight is m.weight
    made.register_buffer("extra", wb.zeros(1))
    made.training = False
    assert "extra" not in m._buffers
    assert m.training


def test_pickle_round_trip():
    m = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    made = pickle.loads(pickle.dumps(m))
    x = wb.randn(4, 2)
    assert np.array_equal(made.eval()(x).detach().numpy(), m.eval()(x).detach().numpy())
    assert isinstance(made[0].weight, nn.Parameter)


def test_a_dropped_module_is_freed_without_the_collector():
    gc.disable()
    try:
        m = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        m.register_forward_hook(lambda *a: None)
        m(wb.randn(1, 2)).sum().backward()
        alive = [weakref.ref(m), weakref.ref(m[0].weight)]
        del m
        assert [ref() for ref in alive] == [None, None]
    finally:
        gc.enable()


def test_parameter_prints_and_checks():
    assert repr(nn.Parameter(wb.tensor([1.0]))).startswith("Parameter containing:\ntensor([1.")
    assert nn.Parameter(wb.tensor([1]), requires_grad=False).requires_grad is False
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(wb.tensor([1]))
    with pytest.raises(TypeError, match="needs a tensor"):
        nn.Parameter([1.0])
    t = wb.zeros(3)
    assert nn.Parameter(t).array is t.array
