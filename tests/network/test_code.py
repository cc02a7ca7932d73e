import pytest

import workbench as wb
from workbench import nn
from workbench.network import Add, Concat, Network
from workbench.network.construct import expression


def run(net):
    scope = {}
    exec(net.code(), scope)
    model = scope["model"]
    assert list(model.state_dict()) == list(net.state_dict())
    model.load_state_dict(net.state_dict())
    return model


@pytest.mark.parametrize("kind", ["mlp", "cnn", "residual"])
def test_the_code_computes_the_same(make, train, kind):
    net = make(kind)
    train(net, wb.optim.Adam(net.parameters()))
    x = wb.randn(3, *net.input_shape)
    model = run(net).eval()
    net.eval()
    assert (model(x) - net(x)).abs().max().item() == 0


def test_a_chain_is_a_sequential(make):
    assert make("mlp").code() == (
        "from collections import OrderedDict\n\n"
        "from workbench import nn\n\n"
        "model = nn.Sequential(OrderedDict([\n"
        "    ('flatten', nn.Flatten()),\n"
        "    ('fc1', nn.Linear(16, 12)),\n"
        "    ('relu1', nn.ReLU()),\n"
        "    ('fc2', nn.Linear(12, 5)),\n"
        "]))\n"
    )


def test_branches_are_a_class(make):
    net = make("residual")
    net.insert(Concat(), after="add1", name="both", inputs=["add1", "relu1"], adapt=True)
    net.freeze("fc1")
    code = net.code()
    assert "class Residual(nn.Module):" in code
    assert "add1 = fc2 + fc1" in code
    assert "both = wb.cat([add1, relu1], dim=1)" in code
    assert "model.fc1.requires_grad_(False)  # frozen" in code
    model = run(net)
    x = wb.randn(2, 6)
    assert (model(x) - net(x)).abs().max().item() == 0
    assert not model.fc1.weight.requires_grad


def test_odd_names_in_a_class():
    net = Network((4,), name="12 monkeys!")
    names = ["<script>", "class", "self_", "x", "__hidden", "nn", "wb", "a b", "a_b", "é"]
    for name in names:
        net.append(nn.Linear(4, 4), name=name)
    net.append(Add(), name="super", inputs=["x", "nn"])
    model = run(net)
    assert type(model).__name__ == "Net12Monkeys"
    x = wb.randn(2, 4)
    assert (model(x) - net(x)).abs().max().item() == 0


@pytest.mark.parametrize(
    ("module", "code"),
    [
        (lambda: nn.Linear(3, 4), "nn.Linear(3, 4)"),
        (lambda: nn.Linear(3, 4, bias=False), "nn.Linear(3, 4, bias=False)"),
        (lambda: nn.Linear(3, 4, dtype=wb.float64), "nn.Linear(3, 4, dtype=wb.float64)"),
        (lambda: nn.Conv2d(1, 2, (3, 3)), "nn.Conv2d(1, 2, 3)"),
        (
            lambda: nn.Conv2d(1, 2, (3, 5), padding="same"),
            "nn.Conv2d(1, 2, (3, 5), padding='same')",
        ),
        (lambda: nn.MaxPool2d(2), "nn.MaxPool2d(2)"),
        (lambda: nn.MaxPool2d(3, 2), "nn.MaxPool2d(3, stride=2)"),
        (lambda: nn.LayerNorm(8), "nn.LayerNorm((8,))"),
        (lambda: nn.LayerNorm((8, 8)), "nn.LayerNorm((8, 8))"),
        (lambda: nn.BatchNorm2d(3, affine=False), "nn.BatchNorm2d(3, affine=False)"),
        (lambda: nn.Dropout(0.5), "nn.Dropout()"),
        (lambda: nn.Dropout(0.1), "nn.Dropout(p=0.1)"),
        (lambda: nn.Softmax(dim=-1), "nn.Softmax(dim=-1)"),
        (lambda: nn.Embedding(5, 3, padding_idx=0), "nn.Embedding(5, 3, padding_idx=0)"),
        (lambda: nn.Unflatten(1, (8, 8)), "nn.Unflatten(1, (8, 8))"),
        (lambda: Concat(2), "wb.network.Concat(dim=2)"),
        (lambda: Add(), "wb.network.Add()"),
        (
            lambda: nn.Sequential(nn.Linear(2, 2), nn.ReLU()),
            "nn.Sequential(nn.Linear(2, 2), nn.ReLU())",
        ),
    ],
)
def test_expressions(module, code):
    assert expression(module()) == code


def test_a_class_of_ones_own_that_does_not_tell():
    class Secret(nn.Module):
        def __init__(self, size):
            super().__init__()

        def forward(self, x):
            return x

    net = Network((3,))
    net.append(Secret(3))
    assert "Secret(...)),  # fill in the arguments" in net.code()
