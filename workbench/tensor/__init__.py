"""Tensors and the tape.

`Tensor`, the functions of the op table (`functions.FUNCTIONS`), gradient modes and the backward
pass. The room above layers; it never imports them.
"""

from . import functions, methods
from .backward import backward, grad
from .create import as_tensor, from_numpy, tensor
from .mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    mode,
    no_grad,
    set_grad_enabled,
)
from .node import LEAF, HookHandle, Node
from .printing import set_printoptions
from .tensor import Size, Tensor, mark_written, wrap

FUNCTIONS = functions.FUNCTIONS

__all__ = [
    "FUNCTIONS",
    "LEAF",
    "HookHandle",
    "Node",
    "Size",
    "Tensor",
    "as_tensor",
    "backward",
    "enable_grad",
    "from_numpy",
    "functions",
    "grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "mark_written",
    "methods",
    "mode",
    "no_grad",
    "set_grad_enabled",
    "set_printoptions",
    "tensor",
    "wrap",
]
