"""A layer described by values: its palette type and arguments, as a form or a log holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench import nn
from workbench.arrays import random

from . import construct, palette
from .errors import EditError, EditTypeError
from .names import near


@dataclass(frozen=True)
class LayerSpec:
    """A palette layer that is yet to be made, e.g. `LayerSpec("Linear", {"out_features": 64})`.

    Arguments that follow from the incoming shape (`in_features`, `in_channels` …) may be left out.
    Raises EditError for a type that is not in the palette, an unknown argument or a value outside
    its range.
    """

    type: str
    args: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.type, str):
            raise EditTypeError(f"a layer's type is text, got {type(self.type).__name__}")
        if not isinstance(self.args, Mapping):
            raise EditTypeError(
                f"the arguments of {self.type} are a mapping, got {type(self.args).__name__}",
                fix='LayerSpec("Linear", {"out_features": 64})',
            )
        checked = self.entry.check(self.args)
        object.__setattr__(self, "args", checked)

    @property
    def entry(self) -> palette.Entry:
        """The palette's entry of this type."""
        entry = palette.find(self.type)
        if entry is None:
            likely = near(self.type, palette.types())
            raise EditError(
                f"there is no layer type {self.type!r} in the palette",
                fix=f"{likely[0]!r}" if likely else "one of " + ", ".join(palette.types()),
            )
        return entry

    def complete(self, shape: palette.Shape, layer: str | None = None) -> LayerSpec:
        """The spec with what follows from the incoming shape (without the batch) filled in.

        Raises EditError when an argument is missing that the shape does not give.
        """
        return LayerSpec(self.type, self.entry.complete(self.args, shape, layer))

    def build(self, seed: int, dtype: Any = None) -> nn.Module:
        """The layer, initialised from `seed`. Raises EditError when arguments are missing."""
        full = self.entry.complete(self.args, None)
        with random.fork(seed):
            return self.entry.build(full, dtype)

    @property
    def code(self) -> str:
        """Python for the layer; for the spec, when something is yet to be inferred."""
        known = self.entry.signature()
        ordered = {name: self.args[name] for name in known if name in self.args}
        if any(p.default is p.empty and name not in ordered for name, p in known.items()):
            args = ", ".join(f"{k!r}: {construct.source(v)}" for k, v in ordered.items())
            return f"wb.network.LayerSpec({self.type!r}, {{{args}}})"
        defaults = {name: p.default for name, p in known.items() if p.default is not p.empty}
        return construct.call(construct.qualified(self.entry.cls), ordered, defaults)

    def to_dict(self) -> dict[str, Any]:
        """{"type": …, "args": {…}} of JSON values."""
        return {"type": self.type, "args": {k: construct.plain(v) for k, v in self.args.items()}}

    @classmethod
    def from_dict(cls, description: Any) -> LayerSpec:
        """The spec that `to_dict` described. Raises EditError when it is none."""
        if not isinstance(description, Mapping):
            raise EditTypeError(
                f"a layer is described by an object with type and args, got {description!r:.60}",
                fix='{"type": "Linear", "args": {"out_features": 64}}',
            )
        unknown = set(description) - {"type", "args"}
        if "type" not in description or unknown:
            what = f"has no field {unknown.pop()!r}" if unknown else "needs a type"
            raise EditError(
                f"the description of a layer {what}",
                fix='{"type": "Linear", "args": {"out_features": 64}}',
            )
        return cls(description["type"], description.get("args") or {})

    @classmethod
    def of(cls, module: nn.Module) -> LayerSpec | None:
        """The spec of a module of the palette with all its arguments, else None."""
        entry = palette.of(module)
        if entry is None:
            return None
        known = entry.signature()
        args = {
            name: value
            for name, value in construct.arguments(module).items()
            if name in known and value is not construct.UNKNOWN
        }
        try:
            return cls(entry.type, args)
        except EditError:  # made by hand with values that the palette does not offer
            return None


def initialise(module: nn.Module, seed: int) -> None:
    """Draw all parameters below `module` anew from `seed`, in the order of its modules.

    Raises EditError when a module that owns parameters has no `reset_parameters`, or it fails.
    """
    with random.fork(seed):
        for inner in module.modules():
            reset = getattr(inner, "reset_parameters", None)
            if callable(reset):
                try:
                    reset()
                except Exception as error:
                    raise EditError(
                        f"reset_parameters() of {type(inner).__name__} failed: {error}"
                    ) from error
            elif any(True for _ in inner.parameters(recurse=False)):
                raise EditError(
                    f"{type(inner).__name__} has parameters but no reset_parameters(), so a seed "
                    "cannot initialise it",
                    fix="leave seed out",
                )


def form_arguments(module: nn.Module, shape: palette.Shape | None) -> dict[str, Any]:
    """The arguments a form shows for this layer, as JSON values; {} when it is not in the palette.

    Those that the incoming shape gives anyway are left out, so that they follow it.
    """
    spec = LayerSpec.of(module)
    if spec is None:
        return {}
    inferred = {} if shape is None else spec.entry.infer(shape)
    return {
        name: value
        for name, value in spec.to_dict()["args"].items()
        if not (name in inferred and construct.same(value, inferred[name]))
    }
