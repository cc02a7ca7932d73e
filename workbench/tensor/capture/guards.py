"""What a plan relies on besides its arguments, and whether that is still so."""

from __future__ import annotations

from collections.abc import Iterator
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
        self.changes = active.module_changes

    def hold(self) -> bool:
        """Whether everything is as it was."""
        for tensor, array, without_grad in self._tensors:
            if tensor.array is not array or (tensor.edge is None) is not without_grad:
                return False
        for tensor, array in self._grads:
            held = tensor.grad
            if (held if held is None else held.array) is not array:
                return False
        return active.module_changes == self.changes or self.modules_hold()

    def modules_hold(self) -> bool:
        """Whether the modules are as they were, after some module was changed."""
        changes = active.module_changes
        if any(_state(module) != state for module, state in self._modules):
            return False
        self.changes = changes
        return True

    def checks(self, space: dict[str, Any]) -> Iterator[str]:
        """`hold` as Python conditions, each true where something has changed.

        What they name is put into `space`, where `active` and `guards` (this) are already.
        """
        yield "active.module_changes != guards.changes and not guards.modules_hold()"
        for i, (tensor, array, without_grad) in enumerate(self._tensors):
            space[f"p{i}"], space[f"q{i}"] = tensor, array
            yield f"p{i}.array is not q{i} or p{i}.edge is {'not ' if without_grad else ''}None"
        for i, (tensor, array) in enumerate(self._grads):
            space[f"g{i}"], space[f"h{i}"] = tensor, array
            if array is None:
                yield f"g{i}.grad is not None"
            else:
                yield f"g{i}.grad is None or g{i}.grad.array is not h{i}"


def _state(module: Any) -> Any:
    """A module's settings and who its members are."""
    return {
        key: value if isinstance(value, _SCALARS) else id(value)
        for key, value in module.__dict__.items()
    }
