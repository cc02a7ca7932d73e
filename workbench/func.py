"""Transforms of functions (torch.func's names)."""

from .tensor.transforms.derivatives import (
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
)
from .tensor.transforms.stateless import (
    functional_call,
    replace_all_batch_norm_modules_,
    stack_module_state,
)
from .tensor.transforms.vmap import sample_by_sample, vmap

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "replace_all_batch_norm_modules_",
    "sample_by_sample",
    "stack_module_state",
    "vjp",
    "vmap",
]
