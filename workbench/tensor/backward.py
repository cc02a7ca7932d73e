"""The walk from results back to leaves.

Nodes are visited newest first: an edge always leads to an older node, so by the time a node is
taken all gradients that flow into it have arrived. A heap of ticks keeps that order; neither the
depth of the graph nor its branching touches the Python stack.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from workbench.arrays import memory, move, namespace, on_cuda

from . import node as nodes
from . import versions
from .mode import enable_grad, mode
from .node import Node
from .rawspace import raw_space

# The class of tensors and what makes one: put here by tensor.py, which imports this module
Tensor: Any = None
wrap: Any = None
# The kind of x[index], and where its nodes keep the index: put here by binding.py
part: Any = None
part_index = 0


def sweep(
    roots: Sequence[tuple[Any, Any]],
    *,
    retain: bool,
    taped: bool,
    within: set[int] | None = None,
    watch: set[int] | None = None,
) -> tuple[dict[int, list[Any]], dict[int, Any]]:
    """Send gradients from `roots` (edge, gradient) back through the graph.

    `within`, where given, holds the ticks of the nodes worth visiting; gradients arriving at the
    nodes whose ticks are in `watch` are returned. Gradients are raw arrays, or Tensors when
    `taped`. Returns ({id(leaf): [leaf, gradient]}, {tick: gradient}).
    """
    leaves: dict[int, list[Any]] = {}
    seen: dict[int, Any] = {}
    pending: dict[int, list[Any]] = {}
    heap: list[int] = []
    space: Any = None
    for edge, g in roots:
        space = space or (_taped_space() if taped else raw_space(g))
        _arrive(edge, g, pending, heap, leaves, within)

    # The newest of the nodes that wait, kept out of the heap: in a chain, all of them.
    newest: Any = None
    newest_g: Any = None
    while True:
        if newest is not None:
            current, g, seq = newest, newest_g, newest.seq
            newest = newest_g = None
        elif heap:
            seq = -heappop(heap)
            current, g, *_ = pending.pop(seq)
        else:
            break
        watched = nodes.watched
        if watched:
            g = _run_hooks(current, g, taped)
        if watch is not None and seq in watch:
            seen[seq] = g
        kind = current.kind
        if current.saved is None:
            raise RuntimeError(
                f"Trying to backward through the graph a second time: {kind.name} has freed what "
                "it saved. Use backward(retain_graph=True) the first time if you need to go "
                "through the graph twice."
            )
        if versions.last_write > seq:
            _check_fresh(current)
        if watched:
            grads = _watched_step(space, g, current, taped)
        elif taped:
            grads = kind.backward_taped(space, g, current)
        elif kind is part and within is None and _joined(current, g, pending):
            if not retain:
                current.saved = None
            continue
        else:
            grads = kind.backward(space, g, current)
        if current.fix is not None and not watched:
            grads = [
                grad if fix is None or grad is None else repair(space, grad, *fix)
                for grad, fix in zip(grads, current.fix, strict=True)
            ]
        g = None
        if not retain and current.saved:
            current.saved = None
        # the common case of _arrive, in line
        for edge, grad in zip(current.edges, grads, strict=True):
            if edge is None or grad is None:
                continue
            if not isinstance(edge, Node) or within is not None:
                _arrive(edge, grad, pending, heap, leaves, within)
            elif edge is newest:
                newest_g = newest_g + grad
            else:
                key = edge.seq
                held = pending.get(key) if pending else None
                if held is not None:
                    held[1] = held[1] + grad
                elif (newest is not None and key < newest.seq) or (heap and key < -heap[0]):
                    pending[key] = [edge, grad, kind]
                    heappush(heap, -key)
                else:
                    if newest is not None:
                        pending[newest.seq] = [newest, newest_g]
                        heappush(heap, -newest.seq)
                    newest, newest_g = edge, grad
    return leaves, seen


def _arrive(
    edge: Any,
    g: Any,
    pending: dict[int, list[Any]],
    heap: list[int],
    leaves: dict[int, list[Any]],
    within: set[int] | None,
) -> None:
    if isinstance(edge, Node):
        key = edge.seq
        if within is not None and key not in within:
            return
        held = pending.get(key)
        if held is None:
            pending[key] = [edge, g]
            heappush(heap, -key)
        else:
            held[1] = held[1] + g
    else:
        entry = leaves.get(id(edge))
        if entry is None:
            leaves[id(edge)] = [edge, g]
        else:
            entry[1] = entry[1] + g


def _joined(node: Node, g: Any, pending: dict[int, list[Any]]) -> bool:
    """Add the gradient of x[index] to that of x, if other parts of x have begun it.

    What waits there was made for the first part and is nobody else's. The sum is the same to the
    bit as one of gradients with zeros around the parts.
    """
    edge, index = node.edges[0], node.saved[part_index]  # type: ignore[index]
    held = pending.get(edge.seq) if isinstance(edge, Node) else None
    if held is None or len(held) < 3 or held[2] is not node.kind or node.fix is not None:
        return False
    whole = held[1]
    if type(whole) is not np.ndarray or type(g) is not np.ndarray or whole.dtype is not g.dtype:
        return False
    if any(hasattr(i, "dtype") for i in index):  # may meet an element twice
        return False
    whole[index] += g
    return True


def _watched_step(space: Any, g: Any, node: Node, taped: bool) -> Any:
    from .careful import step

    return step(space, g, node, taped)


def repair(space: Any, g: Any, shape: tuple[int, ...], dtype: np.dtype, where: Any = None) -> Any:
    """Bring a gradient to its input's shape (undo broadcasting) and dtype (undo promotion).

    And to its device, where a 0-d tensor of the CPU met CUDA tensors.
    """
    if tuple(g.shape) != shape:
        g = sum_to(space, g, shape)
    g = space.cast(g, dtype)
    if where is None:
        return g
    return g.to(where) if space.over_tensors else move(g, where)


def sum_to(space: Any, g: Any, shape: tuple[int, ...]) -> Any:
    """Sum `g` over the dimensions along which `shape` was broadcast."""
    lead = len(g.shape) - len(shape)
    dims = tuple(range(lead)) + tuple(
        lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1
    )
    if dims:
        g = space.sum(g, dims, False)
    return g if tuple(g.shape) == shape else space.reshape(g, shape)


def _check_fresh(node: Node) -> None:
    for value in node.saved or ():
        if hasattr(value, "dtype") and versions.written_since(value, node.seq):
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an "
                f"inplace operation: a tensor of shape {tuple(value.shape)} that {node.name()} "
                "saved was written after the forward pass. Write to a copy (x = x.clone()) or use "
                "the op that is not in place."
            )


def _run_hooks(node: Node, g: Any, taped: bool) -> Any:
    try:
        hooks = node.hooks
    except AttributeError:
        return g
    for hook in list(hooks):
        g = call_hook(hook, g, taped)
    return g


def call_hook(hook: Any, g: Any, taped: bool) -> Any:
    """Give a gradient to a user's hook as a Tensor; return what the hook makes of it."""
    given = hook(g if taped else wrap(np.asarray(g) if isinstance(g, np.generic) else g))
    if given is None:
        return g
    return given if taped else given.array


def _taped_space() -> Any:
    from .rawspace import taped_space

    return taped_space()


def reachable(roots: Sequence[Any], targets: set[int]) -> set[int]:
    """Ticks of the nodes on some way from `roots` to `targets` (ids of leaves, ticks of nodes)."""
    users: dict[int, list[int]] = {}
    stack = [edge for edge in roots if isinstance(edge, Node)]
    known = {edge.seq for edge in stack}
    hits = [edge.seq for edge in stack if edge.seq in targets]
    while stack:
        current = stack.pop()
        for edge in current.edges:
            if edge is None:
                continue
            if not isinstance(edge, Node):
                if id(edge) in targets:
                    hits.append(current.seq)
                continue
            users.setdefault(edge.seq, []).append(current.seq)
            if edge.seq in targets:
                hits.append(edge.seq)
            if edge.seq not in known:
                known.add(edge.seq)
                stack.append(edge)
    useful: set[int] = set()
    while hits:
        seq = hits.pop()
        if seq not in useful:
            useful.add(seq)
            hits.extend(users.get(seq, ()))
    return useful


def _cast(g: Any, dtype: np.dtype, taped: bool) -> Any:
    """A gradient in its tensor's dtype: a real part, or one that met a wider constant, differs."""
    return (_taped_space() if taped else raw_space(g)).cast(g, dtype)


def accumulate(leaves: dict[int, list[Any]], taped: bool) -> None:
    """Add gradients to the leaves' `.grad`, running their hooks."""
    while leaves:
        _, entry = leaves.popitem()
        leaf, g = entry
        entry.clear()
        if (g.array if taped else g).dtype is not leaf.array.dtype:
            g = _cast(g, leaf.array.dtype, taped)
        hooks = leaf._hooks
        if hooks:
            for hook in list(hooks):
                g = call_hook(hook, g, taped)
        held = leaf.grad
        if held is not None:
            if taped:
                leaf.grad = held + g
            elif held.edge is None:
                np.add(held.array, g, out=held.array)
                versions.mark_array(held.array)
            else:
                leaf.grad = wrap(held.array + g)
        elif taped:
            leaf.grad = g
        else:
            # Keep the array itself only when nobody else can see it: 2 = this name and the
            # argument; an array that is a view of a fresh one may stay if its base is as lonely.
            count = sys.getrefcount(g)  # before the call below holds it too
            if type(g) is not np.ndarray and isinstance(g, np.generic):
                g = np.asarray(g)
            elif not _exclusive(g, count):
                g = g.copy()
            grad = wrap(g)
            leaf.grad = grad
        after = leaf._post_hooks
        if after:
            for hook in list(after):
                hook(leaf)


def _exclusive(g: Any, count: int) -> bool:
    if count > 2 or not getattr(getattr(g, "flags", None), "writeable", True):
        return False
    base = getattr(g, "base", None)
    if base is None:
        return True
    return (
        type(base) is type(g)
        and base.base is None
        and base.size == g.size
        and sys.getrefcount(base) <= 3
    )


def _seed(tensor: Any, gradient: Any, taped: bool) -> Any:
    """The gradient a backward pass starts with at `tensor`, checked."""
    array = tensor.array
    if tensor.edge is None:
        raise RuntimeError(
            "element 0 of tensors does not require grad and does not have a grad_fn: nothing in "
            "its computation had requires_grad=True, or it was computed under no_grad()"
        )
    if gradient is None:
        if array.size != 1:
            raise RuntimeError(
                "grad can be implicitly created only for scalar outputs: this tensor has shape "
                f"{tuple(array.shape)}; reduce it first (.sum(), .mean()) or pass gradient="
            )
        if array.dtype.kind not in "fcV":
            raise RuntimeError("grad can be computed only for floating point or complex outputs")
        if type(array) is np.ndarray or on_cuda(array):
            ones = namespace(array).ones(array.shape, array.dtype)
        elif hasattr(array, "ones"):  # while a step is recorded
            ones = array.ones()
        else:
            ones = array * 0 + 1
        return wrap(ones) if taped else ones
    if not isinstance(gradient, Tensor):
        raise TypeError(f"gradients must be Tensors or None, got {type(gradient).__name__}")
    if tuple(gradient.array.shape) != tuple(array.shape):
        raise RuntimeError(
            f"Mismatch in shape: gradient has shape {tuple(gradient.array.shape)}, the tensor it "
            f"belongs to {tuple(array.shape)}"
        )
    if namespace(gradient.array) is not namespace(array):
        raise RuntimeError(
            f"invalid gradient at index 0 - expected device {tensor.device} but got "
            f"{gradient.device}"
        )
    return gradient if taped else gradient.array


def _edge_of(tensor: Any) -> Any:
    return tensor if tensor.edge is nodes.LEAF else tensor.edge


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradients of `tensors` to the `.grad` of the leaves (`torch.autograd.backward`).

    `inputs` restricts the leaves that receive. Raises RuntimeError when a tensor needs no
    gradient, when a gradient's shape is wrong, or when the graph was freed or written over.
    """
    if not memory.settled:
        memory.settle()
    tensors = _as_tuple(tensors)
    grads = (None,) * len(tensors) if grad_tensors is None else _as_tuple(grad_tensors)
    if len(grads) != len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(grads)} gradients")
    retain = create_graph if retain_graph is None else retain_graph
    within = watch = None
    if inputs is not None:
        inputs = _as_tuple(inputs)
        if not inputs:
            raise RuntimeError("'inputs' argument to backward() cannot be empty.")
        watch = _targets(inputs)
        within = reachable([_edge_of(t) for t in tensors], watch)
    roots = [(_edge_of(t), _seed(t, g, create_graph)) for t, g in zip(tensors, grads, strict=True)]
    leaves, seen = _run(roots, retain, create_graph, within, watch)
    del roots
    if inputs is not None:
        wanted = {id(t) for t in inputs}
        leaves = {key: entry for key, entry in leaves.items() if key in wanted}
        for t in inputs:
            if isinstance(t.edge, Node) and t.edge.seq in seen:
                leaves[id(t)] = [t, seen[t.edge.seq]]
    accumulate(leaves, create_graph)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the sum of `outputs` with respect to `inputs` (`torch.autograd.grad`).

    Touches no `.grad`. With `is_grads_batched` each of `grad_outputs` holds several gradients along
    its first dimension, and one pass under `vmap` answers for all. Raises RuntimeError when an
    input does not require gradients or is not part of the graph (unless `allow_unused`).
    """
    outputs, inputs = _as_tuple(outputs), _as_tuple(inputs)
    grads = (None,) * len(outputs) if grad_outputs is None else _as_tuple(grad_outputs)
    if is_grads_batched:
        from .transforms.vmap import grad_of_many

        return grad_of_many(
            outputs, inputs, grads, retain_graph=retain_graph, create_graph=create_graph,
            allow_unused=allow_unused, materialize_grads=materialize_grads,
        )  # fmt: skip
    for t in inputs:
        if t.edge is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    retain = create_graph if retain_graph is None else retain_graph
    watch = _targets(inputs)
    within = reachable([_edge_of(t) for t in outputs], watch)
    roots = [(_edge_of(t), _seed(t, g, create_graph)) for t, g in zip(outputs, grads, strict=True)]
    leaves, seen = _run(roots, retain, create_graph, within, watch)
    taken = {id(g.array) for g in grads if g is not None}  # arrays that others hold already
    results = []
    for t in inputs:
        if t.edge is nodes.LEAF:
            entry = leaves.get(id(t))
            g = None if entry is None else _cast(entry[1], t.array.dtype, create_graph)
            if g is not None and t._hooks:
                for hook in list(t._hooks):
                    g = call_hook(hook, g, create_graph)
        else:
            g = seen.get(t.edge.seq)
            g = None if g is None else _cast(g, t.array.dtype, create_graph)
        if g is None:
            if materialize_grads:
                results.append(wrap(namespace(t.array).zeros(t.array.shape, t.array.dtype)))
                continue
            if not allow_unused:
                raise RuntimeError(
                    "One of the differentiated Tensors appears to not have been used in the "
                    "graph. Set allow_unused=True if this is the desired behavior."
                )
            results.append(None)
        elif create_graph:
            results.append(g)
        else:
            shared = isinstance(g, np.generic) or getattr(g, "base", None) is not None
            made = wrap(_own(g) if shared or id(g) in taken else g)
            taken.add(id(made.array))
            results.append(made)
    return tuple(results)


def _own(g: Any) -> Any:
    return np.asarray(g) if isinstance(g, np.generic) else g.copy()


def _targets(tensors: Sequence[Any]) -> set[int]:
    return {id(t) if t.edge is nodes.LEAF else t.edge.seq for t in tensors if t.edge is not None}


def _run(roots: Any, retain: bool, taped: bool, within: Any, watch: Any) -> Any:
    if taped and not mode.grad:
        with enable_grad():
            return sweep(roots, retain=retain, taped=True, within=within, watch=watch)
    return sweep(roots, retain=retain, taped=taped, within=within, watch=watch)
