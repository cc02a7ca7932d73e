"""How an op is declared: once, over raw arrays, with its gradient beside it.

    @op(operator="mul", inplace=True, dtype="promote", ufunc="multiply", samples=pairs)
    def mul(xp, input, other, /):
        '''Elementwise product; shapes broadcast.'''
        return xp.multiply(input, other)

    mul.vjp(input=lambda F, g, other: g * F.conj(other),
            other=lambda F, g, input: g * F.conj(input))

The forward takes the array namespace `xp`, then the tensors (positional-only, under torch's
names), then plain settings. A gradient rule takes `F`, the incoming gradient `g` and, by name,
whatever it needs: an input, `out`, a setting, an auxiliary result (`aux=`), `NAME_shape` or
`NAME_strides`.
Nothing else is kept alive for the backward pass. `F` holds every op: over raw arrays in an
ordinary backward, over taped tensors when a gradient is itself to be differentiated.

Un-broadcasting and dtype repair are the tape's work, never a rule's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

OPS: dict[str, Op] = {}

Rule = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an op. `tensor` says whether it takes a tensor (or a number for one)."""

    name: str
    tensor: bool
    default: Any = inspect.Parameter.empty

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is inspect.Parameter.empty


@dataclass(eq=False)
class Op:
    """A declared op; see the module's docstring and `op` for what the fields mean."""

    name: str
    forward: Callable[..., Any]
    params: tuple[Param, ...]
    namespace: str = ""
    function: bool = True
    method: bool = True
    operator: str | None = None
    inplace: bool = False
    aliases: tuple[str, ...] = ()
    ufunc: str | None = None
    dtype: str | None = None
    accepts: str | None = None
    halves: bool = True
    returns: tuple[str, ...] = ()
    differentiable: tuple[str, ...] = ()
    aux: tuple[str, ...] = ()
    sequence: bool = False
    view: bool = False
    random: bool = False
    shape: Callable[..., Any] | None = None
    samples: Callable[..., Any] | None = None
    oracle: str | bool | Callable[..., Any] | None = None
    expr: str | None = None
    errors: Callable[..., Any] | None = None
    rules: dict[str, Rule] = field(default_factory=dict)
    joint: Rule | None = None

    @property
    def tensors(self) -> tuple[Param, ...]:
        """The parameters that take tensors."""
        return tuple(p for p in self.params if p.tensor)

    @property
    def settings(self) -> tuple[Param, ...]:
        """The parameters that take plain values."""
        return tuple(p for p in self.params if not p.tensor)

    @property
    def doc(self) -> str:
        """The docstring of the public function."""
        return inspect.getdoc(self.forward) or ""

    @property
    def family(self) -> str:
        """The file the op is declared in, which is its family's name."""
        return self.forward.__module__.rpartition(".")[2]

    @property
    def torch_name(self) -> str:
        """Its dotted name under `torch`."""
        return f"{self.namespace}.{self.name}" if self.namespace else self.name

    @property
    def kinds(self) -> str:
        """The NumPy kinds it takes; "V" is bfloat16's."""
        kinds = "biufc" if self.accepts is None else self.accepts
        return kinds + "V" if "f" in kinds and self.halves else kinds

    def result_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the result of a call in which shapes stand for tensors; computes nothing.

        Numbers in the place of tensors may stay numbers. Several results give a tuple of shapes.
        """
        given = dict(zip((p.name for p in self.params), args, strict=False)) | kwargs
        bound = {p.name: given.get(p.name, p.default) for p in self.params}
        for i, p in enumerate(self.tensors):
            held = bound[p.name]
            if self.sequence and i == 0:
                bound[p.name] = [tuple(shape) for shape in held]
            elif held is not None:
                bound[p.name] = tuple(held) if isinstance(held, (tuple, list)) else ()
        if self.shape is not None:
            needs = inspect.signature(self.shape).parameters
            return self.shape(**{name: bound[name] for name in needs})
        if self.view:  # costs nothing, so it may simply be tried, on an array without memory
            first, *rest = bound.values()
            return self.forward(np, np.broadcast_to(np.uint8(0), first), *rest).shape
        return np.broadcast_shapes(
            *(bound[p.name] for p in self.tensors if bound[p.name] is not None)
        )

    def vjp(self, **rules: Rule) -> Op:
        """State the gradient of each differentiable tensor parameter.

        Raises TypeError at import time when a rule names something that the op does not have.
        """
        known = {p.name for p in self.params} | {"out"} | set(self.aux) | set(self.returns)
        known |= {f"{p.name}_{what}" for p in self.tensors for what in ("shape", "strides")}
        known |= set() if self.joint is None else {"wanted"}
        for target, rule in rules.items():
            if target not in {p.name for p in self.tensors}:
                raise TypeError(f"op {self.name!r} has no tensor parameter {target!r}")
            for need in rule_needs(rule):
                if need not in known:
                    raise TypeError(
                        f"the gradient of {self.name}({target}) asks for {need!r}; there are: "
                        f"{', '.join(sorted(known))}"
                    )
        self.rules.update(rules)
        return self

    def vjp_together(self, *targets: str) -> Callable[[Rule], Rule]:
        """Decorate one rule that gives the gradients of several parameters: `targets`, in order.

        For ops whose gradients share most of their work. The rule returns one gradient (or None)
        per target. It may ask for `wanted` too: for each target, whether its gradient is used.
        """

        def register(rule: Rule) -> Rule:
            self.joint = rule
            self.vjp(**dict.fromkeys(targets, rule))
            return rule

        return register

    def __repr__(self) -> str:
        return f"<op {self.torch_name}({', '.join(p.name for p in self.params)})>"


def shape_setting(shape: Any) -> tuple[int, ...]:
    """The shape rule of ops whose setting `shape` is the result's shape."""
    return tuple(shape)


def rule_needs(rule: Rule) -> tuple[str, ...]:
    """The names a gradient rule asks for, after `F` and `g`."""
    code = getattr(inspect.unwrap(rule), "__code__", None)
    if code is None:  # a class, a partial
        return tuple(inspect.signature(rule).parameters)[2:]
    return tuple(code.co_varnames[2 : code.co_argcount])


def _params(forward: Callable[..., Any]) -> tuple[Param, ...]:
    """A forward's parameters after `xp`: tensors before the "/", settings after it.

    Read off the code itself: `inspect.signature` for every op would take longer than all the rest
    of an import.
    """
    forward = inspect.unwrap(forward)
    code = forward.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    given = forward.__defaults__ or ()
    defaults = dict(
        zip(names[code.co_argcount - len(given) : code.co_argcount], given, strict=True)
    )
    defaults |= forward.__kwdefaults__ or {}
    empty = inspect.Parameter.empty
    return tuple(
        Param(name, place < code.co_posonlyargcount, defaults.get(name, empty))
        for place, name in enumerate(names)
        if place
    )


def op(
    *,
    namespace: str = "",
    function: bool = True,
    method: bool | None = None,
    operator: str | None = None,
    inplace: bool = False,
    aliases: Sequence[str] = (),
    ufunc: str | None = None,
    dtype: str | None = None,
    accepts: str | None = None,
    halves: bool = True,
    returns: Sequence[str] = (),
    differentiable: Sequence[str] = (),
    aux: Sequence[str] = (),
    sequence: bool = False,
    view: bool = False,
    random: bool = False,
    shape: Callable[..., Any] | None = None,
    samples: Callable[..., Any] | None = None,
    oracle: str | bool | Callable[..., Any] | None = None,
    expr: str | None = None,
    errors: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., Any]], Op]:
    """Declare an op. The function's docstring becomes that of the public function.

    - `namespace`: where the function lives: "" (`wb.name`), "nn.functional", "linalg", …
    - `function`, `method`: whether it is a public function and a Tensor method (methods by
      default where the namespace is "")
    - `operator`: the Python operator it implements, "mul" for `__mul__`, `__rmul__`, `__imul__`
    - `inplace`: whether `name_` exists; `aliases`: further names of the same function
    - `ufunc`: the NumPy ufunc that is the whole forward, called directly on the hot path
    - `dtype`: "promote" (inputs to their common type), "float" (likewise, integers to the default
      float), "compare" (promoted, bool result), "same" (mixed types are an error), or None
    - `accepts`: the kinds of numbers it takes, as NumPy's letters ("b" bool, "i" and "u" integers,
      "f" floats, "c" complex); all by default, others raise NotImplementedError
    - `halves`: whether float16 and bfloat16 are among the floats it takes
    - `returns`, `differentiable`: names of several results, and which of them carry gradients
    - `aux`: names of further arrays the forward returns for the gradient rules only (masks,
      indices: constants almost everywhere, or re-derived by the rule when `F.taped`)
    - `sequence`: the first parameter is a sequence of tensors
    - `view`: the result shares memory with the first input
    - `random`: draws random numbers
    - `shape`: the result's shape without data. Like a gradient rule it takes by name what it needs:
      a tensor parameter's name gives that tensor's shape, a setting's name its value. A view's own
      forward says it; other ops without a rule broadcast their inputs' shapes
    - `samples`: yields the test samples (see `samples.py`); `errors`: inputs that must be refused
    - `oracle`: what torch calls it where the names differ, or a function over torch tensors; False
      where torch has no such function
    - `expr`: its scalar expression in C, for fusion
    """

    def declare(forward: Callable[..., Any]) -> Op:
        name = forward.__name__.removesuffix("_op")
        params = _params(forward)
        made = Op(
            name,
            forward,
            params,
            namespace=namespace,
            function=function,
            method=(namespace == "" and function) if method is None else method,
            operator=operator,
            inplace=inplace,
            aliases=tuple(aliases),
            ufunc=ufunc,
            dtype=dtype,
            accepts=accepts,
            halves=halves,
            returns=tuple(returns),
            differentiable=tuple(differentiable),
            aux=tuple(aux),
            sequence=sequence,
            view=view,
            random=random,
            shape=shape,
            samples=samples,
            oracle=oracle,
            expr=expr,
            errors=errors,
        )
        if name in OPS:
            raise TypeError(f"op {name!r} is declared twice")
        OPS[name] = made
        return made

    return declare
