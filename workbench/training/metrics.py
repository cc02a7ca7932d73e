"""What is measured of the outputs besides the loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from workbench.arrays import to_numpy
from workbench.tensor import Tensor

Metric = Callable[[Tensor, Tensor], float]


def accuracy(output: Tensor, target: Tensor) -> float:
    """The share of samples whose largest output is at the target's class, 0 … 1.

    `output` (N, classes, …) scores, `target` (N, …) class numbers.
    """
    right = output.array.argmax(axis=1) == target.array
    return float(right.sum()) / max(1, right.size)


def accuracy_applies(output: Tensor, target: Tensor) -> bool:
    """Whether these are scores and class numbers at all (and not a regression)."""
    return target.array.dtype.kind in "iu" and output.ndim == target.ndim + 1


METRICS: dict[str, Metric] = {"accuracy": accuracy}


def named_metrics(metrics: Iterable[Any] | Mapping[str, Metric] | None) -> dict[str, Metric]:
    """Metrics by name, from names, functions, or a dict of functions `(output, target) -> float`.

    Raises ValueError for an unknown name, TypeError for something else.
    """
    if metrics is None:
        return {}
    if isinstance(metrics, str) or callable(metrics):
        metrics = (metrics,)
    if isinstance(metrics, Mapping):
        for name, metric in metrics.items():
            if not callable(metric):
                raise TypeError(f"metric {name!r} must be a function (output, target) -> float")
        return dict(metrics)
    found: dict[str, Metric] = {}
    for metric in metrics:
        if isinstance(metric, str):
            if metric not in METRICS:
                known = ", ".join(METRICS)
                raise ValueError(
                    f"no metric {metric!r}; there is {known}, or give a function "
                    "(output, target) -> float"
                )
            found[metric] = METRICS[metric]
        elif callable(metric):
            found[getattr(metric, "__name__", type(metric).__name__)] = metric
        else:
            raise TypeError(
                "metrics must be names or functions (output, target) -> float, got "
                f"{type(metric).__name__}"
            )
    if "loss" in found:
        raise ValueError("a metric cannot be called 'loss': that name is the loss's own")
    return found


def measure(metrics: Mapping[str, Metric], output: Tensor, target: Tensor) -> dict[str, float]:
    """The value of every metric that applies to these tensors."""
    values = {}
    for name, metric in metrics.items():
        if metric is accuracy and not accuracy_applies(output, target):
            continue
        value = metric(output, target)
        values[name] = float(to_numpy(value.array)) if isinstance(value, Tensor) else float(value)
    return values
