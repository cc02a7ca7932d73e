"""Batching rules of matrix products, convolutions, pools, norms, embeddings and losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.ops.reduce import axis

from .batched import VmapError, is_at, spread
from .dispatch import Call
from .rules import rule

# -- matrix products ------------------------------------------------------------------------------


@rule("matmul")
def _matmul(call: Call) -> Any:
    n, m = call.ndim(0), call.ndim(1)
    if n == 0 or m == 0:
        return None  # whose error says what is wrong
    x, y = call.inside(0), call.inside(1)
    if call.mapped(0) and not call.mapped(1) and m <= 2:
        if n == 1 and m == 2:
            return call.run(x, y)  # rows of one product
        if n > 1:
            return call.run(x, y)
    if call.mapped(1) and not call.mapped(0) and n <= 2 and m == 1:
        return call.run(y, x.T if n == 2 else x)  # the mapped vectors as rows
    # sides of 1 so that both are stacks of matrices with equally many leading sides
    x = _as_matrices(call, 0, front=True)
    y = _as_matrices(call, 1, front=False)
    lead = max(n, 2) if n > m else max(m, 2)
    out = call.run(_lead(x, call.mapped(0), lead), _lead(y, call.mapped(1), lead))
    if n == 1:
        out = out[..., 0, :]
    return out[..., 0] if m == 1 else out


def _as_matrices(call: Call, i: int, *, front: bool) -> Any:
    x = call.inside(i)
    if call.ndim(i) > 1:
        return x
    return x[..., None, :] if front else x[..., :, None]


def _lead(x: Any, mapped: bool, ndim: int) -> Any:
    missing = ndim + mapped - x.ndim
    if not mapped or missing <= 0:
        return x
    return x.reshape(x.shape[:1] + (1,) * missing + x.shape[1:])


@rule("linear")
def _linear(call: Call) -> Any:
    if call.ndim(0) == 0:
        return None
    x, weight, bias = call.values
    if not call.mapped(1) and (bias is None or not call.mapped(2)):
        return call.run(call.spread(0), weight, bias)
    x, w = call.inside(0), call.inside(1)
    if call.ndim(0) == 1:
        x = x[..., None, :]
    n = max(call.ndim(0), 2)
    flipped = w.swapaxes(-1, -2)
    if call.mapped(1):
        flipped = _lead(flipped, True, n)
    out = call.run(x, flipped, name="matmul")
    if call.ndim(0) == 1:
        out = out[..., 0, :]
    if bias is not None:
        b = call.inside(2)
        if call.mapped(2):
            b = b.reshape(b.shape[:1] + (1,) * (call.ndim(0) - 1) + b.shape[1:])
        out = out + b
    return out


@rule("matrix_diag", "matrix_diagonal", "cholesky", "qr", "svd", "svdvals", "lu_factor_ex", "inv",
      "pseudo_inverse", "det", "slogdet", "eigh", "eigvalsh", "matrix_exp",
      "cholesky_inverse")  # fmt: skip
def _matrices(call: Call) -> Any:
    """Ops on the last two dimensions, which take stacks of matrices as they are."""
    if call.ndim() < (1 if call.op.name == "matrix_diag" else 2) or len(call.values) != 1:
        return None
    if call.settings.get("mode") == "r":  # whose empty Q has no batch dimensions
        return None
    return call.run(call.spread(0))


@rule("solve", "solve_triangular")
def _solve(call: Call) -> Any:
    if call.ndim(0) < 2 or call.ndim(1) != call.ndim(0):
        return None
    return call.run(call.spread(0), call.spread(1))


# -- convolution: samples become batch entries, or groups where the weights differ ----------------


def pull(x: Any, dim: int) -> Any:
    """Fold the first dimension of `x` into its dimension `dim` (counted without the first)."""
    moved = np.moveaxis(x, 0, dim)
    shape = moved.shape
    return moved.reshape((*shape[:dim], shape[dim] * shape[dim + 1], *shape[dim + 2 :]))


def push(x: Any, dim: int, size: int) -> Any:
    """Undo `_pull`: a first dimension of `size` out of dimension `dim`."""
    shape = x.shape
    split = x.reshape((*shape[:dim], size, shape[dim] // max(size, 1), *shape[dim + 1 :]))
    return np.moveaxis(split, dim, 0)


def _dims(call: Call) -> int:
    """How many sides the kernel has; 0 where the operands' ranks do not fit."""
    shape = call.settings["shape"] if call.op.name == "conv_weight" else call.shape(1)
    dims = len(shape) - 2
    return dims if dims > 0 and call.ndim(0) in (dims + 1, dims + 2) else 0


@rule("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
      "conv_output")  # fmt: skip
def _conv(call: Call) -> Any:
    dims, size = _dims(call), call.size
    if not dims or not size:
        return None
    x, batched = call.spread(0), call.ndim(0) == dims + 2
    bias = call.values[2] if len(call.values) > 2 else None
    rest = () if len(call.values) == 2 else (bias,)
    if not call.mapped(1):
        added = None
        if bias is not None and call.mapped(2):
            held, added, rest = call.inside(2), bias, (None,)
        if batched:
            out = push(call.run(pull(x, 0), call.values[1], *rest), 0, size)
        else:
            out = call.run(x, call.values[1], *rest)
        if added is None:
            return out
        return out + held.reshape((size,) + (1,) * batched + held.shape[1:] + (1,) * dims)
    groups = call.settings["groups"] * size
    if bias is not None:
        rest = (pull(call.spread(2), 0),)
    at = 1 if batched else 0
    return push(call.run(pull(x, at), pull(call.spread(1), 0), *rest, groups=groups), at, size)


@rule("conv_input")
def _conv_input(call: Call) -> Any:
    dims, size = _dims(call), call.size
    if not dims or not size:
        return None
    shape = tuple(call.settings["shape"])
    x, batched = call.spread(0), call.ndim(0) == dims + 2
    if not call.mapped(1):
        if not batched:
            return call.run(x, call.values[1], shape=(size, *shape))
        folded = (shape[0] * size, *shape[1:])
        return push(call.run(pull(x, 0), call.values[1], shape=folded), 0, size)
    at = 1 if batched else 0
    wide = (*shape[:at], shape[at] * size, *shape[at + 1 :])
    groups = call.settings["groups"] * size
    return push(call.run(pull(x, at), pull(call.spread(1), 0), shape=wide, groups=groups), at,
                 size)  # fmt: skip


@rule("conv_weight")
def _conv_weight(call: Call) -> Any:
    dims, size = _dims(call), call.size
    if not dims or not size:
        return None
    shape = tuple(call.settings["shape"])
    groups = call.settings["groups"] * size
    at = 1 if call.ndim(0) == dims + 2 else 0
    x, other = pull(call.spread(0), at), pull(call.spread(1), at)
    out = call.run(x, other, shape=(shape[0] * size, *shape[1:]), groups=groups)
    return push(out, 0, size)


# -- normalisation --------------------------------------------------------------------------------


def _affine(call: Call, results: Any, shapes: Any) -> Any:
    """Weight and bias, of which some are mapped, applied to what an op gave without them."""
    out, *rest = results
    for i, shape in enumerate(shapes, start=1):
        if call.values[i] is not None:
            held = call.spread(i).reshape(call.size, *shape)
            out = out * held if i == 1 else out + held
    return (out, *rest)


@rule("native_layer_norm", "native_rms_norm")
def _layer_norm(call: Call) -> Any:
    x, n, count = call.spread(0), call.ndim(0), len(call.values)
    shape = tuple(call.settings["normalized_shape"])
    held = [call.values[i] for i in range(1, count)]
    if call.shape(0)[max(n - len(shape), 0) :] != shape or not shape:
        return None
    if any(v is not None and tuple(v.shape) != shape for v in held):
        return None
    if not any(call.mapped(i) for i in range(1, count)):
        return call.run(x, *held)
    ranks = (*(1,) * (n - len(shape)), *shape)
    return _affine(call, call.run(x, *(None for _ in held)), [ranks] * len(held))


@rule("native_group_norm")
def _group_norm(call: Call) -> Any:
    n, size = call.ndim(0), call.size
    if n < 2 or not size:
        return None
    held = call.values[1:]
    mapped = call.mapped(1) or call.mapped(2)
    results = call.run(pull(call.spread(0), 0), *(None if mapped else v for v in held))
    results = tuple(push(r, 0, size) for r in results)
    ranks = (1, call.shape(0)[1], *(1,) * (n - 2))
    return _affine(call, results, [ranks, ranks]) if mapped else results


@rule("batch_norm_eval")
def _batch_norm_eval(call: Call) -> Any:
    if not call.size:
        return None
    rest = [None if call.values[i] is None else pull(call.spread(i), 0) for i in (1, 2, 3, 4)]
    return push(call.run(pull(call.spread(0), 1), *rest), 1, call.size)


@rule("batch_norm_train")
def _batch_norm(call: Call) -> Any:
    if call.settings.get("stats") is not None:
        raise VmapError(
            "vmap: batch normalisation in training mode would write its running statistics once "
            "per sample. Use BatchNorm(track_running_stats=False), GroupNorm, or .eval()."
        )
    size = call.size
    if size == 0:
        return None
    rest = [None if call.values[i] is None else pull(call.spread(i), 0) for i in (1, 2)]
    results = call.run(pull(call.spread(0), 1), *rest)
    return tuple(push(r, 1, size) for r in results)


@rule("native_dropout")
def _dropout(call: Call) -> Any:
    # the draw is the generator's matter (see vmap's randomness): here it is arithmetic
    from workbench.arrays import random

    x, p, shape = call.spread(0), call.settings["p"], call.settings["broadcast"]
    wanted = call.shape() if shape is None else tuple(shape)
    drawn = random.default_generator().uniform(wanted, np.dtype(np.float32))
    keep = drawn >= p
    mask = keep.astype(x.dtype) * x.dtype.type(0.0 if p >= 1 else 1 / (1 - p))
    held = spread(mask, call.level)
    full = np.broadcast_to(held, x.shape) if not is_at(mask, call.level) else held
    return x * full, full


# -- embeddings: samples get their own rows of one tall table -------------------------------------


def _own_rows(indices: Any, rows: int, size: int) -> Any:
    offset = np.arange(size).reshape((size,) + (1,) * (indices.ndim - 1)) * rows
    return indices + offset


@rule("scatter_put")
def _scatter_put(call: Call) -> Any:
    n = call.ndim(0)
    if n == 0 or call.ndim(1) != n or call.ndim(2) != n:
        return None
    values = [call.spread(i) for i in range(3)]
    return call.run(*values, dim=axis(call.settings["dim"], n) + 1)


@rule("embedding_lookup", "embedding_masked")
def _embedding(call: Call) -> Any:
    table = 1 if call.op.name == "embedding_lookup" else 0
    if call.mapped(table):
        return None
    return call.run(*(call.inside(i) for i in range(2)))


@rule("embedding_backward")
def _embedding_backward(call: Call) -> Any:
    if call.settings["padding_idx"] is not None or not call.size:
        return None
    rows, width = call.settings["shape"]
    flat = _own_rows(call.spread(1), rows, call.size)
    out = call.run(call.spread(0), flat, shape=(rows * call.size, width))
    return out.reshape(call.size, rows, width)


# -- losses over classes: samples become batch entries, then are reduced apart --------------------


def _folded(call: Call, i: int, classes_in_front: bool) -> Any:
    """Operand `i` with samples as batch entries; without a batch dimension they become it."""
    x = call.spread(i)
    unbatched = call.ndim(0 if classes_in_front else i) == (1 if classes_in_front else 0)
    return x if unbatched else x.reshape((x.shape[0] * x.shape[1], *x.shape[2:]))


@rule("softmax_cross_entropy")
def _cross_entropy(call: Call) -> Any:
    x, target = call.spread(0), call.spread(1)
    n, size = call.ndim(0), call.size
    if n == 0 or call.ndim(1) != max(n - 2, 0) + (n > 1) or not call.size:
        return None
    if n > 1:
        x, target = pull(x, 0), pull(target, 0)
    losses, probability = call.run(x, target, reduction="none")
    if n > 1:
        losses, probability = push(losses, 0, size), push(probability, 0, size)
        target = push(target, 0, size)
    return _reduced(call, losses, target, None), probability


def _reduced(call: Call, losses: Any, target: Any, weights: Any) -> Any:
    reduction = call.settings["reduction"]
    if reduction == "none":
        return losses
    rest = tuple(range(1, losses.ndim))
    total = losses.sum(axis=rest) if rest else losses
    if reduction == "sum":
        return total
    if weights is None:
        weights = (target != call.settings["ignore_index"]).astype(losses.dtype)
    count = weights.sum(axis=rest) if rest else weights
    return total / count


@rule("nll")
def _nll(call: Call) -> Any:
    n, size = call.ndim(0), call.size
    if n == 0 or not size or (call.values[2] is not None and call.mapped(2)):
        return None
    x, target, weight = call.spread(0), call.spread(1), call.values[2]
    if n > 1:
        x, target = pull(x, 0), pull(target, 0)
    losses = call.run(x, target, weight, reduction="none")
    weights = None
    if weight is not None:
        counted = target != call.settings["ignore_index"]
        weights = weight[target * counted] * counted
    if n > 1:
        losses, target = push(losses, 0, size), push(target, 0, size)
        weights = None if weights is None else push(weights, 0, size)
    return _reduced(call, losses, target, weights)


@rule("nll_backward")
def _nll_backward(call: Call) -> Any:
    shape, size = tuple(call.settings["shape"]), call.size
    if not size or (call.values[2] is not None and call.mapped(2)):
        return None
    g, target, weight = call.spread(0), call.spread(1), call.values[2]
    g = g.reshape(g.shape + (1,) * (target.ndim - g.ndim))
    if call.settings["reduction"] == "mean":
        counted = target != call.settings["ignore_index"]
        weights = counted.astype(g.dtype) if weight is None else weight[target * counted] * counted
        rest = tuple(range(1, target.ndim))
        g = g / (weights.sum(axis=rest, keepdims=True) if rest else weights)
    g = np.broadcast_to(g, target.shape)
    if len(shape) == 1:
        return call.run(g, target, weight, shape=(size, *shape), reduction="none")
    wide = (shape[0] * size, *shape[1:])
    out = call.run(pull(g, 0), pull(target, 0), weight, shape=wide, reduction="none")
    return push(out, 0, size)


@rule("nll_scale")
def _nll_scale(call: Call) -> Any:
    g, target = call.spread(0), call.spread(1)
    g = g.reshape(g.shape + (1,) * (target.ndim - g.ndim))
    weights = (target != call.settings["ignore_index"]).astype(g.dtype)
    if call.settings["reduction"] == "mean":
        rest = tuple(range(1, target.ndim))
        weights = weights / (weights.sum(axis=rest, keepdims=True) if rest else weights)
    return g * weights
