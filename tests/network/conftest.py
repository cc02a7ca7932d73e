"""What the tests of the editable network share: small networks, and snapshots down to the bit."""

import pytest

import workbench as wb
from workbench import nn
from workbench.network import Add, Network


def mlp(name="mlp"):
    net = Network((1, 4, 4), name=name, seed=1)
    net.append(nn.Flatten(), name="flatten")
    net.append(nn.Linear(16, 12), name="fc1")
    net.append(nn.ReLU(), name="relu1")
    net.append(nn.Linear(12, 5), name="fc2")
    return net


def cnn():
    net = Network((1, 8, 8), name="cnn", seed=1)
    net.append(nn.Conv2d(1, 4, 3, padding=1), name="conv1")
    net.append(nn.BatchNorm2d(4), name="norm1")
    net.append(nn.ReLU(), name="relu1")
    net.append(nn.MaxPool2d(2), name="pool1")
    net.append(nn.Flatten(), name="flatten1")
    net.append(nn.Linear(64, 10), name="fc1")
    return net


def residual():
    net = Network((6,), name="residual", seed=1)
    net.append(nn.Linear(6, 6), name="fc1")
    net.append(nn.ReLU(), name="relu1")
    net.append(nn.Linear(6, 6), name="fc2")
    net.append(Add(), name="add1", inputs=["fc2", "fc1"])
    net.append(nn.Linear(6, 3), name="head")
    return net


def bits(tensor):
    array = tensor.detach().numpy()
    return (array.dtype.str, array.shape, array.tobytes())


def optimizer_snapshot(optimizer):
    return [
        (
            {k: v for k, v in group.items() if k != "params"},
            [
                (
                    id(p),
                    {
                        k: bits(v) if isinstance(v, wb.Tensor) else v
                        for k, v in optimizer.state.get(p, {}).items()
                    },
                )
                for p in group["params"]
            ],
        )
        for group in optimizer.param_groups
    ]


def weights(net):
    return {name: bits(value) for name, value in net.state_dict().items()}


def snapshot(net, *optimizers):
    """Everything an edit may change, as values that compare by bits and by identity."""
    return {
        "version": net.version,
        "log": [(e.seq, e.state, e.code, e.label) for e in net.log],
        "graph": net.graph(),
        "undo": (net.can_undo, net.can_redo),
        "modules": [(name, id(m), m.training) for name, m in net.named_modules()],
        "parameters": [(n, id(p), p.requires_grad, bits(p)) for n, p in net.named_parameters()],
        "buffers": [(n, bits(b)) for n, b in net.named_buffers()],
        "optimizers": [optimizer_snapshot(o) for o in optimizers],
        "code": net.code(),
    }


def train(net, optimizer, steps=3, seed=0):
    """A few steps on random data, so that weights, statistics and moments are no longer trivial."""
    with wb.arrays.random.fork(seed):
        for _ in range(steps):
            x = wb.randn(8, *net.input_shape)
            loss = (net(x) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


@pytest.fixture
def make():
    """Networks by name: make("mlp"), make("cnn"), make("residual")."""
    return lambda kind: {"mlp": mlp, "cnn": cnn, "residual": residual}[kind]()


@pytest.fixture(name="snapshot")
def snapshot_fixture():
    return snapshot


@pytest.fixture(name="weights")
def weights_fixture():
    return weights


@pytest.fixture(name="train")
def train_fixture():
    return train


@pytest.fixture(name="bits")
def bits_fixture():
    return bits


@pytest.fixture(name="optimizer_snapshot")
def optimizer_snapshot_fixture():
    return optimizer_snapshot
