"""Everything an edit changes, as one value that is swapped in one piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from workbench import nn

from .graph import Graph


@dataclass(frozen=True, slots=True)
class Value:
    """What a layer puts out for one example: shape without the batch, dtype, cost in FLOPs."""

    shape: tuple[int, ...]
    dtype: Any
    flops: int = field(default=0, compare=False)

    @property
    def nbytes(self) -> int:
        """Memory of this output for one example, in bytes."""
        return prod(self.shape) * int(getattr(self.dtype, "itemsize", 4))


@dataclass(frozen=True)
class State:
    """The graph, the module of each node, and what each node (and the input) puts out.

    `kind` is (dtype, device) of the parameters when the values were found.
    """

    graph: Graph
    modules: Mapping[str, nn.Module]
    values: Mapping[str, Value]
    kind: tuple[Any, Any] = (None, None)

    def parameters(self) -> dict[int, nn.Parameter]:
        """The parameters of all layers, once each, by `id()`."""
        return {id(p): p for m in self.modules.values() for p in m.parameters()}

    def ordered_modules(self) -> Iterator[tuple[str, nn.Module]]:
        """(name, module) in the graph's order."""
        for node in self.graph:
            yield node.name, self.modules[node.id]

    def counts(self) -> tuple[int, int, int]:
        """Parameters, FLOPs per example, and bytes (parameters, buffers, one example's outputs)."""
        parameters = self.parameters().values()
        buffers = {id(b): b for m in self.modules.values() for b in m.buffers()}.values()
        held = sum(p.numel() * p.element_size() for p in (*parameters, *buffers))
        outputs = sum(value.nbytes for value in self.values.values())
        flops = sum(value.flops for id_, value in self.values.items() if id_ in self.graph.live)
        return sum(p.numel() for p in parameters), flops, held + outputs


def kind_of(modules: Mapping[str, nn.Module]) -> tuple[Any, Any]:
    """(dtype, device) of the first floating-point parameter; (None, None) without any."""
    for module in modules.values():
        for parameter in module.parameters():
            if parameter.dtype.is_floating_point:
                return parameter.dtype, parameter.device
    return None, None
