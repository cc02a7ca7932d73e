"""An edit in the making: the graph and modules there would be, before anything is changed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench import nn

from .errors import EditError, EditTypeError, UnknownLayerError
from .graph import INPUT, Graph, Node
from .joins import Join
from .names import near, quoted
from .state import State, Value


@dataclass
class Context:
    """What an edit may know when it is drafted.

    state: the network as it is. network: the module it belongs to. next_id: the id a new layer
    will get. draw(): a seed, the same until the next edit is applied. gone(reference): what the
    log says about a layer that is no more.
    """

    state: State
    next_id: str
    draw: Callable[[], int]
    gone: Callable[[str], str | None]
    network: nn.Module

    @property
    def graph(self) -> Graph:
        """The graph as it is."""
        return self.state.graph

    def node(self, reference: object) -> Node:
        """The node with this name or id.

        Raises UnknownLayerError that names similar layers, or says when the layer was removed.
        """
        if not isinstance(reference, str):
            raise EditTypeError(
                f"a layer is called by its name or id, got {type(reference).__name__}"
            )
        found = self.graph.find(reference)
        if found is not None:
            return found
        if reference == INPUT:
            raise EditError("the input of the network is not a layer and cannot be edited")
        gone = self.gone(reference)
        if gone is not None:
            raise UnknownLayerError(
                f"the layer {quoted(reference)} is no longer in the network: {gone}",
                layer=reference,
            )
        likely = near(reference, self.graph.names)
        known = ", ".join(map(quoted, self.graph.names[:12])) or "none yet"
        raise UnknownLayerError(
            f"there is no layer {quoted(reference)}; the layers are {known}"
            + (" …" if len(self.graph) > 12 else ""),
            layer=reference,
            fix=" or ".join(repr(name) for name in likely) or None,
        )

    def source(self, reference: object) -> str:
        """The id of a layer or of the input. Raises like `node`."""
        return INPUT if reference == INPUT else self.node(reference).id

    def shape(self, id: str) -> Value:
        """What a layer or the input puts out."""
        return self.state.values[id]


@dataclass
class Draft:
    """What the network would be after an edit.

    Attributes:
        graph, modules: as they would be; `modules` holds the real modules.
        stand_ins: modules to run instead of the real ones in the dry run, by id.
        touched: ids whose output must be computed anew.
        fresh: ids of layers that the edit brings.
        finish: what to do to the new modules just before they join.
        flags: (parameter, requires_grad) to set.
        join: parameters that an optimizer shall train though they are not new.
        share: (old, new) modules; the new one takes over the old one's parameters and buffers.
        kept: names of layers whose weights and optimizer state stay though they are replaced.
        notes: what else should be said.
        focus: id of the layer the edit is about.
        adapt: seed for layers that are remade to fit, or None when that is not wanted.
        adapted: what was remade: id → expression.
        values: what each layer puts out, found by the dry run.
    """

    graph: Graph
    modules: dict[str, nn.Module]
    focus: str
    touched: set[str] = field(default_factory=set)
    fresh: set[str] = field(default_factory=set)
    stand_ins: dict[str, nn.Module] = field(default_factory=dict)
    finish: list[Callable[[], Any]] = field(default_factory=list)
    flags: list[tuple[nn.Parameter, bool]] = field(default_factory=list)
    join: list[nn.Parameter] = field(default_factory=list)
    share: list[tuple[nn.Module, nn.Module]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    adapt: int | None = None
    adapted: dict[str, str] = field(default_factory=dict)
    values: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, state: State, focus: str) -> Draft:
        """A draft that changes nothing yet."""
        return cls(state.graph, dict(state.modules), focus)

    def runnable(self, id: str) -> nn.Module:
        """The module to try in the place of `id`."""
        return self.stand_ins.get(id, self.modules[id])


def arity(module: nn.Module) -> tuple[int, int | None]:
    """The least and the largest number of inputs a module takes (None: any number)."""
    if isinstance(module, Join):
        return 1, None
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return 1, None
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    least = sum(p.default is p.empty for p in positional)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return max(least, 1), None
    return max(least, 1), len(positional)


def check_arity(name: str, module: nn.Module, count: int) -> None:
    """Raises EditError when the module does not take `count` inputs."""
    least, most = arity(module)
    if least <= count and (most is None or count <= most):
        return
    many = (
        f"{least}" if most == least else f"{least} or more" if most is None else f"{least}-{most}"
    )
    plural = "" if many == "1" else "s"
    fix = "join them first with wb.network.Add() or wb.network.Concat()" if most == 1 else None
    if count < least:
        fix = f"inputs=[{', '.join(['…'] * least)}]"
    raise EditError(
        f"layer {quoted(name)} ({type(module).__name__}) takes {many} input{plural}, not {count}",
        layer=name,
        got=f"{count} inputs",
        wanted=f"{many} input{plural}",
        fix=fix,
    )
