"""Collecting a module's state by name, and putting it back: all of it or nothing."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.arrays import array_device, device_namespace, move
from workbench.tensor import Tensor, mark_written, wrap

from .members import BUFFER, PARAMETER
from .parameter import Parameter, UninitializedMixin

if TYPE_CHECKING:
    from .module import Module

EXTRA = "_extra_state"


class IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` did not find in the state, and what it had no use for."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class StateHandle:
    """Takes a state hook out again with `remove()`."""

    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self._hooks = hooks
        self._hook = hook

    def remove(self) -> None:
        """Remove the hook; a second call does nothing."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)


def add_hook(module: Module, kind: str, hook: Callable[..., Any]) -> StateHandle:
    """Register a hook on saving or loading."""
    held = module.__dict__.setdefault("_state_hooks", {}).setdefault(kind, [])
    held.append(hook)
    return StateHandle(held, hook)


def _hooks(module: Module, kind: str) -> list[Any]:
    return list((module._state_hooks or {}).get(kind, ()))


def _own(module: Module) -> Iterator[tuple[str, str, Any]]:
    """(name, kind, tensor) of what the state holds for this module itself, in torch's order."""
    space = module.__dict__
    for wanted in (PARAMETER, BUFFER):
        for name, kind in module._members.items():
            if kind == wanted and space[name] is not None and name not in module._transient:
                yield name, kind, space[name]


def _has_extra(module: Module) -> bool:
    from .module import Module

    return type(module).get_extra_state is not Module.get_extra_state


def collect(
    module: Module, destination: dict[str, Any] | None, prefix: str, keep_vars: bool
) -> dict[str, Any]:
    """See `Module.state_dict`."""
    found: dict[str, Any] = OrderedDict() if destination is None else destination
    for name, _, tensor in _own(module):
        found[prefix + name] = tensor if keep_vars else tensor.detach()
    if _has_extra(module):
        found[prefix + EXTRA] = module.get_extra_state()
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(destination=found, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
    for hook in _hooks(module, "save_post"):
        hook(module, found, prefix, {})
    return found


def _paths(module: Module, prefix: str = "") -> Iterator[tuple[str, Module]]:
    """Every place a module stands at, shared ones included."""
    yield prefix, module
    for name, child in module._modules.items():
        if child is not None:
            yield from _paths(child, f"{prefix}{name}.")


def restore(
    module: Module, state_dict: Mapping[str, Any], strict: bool, assign: bool
) -> IncompatibleKeys:
    """See `Module.load_state_dict`. Everything is checked before anything is written."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    given = OrderedDict(state_dict)
    missing: list[str] = []
    unexpected: list[str] = []
    problems: list[str] = []
    places = list(_paths(module))
    for prefix, place in places:
        for hook in _hooks(place, "load_pre"):
            hook(place, given, prefix, {}, strict, missing, unexpected, problems)

    known: set[str] = set()
    writes: list[Callable[[], None]] = []
    for prefix, place in places:
        for name, kind, target in _own(place):
            key = prefix + name
            known.add(key)
            if key not in given:
                missing.append(key)
                continue
            write = _plan(place, name, kind, target, key, given[key], assign, problems)
            if write is not None:
                writes.append(write)
        if _has_extra(place):
            key = prefix + EXTRA
            known.add(key)
            if key in given:
                writes.append(lambda place=place, key=key: place.set_extra_state(given[key]))
            else:
                missing.append(key)
    unexpected += [key for key in given if key not in known]

    if strict:
        for label, keys in (("Unexpected", unexpected), ("Missing", missing)):
            if keys:
                listed = ", ".join(f'"{key}"' for key in keys)
                problems.insert(0, f"{label} key(s) in state_dict: {listed}. ")
    if problems:
        raise RuntimeError(
            f"Error(s) in loading state_dict for {type(module).__name__}:\n\t"
            + "\n\t".join(problems)
        )
    for write in writes:
        write()
    outcome = IncompatibleKeys(missing, unexpected)
    for _, place in places:
        for hook in _hooks(place, "load_post"):
            hook(place, outcome)
    return outcome


def _plan(
    module: Module,
    name: str,
    kind: str,
    target: Tensor,
    key: str,
    value: Any,
    assign: bool,
    problems: list[str],
) -> Callable[[], None] | None:
    """Check one entry; return what writes it, or note the problem and return None."""
    source = _array(value)
    if source is None:
        problems.append(
            f'While copying the parameter named "{key}", expected a tensor or an array from '
            f"checkpoint object but received {type(value).__name__}"
        )
        return None
    lazy = isinstance(target, UninitializedMixin)
    shape = None if lazy else target.array.shape
    if shape == () and source.shape == (1,):  # torch once saved 0-d tensors so
        source = source[0:1].reshape(())
    if not lazy and source.shape != shape:
        problems.append(
            f"size mismatch for {key}: copying a param with shape {_size(source.shape)} from "
            f"checkpoint, the shape in current model is {_size(shape)}."
        )
        return None

    if assign:

        def swap() -> None:
            kept = value if isinstance(value, Tensor) else wrap(np.array(source))
            if kind == PARAMETER and not isinstance(kept, Parameter):
                kept = Parameter(kept, requires_grad=target.requires_grad)
            setattr(module, name, kept)

        return swap

    def write() -> None:
        if isinstance(target, UninitializedMixin):
            target.materialize(source.shape)
        array = target.array
        incoming = move(source, array_device(array))
        device_namespace(array_device(array)).copyto(array, incoming, casting="unsafe")
        mark_written(target)

    return write


def _array(value: Any) -> Any:
    """The raw array of a tensor, a NumPy array, or another library's tensor on the CPU."""
    if isinstance(value, Tensor):
        return value.array
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value)
    if hasattr(value, "__array__"):
        value = value.detach() if hasattr(value, "detach") else value
        return np.asarray(value)
    return None


def _size(shape: Any) -> str:
    return f"workbench.Size({list(shape)})"
