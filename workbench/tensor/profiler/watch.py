"""What is put around kernels, gradients and modules while a profile is taken.

Nothing of it is there at other times: an op that nobody profiles pays nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.tensor import binding, careful
from workbench.tensor import node as nodes
from workbench.tensor.capture import active

from .events import BACKWARD, MODULE, OP, Event

clock = time.perf_counter


class Watch:
    """Collects events from all threads between `start` and `stop`."""

    def __init__(self, *, shapes: bool, memory: bool) -> None:
        self.shapes = shapes
        self.memory = memory
        self.roots: list[Event] = []
        self._stacks = threading.local()
        self._names: dict[int, str] = {}
        self._calls: list[tuple[type, Any]] = []

    # -- events --------------------------------------------------------------------------------

    def begin(self, name: str, kind: str) -> Event:
        """An event begins, within the one that this thread is in."""
        stack = self._stack()
        event = Event(name, kind, clock(), threading.get_ident())
        event.layer = name if kind == MODULE else stack[-1].layer if stack else ""
        (stack[-1].children if stack else self.roots).append(event)
        stack.append(event)
        return event

    def finish(self, event: Event) -> None:
        """It ends, and with it whatever did not end within it."""
        event.end = clock()
        stack = self._stack()
        while stack:
            last = stack.pop()
            last.end = last.end or event.end
            if last is event:
                break

    def _stack(self) -> list[Event]:
        try:
            return self._stacks.events  # type: ignore[no-any-return]
        except AttributeError:
            self._stacks.events = []
            return self._stacks.events  # type: ignore[no-any-return]

    # -- what is watched -------------------------------------------------------------------------

    def start(self) -> None:
        """Put everything in place."""
        global current
        if current is not None:
            raise RuntimeError("a profile is being taken already; only one can be at a time")
        current = self
        active.profiler = self
        binding.put_around(self._kernel)
        careful.around = self._gradient
        self._walked = nodes.watched
        nodes.watched = True
        for cls in active.observed:
            call = cls.__dict__["__call__"]
            self._calls.append((cls, call))
            cls.__call__ = self._module(call)  # type: ignore[method-assign]

    def stop(self) -> None:
        """Take it all away again."""
        global current
        for cls, call in self._calls:
            cls.__call__ = call  # type: ignore[method-assign]
        self._calls.clear()
        nodes.watched = self._walked
        careful.around = None
        binding.put_around(None)
        active.profiler = None
        current = None
        for event in self._stack():
            event.end = event.end or clock()
        self._stack().clear()

    def _kernel(self, op: Any, kernel: Callable[..., Any]) -> Callable[..., Any]:
        name = op.torch_name

        def timed(*args: Any, **kwargs: Any) -> Any:
            event = self.begin(name, OP)
            try:
                result = kernel(*args, **kwargs)
                self._note(event, args, result)
                return result
            finally:
                self.finish(event)

        return timed

    def _note(self, event: Event, args: Any, result: Any) -> None:
        if self.shapes:
            event.shapes = tuple(tuple(a.shape) for a in args if hasattr(a, "nbytes"))
        if self.memory:
            event.nbytes = _fresh_bytes(result)

    def _gradient(self, node: Any, run: Callable[[], Any]) -> Any:
        event = self.begin(node.name(), BACKWARD)
        try:
            grads = run()
            self._note(event, (), tuple(grads))
            return grads
        finally:
            self.finish(event)

    def _module(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(module: Any, *args: Any, **kwargs: Any) -> Any:
            event = self.begin(self._path(module), MODULE)
            try:
                return call(module, *args, **kwargs)
            finally:
                self.finish(event)

        return timed

    def _path(self, module: Any) -> str:
        """A module's dotted path within the outermost one called, and its type."""
        if id(module) not in self._names:
            kind = type(module).__name__
            for name, inner in module.named_modules():
                label = f"{name}: {type(inner).__name__}" if name else kind
                self._names.setdefault(id(inner), label)
        return self._names[id(module)]

    # -- captured steps --------------------------------------------------------------------------

    def tick(self, names: list[tuple[str, str, int]]) -> Callable[[int], None]:
        """Called by a replay after each of its steps."""
        last = [clock()]

        def done(i: int) -> None:
            now = clock()
            if i >= 0:
                name, layer, nbytes = names[i]
                event = self.begin(name, OP)
                event.start, event.nbytes = last[0], nbytes if self.memory else 0
                event.layer = layer or event.layer
                self.finish(event)
                event.end = now
            last[0] = clock()

        return done


def _fresh_bytes(result: Any) -> int:
    parts = result if isinstance(result, (tuple, list)) else (result,)
    return sum(
        part.nbytes
        for part in parts
        if isinstance(part, (np.ndarray, np.generic)) and getattr(part, "base", None) is None
    )


current: Watch | None = None
