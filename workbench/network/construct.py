"""Reading a layer back as the constructor call that makes one like it.

Layers keep their arguments in attributes named as in their signature (nn's own all do). A
parameter such as `bias` that was asked for with a bool is there or None.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any

from workbench import nn

UNKNOWN = object()
"""Stands for an argument that a module does not tell."""

_HIDDEN = {"device", "dtype", "self"}
_PAIRS = {"kernel_size", "stride", "padding", "dilation", "output_padding", "output_size"}
"""Settings for height and width, for which one number stands for both."""


@functools.lru_cache(maxsize=512)  # of classes
def constructor_parameters(cls: Any) -> tuple[inspect.Parameter, ...]:
    """The parameters of a layer's constructor that say what the layer is.

    `device` and `dtype`, private ones and **kwargs are left out.
    """
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(
        p
        for p in parameters
        if p.kind is not p.VAR_KEYWORD and p.name not in _HIDDEN and not p.name.startswith("_")
    )


def arguments(module: nn.Module) -> dict[str, Any]:
    """What each parameter of the constructor was, read from the module; UNKNOWN where it is silent.

    Equal settings for height and width are given as the one number, as people write them.
    """
    found: dict[str, Any] = {}
    cls: Any = type(module)
    for p in constructor_parameters(cls):
        if p.kind is p.VAR_POSITIONAL:
            continue
        found[p.name] = _read(module, p)
    return found


def _read(module: nn.Module, p: inspect.Parameter) -> Any:
    value = getattr(module, p.name, UNKNOWN)
    held = p.name in getattr(module, "_parameters", {}) or p.name in getattr(module, "_buffers", {})
    if held:  # `bias=True` became a Parameter, or None
        if value is None and getattr(module, "weight", value) is None:
            return p.default  # the layer has no parameters at all, whatever this one said
        return value is not None if isinstance(p.default, bool) else UNKNOWN
    if value is UNKNOWN or callable(value):
        return UNKNOWN
    if p.name == "stride" and p.default is None and value == getattr(module, "kernel_size", None):
        return None  # pooling strides by its kernel unless told otherwise
    value = plain(value)
    if p.name in _PAIRS and isinstance(value, list) and len(set(map(str, value))) == 1:
        return value[0]
    return value


def plain(value: Any) -> Any:
    """Nested tuples and lists as lists, everything else as it is."""
    return [plain(v) for v in value] if isinstance(value, (tuple, list)) else value


def expression(module: nn.Module, changed: Mapping[str, Any] | None = None) -> str:
    """Python that constructs a layer like this one, e.g. `nn.Linear(64, 32, bias=False)`.

    `changed` replaces arguments. Arguments that have their default are left out. Where a module
    of the user's own does not tell an argument, it is written as `...`.
    """
    cls: Any = type(module)
    if isinstance(module, (nn.Sequential, nn.ModuleList)) and cls.__module__ == _home(cls):
        return _container(module)
    values = arguments(module) | dict(changed or {})
    kinds = {p.name: p for p in constructor_parameters(cls)}
    parts: list[str] = []
    keyword_only = False
    for name, p in kinds.items():
        if p.kind is p.VAR_POSITIONAL:
            continue
        value = values.get(name, UNKNOWN)
        required = p.default is p.empty
        if not required and (value is UNKNOWN or same(value, p.default)):
            keyword_only = True
            continue
        text = "..." if value is UNKNOWN else source(value)
        by_name = keyword_only or not required or p.kind is p.KEYWORD_ONLY
        parts.append(f"{name}={text}" if by_name else text)
    dtype = _odd_dtype(module)
    if dtype is not None:
        parts.append(f"dtype=wb.{dtype}")
    return f"{qualified(cls)}({', '.join(parts)})"


def call(type_name: str, args: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Python for a constructor call by name, leaving out what has its default."""
    parts = []
    positional = True
    for name, value in args.items():
        if name in defaults and same(value, defaults[name]):
            positional = False
            continue
        positional = positional and name not in defaults
        parts.append(source(value) if positional else f"{name}={source(value)}")
    return f"{type_name}({', '.join(parts)})"


def same(value: Any, default: Any) -> bool:
    """Whether two argument values mean the same: (3, 3) and 3 do, 1 and True do not."""
    value, default = plain(value), plain(default)
    if isinstance(value, bool) != isinstance(default, bool):
        return False
    if isinstance(value, list) and type(default) is int:
        return all(type(v) is int and v == default for v in value)
    if isinstance(default, list) and type(value) is int:
        return same(default, value)
    try:
        return bool(value == default)
    except (TypeError, ValueError, RuntimeError):
        return False


def source(value: Any) -> str:
    """A plain value as Python source; lists are written as the tuples that layers take."""
    value = plain(value)
    if isinstance(value, list):
        inner = ", ".join(source(v) for v in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, float) and value != value:
        return 'float("nan")'
    if isinstance(value, float) and value in (float("inf"), -float("inf")):
        return 'float("inf")' if value > 0 else '-float("inf")'
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    return "..."


def complete(text: str) -> bool:
    """Whether an expression made here can be executed as it is."""
    return "..." not in text


def qualified(cls: type) -> str:
    """How code spells this class: `nn.Linear`, `wb.network.Add`, or the bare name of one's own."""
    if getattr(nn, cls.__name__, None) is cls:
        return f"nn.{cls.__name__}"
    if cls.__module__.startswith("workbench.network."):
        return f"wb.network.{cls.__name__}"
    return cls.__name__


def foreign(module: nn.Module) -> dict[str, str]:
    """Names of the user's own classes inside a module, and the modules they come from."""
    found = {}
    for inner in module.modules():
        cls = type(inner)
        if qualified(cls) == cls.__name__:
            found[cls.__name__] = cls.__module__
    return found


def _home(cls: type) -> str:
    return getattr(nn, cls.__name__, cls).__module__


def _container(module: nn.Module) -> str:
    names = [name for name, _ in module.named_children()]
    inner = [expression(child) for _, child in module.named_children()]
    cls = qualified(type(module))
    if isinstance(module, nn.ModuleList):
        return f"{cls}([{', '.join(inner)}])"
    if names == [str(i) for i in range(len(names))]:
        return f"{cls}({', '.join(inner)})"
    pairs = ", ".join(f"({name!r}, {text})" for name, text in zip(names, inner, strict=True))
    return f"{cls}(OrderedDict([{pairs}]))"


def _odd_dtype(module: nn.Module) -> str | None:
    # layers made by their constructor alone have the default dtype, float32
    cls: Any = type(module)
    if "dtype" not in _raw_names(cls):
        return None
    for parameter in module.parameters(recurse=False):
        name = str(parameter.dtype).rpartition(".")[2]
        return None if name == "float32" else name
    return None


@functools.lru_cache(maxsize=512)
def _raw_names(cls: Any) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(cls).parameters)
    except (TypeError, ValueError):
        return frozenset()
