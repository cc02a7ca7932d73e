"""Optimizers that look at a parameter as a matrix: Adafactor and Muon; and SparseAdam's name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import mark_written, wrap

from .optimizer import Optimizer, number


def _refuse_below_zero(group: Mapping[str, Any], *names: str) -> None:
    if not number(group["lr"]) >= 0:
        raise ValueError(f"Learning rate should be >= 0 but is: {group['lr']}")
    for name in (*names, "weight_decay"):
        if not group[name] >= 0:
            raise ValueError(f"{name} should be >= 0 but is: {group[name]}")


class Adafactor(Optimizer):
    """Adam's second moment, kept as a row and a column: memory grows with sides, not with areas.

    The rows' and columns' mean squares are running means with share tᵝ (`beta2_decay`); their
    product over its mean stands for v. Updates are clipped to root mean square `d` and scaled by
    the parameter's own size. Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear
    memory cost", 2018. Raises ValueError for bad settings, RuntimeError for complex parameters.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        _refuse_below_zero(group)
        if not group["beta2_decay"] <= 0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {group['beta2_decay']}")
        if group["eps"][0] is not None and not group["eps"][0] >= 0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {group['eps'][0]}")
        if not group["eps"][1] >= 0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {group['eps'][1]}")
        if not group["d"] >= 1:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {group['d']}")

    def _update(self, group: dict[str, Any]) -> None:
        for p in group["params"]:
            if p.grad is None:
                continue
            array, g = p.array, p.grad.array
            if array.dtype.kind == "c":
                raise RuntimeError("Adafactor does not support complex parameters")
            xp = namespace(array)
            own = self.state[p]
            if "step" not in own:
                own["step"] = wrap(np.zeros((), np.float32))
            if g.ndim > 1 and "row_var" not in own:
                own["row_var"] = wrap(xp.zeros((*g.shape[:-1], 1), array.dtype))
                own["col_var"] = wrap(xp.zeros((*g.shape[:-2], 1, g.shape[-1]), array.dtype))
            if g.ndim <= 1 and "variance" not in own:
                own["variance"] = wrap(xp.zeros_like(array))
            own["step"].array[...] += 1
            self._one(xp, group, array, -g if group["maximize"] else g, own)
            mark_written(p)

    @staticmethod
    def _one(xp: Any, group: dict[str, Any], p: Any, g: Any, own: dict[str, Any]) -> None:
        step, lr = float(own["step"].array), number(group["lr"])
        least, scale = group["eps"]
        least = float(np.finfo(p.dtype).eps) if least is None else least
        share = step ** group["beta2_decay"]
        size = max(scale, _root_mean_square(xp, p)) * min(lr, 1 / math.sqrt(step))
        if group["weight_decay"]:
            p *= 1 - lr * group["weight_decay"]
        if g.ndim > 1:
            rows, columns = own["row_var"].array, own["col_var"].array
            square = g * g
            rows += (square.mean(-1, keepdims=True) - rows) * share
            columns += (square.mean(-2, keepdims=True) - columns) * share
            guess = xp.matmul(rows, columns)
            guess /= xp.maximum(rows.mean(-2, keepdims=True), least)
        else:
            held = own["variance"].array
            held += (g * g - held) * share
            guess = held.copy()
        change = g / xp.sqrt(xp.maximum(guess, least * least))
        p -= change * (size / max(1.0, _root_mean_square(xp, change) / group["d"]))


def _root_mean_square(xp: Any, x: Any) -> float:
    return math.sqrt(float((x * x).sum()) / max(x.size, 1))


class Muon(Optimizer):
    """Momentum whose step is made orthogonal: all directions of a matrix learn equally fast.

    The step is the nearest matrix with orthonormal rows (or columns), found by `ns_steps`
    Newton-Schulz iterations X ← aX + (bA + cA²)X with A = XXᵀ. For hidden weights, which are
    matrices; give biases and embeddings to AdamW. Jordan et al., "Muon: an optimizer for hidden
    layers in neural networks", 2024. The iterations run in float32 (torch's in bfloat16).

    Raises ValueError for bad settings and for parameters that are no matrices.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        _refuse_below_zero(group, "momentum")
        if group["adjust_lr_fn"] not in (None, "original", "match_rms_adamw"):
            raise ValueError(
                f"Adjust learning rate function {group['adjust_lr_fn']} is not supported"
            )
        for p in group.get("params", ()):
            if p.ndim != 2:
                raise ValueError(
                    "Muon only supports 2D parameters whereas we found a parameter with size: "
                    f"{p.shape}"
                )

    def _update(self, group: dict[str, Any]) -> None:
        momentum, lr = group["momentum"], number(group["lr"])
        for p in group["params"]:
            if p.grad is None:
                continue
            array, g = p.array, p.grad.array
            xp = namespace(array)
            own = self.state[p]
            if "momentum_buffer" not in own:
                own["momentum_buffer"] = wrap(xp.zeros_like(array))
            buffer = own["momentum_buffer"].array
            buffer += (g - buffer) * (1 - momentum)
            change = g + (buffer - g) * momentum if group["nesterov"] else buffer
            change = _orthogonal(xp, change, group)
            rows, columns = array.shape
            if group["adjust_lr_fn"] == "match_rms_adamw":
                size = lr * 0.2 * math.sqrt(max(rows, columns))
            else:
                size = lr * math.sqrt(max(1, rows / columns))
            array *= 1 - lr * group["weight_decay"]
            array -= (change * size).astype(array.dtype)
            mark_written(p)


def _orthogonal(xp: Any, change: Any, group: dict[str, Any]) -> Any:
    """The orthogonal matrix near `change`, nearly: its singular values are between 0.7 and 1.2."""
    a, b, c = group["ns_coefficients"]
    x = change.astype(np.float32)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / max(math.sqrt(float((x * x).sum())), group["eps"])
    for _ in range(group["ns_steps"]):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    return x.T if tall else x


class SparseAdam(Optimizer):
    """Adam for sparse gradients; the name is here for programs that mention it.

    Gradients are dense here, so `step` raises RuntimeError as torch does for dense ones: use Adam.
    Raises ValueError for bad settings.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        if not number(group["lr"]) > 0:
            raise ValueError(f"Invalid learning rate: {group['lr']}")
        if not group["eps"] > 0:
            raise ValueError(f"Invalid epsilon value: {group['eps']}")
        for i, beta in enumerate(group["betas"]):
            if not 0 <= number(beta) < 1:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}")

    def _update(self, group: dict[str, Any]) -> None:
        if any(p.grad is not None for p in group["params"]):
            raise RuntimeError(
                "SparseAdam does not support dense gradients, please consider Adam instead"
            )
