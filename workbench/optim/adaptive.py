"""Optimizers that scale each step by past gradients: RMSprop, Adagrad, Adadelta."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .optimizer import Optimizer, number, refuse


def _check(group: Mapping[str, Any], *names: tuple[str, str]) -> None:
    if not number(group["lr"]) >= 0:
        raise ValueError(f"Invalid learning rate: {group['lr']}")
    for name, label in (*names, ("eps", "epsilon"), ("weight_decay", "weight_decay")):
        if not group[name] >= 0:
            raise ValueError(f"Invalid {label} value: {group[name]}")
    refuse(group, "differentiable", "capturable")


def with_decay(xp: Any, group: dict[str, Any], p: Any, g: Any, decay: Any, scratch: Any) -> Any:
    """The gradient with `maximize` and weight decay in it; may use the second scratch array."""
    a, b = scratch
    if group["maximize"]:
        g = xp.negative(g, out=b)
    if group["weight_decay"]:
        xp.multiply(p, decay, out=a)
        g = xp.add(g, a, out=b)
    return g


class RMSprop(Optimizer):
    """Steps divided by the root of a running mean of squared gradients.

    v ← alpha v + (1-alpha) g²,  p ← p - lr · g / (√v + eps); `centered` subtracts the squared mean
    gradient from v (Graves, 2013). Tieleman and Hinton, lecture 6.5 of "Neural networks for
    machine learning", 2012. Raises ValueError for bad settings.
    """

    scalars = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        _check(group, ("momentum", "momentum"), ("alpha", "alpha"))

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The state arrays of this group's settings."""
        names = ["square_avg"]
        if group["momentum"] > 0:
            names.append("momentum_buffer")
        if group["centered"]:
            names.append("grad_avg")
        return tuple(names)

    def constants(
        self, group: dict[str, Any], step: float, fresh: bool, *more: float
    ) -> tuple[float, ...]:
        """The kernel's numbers at this step."""
        alpha = group["alpha"]
        return (
            number(group["lr"]), alpha, 1 - alpha, group["eps"], group["momentum"],
            group["weight_decay"],
        )  # fmt: skip

    def kernel(
        self,
        xp: Any,
        group: dict[str, Any],
        p: Any,
        g: Any,
        slots: list[Any],
        scratch: list[Any],
        numbers: Sequence[Any],
    ) -> None:
        """The update above, in place."""
        lr, alpha, share, eps, momentum, decay = numbers
        a, _ = scratch
        g = with_decay(xp, group, p, g, decay, scratch)
        square = slots[0]
        xp.multiply(square, alpha, out=square)
        xp.multiply(g, g, out=a)
        xp.multiply(a, share, out=a)
        xp.add(square, a, out=square)
        if group["centered"]:
            mean = slots[-1]
            xp.subtract(g, mean, out=a)
            xp.multiply(a, share, out=a)
            xp.add(mean, a, out=mean)
            xp.multiply(mean, mean, out=a)
            xp.subtract(square, a, out=a)
            xp.sqrt(a, out=a)
        else:
            xp.sqrt(square, out=a)
        xp.add(a, eps, out=a)
        xp.divide(g, a, out=a)
        if group["momentum"] > 0:
            buffer = slots[1]
            xp.multiply(buffer, momentum, out=buffer)
            xp.add(buffer, a, out=buffer)
            xp.multiply(buffer, lr, out=a)
        else:
            xp.multiply(a, lr, out=a)
        xp.subtract(p, a, out=p)


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients so far.

    s ← s + g²,  p ← p - lr / (1 + (t-1) lr_decay) · g / (√s + eps). Duchi, Hazan and Singer,
    "Adaptive subgradient methods", 2011. Raises ValueError for bad settings.
    """

    scalars = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        start = "initial_accumulator_value"
        _check(group, ("lr_decay", "lr_decay"), (start, start))

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The state arrays of this group's settings."""
        return ("sum",)

    def start(self, name: str, group: dict[str, Any]) -> float:
        """What a state array starts with."""
        return float(group["initial_accumulator_value"])

    def constants(
        self, group: dict[str, Any], step: float, fresh: bool, *more: float
    ) -> tuple[float, ...]:
        """The kernel's numbers at this step."""
        size = number(group["lr"]) / (1 + (step - 1) * group["lr_decay"])
        return (size, group["eps"], group["weight_decay"])

    def kernel(
        self,
        xp: Any,
        group: dict[str, Any],
        p: Any,
        g: Any,
        slots: list[Any],
        scratch: list[Any],
        numbers: Sequence[Any],
    ) -> None:
        """The update above, in place."""
        size, eps, decay = numbers
        a, _ = scratch
        g = with_decay(xp, group, p, g, decay, scratch)
        total = slots[0]
        xp.multiply(g, g, out=a)
        xp.add(total, a, out=total)
        xp.sqrt(total, out=a)
        xp.add(a, eps, out=a)
        xp.divide(g, a, out=a)
        xp.multiply(a, size, out=a)
        xp.subtract(p, a, out=p)


class Adadelta(Optimizer):
    """Steps scaled by the ratio of past steps' size to past gradients' size.

    v ← rho v + (1-rho) g²,  d = g √(u + eps) / √(v + eps),  u ← rho u + (1-rho) d²,  p ← p - lr d.
    Zeiler, "ADADELTA: an adaptive learning rate method", 2012. Raises ValueError for bad settings.
    """

    scalars = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        if not 0 <= group["rho"] <= 1:
            raise ValueError(f"Invalid rho value: {group['rho']}")
        _check(group)

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The state arrays of this group's settings."""
        return ("square_avg", "acc_delta")

    def constants(
        self, group: dict[str, Any], step: float, fresh: bool, *more: float
    ) -> tuple[float, ...]:
        """The kernel's numbers at this step."""
        rho = group["rho"]
        return (number(group["lr"]), rho, 1 - rho, group["eps"], group["weight_decay"])

    def kernel(
        self,
        xp: Any,
        group: dict[str, Any],
        p: Any,
        g: Any,
        slots: list[Any],
        scratch: list[Any],
        numbers: Sequence[Any],
    ) -> None:
        """The update above, in place."""
        lr, rho, share, eps, decay = numbers
        a, b = scratch
        g = with_decay(xp, group, p, g, decay, scratch)
        square, moved = slots
        xp.multiply(square, rho, out=square)
        xp.multiply(g, g, out=a)
        xp.multiply(a, share, out=a)
        xp.add(square, a, out=square)
        xp.add(square, eps, out=a)
        xp.sqrt(a, out=a)
        xp.divide(g, a, out=a)  # g is not needed any more: b is free from here on
        xp.add(moved, eps, out=b)
        xp.sqrt(b, out=b)
        xp.multiply(a, b, out=a)
        xp.multiply(a, a, out=b)
        xp.multiply(b, share, out=b)
        xp.multiply(moved, rho, out=moved)
        xp.add(moved, b, out=moved)
        xp.multiply(a, lr, out=a)
        xp.subtract(p, a, out=p)
