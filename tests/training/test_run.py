import asyncio
import math
import threading

import numpy as np
import pytest

import workbench as wb
from workbench import nn

PATIENCE = 30


def test_training_in_the_calling_thread_learns_and_finishes(build, digits):
    run = wb.Run(build(), digits, epochs=6, lr=3e-3)
    assert (run.state, run.step_count, run.steps_total) == ("idle", 0, 6 * 23)
    assert repr(run) == "<Run 'digits': idle, 6 epochs planned>"
    assert run.train() is run
    assert (run.state, run.step_count, run.epoch) == ("finished", 138, 6)
    assert repr(run) == "<Run 'digits': finished at step 138>"
    assert run.metrics["val/accuracy"] > 0.85
    assert run.loss < 1
    assert run.eta == 0
    assert run.evaluate()["accuracy"] == run.metrics["val/accuracy"]


def test_a_thread_trains_while_the_caller_goes_on(build, digits, at_step):
    run = wb.Run(build(), digits)
    assert run.start() is run
    at_step(run, 5)
    assert run.state == "running"
    run.pause().result(PATIENCE)
    taken = run.step_count
    assert run.state == "paused"
    assert taken >= 5
    run.resume().result(PATIENCE)
    at_step(run, taken + 3)
    run.stop()
    assert run.state == "stopped"
    assert run.step_count >= taken + 3
    run.start()
    at_step(run, run.step_count + 2)
    run.stop()


def test_steps_are_counted_exactly(build, digits):
    run = wb.Run(build(), digits)
    assert run.step().result(PATIENCE) == 1
    assert run.step(7).result(PATIENCE) == 8
    assert run.state == "paused"
    assert run.step_count == 8
    run.train(steps=4)
    assert run.step_count == 12


def test_a_run_with_a_plan_pauses_before_and_finishes_at_its_end(build, digits):
    run = wb.Run(build(), digits, steps=10)
    run.train(steps=4)
    assert (run.state, run.step_count) == ("paused", 4)
    run.start()
    assert run.wait(PATIENCE)
    assert (run.state, run.step_count) == ("finished", 10)
    with pytest.raises(RuntimeError, match="finished after 10 steps"):
        run.resume().result(PATIENCE)
    run.start().wait(PATIENCE)
    assert (run.state, run.step_count) == ("finished", 20)
    run.train(epochs=1)
    assert run.epoch == 1


def test_the_same_seed_gives_the_same_bits_however_it_is_driven(
    build, digits, weights, same_bits, at_step
):
    straight = wb.Run(build(dropout=0.2, norm=True), digits, seed=3)
    straight.train(steps=40)

    broken = wb.Run(build(dropout=0.2, norm=True), digits, seed=3)
    broken.train(steps=3)
    broken.step(2).result(PATIENCE)
    np.random.default_rng().random(3)
    wb.manual_seed(99)  # what the notebook draws is nothing to the run
    broken.start()
    at_step(broken, 9)
    wb.randn(10)
    broken.pause().result(PATIENCE)
    broken.evaluate()
    broken.predict(digits.test.tensors[0][:3])
    broken.train(steps=40 - broken.step_count)
    same_bits(weights(straight.network), weights(broken.network))
    one, other = straight.recorder.read("loss"), broken.recorder.read("loss")
    assert np.array_equal(one[1], other[1])

    another = wb.Run(build(dropout=0.2, norm=True), digits, seed=4)
    another.train(steps=40)
    key = "fc1.weight"
    assert not np.array_equal(weights(another.network)[key], weights(straight.network)[key])


def test_the_step_is_the_textbook_loop(build, digits, weights, same_bits):
    run = wb.Run(build(), digits, optimizer="SGD", lr=0.1, batch_size=50, seed=5)
    run.train(steps=5)

    net = build()
    optimizer = wb.optim.SGD(net.parameters(), lr=0.1)
    feed = wb.training.batches.feed(digits.train, 50, 5)
    for _ in range(5):
        batch = feed.next()
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(*batch.inputs), batch.target).backward()
        optimizer.step()
        feed.commit()
    same_bits(weights(run.network), weights(net))


def test_rate_and_batch_size_change_between_two_steps(build, digits):
    run = wb.Run(build(), digits, lr=1e-3)
    heard = []
    run.subscribe(lambda event: heard.append(event) if event.kind == "lr" else None)
    run.train(steps=3)
    assert run.set_lr(5e-4).result() == 5e-4
    assert run.set_batch_size(100).result() == 100
    assert run.lr == 5e-4
    assert run.batch_size == 100
    run.train(steps=2)
    assert [event.data["lr"] for event in heard] == [5e-4, 5e-4]
    assert [(m.step, m.kind) for m in run.recorder.marks] == [(3, "lr"), (3, "batch_size")]


def test_a_schedule_goes_on_from_a_rate_that_was_set(build, digits):
    def schedule(optimizer):
        return wb.optim.lr_scheduler.StepLR(optimizer, 4, gamma=0.1)

    run = wb.Run(build(), digits, lr=1e-2, scheduler=schedule)
    run.train(steps=4)
    assert run.lr == pytest.approx(1e-3)
    run.set_lr(1e-1)
    run.train(steps=3)
    assert run.lr == pytest.approx(1e-1)
    run.train(steps=1)
    assert run.lr == pytest.approx(1e-2)


def test_clipping_bounds_the_update(build, digits, weights):
    run = wb.Run(build(), digits, optimizer="SGD", lr=1.0, clip_grad_norm=1e-3)
    before = weights(run.network)
    run.train(steps=1)
    after = weights(run.network)
    moved = math.sqrt(sum(float(((after[k] - before[k]) ** 2).sum()) for k in after))
    assert moved == pytest.approx(1e-3, rel=1e-2)


def test_layers_are_measured_by_id(build, digits):
    run = wb.Run(build(), digits)
    run.train(steps=25)
    assert run.layer_names == {"n2": "fc1", "n4": "out"}
    steps, norms = run.recorder.read("grad_norm:n2")
    assert len(steps) == 25
    assert (norms > 0).all()
    steps, ratios = run.recorder.read("update_ratio:n4")
    assert steps.tolist() == [*range(1, 11), 20]
    assert ((ratios > 0) & (ratios < 0.2)).all()
    weight = run.network["fc1"].weight.array
    bias = run.network["fc1"].bias.array
    run.train(steps=5)
    expected = math.sqrt(float((weight**2).sum() + (bias**2).sum()))
    assert run.recorder.latest("weight_norm:n2") == pytest.approx(expected, rel=1e-5)


def test_a_plain_module_trains_too_and_cannot_be_edited(digits):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    run = wb.Run(net, digits, epochs=1)
    run.train()
    assert run.layer_names == {"1": "1"}
    assert run.name == "Sequential"
    with pytest.raises(TypeError, match=r"build a wb\.Network"):
        run.undo()


def test_validation_happens_at_the_end_of_an_epoch_and_leaves_the_mode(build, digits):
    net = build(dropout=0.5)
    run = wb.Run(net, digits)
    seen = []
    run.subscribe(lambda e: seen.append((e.kind, e.step)) if e.kind != "step" else None)
    run.train(epochs=2)
    assert [s for s in seen if s[0] == "validated"] == [("validated", 23), ("validated", 46)]
    assert run.recorder.read("val/accuracy")[0].tolist() == [23, 46]
    assert net.training
    assert all(module.training for module in net.modules())


def test_looking_does_not_change_what_comes(build, digits, weights, same_bits):
    one = wb.Run(build(dropout=0.3, norm=True), digits)
    other = wb.Run(build(dropout=0.3, norm=True), digits)
    for _ in range(4):
        one.train(steps=3)
        other.train(steps=3)
        other.evaluate()
        other.predictions(5)
    same_bits(weights(one.network), weights(other.network))


def test_predictions_have_a_confusion_matrix(build, digits):
    run = wb.Run(build(), digits, epochs=3, lr=5e-3)
    run.train()
    got = run.predictions(7, limit=200)
    assert got.inputs.shape == (7, 1, 8, 8)
    assert got.true.shape == got.guess.shape == (7,)
    np.testing.assert_allclose(got.probabilities.sum(axis=1), 1, rtol=1e-5)
    assert got.confusion.shape == (10, 10)
    assert got.confusion.sum() == 200
    assert got.classes == [str(i) for i in range(10)]
    assert got.split == "test"


def test_listeners_are_told_in_order_on_the_training_thread(build, digits):
    run = wb.Run(build(), digits, steps=2)
    heard = []
    run.subscribe(lambda e: heard.append((e.kind, e.step, threading.current_thread().name)))
    run.start().wait(PATIENCE)
    assert [(kind, step) for kind, step, _ in heard] == [
        ("state", 0), ("step", 1), ("step", 2), ("validated", 2), ("state", 2),
    ]  # fmt: skip
    assert {name for _, _, name in heard} == {"workbench-run-digits"}


def test_a_listener_may_command_its_run_and_never_hangs(build, digits):
    run = wb.Run(build(), digits)
    seen = {}

    def listen(event):
        if event.kind == "step" and event.step == 3:
            seen["lr"] = run.set_lr(0.5).result()
            seen["edit"] = run.network.insert(nn.Tanh(), after="act", name="tanh")
            seen["metrics"] = run.evaluate()
            run.pause().result()
            with pytest.raises(RuntimeError, match="wait for itself"):
                run.step(2).result()
            with pytest.raises(RuntimeError, match="listener"):
                run.train(steps=1)

    run.subscribe(listen)
    run.start()
    assert run.wait(PATIENCE)
    run.pause().result(PATIENCE)
    assert seen["lr"] == 0.5
    assert "tanh" in run.network


def test_waiting_in_a_listener_is_refused(build, digits):
    run = wb.Run(build(), digits, steps=1)
    errors = []

    def listen(event):
        if event.kind == "step":
            with pytest.raises(RuntimeError) as caught:
                run.wait()
            errors.append(caught.value)

    run.subscribe(listen)
    run.start().wait(PATIENCE)
    assert len(errors) == 1


def test_a_listener_that_raises_never_ends_the_run(build, digits, caplog):
    run = wb.Run(build(), digits, steps=3)
    run.subscribe(lambda event: 1 / 0)
    run.start().wait(PATIENCE)
    assert run.state == "finished"


def test_commands_posted_around_the_end_are_all_settled(build, digits):
    run = wb.Run(build(), digits, steps=30)
    run.start()
    replies = []
    while run.state == "running":
        replies.append(run.set_lr(1e-3))
    replies.append(run.pause())
    for reply in replies:
        reply.result(PATIENCE)
    assert run.state == "finished"


def test_finished_can_be_awaited(build, digits):
    run = wb.Run(build(), digits, steps=20)

    async def cell():
        run.start()
        return await asyncio.wait_for(run.finished(), PATIENCE)

    assert asyncio.run(cell()) == "finished"
    assert asyncio.run(run.finished()) == "finished"


def test_a_pause_ends_waiting(build, digits):
    run = wb.Run(build(), digits)
    run.subscribe(lambda event: run.pause() if event.step == 5 else None)

    async def cell():
        run.start()
        return await run.finished()

    assert asyncio.run(cell()) == "paused"
    assert run.wait(PATIENCE)
    assert not wb.Run(build(), digits).start().wait(0.01)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"epochs": 0}, ValueError, "at least 1"),
        ({"epochs": 1.5}, TypeError, "whole number"),
        ({"epochs": 1, "steps": 1}, ValueError, "not both"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"lr": -1.0}, ValueError, "not negative"),
        ({"lr": float("nan")}, ValueError, "finite"),
        ({"lr": "fast"}, TypeError, "a number"),
        ({"optimizer": "Adamm"}, ValueError, "did you mean 'Adam'"),
        ({"optimizer": 3}, TypeError, "optimizer"),
        ({"loss": "CrossEntropy"}, ValueError, "did you mean 'CrossEntropyLoss'"),
        ({"loss": 3}, TypeError, "loss"),
        ({"metrics": ("acuracy",)}, ValueError, "no metric 'acuracy'"),
        ({"clip_grad_norm": 0.0}, ValueError, "clip_grad_norm"),
        ({"scheduler": 3}, TypeError, "lr_scheduler"),
        ({"schedule_by": "day"}, ValueError, "schedule_by"),
    ],
)
def test_bad_options_are_refused_with_the_fix(build, digits, options, error, words):
    with pytest.raises(error, match=words):
        wb.Run(build(), digits, **options)


def test_bad_commands_are_refused_at_once_and_change_nothing(build, digits):
    run = wb.Run(build(), digits)
    for bad in (-1, float("inf")):
        with pytest.raises(ValueError, match="learning rate"):
            run.set_lr(bad)
    with pytest.raises(TypeError):
        run.set_lr("0.1")
    with pytest.raises(ValueError, match="batch_size"):
        run.set_batch_size(0)
    with pytest.raises(ValueError, match="at least 1"):
        run.step(0)
    with pytest.raises(ValueError, match="no end"):
        run.train()
    assert (run.lr, run.batch_size, run.state) == (1e-3, 64, "idle")


def test_a_network_with_nothing_to_train_is_refused(digits):
    net = wb.Network((1, 8, 8))
    with pytest.raises(ValueError, match="no parameters"):
        wb.Run(net, digits)
    net.append(nn.Flatten())
    net.append(nn.Linear(64, 10), name="out")
    net.freeze("out")
    with pytest.raises(ValueError, match="frozen"):
        wb.Run(net, digits)


def test_a_second_run_takes_the_network_over(build, digits, at_step):
    net = build()
    first = wb.Run(net, digits, name="first").start()
    at_step(first, 3)
    second = wb.Run(net, digits, name="second")
    with pytest.warns(RuntimeWarning, match="'first' was training this network too"):
        second.train(steps=3)
    assert first.wait(PATIENCE)
    assert first.state == "paused"
    assert "another run trained this network" in second.script()


def test_runs_are_listed_while_they_live(build, digits):
    made = []
    stop = wb.training.on_run_created(made.append)
    run = wb.Run(build(), digits)
    stop()
    wb.Run(build(), digits)
    assert made == [run]
    assert run in wb.training.runs()
    assert len({r.id for r in wb.training.runs()}) == len(wb.training.runs())
