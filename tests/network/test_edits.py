import json

import pytest

import workbench as wb
from workbench import nn
from workbench.network import (
    Add,
    Concat,
    Edit,
    EditError,
    EditTypeError,
    Freeze,
    Insert,
    LayerSpec,
    Network,
    Remove,
    Rename,
    Replace,
    Rewire,
    replay,
)


def test_append_and_insert(make):
    net = make("mlp")
    result = net.insert(nn.Tanh(), after="fc1")
    assert (result.name, result.id) == ("tanh1", "n5")
    assert list(net.layers) == ["flatten", "fc1", "tanh1", "relu1", "fc2"]
    assert net.layer("relu1").inputs == ("n5",)
    net.insert(nn.Identity(), before="flatten", name="first")
    assert next(iter(net.layers)) == "first"
    net.insert(nn.Identity(), after="input", name="zeroth")
    assert list(net.layers)[:2] == ["zeroth", "first"]
    net.append(nn.Softmax(dim=1))
    assert net.output_shape == (5,)
    assert net.version == len(net.log) == 8
    assert [e.seq for e in net.log] == list(range(1, 9))
    assert repr(net.undo()) == (
        "edit 8 (undone): append softmax1 (Softmax): net.append(nn.Softmax(dim=1), name='softmax1')"
    )
    with pytest.raises(TypeError, match=r"after=.* or before="):
        net.insert(nn.ReLU())


def test_an_identity_keeps_the_function(make, train, bits):
    for kind in ("mlp", "cnn", "residual"):
        net = make(kind)
        train(net, wb.optim.Adam(net.parameters(), lr=1e-2))
        x = wb.randn(4, *net.input_shape)
        net.eval()
        before = bits(net(x))
        for name in list(net.layers):
            net.insert(nn.Identity(), after=name)
            assert bits(net(x)) == before
        net.insert(Add(), after="fc1")
        assert bits(net(x)) == before


def test_insert_on_one_connection(make):
    net = make("residual")
    net.insert(nn.Tanh(), after="fc1", before="add1", name="act")
    assert net.layer("add1").inputs == ("n3", "n6")
    assert net.layer("relu1").inputs == ("n1",)
    with pytest.raises(EditError, match=r"reads several layers.*Fix: after='fc2', before='add1'"):
        net.insert(nn.Tanh(), before="add1")
    with pytest.raises(EditError, match='"head" does not read "fc1" but "add1"'):
        net.insert(nn.Tanh(), after="fc1", before="head")


def test_joins_and_rewiring(make):
    net = make("mlp")
    net.insert(nn.Linear(12, 12), after="relu1", name="wide")
    net.insert(Add(), after="wide", name="add")
    assert net.code().count("nn.Sequential") == 1
    net.rewire("add", ["wide", "relu1"])
    x = wb.randn(2, 1, 4, 4)
    a = net.activations(x)
    assert set(a) == {f"n{i}" for i in range(1, 7)}
    expected = a["n5"] + a["n3"]
    assert (a["n6"] - expected).abs().max().item() == 0
    assert (net(x) - a["n4"]).abs().max().item() == 0
    net.insert(Concat(), after="add", name="both")
    with pytest.raises(EditError, match=r'"fc2" .*gets \(N, 24\) and wants \(N, 12\).*adapt=True'):
        net.rewire("both", ["add", "wide"])
    net.rewire("both", ["add", "wide"], adapt=True)
    assert net["fc2"].in_features == 24
    net.undo()
    assert net["fc2"].in_features == 12


def test_rewire_refuses_cycles_and_wrong_numbers(make, snapshot):
    net = make("residual")
    before = snapshot(net)
    with pytest.raises(EditError, match='"fc1" cannot read "add1", which is computed from it'):
        net.rewire("fc1", ["add1"])
    with pytest.raises(EditError, match="cannot read itself"):
        net.rewire("fc1", ["fc1"])
    with pytest.raises(EditError, match="takes 1 input, not 2"):
        net.rewire("head", ["add1", "fc1"])
    with pytest.raises(EditError, match="at least one"):
        net.rewire("head", [])
    with pytest.raises(EditTypeError, match="inputs is a list"):
        net.rewire("head", "fc1")
    with pytest.raises(EditError, match="a cycle"):
        net.insert(Add(), after="fc1", inputs=["fc1", "relu1"])
    assert snapshot(net) == before


def test_dead_ends_stay_but_are_not_computed(make):
    net = make("residual")
    result = net.rewire("head", ["fc1"])
    assert any("not reach the output" in line for line in result.changes)
    x = wb.randn(2, 6)
    net(x).sum().backward()
    assert net["fc2"].weight.grad is None
    assert "fc2.weight" in net.state_dict()
    assert "n3" in net.activations(x)
    assert [n["live"] for n in net.graph()["nodes"]] == [True, False, False, False, True]
    assert "(not computed)" in net.summary()


def test_remove(make):
    net = make("residual")
    relu = net["relu1"]
    net.remove("relu1")
    assert net.layer("fc2").inputs == ("n1",)
    assert "relu1" not in net
    net.remove("add1")
    assert net.layer("head").inputs == ("n3",)
    net.remove("head")
    assert net.output_shape == (6,)
    for _ in range(3):
        net.undo()
    assert net["relu1"] is relu
    assert net.layer("add1").inputs == ("n3", "n1")


def test_removing_everything_leaves_the_identity(make):
    net = make("mlp")
    for name in reversed(list(net.layers)):
        net.remove(name)
    x = wb.randn(2, 1, 4, 4)
    assert net(x) is x
    assert net.code().endswith("model = nn.Sequential()\n")
    assert len(net) == 0
    assert net


def test_replace_keeps_equal_shapes(make, train, optimizer_snapshot, bits):
    net = make("cnn")
    optimizer = wb.optim.Adam(net.parameters())
    net.track(optimizer)
    train(net, optimizer)
    weight, moments = net["conv1"].weight, optimizer_snapshot(optimizer)
    result = net.replace("conv1", nn.Conv2d(1, 4, 3, padding=1, padding_mode="circular"))
    assert result.kept == ("conv1",)
    assert net["conv1"].weight is weight
    assert optimizer_snapshot(optimizer) == moments
    assert net.replace("norm1", nn.BatchNorm2d(4, momentum=0.5)).kept == ("norm1",)
    train(net, optimizer)
    mean = bits(net["norm1"].running_mean)
    net.undo()
    assert net["norm1"].momentum == 0.1
    assert bits(net["norm1"].running_mean) == mean
    assert net.replace("fc1", nn.Linear(64, 10), keep=False).kept == ()
    assert net.replace("fc1", nn.Linear(64, 10), seed=3).kept == ()


def test_replace_by_other_shapes_starts_anew(make, train):
    net = make("mlp")
    optimizer = wb.optim.Adam(net.parameters())
    net.track(optimizer)
    train(net, optimizer)
    with pytest.raises(EditError, match=r'"fc2" \(Linear\(12, 5\)\) cannot take the new') as e:
        net.replace("fc1", nn.Linear(16, 20))
    assert e.value.layer == "fc2"
    assert e.value.got == "(N, 20)"
    assert e.value.wanted == "(N, 12)"
    assert "net.replace('fc2', nn.Linear(20, 5))" in e.value.fix
    result = net.replace("fc1", nn.Linear(16, 20), adapt=True)
    assert any("fc2: becomes nn.Linear(20, 5)" in line for line in result.changes)
    assert {id(p) for p in optimizer.param_groups[0]["params"]} == {id(p) for p in net.parameters()}
    train(net, optimizer)


def test_freeze(make, train, bits):
    net = make("mlp")
    optimizer = wb.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net.track(optimizer)
    train(net, optimizer)
    loss = net(wb.randn(2, 1, 4, 4)).sum()
    loss.backward()
    net.freeze("fc1")
    assert net.layers["fc1"].frozen
    held = bits(net["fc1"].weight)
    optimizer.step()
    train(net, optimizer)
    assert bits(net["fc1"].weight) == held
    assert "frozen" in net.summary()
    net.unfreeze("fc1")
    train(net, optimizer)
    assert bits(net["fc1"].weight) != held
    net.undo()
    assert net.layers["fc1"].frozen
    net.undo()
    assert not net.layers["fc1"].frozen
    assert "no parameters" in net.freeze("relu1").changes[0]


def test_unfrozen_parameters_join_the_optimizer(make):
    net = make("mlp")
    net.freeze("fc1")
    optimizer = wb.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    net.track(optimizer)
    net.unfreeze("fc1")
    assert len(optimizer.param_groups[0]["params"]) == 4
    net.undo()
    assert len(optimizer.param_groups[0]["params"]) == 2
    net.redo()
    assert len(optimizer.param_groups[0]["params"]) == 4


def test_rename_changes_keys_only(make, weights):
    net = make("mlp")
    before = weights(net)
    net.rename("fc1", "first")
    assert [k.replace("first", "fc1") for k in weights(net)] == list(before)
    with pytest.raises(EditError, match="already called"):
        net.rename("first", "first")


def test_lazy_layers_learn_their_shape():
    net = Network((1, 8, 8))
    net.append(nn.LazyConv2d(4, 3))
    net.append(nn.Flatten())
    layer = nn.LazyLinear(5)
    assert "nn.LazyLinear(5)" in net.append(layer, seed=3).code
    assert net["fc1"] is layer
    assert type(layer) is nn.Linear
    assert layer.in_features == 144
    refused = nn.LazyLinear(5)
    with pytest.raises(EditError):
        net.insert(refused, after="fc1", before="fc1")
    with pytest.raises(EditError):
        net.replace("conv1", nn.LazyLinear(3))
    assert type(refused) is nn.LazyLinear


def test_modules_of_ones_own():
    class Twice(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.n = n
            self.inner = nn.Linear(n, n)

        def forward(self, x):
            return self.inner(self.inner(x))

    class Pair(nn.Module):
        def forward(self, a, b):
            return a * b

    net = Network((3,))
    net.append(Twice(3))
    assert net.layers["twice1"].family == "Custom"
    node = net.graph()["nodes"][0]
    assert not node["configurable"]
    assert node["args"] == {}
    assert node["flops"] == 2 * (2 * 9 + 3)
    assert net.log[-1].code == "net.append(Twice(3), name='twice1')"
    with pytest.raises(EditError, match="takes 2 inputs, not 1"):
        net.append(Pair())
    net.append(Pair(), inputs=["twice1", "input"])
    assert tuple(net(wb.ones(2, 3)).shape) == (2, 3)
    with pytest.raises(EditError, match="not in the palette"):
        net.log[0].edit.to_dict()


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("ReLU", r"text, not a layer.*Fix: nn.ReLU\(…\)"),
        (nn.ReLU, r"is a class.*Fix: nn.ReLU\(\)"),
        (5, "got int"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_layer(make, layer, words):
    with pytest.raises(EditTypeError, match=words) as caught:
        make("mlp").append(layer)
    assert isinstance(caught.value, TypeError)


def test_layers_that_break_the_rules(make, snapshot):
    class Tuple(nn.Module):
        def forward(self, x):
            return x, x

    class Mixes(nn.Module):
        def forward(self, x):
            return x.reshape(-1)

    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("no idea")

    net = make("mlp")
    before = snapshot(net)
    for layer, words in (
        (Tuple(), "returns a tuple"),
        (Mixes(), "does not keep the batch"),
        (Broken(), r'layer "broken1" \(Broken\(\)\) fails on .*RuntimeError: no idea'),
        (nn.Flatten(0), "does not keep the batch.*start_dim=1"),
        (net, "layer of itself"),
        (net["fc1"], 'already in the network, as layer "fc1"'),
    ):
        with pytest.raises(EditError, match=words):
            net.append(layer)
    assert snapshot(net) == before


EDITS = [
    Insert(LayerSpec("ReLU"), after="fc1"),
    Insert(LayerSpec("Linear", {"out_features": 12}), before="fc2", name="new", seed=4),
    Insert(LayerSpec("Dropout", {"p": 0.1})),
    Remove("relu1"),
    Replace("fc1", LayerSpec("Linear", {"out_features": 12})),
    Replace("fc1", LayerSpec("Linear", {"out_features": 30}), adapt=True),
    Replace("fc1", LayerSpec("Linear", {"out_features": 12}), keep=False),
    Rename("fc1", "<b>"),
    Freeze("fc1"),
    Freeze("fc1", False),
    Rewire("fc2", ("relu1",)),
]


@pytest.mark.parametrize("edit", EDITS, ids=lambda e: e.label)
def test_every_edit_round_trips_through_json_and_python(make, weights, edit):
    again = Edit.from_dict(json.loads(json.dumps(edit.to_dict())))
    assert again == edit
    nets = [make("mlp") for _ in range(4)]
    for net in nets[1:]:
        net.load_state_dict(nets[0].state_dict())
    net, by_json, by_code, by_preview = nets
    result = net.apply(edit)
    by_json.apply(Edit.from_dict(json.loads(json.dumps(result.edit.to_dict()))))
    exec(result.code, {"net": by_code, "nn": nn, "wb": wb})
    by_preview.apply(by_preview.preview(edit).edit)
    for other in (by_json, by_code, by_preview):
        assert weights(other) == weights(net)
        assert other.graph() == net.graph()
        assert other.log[-1].code == result.code


@pytest.mark.parametrize(
    ("description", "words"),
    [
        (None, "an edit is an object"),
        ({}, "there is no edit None"),
        ({"op": "removed"}, 'Fix: "op": "remove"'),
        ({"op": "remove"}, "needs the field 'layer'"),
        ({"op": "remove", "layer": "n1", "colour": 1}, "no field 'colour'"),
        ({"op": "append", "layer": {"args": {}}}, "needs a type"),
        ({"op": "append", "layer": "ReLU"}, "described by an object"),
        (
            {"op": "append", "layer": {"type": "Linear", "args": {"out_features": 0}}},
            "out_features",
        ),
    ],
)
def test_bad_descriptions(description, words):
    with pytest.raises(EditError, match=words):
        Edit.from_dict(description)


@pytest.mark.parametrize(
    "description",
    [
        {"op": "remove", "layer": 3},
        {"op": "remove", "layer": ["n1"]},
        {"op": "freeze", "layer": "n1", "frozen": "yes"},
        {"op": "rewire", "layer": "n2", "inputs": "n1"},
        {"op": "rewire", "layer": "n2", "inputs": [1]},
        {"op": "rename", "layer": "n1", "name": 5},
        {"op": "append", "layer": {"type": "ReLU"}, "seed": "one"},
        {"op": "append", "layer": {"type": "ReLU"}, "seed": -1},
        {"op": "append", "layer": {"type": "ReLU"}, "name": 1},
        {"op": "append", "layer": {"type": "ReLU"}, "id": "n1"},
        {"op": "append", "layer": {"type": "ReLU"}, "id": "x"},
        {"op": "insert", "layer": {"type": "ReLU"}, "after": 7},
        {"op": "insert", "layer": {"type": "ReLU"}, "adapt": "yes"},
    ],
)
def test_bad_values_in_descriptions_change_nothing(make, snapshot, description):
    net = make("mlp")
    before = snapshot(net)
    with pytest.raises(EditError):
        net.apply(Edit.from_dict(description))
    assert snapshot(net) == before


def test_the_log_replays_to_equal_bits(weights):
    net = Network((1, 8, 8), seed=5)
    for spec in (
        LayerSpec("Conv2d", {"out_channels": 4, "kernel_size": 3}),
        LayerSpec("BatchNorm2d"),
        LayerSpec("ReLU"),
        LayerSpec("Flatten"),
        LayerSpec("Linear", {"out_features": 10}),
    ):
        net.append(spec)
    net.insert(LayerSpec("ReLU"), after="norm1")
    net.undo()
    net.insert(LayerSpec("Dropout", {"p": 0.2}), after="relu1")
    net.replace("conv1", LayerSpec("Conv2d", {"out_channels": 8, "kernel_size": 3}), adapt=True)
    net.rename("fc1", "head")
    net.freeze("head")
    again = Network((1, 8, 8), seed=99)
    applied = [e.edit.to_dict() for e in net.log if e.state == "applied"]
    replay(again, json.loads(json.dumps(applied)))
    assert weights(again) == weights(net)
    assert again.graph()["nodes"] == net.graph()["nodes"]
    by_code = Network((1, 8, 8), seed=7)
    for entry in net.log:
        if entry.state == "applied":
            exec(entry.code, {"net": by_code, "nn": nn, "wb": wb})
    assert weights(by_code) == weights(net)
    replay(by_code, [])


def test_unseeded_specs_are_drawn_from_the_network(weights):
    def build(seed):
        wb.manual_seed(seed)
        net = Network((4,))
        net.append(LayerSpec("Linear", {"out_features": 4}))
        net.append(LayerSpec("Linear", {"out_features": 4}))
        return net

    a, b, c = build(0), build(0), build(1)
    assert weights(a) == weights(b)
    assert weights(a) != weights(c)
    assert a["fc1"].weight.tolist() != a["fc2"].weight.tolist()
    wb.manual_seed(0)
    first = wb.randn(3).tolist()
    wb.manual_seed(0)
    a.append(LayerSpec("Linear", {"out_features": 4}))  # an edit must not move anybody's stream
    assert wb.randn(3).tolist() == first


def test_modules_that_cannot_be_seeded_or_prepared(make, snapshot):
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(wb.ones(1))

        def forward(self, x):
            return x * self.scale

    class Grumpy(Bare):
        def reset_parameters(self):
            raise RuntimeError("not today")

    class Moody(Bare):
        calls = 0

        def reset_parameters(self):
            type(self).calls += 1
            if type(self).calls > 1:
                raise RuntimeError("once is enough")

    net = make("mlp")
    before = snapshot(net)
    with pytest.raises(EditError, match="no reset_parameters"):
        net.append(Bare(), seed=1)
    with pytest.raises(EditError, match="failed: not today"):
        net.append(Grumpy(), seed=1)
    with pytest.raises(EditError, match="once is enough"):
        net.append(Moody(), seed=1)
    assert snapshot(net) == before
    net.append(Bare())
