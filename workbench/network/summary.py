"""A network as text and as JSON."""

from __future__ import annotations

from typing import Any

from workbench import nn

from .construct import expression
from .graph import INPUT
from .layer import is_frozen
from .palette import batched, of
from .spec import LayerSpec, form_arguments
from .state import State


def graph_dict(state: State, version: int) -> dict[str, Any]:
    """The network as JSON values: its input, its output's id, and its nodes in order."""
    start = state.values[INPUT]
    return {
        "version": version,
        "input": {
            "id": INPUT,
            "name": INPUT,
            "shape": list(start.shape),
            "dtype": str(start.dtype).rpartition(".")[2],
        },
        "output": state.graph.output,
        "nodes": [_node(state, node.id) for node in state.graph],
    }


def _node(state: State, id: str) -> dict[str, Any]:
    node, module, value = state.graph[id], state.modules[id], state.values[id]
    entry = of(module)
    return {
        "id": id,
        "name": node.name,
        "type": type(module).__name__,
        "family": "Custom" if entry is None else entry.family,
        "args": form_arguments(module, state.values[node.inputs[0]].shape),
        "inputs": list(node.inputs),
        "shape": list(value.shape),
        "parameters": _count(module),
        "flops": value.flops,
        "frozen": is_frozen(module),
        "live": id in state.graph.live,
        "repr": describe(module),
        "configurable": LayerSpec.of(module) is not None,
    }


def describe(module: nn.Module) -> str:
    """A module in one line, as its own repr says it where that is one line."""
    text = repr(module)
    return text if "\n" not in text else expression(module).removeprefix("nn.")


def table(state: State, name: str) -> str:
    """A table of the layers: names, modules, what they read (in a graph), shapes, parameters."""
    chain = state.graph.is_chain
    header = ["layer", "module", "output", "parameters"]
    if not chain:
        header.insert(2, "reads")
    start = state.values[INPUT]
    first = [INPUT, str(start.dtype).rpartition(".")[2], batched(start.shape), ""]
    rows = [header, [*first[:2], "", *first[2:]] if not chain else first]
    for node in state.graph:
        module = state.modules[node.id]
        count = f"{_count(module):,}" if _count(module) else ""
        if is_frozen(module):
            count += " frozen"
        text = expression(module).removeprefix("nn.").removeprefix("wb.network.")
        row = [node.name, _shortened(text), batched(state.values[node.id].shape), count]
        if not chain:
            row.insert(2, ", ".join(state.graph.name(source) for source in node.inputs))
        if node.id not in state.graph.live:
            row[0] += " (not computed)"
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "─" * max(map(len, lines)))
    lines.append(lines[1])
    total, flops, memory = state.counts()
    trained = sum(p.numel() for p in state.parameters().values() if p.requires_grad)
    frozen = "" if trained == total else f" ({trained:,} trained)"
    lines.append(
        f"{name}: {len(state.graph)} layers, {total:,} parameters{frozen}, "
        f"{flops:,} FLOPs per example, {memory / 1024:,.1f} KiB"
    )
    return "\n".join(lines)


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
