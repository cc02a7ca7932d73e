"""A layer of a network as one looks at it."""

from __future__ import annotations

from dataclasses import dataclass

from workbench import nn

from .construct import expression
from .palette import of


@dataclass(frozen=True)
class Layer:
    """A layer's place in its network and its module.

    Attributes:
        id: stable id, e.g. "n3".
        name: present name.
        module: the nn.Module.
        inputs: ids of what it reads ("input" for the network's input).
        shape: its output's shape without the batch dimension.
        flops: floating-point operations of one example's forward pass.
    """

    id: str
    name: str
    module: nn.Module
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    flops: int

    @property
    def type(self) -> str:
        """The name of the module's class."""
        return type(self.module).__name__

    @property
    def family(self) -> str:
        """The palette's family, or "Custom"."""
        entry = of(self.module)
        return "Custom" if entry is None else entry.family

    @property
    def parameters(self) -> int:
        """Number of its parameters' elements."""
        return sum(p.numel() for p in self.module.parameters())

    @property
    def frozen(self) -> bool:
        """Whether it has parameters and none of them is trained."""
        return is_frozen(self.module)

    def __repr__(self) -> str:
        reads = ", ".join(self.inputs)
        return f"Layer({self.id}, {self.name!r}, {expression(self.module)}, inputs=[{reads}])"


def is_frozen(module: nn.Module) -> bool:
    """Whether a module has parameters and none of them requires a gradient."""
    flags = [p.requires_grad for p in module.parameters()]
    return bool(flags) and not any(flags)
