"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .optimizer import Optimizer, number, refuse


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square, corrected for their start.

    m ← β1 m + (1-β1) g,  v ← β2 v + (1-β2) g²,  p ← p - lr · m̂ / (√v̂ + eps). Kingma and Ba,
    "Adam: a method for stochastic optimization", 2014. `amsgrad` uses the largest v so far (Reddi
    et al., 2018); `decoupled_weight_decay` shrinks weights directly, as `AdamW` does.

    `foreach` and `fused` are accepted; every step is fused here. Raises ValueError for bad
    settings.
    """

    scalars = ("step",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        if not number(group["lr"]) >= 0:
            raise ValueError(f"Invalid learning rate: {group['lr']}")
        if not group["eps"] >= 0:
            raise ValueError(f"Invalid epsilon value: {group['eps']}")
        for i, beta in enumerate(group["betas"]):
            if not 0 <= number(beta) < 1:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        if len(group["betas"]) != 2:
            raise ValueError(f"betas must be two numbers, got {group['betas']}")
        if not group["weight_decay"] >= 0:
            raise ValueError(f"Invalid weight_decay value: {group['weight_decay']}")
        refuse(group, "differentiable", "capturable")

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The state arrays of this group's settings."""
        held = ("exp_avg", "exp_avg_sq")
        return (*held, "max_exp_avg_sq") if group["amsgrad"] else held

    def constants(
        self, group: dict[str, Any], step: float, fresh: bool, *more: float
    ) -> tuple[float, ...]:
        """The kernel's numbers at this step."""
        beta1, beta2 = (number(beta) for beta in group["betas"])
        lr, decay = number(group["lr"]), group["weight_decay"]
        root = math.sqrt(1 - beta2**step)
        # m̂ / (√v̂ + eps) = m · root / (1-β1ᵗ) / (√v + eps · root): one pass less
        size = lr / (1 - beta1**step) * root
        shrink = 1 - lr * decay if group["decoupled_weight_decay"] else decay
        return (1 - beta1, beta2, 1 - beta2, group["eps"] * root, size, shrink)

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
        share1, beta2, share2, eps, size, shrink = numbers
        a, b = scratch
        mean, square = slots[0], slots[1]
        if group["maximize"]:
            g = xp.negative(g, out=b)
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                xp.multiply(p, shrink, out=p)
            else:
                xp.multiply(p, shrink, out=a)
                g = xp.add(g, a, out=b)
        xp.subtract(g, mean, out=a)
        xp.multiply(a, share1, out=a)
        xp.add(mean, a, out=mean)
        xp.multiply(g, g, out=a)
        xp.multiply(a, share2, out=a)
        xp.multiply(square, beta2, out=square)
        xp.add(square, a, out=square)
        if group["amsgrad"]:
            square = xp.maximum(slots[2], square, out=slots[2])
        xp.sqrt(square, out=a)
        xp.add(a, eps, out=a)
        xp.divide(mean, a, out=a)
        xp.multiply(a, size, out=a)
        xp.subtract(p, a, out=p)


class AdamW(Adam):
    """Adam whose weight decay shrinks weights directly instead of adding to the gradient.

    p ← p · (1 - lr · weight_decay) before each Adam step. Loshchilov and Hutter, "Decoupled weight
    decay regularization", 2017. Raises ValueError for bad settings.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize,
            capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=True,
        )  # fmt: skip
