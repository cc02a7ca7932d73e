"""Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict as in torch."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from torch_twins import torch

import workbench as wb


def names(m):
    return [(n, type(x).__name__) for n, x in m.named_children()]


SEQUENCES = {
    "plain": lambda nn: nn.Sequential(nn.Linear(1, 2), nn.ReLU()),
    "named": lambda nn: nn.Sequential(OrderedDict(a=nn.Linear(1, 2), b=nn.ReLU())),
    "empty": lambda nn: nn.Sequential(),
    "append": lambda nn: nn.Sequential(nn.ReLU()).append(nn.Tanh()),
    "insert": lambda nn: nn.Sequential(nn.ReLU(), nn.Tanh()).insert(1, nn.Sigmoid()),
    "insert start": lambda nn: nn.Sequential(nn.ReLU(), nn.Tanh()).insert(0, nn.Sigmoid()),
    "insert end": lambda nn: nn.Sequential(nn.ReLU(), nn.Tanh()).insert(2, nn.Sigmoid()),
    "extend": lambda nn: nn.Sequential(nn.ReLU()).extend([nn.Tanh(), nn.Sigmoid()]),
    "slice": lambda nn: nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid())[1:],
    "slice named": lambda nn: nn.Sequential(OrderedDict(a=nn.ReLU(), b=nn.Tanh()))[1:],
    "add": lambda nn: nn.Sequential(nn.ReLU()) + nn.Sequential(nn.Tanh()),
    "mul": lambda nn: nn.Sequential(nn.ReLU(), nn.Tanh()) * 2,
    "list": lambda nn: nn.ModuleList([nn.Linear(1, 2), nn.Linear(1, 2), nn.ReLU()]),
    "list empty": lambda nn: nn.ModuleList(),
    "list slice": lambda nn: nn.ModuleList([nn.ReLU(), nn.Tanh(), nn.Sigmoid()])[::2],
    "list add": lambda nn: nn.ModuleList([nn.ReLU()]) + [nn.Tanh()],  # noqa: RUF005
    "dict": lambda nn: nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()}),
    "dict pairs": lambda nn: nn.ModuleDict([("b", nn.ReLU()), ("a", nn.Tanh())]),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_made_and_printed_as_in_torch(name):
    ours, theirs = SEQUENCES[name](wb.nn), SEQUENCES[name](torch.nn)
    assert names(ours) == names(theirs)
    assert repr(ours) == repr(theirs)
    assert len(ours) == len(theirs)
    if len(ours) and not name.startswith("dict"):
        assert type(ours[-1]).__name__ == type(theirs[-1]).__name__
        assert [type(x).__name__ for x in ours] == [type(x).__name__ for x in theirs]


EDITS = {
    "del": lambda s, nn: s.__delitem__(1),
    "del slice": lambda s, nn: s.__delitem__(slice(0, 2)),
    "set": lambda s, nn: s.__setitem__(-1, nn.ELU()),
    "pop": lambda s, nn: s.pop(0),
    "insert": lambda s, nn: s.insert(1, nn.ELU()),
    "append": lambda s, nn: s.append(nn.ELU()),
}


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList"])
@pytest.mark.parametrize("edit", EDITS)
def test_edits_agree_with_torch(kind, edit):
    made = []
    for nn in (wb.nn, torch.nn):
        layers = [nn.ReLU(), nn.Tanh(), nn.Sigmoid()]
        s = nn.Sequential(*layers) if kind == "Sequential" else nn.ModuleList(layers)
        EDITS[edit](s, nn)
        made.append((names(s), repr(s)))
    assert made[0] == made[1]


def test_sequential_runs_in_order_and_shares_slices():
    nn = wb.nn
    s = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    x = wb.randn(4, 2)
    assert wb.equal(s(x), s[2](s[1](s[0](x))))
    assert s[:2][0] is s[0]
    assert nn.Sequential()(x) is x


def test_errors():
    nn = wb.nn
    s = nn.Sequential(nn.ReLU())
    for bad in (
        lambda: s[1],
        lambda: s.insert(5, nn.ReLU()),
        lambda: nn.ModuleList([nn.ReLU()])[-2],
    ):
        with pytest.raises(IndexError):
            bad()
    for bad in (
        lambda: s.append(3),
        lambda: s.insert(0, "x"),
        lambda: nn.Sequential(3),
        lambda: nn.ModuleList(3),
        lambda: nn.ModuleDict(3),
        lambda: nn.ModuleDict({"a": 3}),
        lambda: nn.ParameterList(wb.zeros(2)),
    ):
        with pytest.raises(TypeError):
            bad()
    with pytest.raises(ValueError, match="length 3"):
        nn.ModuleDict([("a", nn.ReLU(), 1)])
    with pytest.raises(KeyError):
        nn.ModuleDict()["a"]
    with pytest.raises(KeyError, match="already exists"):
        nn.ModuleDict({"forward": nn.ReLU()})
    with pytest.raises(ValueError, match="Sequential"):
        s + [nn.ReLU()]  # noqa: RUF005
    with pytest.raises(ValueError, match="Non-positive"):
        s * 0


def test_module_dict_is_a_dict():
    nn = wb.nn
    d = nn.ModuleDict({"a": nn.ReLU()})
    d["b"] = nn.Tanh()
    d.update({"a": nn.ELU()})
    assert list(d) == list(d.keys()) == ["a", "b"]
    assert [type(m).__name__ for m in d.values()] == ["ELU", "Tanh"]
    assert "a" in d
    assert type(d.pop("a")).__name__ == "ELU"
    assert list(d.items()) == [("b", d["b"])]
    d.clear()
    assert len(d) == 0


def test_parameter_containers():
    for lib, zeros in ((wb, wb.zeros), (torch, torch.zeros)):
        nn = lib.nn
        held = nn.ParameterList([nn.Parameter(zeros(2)), zeros(3)])
        held.append(zeros(1))
        held += [zeros(4)]
        held[0] = zeros(5)
        assert [tuple(p.shape) for p in held] == [(5,), (3,), (1,), (4,)]
        assert [n for n, _ in held.named_parameters()] == ["0", "1", "2", "3"]
        assert all(isinstance(p, nn.Parameter) for p in held)
        assert len(held) == 4
        named = nn.ParameterDict({"a": zeros(2)})
        named["b"] = nn.Parameter(zeros(3))
        assert list(named) == ["a", "b"]
        assert [n for n, _ in named.named_parameters()] == ["a", "b"]
        assert tuple(named.pop("a").shape) == (2,)
        assert "a" not in named
        assert named.get("zzz") is None
    ours = wb.nn.ParameterList([wb.zeros(2, 3), 3])
    theirs = torch.nn.ParameterList([torch.zeros(2, 3), 3])
    assert repr(ours).replace("workbench.", "torch.") == repr(theirs)
