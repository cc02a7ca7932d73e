"""Optimizers of other kinds: ASGD (averages) and Rprop (signs)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .adaptive import with_decay
from .optimizer import Optimizer, number, refuse


class ASGD(Optimizer):
    """Gradient descent that also keeps the average of its weights, in the state's "ax".

    p ← p (1 - lambd ηₜ) - ηₜ g with ηₜ = lr / (1 + lambd · lr · t)^alpha; from step t0 on, ax is
    the running mean of p. Polyak and Juditsky, "Acceleration of stochastic approximation by
    averaging", 1992. Raises ValueError for bad settings.
    """

    scalars = ("step", "eta", "mu")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        if not number(group["lr"]) >= 0:
            raise ValueError(f"Invalid learning rate: {group['lr']}")
        if not group["weight_decay"] >= 0:
            raise ValueError(f"Invalid weight_decay value: {group['weight_decay']}")
        refuse(group, "differentiable", "capturable")

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The average."""
        return ("ax",)

    def scalar_start(self, name: str, group: dict[str, Any]) -> float:
        """The rate and the average's share of the first step."""
        return {"eta": number(group["lr"]), "mu": 1.0}.get(name, 0.0)

    def constants(
        self, group: dict[str, Any], step: float, fresh: bool, *more: float
    ) -> tuple[float, ...]:
        """The kernel's numbers at this step; one more once there is something to average."""
        eta, mu = more
        made = (eta, 1 - group["lambd"] * eta, group["weight_decay"])
        return made if mu == 1 else (*made, mu)

    def finish(self, group: dict[str, Any], scalars: dict[str, Any], chosen: Any) -> None:
        """Set the rate and the share of the next step."""
        step = scalars["step"][chosen].astype(np.float64)
        lr = number(group["lr"])
        scalars["eta"][chosen] = lr / (1 + group["lambd"] * lr * step) ** group["alpha"]
        scalars["mu"][chosen] = 1 / np.maximum(1, step - group["t0"])

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
        eta, shrink, decay, *mu = numbers
        a, _ = scratch
        g = with_decay(xp, group, p, g, decay, scratch)
        xp.multiply(p, shrink, out=p)
        xp.multiply(g, eta, out=a)
        xp.subtract(p, a, out=p)
        average = slots[0]
        if mu:
            xp.subtract(p, average, out=a)
            xp.multiply(a, mu[0], out=a)
            xp.add(average, a, out=average)
        else:
            average[...] = p


class Rprop(Optimizer):
    """Resilient backpropagation: each weight has a step of its own, and only signs count.

    A step grows by etas[1] where the gradient keeps its sign and shrinks by etas[0] where it
    changes (the weight then stays for once), within `step_sizes`. Riedmiller and Braun, "A direct
    adaptive method for faster backpropagation learning", 1993. For full batches. Raises ValueError
    for bad settings.
    """

    scalars = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        if not number(group["lr"]) >= 0:
            raise ValueError(f"Invalid learning rate: {group['lr']}")
        down, up = group["etas"]
        if not 0 < down < 1 < up:
            raise ValueError(f"Invalid eta values: {down}, {up}")
        refuse(group, "differentiable", "capturable")

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The last gradient and the steps."""
        return ("prev", "step_size")

    def start(self, name: str, group: dict[str, Any]) -> float:
        """Steps start at the learning rate."""
        return number(group["lr"]) if name == "step_size" else 0.0

    def constants(
        self, group: dict[str, Any], step: float, fresh: bool, *more: float
    ) -> tuple[float, ...]:
        """The kernel's numbers."""
        return (*group["etas"], *group["step_sizes"], 1.0, 0.0)

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
        down, up, least, most, one, nothing = numbers
        a, b = scratch
        before, size = slots
        if group["maximize"]:
            g = xp.negative(g, out=b)
        xp.multiply(g, before, out=a)
        turned = a < nothing
        xp.multiply(size, xp.where(a > nothing, up, xp.where(turned, down, one)), out=size)
        xp.clip(size, least, most, out=size)
        before[...] = xp.where(turned, nothing, g)
        xp.sign(before, out=a)
        xp.multiply(a, size, out=a)
        xp.subtract(p, a, out=p)
