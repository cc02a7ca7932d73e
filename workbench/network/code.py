"""A network as plain Python: what one would have typed to get its present architecture."""

from __future__ import annotations

import keyword
import re

from workbench import nn

from .construct import complete, expression, foreign
from .joins import Add, Concat
from .layer import is_frozen
from .names import is_attribute, variable
from .state import State


def print_code(state: State, name: str) -> str:
    """Python that builds the architecture as `model`, with the same state_dict keys.

    A chain becomes an nn.Sequential, anything else a class with a forward. The weights are not
    in it: `model.load_state_dict(net.state_dict())` brings them.
    """
    chain = state.graph.is_chain
    body = _sequential(state) if chain else _class(state, name)
    needs_ordered = "OrderedDict(" in body
    own = {k: v for m in state.modules.values() for k, v in foreign(m).items()}
    imports = ["from collections import OrderedDict", ""] if needs_ordered else []
    imports += ["import workbench as wb"] if "wb." in body else []
    imports.append("from workbench import nn")
    for cls, home in sorted(own.items()):
        imports.append(
            f"# {cls} is a class of your own, defined in the notebook"
            if home == "__main__"
            else f"from {home} import {cls}"
        )
    frozen = [
        (f"model.{layer}" if is_attribute(layer) else f"model.get_submodule({layer!r})")
        + ".requires_grad_(False)  # frozen"
        for layer, module in state.ordered_modules()
        if is_frozen(module)
    ]
    return "\n".join([*imports, "", body, *frozen]) + "\n"


def _made(module: nn.Module) -> str:
    text = expression(module)
    return text if complete(text) else f"{text}  # fill in the arguments"


def _sequential(state: State) -> str:
    if not state.graph.nodes:
        return "model = nn.Sequential()"
    rows = []
    for layer, module in state.ordered_modules():
        text = expression(module)
        note = "" if complete(text) else "  # fill in the arguments"
        rows.append(f"    ({layer!r}, {text}),{note}")
    return "\n".join(["model = nn.Sequential(OrderedDict([", *rows, "]))"])


def _class(state: State, name: str) -> str:
    graph = state.graph
    made = []
    for layer, module in state.ordered_modules():
        if isinstance(module, (Add, Concat)):
            continue  # written as the expression it is
        if is_attribute(layer):
            made.append(f"self.{layer} = {_made(module)}")
        else:
            made.append(f"self.add_module({layer!r}, {_made(module)})")
    variables = {"input": "x"}
    lines = []
    for node in graph:
        if node.id not in graph.live:
            continue
        module = state.modules[node.id]
        reads = [variables[source] for source in node.inputs]
        taken = {*variables.values(), "self", "nn", "wb", "super"}
        target = variables[node.id] = variable(node.name, taken)
        lines.append(f"{target} = {_applied(node.name, module, reads)}")
    lines.append(f"return {variables[graph.output]}")
    cls = class_name(name)
    rows = [f"class {cls}(nn.Module):", "    def __init__(self):", "        super().__init__()"]
    rows += [f"        {line}" for line in made]
    rows += ["", "    def forward(self, x):"]
    rows += [f"        {line}" for line in lines]
    return "\n".join([*rows, "", "", f"model = {cls}()"])


def _applied(name: str, module: nn.Module, reads: list[str]) -> str:
    if isinstance(module, Add):
        return " + ".join(reads)
    if isinstance(module, Concat):
        joined = ", ".join(reads)
        return joined if len(reads) == 1 else f"wb.cat([{joined}], dim={module.dim})"
    called = f"self.{name}" if is_attribute(name) else f"self.get_submodule({name!r})"
    return f"{called}({', '.join(reads)})"


def class_name(name: str) -> str:
    """A class name that resembles the network's name: "my digits" → MyDigits."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    text = "".join(word[0].upper() + word[1:] for word in words)
    if not text or text[0].isdigit() or keyword.iskeyword(text):
        text = f"Net{text}"
    return text
