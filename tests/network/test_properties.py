"""Random edits, undos and redos, valid or not: what must hold, holds after every one."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import workbench as wb
from workbench import nn
from workbench.network import (
    EditError,
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

SPECS = st.sampled_from(
    [
        LayerSpec("ReLU"),
        LayerSpec("Tanh"),
        LayerSpec("Identity"),
        LayerSpec("Flatten"),
        LayerSpec("LayerNorm"),
        LayerSpec("BatchNorm1d"),
        LayerSpec("BatchNorm2d"),
        LayerSpec("Dropout", {"p": 0.3}),
        LayerSpec("Linear", {"out_features": 4}),
        LayerSpec("Linear", {"out_features": 6, "bias": False}),
        LayerSpec("Conv2d", {"out_channels": 2, "kernel_size": 3}),
        LayerSpec("Add"),
        LayerSpec("Concat"),
    ]
)
REFERENCES = st.sampled_from(["input", *(f"n{i}" for i in range(1, 9)), "nobody"])
ADAPT = st.booleans()
EDITS = st.one_of(
    st.builds(Insert, SPECS, after=REFERENCES, adapt=ADAPT),
    st.builds(Insert, SPECS, before=REFERENCES),
    st.builds(Insert, SPECS, after=REFERENCES, before=REFERENCES),
    st.builds(Insert, SPECS),
    st.builds(
        Insert,
        SPECS,
        after=REFERENCES,
        inputs=st.lists(REFERENCES, max_size=3).map(tuple),
        adapt=ADAPT,
    ),
    st.builds(Remove, REFERENCES, ADAPT),
    st.builds(Replace, REFERENCES, SPECS, adapt=ADAPT),
    st.builds(Rename, REFERENCES, st.sampled_from(["a", "b", "<i>", "", "x.y", "fc1"])),
    st.builds(Freeze, REFERENCES, st.booleans()),
    st.builds(Rewire, REFERENCES, st.lists(REFERENCES, max_size=3).map(tuple), ADAPT),
)
ACTIONS = st.lists(st.one_of(EDITS, EDITS, EDITS, st.sampled_from(["undo", "redo"])), max_size=14)


def start():
    net = Network((4,), seed=0)
    net.append(nn.Linear(4, 4), name="fc1")
    net.append(nn.ReLU())
    net.append(nn.Linear(4, 4), name="fc2")
    return net


def forward(net):
    net.eval()
    out = net(wb.ones(2, 4))
    net.train()
    assert tuple(out.shape) == (2, *net.output_shape)
    return out


@given(actions=ACTIONS)
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_invariants(actions, snapshot, bits, optimizer_snapshot):
    net = start()
    optimizer = wb.optim.Adam(net.parameters(), lr=0.01)
    net.track(optimizer)
    net(wb.ones(2, 4)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    base = len(net.log)
    first = snapshot(net, optimizer)
    for action in actions:
        before = snapshot(net, optimizer)
        try:
            if action == "undo":
                if len(net.log) > base and any(e.state == "applied" for e in net.log[base:]):
                    net.undo()
            elif action == "redo":
                net.redo()
            else:
                net.apply(action)
        except EditError:
            assert snapshot(net, optimizer) == before
        graph = net.graph()
        seen = {"input"}
        for node in graph["nodes"]:  # acyclic: everything is computed before it is read
            assert set(node["inputs"]) <= seen
            seen.add(node["id"])
        assert graph["output"] in seen
        assert list(net.layers) == [n for n, _ in net.named_children()]
        mine = [id(p) for g in optimizer.param_groups for p in g["params"]]
        assert sorted(mine) == sorted(id(p) for p in net.parameters())
        forward(net)
    last = snapshot(net, optimizer)
    done = 0
    while any(e.state == "applied" for e in net.log[base:]):
        net.undo()
        done += 1
    for key in ("modules", "parameters", "buffers", "optimizers", "code"):
        assert snapshot(net, optimizer)[key] == first[key]
    for _ in range(done):
        net.redo()
    for key in ("modules", "parameters", "buffers", "optimizers", "code"):
        assert snapshot(net, optimizer)[key] == last[key]


@given(actions=ACTIONS)
@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
def test_the_log_replays(actions, weights):
    net = Network((4,), seed=3)
    net.append(LayerSpec("Linear", {"out_features": 4}), name="fc1")
    for action in actions:
        try:
            if action == "undo":
                net.undo()
            elif action == "redo":
                net.redo()
            else:
                net.apply(action)
        except EditError:
            pass
    again = Network((4,), seed=4)
    replay(again, [e.edit.to_dict() for e in net.log if e.state == "applied"])
    assert weights(again) == weights(net)
    assert again.graph()["nodes"] == net.graph()["nodes"]
    by_code = Network((4,), seed=5)
    for entry in net.log:
        if entry.state == "applied":
            exec(entry.code, {"net": by_code, "nn": nn, "wb": wb})
    assert weights(by_code) == weights(net)
    scope = {}
    exec(net.code(), scope)
    scope["model"].load_state_dict(net.state_dict())
    scope["model"].eval()
    assert bits_equal(scope["model"](wb.ones(2, 4)), forward(net))


def bits_equal(a, b):
    return a.detach().numpy().tobytes() == b.detach().numpy().tobytes()
