"""Gradients (torch.autograd's names)."""

from .tensor import (
    backward,
    enable_grad,
    grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from .tensor.function import Function, FunctionContext, once_differentiable
from .tensor.gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function",
    "FunctionContext",
    "backward",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "once_differentiable",
    "set_grad_enabled",
]
