import json
import warnings

import pytest

import workbench as wb
from workbench import nn
from workbench.network import EditError, LayerSpec, Network, catalogue, palette
from workbench.network.construct import expression

SHAPES = {
    "Conv1d": (2, 8),
    "Conv2d": (2, 8, 8),
    "Conv3d": (2, 4, 4, 4),
    "ConvTranspose1d": (2, 8),
    "ConvTranspose2d": (2, 8, 8),
    "ConvTranspose3d": (2, 4, 4, 4),
    **{
        f"{kind}Pool{n}d": (2, *(8,) * n)
        for n in (1, 2, 3)
        for kind in ("Max", "Avg", "AdaptiveAvg", "AdaptiveMax")
    },
    **{
        f"{kind}Pad{n}d": (2, *(8,) * n)
        for n in (1, 2)
        for kind in ("Zero", "Reflection", "Replication", "Circular", "Constant")
    },
    "Upsample": (2, 8, 8),
    "PixelShuffle": (8, 4, 4),
    "PixelUnshuffle": (2, 8, 8),
    "BatchNorm2d": (2, 8, 8),
    "BatchNorm3d": (2, 4, 4, 4),
    "InstanceNorm2d": (2, 8, 8),
    "LocalResponseNorm": (6, 8),
    **{f"Dropout{n}d": (2, *(4,) * n) for n in (1, 2, 3)},
    "Unflatten": (6,),
}
ENTRIES = list(palette.entries())


def network_for(entry):
    if entry.type == "Embedding":
        return Network((3,), dtype=wb.int64, seed=0)
    return Network(SHAPES.get(entry.type, (6,)), seed=0)


def start_arguments(entry):
    """What a form sends when nothing in it is changed."""
    return {
        p["name"]: p["default"]
        for p in entry.to_dict()["params"]
        if not p["inferred"] and p["default"] is not None
    }


def test_families():
    families = {
        f["name"]: [layer["type"] for layer in f["layers"]] for f in catalogue()["families"]
    }
    assert list(families) == [
        "Linear", "Convolution", "Pooling", "Activation", "Normalization", "Regularization",
        "Embedding", "Shape", "Join",
    ]  # fmt: skip
    assert json.loads(json.dumps(catalogue())) == catalogue()
    layers = [layer for family in catalogue()["families"] for layer in family["layers"]]
    assert {p["kind"] for layer in layers for p in layer["params"]} <= {
        "int", "float", "bool", "text", "choice", "ints",
    }  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.type)
def test_every_entry_tells_of_every_parameter(entry):
    described = entry.to_dict()
    assert described["doc"].endswith(".") or described["doc"].endswith(").")
    for param in described["params"]:
        assert param["doc"], f"{entry.type}.{param['name']} has no help"
        if param["required"] and not param["inferred"]:
            assert param["default"] is not None


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.type)
def test_every_entry_can_be_made_from_its_form(entry, weights):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = network_for(entry)
        net.append(LayerSpec(entry.type, start_arguments(entry)))
    node = net.graph()["nodes"][0]
    assert node["family"] == entry.family
    assert node["configurable"]
    module = net["n1"]
    assert type(module) is entry.cls
    # the form of the layer as it is makes an equal layer again
    again = network_for(entry)
    again.append(LayerSpec(node["type"], node["args"]))
    assert repr(again["n1"]) == repr(module)
    # and so does the printed code
    scope = {"nn": nn, "wb": wb}
    assert repr(eval(expression(module), scope)) == repr(module)
    # FLOPs are an integer, and the network computes
    assert isinstance(node["flops"], int)
    x = wb.zeros((3, *net.input_shape), dtype=getattr(wb, net.graph()["input"]["dtype"]))
    assert tuple(net(x).shape) == (3, *node["shape"])


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.type)
def test_a_seed_means_the_same_for_a_spec_and_a_module(entry, weights):
    by_spec, by_module = network_for(entry), network_for(entry)
    by_spec.append(LayerSpec(entry.type, start_arguments(entry)), seed=11)
    scope = {"nn": nn, "wb": wb}
    by_module.append(eval(expression(by_spec["n1"]), scope), seed=11)
    assert weights(by_spec) == weights(by_module)


@pytest.mark.parametrize(
    ("kind", "args", "words"),
    [
        ("Linear", {"out_features": -3}, r"Linear: out_features must be an integer between 1 and"),
        ("Linear", {"out_features": 0}, "got 0"),
        ("Linear", {"out_features": 2.5}, "got 2.5"),
        ("Linear", {"out_features": "many"}, "got 'many'"),
        ("Linear", {"out_features": True}, "got True"),
        ("Linear", {"out_features": float("nan")}, "got nan"),
        ("Linear", {"out_features": 10**12}, "between 1 and"),
        ("Linear", {"out_feature": 3}, "no parameter 'out_feature'.*Fix: out_features=3"),
        ("Linear", {"bias": 1}, "True or False"),
        ("Dropout", {"p": 1.5}, "a number between 0 and 1, got 1.5"),
        ("GELU", {"approximate": "cubic"}, "one of 'none', 'tanh'"),
        (
            "Conv2d",
            {"out_channels": 4, "kernel_size": [3, -1]},
            "kernel_size must be an integer or",
        ),
        ("Conv2d", {"out_channels": 4, "kernel_size": []}, "kernel_size"),
        ("Conv2d", {"out_channels": 4, "kernel_size": 3, "padding": "most"}, "'same' or 'valid'"),
        ("Lineer", {}, "no layer type 'Lineer'.*Fix: 'Linear'"),
        ("Flatten", {"start_dim": "a"}, "start_dim"),
        (3, {}, "text"),
        ("Linear", [1], "mapping"),
    ],
)
def test_bad_arguments_name_the_parameter_and_its_range(kind, args, words):
    with pytest.raises(EditError, match=words):
        LayerSpec(kind, args)


def test_missing_and_impossible_arguments(make, snapshot):
    net = make("cnn")
    before = snapshot(net)
    with pytest.raises(EditError, match="Linear needs out_features"):
        net.append(LayerSpec("Linear"))
    with pytest.raises(EditError, match="kernel_size may be between 1 and 10"):
        net.insert(
            LayerSpec("Conv2d", {"out_channels": 4, "kernel_size": 12, "padding": 1}),
            before="conv1",
        )
    with pytest.raises(EditError, match=r"wants images \(N, C, H, W\)"):
        net.append(LayerSpec("Conv2d", {"out_channels": 4, "kernel_size": 3}))
    with pytest.raises(EditError, match=r"wants sequences \(N, C, L\)"):
        net.append(LayerSpec("Conv1d", {"out_channels": 4, "kernel_size": 3}))
    with pytest.raises(EditError, match="output_padding 1 would add a whole step"):
        net.insert(
            LayerSpec("ConvTranspose2d", {"out_channels": 4, "kernel_size": 3, "stride": 1,
                                          "output_padding": 1}),
            after="conv1",
        )  # fmt: skip
    with pytest.raises(EditError, match="cuts more off"):
        net.insert(
            LayerSpec("ConvTranspose2d", {"out_channels": 4, "kernel_size": 1, "stride": 1,
                                          "padding": 8}),
            before="conv1",
        )  # fmt: skip
    with pytest.raises(EditError, match="more than half of kernel_size"):
        net.insert(LayerSpec("MaxPool2d", {"kernel_size": 2, "padding": 2}), after="conv1")
    with pytest.raises(EditError, match="more than the"):
        net.append(LayerSpec("Linear", {"out_features": 1_000_000, "in_features": 1_000_000}))
    with pytest.raises(EditError, match="groups"):
        net.insert(
            LayerSpec("Conv2d", {"out_channels": 4, "kernel_size": 3, "groups": 3}), after="conv1"
        )
    assert snapshot(net) == before


def test_json_numbers_are_taken_as_meant():
    assert LayerSpec("Linear", {"out_features": 64.0}).args == {"out_features": 64}
    assert LayerSpec("Conv2d", {"out_channels": 4, "kernel_size": [3.0, 3.0]}).args[
        "kernel_size"
    ] == (3, 3)
    assert LayerSpec("Linear", {"out_features": 4, "in_features": None}).args == {"out_features": 4}


def test_spec_code():
    assert LayerSpec("ReLU").code == "nn.ReLU()"
    assert LayerSpec("Dropout", {"p": 0.25}).code == "nn.Dropout(p=0.25)"
    linear = LayerSpec("Linear", {"out_features": 4, "bias": False})
    assert linear.complete((7,)).code == "nn.Linear(7, 4, bias=False)"
    assert "LayerSpec('Linear', {'out_features': 4, 'bias': False})" in linear.code
    spec = LayerSpec("Conv2d", {"kernel_size": 3, "out_channels": 8, "padding": 1})
    assert LayerSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("layer", "shape", "flops"),
    [
        (lambda: nn.Linear(64, 32), (64,), 2 * 64 * 32 + 32),
        (lambda: nn.Linear(4, 3, bias=False), (5, 4), 5 * 2 * 4 * 3),
        (lambda: nn.Conv2d(1, 4, 3), (1, 8, 8), 4 * 6 * 6 * (2 * 9 + 1)),
        (lambda: nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False), (4, 8, 8), 256 * 2 * 9 * 2),
        (lambda: nn.Conv3d(1, 2, 2, bias=False), (1, 3, 3, 3), 2 * 8 * 2 * 8),
        (lambda: nn.ConvTranspose1d(4, 6, 3, 2, groups=2), (4, 5), 20 * 2 * 3 * 3 + 6 * 11),
        (lambda: nn.ReLU(), (3, 4), 12),
        (lambda: nn.MaxPool2d(2), (2, 8, 8), 2 * 16 * 4),
        (lambda: nn.Flatten(), (2, 8, 8), 0),
        (lambda: nn.Sequential(nn.Linear(4, 3), nn.ReLU()), (4,), 2 * 4 * 3 + 3 + 3),
    ],
)
def test_flops(layer, shape, flops):
    net = Network(shape)
    net.append(layer())
    assert net.layer("n1").flops == flops
