"""Relatives of Adam: Adamax, NAdam, RAdam."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .adaptive import with_decay
from .optimizer import Optimizer, number, refuse


def _check(group: Mapping[str, Any], *names: str) -> None:
    if not number(group["lr"]) >= 0:
        raise ValueError(f"Invalid learning rate: {group['lr']}")
    if not group["eps"] >= 0:
        raise ValueError(f"Invalid epsilon value: {group['eps']}")
    for i, beta in enumerate(group["betas"]):
        if not 0 <= number(beta) < 1:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
    for name in ("weight_decay", *names):
        if not group[name] >= 0:
            raise ValueError(f"Invalid {name} value: {group[name]}")
    refuse(group, "differentiable", "capturable")


def _mean(xp: Any, mean: Any, g: Any, share: Any, a: Any) -> None:
    """mean ← mean + share · (g - mean)."""
    xp.subtract(g, mean, out=a)
    xp.multiply(a, share, out=a)
    xp.add(mean, a, out=mean)


def _square(xp: Any, square: Any, g: Any, beta: Any, share: Any, a: Any) -> None:
    """square ← beta · square + share · g²."""
    xp.multiply(g, g, out=a)
    xp.multiply(a, share, out=a)
    xp.multiply(square, beta, out=square)
    xp.add(square, a, out=square)


class Adamax(Optimizer):
    """Adam with the largest recent gradient in place of the root of a mean of squares.

    m ← β1 m + (1-β1) g,  u ← max(β2 u, |g| + eps),  p ← p - lr / (1-β1ᵗ) · m / u. Kingma and Ba,
    "Adam: a method for stochastic optimization", 2014, section 7.1. Raises ValueError for bad
    settings.
    """

    scalars = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        _check(group)

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The state arrays."""
        return ("exp_avg", "exp_inf")

    def constants(
        self, group: dict[str, Any], step: float, fresh: bool, *more: float
    ) -> tuple[float, ...]:
        """The kernel's numbers at this step."""
        beta1, beta2 = (number(beta) for beta in group["betas"])
        size = number(group["lr"]) / (1 - beta1**step)
        return (1 - beta1, beta2, group["eps"], size, group["weight_decay"])

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
        share, beta2, eps, size, decay = numbers
        a, _ = scratch
        mean, top = slots
        g = with_decay(xp, group, p, g, decay, scratch)
        _mean(xp, mean, g, share, a)
        xp.abs(g, out=a)
        xp.add(a, eps, out=a)
        xp.multiply(top, beta2, out=top)
        xp.maximum(top, a, out=top)
        xp.divide(mean, top, out=a)
        xp.multiply(a, size, out=a)
        xp.subtract(p, a, out=p)


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: the step looks ahead along the mean gradient.

    With μₜ = β1 (1 - 0.96^(t·momentum_decay) / 2) and Πₜ the product of all μ so far:
    p ← p - lr · ((1-μₜ) g / (1-Πₜ) + μₜ₊₁ m / (1-Πₜ₊₁)) / (√v̂ + eps). Dozat, "Incorporating
    Nesterov momentum into Adam", 2016. Raises ValueError for bad settings.
    """

    scalars = ("step", "mu_product")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        _check(group, "momentum_decay")

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The state arrays."""
        return ("exp_avg", "exp_avg_sq")

    def scalar_start(self, name: str, group: dict[str, Any]) -> float:
        """The product of no momenta is 1."""
        return 1.0 if name == "mu_product" else 0.0

    def _momentum(self, group: dict[str, Any], step: Any) -> Any:
        decay = number(group["momentum_decay"])
        return number(group["betas"][0]) * (1 - 0.5 * 0.96 ** (step * decay))

    def constants(
        self, group: dict[str, Any], step: float, fresh: bool, *more: float
    ) -> tuple[float, ...]:
        """The kernel's numbers at this step."""
        beta1, beta2 = (number(beta) for beta in group["betas"])
        lr, decay = number(group["lr"]), group["weight_decay"]
        now, then = self._momentum(group, step), self._momentum(group, step + 1)
        product = float(np.float32(more[0]) * np.float32(now))  # kept in single precision
        root = math.sqrt(1 - beta2**step)
        shrink = 1 - lr * decay if group["decoupled_weight_decay"] else decay
        return (
            1 - beta1, beta2, 1 - beta2, group["eps"] * root,
            lr * (1 - now) / (1 - product) * root,
            lr * then / (1 - product * then) * root, shrink,
        )  # fmt: skip

    def finish(self, group: dict[str, Any], scalars: dict[str, Any], chosen: Any) -> None:
        """Multiply the products by this step's momenta."""
        steps = scalars["step"][chosen].astype(np.float64)
        scalars["mu_product"][chosen] *= self._momentum(group, steps).astype(np.float32)

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
        share1, beta2, share2, eps, of_g, of_mean, shrink = numbers
        a, b = scratch
        mean, square = slots
        g = decayed(xp, group, p, g, shrink, scratch)
        _mean(xp, mean, g, share1, a)
        _square(xp, square, g, beta2, share2, a)
        xp.multiply(g, of_g, out=b)
        xp.multiply(mean, of_mean, out=a)
        xp.add(b, a, out=b)
        xp.sqrt(square, out=a)
        xp.add(a, eps, out=a)
        xp.divide(b, a, out=b)
        xp.subtract(p, b, out=p)


def decayed(xp: Any, group: dict[str, Any], p: Any, g: Any, shrink: Any, scratch: Any) -> Any:
    """`with_decay`, or the weights themselves shrunk where the group's decay is decoupled."""
    if not group["decoupled_weight_decay"]:
        return with_decay(xp, group, p, g, shrink, scratch)
    if group["weight_decay"]:
        xp.multiply(p, shrink, out=p)
    return xp.negative(g, out=scratch[1]) if group["maximize"] else g


class RAdam(Optimizer):
    """Adam whose first steps, where v is known too badly, are plain momentum.

    With ρ∞ = 2 / (1-β2) - 1 and ρₜ = ρ∞ - 2t β2ᵗ / (1-β2ᵗ): above ρₜ = 5 Adam's step times
    √((ρₜ-4)(ρₜ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρₜ)), below it p ← p - lr · m̂. Liu et al., "On the variance of
    the adaptive learning rate and beyond", 2019. Raises ValueError for bad settings.
    """

    scalars = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        _check(group)

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The state arrays."""
        return ("exp_avg", "exp_avg_sq")

    def constants(
        self, group: dict[str, Any], step: float, fresh: bool, *more: float
    ) -> tuple[float, ...]:
        """The kernel's numbers at this step; one less while v does not count."""
        beta1, beta2 = (number(beta) for beta in group["betas"])
        lr, decay = number(group["lr"]), group["weight_decay"]
        rest = 1 - beta2**step
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * step * beta2**step / rest
        size = lr / (1 - beta1**step)
        shrink = 1 - lr * decay if group["decoupled_weight_decay"] else decay
        shares = (1 - beta1, beta2, 1 - beta2, shrink)
        if length <= 5:
            return (*shares, size)
        known = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)
        return (*shares, size * math.sqrt(known * rest), group["eps"])

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
        share1, beta2, share2, shrink, size, *eps = numbers
        a, _ = scratch
        mean, square = slots
        g = decayed(xp, group, p, g, shrink, scratch)
        _mean(xp, mean, g, share1, a)
        _square(xp, square, g, beta2, share2, a)
        if eps:
            xp.sqrt(square, out=a)
            xp.add(a, eps[0], out=a)
            xp.divide(mean, a, out=a)
            xp.multiply(a, size, out=a)
        else:
            xp.multiply(mean, size, out=a)
        xp.subtract(p, a, out=p)
