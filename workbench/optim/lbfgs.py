"""L-BFGS: a quasi-Newton method for full batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import enable_grad, mark_written, wrap
from workbench.tensor.capture.active import as_effect

from .optimizer import Optimizer, number
from .wolfe import strong_wolfe


class LBFGS(Optimizer):
    """Limited-memory BFGS: directions from the last `history_size` changes of the gradient.

    A step evaluates `closure` up to `max_eval` times (default: max_iter * 5 / 4) in up to
    `max_iter` iterations, and ends early when the largest gradient is below `tolerance_grad` or
    progress below `tolerance_change`. `line_search_fn="strong_wolfe"` chooses each step's length;
    without it, it is `lr`. Nocedal and Wright, "Numerical optimization", 2nd edition, algorithm
    7.5. One group of real parameters. Raises ValueError for bad settings.
    """

    needs_closure = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def check(self, group: Mapping[str, Any]) -> None:
        """Raises ValueError naming a setting that is wrong."""
        if not number(group["lr"]) >= 0:
            raise ValueError(f"Invalid learning rate: {group['lr']}")

    @property
    def _params(self) -> list[Any]:
        return list(self.param_groups[0]["params"])

    def _flat_gradient(self) -> Any:
        parts = [
            namespace(p.array).zeros(p.array.size, p.array.dtype)
            if p.grad is None
            else p.grad.array.reshape(-1)
            for p in self._params
        ]
        return namespace(parts[0]).concatenate(parts)

    def _move(self, size: float, direction: Any) -> None:
        """Every parameter by `size` times its part of `direction`."""
        at = 0
        for p in self._params:
            n = p.array.size
            p.array[...] += (size * direction[at : at + n]).reshape(p.array.shape)
            mark_written(p)
            at += n

    def _put(self, values: list[Any]) -> None:
        for p, value in zip(self._params, values, strict=True):
            p.array[...] = value
            mark_written(p)

    @as_effect
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Minimize; returns the loss that `closure`, which computes loss and gradients, gave first.

        Raises TypeError without a closure, RuntimeError for a line search that is not known.
        """
        if closure is None:
            raise TypeError(
                "LBFGS.step() needs a closure that computes the loss and calls backward"
            )
        for hook in self._pre_hooks:
            hook(self, (closure,), {})
        first = self._minimize(closure)
        self._opt_called = True
        for hook in self._post_hooks:
            hook(self, (closure,), {})
        return first

    def _minimize(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        search = group["line_search_fn"]
        if search not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        own = self.state[self._params[0]]  # all state is the whole problem's
        own.setdefault("func_evals", 0)
        own.setdefault("n_iter", 0)

        def evaluate() -> tuple[Any, float]:
            with enable_grad():
                loss = closure()
            return loss, float(loss)

        first, loss = evaluate()
        own["func_evals"] += 1
        g = self._flat_gradient()
        if not g.size or float(abs(g).max()) <= group["tolerance_grad"]:
            return first
        evaluations, iterations = 1, 0
        lr = number(group["lr"])
        direction = _array(own.get("d"))
        size = own.get("t")
        steps, changes, weights = (
            own.get("old_stps", []),
            own.get("old_dirs", []),
            own.get("ro", []),
        )
        curvature = own.get("H_diag", 1)
        before, loss_before = _array(own.get("prev_flat_grad")), own.get("prev_loss")
        while iterations < group["max_iter"]:
            iterations += 1
            own["n_iter"] += 1
            if own["n_iter"] == 1:
                direction, steps, changes, weights, curvature = -g, [], [], [], 1
            else:
                y, s = g - before, direction * size
                ys = float(y @ s)
                if ys > 1e-10:  # else the curvature is not positive: keep what is known
                    if len(changes) == group["history_size"]:
                        del changes[0], steps[0], weights[0]
                    changes.append(wrap(y))
                    steps.append(wrap(s))
                    weights.append(1.0 / ys)
                    curvature = ys / float(y @ y)
                direction = _two_loops(g, steps, changes, weights, curvature)
            before, loss_before = g.copy(), loss
            size = min(1.0, 1.0 / float(abs(g).sum())) * lr if own["n_iter"] == 1 else lr
            slope = float(g @ direction)
            if slope > -group["tolerance_change"]:
                break
            count = 0
            if search is None:
                self._move(size, direction)
                if iterations != group["max_iter"]:
                    _, loss = evaluate()
                    g = self._flat_gradient()
                    count = 1
            else:
                start = [p.array.copy() for p in self._params]

                def along(length: float) -> tuple[float, Any]:
                    self._move(length, direction)  # noqa: B023
                    _, value = evaluate()
                    gradient = self._flat_gradient()
                    self._put(start)  # noqa: B023
                    return value, gradient

                loss, g, size, count = strong_wolfe(
                    along, size, direction, loss, g, slope, most=group["max_eval"] - evaluations
                )
                self._move(size, direction)
            evaluations += count
            own["func_evals"] += count
            if (
                evaluations >= group["max_eval"]
                or float(abs(g).max()) <= group["tolerance_grad"]
                or float(abs(direction * size).max()) <= group["tolerance_change"]
                or abs(loss - loss_before) < group["tolerance_change"]
            ):
                break
        own.update(
            d=wrap(direction), t=size, old_dirs=changes, old_stps=steps, ro=weights,
            H_diag=curvature, prev_flat_grad=None if before is None else wrap(before),
            prev_loss=loss_before,
        )  # fmt: skip
        return first


def _array(held: Any) -> Any:
    return None if held is None else held.array


def _two_loops(g: Any, steps: list[Any], changes: list[Any], weights: list[float], h: Any) -> Any:
    """Minus the inverse Hessian's estimate times the gradient (algorithm 7.4)."""
    q = -g
    shares = [0.0] * len(steps)
    for i in range(len(steps) - 1, -1, -1):
        shares[i] = float(steps[i].array @ q) * weights[i]
        q = q - shares[i] * changes[i].array
    r = (q * h).astype(np.dtype(g.dtype), copy=False)
    for i in range(len(steps)):
        r = r + (shares[i] - float(changes[i].array @ r) * weights[i]) * steps[i].array
    return r
