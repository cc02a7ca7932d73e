"""What is put in the engine's way while a step is recorded, and taken away after.

`Tensor.array` and `Tensor.grad` become properties, random generators and modules are watched. All
of it lasts for the one recorded call; other threads see the real thing throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import numpy as np

from workbench.arrays import random
from workbench.tensor import node as nodes
from workbench.tensor.tensor import Tensor

from . import active
from .recorder import _UNSEEN, Recorder
from .slots import tensor_slots
from .traced import Traced

tensor_slots.members.update(array=Tensor.__dict__["array"], grad=Tensor.__dict__["_grad"])
_array, _grad = Tensor.__dict__["array"], Tensor.__dict__["_grad"]
_property = Tensor.__dict__["grad"]


def _array_property(recorder: Recorder) -> property:
    def read(tensor: Any) -> Any:
        raw = _array.__get__(tensor, type(tensor))
        if get_ident() != recorder.thread or not recorder.live:
            return raw.inside if type(raw) is Traced else raw
        return recorder.found(tensor, raw) if type(raw) is np.ndarray else raw

    def write(tensor: Any, array: Any) -> None:
        if get_ident() == recorder.thread and recorder.live:
            try:
                before = _array.__get__(tensor, type(tensor))
            except AttributeError:
                before = _UNSEEN
            array = recorder.set_array(tensor, array, before)
        elif type(array) is Traced:
            array = array.inside
        _array.__set__(tensor, array)

    return property(read, write)


def _grad_property(recorder: Recorder) -> property:
    def read(tensor: Any) -> Any:
        held = _grad.__get__(tensor, type(tensor))
        if get_ident() == recorder.thread and recorder.live:
            recorder.see_grad(tensor, held)
        return held

    def write(tensor: Any, value: Any) -> None:
        if get_ident() == recorder.thread and recorder.live:
            recorder.set_grad(tensor)
        _grad.__set__(tensor, value)

    def drop(tensor: Any) -> None:
        write(tensor, None)

    return property(read, write, drop)


_DRAWS = ("uniform", "normal", "integers", "permutation")


def _draw(method: Any, generator: Any, *args: Any) -> Any:
    """A draw in a replay: from the generator in use then, unless one was named."""
    return method(generator or random.default_generator(), *args)


def _watched_draw(recorder: Recorder, method: Callable[..., Any]) -> Callable[..., Any]:
    def draw(self: Any, *args: Any) -> Any:
        if get_ident() != recorder.thread or not recorder.live:
            return method(self, *args)
        named = None if self is random.default_generator() else self
        return recorder.opaque(_draw, (method, named, *args), {}, name=method.__name__)

    return draw


def _bits_property(recorder: Recorder) -> property:
    def read(self: Any) -> Any:
        if get_ident() == recorder.thread:
            recorder.sync("a random draw of this kind, which")
        return self.__dict__["bits"]

    def write(self: Any, value: Any) -> None:
        self.__dict__["bits"] = value

    return property(read, write)


def _watched_call(recorder: Recorder, call: Callable[..., Any]) -> Callable[..., Any]:
    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        if get_ident() != recorder.thread or not recorder.live:
            return call(self, *args, **kwargs)
        recorder.modules[id(self)] = self
        if getattr(self, "_hooks", None):
            recorder.abandon(f"{type(self).__name__} has hooks, which a replay would not call,")
        recorder.layers.append(type(self).__name__)
        try:
            return call(self, *args, **kwargs)
        finally:
            recorder.layers.pop()

    return watched


@contextmanager
def recording(recorder: Recorder) -> Iterator[Recorder]:
    """Everything in place for `recorder` inside the block."""
    generator: Any = random.Generator
    draws = {name: generator.__dict__[name] for name in _DRAWS}
    calls = [(cls, cls.__dict__["__call__"]) for cls in active.observed]
    walked = nodes.watched
    active.recorder = recorder
    nodes.watched = True
    Tensor.array = _array_property(recorder)  # type: ignore[assignment]
    Tensor.grad = _grad_property(recorder)  # type: ignore[assignment]
    for name, method in draws.items():
        setattr(generator, name, _watched_draw(recorder, method))
    generator.bits = _bits_property(recorder)
    for cls, call in calls:
        cls.__call__ = _watched_call(recorder, call)  # type: ignore[method-assign]
    hooks_before = nodes.hooks_made
    try:
        yield recorder
    finally:
        for cls, call in calls:
            cls.__call__ = call  # type: ignore[method-assign]
        del generator.bits
        for name, method in draws.items():
            setattr(generator, name, method)
        Tensor.array = _array  # type: ignore[assignment]
        Tensor.grad = _property  # type: ignore[assignment]
        nodes.watched = walked or nodes.hooks_made != hooks_before
        active.recorder = None
        recorder.finish()
