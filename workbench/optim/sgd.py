"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .optimizer import Optimizer, number, refuse


class SGD(Optimizer):
    """Gradient descent, with momentum (Polyak's, or Nesterov's) and weight decay.

    b ← momentum · b + (1 - dampening) · g,  p ← p - lr · b, where b starts as the first gradient
    and g includes weight_decay · p. Sutskever et al., "On the importance of initialization and
    momentum in deep learning", 2013.

    `foreach` and `fused` are accepted; every step is fused here. Raises ValueError for bad
    settings.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        if not number(group["lr"]) >= 0:
            raise ValueError(f"Invalid learning rate: {group['lr']}")
        if not group["momentum"] >= 0:
            raise ValueError(f"Invalid momentum value: {group['momentum']}")
        if not group["weight_decay"] >= 0:
            raise ValueError(f"Invalid weight_decay value: {group['weight_decay']}")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        refuse(group, "differentiable")

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The state arrays of this group's settings."""
        return ("momentum_buffer",) if group["momentum"] else ()

    def constants(
        self, group: dict[str, Any], step: float, fresh: bool, *more: float
    ) -> tuple[float, ...]:
        """The kernel's numbers at this step."""
        share = 1.0 if fresh else 1 - group["dampening"]
        return (number(group["lr"]), group["momentum"], share, group["weight_decay"])

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
        lr, momentum, share, decay = numbers
        a, b = scratch
        if group["maximize"]:
            g = xp.negative(g, out=a)
        if group["weight_decay"]:
            xp.multiply(p, decay, out=b)
            g = xp.add(g, b, out=a)
        if slots:
            buffer = slots[0]
            xp.multiply(buffer, momentum, out=buffer)
            if group["dampening"]:
                xp.multiply(g, share, out=b)
                xp.add(buffer, b, out=buffer)
            else:
                xp.add(buffer, g, out=buffer)
            if group["nesterov"]:
                xp.multiply(buffer, momentum, out=b)
                g = xp.add(g, b, out=b)
            else:
                g = buffer
        xp.multiply(g, lr, out=b)
        xp.subtract(p, b, out=p)
