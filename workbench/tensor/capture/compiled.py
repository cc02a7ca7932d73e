"""`compile`: a function whose calls are recorded once and then replayed."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from workbench.tensor.node import Node, make_node
from workbench.tensor.tensor import Tensor, wrap

from . import active
from .emit import Diverged, Emitter
from .enter import MISS, entrance
from .guards import Guards
from .install import recording
from .later import Later, StandIns
from .recorder import MOVED, Recorder
from .signature import flatten, rebuild, surroundings
from .storage import Plan
from .traced import Traced

_PATIENCE = 3  # recordings of one signature that may fail for a reason that passes
_LIMIT = 16  # plans kept


class Captured:
    """One plan, ready to run: the function that replays it, what guards it, how results are made.

    Where backward() is called on the results later, there is a plan for that as well.
    """

    def __init__(
        self, recorder: Recorder, tensors: list[Any], result: Any, later: Later | None
    ) -> None:
        program = recorder.program
        self._parts: list[Any] = []  # how to make each tensor of the result
        self._template = rebuild(result, lambda t: self._note(t, tensors, recorder))
        self.later = later
        self._count = len(program.outputs)
        if later is not None:
            program = later.cut(program)
        program.prune()
        self.recorded = program.kernels_recorded
        self.plan = Plan(program)
        self.replay = Emitter(self.plan).function(len(tensors))
        self.guards = Guards(recorder, tensors)
        self.busy = threading.Lock()
        self.enter: Any = None  # see `entrance`

    def _profiled(self, arrays: list[Any]) -> Any:
        """Replay with every step noted by the profile being taken."""
        watch, steps = active.profiler, self.plan.steps
        tick = watch.tick([(s.name, s.layer, _bytes_made(s)) for s in steps])
        timed = Emitter(self.plan).function(len(arrays), tick)
        event = watch.begin("replay", "replay")
        try:
            tick(-1)
            return timed(*arrays)
        finally:
            watch.finish(event)

    def _note(self, tensor: Any, tensors: list[Any], recorder: Recorder) -> Any:
        """How a replay finds or makes this tensor of the result."""
        mark = _Mark(len(self._parts))
        for i, given in enumerate(tensors):
            if given is tensor:
                self._parts.append(("argument", i, None))
                return mark
        if id(tensor) in recorder.externals:
            self._parts.append(("outside", tensor, None))
            return mark
        value = recorder.result_value(tensor)
        place = len(recorder.program.outputs)
        recorder.program.outputs.append(value)
        edge = tensor.edge
        self._parts.append(("made", place, edge.name() if isinstance(edge, Node) else None))
        return mark

    def result_source(self) -> Callable[[list[str]], list[str]] | None:
        """`run`, after its replay, as lines that end in a return.

        A function of the names of the argument tensors. The lines find the replay's results in
        `made` and this in `captured`. None where the result is nested.
        """
        template = self._template
        marks = [template] if type(template) is _Mark else template
        if type(marks) not in (list, tuple) or any(type(mark) is not _Mark for mark in marks):
            return None

        def lines(tensors: list[str]) -> list[str]:
            found, later = [], self.later
            if later is not None:
                given = f"[{', '.join(tensors)}]"
                found.append(f"node = captured.later.node(made[{self._count}:], {given})")
            for i, (kind, which, name) in enumerate(self._parts):
                if kind == "made":
                    found.append(f"r{i} = wrap(made[{which}])")
                    if later is not None and which in later.places:
                        found.append(f"r{i}.edge = captured.later.edge(node, {which})")
                    elif name is not None:
                        found.append(f"r{i}.edge = captured.spent({name!r})")
                elif kind == "argument":
                    found.append(f"r{i} = {tensors[which]}")
                else:
                    found.append(f"r{i} = captured.outside({i})")
            if type(template) is _Mark:
                return [*found, f"return r{template.place}"]
            inside = "".join(f"r{mark.place}, " for mark in marks)
            return [*found, f"return [{inside}]" if type(marks) is list else f"return ({inside})"]

        return lines

    @staticmethod
    def spent(name: str) -> Node:
        """The edge of a result whose backward pass was part of the step."""
        node = make_node(_Replayed(name), ())
        node.saved = None
        return node

    def outside(self, i: int) -> Any:
        """A tensor of the result that was there before."""
        return self._parts[i][1]

    def run(self, tensors: list[Any]) -> Any:
        """Replay with these argument tensors."""
        arrays = [t.array for t in tensors]
        made = self.replay(*arrays) if active.profiler is None else self._profiled(arrays)
        later, node = self.later, None
        if later is not None:
            node = later.node(made[self._count :], tensors)
        found = []
        for kind, which, name in self._parts:
            if kind == "made":
                t = wrap(made[which])
                if later is not None and which in later.places:
                    t.edge = later.edge(node, which)
                elif name is not None:
                    t.edge = self.spent(name)
                found.append(t)
            else:
                found.append(tensors[which] if kind == "argument" else which)
        template = self._template
        if type(template) is _Mark:
            return found[template.place]
        return _filled(template, found)


def _bytes_made(step: Any) -> int:
    return sum(v.nbytes for v in step.outs_made() if v.root is v)


class _Mark:
    """A tensor's place in the result."""

    __slots__ = ("place",)

    def __init__(self, place: int) -> None:
        self.place = place


def _filled(tree: Any, found: list[Any]) -> Any:
    if type(tree) is _Mark:
        return found[tree.place]
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(_filled(item, found) for item in tree))
    if type(tree) in (tuple, list):
        return type(tree)(_filled(item, found) for item in tree)
    if type(tree) is dict:
        return {key: _filled(value, found) for key, value in tree.items()}
    return tree


class _Replayed:
    """The node of a result whose backward pass was part of the step."""

    def __init__(self, name: str) -> None:
        self.name = name

    def backward(self, F: Any, g: Any, node: Any) -> Any:
        """Never reached: what the node saved is gone, as after any backward pass."""
        raise AssertionError


class Compiled:
    """A function that records its first call with each kind of arguments and replays it after.

    It stands in for what it was made of: other attributes are those of the function or module.
    Where a call cannot be captured the function runs as it is; `explain()` says why.
    """

    def __init__(self, function: Callable[..., Any], *, fullgraph: bool = False) -> None:
        self.__wrapped__ = function
        functools.update_wrapper(self, function, updated=())
        self.fullgraph = fullgraph
        self._plans: dict[Any, list[Captured]] = {}
        self._failed: dict[Any, list[tuple[str, str]]] = {}
        self._recordings: dict[Any, int] = {}
        self._enter: Any = None  # of the plan that was used last
        self.calls = {"recorded": 0, "replayed": 0, "eager": 0}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Replay the call, record it, or run it as it is."""
        if active.recorder is not None:  # inside another recording: part of that one
            return self.__wrapped__(*args, **kwargs)
        try:
            if (enter := self._enter) is not None and (found := enter(args, kwargs)) is not MISS:
                return found
            return self._look_up(args, kwargs)
        except Diverged as error:
            key, _ = self._described(args, kwargs)
            reason = f"{error}: its result's size needs a value that the step computes"
            self._failed.setdefault(key, []).append((reason, ""))
            self._plans.pop(key, None)
            self._enter = None
        self.calls["eager"] += 1
        return self.__wrapped__(*args, **kwargs)

    @staticmethod
    def _described(args: Any, kwargs: Any) -> tuple[Any, list[Any]]:
        tensors: list[Any] = []
        key = (flatten(args, tensors), flatten(kwargs, tensors) if kwargs else (), surroundings())
        return key, tensors

    def _look_up(self, args: Any, kwargs: Any) -> Any:
        """Replay the plan that fits, make one, or run the call as it is."""
        key, tensors = self._described(args, kwargs)
        for captured in self._plans.get(key, ()):
            if captured.guards.hold() and captured.busy.acquire(blocking=False):
                try:
                    self.calls["replayed"] += 1
                    self._enter = captured.enter
                    return captured.run(tensors)
                finally:
                    captured.busy.release()
        if self._given_up(key):
            self.calls["eager"] += 1
            return self.__wrapped__(*args, **kwargs)
        return self._record(key, tensors, args, kwargs)

    def _given_up(self, key: Any) -> bool:
        failures = self._failed.get(key, [])
        if self._recordings.get(key, 0) >= _LIMIT and not failures:
            reason = "parameters or gradients are at another place in every call"
            failures = self._failed[key] = [(reason, "")]
        if sum(len(plans) for plans in self._plans.values()) >= _LIMIT:
            self._drop_stale()
        return bool(failures) and (len(failures) >= _PATIENCE or failures[-1][0] != MOVED)

    def _drop_stale(self) -> None:
        """Forget plans whose guards do not hold; then, if there are still too many, the oldest."""
        self._enter = None
        for key in list(self._plans):
            self._plans[key] = [c for c in self._plans[key] if c.guards.hold()]
            if not self._plans[key]:
                del self._plans[key]
        while sum(len(plans) for plans in self._plans.values()) >= _LIMIT:
            del self._plans[next(iter(self._plans))]

    def _record(self, key: Any, tensors: list[Any], args: Any, kwargs: Any) -> Any:
        if not active.lock.acquire(blocking=False):  # another thread records just now
            self.calls["eager"] += 1
            return self.__wrapped__(*args, **kwargs)
        try:
            recorder = Recorder()
            with recording(recorder):
                for i, tensor in enumerate(tensors):
                    recorder.argument(i, tensor)
                stand_ins = StandIns(tensors)
                result = self.__wrapped__(*stand_ins.enter(args), **stand_ins.enter(kwargs))
                pending = recorder.close(result)
                later = Later(recorder, pending, stand_ins) if pending else None
                result = stand_ins.leave(result)
            self.calls["recorded"] += 1
            self._recordings[key] = self._recordings.get(key, 0) + 1
            if recorder.reason is None:
                captured = Captured(recorder, tensors, result, later)
                self._enter = captured.enter = entrance(captured, key, self.calls)
                plans = self._plans.setdefault(key, [])
                plans[:] = [c for c in plans if c.guards.hold()]
                plans.append(captured)
                self._failed.pop(key, None)
            else:
                self._failed.setdefault(key, []).append((recorder.reason, recorder.where))
        finally:
            active.lock.release()
        if recorder.reason is not None and recorder.reason != MOVED and self.fullgraph:
            raise RuntimeError(
                f"compile(fullgraph=True): {recorder.reason}"
                + (f" ({recorder.where})" if recorder.where else "")
            )
        return result

    def explain(self) -> Any:
        """What was captured and what was not; printing it shows the plan."""
        from .explain import Explanation

        return Explanation(self)

    def reset(self) -> None:
        """Forget everything recorded."""
        self._enter = None
        for held in (self._plans, self._failed, self._recordings):
            held.clear()  # type: ignore[attr-defined]

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":
            raise AttributeError(name)
        return getattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return f"<compiled {getattr(self.__wrapped__, '__qualname__', self.__wrapped__)!s}>"


def compile(  # noqa: A001 - torch spells it so
    model: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "workbench",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
) -> Any:
    """A function (or module) that is recorded at its first call and replayed after.

    Use it on a whole training step (zero_grad, forward, backward, optimizer.step), on a forward
    function, or on a module; as a call or as a decorator. The results are those of the plain
    function: random ops draw anew in every replay, running statistics and optimizers advance.
    Another shape, dtype, training mode or network is recorded anew. What Python does beside the
    engine (printing, appending to a list) happens while recording only.

    A function whose Python depends on computed values (`if loss > 1`, `.item()`) runs as it is;
    `compiled.explain()` names the line. With `fullgraph` that is a RuntimeError. `dynamic`,
    `backend`, `mode` and `options` are accepted, as in torch, and change nothing.
    """
    if model is None:
        return functools.partial(compile, fullgraph=fullgraph, disable=disable)
    if not callable(model):
        raise RuntimeError(f"compile() takes a function or a module, got {type(model).__name__}")
    return model if disable else Compiled(model, fullgraph=fullgraph)


__all__ = ["Captured", "Compiled", "Tensor", "Traced", "compile"]
