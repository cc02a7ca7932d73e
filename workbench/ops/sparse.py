"""Look-ups and random masks: embedding, dropout."""

from __future__ import annotations

import numpy as np

from workbench.arrays import random

from .compiled import embedding as compiled
from .declare import op, shape_setting
from .index import check_index
from .samples import Sample


def _embedding_samples(make):
    yield Sample(make.ints(4, high=5), make(5, 3))
    yield Sample(make.ints(2, 3, high=5), make(5, 3), 1, grad=False)  # none at row 1
    yield Sample(make.ints(0), make(5, 3))


def _embedding_oracle(torch, input, weight, padding_idx=None):
    return torch.nn.functional.embedding(input, weight, padding_idx)


@op(
    errors=lambda make: iter(
        [
            Sample(np.array([0, 5]), make(5, 3)),
            Sample(np.array([-1]), make(5, 3)),
            Sample(make(2), make(5, 3)),
            Sample(np.array([1], np.uint8), make(5, 3)),
        ]
    ),
    shape=lambda input, weight: (*input, *weight[1:]),
    function=False,
    method=False,
    samples=_embedding_samples,
    oracle=_embedding_oracle,
)
def embedding_lookup(xp, input, weight, /, padding_idx=None):
    """Rows of `weight` (V, D) at `input` (*) of integers → (*, D).

    Raises RuntimeError for other dtypes and IndexError for indices outside 0 … V-1.
    """
    if input.dtype not in (np.int64, np.int32):
        raise RuntimeError(
            f"embedding(): expected indices of dtype int64 or int32, got {input.dtype.name}; "
            "convert with .long()"
        )
    found = compiled.rows_at(weight, input)
    if found is not None:
        return found
    check_index("embedding", input, weight.shape[0])
    return weight[input]


embedding_lookup.vjp(
    weight=lambda F, g, input, weight_shape, padding_idx: F.embedding_backward(
        g, input, weight_shape, padding_idx
    )
)


@op(
    shape=shape_setting,
    function=False,
    method=False,
    oracle=False,
    samples=lambda make: iter(
        [
            Sample(make(2, 3, 4), make.ints(2, 3, high=5), (5, 4), None),
            Sample(make(3, 4), make.ints(3, high=2), (5, 4), 1),
            Sample(make(300, 40), make.ints(300, high=5), (6, 40), 1, grad=False),
        ]
    ),
)
def embedding_backward(xp, input, indices, /, shape, padding_idx):
    """Rows added up at their indices: the adjoint of a look-up; none at `padding_idx`."""
    rows, flat = input.reshape(-1, shape[-1]), indices.reshape(-1)
    out = compiled.rows_added(rows, flat, shape, padding_idx)
    if out is not None:
        return out
    out = xp.zeros(shape, input.dtype)
    if padding_idx is not None:
        keep = flat != padding_idx
        rows, flat = rows[keep], flat[keep]
    if xp is np and rows.size >= _MANY and rows.dtype.char in "fd":
        _add_sorted(out, flat, rows)
    else:
        xp.add.at(out, flat, rows)
    return out


_MANY = 1 << 13


def _add_sorted(out, indices, rows):
    """out[indices] += rows, equal indices added up: several times as fast as `np.add.at`."""
    order = np.argsort(indices, kind="stable")
    found = indices[order]
    starts = np.flatnonzero(np.concatenate(([True], found[1:] != found[:-1])))
    out[found[starts]] = np.add.reduceat(rows[order], starts, axis=0)


embedding_backward.vjp(
    input=lambda F, g, indices, padding_idx: F.embedding_masked(g, indices, padding_idx)
)


@op(
    shape=lambda input, indices: (*indices, *input[1:]),
    function=False,
    method=False,
    oracle=False,
    samples=lambda make: iter([Sample(make(5, 4), make.ints(2, 3, high=5), 1)]),
)
def embedding_masked(xp, input, indices, /, padding_idx):
    """Rows at `indices`, zeros at `padding_idx`."""
    out = input[indices]
    if padding_idx is not None:
        out = out * (indices != padding_idx)[..., None]
    return out


embedding_masked.vjp(
    input=lambda F, g, indices, input_shape, padding_idx: F.embedding_backward(
        g, indices, input_shape, padding_idx
    )
)


@op(
    function=False,
    method=False,
    random=True,
    accepts="fc",
    aux=("mask",),
    oracle=False,
    samples=lambda make: iter([Sample(make(3, 4), 0.5, exact=False, grad=False)]),
)
def native_dropout(xp, input, /, p, broadcast=None):
    """Elements zeroed with probability `p`, the others scaled by 1 / (1 - p).

    Srivastava et al., 2014.
    `broadcast` is the shape of the mask where whole channels are dropped together.
    """
    generator = random.default_generator()
    drawn = generator.uniform(input.shape if broadcast is None else broadcast, np.dtype(np.float32))
    keep = xp.asarray(drawn >= p)
    scale = 0.0 if p >= 1 else 1 / (1 - p)
    mask = keep.astype(input.dtype) * input.dtype.type(scale)
    return input * mask, mask


native_dropout.vjp(input=lambda F, g, mask: g * mask)
