"""Declared ops over Batched arrays: a batching rule where there is one, else sample by sample.

A rule gets the op's operands with the hidden dimension in the open and calls the op again on
them, so that outer levels are dealt with in turn.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.ops import OPS
from workbench.ops.declare import Op

from .batched import (
    Batched,
    Level,
    is_at,
    refuse_write,
    sample,
    spread,
    stacked,
    top_level,
)


class Call:
    """One op applied to operands of which some are mapped at `level`."""

    __slots__ = ("level", "op", "settings", "values")

    def __init__(self, op: Op, level: Level, values: list[Any], settings: dict[str, Any]) -> None:
        self.op = op
        self.level = level
        self.values = values
        self.settings = settings

    @property
    def size(self) -> int:
        """The hidden dimension's size."""
        return self.level.size

    def mapped(self, i: int) -> bool:
        """Whether operand `i` is mapped."""
        return is_at(self.values[i], self.level)

    def ndim(self, i: int = 0) -> int:
        """Dimensions of one sample of operand `i`."""
        return self.values[i].ndim

    def shape(self, i: int = 0) -> tuple[int, ...]:
        """The shape of one sample of operand `i`."""
        return tuple(self.values[i].shape)

    def spread(self, i: int) -> Any:
        """Operand `i` with the hidden dimension in front; repeated without a copy if not mapped."""
        value = self.values[i]
        return None if value is None else spread(value, self.level)

    def inside(self, i: int) -> Any:
        """Operand `i` with the hidden dimension in front if it is mapped, else as it is."""
        value = self.values[i]
        return value.inside if is_at(value, self.level) else value

    def run(self, *values: Any, name: str | None = None, **settings: Any) -> Any:
        """The op (or another one) on arrays, with the call's settings where not given anew."""
        op = self.op if name is None else OPS[name]
        merged = settings if name is not None else self.settings | settings
        return run(op, values, merged)


def run(op: Op, values: Any, settings: dict[str, Any]) -> Any:
    """An op over raw arrays that may be Batched (of outer levels) or not."""
    ordered = [settings.get(p.name, p.default) for p in op.settings]
    if top_level((*values, *ordered)) is not None:
        return apply(op, (*values, *ordered))
    first = values[0][0] if op.sequence else values[0]
    return op.forward(namespace(first), *values, *ordered)


def call_op(op: Op, args: Any, kwargs: Any) -> Any:
    """An op called as a rule calls it: operands and settings by place or name, some left out."""
    values = []
    given = dict(zip((p.name for p in op.params), args, strict=False)) | kwargs
    for p in op.params:
        value = given.get(p.name, p.default)
        values.append(value)
    if top_level(values) is not None:
        return apply(op, values)
    count = len(op.tensors)
    first = values[0][0] if op.sequence else values[0]
    return op.forward(namespace(first), *values[:count], *values[count:])


def _flat(values: Any) -> Any:
    for value in values:
        if type(value) in (list, tuple):
            yield from _flat(value)
        else:
            yield value


def apply(op: Op, values: Any) -> Any:
    """An op on operands and settings (all, by place), at least one of them Batched."""
    level = top_level(values)
    assert level is not None
    count = len(op.tensors)
    values = list(values)
    settings = {
        p.name: values[count + i] if count + i < len(values) else p.default
        for i, p in enumerate(op.settings)
    }
    xp = namespace(next(v for v in _flat(values) if type(v) is Batched))
    operands: list[Any] = [
        xp.asarray(v) if isinstance(v, (int, float, complex, np.generic)) else v
        for v in values[:count]
    ]
    call = Call(op, level, operands, settings)
    from . import rules_nn, rules_windows  # register the rest
    from .rules import RULES

    assert rules_nn
    assert rules_windows
    rule = RULES.get(op.name)
    result = None if rule is None else rule(call)
    parts = result if isinstance(result, tuple) else (result,)
    if any(not hasattr(part, "shape") for part in parts):  # no rule for this, or for all of it
        return sample_by_sample(op, operands, settings, level)
    if isinstance(result, tuple):
        return tuple(Batched(r, level) for r in result)
    made = Batched(result, level)
    if op.view and is_at(operands[0], level):
        return operands[0]._view(result)
    return made


fallbacks: set[str] = set()  # ops that went sample by sample, for tests and the curious


def sample_by_sample(op: Op, operands: list[Any], settings: dict[str, Any], level: Level) -> Any:
    """The fallback for ops without a rule: exact, at the price of a Python loop over samples."""
    if op.random:
        from .batched import VmapError

        raise VmapError(f"vmap: the random op {op.name} has no batching rule")
    fallbacks.add(op.name)
    if level.size == 0:
        from .batched import VmapError

        raise VmapError(
            f"vmap: {op.name} has no batching rule, so a dimension of size 0 cannot be mapped over"
        )
    results = [
        run(
            op,
            [sample(v, level, i) for v in operands],
            {k: sample(v, level, i) for k, v in settings.items()},
        )
        for i in range(level.size)
    ]
    return stacked(results, level)


def written_at(target: Any, index: tuple[Any, ...], value: Any) -> None:
    """target[index] = value, into the target's own memory."""
    level = target.level
    above = top_level((index, value))
    if above is not None and above.number > level.number:
        raise refuse_write()
    inside = target.inside
    if top_level((index,)) is None and not any(hasattr(i, "dtype") for i in index):
        where = (slice(None), *index)
        if is_at(value, level):
            wanted = inside[where].ndim
            held = value.inside
            lead = wanted - held.ndim
            if lead > 0:
                held = held.reshape((held.shape[0],) + (1,) * lead + held.shape[1:])
            inside[where] = held
        else:
            inside[where] = value
        return
    for i in range(level.size):
        held = sample(value, level, i)
        where = sample(index, level, i)
        row = inside[i]
        if row.ndim:
            row[where] = held
        elif all(w is Ellipsis for w in where):
            inside[i] = held
        else:
            inside[i : i + 1].reshape(())[where] = held
