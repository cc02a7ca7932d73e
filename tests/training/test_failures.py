import threading

import numpy as np
import pytest

import workbench as wb
from workbench import nn

PATIENCE = 30


def data(n=64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)).astype(np.float32), rng.integers(0, 3, n)


def small(seed=0):
    net = wb.Network((4,), name="small")
    net.append(nn.Linear(4, 8), name="fc1", seed=seed)
    net.append(nn.ReLU(), name="act")
    net.append(nn.Linear(8, 3), name="out", seed=seed + 1)
    return net


def fails(run, **options):
    with pytest.raises(wb.training.TrainingError) as caught:
        run.train(**(options or {"steps": 50}))
    assert run.state == "failed"
    assert caught.value.error is run.error
    return run.error


def moments(run):
    return [
        {key: value.numpy().copy() for key, value in run.optimizer.state[p].items()}
        for p in run.network.parameters()
    ]


def test_nan_in_the_data_is_found_and_nothing_is_changed(weights, same_bits):
    x, y = data()
    run = wb.Run(small(), (x, y), batch_size=16)
    run.train(steps=2)
    before, states = weights(run.network), moments(run)
    x[:] = x  # the data set holds this very array
    x[37, 2] = np.nan
    error = fails(run)
    assert error.kind == "data"
    assert "sample 37 of the training data" in error.message
    assert error.step == run.step_count + 1
    if run.step_count == 2:
        same_bits(before, weights(run.network))
        for one, other in zip(states, moments(run), strict=True):
            same_bits(one, other)
    assert run.recorder.marks[-1].kind == "error"
    assert "nan" not in str(run.recorder.read("loss")[1])
    # mended, the run goes on with the very batch that failed
    x[37, 2] = 0.5
    steps = run.step_count
    run.train(steps=3)
    assert run.step_count == steps + 3
    assert run.error is None


def test_a_failed_step_has_not_happened(weights, same_bits):
    """Dropout, batch norm and the order of the data go on as if it had never been tried."""

    def build():
        net = wb.Network((4,))
        net.append(nn.Linear(4, 8), name="fc1", seed=1)
        net.append(nn.BatchNorm1d(8), name="norm")
        net.append(nn.Dropout(0.5), name="drop")
        net.append(nn.Linear(8, 3), name="out", seed=2)
        return net

    x, y = data()
    good = wb.Run(build(), (x.copy(), y), batch_size=16)
    good.train(steps=7)
    run = wb.Run(build(), (x, y), batch_size=16)
    run.train(steps=3)
    kept = x.copy()
    x[:] = np.nan
    fails(run)
    x[:] = kept
    run.train(steps=4)
    same_bits(weights(good.network), weights(run.network))


def test_a_bad_batch_can_be_skipped():
    x, y = data()
    x[10] = np.inf
    run = wb.Run(small(), (x, y), batch_size=4)
    error = fails(run)
    assert "infinite" in error.message
    assert error.step < 15, "the next epoch is too near for this test: take another seed"
    run.skip().result(PATIENCE)
    run.step().result(PATIENCE)
    assert run.state == "paused"
    assert run.step_count == error.step
    assert "run.skip()" in run.script()


def test_labels_out_of_range_name_the_sample_and_the_range():
    x, y = data()
    y[20] = 7
    run = wb.Run(small(), (x, y), batch_size=64)
    error = fails(run)
    assert error.kind == "data"
    assert "label 7 of sample 20" in error.message
    assert "labels go from 0 to 2" in error.message
    y[20] = -5
    run = wb.Run(small(), (x, y), batch_size=64)
    assert "label -5 of sample 20" in fails(run).message


def test_wrong_shapes_name_the_layer():
    x = np.zeros((10, 5), np.float32)
    run = wb.Run(small(), (x, np.zeros(10, np.int64)))
    error = fails(run)
    assert error.layer == "fc1"
    assert "fc1" in error.message


def test_a_rate_too_high_fails_and_a_replaced_layer_mends_it():
    x, y = data()
    run = wb.Run(small(), (x * 1e18, y), optimizer="SGD", lr=1e20)
    error = fails(run)
    assert error.kind in ("weights", "forward", "loss", "gradient")
    assert "rate" in error.message
    assert error.layer in ("fc1", "act", "out", None)


def test_the_first_bad_layer_is_named():
    class Boom(nn.Module):
        def forward(self, x):
            return x * float("inf")

    x, y = data()
    net = nn.Sequential()
    net.add_module("fc1", nn.Linear(4, 8))
    net.add_module("boom", Boom())
    net.add_module("out", nn.Linear(8, 3))
    error = fails(wb.Run(net, (x, y)))
    assert (error.kind, error.layer) == ("forward", "boom")


def test_a_gradient_that_is_not_finite_is_refused(weights, same_bits):
    class Root(nn.Module):
        def forward(self, x):
            return (x * 0).sqrt() + x.detach()

    x, y = data()
    net = nn.Sequential()
    net.add_module("fc1", nn.Linear(4, 8))
    net.add_module("root", Root())
    net.add_module("out", nn.Linear(8, 3))
    run = wb.Run(net, (x, y))
    before = weights(net)
    error = fails(run)
    assert (error.kind, error.layer) == ("gradient", "fc1")
    same_bits(before, weights(net))


def test_a_huge_but_finite_gradient_is_no_failure():
    x, y = data()
    run = wb.Run(
        small(), (x, y), loss=lambda o, t: nn.functional.cross_entropy(o, t) * 1e22,
        clip_grad_norm=1.0,
    )  # fmt: skip
    run.train(steps=2)
    assert run.state == "finished"
    assert run.recorder.latest("grad_norm:n1") > 1e19


def test_an_exception_in_a_layer_of_ones_own_names_layer_and_line():
    class Mine(nn.Module):
        def forward(self, x):
            raise KeyError("no such thing")

    x, y = data()
    net = nn.Sequential()
    net.add_module("fc1", nn.Linear(4, 8))
    net.add_module("mine", Mine())
    error = fails(wb.Run(net, (x, y)))
    assert (error.kind, error.layer) == ("exception", "mine")
    assert "no such thing" in error.message
    assert "test_failures.py" in error.message
    assert isinstance(error.exception, KeyError)
    assert "Traceback" in error.traceback


def test_a_data_set_that_raises_can_be_mended():
    class Odd(wb.data.Dataset):
        broken = True

        def __len__(self):
            return 8

        def __getitem__(self, index):
            if self.broken and index == 5:
                raise OSError("file 5 is gone")
            return np.ones(4, np.float32) * index, index % 3

    odd = Odd()
    run = wb.Run(small(), odd, batch_size=4)
    error = fails(run)
    assert "file 5 is gone" in error.message
    odd.broken = False
    run.train(steps=4)
    assert run.step_count >= 4


def test_a_failure_on_the_thread_leaves_it_alive_for_commands():
    x, y = data()
    x[3] = np.nan
    run = wb.Run(small(), (x, y), batch_size=64)
    failed = threading.Event()
    heard = []

    def listen(event):
        heard.append(event.kind)
        if event.kind == "error":
            failed.set()

    run.subscribe(listen)
    run.start()
    assert failed.wait(PATIENCE)
    with pytest.raises(wb.training.TrainingError, match="NaN"):
        run.wait(PATIENCE)
    assert run.state == "failed"
    assert heard == ["state", "error", "state"]
    run.set_lr(0.5).result(PATIENCE)
    run.apply(wb.network.Insert(nn.Tanh(), after="act", name="tanh")).result(PATIENCE)
    assert "tanh" in run.network
    with pytest.raises(wb.training.TrainingError):
        run.step().result(PATIENCE)
    x[3] = 0
    assert run.step().result(PATIENCE) == 1
    assert run.error is None


def test_a_step_called_from_within_a_step_is_refused(digits, build):
    net = build()
    run = wb.Run(net, digits)
    seen = []

    def hook(module, inputs, output):
        try:
            net.insert(nn.Tanh(), after="act")
        except RuntimeError as error:
            seen.append(str(error))

    net["fc1"].register_forward_hook(hook)
    run.train(steps=1)
    assert "between two steps" in seen[0]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        (3, TypeError, "data must be"),
        ("digits", TypeError, "data must be"),
        ((np.zeros((3, 4)), np.zeros(4)), ValueError, "3 samples and y has 4"),
        (([1, 2], [3, 4]), TypeError, "tuple of list, list"),
        ((np.zeros((0, 4)), np.zeros(0)), ValueError, "empty"),
    ],
)
def test_data_of_the_wrong_kind_is_refused(given, error, words):
    with pytest.raises(error, match=words):
        wb.Run(small(), given)
