"""Layers: torch.nn's classes, `nn.functional`, `nn.init` and `nn.utils`."""

import importlib
from typing import Any

from . import (
    activation,
    adaptive_softmax,
    attention,
    cells,
    containers,
    conv,
    distance,
    dropout,
    embedding,
    fold,
    functional,
    init,
    instance_norm,
    linear,
    loss,
    loss_linear,
    loss_margins,
    multihead,
    norm,
    padding,
    pixelshuffle,
    pooling,
    recurrent,
    shape,
    transformer,
    unpooling,
    upsampling,
    utils,
)
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .module import Module
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

_FAMILIES = (
    activation, adaptive_softmax, cells, conv, distance, dropout, embedding, instance_norm, fold,
    linear, loss, loss_linear, loss_margins, norm,
    multihead, padding, pixelshuffle, pooling, recurrent, transformer, shape, unpooling, upsampling,
)  # fmt: skip
_layers = {name: getattr(family, name) for family in _FAMILIES for name in family.__all__}
globals().update(_layers)


def __getattr__(name: str) -> Any:  # type checkers learn of the layers' names here too
    if name == "modules":
        return importlib.import_module(f"{__name__}.modules")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Buffer",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "Sequential",
    "UninitializedBuffer",
    "UninitializedParameter",
    "attention",
    "functional",
    "init",
    "utils",
]
__all__.extend(sorted(_layers))
