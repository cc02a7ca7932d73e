"""Whether operations are being recorded, per thread."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])


class _Mode(threading.local):
    grad = True
    inference = False
    pushing = False  # whether a backward pass is being recorded only to be transposed


mode = _Mode()


def is_grad_enabled() -> bool:
    """Whether operations of this thread are recorded for `backward`."""
    return mode.grad


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`."""
    return mode.inference


class pushing:  # noqa: N801 - a block, like no_grad
    """A block whose backward passes are recorded to be transposed: forward derivatives.

    A user's Function with a `jvp` then answers with that instead of its `backward`.
    """

    def __enter__(self) -> None:
        self._before, mode.pushing = mode.pushing, True

    def __exit__(self, *exc: object) -> None:
        mode.pushing = self._before


class _Switch:
    """A context manager that is also a decorator (each call of the function enters it anew)."""

    # (grad, inference, the same of the entry before): one object may be entered inside itself
    _before: Any = None

    def _state(self) -> tuple[bool, bool]:
        raise NotImplementedError

    def __enter__(self) -> None:
        self._before = (mode.grad, mode.inference, self._before)
        mode.grad, mode.inference = self._state()

    def __exit__(self, *exc: object) -> None:
        mode.grad, mode.inference, self._before = self._before

    def __call__(self, function: _F) -> _F:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            before = (mode.grad, mode.inference)
            mode.grad, mode.inference = self._state()
            try:
                return function(*args, **kwargs)
            finally:
                mode.grad, mode.inference = before

        return wrapped  # type: ignore[return-value]


class no_grad(_Switch):  # noqa: N801 - torch spells it so
    """Record nothing inside the block or the decorated function."""

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        """The switch, or the function it decorates when used without parentheses."""
        made = super().__new__(cls)
        return made if function is None else made(function)  # bare @no_grad

    def _state(self) -> tuple[bool, bool]:
        return False, mode.inference


class enable_grad(_Switch):  # noqa: N801 - torch spells it so
    """Record inside the block or the decorated function, even within `no_grad`."""

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        """The switch, or the function it decorates when used without parentheses."""
        made = super().__new__(cls)
        return made if function is None else made(function)

    def _state(self) -> tuple[bool, bool]:
        return True, mode.inference


class set_grad_enabled(_Switch):  # noqa: N801 - torch spells it so
    """Switch recording on or off: at once when called, until the block ends when used as one."""

    def __init__(self, enabled: bool) -> None:
        self.enabled = bool(enabled)
        self._outer = (mode.grad, mode.inference)
        mode.grad = self.enabled

    def _state(self) -> tuple[bool, bool]:
        return self.enabled, mode.inference

    def __enter__(self) -> None:
        """Leave for the state before the call when the block ends."""
        self._before = (*self._outer, self._before)
        mode.grad = self.enabled

    def __call__(self, function: _F) -> _F:
        """Decorate `function`: the switch holds during its calls only."""
        mode.grad, mode.inference = self._outer
        return super().__call__(function)


class inference_mode(_Switch):  # noqa: N801 - torch spells it so
    """Like `no_grad`: record nothing. `inference_mode(False)` records."""

    enabled: bool

    def __new__(cls, enabled: Any = True) -> Any:
        """The switch, or the function it decorates when used without parentheses."""
        made = object.__new__(cls)
        made.enabled = enabled is not False
        return made(enabled) if callable(enabled) else made

    def _state(self) -> tuple[bool, bool]:
        return not self.enabled, self.enabled
