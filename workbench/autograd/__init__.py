"""Gradients (torch.autograd's names)."""

from workbench.tensor import (
    backward,
    enable_grad,
    grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from workbench.tensor.anomaly import detect_anomaly, set_detect_anomaly
from workbench.tensor.function import Function, FunctionContext, once_differentiable
from workbench.tensor.gradcheck import gradcheck, gradgradcheck

from . import forward_ad, function, functional, graph

__all__ = [
    "Function",
    "FunctionContext",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "once_differentiable",
    "profiler",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def __getattr__(name: str) -> object:
    if name == "profiler":  # loaded when first asked for
        from importlib import import_module

        return import_module("workbench.autograd.profiler")
    raise AttributeError(f"module 'workbench.autograd' has no attribute {name!r}")
