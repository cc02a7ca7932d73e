"""Modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from workbench.tensor.functions import FUNCTIONS
from workbench.tensor.node import LEAF
from workbench.tensor.tensor import Tensor, wrap


def _places(module: Any) -> dict[str, tuple[Any, str, Any]]:
    """Full name -> (the attributes it is among, its name there, the tensor)."""
    found = {}
    for prefix, part in module.named_modules(remove_duplicate=False):
        for register in (part._parameters, part._buffers):
            for name, tensor in register.items():
                # not the register itself: it refuses what is no Parameter
                found[f"{prefix}.{name}" if prefix else name] = (part.__dict__, name, tensor)
    return found


@contextmanager
def swapped(
    module: Any, values: dict[str, Tensor], *, tie_weights: bool, strict: bool
) -> Iterator[None]:
    """Within the block, `module` holds these tensors in the places of its own.

    Raises RuntimeError for missing and unknown names where `strict`, TypeError for other values.
    """
    places = _places(module)
    wanted: dict[str, Tensor] = {}
    for name, tensor in values.items():
        if name in places and not isinstance(tensor, Tensor):
            raise TypeError(f"{name} should be a Tensor, got {type(tensor).__name__}")
        wanted[name] = tensor
    unknown = [name for name in wanted if name not in places]
    if tie_weights:
        for name in list(wanted):
            if name not in places or places[name][2] is None:
                continue
            for other, (_, _, tensor) in places.items():
                if tensor is not places[name][2] or other == name:
                    continue
                if other in values and values[other] is not values[name]:
                    raise ValueError(
                        f"functional_call got multiple values for keys {sorted((name, other))}, "
                        "which are tied. Consider using tie_weights=False"
                    )
                wanted[other] = wanted[name]
    if strict:
        missing = [n for n, (_, _, t) in places.items() if t is not None and n not in wanted]
        if missing or unknown:
            raise RuntimeError(
                f"Error(s) in functional_call: missing keys {missing}, unexpected keys {unknown}"
            )
    held = {name: places[name] for name in wanted if name in places}
    try:
        for name, (register, key, _) in held.items():
            register[key] = wanted[name]
        yield
    finally:
        for register, key, tensor in held.values():
            register[key] = tensor


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: dict[str, Tensor] | Sequence[dict[str, Tensor]],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """module(*args, **kwargs) with these tensors in place of its parameters and buffers.

    `parameter_and_buffer_dicts` is a dict of full names, or several of disjoint names. Tensors
    not named stay the module's own; the module is as before afterwards.
    """
    if isinstance(parameter_and_buffer_dicts, dict):
        values = dict(parameter_and_buffer_dicts)
    else:
        values = {}
        for part in parameter_and_buffer_dicts:
            twice = sorted(set(values) & set(part))
            if twice:
                raise ValueError(
                    f"{twice} appeared in multiple dictionaries; behavior is ambiguous"
                )
            values.update(part)
    given = () if args is None else args if isinstance(args, tuple) else (args,)
    with swapped(module, values, tie_weights=tie_weights, strict=strict):
        return module(*given, **(kwargs or {}))


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and buffers of like modules, stacked along a new first dimension.

    For an ensemble: `vmap(lambda p, b, x: functional_call(model, (p, b), (x,)))`. Raises
    RuntimeError when there are none, or when they differ in class or mode.
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({bool(m.training) for m in models}) > 1:
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training mode."
        )
    if len({type(m) for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(m.named_parameters()) for m in models]
    buffers = [dict(m.named_buffers()) for m in models]
    return _stacked(parameters), _stacked(buffers)


def _stacked(dicts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    made = {}
    for name in dicts[0]:
        parts = [d[name] for d in dicts]
        wants = {t.edge is not None for t in parts}
        if len(wants) > 1:
            raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
        stack = wrap(FUNCTIONS[""]["stack"]([t.detach() for t in parts]).array)
        stack.edge = LEAF if wants.pop() else None
        made[name] = stack
    return made


def replace_all_batch_norm_modules_(root: Any) -> Any:
    """Make every batch normalisation in `root` normalise by the batch alone. Returns `root`."""
    for part in root.modules():
        if getattr(part, "track_running_stats", False) and hasattr(part, "running_mean"):
            part.track_running_stats = False
            part.running_mean = part.running_var = part.num_batches_tracked = None
    return root
