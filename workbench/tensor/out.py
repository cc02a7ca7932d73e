"""`out=`: a result written into a tensor that is there already, by torch's rules.

Which functions take it is said in `out_names.py`. A call without `out` pays nothing for it. The
generated functions end in two parameters, `_` and `out`, both None: one comparison tells that
neither was given, and `_` catches what was meant for no parameter at all. Compositions get a
function of their own signature before them when their name is first looked up.
"""

from __future__ import annotations

import inspect
import linecache
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.arrays import array_device, device_namespace
from workbench.arrays.dtypes import dtype_of

from . import versions
from .mode import mode, no_grad
from .out_names import OUT
from .tensor import Tensor

__all__ = ["OUT", "deliver", "offering", "with_out"]


def with_out(
    call: Callable[..., Any],
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    extra: Any,
    out: Any,
) -> Any:
    """`call(*args, **kwargs)` written into `out` (a tensor, or one per result); returns `out`.

    Raises TypeError for an `out` of another kind, RuntimeError where a gradient is asked for or the
    results' dtypes do not fit.
    """
    if extra is not None:
        raise TypeError(
            f"{name}() takes {len(args)} positional arguments but {len(args) + 1} were given"
        )
    targets = out if isinstance(out, (tuple, list)) else (out,)
    for target in targets:
        if not isinstance(target, Tensor):
            raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(target).__name__}")
    if mode.grad and any(
        isinstance(v, Tensor) and v.edge is not None
        for value in (*args, *kwargs.values(), *targets)
        for v in (value if isinstance(value, (tuple, list)) else (value,))
    ):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad."
        )
    with no_grad():
        return deliver(name, call(*args, **kwargs), out)


def deliver(name: str, result: Any, out: Any) -> Any:
    """Write one result, or several, into `out`."""
    if isinstance(result, Tensor):
        if not isinstance(out, Tensor):
            raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
        _check(name, result, out)
        _write(name, result, out)
        return out
    if not isinstance(out, (tuple, list)) or len(out) != len(result):
        raise TypeError(
            f"{name}(): argument 'out' must be a tuple of {len(result)} Tensors, not "
            f"{type(out).__name__}"
        )
    for value, target in zip(result, out, strict=True):
        _check(name, value, target)
    for value, target in zip(result, out, strict=True):
        _write(name, value, target)
    return type(result)(*out) if hasattr(result, "_fields") else tuple(out)


def _check(name: str, result: Tensor, out: Tensor) -> None:
    value, target = result.array, out.array
    if value.dtype != target.dtype and dtype_of(value).category > dtype_of(target).category:
        raise RuntimeError(
            f"result type {dtype_of(value).name} can't be cast to the desired output type "
            f"{dtype_of(target).name} in {name}(out=)"
        )
    if array_device(value).type != array_device(target).type:
        raise RuntimeError(
            f"{name}(): expected out to be on {array_device(value)}, but it is on "
            f"{array_device(target)}"
        )
    if value.shape == target.shape and not getattr(target.flags, "writeable", True):
        raise RuntimeError(
            f"{name}(): unsupported operation: out is a read-only view (an expanded tensor, or "
            "memory that NumPy protects). Please clone() the tensor before performing the operation"
        )


def _write(name: str, result: Tensor, out: Tensor) -> None:
    value, target = result.array, out.array
    if value.shape != target.shape:
        if target.size:
            warnings.warn(
                f"An output with one or more elements was resized since it had shape "
                f"{list(target.shape)}, which does not match the required output shape "
                f"{list(value.shape)}. Resize it with t.resize_(0) first, or give a new tensor.",
                UserWarning,
                stacklevel=5,
            )
        xp = device_namespace(array_device(target))
        target = out.array = xp.empty(value.shape, target.dtype)
    if type(target) is np.ndarray and type(value) is np.ndarray:
        np.copyto(target, value, casting="unsafe")
    else:
        target[...] = value.astype(target.dtype)
    versions.mark_array(target)


def shown(signature: inspect.Signature) -> inspect.Signature:
    """A signature with `out` behind everything else."""
    extra = inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, default=None)
    return signature.replace(parameters=[*signature.parameters.values(), extra])


_made: dict[Any, Any] = {}


def offering(call: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A composition with `out` added to its signature; itself where it has one."""
    if call not in _made:
        _made[call] = _offering(call, name)
    return _made[call]


def _offering(call: Any, name: str) -> Any:
    signature = inspect.signature(call)
    params = list(signature.parameters.values())
    if isinstance(call, type) or any(p.name == "out" or p.kind is p.VAR_KEYWORD for p in params):
        return call
    space: dict[str, Any] = {"call": call, "with_out": with_out}
    before, after, given, named = [], [], [], []
    for p in params:
        text = p.name
        if p.default is not p.empty:
            space[f"default_{p.name}"] = p.default
            text += f"=default_{p.name}"
        if p.kind is p.KEYWORD_ONLY:
            after.append(text)
            named.append(p.name)
        elif p.kind is p.VAR_POSITIONAL:
            before.append(f"*{text}")
            given.append(f"*{p.name}")
        else:
            before.append(text)
            given.append(p.name)
    several = any(p.kind is p.VAR_POSITIONAL for p in params)
    middle = [*after, "out=None"] if several else ["_=None", "out=None", *(["*"] if after else [])]
    head = ", ".join([*before, *middle] if several else [*before, *middle, *after])
    args = ", ".join(given)
    kwargs = ", ".join(f"{n}={n}" for n in named)
    packed = "".join(f"{g}, " for g in given)
    spare = "None" if several else "_"
    lines = [
        f"def made({head}):",
        f"    if out is not {spare}:",
        f"        return with_out(call, {name!r}, ({packed}), dict({kwargs}), {spare}, out)",
        f"    return call({', '.join(filter(None, [args, kwargs]))})",
    ]
    source = "\n".join(lines) + "\n"
    filename = f"<workbench function {name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), space)  # from our own signatures, never user input
    made = space["made"]
    made.__name__ = made.__qualname__ = call.__name__
    made.__doc__, made.__module__ = call.__doc__, call.__module__
    made.__wrapped__ = call
    made.__signature__ = shown(signature)
    return made
