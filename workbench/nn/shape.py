"""Layers that only change shapes."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.tensor import Tensor

from .check import whole
from .module import Module

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Joins the dimensions `start_dim` … `end_dim` into one; the batch dimension stays."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = _dim("Flatten", "start_dim", start_dim)
        self.end_dim = _dim("Flatten", "end_dim", end_dim)

    def forward(self, input: Tensor) -> Tensor:
        """(N, *) → (N, ∏ *) with the default arguments."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits the dimension `dim` into several of the sizes `unflattened_size` (one may be -1)."""

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = _dim("Unflatten", "dim", dim)
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(
                "unflattened_size must be a tuple or list, but found type "
                + type(unflattened_size).__name__
            )
        for side in unflattened_size:
            _dim("Unflatten", "unflattened_size", side)
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """(N, ∏ sizes, *) → (N, *sizes, *) for dim 1."""
        shape = input.array.shape
        dim = self.dim if self.dim >= 0 else self.dim + len(shape)
        if not 0 <= dim < len(shape):
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-len(shape)}, "
                f"{len(shape) - 1}], but got {self.dim})"
            )
        sizes = tuple(self.unflattened_size)
        known = 1
        for side in sizes:
            known *= side if side != -1 else 1
        fits = shape[dim] % max(known, 1) == 0 if -1 in sizes else shape[dim] == known
        if not fits:
            raise RuntimeError(
                f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim "
                f"{dim} ({shape[dim]}) in the input tensor"
            )
        return input.reshape((*shape[:dim], *sizes, *shape[dim + 1 :]))

    def extra_repr(self) -> str:
        """The arguments, as torch prints them."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def _dim(layer: str, name: str, value: object) -> int:
    return whole(layer, name, value, least=-(1 << 30))
