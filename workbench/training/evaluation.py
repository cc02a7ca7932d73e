"""Looking at a network without changing it: losses and metrics on a split, predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.arrays import to_numpy
from workbench.arrays.random import fork
from workbench.tensor import Tensor, no_grad

from .batches import in_order
from .metrics import Metric, measure


@contextmanager
def evaluating(network: Any) -> Iterator[None]:
    """Evaluation mode without a tape inside the block; each module's own mode comes back after.

    Layers that draw random numbers even in evaluation mode draw from a stream of their own: the
    run's must not depend on how often somebody looks.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with no_grad(), fork(0), np.errstate(all="ignore"):
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def evaluate(
    network: Any,
    data: Any,
    loss: Callable[..., Any],
    metrics: Mapping[str, Metric],
    device: Any = None,
) -> dict[str, float]:
    """Loss and metrics over all of `data`: the means of the batches', weighted by their size."""
    totals: dict[str, float] = {}
    samples = 0
    with evaluating(network):
        for batch in in_order(data):
            inputs, target = _moved(batch.inputs, device), _moved((batch.target,), device)[0]
            output = network(*inputs)
            values = {"loss": float(loss(output, target).item())}
            values.update(measure(metrics, output, target))
            count = int(target.shape[0]) if target.ndim else 1
            samples += count
            for key, value in values.items():
                totals[key] = totals.get(key, 0.0) + value * count
    if not samples:
        raise ValueError("there is no data to evaluate on")
    return {key: total / samples for key, total in totals.items()}


@dataclass(frozen=True)
class Predictions:
    """A network's guesses on samples.

    `inputs` (n, …) and `true` int64 (n,) are the first `n` samples looked at, `probabilities`
    float32 (n, classes) their softmax, `guess` int64 (n,) the likeliest class. `confusion` int32
    (classes, classes) counts all samples looked at, true classes in rows. `split` is "test" or
    "train", `step` that of the run.
    """

    step: int
    split: str
    inputs: np.ndarray
    true: np.ndarray
    guess: np.ndarray
    probabilities: np.ndarray
    confusion: np.ndarray
    classes: list[str]


def predictions(
    network: Any,
    data: Any,
    n: int,
    limit: int,
    step: int = 0,
    split: str = "test",
    classes: list[str] | None = None,
    device: Any = None,
) -> Predictions:
    """The guesses on the first `n` samples and the confusion over the first `limit`.

    Raises TypeError when the network does not give a score for each class (N, classes), or the
    targets are not class numbers (N,).
    """
    inputs, true, scores = [], [], []
    seen = 0
    with evaluating(network):
        for batch in in_order(data, limit=limit):
            output = network(*_moved(batch.inputs, device))
            if (
                not isinstance(output, Tensor)
                or output.ndim != 2
                or batch.target.ndim != 1
                or batch.target.array.dtype.kind not in "iu"
            ):
                raise TypeError(
                    "predictions need scores (N, classes) and class numbers (N,) as targets"
                )
            if seen < n:
                inputs.append(to_numpy(batch.inputs[0].array)[: n - seen])
            seen += int(batch.target.shape[0])
            true.append(to_numpy(batch.target.array))
            scores.append(to_numpy(output.array).astype(np.float32))
            if seen >= limit:
                break
    labels, all_scores = np.concatenate(true), np.concatenate(scores)
    k = max(all_scores.shape[1], len(classes or []))
    guesses = all_scores.argmax(axis=1)
    known = (labels >= 0) & (labels < k)
    confusion = np.zeros((k, k), dtype=np.int32)
    np.add.at(confusion, (labels[known], guesses[known]), 1)
    n = min(n, len(labels))
    with np.errstate(all="ignore"):
        powers = np.exp(all_scores[:n] - all_scores[:n].max(axis=1, keepdims=True))
        probabilities = powers / powers.sum(axis=1, keepdims=True)
    return Predictions(
        step,
        split,
        np.concatenate(inputs)[:n],
        labels[:n].astype(np.int64),
        guesses[:n].astype(np.int64),
        probabilities.astype(np.float32),
        confusion,
        list(classes or map(str, range(k))),
    )


def _moved(tensors: tuple[Tensor, ...], device: Any) -> tuple[Tensor, ...]:
    if device is None or tensors[0].device == device:
        return tensors
    return tuple(tensor.to(device) for tensor in tensors)
