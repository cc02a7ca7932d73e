"""Optimizer: parameters in groups, their state, and the step that updates them all.

A step works on raw arrays with no tensor op and no fresh memory. Each optimizer states its update
as a `kernel` over a parameter's values, its gradient and its state, elementwise, in place; the
base class feeds it blocks: many small parameters laid end to end, or one cache-sized stretch of a
large one at a time (`layout.py`).
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from workbench.arrays import array_device, move
from workbench.tensor import Tensor, enable_grad, mark_written, wrap
from workbench.tensor.capture.active import as_effect

from .layout import Plan
from .prepared import Prepared

BLOCK = 1 << 16  # elements; the arrays of one block stay in a core's second-level cache


@dataclass(frozen=True, eq=False, slots=True)
class Taken:
    """A parameter taken out of an optimizer: where it was, and its state (None: none yet)."""

    parameter: Tensor
    group: dict[str, Any]
    position: int
    state: dict[str, Any] | None


class Optimizer:
    """Base class of the optimizers, with torch's surface.

    `param_groups` is a list of dicts: "params" and the settings of that group. `state` maps each
    parameter to a dict of tensors. Subclasses here define `kernel` and what it needs; a subclass
    of your own may simply define `step`.

    Raises TypeError or ValueError for parameters that cannot be optimized.
    """

    # 0-d numbers of the state, of each parameter; the first counts the steps
    scalars: ClassVar[tuple[str, ...]] = ()
    needs_closure: ClassVar[bool] = False

    def __init__(
        self, params: Iterable[Tensor] | Iterable[Mapping[str, Any]], defaults: Mapping[str, Any]
    ) -> None:
        if isinstance(params, (Tensor, np.ndarray)):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or "
                f"dicts, but got {type(params).__name__}; put it in a list"
            )
        self.check(defaults)
        self.defaults = dict(defaults)
        self.state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._ready()
        given: list[Any] = list(params)
        if not given:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(given[0], dict):
            given = [{"params": given}]
        for group in given:
            self.add_param_group(group)

    def _ready(self) -> None:
        self._plans: dict[int, Plan] = {}  # by the group's id()
        self._pre_hooks: list[Callable[..., Any]] = []
        self._post_hooks: list[Callable[..., Any]] = []
        self._opt_called = False  # lr_scheduler warns when it steps before the optimizer did

    def __getstate__(self) -> dict[str, Any]:
        kept = dict(self.__dict__)
        for name in ("_plans", "_pre_hooks", "_post_hooks", "_opt_called"):
            kept.pop(name, None)
        return kept

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._ready()

    # -- what an optimizer defines -----------------------------------------------------------

    def slots(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The names of the state arrays, of the parameter's shape, that the kernel updates."""
        return ()

    def start(self, name: str, group: dict[str, Any]) -> float:
        """The value that a state array starts with."""
        return 0.0

    def scalar_start(self, name: str, group: dict[str, Any]) -> float:
        """The value that a 0-d number of the state starts with."""
        return 0.0

    def constants(
        self, group: dict[str, Any], step: float, fresh: bool, *more: float
    ) -> tuple[float, ...]:
        """The numbers that the kernel takes at this step; `fresh` at a parameter's first.

        `more`: the state's 0-d numbers besides "step".
        """
        raise NotImplementedError

    def finish(self, group: dict[str, Any], scalars: dict[str, Any], chosen: Any) -> None:
        """Change the state's 0-d numbers after a step: `scalars[name][chosen]`, in place."""

    def kernel(
        self,
        xp: Any,
        group: dict[str, Any],
        p: Any,
        g: Any,
        slots: list[Any],
        scratch: list[Any],
        numbers: Sequence[Any],
    ) -> None:
        """Update the values `p` and `slots` in place by the gradient `g`, which stays as it is.

        All are arrays of one shape; `scratch` holds two more to write to; `numbers` are the
        constants as 0-d arrays of the parameter's dtype.
        """
        raise NotImplementedError

    # -- stepping ----------------------------------------------------------------------------

    @as_effect
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; returns what `closure`, if given, returns.

        `closure` computes the loss anew and calls `backward`.
        """
        for hook in self._pre_hooks:
            hook(self, (closure,), {})
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._update(group)
        self._opt_called = True
        for hook in self._post_hooks:
            hook(self, (closure,), {})
        return loss

    def _update(self, group: dict[str, Any]) -> None:
        """Update one group; an optimizer that is not elementwise defines its own."""
        params = group["params"]
        grads = [p.grad for p in params]
        if len(set(params)) == len(params):
            self._plan_for(group, [g is not None for g in grads]).step(grads)
            return
        for i, g in enumerate(grads):  # a parameter that appears twice: one after the other
            wanted = [at == i and g is not None for at in range(len(grads))]
            Plan(self, group, wanted, BLOCK).step([g if has else None for has in wanted])

    @property
    def elementwise(self) -> bool:
        """Whether a step is what `kernel` does, and nothing else."""
        kind = type(self)
        return kind.step is Optimizer.step and kind._update is Optimizer._update

    def _plan_for(self, group: dict[str, Any], wanted: Sequence[bool]) -> Plan:
        """The group's plan, made anew when it has no place for what is wanted."""
        plan = self._plans.get(id(group))
        if plan is None or plan.group is not group or not plan.fits() or not plan.holds(wanted):
            plan = self._plans[id(group)] = Plan(self, group, wanted, BLOCK)
        return plan

    def prepare(self, parameters: Iterable[Tensor] | None = None) -> Prepared:
        """Get ready for steps whose gradients are written straight into the optimizer's memory.

        `parameters` are those that get a gradient at every step; default: all that require one.
        See `Prepared`. Raises RuntimeError for an optimizer whose step needs a closure.
        """
        return Prepared(self, parameters)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = p.grad.detach()
                    p.grad.array[...] = 0
                    mark_written(p.grad)

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> _HookHandle:
        """Call `hook(optimizer, args, kwargs)` before each step."""
        return _HookHandle(self._pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> _HookHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return _HookHandle(self._post_hooks, hook)

    # -- groups --------------------------------------------------------------------------------

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group: a dict with "params" and settings that differ from the defaults.

        Raises TypeError or ValueError for parameters that cannot be optimized or are here
        already, and ValueError for a missing required setting; nothing is added then.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        if "params" not in param_group:
            raise KeyError("params")
        params = self._checked(param_group["params"])
        if len(set(params)) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; each is updated "
                "once per appearance",
                stacklevel=3,
            )
        group = {"params": params}
        group.update({key: value for key, value in param_group.items() if key != "params"})
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self.check(group)
        self.param_groups.append(group)

    def check(self, group: Mapping[str, Any]) -> None:
        """Check a group's settings. Raises ValueError naming the one that is wrong."""

    def _checked(self, params: Any) -> list[Any]:
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, (set, frozenset)):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the "
                "ordering of tensors in sets will change between runs. Please use a list instead."
            )
        made = []
        held = self._held()
        for p in params:
            if isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str):
                p = p[1]  # named_parameters(); the names are not needed
            if not isinstance(p, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    + type(p).__name__
                )
            if not p.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
            if p in held:
                raise ValueError("some parameters appear in more than one parameter group")
            made.append(p)
        return made

    def _held(self) -> set[Any]:
        return {p for group in self.param_groups for p in group["params"]}

    def group_of(self, parameter: Tensor) -> dict[str, Any]:
        """The group that holds `parameter`. Raises ValueError when none does."""
        for group in self.param_groups:
            if any(p is parameter for p in group["params"]):
                return group
        raise ValueError(
            f"this optimizer does not hold the given parameter of shape {list(parameter.shape)}"
        )

    def add_params(self, params: Iterable[Tensor], like: Tensor | None = None) -> None:
        """Add parameters to the group of `like` (default: the first group), without state.

        Raises ValueError when one is here already or `like` is not, TypeError for other values;
        nothing is added then.
        """
        group = self.param_groups[0] if like is None else self.group_of(like)
        made = self._checked(params)
        if len(set(made)) != len(made):
            raise ValueError("a parameter to add is given twice")
        group["params"].extend(made)

    def remove_params(self, params: Iterable[Tensor]) -> tuple[Taken, ...]:
        """Take parameters out, with their state; `restore_params` puts them back as they were.

        A group that runs empty stays. Raises ValueError when one is not here; nothing is taken
        then.
        """
        wanted = set(params)
        missing = wanted - self._held()
        if missing:
            shapes = ", ".join(str(list(p.shape)) for p in missing)
            raise ValueError(f"this optimizer does not hold the parameters of shapes {shapes}")
        taken = []
        for group in self.param_groups:
            for position, p in enumerate(group["params"]):
                if p in wanted:
                    taken.append(Taken(p, group, position, self.state.get(p)))
        for group in self.param_groups:
            group["params"] = [p for p in group["params"] if p not in wanted]
        for p in wanted:
            own = self.state.pop(p, None) or {}
            for value in own.values():  # out of the flat buffers, which need not outlive the step
                if isinstance(value, Tensor) and value.array.base is not None:
                    value.array = value.array.copy()
        return tuple(taken)

    def restore_params(self, taken: Iterable[Taken]) -> None:
        """Put parameters back that `remove_params` took, in their places, with their state.

        Raises ValueError when one is here already; nothing is put back then.
        """
        taken = list(taken)
        held = self._held()
        if any(one.parameter in held for one in taken):
            raise ValueError("a parameter to restore is held by this optimizer already")
        for one in taken:  # in ascending order of position, as they were taken
            known = any(group is one.group for group in self.param_groups)
            group = one.group if known else self.param_groups[0]
            group["params"].insert(min(one.position, len(group["params"])), one.parameter)
            if one.state is not None:
                self.state[one.parameter] = one.state

    # -- saving and loading --------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The state by parameter number and the groups' settings, in torch's form."""
        numbers: dict[Any, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                numbers.setdefault(p, len(numbers))
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [numbers[p] for p in group["params"]]
            groups.append(packed)
        state = {numbers.get(key, key): value for key, value in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and state from what `state_dict` gave, by position.

        State arrays are copied, in the parameters' dtypes and on their devices. Raises ValueError
        when groups or their sizes differ; the optimizer is then unchanged.
        """
        groups = deepcopy(list(state_dict["param_groups"]))
        if len(groups) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        for old, new in zip(self.param_groups, groups, strict=True):
            if len(old["params"]) != len(new["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of "
                    "optimizer's group"
                )
        parameters = {
            number: p
            for old, new in zip(self.param_groups, groups, strict=True)
            for number, p in zip(new["params"], old["params"], strict=True)
        }
        state: defaultdict[Any, dict[str, Any]] = defaultdict(dict)
        for key, held in state_dict["state"].items():
            p = parameters.get(key)
            if p is None:
                state[key] = deepcopy(held)
                continue
            state[p] = {name: _adopted(name, value, p) for name, value in held.items()}
            for name, value in state[p].items():
                wrong = isinstance(value, Tensor) and name != "step"
                if wrong and value.array.shape not in ((), p.array.shape):
                    raise ValueError(
                        f"the loaded state {name!r} has shape {list(value.array.shape)}, but its "
                        f"parameter has shape {list(p.array.shape)}"
                    )
        for old, new in zip(self.param_groups, groups, strict=True):
            kept = old["params"]
            old.update(new)
            old["params"] = kept
        self.state = state
        self._plans.clear()

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for number, group in enumerate(self.param_groups):
            text += f"\nParameter Group {number}\n"
            for key in sorted(group):
                if key != "params":
                    text += f"    {key}: {group[key]}\n"
        return text + ")"


class _HookHandle:
    """Takes a hook out again with `remove()`."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self._hooks = hooks
        self._hook = hook
        hooks.append(hook)

    def remove(self) -> None:
        """Remove the hook; a second call does nothing."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)


def _real(array: Any) -> Any:
    return array.view(array.real.dtype)


def _adopted(name: str, value: Any, p: Tensor) -> Any:
    """A loaded state value as this optimizer keeps it."""
    if value is None:
        return None
    if name == "step":
        return wrap(np.array(float(value), np.float32))
    if isinstance(value, Tensor):
        source = value.array
    elif hasattr(value, "__array__"):
        source = np.asarray(value)
    else:
        return deepcopy(value)
    if source.dtype.kind in "fcV":
        source = source.astype(p.array.dtype)
    else:
        source = source.copy()
    return wrap(move(source, array_device(p.array)))


def number(value: Any) -> float:
    """A hyper-parameter, which may be a 0-d tensor, as a Python number."""
    return value.item() if isinstance(value, Tensor) else value


def refuse(group: Mapping[str, Any], *names: str) -> None:
    """Refuse torch's switches that mean nothing here.

    Raises RuntimeError for one of `names` that is on.
    """
    for name in names:
        if group.get(name):
            raise RuntimeError(
                f"{name}=True is not supported: steps run outside autograd, on the parameter's "
                "own device"
            )
