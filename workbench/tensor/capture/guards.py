"""What a plan relies on besides its arguments, and whether that is still so."""

from __future__ import annotations

from typing import Any

from . import active
from .recorder import _UNSEEN, Recorder

_SCALARS = (bool, int, float, str, type(None), tuple)


class Guards:
    """The tensors, gradients and modules that a plan was recorded with."""

    def __init__(self, recorder: Recorder, arguments: list[Any]) -> None:
        self._tensors = list(recorder.externals.values())
        self._grads = [(t, g) for t, g in recorder.grads.values() if g is not _UNSEEN]
        self._modules = [(m, _state(m)) for m in recorder.modules.values()]
        self._changes = active.module_changes

    def hold(self) -> bool:
        """Whether everything is as it was."""
        for tensor, array, without_grad in self._tensors:
            if tensor.array is not array or (tensor.edge is None) is not without_grad:
                return False
        for tensor, array in self._grads:
            held = tensor.grad
            if (held if held is None else held.array) is not array:
                return False
        if active.module_changes != self._changes:
            changes = active.module_changes
            if any(_state(module) != state for module, state in self._modules):
                return False
            self._changes = changes
        return True


def _state(module: Any) -> Any:
    """A module's settings and who its members are."""
    return {
        key: value if isinstance(value, _SCALARS) else id(value)
        for key, value in module.__dict__.items()
    }
