"""state_dict and load_state_dict: all of it or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from torch_twins import torch

import workbench as wb
from workbench import nn


def net():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1, bias=False))


def values(m):
    return {k: v.numpy().copy() for k, v in m.state_dict().items()}


def test_round_trip_and_shared_memory():
    a, b = net(), net()
    a(wb.randn(5, 2))
    assert b.load_state_dict(a.state_dict()).missing_keys == []
    for k, v in values(a).items():
        assert np.array_equal(values(b)[k], v)
    held = a.state_dict()
    assert held["0.weight"].array is a[0].weight.array
    assert held["0.weight"].requires_grad is False
    assert a.state_dict(keep_vars=True)["0.weight"] is a[0].weight
    assert repr(b.load_state_dict(held)) == "<All keys matched successfully>"


def test_torch_and_numpy_states_load():
    theirs = torch.nn.Sequential(
        torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1, bias=False)
    )
    m = net()
    m.load_state_dict(theirs.state_dict())
    assert np.array_equal(m[0].weight.detach().numpy(), theirs[0].weight.detach().numpy())
    m.load_state_dict({k: v.numpy() * 2 for k, v in theirs.state_dict().items()})
    assert np.array_equal(m[0].weight.detach().numpy(), theirs[0].weight.detach().numpy() * 2)


def test_errors_list_everything_and_change_nothing():
    m = net()
    before = values(m)
    bad = {k: v + 1 for k, v in m.state_dict().items()}
    del bad["1.running_var"], bad["2.weight"]
    bad["0.weight"] = wb.zeros(4, 4)
    bad["0.bias"] = "words"
    bad["9.extra"] = wb.zeros(1)
    with pytest.raises(RuntimeError) as error:
        m.load_state_dict(bad)
    text = str(error.value)
    for part in (
        "Error(s) in loading state_dict for Sequential:",
        'Missing key(s) in state_dict: "1.running_var", "2.weight". ',
        'Unexpected key(s) in state_dict: "9.extra". ',
        "size mismatch for 0.weight: copying a param with shape",
        '"0.bias", expected a tensor',
    ):
        assert part in text
    assert text.index("Missing") < text.index("Unexpected") < text.index("size mismatch")
    for k, v in values(m).items():
        assert np.array_equal(before[k], v)
    with pytest.raises(RuntimeError, match="size mismatch"):
        m.load_state_dict({"0.weight": wb.zeros(4, 4)}, strict=False)


def test_not_strict_reports():
    m = net()
    outcome = m.load_state_dict({"0.bias": wb.ones(3), "z": wb.ones(1)}, strict=False)
    assert outcome.unexpected_keys == ["z"]
    assert outcome.missing_keys[0] == "0.weight"
    assert m[0].bias.tolist() == [1, 1, 1]


def test_loading_counts_as_a_write():
    m = nn.Linear(2, 2)
    x = wb.randn(1, 2, requires_grad=True)
    out = m(x).sum()
    m.load_state_dict(nn.Linear(2, 2).state_dict())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_assign_takes_the_tensors_themselves():
    m = nn.Linear(2, 2)
    weight = wb.zeros(2, 2, dtype=wb.float64)
    m.load_state_dict({"weight": weight, "bias": nn.Parameter(wb.ones(2))}, assign=True)
    assert m.weight.array is weight.array
    assert isinstance(m.weight, nn.Parameter)
    assert m.weight.dtype is wb.float64


def test_tied_weights_appear_twice():
    m = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    m[1].weight = m[0].weight
    assert list(m.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert len(list(m.parameters())) == 3


def test_extra_state_and_hooks():
    class Counting(nn.Linear):
        seen = 0

        def get_extra_state(self):
            return {"seen": self.seen}

        def set_extra_state(self, state):
            self.seen = state["seen"]

    a, b = Counting(1, 1), Counting(1, 1)
    a.seen = 5
    held = a.state_dict()
    assert list(held) == ["weight", "bias", "_extra_state"]
    b.load_state_dict(held)
    assert b.seen == 5

    renamed = {"w": held["weight"], "bias": held["bias"], "_extra_state": {"seen": 1}}
    calls = []

    def rename(module, state, prefix, *rest):
        state["weight"] = state.pop("w")

    handle = b.register_load_state_dict_pre_hook(rename)
    b.register_load_state_dict_post_hook(lambda m, keys: calls.append(keys.missing_keys))
    b.load_state_dict(renamed)
    assert "w" in renamed
    assert calls == [[]]
    handle.remove()
    with pytest.raises(RuntimeError, match="Missing"):
        b.load_state_dict(renamed)
    b.register_state_dict_post_hook(lambda m, state, prefix, meta: state.pop("bias"))
    assert "bias" not in b.state_dict()


def test_dtype_is_kept_and_zero_dimensional_values_load():
    m = nn.BatchNorm1d(2).half()
    state = {k: v.float() for k, v in m.state_dict().items()}
    state["num_batches_tracked"] = wb.tensor([4])
    m.load_state_dict(state)
    assert m.weight.dtype is wb.float16
    assert m.num_batches_tracked.item() == 4
