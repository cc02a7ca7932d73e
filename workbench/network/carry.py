"""Optimizers move along with an edit: new parameters join, removed ones leave with their state.

What leaves is put on a shelf, with moments, step counts and exact places, and comes back from it
bit-equal when the edit is undone (or redone).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from workbench import nn
from workbench.optim import Optimizer

Shelf = weakref.WeakKeyDictionary
"""For each optimizer that was there, what its `remove_params` returned, or None for nothing."""


class Tracked:
    """The optimizers that edits carry along, held weakly."""

    def __init__(self) -> None:
        self._refs: list[weakref.ref[Optimizer]] = []

    def add(self, optimizer: Optimizer) -> None:
        """Carry this one along too; twice is once."""
        if not any(held is optimizer for held in self):
            self._refs.append(weakref.ref(optimizer))

    def discard(self, optimizer: Optimizer) -> None:
        """Leave this one alone from now on."""
        self._refs = [ref for ref in self._refs if ref() not in (None, optimizer)]

    def __iter__(self) -> Any:
        self._refs = [ref for ref in self._refs if ref() is not None]
        return iter([held for ref in self._refs if (held := ref()) is not None])


def held(optimizer: Optimizer) -> dict[int, nn.Parameter]:
    """The parameters of an optimizer by `id()`."""
    return {id(p): p for group in optimizer.param_groups for p in group["params"]}


class Move:
    """One change of several optimizers; `roll_back()` takes back what was done of it."""

    def __init__(self, optimizers: Iterable[Optimizer]) -> None:
        self.optimizers = list(optimizers)
        self._back: list[Callable[[], Any]] = []

    def roll_back(self) -> None:
        """Put every optimizer back as it was."""
        while self._back:
            self._back.pop()()

    def restore(self, shelf: Shelf[Optimizer, Any]) -> set[int]:
        """Bring back what is on the shelf. Returns `id()`s of optimizers that had one."""
        done = set()
        for optimizer in self.optimizers:
            if optimizer in shelf:
                done.add(id(optimizer))
                taken = shelf[optimizer]
                if taken is not None:
                    before = held(optimizer)
                    optimizer.restore_params(taken)
                    back = [p for i, p in held(optimizer).items() if i not in before]
                    self._back.append(partial(optimizer.remove_params, back))
        return done

    def join(
        self,
        fresh: Sequence[tuple[str, nn.Parameter]],
        neighbours: Sequence[Sequence[tuple[str, nn.Parameter]]],
        known: set[int],
    ) -> None:
        """Let fresh parameters be trained by whoever trains their nearest neighbours.

        fresh and each of neighbours (nearest first) hold (leaf name, parameter). A parameter joins
        the group of the neighbour with its leaf name: biases go where biases are. Optimizers in
        `known` (by `id()`) are left out: they have been dealt with.
        """
        members = {id(o): held(o) for o in self.optimizers}
        chosen: list[Optimizer] = []
        for layer in neighbours:
            chosen = [o for o in self.optimizers if any(id(p) in members[id(o)] for _, p in layer)]
            if chosen:
                break
        for optimizer in chosen or self.optimizers:
            if id(optimizer) in known:
                continue
            mine = members[id(optimizer)]
            for leaf, parameter in fresh:
                if id(parameter) in mine:
                    continue
                like = _like(leaf, neighbours, mine)
                optimizer.add_params([parameter], like=like)
                self._back.append(partial(optimizer.remove_params, [parameter]))

    def leave(self, parameters: Iterable[nn.Parameter], shelf: Shelf[Optimizer, Any]) -> None:
        """Take parameters out, onto the shelf."""
        leaving = list(parameters)
        for optimizer in self.optimizers:
            mine = held(optimizer)
            going = [p for p in leaving if id(p) in mine]
            taken = None
            if going:
                taken = optimizer.remove_params(going)
                self._back.append(partial(optimizer.restore_params, taken))
            shelf[optimizer] = taken


def _like(
    leaf: str,
    neighbours: Sequence[Sequence[tuple[str, nn.Parameter]]],
    mine: dict[int, nn.Parameter],
) -> nn.Parameter | None:
    first = None
    for layer in neighbours:
        for name, parameter in layer:
            if id(parameter) in mine:
                if name == leaf:
                    return parameter
                first = parameter if first is None else first
    return first


def leaves(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """(last part of the name, parameter) of all parameters of a module."""
    return [(name.rpartition(".")[2], p) for name, p in module.named_parameters()]
