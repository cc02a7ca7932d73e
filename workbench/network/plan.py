"""What a forward pass does, worked out once per edit: no graph is walked while training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench import nn

from .construct import expression
from .graph import INPUT, Graph
from .names import quoted


class Plan:
    """The modules to call, in order.

    A chain is a tuple of modules. Otherwise each step is (module, where its inputs are, where its
    output goes); places are used again once nothing needs their value, so that what a forward
    without gradients has computed is freed as early as possible.
    """

    __slots__ = ("chain", "names", "output", "places", "steps")

    def __init__(self, graph: Graph, modules: Mapping[str, nn.Module]) -> None:
        live = [node for node in graph if node.id in graph.live]
        self.names = {id(modules[node.id]): node.name for node in live}
        self.chain: tuple[nn.Module, ...] | None = None
        self.steps: tuple[tuple[nn.Module, tuple[int, ...], int], ...] = ()
        self.places = 1
        self.output = 0
        before = INPUT
        for node in live:
            if node.inputs != (before,):
                break
            before = node.id
        else:
            self.chain = tuple(modules[node.id] for node in live)
            return
        last = {source: at for at, node in enumerate(live) for source in node.inputs}
        last[graph.output] = len(live)
        place = {INPUT: 0}
        free: list[int] = []
        steps = []
        for at, node in enumerate(live):
            reads = tuple(place[source] for source in node.inputs)
            free += [place.pop(s) for s in dict.fromkeys(node.inputs) if last[s] == at]
            if free:
                goes = free.pop()
            else:
                goes, self.places = self.places, self.places + 1
            place[node.id] = goes
            steps.append((modules[node.id], reads, goes))
        self.steps = tuple(steps)
        self.output = place[graph.output]

    def run(self, x: Any) -> Any:
        """The output for the input `x`, branches and all."""
        values = [x] * self.places
        module = None
        reads: tuple[int, ...] = ()
        try:
            for module, reads, goes in self.steps:
                if len(reads) == 1:
                    values[goes] = module(values[reads[0]])
                else:
                    values[goes] = module(*[values[at] for at in reads])
        except Exception as error:
            self.explain(error, module, [values[at] for at in reads])
            raise
        return values[self.output]

    def explain(self, error: Exception, module: nn.Module | None, inputs: list[Any]) -> None:
        """Add a note to an exception that says which layer raised it, and on what."""
        name = self.names.get(id(module))
        if module is None or name is None:
            return
        shapes = ", ".join(str(tuple(getattr(x, "shape", ()))) for x in inputs)
        note = f"in layer {quoted(name)}, {expression(module)}, on an input of shape {shapes}"
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
