"""Layers with several inputs, so that a network can have branches and residual connections."""

from __future__ import annotations

from typing import Any

from workbench import nn
from workbench.tensor import FUNCTIONS

_cat = FUNCTIONS[""]["cat"]


class Join(nn.Module):
    """Base of the layers that bring branches together; takes one or more inputs."""


class Add(Join):
    """The sum of its inputs (residual connections); their shapes must be equal.

    With one input it hands that input on, so inserting it changes nothing until it is rewired.
    """

    def forward(self, *inputs: Any) -> Any:
        """The sum of tensors of one shape."""
        total = inputs[0]
        for other in inputs[1:]:
            total = total + other
        return total


class Concat(Join):
    """Its inputs side by side along `dim`; all other dimensions must be equal.

    With one input it hands that input on. `dim` counts the batch dimension, as in `wb.cat`.
    """

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *inputs: Any) -> Any:
        """The tensors side by side."""
        return inputs[0] if len(inputs) == 1 else _cat(list(inputs), dim=self.dim)

    def extra_repr(self) -> str:
        """The arguments, for the module's repr."""
        return f"dim={self.dim}"
