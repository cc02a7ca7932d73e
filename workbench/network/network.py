"""Network: a graph of named layers that can be changed while it learns."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from workbench import nn
from workbench.arrays import as_dtype, get_default_dtype, random

from .bring import LayerLike
from .code import print_code
from .draft import Context
from .editing import Editing
from .edits import Edit, Freeze, Insert, Remove, Rename, Replace, Rewire
from .graph import INPUT, Graph
from .history import LogEntry, what_became
from .layer import Layer
from .plan import Plan
from .preview import EditResult
from .shadow import clone, shadow
from .state import State, Value, kind_of
from .summary import describe, graph_dict, table


class Network(Editing):
    """A network of named layers, an nn.Module like any other, that can be edited at any time.

    Its forward takes (N, *input_shape) and runs the layers in the order of the graph; its
    state_dict has the layers' names. Every change is checked before it is made, carries the
    optimizers it knows (`track`) along, and can be undone.

        net = wb.Network((1, 8, 8), name="digits")
        net.append(nn.Flatten())
        net.append(nn.Linear(64, 10))
        net.insert(nn.Linear(64, 64), after="flatten1", name="hidden")
        net.undo()

    Args:
        input_shape: shape of one example, without the batch; an integer n means (n,).
        name: what to call it in titles and in the printed code.
        dtype: dtype of the input (the default dtype, float32, when None; int64 for tokens).
        seed: what the seeds of layers made from a spec are derived from; drawn when None.

    Raises TypeError or ValueError for a shape, name or dtype that is none.
    """

    def __init__(
        self,
        input_shape: int | Sequence[int],
        name: str = "network",
        dtype: Any = None,
        *,
        seed: int | None = None,
    ) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a network's name is text, got {type(name).__name__}")
        if seed is None:
            seed = int(random.default_generator().integers(0, 1 << 31, ()))
        kind = get_default_dtype() if dtype is None else as_dtype(dtype)
        start = Value(_shape(input_shape), kind)
        super().__init__(State(Graph(), {}, {INPUT: start}), seed)
        self.name = name

    # -- computing ----------------------------------------------------------------------------

    def forward(self, input: Any) -> Any:
        """The output for a batch (N, *input_shape)."""
        plan = self._plan
        chain = plan.chain
        if chain is None:
            return plan.run(input)
        x, module = input, None
        try:
            for module in chain:
                x = module(x)
        except Exception as error:
            plan.explain(error, module, [x])
            raise
        return x

    def activations(self, input: Any) -> dict[str, Any]:
        """What every layer puts out for a batch, by id, layers that do not reach the output too.

        Computed as a forward would (same training mode, gradients as the caller has them), but
        on stand-ins: running statistics and hooks notice nothing.
        """
        state = self._state
        memo: dict[int, nn.Module] = {}
        values = {INPUT: input}
        for node in state.graph:
            module = shadow(state.modules[node.id], memo=memo)
            values[node.id] = module(*[values[source] for source in node.inputs])
        del values[INPUT]
        return values

    # -- looking ------------------------------------------------------------------------------

    @property
    def layers(self) -> Mapping[str, Layer]:
        """The layers by name, in the graph's order (read-only)."""
        state = self._state
        return MappingProxyType({node.name: _layer(state, node.id) for node in state.graph})

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example, without the batch."""
        return self._state.values[INPUT].shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the output for one example, without the batch."""
        return self._state.values[self._state.graph.output].shape

    def layer(self, reference: str) -> Layer:
        """The layer with this name or id. Raises UnknownLayerError, naming similar ones."""
        state = self._state
        return _layer(state, self._look_up(state, reference))

    def __getitem__(self, reference: str) -> nn.Module:
        """The module of a layer, by name or id."""
        state = self._state
        return state.modules[self._look_up(state, reference)]

    def __contains__(self, reference: object) -> bool:
        return isinstance(reference, str) and self._state.graph.find(reference) is not None

    def __len__(self) -> int:
        return len(self._state.graph)

    def __bool__(self) -> bool:
        return True  # an empty network is a network

    def graph(self) -> dict[str, Any]:
        """The network as JSON values, as the widgets draw it."""
        return graph_dict(self._state, self._version)

    def summary(self) -> str:
        """A table of the layers with shapes and parameter counts."""
        return table(self._state, self.name)

    def code(self) -> str:
        """Python that builds the present architecture as `model`, without the weights."""
        return print_code(self._state, self.name)

    def draw(self, **options: Any) -> Any:
        """The network as a matplotlib figure. Needs matplotlib."""
        # by name: pictures come after networks in the order of the rooms
        return importlib.import_module("workbench.plots").draw_network(self, **options)

    def __repr__(self) -> str:
        state = self._state
        head = f"Network({self.name!r}, input_shape={self.input_shape}"
        if not state.graph.nodes:
            return head + ")"
        rows = []
        before = INPUT
        for node in state.graph:
            reads = ", ".join(state.graph.name(source) for source in node.inputs)
            said = "" if node.inputs == (before,) else f" ← {reads}"
            rows.append(f"  ({node.name}): {describe(state.modules[node.id])}{said}")
            before = node.id
        return "\n".join([head, *rows, ")"])

    # -- editing: each line of the log is one of these calls -------------------------------------

    def append(
        self,
        layer: LayerLike,
        name: str | None = None,
        *,
        inputs: Sequence[str] | None = None,
        seed: int | None = None,
    ) -> EditResult:
        """Put a layer at the output. See `insert`."""
        return self.edit(Insert(layer, name=name, seed=seed, inputs=_frozen(inputs)))

    def insert(
        self,
        layer: LayerLike,
        *,
        after: str | None = None,
        before: str | None = None,
        name: str | None = None,
        seed: int | None = None,
        inputs: Sequence[str] | None = None,
        adapt: bool | int = False,
    ) -> EditResult:
        """Insert a layer after or before another, or with both on the connection between them.

        Args:
            layer: an nn.Module, or a LayerSpec.
            after, before: name or id of a layer; after="input" is the very beginning.
            name: its name; "relu1" and so on when None.
            seed: initialise its parameters from this seed.
            inputs: what it reads if not just the one before it (for joins).
            adapt: remake following layers whose input size no longer fits, with new weights.

        Raises EditError when it does not fit; then nothing has changed.
        """
        if after is None and before is None:
            raise TypeError('insert() needs after="…" or before="…"; append() puts it at the end')
        return self.edit(Insert(layer, after, before, name, seed, _frozen(inputs), adapt=adapt))

    def remove(self, layer: str, *, adapt: bool | int = False) -> EditResult:
        """Remove a layer; what read it reads its first input instead."""
        return self.edit(Remove(layer, adapt))

    def replace(
        self,
        layer: str,
        new: LayerLike,
        *,
        seed: int | None = None,
        keep: bool = True,
        adapt: bool | int = False,
    ) -> EditResult:
        """Put another layer in a layer's place.

        If both have the same type and parameter shapes, the weights and optimizer state stay,
        unless `keep` is False or a seed is given.
        """
        return self.edit(Replace(layer, new, seed, keep, adapt))

    def rename(self, layer: str, name: str) -> EditResult:
        """Give a layer another name."""
        return self.edit(Rename(layer, name))

    def freeze(self, layer: str) -> EditResult:
        """Stop a layer's parameters from being trained."""
        return self.edit(Freeze(layer, True))

    def unfreeze(self, layer: str) -> EditResult:
        """Let a layer's parameters be trained again."""
        return self.edit(Freeze(layer, False))

    def rewire(self, layer: str, inputs: Sequence[str], *, adapt: bool | int = False) -> EditResult:
        """Let a layer read other layers; "input" is the network's input."""
        return self.edit(Rewire(layer, _frozen(inputs), adapt))  # type: ignore[arg-type]

    def apply(self, fn: Edit | Callable[[nn.Module], Any]) -> Any:  # type: ignore[override]
        """Make an edit (returns an EditResult), or, as in torch, call `fn` on every module."""
        return super().apply(fn) if not isinstance(fn, Edit) else self.edit(fn)

    # -- copying ------------------------------------------------------------------------------

    def copy(self) -> Network:
        """An independent network with equal weights, the same names and ids, and no history."""
        return self._copied({})

    def _copied(self, memo: dict[int, Any]) -> Network:
        with self._lock:
            state = self._state
            made = Network(self.input_shape, self.name, state.values[INPUT].dtype, seed=self._seed)
            memo[id(self)] = made
            modules = {id_: clone(module, memo) for id_, module in state.modules.items()}
            copied = State(state.graph, modules, dict(state.values), kind_of(modules))
            made._install(copied, Plan(copied.graph, modules))
            made._next_id = self._next_id
            made.training = self.training
            return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        return self._copied(memo)

    def __reduce__(self) -> Any:
        raise TypeError(
            "a Network is not pickled: save net.state_dict() and net.code(), or use net.copy()"
        )

    def _look_up(self, state: State, reference: str) -> str:
        return (
            Context(state, "", lambda: 0, lambda name: what_became(name, self._log), self)
            .node(reference)
            .id
        )


def replay(network: Network, entries: Sequence[LogEntry | Mapping[str, Any]]) -> None:
    """Make the edits of a log, or their JSON forms, on a network, in order; skips those undone.

    On an equal network the result has equal bits. Raises EditError at the first that does not
    fit; those before it stay.
    """
    for entry in entries:
        if isinstance(entry, LogEntry):
            if entry.state == "applied":
                network.edit(Edit.from_dict(entry.edit.to_dict()))
        else:
            network.edit(Edit.from_dict(entry))


def _layer(state: State, id: str) -> Layer:
    node, value = state.graph[id], state.values[id]
    return Layer(id, node.name, state.modules[id], node.inputs, value.shape, value.flops)


def _frozen(inputs: Any) -> Any:
    return tuple(inputs) if isinstance(inputs, list) else inputs


def _shape(shape: object) -> tuple[int, ...]:
    sizes = (shape,) if isinstance(shape, int) else shape
    if not isinstance(sizes, (tuple, list)):
        raise TypeError(f"input_shape is a tuple of integers such as (1, 8, 8), got {shape!r}")
    for size in sizes:
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise TypeError(f"input_shape holds integers, got {size!r} in {shape!r}")
        if int(size) < 1:
            raise ValueError(
                f"input_shape holds positive sizes, without the batch, got {size} in {shape!r}"
            )
    return tuple(int(size) for size in sizes)
