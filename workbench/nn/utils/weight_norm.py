"""Weight and spectral norm by hooks, as torch had them before parametrizations."""

from __future__ import annotations

import warnings
from typing import Any

from workbench.nn.functional import normalize
from workbench.nn.hooks import RemovableHandle
from workbench.nn.module import Module
from workbench.nn.parameter import Parameter
from workbench.tensor import FUNCTIONS, Tensor, no_grad

from .parametrizations import as_matrix, default_dim, norm_except_dim

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]

_op = FUNCTIONS[""]


class WeightNorm:
    """The hook of `weight_norm`: computes the weight before each forward pass."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """Length times direction."""
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return v * (g / norm_except_dim(v, 2, self.dim))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def _hook(module: Module, kind: type, name: str) -> tuple[RemovableHandle, Any] | None:
    """The hook of that kind on that tensor, and how to take it out."""
    held = module.__dict__.get("_hooks") or {"forward_pre": {}}
    for key, (hook, _) in held["forward_pre"].items():
        if isinstance(hook, kind) and hook.name == name:
            return RemovableHandle(module, "forward_pre", key), hook
    return None


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Learn a weight as its length `name_g` and its direction `name_v`. Deprecated, and warns.

    Salimans and Kingma, 2016. Use `parametrizations.weight_norm`. Raises RuntimeError where the
    weight has one already.
    """
    warnings.warn(
        "`nn.utils.weight_norm` is deprecated in favor of `nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    if _hook(module, WeightNorm, name) is not None:
        raise RuntimeError(f"Cannot register two weight_norm hooks on the same parameter {name}")
    hook = WeightNorm(name, dim)
    weight = getattr(module, name)
    delattr(module, name)
    with no_grad():
        length = norm_except_dim(weight, 2, hook.dim)
    module.register_parameter(f"{name}_g", Parameter(length.detach().clone()))
    module.register_parameter(f"{name}_v", Parameter(weight.detach().clone()))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Undo `weight_norm`. Raises ValueError where there is none."""
    found = _hook(module, WeightNorm, name)
    if found is None:
        raise ValueError(f"weight_norm of '{name}' not found in {module}")
    handle, hook = found
    with no_grad():
        weight = hook.compute_weight(module)
    for held in (name, f"{name}_g", f"{name}_v"):
        delattr(module, held)
    handle.remove()
    setattr(module, name, Parameter(weight.detach().clone()))
    return module


class SpectralNorm:
    """The hook of `spectral_norm`: a step of the power method, then the division."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.name = name
        self.dim = dim
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """The weight over its largest singular value."""
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(normalize(matrix.mT @ u, dim=0, eps=self.eps))
                    u.copy_(normalize(matrix @ v, dim=0, eps=self.eps))
            u, v = u.clone(), v.clone()
        return weight / _op["dot"](u, matrix @ v)

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value before each forward pass.

    Miyato et al., 2018; `parametrizations.spectral_norm` does the same. Raises RuntimeError where
    the weight has one already, ValueError for a number of iterations that is not positive.
    """
    if _hook(module, SpectralNorm, name) is not None:
        raise RuntimeError(f"Cannot register two spectral_norm hooks on the same parameter {name}")
    hook = SpectralNorm(name, n_power_iterations, default_dim(module, dim), eps)
    weight = getattr(module, name)
    with no_grad():
        rows, columns = as_matrix(weight, hook.dim).array.shape
        made = [
            normalize(_op["randn"](n, dtype=weight.dtype, device=weight.device), dim=0, eps=eps)
            for n in (rows, columns)
        ]
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.detach())  # until the first forward pass
    module.register_buffer(f"{name}_u", made[0])
    module.register_buffer(f"{name}_v", made[1])
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Undo `spectral_norm`, leaving the divided weight. Raises ValueError where there is none."""
    found = _hook(module, SpectralNorm, name)
    if found is None:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    handle, hook = found
    with no_grad():
        weight = hook.compute_weight(module, False)
    for held in (name, f"{name}_u", f"{name}_v", f"{name}_orig"):
        delattr(module, held)
    handle.remove()
    module.register_parameter(name, Parameter(weight.detach().clone()))
    return module
