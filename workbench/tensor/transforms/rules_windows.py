"""Batching rules of pools, padding, sliding blocks, resizing and sampling.

These ops treat each entry of a batch alone, so that samples become entries of a larger one.
"""

from __future__ import annotations

from typing import Any

from .dispatch import Call
from .rules import rule
from .rules_nn import pull, push

_RANKS = {f"{name}{dims}d{rest}": dims for dims in (1, 2, 3) for name, rest in (
    ("max_pool", ""), ("max_pool", "_with_indices"), ("max_pool", "_taps"),
    ("max_unpool", "_taps"), ("avg_pool", ""), ("avg_unpool", ""), ("adaptive_avg_pool", ""),
    ("adaptive_avg_unpool", ""), ("adaptive_max_pool", "_with_indices"),
)}  # fmt: skip


@rule(*_RANKS)
def _pool(call: Call) -> Any:
    """Pools of (C, …) take the samples as a batch; those of (N, C, …) as more of one."""
    dims, n = _RANKS[call.op.name], call.ndim()
    if n not in (dims + 1, dims + 2) or any(v.ndim != n for v in call.values) or not call.size:
        return None
    settings: dict[str, Any] = {}
    if "shape" in call.settings:
        first, *rest = call.settings["shape"]
        fits = (call.size, first) if n == dims + 1 else (call.size * first,)
        settings["shape"] = (*fits, *rest)
    if n == dims + 1:
        return call.run(*(call.spread(i) for i in range(len(call.values))), **settings)
    folded = [pull(call.spread(i), 0) for i in range(len(call.values))]
    return _pushed(call.run(*folded, **settings), call.size)


def _pushed(results: Any, size: int) -> Any:
    if isinstance(results, tuple):
        return tuple(push(r, 0, size) for r in results)
    return push(results, 0, size)


@rule("pad", "pad_adjoint")
def _pad(call: Call) -> Any:
    """Widths count from the last side, so that samples may stand before them."""
    n, x, size = call.ndim(), call.spread(0), call.size
    settings: dict[str, Any] = {}
    wide = call.settings["mode"] != "constant" and n == len(call.settings["pad"]) // 2 + 2
    if wide and not size:
        return None
    if "shape" in call.settings:
        first, *rest = call.settings["shape"]
        settings["shape"] = (first * size, *rest) if wide else (size, first, *rest)
    if wide:
        return push(call.run(pull(x, 0), **settings), 0, size)
    return call.run(x, **settings)


@rule("im2col", "col2im")
def _columns(call: Call) -> Any:
    """Unbatched samples become a batch; batches of them a larger one."""
    n, x = call.ndim(), call.spread(0)
    if n == (3 if call.op.name == "im2col" else 2):
        return call.run(x)
    return push(call.run(pull(x, 0)), 0, call.size) if n > 1 and call.size else None


@rule("resample", "resample_adjoint")
def _resample(call: Call) -> Any:
    if not call.size:
        return None
    settings: dict[str, Any] = {}
    if "shape" in call.settings:
        first, *rest = call.settings["shape"]
        settings["shape"] = (first * call.size, *rest)
    return push(call.run(pull(call.spread(0), 0), **settings), 0, call.size)


@rule("sample_grid", "put_grid")
def _grid(call: Call) -> Any:
    if not call.size or call.ndim(0) not in (4, 5) or call.ndim(1) != call.ndim(0):
        return None
    settings: dict[str, Any] = {}
    if "shape" in call.settings:
        first, *rest = call.settings["shape"]
        settings["shape"] = (first * call.size, *rest)
    out = call.run(pull(call.spread(0), 0), pull(call.spread(1), 0), **settings)
    return push(out, 0, call.size)


@rule("take_planes", "add_planes", "put_planes")
def _planes(call: Call) -> Any:
    """Any number of dimensions may stand before a plane's."""
    return call.run(call.spread(0), call.spread(1))
