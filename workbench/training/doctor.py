"""What went wrong in a step, and where: the doctor is called when a step could not be finished.

Nothing here runs in a healthy step. A failed step has changed neither weights nor optimizer; the
doctor may run the forward pass again to look at each layer's output.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import numpy as np

from workbench.arrays import to_numpy
from workbench.tensor import Tensor, no_grad

from .batches import Batch
from .commands import user_line


@dataclass(frozen=True)
class RunError:
    """Why a run failed.

    `kind`: "data" (the batch), "weights", "forward", "loss" or "gradient" (not finite there), or
    "exception" (something raised). `layer` is the first bad layer's name, or None. `step` is the
    step that could not be taken: weights and optimizer are as after the one before.
    """

    kind: str
    message: str
    layer: str | None
    step: int
    exception: BaseException | None = field(default=None, repr=False, compare=False)
    traceback: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return self.message


class TrainingError(RuntimeError):
    """Raised by `train`, `wait` and `finished` when the run failed; `error` is its RunError."""

    def __init__(self, error: RunError) -> None:
        super().__init__(f"training stopped at step {error.step}: {error.message}")
        self.error = error


class NotFinite(ArithmeticError):
    """The loss or the gradient of a step is NaN or infinite. `where`: "loss" or "gradient"."""

    def __init__(self, where: str) -> None:
        super().__init__(f"the {where} is not finite")
        self.where = where


def examine(
    network: Any,
    batch: Batch | None,
    failure: BaseException,
    step: int,
    forward: Callable[[], Any],
    classes: list[str] | None = None,
) -> RunError:
    """Find the first cause of `failure`. `forward` repeats the forward pass on the batch."""
    names = layer_names(network)
    if batch is not None:
        found = _bad_data(batch)
        if found is not None:
            return RunError("data", found, None, step)
    if isinstance(failure, NotFinite):
        kind, message, layer = _not_finite(network, names, failure.where, forward)
        return RunError(kind, message, layer, step)
    layer = _layer_of(failure.__traceback__, names)
    text = "".join(traceback.format_exception(failure))
    message = f"{type(failure).__name__}: {failure}"
    if batch is not None and isinstance(failure, (IndexError, ValueError, RuntimeError)):
        labels = _bad_labels(network, batch, forward)
        if labels is not None:
            return RunError("data", labels, None, step, _bare(failure), text)
    elif batch is None:
        message = f"the data could not be read: {message}"
    if layer is not None and repr(layer) not in message and f"layer {layer}" not in message:
        message = f"layer {layer!r}: {message}"
    place = user_line(failure.__traceback__)
    if place:
        message = f"{message} ({place})"
    return RunError("exception" if batch is not None else "data", message, layer, step,
                    _bare(failure), text)  # fmt: skip


def layer_names(network: Any) -> dict[int, str]:
    """The name of each module within the network, by the module's id().

    Of a `Network` the layers' own names; inside them, and elsewhere, the dotted path.
    """
    names = {id(module): path for path, module in network.named_modules() if path}
    layers = getattr(network, "layers", None)
    if layers is not None and hasattr(layers, "values"):
        for layer in layers.values():
            module, name = getattr(layer, "module", None), getattr(layer, "name", None)
            if module is None or name is None:
                continue
            for path, inner in module.named_modules():
                names[id(inner)] = f"{name}.{path}" if path else name
    return names


def _bare(failure: BaseException) -> BaseException:
    # Its frames would keep the run alive (and its thread, when the cell is run again).
    seen: BaseException | None = failure
    while seen is not None:
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__
    return failure


def _layer_of(trace: TracebackType | None, names: dict[int, str]) -> str | None:
    """The innermost module of the network in whose code the exception was raised."""
    found = None
    while trace is not None:
        found = names.get(id(trace.tb_frame.f_locals.get("self")), found)
        trace = trace.tb_next
    return found


def _bad_data(batch: Batch) -> str | None:
    for what, tensors in (("input", batch.inputs), ("target", (batch.target,))):
        for tensor in tensors:
            array = to_numpy(tensor.array)
            if array.dtype.kind not in "fc" and "float" not in array.dtype.name:
                continue
            bad = ~np.isfinite(array.astype("complex128" if array.dtype.kind == "c" else "float64"))
            if not bad.any():
                continue
            rows = np.flatnonzero(bad.reshape(len(array), -1).any(axis=1)) if array.ndim else [0]
            value = "NaN" if np.isnan(array[bad].astype("complex128")).any() else "infinite values"
            more = f" and in {len(rows) - 1} more" if len(rows) > 1 else ""
            return (
                f"the data has {value} in the {what} of {_sample(batch, int(rows[0]))}{more}; "
                "mend the data and resume, or run.skip() leaves this batch out"
            )
    return None


def _bad_labels(network: Any, batch: Batch, forward: Callable[[], Any]) -> str | None:
    labels = to_numpy(batch.target.array)
    if labels.dtype.kind not in "iu" or not labels.size:
        return None
    try:
        with no_grad():
            output = forward()
    except Exception:  # noqa: BLE001 - then the labels are not what went wrong
        return None
    if not isinstance(output, Tensor) or output.ndim != labels.ndim + 1:
        return None
    outputs = int(output.shape[1])
    wrong = ((labels < 0) & (labels != -100)) | (labels >= outputs)
    if not wrong.any():
        return None
    row = int(np.argwhere(wrong)[0][0])
    label = labels[wrong].reshape(-1)[0]
    more = int(wrong.sum()) - 1
    return (
        f"label {label} of {_sample(batch, row)}{f' (and {more} more)' if more else ''} is out of "
        f"range: the network has {outputs} outputs, so labels go from 0 to {outputs - 1}; "
        f"give the last layer more outputs or mend the labels"
    )


def _sample(batch: Batch, row: int) -> str:
    if batch.indices is None:
        return f"sample {row} of the batch"
    return f"sample {int(batch.indices[row])} of the training data (row {row} of this batch)"


def _not_finite(
    network: Any, names: dict[int, str], where: str, forward: Callable[[], Any]
) -> tuple[str, str, str | None]:
    remedy = "lower the learning rate, clip gradients, or undo the last edit; then resume"
    for path, parameter in network.named_parameters():
        if not _finite(parameter.array):
            layer = _owner(network, names, parameter) or path.rpartition(".")[0] or None
            name = path.rpartition(".")[2]
            return (
                "weights",
                (
                    f"{name} of layer {layer!r} is not finite: an earlier update was too large; "
                    "replace the layer or load good weights, and lower the learning rate"
                ),
                layer,
            )
    if where == "gradient":
        # The backward pass goes from the last layer to the first: the last one is where it began.
        found = None
        for path, parameter in network.named_parameters():
            if parameter.grad is not None and not _finite(parameter.grad.array):
                found = _owner(network, names, parameter) or path.rpartition(".")[0]
        return (
            "gradient",
            f"the gradient is not finite, first (from the loss on) in layer {found!r}; {remedy}",
            found,
        )
    bad = _first_bad_output(network, names, forward)
    if bad is not None:
        return "forward", f"the output of layer {bad!r} is not finite; {remedy}", bad
    return (
        "loss",
        f"the loss is not finite although every layer's output is: check the targets; or {remedy}",
        None,
    )


def _owner(network: Any, names: dict[int, str], parameter: Any) -> str | None:
    for module in network.modules():
        if id(module) in names and any(p is parameter for p in module.parameters(recurse=False)):
            return names[id(module)]
    return None


def _first_bad_output(
    network: Any, names: dict[int, str], forward: Callable[[], Any]
) -> str | None:
    bad: list[str] = []

    def look(module: Any, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and not bad and not _finite(output.array):
            bad.append(names[id(module)])

    leaves = [m for m in network.modules() if id(m) in names and not list(m.children())]
    with _hooked(leaves, look), no_grad(), np.errstate(all="ignore"):
        forward()
    return bad[0] if bad else None


@contextmanager
def _hooked(modules: list[Any], hook: Callable[..., None]) -> Iterator[None]:
    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _finite(array: Any) -> bool:
    host = to_numpy(array)
    if host.dtype.kind not in "fc" and "float" not in host.dtype.name:
        return True
    return bool(np.isfinite(host if host.dtype.kind in "fc" else host.astype("float32")).all())
