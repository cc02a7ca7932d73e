"""The tensors' own memory slots, whatever stands before them while a step is recorded."""

from __future__ import annotations

from typing import Any


class Slots:
    """Reads and writes `Tensor.array` and `Tensor.grad` as they are stored."""

    def __init__(self) -> None:
        self.members: dict[str, Any] = {}

    def array(self, tensor: Any) -> Any:
        """What is stored as the array."""
        return self.members["array"].__get__(tensor, type(tensor))

    def set_array(self, tensor: Any, value: Any) -> None:
        """Store an array."""
        self.members["array"].__set__(tensor, value)

    def grad(self, tensor: Any) -> Any:
        """What is stored as the gradient."""
        return self.members["grad"].__get__(tensor, type(tensor))


tensor_slots = Slots()
