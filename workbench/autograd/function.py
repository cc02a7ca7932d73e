"""Functions with a gradient of their own (torch.autograd.function's names)."""

from workbench.tensor.function import Function, FunctionContext, once_differentiable

FunctionCtx = FunctionContext

__all__ = ["Function", "FunctionContext", "FunctionCtx", "once_differentiable"]
