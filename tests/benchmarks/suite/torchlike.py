"""The sides with torch's names: torch and workbench, eager and compiled, from one source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from suite.rows import Row
from suite.shared import weights

Step = Callable[[int], float]


class Job:
    """What a side does for one row: `step(i)` takes one step and returns its loss."""

    def __init__(self, step: Step, check: Callable[[], float] = lambda: 0.0) -> None:
        self.step = step
        self.check = check  # one more number that must agree: the chain's gradient


def missing(side: str) -> str | None:
    """Why the side cannot be had here, or None."""
    try:
        library = __import__("torch" if side.startswith("torch") else "workbench")
    except ImportError as error:
        return f"not installed ({error})"
    if side == "captured" and not hasattr(library, "compile"):
        return "this workbench has no wb.compile"
    return None


def job(row: Row, side: str, threads: int) -> Job:
    """The work of `row` for "torch", "torch.compile", "workbench" or "captured"."""
    if side.startswith("torch"):
        import torch as lib

        lib.set_num_threads(threads)
        compiled = lib.compile if side == "torch.compile" else None
        item = _torch_item
    else:
        import workbench as lib

        lib.set_num_threads(threads)
        compiled = lib.compile if side == "captured" else None
        item = _item
    make = {"chain": _chain, "infer": _infer, "train": _train}[row.mode]
    return make(row, lib, compiled, side, item)


def _item(loss: Any) -> float:
    return float(loss.item())


_torch_item = _item


def _tensor(lib: Any, array: np.ndarray) -> Any:
    return lib.from_numpy(array)


def _network(row: Row, lib: Any) -> Any:
    """The row's network with the first weights that all sides share."""
    settings, module = row.full(), row.module
    network = module.network(lib, settings)
    shapes = {name: tuple(p.shape) for name, p in network.named_parameters()}
    if shapes != module.shapes(settings):
        raise RuntimeError(f"{row.name}: parameters {shapes}, wanted {module.shapes(settings)}")
    values = weights(shapes)
    with lib.no_grad():
        for name, p in network.named_parameters():
            p.copy_(_tensor(lib, values[name]))
    return network


def _train(row: Row, lib: Any, compiled: Any, side: str, item: Any) -> Job:
    settings, module = row.full(), row.module
    network = _network(row, lib)
    name, options = module.OPTIMIZER
    optimizer = getattr(lib.optim, name)(network.parameters(), **options)
    pairs = [(_tensor(lib, x), _tensor(lib, y)) for x, y in module.batches(settings)]
    cross_entropy = lib.nn.functional.cross_entropy

    def forward(x: Any, y: Any) -> Any:
        return cross_entropy(network(x), y)

    update = optimizer.step
    if side == "torch.compile":  # its backward and its update are compiled too
        forward, update = compiled(forward), compiled(update)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        update()
        return loss

    if side == "captured":  # the whole step is one plan
        step = compiled(step)
    return Job(lambda i: item(step(*pairs[i % len(pairs)])))


def _infer(row: Row, lib: Any, compiled: Any, side: str, item: Any) -> Job:
    network = _network(row, lib).eval()
    inputs = [_tensor(lib, x) for x, _ in row.module.batches(row.full())]
    call = network if compiled is None else compiled(network)

    def step(i: int) -> float:
        with lib.inference_mode():
            return float(call(inputs[i % len(inputs)])[0, 0])

    return Job(step)


def _chain(row: Row, lib: Any, compiled: Any, side: str, item: Any) -> Job:
    settings, module = row.full(), row.module
    start, other = (_tensor(lib, array) for array in module.operands(settings))
    start.requires_grad_()

    def forward(start: Any, other: Any) -> Any:
        return module.chain(lib, settings, start, other)

    if side == "torch.compile":
        forward = compiled(forward)

    def step() -> Any:
        start.grad = None
        loss = forward(start, other)
        loss.backward()
        return loss

    if side == "captured":
        step = compiled(step)
    return Job(lambda i: item(step()), lambda: float(start.grad.abs().mean()))
