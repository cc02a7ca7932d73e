import pytest

from workbench import nn
from workbench.network import EditError, EditTypeError, Network, UnknownLayerError

SCRIPT = "<script>alert('x')</script>"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "cannot be empty"),
        ("  ", "cannot be empty"),
        ("a.b", "has a dot"),
        ("x" * 81, "at most 80"),
        ("input", "belongs to the input"),
        ("forward", "attribute of the network"),
        ("training", "attribute of the network"),
        ("insert", "attribute of the network"),
        ("_state", "attribute of the network"),
        ("n7", "looks like a layer's id"),
        ("fc1", "already a layer"),
        ("a\nb", "cannot be printed"),
    ],
)
def test_refused_names(make, snapshot, name, words):
    net = make("mlp")
    before = snapshot(net)
    with pytest.raises(EditError, match=words):
        net.append(nn.ReLU(), name=name)
    with pytest.raises(EditError, match=words):
        net.rename("fc2", name)
    assert snapshot(net) == before


@pytest.mark.parametrize("name", [3, b"x", ["a"]])
def test_names_are_text(make, name):
    with pytest.raises(EditTypeError, match="text"):
        make("mlp").append(nn.ReLU(), name=name)


@pytest.mark.parametrize(
    "name", [SCRIPT, 'a "quoted" name', "naïve größe", "class", "__x", "ﬁ", "1"]
)
def test_odd_names_are_harmless_text(make, weights, name):
    net = make("mlp")
    net.rename("fc1", name)
    assert net[name] is net.layers[name].module
    assert net.graph()["nodes"][1]["name"] == name
    assert f"{name}.weight" in net.state_dict()
    assert repr(name) in net.log[-1].code
    assert name in net.summary()
    scope = {}
    exec(net.code(), scope)
    scope["model"].load_state_dict(net.state_dict())
    net.rewire("fc2", ["relu1"])
    net.undo()
    net.undo()
    assert "fc1.weight" in net.state_dict()


def test_default_names():
    net = Network((1, 8, 8))
    for layer in (
        nn.Conv2d(1, 2, 3),
        nn.ReLU(),
        nn.Conv2d(2, 2, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8, 3),
    ):
        net.append(layer)
    assert list(net.layers) == ["conv1", "relu1", "conv2", "relu2", "pool1", "flatten1", "fc1"]


def test_unknown_names_list_similar_ones(make):
    net = make("mlp")
    with pytest.raises(UnknownLayerError, match=r'no layer "cf1".*Fix: .*\'fc1\'') as caught:
        net.remove("cf1")
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(KeyError, match="'relu1'"):
        net["ReLU1"]
    with pytest.raises(EditError, match="not a layer"):
        net.remove("input")
    with pytest.raises(EditTypeError, match="name or id"):
        net.remove(2)


def test_a_removed_layer_says_when(make):
    net = make("mlp")
    net.remove("relu1")
    with pytest.raises(
        UnknownLayerError, match=r"no longer in the network: it was removed \(edit 5"
    ):
        net.freeze("relu1")
    with pytest.raises(UnknownLayerError, match="it was removed"):
        net.freeze("n3")
    net.undo()
    net.freeze("relu1")
    net.append(nn.Tanh(), name="end")
    net.undo()
    with pytest.raises(UnknownLayerError, match="was undone"):
        net.remove("end")
    net.rename("fc1", "first")
    with pytest.raises(UnknownLayerError, match='renamed to "first"'):
        net.remove("fc1")


def test_names_and_ids_both_work(make):
    net = make("mlp")
    assert net["n2"] is net["fc1"]
    code = net.insert(nn.Tanh(), after="n2").code
    assert code == "net.insert(nn.Tanh(), after='fc1', name='tanh1')"
