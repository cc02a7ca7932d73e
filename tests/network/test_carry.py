"""Weights and optimizer state through edits, to the bit."""

import gc
import weakref

import pytest

import workbench as wb
from workbench import nn
from workbench.network import Add, LayerSpec


def adam(params):
    return wb.optim.Adam(params, lr=1e-2)


def momentum(params):
    return wb.optim.SGD(params, lr=1e-2, momentum=0.9)


def held(*optimizers):
    return {id(p) for o in optimizers for g in o.param_groups for p in g["params"]}


def per_parameter(optimizer, bits):
    return {
        id(p): {k: bits(v) for k, v in optimizer.state.get(p, {}).items()}
        for g in optimizer.param_groups
        for p in g["params"]
    }


EDITS = {
    "insert": lambda net: net.insert(
        nn.Linear(*net.output_shape, *net.output_shape), after=list(net.layers)[-1]
    ),
    "identity": lambda net: net.insert(nn.Identity(), after="relu1"),
    "append": lambda net: net.append(nn.Softplus()),
    "remove": lambda net: net.remove("fc2", adapt=True) if "fc2" in net else net.remove("norm1"),
    "replace": lambda net: net.replace("fc1", LayerSpec("Linear", {"out_features": 7}), adapt=True),
    "rename": lambda net: net.rename("fc1", "x"),
    "freeze": lambda net: net.freeze("fc1"),
    "join": lambda net: net.insert(Add(), after="relu1"),
}


@pytest.mark.parametrize("make_optimizer", [adam, momentum])
@pytest.mark.parametrize("kind", ["mlp", "cnn"])
@pytest.mark.parametrize("name", EDITS)
def test_the_untouched_is_bit_equal_and_undo_restores(
    make, train, bits, snapshot, make_optimizer, kind, name
):
    net = make(kind)
    optimizer = make_optimizer(net.parameters())
    net.track(optimizer)
    train(net, optimizer)
    was = {id(p): bits(p) for p in net.parameters()}
    moments = per_parameter(optimizer, bits)
    start = snapshot(net, optimizer)
    EDITS[name](net)
    assert held(optimizer) == {id(p) for p in net.parameters()}
    for p in net.parameters():
        if id(p) in was:
            assert bits(p) == was[id(p)]
            assert per_parameter(optimizer, bits)[id(p)] == moments[id(p)]
    edited = snapshot(net, optimizer)
    net.undo()
    for key in ("modules", "parameters", "buffers", "optimizers", "code"):
        assert snapshot(net, optimizer)[key] == start[key]
    net.redo()
    for key in ("modules", "parameters", "buffers", "optimizers", "code"):
        assert snapshot(net, optimizer)[key] == edited[key]
    train(net, optimizer)  # and it goes on learning
    net.undo()
    assert held(optimizer) == {id(p) for p in net.parameters()}
    train(net, optimizer)


def test_what_was_learned_meanwhile_stays(make, train, bits):
    net = make("mlp")
    optimizer = adam(net.parameters())
    net.track(optimizer)
    train(net, optimizer)
    head, moments = bits(net["fc2"].weight), per_parameter(optimizer, bits)
    removed = net["fc2"]
    net.remove("fc2")
    net.append(nn.Linear(12, 5), name="other")
    train(net, optimizer, steps=2)
    first = bits(net["fc1"].weight)
    net.undo()
    net.undo()
    assert net["fc2"] is removed
    assert bits(net["fc2"].weight) == head
    assert bits(net["fc1"].weight) == first
    now = per_parameter(optimizer, bits)
    assert now[id(removed.weight)] == moments[id(removed.weight)]
    assert now[id(net["fc1"].weight)] != moments[id(net["fc1"].weight)]


def test_a_new_layer_learns(make, train, bits):
    net = make("mlp")
    optimizer = adam(net.parameters())
    net.track(optimizer)
    net.insert(nn.Linear(12, 12), after="relu1", name="new")
    before = bits(net["new"].weight)
    train(net, optimizer, steps=1)
    assert bits(net["new"].weight) != before


def test_new_parameters_join_the_group_of_their_like(make):
    net = make("mlp")
    optimizer = wb.optim.AdamW(
        [
            {"params": [net["fc1"].weight, net["fc2"].weight], "weight_decay": 0.1},
            {"params": [net["fc1"].bias, net["fc2"].bias], "weight_decay": 0.0},
        ]
    )
    net.track(optimizer)
    net.insert(nn.Linear(12, 12), after="relu1", name="new")
    assert any(p is net["new"].weight for p in optimizer.param_groups[0]["params"])
    assert any(p is net["new"].bias for p in optimizer.param_groups[1]["params"])


def test_several_optimizers(make, train, optimizer_snapshot):
    net = make("mlp")
    body, head = adam(net["fc1"].parameters()), momentum(net["fc2"].parameters())
    net.track(body)
    net.track(head)
    net.track(head)  # twice is once
    net.insert(nn.Linear(12, 12), after="fc1", name="a")
    net.append(nn.Linear(5, 5), name="b")
    assert held(body) == {id(p) for m in ("fc1", "a") for p in net[m].parameters()}
    assert held(head) == {id(p) for m in ("fc2", "b") for p in net[m].parameters()}
    net.remove("fc2", adapt=True)
    assert held(head) == {id(p) for p in net["b"].parameters()}
    for _ in range(3):
        net.undo()
    assert len(held(body)) == len(held(head)) == 2
    both = adam(net.parameters())  # a second one that trains everything
    net.track(both)
    net.insert(nn.Linear(12, 12), after="fc1", name="c")
    assert {id(p) for p in net["c"].parameters()} <= held(both) & held(body)
    net.untrack(both)
    net.undo()
    assert {id(p) for p in both.param_groups[0]["params"]} > {id(p) for p in net.parameters()}


def test_an_optimizer_tracked_late_gets_what_returns(make):
    net = make("mlp")
    net.remove("fc2")
    optimizer = adam(net.parameters())
    net.track(optimizer)
    net.undo()
    assert held(optimizer) == {id(p) for p in net.parameters()}


def test_an_optimizer_that_refuses_leaves_everything_as_it_was(make, train, snapshot):
    class Stubborn(wb.optim.SGD):
        closed = False

        def add_params(self, params, like=None):
            if self.closed:
                raise RuntimeError("no more, please")
            super().add_params(params, like)

        def remove_params(self, params):
            if self.closed:
                raise RuntimeError("not these, please")
            return super().remove_params(params)

        def restore_params(self, taken):
            if self.closed and len(taken) and len(self.param_groups[0]["params"]) == 4:
                raise RuntimeError("not again, please")
            super().restore_params(taken)

    net = make("mlp")
    good, bad = adam(net.parameters()), Stubborn(net.parameters(), lr=0.1)
    net.track(good)
    net.track(bad)
    train(net, good)
    net.append(nn.Linear(5, 5))
    net.undo()
    bad.closed = True
    before = snapshot(net, good, bad)
    for change in (
        lambda: net.append(nn.Linear(5, 5)),
        lambda: net.remove("fc2"),
        lambda: net.replace("fc1", nn.Linear(16, 9), adapt=True),
        net.redo,
    ):
        with pytest.raises(RuntimeError, match="please"):
            change()
        assert snapshot(net, good, bad) == before


def test_optimizers_are_held_weakly(make):
    net = make("mlp")
    optimizer = adam(net.parameters())
    net.track(optimizer)
    net.append(nn.Linear(5, 5))
    ref = weakref.ref(optimizer)
    del optimizer
    gc.collect()
    assert ref() is None
    net.undo()
    with pytest.raises(TypeError, match="takes an optimizer"):
        net.track("adam")


def test_a_scheduler_goes_on(make, train):
    net = make("mlp")
    optimizer = adam(net.parameters())
    scheduler = wb.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    net.track(optimizer)
    train(net, optimizer, steps=1)
    scheduler.step()
    net.append(nn.Linear(5, 5))
    train(net, optimizer, steps=1)
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-2 / 4)
    assert held(optimizer) == {id(p) for p in net.parameters()}


def test_the_next_loss_is_equal_after_an_identity(make, train):
    def losses(edit):
        wb.manual_seed(0)
        net = make("cnn")
        with wb.arrays.random.fork(1):
            for p in net.parameters():
                p.data.normal_(0, 0.1)
        optimizer = adam(net.parameters())
        net.track(optimizer)
        out = []
        with wb.arrays.random.fork(2):
            for step in range(6):
                if step == 3:
                    edit(net)
                x = wb.randn(8, 1, 8, 8)
                loss = (net(x) ** 2).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                out.append(loss.item())
        return out

    plain = losses(lambda net: None)
    assert losses(lambda net: net.insert(nn.Identity(), after="relu1")) == plain
    assert losses(lambda net: (net.remove("fc1", adapt=True), net.undo())) == plain
    assert losses(lambda net: (net.append(nn.Tanh()), net.undo())) == plain
