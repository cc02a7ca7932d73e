"""From what the user names (a loss, an optimizer, a schedule) to the object, and to its code."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from workbench import nn, optim

DEFAULT_LR = 1e-3


def make_loss(loss: Any) -> Callable[..., Any]:
    """The loss function of a module, a class, a name such as "MSELoss" or "mse_loss", or None.

    Raises ValueError for an unknown name, TypeError for something that cannot be called.
    """
    if loss is None:
        return nn.CrossEntropyLoss()
    if isinstance(loss, str):
        found = getattr(nn, loss, None) or getattr(nn.functional, loss, None)
        if found is None:
            losses = [name for name in dir(nn) if name.endswith("Loss")]
            raise ValueError(f"no loss {loss!r}{_hint(loss, losses)}")
        loss = found
    if isinstance(loss, type):
        loss = loss()
    if not callable(loss):
        raise TypeError(
            "loss must be a module such as nn.CrossEntropyLoss() or a function (output, target), "
            f"got {type(loss).__name__}"
        )
    return loss  # type: ignore[no-any-return]


def loss_name(loss: Any) -> str:
    """A short name to show."""
    return getattr(loss, "__name__", type(loss).__name__)


def loss_code(loss: Any) -> str | None:
    """Python that makes the loss, or None when it cannot be told."""
    if isinstance(loss, nn.Module):
        kind, text = type(loss), repr(loss)
        plain = "\n" not in text and text.startswith(f"{kind.__name__}(")
        # Settings that the repr does not show (weights, a reduction) would be lost in silence.
        if (
            getattr(nn, kind.__name__, None) is kind
            and plain
            and _settings(loss) == _settings(_fresh(kind))
        ):
            return f"wb.nn.{kind.__name__}()"
        return None
    name = getattr(loss, "__name__", "")
    if getattr(nn.functional, name, None) is loss:
        return f"wb.nn.functional.{name}"
    return None


def _fresh(kind: type) -> Any:
    try:
        return kind()
    except TypeError:
        return None


def _settings(module: Any) -> dict[str, Any]:
    if module is None:
        return {}
    return {
        key: value
        for key, value in vars(module).items()
        if not key.startswith("_")
        and isinstance(value, (str, int, float, bool, type(None)))
        and key != "training"
    } | {"buffers": [name for name, _ in module.named_buffers()]}


def optimizer_class(name: str) -> type[optim.Optimizer]:
    """The optimizer of that name, in any case. Raises ValueError for an unknown one."""
    classes = {
        key.lower(): value
        for key, value in vars(optim).items()
        if isinstance(value, type)
        and issubclass(value, optim.Optimizer)
        and value is not optim.Optimizer
    }
    try:
        return classes[name.lower()]
    except KeyError:
        known = [value.__name__ for value in classes.values()]
        raise ValueError(f"no optimizer {name!r}{_hint(name, known)}") from None


def make_optimizer(optimizer: Any, parameters: list[Any], lr: float | None) -> optim.Optimizer:
    """The optimizer from an instance, a class, a function of the parameters, or a name.

    `lr` None: 1e-3, or the instance's own. Raises ValueError when there is nothing to train or
    when an instance holds none of the parameters, TypeError for other things.
    """
    if not parameters:
        raise ValueError("the network has no parameters to train; add a layer such as nn.Linear")
    if not any(p.requires_grad for p in parameters):
        raise ValueError("every parameter is frozen: unfreeze a layer before training")
    if isinstance(optimizer, optim.Optimizer):
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if not any(id(p) in held for p in parameters):
            raise ValueError(
                "this optimizer holds no parameter of the network: make it from "
                "network.parameters(), after the network was built"
            )
        if lr is not None:
            for group in optimizer.param_groups:
                group["lr"] = lr
        return _one_loss(optimizer)
    if isinstance(optimizer, str):
        optimizer = optimizer_class(optimizer)
    if isinstance(optimizer, type):
        made = optimizer(parameters, lr=DEFAULT_LR if lr is None else lr)
    elif callable(optimizer):
        made = optimizer(parameters) if lr is None else optimizer(parameters, lr=lr)
    else:
        made = None
    if not isinstance(made, optim.Optimizer):
        raise TypeError(
            'optimizer must be a name such as "Adam", a class of wb.optim, a function of the '
            f"parameters, or an Optimizer; got {type(optimizer).__name__}"
        )
    return _one_loss(made)


def _one_loss(optimizer: optim.Optimizer) -> optim.Optimizer:
    if optimizer.needs_closure:
        raise TypeError(
            f"{type(optimizer).__name__} computes the loss several times a step; a run computes "
            "it once. Use it in a loop of your own: optimizer.step(closure)"
        )
    return optimizer


def optimizer_code(optimizer: optim.Optimizer, network: str = "net") -> str | None:
    """Python that makes a new optimizer with these settings, or None when it cannot be told."""
    kind = type(optimizer)
    if getattr(optim, kind.__name__, None) is not kind:
        return None
    arguments = []
    for name, parameter in list(inspect.signature(kind).parameters.items())[1:]:
        value = optimizer.defaults.get(name, parameter.default)
        if name == "lr" or value != parameter.default:
            arguments.append(f"{name}={value!r}")
    return f"wb.optim.{kind.__name__}({', '.join([f'{network}.parameters()', *arguments])})"


def make_scheduler(scheduler: Any, optimizer: optim.Optimizer) -> Any | None:
    """The schedule of the rate: an instance for this optimizer, or a function that makes one.

    Raises ValueError when it belongs to another optimizer, TypeError when it has no `step`.
    """
    if scheduler is None:
        return None
    if not hasattr(scheduler, "step") or isinstance(scheduler, type):
        if not callable(scheduler):
            raise TypeError(
                "scheduler must be an lr_scheduler or a function such as "
                "lambda opt: wb.optim.lr_scheduler.StepLR(opt, 10)"
            )
        scheduler = scheduler(optimizer)
    if not hasattr(scheduler, "step"):
        raise TypeError(f"scheduler made a {type(scheduler).__name__}, which has no step()")
    if getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise ValueError(
            "the scheduler belongs to another optimizer; give the run both, or a function that "
            "makes the scheduler: lambda opt: wb.optim.lr_scheduler.StepLR(opt, 10)"
        )
    return scheduler


def set_rate(optimizer: optim.Optimizer, scheduler: Any | None, lr: float) -> None:
    """Set the rate of the first parameter group; others keep their proportion to it.

    A schedule goes on from the new rate: its base rates are scaled alike.
    """
    first = float(optimizer.param_groups[0]["lr"])
    factor = lr / first if first > 0 else None
    for group in optimizer.param_groups:
        group["lr"] = float(group["lr"]) * factor if factor is not None else lr
        if factor is not None and "initial_lr" in group:
            group["initial_lr"] *= factor
    # lr / first * first may be off by a rounding error
    optimizer.param_groups[0]["lr"] = lr
    if factor is not None and scheduler is not None and hasattr(scheduler, "base_lrs"):
        scheduler.base_lrs = [base * factor for base in scheduler.base_lrs]


def _hint(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(known))}"


def check_count(name: str, value: Any) -> None:
    """Raises TypeError or ValueError unless `value` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")


def check_rate(lr: Any) -> float:
    """A learning rate as a float. Raises TypeError or ValueError unless finite and not negative."""
    if isinstance(lr, (bool, str)) or not hasattr(lr, "__float__"):
        raise TypeError(f"the learning rate must be a number, got {lr!r}")
    lr = float(lr)
    if not (math.isfinite(lr) and lr >= 0):
        raise ValueError(f"the learning rate must be finite and not negative, got {lr}")
    return lr
