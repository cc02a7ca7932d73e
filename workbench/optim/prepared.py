"""Steps whose gradients are written straight into the optimizer's memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from workbench.arrays import namespace
from workbench.tensor import Tensor, wrap

if TYPE_CHECKING:
    from .layout import Layout, Plan
    from .optimizer import Optimizer


class Prepared:
    """What a captured step uses instead of `.grad` and `step()`.

    `parameters` are those that are updated, in the order of the groups; write the gradient of
    `parameters[i]` into `gradients[i]` (a raw array of its shape and dtype, the same at every
    step), then call `update()`. It does what `step()` does: hooks run, steps are counted, rates
    and settings are read from the groups as they are then, writes are marked. It leaves `.grad`
    alone. It holds while `valid()` says so: until parameters, groups or state change.
    """

    def __init__(self, optimizer: Optimizer, parameters: Iterable[Tensor] | None = None) -> None:
        if optimizer.needs_closure:
            raise RuntimeError(
                f"{type(optimizer).__name__} computes the loss several times a step, through a "
                "closure; its steps cannot be prepared"
            )
        self.optimizer = optimizer
        chosen = None if parameters is None else set(parameters)
        self.parameters: list[Tensor] = []
        self.gradients: list[Any] = []
        self._groups = list(optimizer.param_groups)
        self._plans: list[tuple[dict[str, Any], Plan]] = []
        self._layouts: list[tuple[Layout, list[int] | None]] = []
        self._arrays: list[Any] = []
        for group in self._groups:
            wanted = [p.requires_grad if chosen is None else p in chosen for p in group["params"]]
            self._add(group, wanted)

    def _add(self, group: dict[str, Any], wanted: list[bool]) -> None:
        params = [p for p, has in zip(group["params"], wanted, strict=True) if has]
        self.parameters += params
        self._arrays += [p.array for p in params]
        optimizer = self.optimizer
        if not optimizer.elementwise:  # its step is asked as it is, with these as gradients
            self.gradients += [namespace(p.array).zeros(p.array.shape, p.array.dtype)
                               for p in params]  # fmt: skip
            return
        plan = optimizer._plan_for(group, wanted)
        self._plans.append((group, plan))
        at: dict[int, Any] = {}
        for layout in plan.layouts:
            views = layout.gradients()
            present = [i for i, member in enumerate(layout.members) if wanted[member.place]]
            at.update({layout.members[i].place: views[i] for i in present})
            if present:
                every = len(present) == len(layout.members)
                self._layouts.append((layout, None if every else present))
        self.gradients += [at[place] for place, has in enumerate(wanted) if has]

    def valid(self) -> bool:
        """Whether parameters, groups and state are what and where they were."""
        optimizer = self.optimizer
        groups = optimizer.param_groups
        if len(groups) != len(self._groups):
            return False
        if not all(a is b for a, b in zip(groups, self._groups, strict=True)):
            return False
        if not optimizer.elementwise:
            held = {p for group in groups for p in group["params"]}
            return all(
                p.array is array and p in held
                for p, array in zip(self.parameters, self._arrays, strict=True)
            )
        plans = optimizer._plans
        return all(plans.get(id(group)) is plan and plan.fits() for group, plan in self._plans)

    def update(self) -> None:
        """Update the parameters by what `gradients` holds."""
        optimizer = self.optimizer
        if not optimizer.elementwise:
            self._step()
            return
        for hook in optimizer._pre_hooks:
            hook(optimizer, (None,), {})
        for layout, present in self._layouts:
            layout.step(None, present)
        optimizer._opt_called = True
        for hook in optimizer._post_hooks:
            hook(optimizer, (None,), {})

    def _step(self) -> None:
        optimizer = self.optimizer
        every = [p for group in optimizer.param_groups for p in group["params"]]
        before = [p.grad for p in every]
        try:
            for p in every:
                p.grad = None
            for p, g in zip(self.parameters, self.gradients, strict=True):
                p.grad = wrap(g)
            optimizer.step()
        finally:
            for p, g in zip(every, before, strict=True):
                p.grad = g
