"""Kinds of tensors that a file remembers: "tensor", and what other rooms register."""

from __future__ import annotations

from collections.abc import Callable

from workbench.tensor.tensor import Tensor

_classes: dict[type, str] = {Tensor: "tensor"}
_makers: dict[str, Callable[[Tensor, bool], Tensor]] = {}


def register_kind(name: str, cls: type, make: Callable[[Tensor, bool], Tensor]) -> None:
    """Let tensors of class `cls` be saved as `name`; make(data, requires_grad) makes them again."""
    _classes[cls] = name
    _makers[name] = make


def kind_of(tensor: Tensor) -> str:
    """The name a tensor's class is saved under; TypeError for classes nobody registered."""
    for cls in type(tensor).__mro__:
        if cls in _classes:
            if cls is not type(tensor) and type(tensor).__name__.startswith("Uninitialized"):
                break
            return _classes[cls]
    raise TypeError(f"wb.save: a {type(tensor).__name__} cannot be saved; give it values first")


def make_kind(name: str, data: Tensor, requires_grad: bool) -> Tensor:
    """A tensor of a saved kind over the memory of `data`; unknown kinds are plain tensors."""
    make = _makers.get(name)
    if make is not None:
        return make(data, requires_grad)
    return data.requires_grad_() if requires_grad else data
