"""Norms of gradients, weights and updates, layer by layer, cheaply.

Each step needs the norm of the whole gradient anyway, to refuse an update that is not finite. The
squares are summed parameter by parameter, which gives the norms by layer for nothing. Weight norms
and update ratios ‖Δw‖ / ‖w‖ need a copy of the weights: they are taken on some steps only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workbench.arrays import namespace, to_numpy

SAMPLE_EVERY = 10  # steps between two samples of weights and updates, after the first ten


def is_sampled(step: int) -> bool:
    """Whether weights and updates are measured in `step` (counted from 1).

    By step, not by the clock: the same run twice records the same.
    """
    return step <= SAMPLE_EVERY or step % SAMPLE_EVERY == 0


def layer_groups(network: Any) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """The parameters of each layer by its id, and the layers' names by id.

    A `Network` has ids of its own; of another module the children count as layers, by name, and
    parameters of the module itself as the layer "self". Layers without parameters are left out.
    """
    layers = getattr(network, "layers", None)
    if isinstance(layers, Mapping) and all(hasattr(layer, "id") for layer in layers.values()):
        found = [(layer.id, layer.name, layer.module) for layer in layers.values()]
        own: list[Any] = []
    else:
        found = [(name, name, child) for name, child in network.named_children()]
        own = list(network.parameters(recurse=False))
    groups = {key: list(module.parameters()) for key, _, module in found}
    names = {key: name for key, name, _ in found}
    if own:
        groups["self"], names["self"] = own, type(network).__name__
    groups = {key: parameters for key, parameters in groups.items() if parameters}
    return groups, {key: names[key] for key in groups}


class LayerStatistics:
    """Measures the parameters of one network; make a new one after an edit."""

    def __init__(self, groups: Mapping[str, Sequence[Any]], others: Iterable[Any] = ()) -> None:
        """`others`: parameters that count for the whole gradient and belong to no layer."""
        unique: dict[int, Any] = {}
        for parameter in [p for group in groups.values() for p in group] + list(others):
            unique.setdefault(id(parameter), parameter)
        place = {key: index for index, key in enumerate(unique)}
        self.parameters = list(unique.values())
        self.layers = list(groups)
        # Parameters shared by layers count in each of them, once in the whole.
        self._members = [sorted({place[id(p)] for p in group}) for group in groups.values()]
        self._before: list[Any] = []

    def gradient_squares(self) -> list[float]:
        """‖g‖² for each parameter; 0 where there is no gradient (frozen, or not used)."""
        return _squares([None if p.grad is None else p.grad.array for p in self.parameters])

    def by_layer(self, squares: Sequence[float]) -> list[float]:
        """The norm of each layer from the squares of its parameters."""
        return [math.sqrt(sum(squares[i] for i in members)) for members in self._members]

    def before_update(self) -> None:
        """Remember the weights for `after_update`."""
        arrays = [p.array for p in self.parameters]
        held = self._before
        if len(held) != len(arrays) or any(
            a.shape != b.shape or a.dtype != b.dtype or type(a) is not type(b)
            for a, b in zip(arrays, held, strict=True)
        ):
            self._before = [array.copy() for array in arrays]
            return
        # Written over each time: fresh memory of this size costs more than the copy itself.
        for array, old in zip(arrays, held, strict=True):
            old[...] = array

    def after_update(self) -> tuple[list[float], list[float]]:
        """For each layer ‖w‖ and ‖Δw‖ / ‖w‖ since `before_update` (NaN where ‖w‖ is 0)."""
        weights = [p.array for p in self.parameters]
        norms = self.by_layer(_squares(weights))
        for now, old in zip(weights, self._before, strict=True):
            namespace(now).subtract(now, old, out=old)
        changes = self.by_layer(_squares(self._before))
        ratios = [c / w if w > 0 else math.nan for c, w in zip(changes, norms, strict=True)]
        return norms, ratios


def _squares(arrays: Sequence[Any]) -> list[float]:
    """The sum of |x|² over each array. One trip from the device for all of them together."""
    sums: list[Any] = []
    for array in arrays:
        if array is None:
            sums.append(0.0)
            continue
        if array.dtype.itemsize < 4:  # float16 overflows at a norm of 256, and bfloat16 rounds
            array = array.astype("float32")
        xp = namespace(array)
        sums.append(xp.vdot(array, array).real)
    if any(getattr(total, "ndim", 0) == 0 and hasattr(total, "get") for total in sums):
        xp = namespace(next(total for total in sums if hasattr(total, "get")))
        return [float(x) for x in to_numpy(xp.stack([xp.asarray(total) for total in sums]))]
    return [float(total) for total in sums]


def exact_norm(arrays: Iterable[Any]) -> float:
    """The norm over all arrays in float64: finite also where float32's square is not."""
    total = 0.0
    for array in arrays:
        wide = abs(to_numpy(array)).astype("float64").reshape(-1)
        total += float(wide @ wide)
    return math.sqrt(total)
