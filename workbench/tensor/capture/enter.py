"""The way into a replay, written out: one function that looks at a call and answers it.

What it checks is what the plan's key says (`signature.py`) and what guards the plan
(`guards.py`), attribute by attribute, so that a replay costs little more than its kernels. It
answers `MISS` to whatever it does not know at once: another plan may fit, or a closer look.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from workbench.tensor.mode import mode
from workbench.tensor.tensor import Tensor, wrap

from . import active
from .emit import defined
from .signature import PLAIN

MISS = object()


def entrance(captured: Any, key: Any, calls: dict[str, int]) -> Callable[[Any, Any], Any] | None:
    """A function of a call's (args, kwargs) for one plan; None where the call has nested parts.

    It counts its replays in `calls`.
    """
    arguments, named, (grad, inference) = key
    result = captured.result_source()
    if named or result is None:
        return None
    space: dict[str, Any] = {
        "MISS": MISS, "active": active, "mode": mode, "wrap": wrap, "Tensor": Tensor,
        "guards": captured.guards, "replay": captured.replay, "acquire": captured.busy.acquire,
        "release": captured.busy.release, "captured": captured, "calls": calls,
    }  # fmt: skip
    checks: list[str] = []
    names: list[str] = []
    tensors: list[Any] = []  # (name, what the key says of it)
    for i, told in enumerate(arguments[1:]):
        names.append(f"v{i}")
        if type(told) is tuple and told[0] is Tensor:
            checks += _tensor_checks(len(tensors), f"v{i}", told, space)
            tensors.append((f"v{i}", told))
        elif type(told) is tuple and told[0] in PLAIN:
            space[f"w{i}"], space[f"T{i}"] = told[1], told[0]
            checks.append(f"type(v{i}) is not T{i} or v{i} != w{i}")
        else:
            return None
    for (i, (_, one)), (j, (_, other)) in combinations(enumerate(tensors), 2):
        if one[1] == other[1]:
            checks.append(f"a{j} is {'not ' if other[-1] == i else ''}a{i}")
    checks.append(f"mode.grad is not {grad} or mode.inference is not {inference}")
    checks += captured.guards.checks(space)
    lines = [
        "def enter(args, kwargs):",
        f"    if kwargs or len(args) != {len(names)} or active.profiler is not None:",
        "        return MISS",
        *([f"    {', '.join(names)}, = args"] if names else []),
        *(line for check in checks for line in (f"    if {check}:", "        return MISS")),
        "    if not acquire(False):",  # another thread is in the plan's memory
        "        return MISS",
        "    try:",
        "        calls['replayed'] += 1",
        f"        made = replay({', '.join(f'a{i}' for i in range(len(tensors)))})",
        *(f"        {line}" for line in result([name for name, _ in tensors])),
        "    finally:",
        "        release()",
    ]
    return defined("enter", lines, space)  # type: ignore[no-any-return]


def _tensor_checks(i: int, name: str, told: Any, space: dict[str, Any]) -> list[str]:
    _, shape, dtype, strides, without_edge, kind, _ = told
    space[f"dtype{i}"], space[f"kind{i}"] = dtype, kind
    return [
        f"not isinstance({name}, Tensor)",
        f"type(a{i} := {name}.array) is not kind{i} or a{i}.shape != {shape!r}",
        f"a{i}.dtype is not dtype{i} or a{i}.strides != {strides!r}",
        f"{name}.edge is {'not ' if without_edge else ''}None",
    ]
