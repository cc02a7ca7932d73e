"""Derivatives of functions: grad, vjp, jvp, linearize, jacobians and the Hessian.

All of them are reverse mode on the tape. The arguments enter under aliases, so that derivatives
nest: an inner derivative is recorded when something around it can ask for a derivative of it.
`jvp` is the transpose of the transpose: v ↦ Jᵀv is linear, and its own vjp is t ↦ Jt (Townsend,
"A new trick for calculating Jacobian vector products", 2017); it costs two backward passes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from workbench.tensor.backward import grad as engine_grad
from workbench.tensor.mode import enable_grad, mode, pushing
from workbench.tensor.node import LEAF, Node, make_node
from workbench.tensor.tensor import Tensor, beside, wrap
from workbench.tensor.versions import tick

from .trees import Build, flatten, tree_map
from .vmap import vmap


class _Alias:
    """The node of an argument of a transformed function: its gradient is the argument's."""

    name = "AliasBackward0"

    @staticmethod
    def backward(F: Any, g: Any, node: Node) -> tuple[Any]:
        return (g,)

    backward_taped = backward


def alias(tensor: Tensor) -> Tensor:
    """The same array, with a place of its own on the tape behind that of `tensor`."""
    made = wrap(tensor.array)
    made.edge = make_node(_Alias, (tensor if tensor.edge is LEAF else tensor.edge,))
    return made


def _reaches_out(edges: Sequence[Any], start: int) -> bool:
    """Whether anything recorded before tick `start`, or a leaf, lies behind `edges`."""
    stack = [e for e in edges if e is not None]
    known: set[int] = set()
    while stack:
        edge = stack.pop()
        if not isinstance(edge, Node) or edge.seq < start:
            return True
        for parent in edge.edges:
            if parent is not None and (not isinstance(parent, Node) or parent.seq not in known):
                if isinstance(parent, Node):
                    known.add(parent.seq)
                stack.append(parent)
    return False


def _edge(tensor: Tensor) -> Any:
    return tensor if tensor.edge is LEAF else tensor.edge


def _stripped(value: Any, start: int, recording: bool) -> Any:
    """A result without its inner history; with it where the outside has a part in it."""
    if not isinstance(value, Tensor) or value.edge is None:
        return value
    if recording and _reaches_out([_edge(value)], start):
        return value
    return wrap(value.array)


def _differentiable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.array.dtype.kind in "fcV"


class _Args:
    """The arguments to differentiate by, under aliases."""

    def __init__(self, trees: Sequence[Any], name: str, *, strict: bool = True) -> None:
        self.leaves, self.build = flatten(tuple(trees))
        self.aliases = []
        for leaf in self.leaves:
            if _differentiable(leaf):
                self.aliases.append(alias(leaf))
            elif strict:
                kind = leaf.dtype if isinstance(leaf, Tensor) else type(leaf).__name__
                raise RuntimeError(
                    f"{name}: can only differentiate by floating-point or complex Tensors, got "
                    f"{kind}; choose others with argnums"
                )
            else:
                self.aliases.append(leaf)
        self.inputs = [a for a in self.aliases if _differentiable(a)]

    def given(self) -> tuple[Any, ...]:
        """The arguments as the function gets them."""
        return self.build(self.aliases)  # type: ignore[no-any-return]

    def filled(self, grads: Sequence[Any]) -> list[Any]:
        """One derivative per leaf: zeros for what has none."""
        parts = iter(grads)
        return [next(parts) if _differentiable(leaf) else _zeros(leaf) for leaf in self.leaves]


def _zeros(like: Any) -> Any:
    return wrap(np.zeros_like(like.array)) if isinstance(like, Tensor) else None


def _chosen(argnums: Any, count: int, name: str) -> tuple[int, ...]:
    picked = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for i in picked:
        if not -count <= i < count:
            raise RuntimeError(f"{name}: got argnum={i}, but only {count} positional inputs")
    found = tuple(i % count for i in picked)
    if len(set(found)) != len(found):
        raise RuntimeError(f"{name}: argnums elements must be unique, got {picked}")
    return found


def _split_aux(result: Any, has_aux: bool, name: str) -> tuple[Any, Any]:
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise RuntimeError(
            f"{name}: with has_aux=True the function must return a tuple (output, aux), got "
            f"{type(result).__name__}"
        )
    return result


def grad_and_value(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns (gradient, value) of the scalar function `func`.

    With `has_aux`, `func` returns (value, aux) and the result is (gradient, (value, aux)).
    Raises RuntimeError when the value is not a 0-d floating-point tensor.
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        recording, start = mode.grad, tick()
        picked = _chosen(argnums, len(args), "grad_and_value")
        with enable_grad():
            chosen = _Args([args[i] for i in picked], "grad")
            given = list(args)
            for i, value in zip(picked, chosen.given(), strict=True):
                given[i] = value
            value, aux = _split_aux(func(*given, **kwargs), has_aux, "grad_and_value")
            if not isinstance(value, Tensor):
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a single tensor, got "
                    f"{type(value).__name__}"
                )
            if value.array.ndim:
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got "
                    f"tensor with {value.array.ndim} dims. Maybe you wanted to use the vjp or "
                    "jacrev APIs instead?"
                )
            aux = tree_map(lambda t: _stripped(t, start, recording), aux)
            grads: Sequence[Any]
            if value.edge is None:
                grads = [_zeros(t) for t in chosen.inputs]
            else:
                again = recording and _reaches_out([_edge(value)], start)
                held = again or any(
                    isinstance(t, Tensor) and t.edge is not None for t in flatten(aux)[0]
                )
                grads = engine_grad(
                    value, chosen.inputs, retain_graph=held, create_graph=again,
                    allow_unused=True, materialize_grads=True,
                )  # fmt: skip
        found = chosen.build([_stripped(g, start, recording) for g in grads])
        result = found[0] if isinstance(argnums, int) else found
        value = _stripped(value, start, recording)
        return (result, (value, aux)) if has_aux else (result, value)

    return wrapper


def grad(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The gradient of the scalar function `func` with respect to its arguments `argnums`.

    With `has_aux`, `func` returns (value, aux) and the result is (gradient, aux). Nests:
    `grad(grad(f))`, `vmap(grad(f), in_dims=(None, 0))` for gradients of single samples.
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        found, rest = both(*args, **kwargs)
        return (found, rest[1]) if has_aux else found

    return wrapper


class _Outputs:
    """The tensors a function returned."""

    def __init__(self, result: Any, name: str) -> None:
        self.values, self.build = flatten(result)
        for value in self.values:
            if not isinstance(value, Tensor):
                raise RuntimeError(
                    f"{name}: Expected f(*args) to return only Tensors (or nested tuples, lists "
                    f"and dicts of them), got {type(value).__name__}"
                )
        if not self.values:
            raise RuntimeError(f"{name}: Expected f(*args) to return at least one Tensor")


def _same_shapes(given: Sequence[Any], wanted: Sequence[Any], name: str, what: str) -> None:
    if len(given) != len(wanted):
        raise RuntimeError(f"{name}: Expected {len(wanted)} {what}, got {len(given)}")
    for g, w in zip(given, wanted, strict=True):
        if not isinstance(g, Tensor) or tuple(g.array.shape) != tuple(w.array.shape):
            shown = list(g.array.shape) if isinstance(g, Tensor) else type(g).__name__
            raise RuntimeError(
                f"{name}: Expected {what} of the same shapes: wanted {list(w.array.shape)}, got "
                f"{shown}"
            )


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """(output, vjp_fn): `vjp_fn(cotangents)` gives vᵀJ for each primal, always a tuple.

    With `has_aux`, (output, vjp_fn, aux). `vjp_fn` may be called many times and under `vmap`.
    """
    recording, start = mode.grad, tick()
    with enable_grad():
        args = _Args(primals, "vjp", strict=False)
        result, aux = _split_aux(func(*args.given()), has_aux, "vjp")
        out = _Outputs(result, "vjp")
    outside = _reaches_out([_edge(t) for t in out.values if t.edge is not None], start)

    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given = flatten(cotangents)[0]
        _same_shapes(given, out.values, "vjp_fn", "cotangents")
        pairs = [(t, c) for t, c in zip(out.values, given, strict=True) if t.edge is not None]
        again = mode.grad and (outside or any(c.edge is not None for c in given))
        again = again if create_graph is None else create_graph
        grads: Sequence[Any] = [_zeros(t) for t in args.inputs]
        if pairs and args.inputs:
            grads = engine_grad(
                [t for t, _ in pairs], args.inputs, [c for _, c in pairs],
                retain_graph=retain_graph, create_graph=again,
                allow_unused=True, materialize_grads=True,
            )  # fmt: skip
        return args.build(args.filled(grads))

    def strip(t: Any) -> Any:
        return _stripped(t, start, recording)

    output = out.build([strip(t) for t in out.values])
    return (output, vjp_fn, tree_map(strip, aux)) if has_aux else (output, vjp_fn)


class _Linear:
    """A function at a point: its outputs, and t ↦ Jt by transposing v ↦ Jᵀv."""

    def __init__(self, func: Callable[..., Any], primals: Any, has_aux: bool, name: str) -> None:
        self.recording, self.start = mode.grad, tick()
        with enable_grad():
            self.args = _Args(primals, name, strict=False)
            result, self.aux = _split_aux(func(*self.args.given()), has_aux, name)
            self.out = _Outputs(result, name)
            # the cotangents, at zero: the map is linear in them, so its slope there is its slope
            self.slots = [alias(wrap(np.zeros_like(t.array))) for t in self.out.values]
            pairs = [(t, v) for t, v in zip(self.out.values, self.slots, strict=True) if t.edge]
            self.transposed: Sequence[Any] = [None] * len(self.args.inputs)
            if pairs and self.args.inputs:
                with pushing():
                    self.transposed = engine_grad(
                        [t for t, _ in pairs], self.args.inputs, [v for _, v in pairs],
                        create_graph=True, allow_unused=True,
                    )  # fmt: skip
        reached = [_edge(g) for g in self.transposed if g is not None and g.edge is not None]
        self.outside = _reaches_out(reached, self.start)

    def push(self, tangents: Sequence[Any], retain: bool = True) -> list[Any]:
        """Jt: one tangent for each output."""
        _same_shapes(tangents, self.args.leaves, "jvp", "tangents")
        given = [
            t for t, leaf in zip(tangents, self.args.leaves, strict=True) if _differentiable(leaf)
        ]
        rows = [
            (g, t)
            for g, t in zip(self.transposed, given, strict=True)
            if g is not None and g.edge is not None
        ]
        if not rows:
            return [_zeros(t) for t in self.out.values]
        again = mode.grad and (self.outside or any(t.edge is not None for t in given))
        return list(
            engine_grad(
                [g for g, _ in rows],
                self.slots,
                [t for _, t in rows],
                retain_graph=retain,
                create_graph=again,
                allow_unused=True,
                materialize_grads=True,
            )
        )

    def strip(self, tree: Any) -> Any:
        """Results without the inner history."""
        return tree_map(lambda t: _stripped(t, self.start, self.recording), tree)

    def output(self) -> Any:
        """What the function returned."""
        return self.strip(self.out.build(list(self.out.values)))


def jvp(
    func: Callable[..., Any],
    primals: Any,
    tangents: Any,
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """(output, Jt): the function's value and its derivative in the direction `tangents`.

    `primals` and `tangents` are tuples of equal structure. With `has_aux`, (output, Jt, aux).
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise RuntimeError("jvp(f, primals, tangents): Expected primals and tangents to be tuples")
    line = _Linear(func, primals, has_aux, "jvp")
    pushed = line.out.build([
        _stripped(t, line.start, line.recording) for t in line.push(flatten(tangents)[0])
    ])  # fmt: skip
    if strict and any(t.edge is None for t in line.out.values):
        raise RuntimeError("jvp: with strict=True every output must depend on the primals")
    output = line.output()
    return (output, pushed, line.strip(line.aux)) if has_aux else (output, pushed)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """(output, jvp_fn): `jvp_fn(*tangents)` gives Jt at `primals` without running `func` again."""
    line = _Linear(func, primals, False, "linearize")

    def jvp_fn(*tangents: Any) -> Any:
        return line.out.build(line.push(flatten(tuple(tangents))[0]))

    return line.output(), jvp_fn


def _basis(like: Sequence[Any]) -> list[Tensor]:
    """The unit vectors of the space of all elements of `like`, split again into its shapes."""
    sizes = [t.array.size for t in like]
    total, start, made = sum(sizes), 0, []
    for t, n in zip(like, sizes, strict=True):
        block = np.zeros((total, n), t.array.dtype)
        block[start : start + n] = np.eye(n, dtype=t.array.dtype)
        made.append(beside(t, block.reshape((total, *t.array.shape))))
        start += n
    return made


def _blocks(rows: Any, shapes: Sequence[tuple[int, ...]], dim: int) -> list[Tensor]:
    """A stack over all elements, along `dim`, as one block per shape."""
    from workbench.tensor.functions import raw

    start, made = 0, []
    for shape in shapes:
        n = int(np.prod(shape, dtype=int))
        piece = raw("narrow")(rows, dim, start, n)
        sides = rows.array.shape
        made.append(raw("reshape")(piece, (*sides[:dim], *shape, *sides[dim + 1 :])))
        start += n
    return made


def _picked(func: Callable[..., Any], argnums: Any, args: Any, kwargs: Any, name: str) -> Any:
    picked = _chosen(argnums, len(args), name)

    def partial(*chosen: Any) -> Any:
        given = list(args)
        for i, value in zip(picked, chosen, strict=True):
            given[i] = value
        return func(*given, **kwargs)

    return partial, [args[i] for i in picked]


def _nested(out: Any, blocks: list[list[Any]], arg_build: Build, single: bool) -> Any:
    trees = []
    for row in blocks:
        tree = arg_build(row)
        trees.append(tree[0] if single else tree)
    return out(trees)


def jacrev(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """The Jacobian of `func`, a row at a time in one vectorised backward pass.

    For an output of shape S and an argument of shape T the result has shape (*S, *T).
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        partial, chosen = _picked(func, argnums, args, kwargs, "jacrev")
        made = vjp(partial, *chosen, has_aux=has_aux)
        output, pull = made[0], made[1]
        values, build_out = flatten(output)
        build_in = flatten(tuple(chosen))[1]

        def row(*cotangents: Any) -> list[Any]:
            return flatten(pull(build_out(list(cotangents))))[0]

        rows = vmap(row, chunk_size=chunk_size, randomness="same")(*_basis(values))
        shapes = [tuple(v.array.shape) for v in values]
        columns = [_blocks(r, shapes, 0) for r in rows]  # [argument][output]
        blocks = [list(row) for row in zip(*columns, strict=True)]
        result = _nested(build_out, blocks, build_in, isinstance(argnums, int))
        return (result, made[2]) if has_aux else result

    return wrapper


def jacfwd(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The Jacobian of `func`, a column at a time (see `jvp`): the same result as `jacrev`."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        partial, chosen = _picked(func, argnums, args, kwargs, "jacfwd")
        line = _Linear(partial, chosen, has_aux, "jacfwd")
        values, leaves = line.out.values, line.args.leaves

        def column(*tangents: Any) -> list[Any]:
            return line.push(list(tangents))

        columns = vmap(column, out_dims=-1, randomness=randomness, chunk_size=chunk_size)(
            *_basis(leaves)
        )
        shapes = [tuple(leaf.array.shape) for leaf in leaves]
        blocks = [_blocks(c, shapes, v.array.ndim) for c, v in zip(columns, values, strict=True)]
        result = _nested(line.out.build, blocks, line.args.build, isinstance(argnums, int))
        return (result, line.strip(line.aux)) if has_aux else result

    return wrapper


def hessian(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The matrix of second derivatives: the Jacobian of the Jacobian.

    torch runs forward over reverse mode; here both are reverse, which is cheaper on a tape.
    """
    return jacrev(jacrev(func, argnums), argnums)
