"""What was done in a session, in order, and the script that does it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of Python, done after `step` steps."""

    step: int
    code: str
    setting: str | None = None  # of entries that set the same thing at one step, the last counts


class Session:
    """The changes made to a run, with the step at which each was made."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, step: int, code: str, setting: str | None = None) -> None:
        """Note a line of code; `setting` names what it sets, so that a slider leaves one line."""
        last = self.entries[-1] if self.entries else None
        if setting and last and (last.step, last.setting) == (step, setting):
            self.entries.pop()
        self.entries.append(Entry(step, code, setting))

    def lines(self, step: int) -> list[str]:
        """The session as code, up to `step`."""
        lines: list[str] = []
        at = 0
        for entry in self.entries:
            if entry.step > at:
                lines.append(f"run.train(steps={entry.step - at})")
                at = entry.step
            lines.append(entry.code)
        if step > at:
            lines.append(f"run.train(steps={step - at})")
        return lines


@dataclass(frozen=True)
class Recipe:
    """The code of what a run was made from; None where it cannot be told."""

    network: str | None
    data: str | None
    loss: str | None
    optimizer: str | None
    options: dict[str, Any]  # further arguments of Run, by name
    notes: tuple[str, ...] = ()


UNSEEDED = "  # made without a seed: its first weights will differ"


def made_without_seed(entry: Any) -> bool:
    """Whether an edit brought a layer whose weights its line of code does not fix."""
    if getattr(entry.edit, "seed", 0) is not None:
        return False
    layer: Any = getattr(entry.edit, "layer", None) or getattr(entry.edit, "new", None)
    inner = layer.modules() if hasattr(layer, "modules") else ()
    return any(
        hasattr(module, "initial_seed") or not hasattr(module, "reset_parameters")
        for module in inner
        if any(True for _ in module.parameters(recurse=False))
    )


def network_code(network: Any) -> tuple[str | None, tuple[str, ...]]:
    """Python that builds a `Network` with its ids and first weights as `net`, and what to note.

    Made of the network's own log: the seeds are in it. None for another module, or for a network
    that was not built by edits alone (a copy).
    """
    log = getattr(network, "log", None)
    if log is None or not hasattr(network, "input_shape"):
        return None, ()
    applied = [entry for entry in log if entry.state == "applied"]
    built = {entry.layer_id for entry in applied}
    if not all(layer.id in built for layer in network.layers.values()):
        return None, ("the network was not built by edits that its log knows",)
    dtype = network.graph()["input"]["dtype"]
    shape, name = network.input_shape, network.name
    more = "" if dtype == "float32" else f", dtype=wb.{dtype}"
    lines = [f"net = wb.Network({shape!r}, name={name!r}{more})"]
    for entry in applied:
        bare = made_without_seed(entry) and any(
            layer.id == entry.layer_id and layer.parameters for layer in network.layers.values()
        )
        lines.append(entry.code + (UNSEEDED if bare else ""))
    return "\n".join(lines), ()


def script(recipe: Recipe, session: Session, step: int) -> str:
    """A Python program that repeats the session; a comment marks what has to be filled in."""
    lines = ["import workbench as wb", "from workbench import nn", ""]
    lines += [f"# Note: {note}" for note in recipe.notes]
    if recipe.network is not None:
        lines += recipe.network.splitlines()
    else:
        lines.append("net = ...  # fill in: the network, as it was when the run was made")
    if recipe.data is not None:
        lines.append(f"data = {recipe.data}")
    else:
        lines.append("data = ...  # fill in: a Dataset, (train, test) or (X, y)")
    arguments = ["net", "data"]
    if recipe.loss is None:
        lines.append("loss = ...  # fill in: the loss function")
        arguments.append("loss=loss")
    else:
        arguments.append(f"loss={recipe.loss}")
    if recipe.optimizer is None:
        lines.append("optimizer = ...  # fill in: the optimizer, made from net.parameters()")
        arguments.append("optimizer=optimizer")
    else:
        arguments.append(f"optimizer={recipe.optimizer}")
    for name, value in recipe.options.items():
        if value is ...:
            lines.append(f"{name} = ...  # fill in: what the run was given as {name}")
            arguments.append(f"{name}={name}")
        else:
            arguments.append(f"{name}={value}")
    lines.append(f"run = wb.Run({', '.join(arguments)})")
    lines += ["", *session.lines(step)]
    return "\n".join(lines).rstrip() + "\n"
