"""Transforms of functions: derivatives (grad, vjp, jvp, jacobians) and vectorisation (vmap)."""
