"""The dry run: would these layers work together? Found out by running them on zeros.

Only layers whose inputs change are run, in evaluation mode, without gradients, on stand-ins that
share the parameters and nothing else, and with a random stream of their own: the live network,
and a thread that trains it, notice nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench import nn
from workbench.arrays import random
from workbench.tensor import FUNCTIONS, Tensor, no_grad

from . import construct, palette
from .draft import Draft, check_arity
from .errors import EditError
from .graph import INPUT
from .names import quoted
from .palette import Problem, batched
from .shadow import shadow
from .spec import LayerSpec
from .state import State, Value

BATCH = 2
"""Examples in the zero batch: two, so that a layer that mixes up the batch is noticed."""

zeros = FUNCTIONS[""]["zeros"]


def dry_run(draft: Draft, state: State, device: Any = None) -> dict[str, Value]:
    """What every node of the draft puts out; `state`, from before, tells it where nothing changes.

    Raises EditError that names the first layer that cannot take what it would get. With
    `draft.adapt` a palette layer that follows and does not fit is remade so that it does.
    """
    before = state.values
    values = {INPUT: before[INPUT]}
    with random.fork(0), no_grad():
        for node in draft.graph:
            module = draft.modules[node.id]
            inputs = [values[source] for source in node.inputs]
            if node.id not in draft.touched and inputs == [
                before[source] for source in state.graph[node.id].inputs
            ]:
                values[node.id] = before[node.id]
                continue
            check_arity(node.name, module, len(inputs))
            problem = find_problem(module, inputs)
            if problem is not None and _adapt(draft, node.id, problem, inputs):
                problem = None
            if problem is not None:
                raise _refusal(draft, node.id, problem, inputs)
            values[node.id] = _run(draft, node.id, inputs, device)
    return values


def find_problem(module: nn.Module, inputs: Sequence[Value]) -> Problem | None:
    """Why a palette layer cannot take these inputs; None when it can, or is not in the palette."""
    entry = palette.of(module)
    if entry is None:
        return None
    integer = not inputs[0].dtype.is_floating_point and not inputs[0].dtype.is_complex
    if integer and entry.family not in ("Embedding", "Shape", "Join"):
        return Problem(
            "floating-point numbers",
            f"its input holds {_dtype(inputs[0])}",
            hint="put nn.Embedding(…) before it, or make the network with dtype=wb.float32",
        )
    own = next((p.dtype for p in module.parameters() if p.dtype.is_floating_point), None)
    if own is not None and not integer and own is not inputs[0].dtype:
        want = str(own).rpartition(".")[2]
        return Problem(
            want,
            f"its input holds {_dtype(inputs[0])}",
            hint=f"make the layer with dtype=wb.{_dtype(inputs[0])}",
        )
    try:
        return entry.expects(module, [value.shape for value in inputs], integer)
    except (TypeError, ValueError, IndexError, AttributeError):
        return None  # unusual attributes: the run itself will tell


def _run(draft: Draft, id: str, inputs: Sequence[Value], device: Any) -> Value:
    module = shadow(draft.runnable(id), training=False)
    batch = [zeros((BATCH, *value.shape), dtype=value.dtype, device=device) for value in inputs]
    meter = _Meter(module)
    try:
        out = module(*batch)
    except Exception as error:
        raise _failure(draft, id, inputs, error) from error
    name = draft.graph.name(id)
    if not isinstance(out, Tensor):
        raise EditError(
            f"layer {quoted(name)} ({_short(module)}) returns {_kind(out)}, "
            "but a layer hands on one tensor",
            layer=name,
            id=id,
            fix="wrap it in a module whose forward returns the tensor to hand on",
        )
    shape = tuple(out.shape)
    if not shape or shape[0] != BATCH:
        raise EditError(
            f"layer {quoted(name)} ({_short(module)}) does not keep the batch as the first "
            f"dimension: a batch of {BATCH} became shape {shape}",
            layer=name,
            id=id,
            got=_shapes(inputs),
            fix="start_dim=1" if isinstance(module, nn.Flatten) else None,
        )
    if 0 in shape:
        raise EditError(
            f"layer {quoted(name)} ({_short(module)}) leaves nothing of its input "
            f"{_shapes(inputs)}: its output is {batched(shape[1:])}",
            layer=name,
            id=id,
            got=_shapes(inputs),
        )
    return Value(shape[1:], out.dtype, meter.flops(inputs, shape[1:]))


class _Meter:
    """FLOPs of a layer; of a module with layers inside, what the palette layers in it need."""

    def __init__(self, module: nn.Module) -> None:
        self.entry = palette.of(module)
        self.module = module
        self.inner = 0
        if self.entry is None:
            for child in module.modules():
                if child is not module and palette.of(child) is not None:
                    child.register_forward_hook(self._count)  # on the stand-in alone

    def _count(self, module: nn.Module, args: Any, out: Any) -> None:
        entry = palette.of(module)
        shapes = [tuple(a.shape[1:]) for a in args if isinstance(a, Tensor)]
        if entry is not None and isinstance(out, Tensor):
            self.inner += entry.flops(module, shapes, tuple(out.shape[1:]))

    def flops(self, inputs: Sequence[Value], out: tuple[int, ...]) -> int:
        if self.entry is None:
            return self.inner
        return int(self.entry.flops(self.module, [value.shape for value in inputs], out))


def _adapt(draft: Draft, id: str, problem: Problem, inputs: Sequence[Value]) -> bool:
    """Remake a layer with other inferred arguments, where that is wanted and would help."""
    old = draft.modules[id]
    entry = palette.of(old)
    if draft.adapt is None or id in draft.fresh or not _by_shape(entry, problem):
        return False
    spec = LayerSpec.of(old)
    if spec is None or entry is None:
        return False
    parameters = list(old.parameters())
    dtype = parameters[0].dtype if parameters else None
    seed = derive(draft.adapt, id)
    new = LayerSpec(entry.type, {**spec.args, **(problem.changed or {})}).build(seed, dtype)
    if parameters:
        new.to(parameters[0].device)
    new.train(old.training)
    if find_problem(new, inputs) is not None:
        return False
    draft.modules[id] = new
    draft.fresh.add(id)
    draft.adapted[id] = construct.expression(new)
    return True


def derive(seed: int, text: str) -> int:
    """A seed that follows from another one and a text, the same on every machine."""
    mixed = seed & 0xFFFFFFFF
    for byte in text.encode():  # FNV-1a
        mixed = ((mixed ^ byte) * 16777619) & 0xFFFFFFFF
    return mixed & 0x7FFFFFFF


def _by_shape(entry: palette.Entry | None, problem: Problem) -> bool:
    """Whether only arguments that follow from the input's shape stand in the way."""
    if entry is None or not problem.changed:
        return False
    return all(entry.param(name).inferred for name in problem.changed)


def _refusal(draft: Draft, id: str, problem: Problem, inputs: Sequence[Value]) -> EditError:
    module, name = draft.modules[id], draft.graph.name(id)
    got = _shapes(inputs)
    fix = problem.hint
    fresh = id in draft.fresh
    if problem.changed:
        better = construct.expression(module, problem.changed)
        if fresh:
            fix = better
        elif _by_shape(palette.of(module), problem):
            fix = f"net.replace({name!r}, {better}) in the same edit (adapt=True does it), "
            fix += "or make another edit"
        else:
            fix = f"net.replace({name!r}, {better}) first"
    what = "its input" if fresh else "the new input"
    because = f": {problem.why}" if problem.why else ""
    return EditError(
        f"layer {quoted(name)} ({_short(module)}) cannot take {what}: it gets {got} and wants "
        f"{problem.wanted}{because}",
        layer=name,
        id=id,
        got=got,
        wanted=problem.wanted,
        fix=fix,
    )


def _failure(draft: Draft, id: str, inputs: Sequence[Value], error: Exception) -> EditError:
    module, name = draft.modules[id], draft.graph.name(id)
    words = str(error).strip().partition("\n")[0] or type(error).__name__
    return EditError(
        f"layer {quoted(name)} ({_short(module)}) fails on an input of shape {_shapes(inputs)} "
        f"({_dtype(inputs[0])}): {type(error).__name__}: {words}",
        layer=name,
        id=id,
        got=_shapes(inputs),
    )


def _shapes(inputs: Sequence[Value]) -> str:
    return " and ".join(batched(value.shape) for value in inputs)


def _dtype(value: Value) -> str:
    return str(value.dtype).rpartition(".")[2]


def _short(module: nn.Module) -> str:
    return construct.expression(module).removeprefix("nn.").removeprefix("wb.network.")


def _kind(out: Any) -> str:
    return f"a {type(out).__name__}" if out is not None else "nothing"
