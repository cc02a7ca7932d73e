"""Layers: torch.nn's classes, `nn.functional`, `nn.init` and `nn.utils`."""

from typing import TYPE_CHECKING, Any

from . import (
    activation,
    cells,
    containers,
    conv,
    distance,
    dropout,
    embedding,
    functional,
    init,
    linear,
    loss,
    loss_margins,
    norm,
    pooling,
    recurrent,
    shape,
    utils,
)
from .containers import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from .module import Module
from .parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter

_FAMILIES = (
    activation, cells, conv, distance, dropout, embedding, linear, loss, loss_margins, norm,
    pooling, recurrent, shape,
)  # fmt: skip
_layers = {name: getattr(family, name) for family in _FAMILIES for name in family.__all__}
globals().update(_layers)
if TYPE_CHECKING:  # the layers' names are found above, not written out

    def __getattr__(name: str) -> Any: ...


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
    "functional",
    "init",
    "utils",
]
__all__.extend(sorted(_layers))
