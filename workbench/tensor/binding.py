"""From a declared op to the function a user calls.

For each op one Python function is generated with torch's signature. What it does is always the
same: take the raw arrays, call the forward, make the result Tensor and, if a gradient may be asked
for, one Node. It is generated, not composed of closures over `*args`, because this is the hot
path: no argument packing, no loop over operands, no look-up that can be written out.

Three pieces per op, each compiled when first needed: `call` (the function), `general` (the same
with promotion, numbers and broadcasting repaired) and the node's `backward`/`backward_taped`.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from workbench.arrays import constant, namespace
from workbench.ops import OPS
from workbench.ops.compiled.elementwise import QUICK
from workbench.ops.declare import Op, rule_needs

from . import backward, versions
from .coerce import coerce, fixes, require_tensors, same_dtype
from .errors import explained, refuse_dtype
from .mode import mode
from .node import LEAF, Node
from .out import shown, with_out
from .routing import BATCHED, VmapError, library, routed
from .source import MAKERS, SPECS
from .tensor import Tensor, note_view, wrap


class Bound:
    """An op, bound to Tensors. Also the `kind` of the nodes it records."""

    def __init__(self, op: Op) -> None:
        self.op = op
        self.name = "".join(part.title() for part in op.name.split("_")) + "Backward0"
        self.targets = [p.name for p in op.tensors if p.name in op.rules]
        self.saved = _saved_names(op)
        self.fast = (
            op.ufunc is not None
            and not op.settings
            and len(op.tensors) in (1, 2)
            and op.dtype in ("promote", "float", "compare")
        )

    def operated(self, input: Any, other: Any) -> Any:
        """`general` as an operator: NotImplemented for operands that are no tensors or numbers.

        Comparing for equality takes NumPy's arrays too, as torch does.
        """
        if isinstance(other, (Tensor, int, float, complex, np.generic)):
            return self.general(input, other)
        if self.op.operator in ("eq", "ne") and isinstance(other, np.ndarray):
            return self.general(input, wrap(other))
        return NotImplemented

    def __getattr__(self, name: str) -> Any:
        # `call`, `public`, `general`, `backward`, …: compiled when first used, then plain
        if name not in MAKERS:
            raise AttributeError(name)
        made = _compile(self, name)
        setattr(self, name, made)
        return made

    def rewrap(self, node: Node) -> list[Any]:
        """What the node saved, as Tensors linked to the graph again."""
        position = {p.name: i for i, p in enumerate(self.op.tensors)}
        values: list[Any] = []
        for name, value in zip(self.saved, node.saved or (), strict=True):
            if value is None or not hasattr(value, "dtype") or name.endswith("_shape"):
                values.append(value)
            elif name == "out":
                values.append(_relink(value, node))
            elif name in self.op.returns:
                made = wrap(value)
                if name in self.op.differentiable:
                    specs = node.saved[self.saved.index(SPECS)]  # type: ignore[index]
                    made.edge = _pick(node, self.op.returns.index(name), specs)
                values.append(made)
            elif name in position:
                if self.op.sequence and position[name] == 0:
                    values.append(value)
                else:
                    values.append(_relink(value, node.edges[position[name]]))
            elif name in self.op.aux:
                values.append(wrap(value))
            else:
                values.append(value)
        return values


def _relink(array: Any, edge: Any) -> Any:
    if edge is None:
        return wrap(array)
    if not isinstance(edge, Node):
        # a leaf: the very tensor, unless it was cast on the way in
        if edge.array is array:
            return edge
        from .transfer import cast_to

        return cast_to(edge, array.dtype)
    made = wrap(array)
    made.edge = edge
    return made


def _saved_names(op: Op) -> list[str]:
    names: list[str] = []
    for target in (p.name for p in op.tensors):
        if target in op.rules:
            names += [n for n in rule_needs(op.rules[target]) if n not in names]
    if any(n in op.differentiable for n in names):
        names.append(SPECS)  # a result that is saved is one of several: see `rewrap`
    return names


def _compile(bound: Bound, piece: str) -> Any:
    op = bound.op
    lines = MAKERS[piece](bound)
    source = "\n".join(lines) + "\n"
    filename = f"<workbench op {bound.op.torch_name}: {piece}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    space: dict[str, Any] = {
        "np": np, "ndarray": np.ndarray, "Tensor": Tensor, "LEAF": LEAF,
        "new": object.__new__, "tape_mode": mode, "library": library, "routed": routed(bound.op),
        "plain": _PLAIN,
        "with_out": with_out, "constant": constant, "__name__": "workbench.tensor.generated",
        "coerce": coerce, "fixes": fixes, "same_dtype": same_dtype, "bound": bound, "op": bound.op,
        "require_tensors": require_tensors, "note_view": note_view, "op_forward": bound.op.forward,
        "ufunc": getattr(np, bound.op.ufunc) if bound.op.ufunc else None, "asarray": _asarray,
        "large": QUICK.get(bound.op.ufunc or ""),
        "explained": explained, "refuse_dtype": refuse_dtype,
        "Batchwise": VmapError, "batched": BATCHED,
        "default": SimpleNamespace(**{p.name: p.default for p in op.params if not p.required}),
        "pick": _pick, "result": _result_type(bound.op), "Parts": Parts,
        **{f"rule_{name}": rule for name, rule in bound.op.rules.items()},
    }  # fmt: skip
    space |= _in_place
    _spaces.append(space)
    if _around is not None:
        _surround(space)
    exec(compile(source, filename, "exec"), space)  # our own declarations only, never user input
    made = space[bound.op.name if piece in ("call", "general", "public") else piece]
    if piece == "public":
        made.__signature__ = shown(inspect.signature(bound.call))
    made.__doc__ = bound.op.doc
    made.__module__ = "workbench"
    made.__qualname__ = made.__name__
    return made


# Every compiled piece's globals. `put_in_place` exchanges a name in all of them: so that anomaly
# detection and hooks on saved tensors cost nothing until they are used.
_spaces: list[dict[str, Any]] = []
_in_place: dict[str, Any] = {"Node": Node, "tick": versions.tick}
_PLAIN = {np.ndarray}


def put_in_place(**names: Any) -> None:
    """Exchange what the ops make their nodes of: `Node=` the class, `tick=` the counter."""
    _in_place.update(names)
    for space in _spaces:
        space.update(names)


# What every kernel is called through while a profile is taken: (op, kernel) -> kernel
_around: Callable[[Op, Callable[..., Any]], Callable[..., Any]] | None = None


def put_around(make: Callable[[Op, Callable[..., Any]], Callable[..., Any]] | None) -> None:
    """Have the ops call their kernels through `make(op, kernel)`; None takes that away."""
    global _around
    _around = make
    for space in _spaces:
        _surround(space)


def _surround(space: dict[str, Any]) -> None:
    for name in ("ufunc", "large", "op_forward", "routed"):
        plain = space.setdefault(f"plain_{name}", space[name])
        if plain is not None:
            space[name] = plain if _around is None else _around(space["op"], plain)


def guard(bound: Bound, lines: list[str], **names: Any) -> None:
    """Put lines at the head of an op's functions, in place: what refers to them need not change."""
    pieces = [("call", 1), ("public", 3)]
    if bound.op.operator is not None and len(bound.op.tensors) == 2:
        pieces.append(("operator", 1))
    for piece, at in pieces:
        function = getattr(bound, piece)
        source = MAKERS[piece](bound)
        text = "\n".join([*source[:at], *lines, *source[at:]]) + "\n"
        space = function.__globals__
        space.update(names)
        exec(
            compile(text, f"<workbench op {bound.op.torch_name}: {piece}, guarded>", "exec"), space
        )
        made = space.pop(source[0].removeprefix("def ").partition("(")[0])
        function.__code__ = made.__code__


def _asarray(r: Any) -> Any:
    """0-d results come out of NumPy as scalars; make them arrays again."""
    return np.asarray(r) if isinstance(r, np.generic) or not hasattr(r, "dtype") else r


def _result_type(op: Op) -> Any:
    if not op.returns:
        return None
    from .results import result_type

    return result_type(op.name, op.returns)


class Parts(dict):
    """Gradients of some results of a node with several; missing ones count as zero."""

    specs: tuple[Any, ...] = ()

    def __add__(self, other: Parts) -> Parts:
        merged = Parts(self)
        merged.specs = self.specs
        for key, g in other.items():
            merged[key] = merged[key] + g if key in merged else g
        return merged

    def filled(self, F: Any) -> list[Any]:
        """One gradient per result, zeros where none arrived."""
        values = []
        for i, (shape, dtype) in enumerate(self.specs):
            g = self.get(i)
            if g is None:
                other = next(iter(self.values()))
                zeros = namespace(other.array if F.over_tensors else other).zeros(shape, dtype)
                g = wrap(zeros) if F.over_tensors else zeros
            values.append(g)
        return values


class _Pick:
    """The node between one of several results and the op's node."""

    name = "Pick"

    @staticmethod
    def backward(F: Any, g: Any, node: Node) -> tuple[Any]:
        index, specs = node.saved  # type: ignore[misc]
        parts = Parts({index: g})
        parts.specs = specs
        return (parts,)

    backward_taped = backward


def _pick(node: Node, index: int, specs: tuple[Any, ...]) -> Node:
    made = object.__new__(Node)
    made.kind = _Pick
    made.edges = (node,)
    made.saved = (index, specs)
    made.fix = None
    made.seq = versions.tick()
    return made


BOUND: dict[str, Bound] = {name: Bound(op) for name, op in OPS.items()}
backward.part = BOUND["getitem"]
backward.part_index = BOUND["getitem"].saved.index("index")


def raw_signature(name: str) -> Any:
    """An op's function over Tensors with the parameters its declaration has."""
    return BOUND[name].call
