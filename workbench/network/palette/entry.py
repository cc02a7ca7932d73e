"""One layer of the palette: what it is called, what it takes, what it costs."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench import nn
from workbench.network.construct import constructor_parameters, plain
from workbench.network.errors import EditError
from workbench.network.names import near

Shape = tuple[int, ...]
"""A shape without the batch dimension."""

LARGEST = 500_000_000
"""Most parameters a layer made from the palette may have: a slip must not fill the memory."""


@dataclass(frozen=True)
class Param:
    """One argument of a layer's constructor, as a form needs it.

    kind: "int", "float", "bool", "text", "choice" or "ints" (an integer or a list of integers).
    min, max: the allowed range, both ends included; for "ints" of every element.
    choices: the allowed texts ("choice"), or texts allowed besides numbers ("ints").
    inferred: filled in from the incoming shape when it is not given.
    """

    kind: str
    min: float | None = None
    max: float | None = None
    choices: tuple[str, ...] | None = None
    inferred: bool = False
    nullable: bool = False
    start: Any = None
    doc: str = ""
    below: float | None = None

    def range(self) -> str:
        """The allowed values in words."""
        things = {
            "int": "an integer",
            "float": "a number",
            "bool": "True or False",
            "text": "text",
            "choice": "one of " + ", ".join(repr(c) for c in self.choices or ()),
            "ints": "an integer or a list of integers",
        }[self.kind]
        if self.kind in ("int", "float", "ints"):
            if self.min is not None and self.max is not None:
                things += f" between {self.min:g} and {self.max:g}"
            elif self.min is not None:
                things += f", at least {self.min:g}"
            elif self.max is not None:
                things += f", at most {self.max:g}"
            if self.below is not None:
                things += f" and below {self.below:g}"
        if self.kind == "ints" and self.choices:
            things += " or " + " or ".join(repr(c) for c in self.choices)
        return things + (" or None" if self.nullable else "")

    def check(self, value: Any) -> Any:
        """`value` as the constructor should get it. Raises ValueError when it is not allowed."""
        if value is None:
            if self.nullable:
                return None
            raise ValueError
        if self.kind == "bool":
            if not isinstance(value, bool):
                raise ValueError
            return value
        if self.kind in ("text", "choice"):
            if not isinstance(value, str) or (self.choices and value not in self.choices):
                raise ValueError
            return value
        if self.kind == "ints":
            if isinstance(value, str) and self.choices and value in self.choices:
                return value
            if isinstance(value, (list, tuple)):
                if not value:
                    raise ValueError
                return tuple(self._number(v, True) for v in value)
        return self._number(value, self.kind != "float")

    def _number(self, value: Any, whole: bool) -> int | float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError
        if not math.isfinite(value) or (whole and value != int(value)):
            raise ValueError
        if (self.min is not None and value < self.min) or (
            self.max is not None and value > self.max
        ):
            raise ValueError
        if self.below is not None and value >= self.below:
            raise ValueError
        return int(value) if whole else float(value)


@dataclass(frozen=True)
class Problem:
    """Why a layer cannot take an input: what it wants, and arguments that would make it fit."""

    wanted: str
    why: str = ""
    changed: Mapping[str, Any] | None = None
    hint: str | None = None


def _nothing(shape: Shape) -> dict[str, Any]:
    return {}


def _anything(module: Any, shapes: Sequence[Shape], integer: bool) -> Problem | None:
    return None


def _free(module: Any, shapes: Sequence[Shape], out: Shape) -> int:
    return 0


def _free_size(args: Mapping[str, Any]) -> int:
    return 0


@dataclass(frozen=True)
class Entry:
    """A palette layer.

    infer(shape) gives the arguments that follow from the incoming shape.
    expects(module, shapes, integer) says why the module cannot take these inputs, or None;
        `integer` is whether the first input holds integers.
    flops(module, shapes, out) counts floating-point operations of one example's forward pass,
        a multiply-add being two.
    size(args) is the number of parameters these arguments ask for.
    hidden: arguments the palette does not offer.
    takes, hint: the inputs the layer takes at all, in words, and what to do with others.
    """

    cls: type
    family: str
    doc: str
    params: Mapping[str, Param] = field(default_factory=dict)
    inputs: int = 1
    infer: Callable[[Shape], dict[str, Any]] = _nothing
    expects: Callable[[Any, Sequence[Shape], bool], Problem | None] = _anything
    flops: Callable[[Any, Sequence[Shape], Shape], int] = _free
    size: Callable[[Mapping[str, Any]], int] = _free_size
    hidden: frozenset[str] = frozenset({"inplace"})
    takes: str | None = None
    hint: str | None = None

    @property
    def type(self) -> str:
        """What `LayerSpec.type` calls it: the name of its class."""
        return self.cls.__name__

    def signature(self) -> dict[str, inspect.Parameter]:
        """The constructor's parameters that the palette offers, in their order."""
        return {
            p.name: p
            for p in constructor_parameters(self.cls)
            if p.name not in self.hidden and p.kind is not p.VAR_POSITIONAL
        }

    def param(self, name: str) -> Param:
        """How the form shows this parameter; guessed from its default where no table tells."""
        known = self.params.get(name)
        return known if known is not None else guess(self.signature()[name].default)

    def required(self, name: str) -> bool:
        """Whether the constructor has no default for this parameter."""
        return self.signature()[name].default is inspect.Parameter.empty

    def start(self, name: str) -> Any:
        """What the form starts with: the default, else the table's suggestion."""
        default = self.signature()[name].default
        start = self.param(name).start
        return start if default is inspect.Parameter.empty or start is not None else plain(default)

    def check(self, args: Mapping[str, Any], layer: str | None = None) -> dict[str, Any]:
        """`args` as the constructor should get them, defaults and inferred ones not filled in.

        Raises EditError that names the parameter and its allowed range.
        """
        known = self.signature()
        checked = {}
        for name, value in args.items():
            if name not in known:
                likely = near(str(name), known)
                raise EditError(
                    f"{self.type} has no parameter {str(name)!r}; it takes "
                    + (", ".join(known) or "none"),
                    layer=layer,
                    fix=f"{likely[0]}={value!r}" if likely else None,
                )
            param = self.param(name)
            try:
                checked[name] = param.check(value)
            except ValueError:
                if value is None and (param.inferred or not self.required(name)):
                    continue  # an empty field of a form: left to inference or the default
                raise EditError(
                    f"{self.type}: {name} must be {param.range()}, got {_brief(value)}",
                    layer=layer,
                    wanted=param.range(),
                    got=_brief(value),
                ) from None
        return checked

    def complete(
        self, args: Mapping[str, Any], shape: Shape | None, layer: str | None = None
    ) -> dict[str, Any]:
        """Checked arguments with the inferred ones filled in from the incoming shape.

        Raises EditError when one is missing that cannot be inferred.
        """
        checked = self.check(args, layer)
        inferred = {} if shape is None else self.infer(shape)
        full = {}
        for name in self.signature():
            if name in checked:
                full[name] = checked[name]
            elif name in inferred:
                full[name] = inferred[name]
            elif self.required(name):
                param = self.param(name)
                if param.inferred:
                    got = batched(shape or ())
                    raise EditError(
                        f"{self.type} cannot take an input of shape {got}"
                        + (f": it wants {self.takes}" if self.takes else ""),
                        layer=layer,
                        got=got,
                        wanted=self.takes,
                        fix=self.hint,
                    )
                raise EditError(
                    f"{self.type} needs {name}: {param.range()}",
                    layer=layer,
                    fix=f"{name}={param.start!r}" if param.start is not None else None,
                )
        return full

    def build(self, args: Mapping[str, Any], dtype: Any = None) -> nn.Module:
        """A new layer. Raises EditError with the constructor's own words when it refuses."""
        count = self.size(args)
        if count > LARGEST:
            raise EditError(
                f"{self.type} with these arguments would have {count:,} parameters, "
                f"more than the {LARGEST:,} a layer may have here"
            )
        extra = {}
        if dtype is not None and "dtype" in inspect.signature(self.cls).parameters:
            extra["dtype"] = dtype
        try:
            module: nn.Module = self.cls(**args, **extra)
        except Exception as error:
            raise EditError(f"{self.type} cannot be made with these arguments: {error}") from error
        return module

    def to_dict(self) -> dict[str, Any]:
        """The entry as JSON values, for a form."""
        return {
            "type": self.type,
            "doc": self.doc,
            "inputs": self.inputs,
            "params": [self._param_dict(name) for name in self.signature()],
        }

    def _param_dict(self, name: str) -> dict[str, Any]:
        param = self.param(name)
        return {
            "name": name,
            "kind": param.kind,
            "default": self.start(name),
            "required": self.required(name),
            "inferred": param.inferred,
            "nullable": param.nullable,
            "min": param.min,
            "max": param.max,
            "choices": None if param.choices is None else list(param.choices),
            "doc": param.doc,
        }


def guess(default: Any) -> Param:
    """A parameter no table knows, judged by its default."""
    if isinstance(default, bool):
        return Param("bool")
    if isinstance(default, int):
        return Param("int")
    if isinstance(default, float):
        return Param("float")
    if isinstance(default, str):
        return Param("text")
    if isinstance(default, (tuple, list)):
        return Param("ints")
    return Param("float", nullable=True)


def batched(shape: Shape) -> str:
    """A shape with the batch dimension in front, as people write it: "(N, 64)"."""
    return "(" + ", ".join(["N", *map(str, shape)]) + ("," if not shape else "") + ")"


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
