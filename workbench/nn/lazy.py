"""Layers that learn their input size from the first input they see."""

from __future__ import annotations

from typing import Any

from .module import Module, is_lazy

__all__ = ["LazyMixin"]


class LazyMixin(Module):
    """Makes a layer wait for its first input, which `initialize_parameters` then reads.

    After that first call the layer is an ordinary one of class `cls_to_become`.
    """

    cls_to_become: type[Module]

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give parameters and buffers their shapes from forward's arguments."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether some parameter or buffer still waits for its shape."""
        return is_lazy(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        self.initialize_parameters(*args, **kwargs)
        if self.has_uninitialized_params():
            raise RuntimeError(
                f"module {self._get_name()} has not been fully initialized: "
                "initialize_parameters left parameters without a shape"
            )
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        return self(*args, **kwargs)
