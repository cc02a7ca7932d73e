"""One training step: batch, forward, loss, backward, update, record. No threads here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.arrays.random import Generator, use
from workbench.tensor import Tensor, enable_grad, mark_written, no_grad
from workbench.tensor.capture import compile

from . import threads
from .batches import Batch, Feed
from .doctor import NotFinite, RunError, examine
from .metrics import Metric, measure
from .recorder import Recorder, Writer
from .statistics import LayerStatistics, exact_norm, is_sampled, layer_groups


@dataclass(slots=True)
class Result:
    """What one step gave; `epoch_ended` when its batch was the last of an epoch."""

    loss: float
    metrics: dict[str, float]
    epoch_ended: bool


class StepFailed(Exception):
    """A step could not be finished; `error` says why. Weights and optimizer are as before it."""

    def __init__(self, error: RunError) -> None:
        super().__init__(error.message)
        self.error = error


class StepLoop:
    """Takes steps, one at a time, on whatever thread calls `step`.

    The update comes last and only when loss and gradient are finite. Everything before it is
    undone when the step fails: buffers (batch norm's running means) and the random stream. So a
    failed step has not happened, and the next one tries the same batch again.
    """

    def __init__(
        self,
        network: Any,
        feed: Feed,
        loss: Callable[..., Any],
        optimizer: Any,
        recorder: Recorder,
        *,
        seed: int,
        metrics: Mapping[str, Metric],
        scheduler: Any | None = None,
        schedule_by: str = "step",
        clip_grad_norm: float | None = None,
    ) -> None:
        self.network = network
        self.feed = feed
        self.loss = loss
        self.optimizer = optimizer
        self.recorder = recorder
        self.metrics = dict(metrics)
        self.scheduler = scheduler
        self.schedule_by = schedule_by
        self.clip_grad_norm = clip_grad_norm
        self.generator = Generator().manual_seed(seed)
        self.step_count = 0
        self.layer_names: dict[str, str] = {}
        self._statistics: LayerStatistics
        self._buffers: list[Any]
        self._row: Writer | None = None
        self._row_metrics: tuple[str, ...] = ()
        self.compiled: Any = None
        self.refresh()

    def compile(self, enabled: bool) -> None:
        """Record the forward and backward passes once and replay them, or stop doing so."""
        self.compiled = compile(self._passes) if enabled else None

    def refresh(self) -> None:
        """Look at the network again: after an edit it has other parameters and buffers."""
        groups, self.layer_names = layer_groups(self.network)
        self._statistics = LayerStatistics(groups, self.network.parameters())
        self._buffers = list(self.network.buffers())
        self._row = None
        self._work = threads.forward_work(self.network)
        parameter = next(iter(self.network.parameters()), None)
        self.device = None if parameter is None else parameter.device

    def step(self) -> Result:
        """Take one step. Raises StepFailed when it could not be finished."""
        generator = self.generator
        threads.settle(self._work * (self.feed.batch_size or 1))
        batch: Batch | None = None
        stream = generator.state
        buffers = [(buffer, buffer.array.copy()) for buffer in self._buffers]
        # Overflow and NaN are found by looking at loss and gradient, with their cause; a warning
        # from the middle of an operation would only be noise.
        with use(generator), enable_grad(), np.errstate(all="ignore"):
            try:
                batch = self._on_device(self.feed.next())
                return self._attempt(batch)
            except BaseException as failure:
                self._take_back(stream, buffers)
                if not isinstance(failure, Exception):
                    raise  # an interrupt: the step has not happened
                error = self._examine(batch, failure)
                self._take_back(stream, buffers)
                self.optimizer.zero_grad()
        raise StepFailed(error)

    def _attempt(self, batch: Batch) -> Result:
        optimizer, statistics = self.optimizer, self._statistics
        if not self.network.training:
            self.network.train()
        output, loss = (self.compiled or self._passes)(batch.inputs, batch.target)
        value = float(loss.item())
        if not math.isfinite(value):
            raise NotFinite("loss")
        with no_grad():
            metrics = measure(self.metrics, output, batch.target)
        squares = statistics.gradient_squares()
        norm = self._gradient_norm(squares)
        limit = self.clip_grad_norm
        if limit is not None and norm > limit:
            scale = limit / (norm + 1e-6)  # torch's clip_grad_norm_ has the same 1e-6
            for parameter in statistics.parameters:
                if parameter.grad is not None:
                    parameter.grad.array *= scale
        sampled = is_sampled(self.step_count + 1)
        if sampled:
            statistics.before_update()
        optimizer.step()
        # From here on the step counts.
        self.step_count += 1
        ended = self.feed.commit()
        if self.scheduler is not None and (ended or self.schedule_by == "step"):
            self.scheduler.step()
        self._record(value, metrics, squares, sampled)
        return Result(value, metrics, ended)

    def _passes(self, inputs: tuple[Any, ...], target: Any) -> tuple[Any, Any]:
        """Forward and backward: what a plan holds when the run is compiled."""
        self.optimizer.zero_grad()
        output = self.network(*inputs)
        loss = self.loss(output, target)
        loss.backward()
        return output, loss

    def _gradient_norm(self, squares: list[float]) -> float:
        total = sum(squares)
        if math.isfinite(total):
            return math.sqrt(total)
        # float32's squares overflow from 1.8e19 on: such a gradient is huge, but finite.
        arrays = [p.grad.array for p in self._statistics.parameters if p.grad is not None]
        norm = exact_norm(arrays)
        if not math.isfinite(norm):
            raise NotFinite("gradient")
        return norm

    def _record(
        self, loss: float, metrics: dict[str, float], squares: list[float], sampled: bool
    ) -> None:
        statistics, step = self._statistics, self.step_count
        if self._row is None or self._row_metrics != tuple(metrics):
            self._row_metrics = tuple(metrics)
            gradients = [f"grad_norm:{layer}" for layer in statistics.layers]
            self._row = self.recorder.writer("step", ["loss", *metrics, *gradients])
        self._row.write(step, [loss, *metrics.values(), *statistics.by_layer(squares)])
        if sampled:
            norms, ratios = statistics.after_update()
            layers = statistics.layers
            keys = [f"weight_norm:{layer}" for layer in layers]
            keys += [f"update_ratio:{layer}" for layer in layers]
            self.recorder.writer("sample", keys).write(step, [*norms, *ratios])

    def _on_device(self, batch: Batch) -> Batch:
        device = self.device
        if device is None or batch.inputs[0].device == device == batch.target.device:
            return batch
        inputs = tuple(tensor.to(device) for tensor in batch.inputs)
        return Batch(inputs, batch.target.to(device), batch.indices)

    def _take_back(self, stream: dict[str, Any], buffers: list[tuple[Any, Any]]) -> None:
        self.generator.state = stream
        for buffer, values in buffers:
            buffer.array[...] = values
            mark_written(buffer)

    def _examine(self, batch: Batch | None, failure: Exception) -> RunError:
        def forward() -> Tensor:
            assert batch is not None
            return self.network(*batch.inputs)  # type: ignore[no-any-return]

        step = self.step_count + 1
        try:
            return examine(self.network, batch, failure, step, forward)
        except Exception as second:  # noqa: BLE001 - a diagnosis must not hide what it is about
            return RunError(
                "exception",
                f"{type(failure).__name__}: {failure} (and looking for the cause raised "
                f"{type(second).__name__}: {second})",
                None,
                step,
            )
