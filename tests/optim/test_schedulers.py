"""Every schedule against torch's, number for number."""

from __future__ import annotations

import pytest

import workbench as wb

torch = pytest.importorskip("torch")

SCHEDULES = {
    "StepLR": lambda s, o: s.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 5, 5, 9], 0.3),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.25, 4),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.2, 0.9, 6),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 8, 2.0),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 5, 0.01),
    "CosineAnnealingLR float": lambda s, o: s.CosineAnnealingLR(o, 4.5),
    "WarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
    "WarmRestarts 1": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4),
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda t: 1 / (t + 1)),
    "LambdaLR list": lambda s, o: s.LambdaLR(o, [lambda t: 1 / (t + 1), lambda t: 0.9**t]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda t: 0.95),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=25),
    "OneCycleLR linear": lambda s, o: s.OneCycleLR(
        o, [0.5, 0.2], epochs=5, steps_per_epoch=5, anneal_strategy="linear", three_phase=True
    ),
    "Sequential": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, 1.0, 4), s.ExponentialLR(o, 0.8), s.StepLR(o, 2)], [4, 10]
    ),
    "Chained": lambda s, o: s.ChainedScheduler([s.StepLR(o, 3, 0.5), s.ExponentialLR(o, 0.9)]),
}


def twin_optimizers():
    made = []
    for lib, zeros in ((wb, wb.zeros), (torch, torch.zeros)):
        p, q = lib.nn.Parameter(zeros(2)), lib.nn.Parameter(zeros(2))
        made.append(
            lib.optim.SGD([{"params": [p]}, {"params": [q], "lr": 0.03}], 0.1, momentum=0.5)
        )
    return made


def rates(opt):
    return [group["lr"] for group in opt.param_groups]


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_torchs(name):
    opt, other = twin_optimizers()
    ours = SCHEDULES[name](wb.optim.lr_scheduler, opt)
    theirs = SCHEDULES[name](torch.optim.lr_scheduler, other)
    for _ in range(24):
        assert rates(opt) == pytest.approx(rates(other), rel=1e-12, abs=1e-15)
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-12, abs=1e-15)
        assert opt.param_groups[0]["momentum"] == pytest.approx(other.param_groups[0]["momentum"])
        opt.step()
        other.step()
        ours.step()
        theirs.step()


@pytest.mark.parametrize("name", SCHEDULES)
def test_saved_and_resumed(name):
    full, part = twin_optimizers()[0], twin_optimizers()[0]
    first = SCHEDULES[name](wb.optim.lr_scheduler, full)
    for _ in range(7):
        full.step()
        first.step()
    second = SCHEDULES[name](wb.optim.lr_scheduler, part)
    second.load_state_dict(first.state_dict())
    part.load_state_dict(full.state_dict())
    for _ in range(7):
        full.step()
        first.step()
        part.step()
        second.step()
        assert rates(part) == rates(full)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau(mode, threshold_mode):
    opt, other = twin_optimizers()
    options = {
        "mode": mode, "factor": 0.5, "patience": 1, "threshold": 0.05, "cooldown": 1,
        "threshold_mode": threshold_mode, "min_lr": [0.02, 0.001],
    }  # fmt: skip
    ours = wb.optim.lr_scheduler.ReduceLROnPlateau(opt, **options)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(other, **options)
    for metric in [1.0, 0.9, 0.89, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.6, 0.7, 0.7, 0.7]:
        ours.step(wb.tensor(metric))
        theirs.step(metric)
        assert rates(opt) == pytest.approx(rates(other))
        assert ours.num_bad_epochs == theirs.num_bad_epochs


def test_resuming_from_an_epoch():
    opt, other = twin_optimizers()
    for o, lib in ((opt, wb), (other, torch)):
        with pytest.raises(KeyError, match="initial_lr"):
            lib.optim.lr_scheduler.StepLR(o, 2, last_epoch=3)
        for group in o.param_groups:
            group["initial_lr"] = 1.0
    for make in (
        lambda s, o: s.CosineAnnealingLR(o, 10, last_epoch=4),
        lambda s, o: s.ExponentialLR(o, 0.5, last_epoch=4),
        lambda s, o: s.LambdaLR(o, lambda t: t, last_epoch=4),
    ):
        make(wb.optim.lr_scheduler, opt)
        make(torch.optim.lr_scheduler, other)
        assert rates(opt) == pytest.approx(rates(other))


def test_functions_of_a_lambda_are_not_saved_but_objects_are():
    class Slope:
        def __init__(self, by):
            self.by = by

        def __call__(self, t):
            return 1 - self.by * t

    opt, _ = twin_optimizers()
    first = wb.optim.lr_scheduler.LambdaLR(opt, [Slope(0.1), lambda t: 1])
    held = first.state_dict()
    assert held["lr_lambdas"] == [{"by": 0.1}, None]
    second = wb.optim.lr_scheduler.LambdaLR(opt, [Slope(0.5), lambda t: 1])
    second.load_state_dict(held)
    assert second.lr_lambdas[0].by == 0.1


def test_stepping_before_the_optimizer_is_warned_about():
    opt, _ = twin_optimizers()
    scheduler = wb.optim.lr_scheduler.ExponentialLR(opt, 0.9)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()


BAD = [
    lambda s, o: s.LambdaLR(o, [lambda t: t]),
    lambda s, o: s.ConstantLR(o, 1.5),
    lambda s, o: s.LinearLR(o, 0.0),
    lambda s, o: s.LinearLR(o, 0.5, 1.5),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 0),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 2, 0),
    lambda s, o: s.OneCycleLR(o, 0.1),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=-1),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=5, pct_start=2.0),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=5, anneal_strategy="x"),
    lambda s, o: s.OneCycleLR(o, [0.1], total_steps=5),
    lambda s, o: s.ReduceLROnPlateau(o, factor=1.0),
    lambda s, o: s.ReduceLROnPlateau(o, "best"),
    lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="x"),
    lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [1]),
    lambda s, o: s.ChainedScheduler([]),
]


@pytest.mark.parametrize("make", BAD)
def test_bad_settings(make):
    opt, other = twin_optimizers()
    with pytest.raises(ValueError):  # noqa: PT011 - each has a message of its own
        make(torch.optim.lr_scheduler, other)
    with pytest.raises(ValueError):  # noqa: PT011
        make(wb.optim.lr_scheduler, opt)


def test_only_optimizers_are_scheduled():
    with pytest.raises(TypeError, match="not an Optimizer"):
        wb.optim.lr_scheduler.StepLR(3, 1)
    opt, _ = twin_optimizers()
    with pytest.raises(ValueError, match="step_size"):
        wb.optim.lr_scheduler.StepLR(opt, 0)
    with pytest.raises(ValueError, match="T_max"):
        wb.optim.lr_scheduler.CosineAnnealingLR(opt, 0)
    scheduler = wb.optim.lr_scheduler.OneCycleLR(opt, 0.1, total_steps=2)
    opt.step()
    scheduler.step()
    scheduler.step()
    with pytest.raises(ValueError, match="total steps"):
        scheduler.step()
