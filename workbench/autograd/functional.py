"""Derivatives of functions in one call (torch.autograd.functional's names)."""

from workbench.tensor.transforms.functional import hessian, hvp, jacobian, jvp, vhp, vjp

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
