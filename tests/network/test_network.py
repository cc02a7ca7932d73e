import copy
import gc
import pickle
import threading
import warnings
import weakref

import pytest

import workbench as wb
from workbench import nn
from workbench.network import Add, EditError, Insert, LayerSpec, Network, Remove, Replace


def test_it_is_a_module_like_any_other(make):
    net = make("cnn")
    plain = nn.Sequential(*net.children())
    x = wb.randn(3, 1, 8, 8)
    net.eval()
    assert (net(x) - plain(x)).abs().max().item() == 0
    assert [n for n, _ in net.named_children()] == list(net.layers)
    assert list(net.state_dict())[:2] == ["conv1.weight", "conv1.bias"]
    assert net.apply(lambda m: None) is net
    assert net.conv1 is net["conv1"]
    seen = []
    handle = net.register_forward_hook(lambda m, a, o: seen.append(o))
    net(x)
    handle.remove()
    assert len(seen) == 1
    assert len(net) == 6
    assert "conv1" in net
    assert "n1" in net
    assert 3 not in net


@pytest.mark.parametrize("shape", [(), (1, 8, 8), 5, [3, 4]])
def test_input_shapes(shape):
    net = Network(shape)
    x = wb.randn(2, *net.input_shape)
    assert net(x) is x


@pytest.mark.parametrize(
    ("shape", "error"),
    [
        ((0, 3), ValueError),
        ((-1,), ValueError),
        ("abc", TypeError),
        ((2.5,), TypeError),
        (None, TypeError),
    ],
)
def test_bad_input_shapes(shape, error):
    with pytest.raises(error, match="input_shape"):
        Network(shape)


def test_other_bad_settings():
    with pytest.raises(TypeError, match="name is text"):
        Network((3,), name=3)
    with pytest.raises(TypeError, match="dtype"):
        Network((3,), dtype="float32")


def test_an_error_in_forward_names_the_layer(make):
    net = make("mlp")
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the engine raises
        net(wb.randn(2, 3))
    assert any('in layer "fc1", nn.Linear(16, 12)' in note for note in caught.value.__notes__)
    net = make("residual")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        net(wb.randn(2, 3))
    assert 'in layer "fc1"' in caught.value.__notes__[0]


def test_looking_changes_nothing(make, snapshot, train):
    net = make("cnn")
    net.insert(nn.Dropout(), after="relu1")
    optimizer = wb.optim.Adam(net.parameters())
    net.track(optimizer)
    train(net, optimizer)
    net["norm1"].eval()
    calls = []
    net["conv1"].register_forward_hook(lambda *a: calls.append(1))
    before = snapshot(net, optimizer)
    wb.manual_seed(3)
    expected = wb.rand(2).tolist()
    wb.manual_seed(3)
    net.summary(), net.graph(), net.code(), repr(net), net.layers, str(net)
    probe = wb.randn(4, 1, 8, 8, generator=wb.Generator().manual_seed(0))
    net.preview(identity_after("conv1"), probe=probe)
    net.check(identity_after("relu1"))
    assert wb.rand(2).tolist() == expected
    net.activations(wb.randn(2, 1, 8, 8))
    net.copy()
    assert calls == []
    assert snapshot(net, optimizer) == before


def identity_after(after):
    return Insert(LayerSpec("Identity"), after=after)


def test_activations_match_forward_in_training_mode(make):
    net = make("cnn")
    x = wb.randn(4, 1, 8, 8)
    got = net.activations(x)
    assert (got["n6"] - net(x)).abs().max().item() == 0
    got["n6"].sum().backward()
    assert net["conv1"].weight.grad is not None


def test_preview(make):
    net = make("mlp")
    probe = wb.randn(5, 1, 4, 4)
    same = net.preview(Insert(LayerSpec("Identity"), after="fc1"), probe=probe)
    assert same.delta == 0
    assert same.shapes == {"n5": (12,)}
    assert same.parameters == (269, 269)
    tanh = net.preview(Insert(LayerSpec("Tanh"), after="fc1"), probe=probe)
    assert tanh.delta > 0
    assert "insert tanh1 (Tanh) after fc1" in str(tanh)
    wide = net.preview(
        Replace("fc1", LayerSpec("Linear", {"out_features": 24}), adapt=True), probe=probe
    )
    assert wide.parameters == (269, 24 * 17 + 25 * 5)
    assert wide.flops[1] > wide.flops[0]
    assert wide.memory[1] > wide.memory[0]
    assert wide.to_dict()["shapes"] == {"n2": [24], "n3": [24]}
    assert wide.to_dict()["ok"]
    assert wide.delta > 0
    kept = net.preview(Replace("fc1", LayerSpec("Linear", {"out_features": 12})), probe=probe)
    assert kept.kept == ("fc1",)
    assert kept.delta == 0
    assert net.preview(Remove("fc2"), probe=probe).delta is None
    with pytest.raises(EditError):
        net.preview(Remove("fc1"))
    lazy = net.preview(Insert(nn.LazyLinear(12), after="fc1", seed=1), probe=probe)
    assert lazy.parameters == (269, 269 + 12 * 13)
    assert net.version == 4


def test_copy(make, train, weights):
    for kind in ("mlp", "cnn", "residual"):
        net = make(kind)
        optimizer = wb.optim.Adam(net.parameters())
        train(net, optimizer)
        calls = []
        net["fc1"].register_forward_hook(lambda *a, calls=calls: calls.append(1))
        twins = [net.copy(), copy.deepcopy(net)]
        held = weights(net)
        x = wb.randn(2, *net.input_shape)
        net.eval()
        for twin in twins:
            twin.eval()
            assert weights(twin) == held
            assert (twin(x) - net(x)).abs().max().item() == 0
            assert [n["id"] for n in twin.graph()["nodes"]] == [
                n["id"] for n in net.graph()["nodes"]
            ]
            assert not {id(p) for p in twin.parameters()} & {id(p) for p in net.parameters()}
            assert not twin.can_undo
        calls.clear()
        twins[0](x)
        assert calls == []
        train(twins[0].train(), wb.optim.Adam(twins[0].parameters()))
        assert weights(net) == held
        assert twins[1].append(nn.Identity()).id not in [n["id"] for n in net.graph()["nodes"]]


def test_shared_parameters_stay_shared_in_a_copy():
    net = Network((4,))
    a, b = nn.Linear(4, 4), nn.Linear(4, 4)
    b.weight = a.weight
    net.append(a)
    net.append(b)
    twin = net.copy()
    assert twin["fc1"].weight is twin["fc2"].weight
    optimizer = wb.optim.Adam(net.parameters())
    net.track(optimizer)
    net.remove("fc2")
    assert any(p is a.weight for p in optimizer.param_groups[0]["params"])
    net.undo()
    assert len(optimizer.param_groups[0]["params"]) == 3


def test_a_network_inside_a_network(make):
    inner = Network((12,), name="inner")
    inner.append(nn.Linear(12, 12))
    inner.append(Add(), inputs=["fc1", "input"])
    net = make("mlp")
    net.insert(inner, after="relu1", name="block")
    x = wb.randn(2, 1, 4, 4)
    twin = net.copy()
    assert (twin(x) - net(x)).abs().max().item() == 0
    assert twin["block"]["fc1"] is not inner["fc1"]
    net.activations(x)
    assert "block.fc1.weight" in net.state_dict()


def test_pickle_is_refused_with_a_way_out(make):
    with pytest.raises(TypeError, match="state_dict"):
        pickle.dumps(make("mlp"))


def test_converting_a_network_then_editing_it(make):
    net = make("mlp").double()
    net.append(LayerSpec("Linear", {"out_features": 3}))
    assert net["fc3"].weight.dtype is wb.float64
    assert tuple(net(wb.randn(2, 1, 4, 4, dtype=wb.float64)).shape) == (2, 3)
    net.undo()
    net.remove("fc2")
    net.float()
    net.undo()
    assert net["fc2"].weight.dtype is wb.float32
    net(wb.randn(2, 1, 4, 4))


def test_integer_inputs():
    net = Network((7,), dtype=wb.int64)
    with pytest.raises(EditError, match=r"holds int64.*Embedding"):
        net.append(nn.Linear(7, 3))
    net.append(LayerSpec("Embedding", {"num_embeddings": 10, "embedding_dim": 4}))
    net.append(nn.Flatten())
    net.append(LayerSpec("Linear", {"out_features": 2}))
    assert net["fc1"].in_features == 28
    assert net.graph()["input"]["dtype"] == "int64"
    with pytest.raises(EditError, match="holds floats"):
        net.append(nn.Embedding(3, 3))


def test_new_layers_follow_the_mode(make):
    net = make("mlp").eval()
    net.append(nn.Dropout())
    assert not net["drop1"].training
    net.train()
    assert net["drop1"].training


def test_gate_and_detach(make):
    net = make("mlp")
    seen = []

    def gate(fn):
        seen.append("in")
        try:
            return fn()
        finally:
            seen.append("out")

    detach = net.attach(gate, step=lambda: 17)
    result = net.append(nn.Tanh())
    assert seen == ["in", "out"]
    assert result.entry.step == 17
    with pytest.raises(EditError):
        net.remove("nothing")
    net.undo()
    net.redo()
    assert seen == ["in", "out"] * 4
    net.check(result.edit.__class__(nn.ReLU()))
    assert len(seen) == 8
    detach()
    detach()
    net.undo()
    assert len(seen) == 8


def test_events(make):
    net = make("mlp")
    events = []
    unsubscribe = net.subscribe(events.append)
    net.append(nn.Linear(5, 5))
    net.undo()
    net.redo()
    net.remove("fc2", adapt=True)
    assert [e.kind for e in events] == ["edited", "undone", "redone", "edited"]
    assert [(len(e.added), len(e.removed)) for e in events] == [(2, 0), (0, 2), (2, 0), (2, 4)]
    assert events[0].entry is net.log[4]
    unsubscribe()
    unsubscribe()
    net.undo()
    assert len(events) == 4
    with pytest.raises(TypeError):
        net.subscribe(3)


def test_a_raising_listener_is_dropped_and_the_edit_stands(make):
    net = make("mlp")

    def bad(event):
        raise ValueError("oops")

    net.subscribe(bad)
    with pytest.warns(RuntimeWarning, match="dropped.*oops"):
        net.append(nn.Tanh(), name="end")
    assert "end" in net
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.undo()


def test_history_has_two_ends(make):
    net = make("mlp")
    for _ in range(4):
        net.undo()
    with pytest.raises(EditError, match="nothing to undo"):
        net.undo()
    for _ in range(4):
        net.redo()
    with pytest.raises(EditError, match="nothing to redo"):
        net.redo()
    net.undo()
    net.append(nn.Identity())
    assert not net.can_redo
    assert [e.state for e in net.log] == ["applied"] * 3 + ["undone", "applied"]
    assert net.log[-1].edit.id == "n5"


def test_threads_can_edit_and_look_at_once(make):
    net = make("mlp")
    x = wb.randn(4, 1, 4, 4)
    errors = []

    def edit(k):
        try:
            for i in range(12):
                net.insert(nn.Identity(), after="fc1", name=f"t{k}_{i}")
                net.graph(), net.layers
                net(x)
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=edit, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert errors == []
    assert len(net) == 4 + 48
    assert net.version == 4 + 48
    for _ in range(48):
        net.undo()
    assert list(net.layers) == ["flatten", "fc1", "relu1", "fc2"]


def test_nothing_leaks(make):
    net = make("mlp")
    optimizer = wb.optim.Adam(net.parameters())
    net.track(optimizer)
    net.append(nn.Linear(5, 5))
    refs = [weakref.ref(net), weakref.ref(net["fc1"]), weakref.ref(optimizer)]
    del net, optimizer
    gc.collect()
    assert [r() for r in refs] == [None] * 3


def test_repr_and_summary_are_stable(make):
    net = make("residual")
    assert repr(net) == repr(make("residual"))
    assert "← fc2, fc1" in repr(net)
    text = net.summary()
    assert "residual: 5 layers, 105 parameters" in text
    assert all(len(line) < 120 for line in text.splitlines())
    assert repr(Network((3,))) == "Network('network', input_shape=(3,))"


def test_a_subclass_may_have_members_of_its_own():
    class Scaled(Network):
        def __init__(self):
            super().__init__((3,))
            self.scale = nn.Parameter(wb.ones(1))
            self.append(nn.Linear(3, 3), name="fc1")

        def forward(self, x):
            return super().forward(x) * self.scale

    net = Scaled()
    net.append(nn.ReLU())
    net.undo()
    assert sorted(net.state_dict()) == ["fc1.bias", "fc1.weight", "scale"]
    assert len(list(net.parameters())) == 3
    with pytest.raises(EditError, match="attribute of the network"):
        net.append(nn.ReLU(), name="scale")
    net(wb.ones(2, 3)).sum().backward()
    assert net.scale.grad is not None


def test_a_layer_of_another_dtype(make):
    net = Network((4,), dtype=wb.float64)
    with pytest.raises(
        EditError, match=r"wants float32: its input holds float64.*dtype=wb.float64"
    ):
        net.append(nn.Linear(4, 4))
    net.append(nn.Linear(4, 4, dtype=wb.float64))
    net.append(LayerSpec("Linear", {"out_features": 2}))
    assert "dtype=wb.float64" in net.code()
    assert net(wb.zeros(1, 4, dtype=wb.float64)).dtype is wb.float64
    again = Network((4,), dtype=wb.float64)
    exec(net.log[-1].code, {"net": again, "nn": nn, "wb": wb})
    assert again["fc2"].weight.tolist() == net["fc2"].weight.tolist()
