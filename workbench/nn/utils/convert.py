"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.tensor import FUNCTIONS, Tensor, mark_written

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters, one after the other, 1-D (on the tape)."""
    return FUNCTIONS[""]["cat"]([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy a vector's elements into the parameters, in order.

    Raises TypeError when `vec` is not a tensor, RuntimeError when it is too short; nothing is
    written then.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected Tensor, but got: {type(vec).__name__}")
    held = list(parameters)
    wanted = sum(p.array.size for p in held)
    if vec.array.size < wanted:
        raise RuntimeError(f"the vector has {vec.array.size} elements, the parameters {wanted}")
    start = 0
    for p in held:
        stop = start + p.array.size
        p.array[...] = vec.array[start:stop].reshape(p.array.shape)
        mark_written(p)
        start = stop
