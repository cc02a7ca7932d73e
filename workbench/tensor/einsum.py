"""einsum and tensordot, as transposes and batched matrix products: every order differentiates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .functions import function, raw
from .reshaping import reshape
from .tensor import Tensor

_permute, _matmul, _sum = raw("permute"), raw("matmul"), raw("sum")
_DOTS = "."  # stands for one dimension of an ellipsis, numbered from the right


def _parse(equation: str, ranks: list[int]) -> tuple[list[list[str]], list[str]]:
    """Labels of every operand's dimensions, and of the result's.

    Raises RuntimeError for malformed equations.
    """
    text = equation.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ranks):
        raise RuntimeError(
            f"einsum(): the equation names {len(terms)} operands, but {len(ranks)} were provided"
        )
    labels = [
        _expand_dots(term, rank, i) for i, (term, rank) in enumerate(zip(terms, ranks, strict=True))
    ]
    wide = max((sum(x.startswith(_DOTS) for x in term) for term in labels), default=0)
    dots = [f"{_DOTS}{i}" for i in range(wide, 0, -1)]
    if arrow:
        wanted: list[str] = []
        if "..." in output:
            before, _, after = output.partition("...")
            wanted = [*before, *dots, *after]
        else:
            wanted = [*output]
    else:
        flat = [x for term in labels for x in term]
        once = sorted(x for x in set(flat) if flat.count(x) == 1 and not x.startswith(_DOTS))
        wanted = [*dots, *once]
    known = {x for term in labels for x in term}
    for x in wanted:
        if x not in known:
            raise RuntimeError(
                f"einsum(): output subscript {x} does not appear in the equation for any input"
            )
        if wanted.count(x) > 1:
            raise RuntimeError(
                f"einsum(): output subscript {x} appears more than once in the output"
            )
    return labels, wanted


def _expand_dots(term: str, rank: int, position: int) -> list[str]:
    before, dots, after = term.partition("...")
    if not all(c.isalpha() for c in before + after):
        raise RuntimeError(
            f"einsum(): invalid subscript in {term!r}, subscripts must be in [a-zA-Z]"
        )
    extra = rank - len(before) - len(after)
    if extra < 0 or (extra and not dots):
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({len(before) + len(after)}) does "
            f"not match the number of dimensions ({rank}) for operand {position}"
        )
    return [*before, *(f"{_DOTS}{i}" for i in range(extra, 0, -1)), *after]


def _single(tensor: Tensor, labels: list[str], keep: set[str]) -> tuple[Tensor, list[str]]:
    """Repeated labels as diagonals; labels that nobody else needs summed away."""
    labels = list(labels)
    for x in sorted(set(labels)):
        while labels.count(x) > 1:
            first = labels.index(x)
            second = labels.index(x, first + 1)
            a, b = tensor.array.shape[first], tensor.array.shape[second]
            if a != b:
                raise RuntimeError(
                    f"einsum(): subscript {x} is repeated for an operand but the sizes don't "
                    f"match, {b} != {a}"
                )
            tensor = raw("diagonal")(tensor, 0, first, second)
            labels = [y for i, y in enumerate(labels) if i not in (first, second)] + [x]
    gone = tuple(i for i, x in enumerate(labels) if x not in keep)
    if gone:
        tensor = _sum(tensor, gone)
        labels = [x for i, x in enumerate(labels) if i not in gone]
    return tensor, labels


def _ordered(tensor: Tensor, labels: list[str], order: Sequence[str]) -> Tensor:
    where = tuple(labels.index(x) for x in order)
    return tensor if where == tuple(range(len(where))) else _permute(tensor, where)


def _product(
    a: Tensor, la: list[str], b: Tensor, lb: list[str], keep: set[str]
) -> tuple[Tensor, list[str]]:
    """Contract two operands over the labels that `keep` does not hold."""
    sizes: dict[str, int] = {}
    for tensor, labels in ((a, la), (b, lb)):
        for x, n in zip(labels, tensor.array.shape, strict=True):
            if sizes.get(x, 1) not in (1, n) and n != 1:
                raise RuntimeError(
                    f"einsum(): operands do not broadcast with remapped shapes: subscript {x} has "
                    f"sizes {sizes[x]} and {n}"
                )
            sizes[x] = max(sizes.get(x, 1), n) if n else 0
    both = [x for x in la if x in lb]
    batch = [x for x in both if x in keep]
    summed = [x for x in both if x not in keep]
    rows = [x for x in la if x not in lb]
    cols = [x for x in lb if x not in la]

    def matrix(tensor: Tensor, labels: list[str], own: list[str], last: bool) -> Tensor:
        order = [*batch, *summed, *own] if last else [*batch, *own, *summed]
        tensor = _ordered(tensor, labels, order)
        tensor = raw("expand")(tensor, tuple(sizes[x] for x in order))
        lead = [sizes[x] for x in batch]
        inner, outer = math.prod(sizes[x] for x in summed), math.prod(sizes[x] for x in own)
        return reshape(tensor, (*lead, inner, outer) if last else (*lead, outer, inner))

    out = _matmul(matrix(a, la, rows, False), matrix(b, lb, cols, True))
    labels = [*batch, *rows, *cols]
    return reshape(out, tuple(sizes[x] for x in labels)), labels


@function(method=False)
def einsum(equation: str, *operands: Any) -> Tensor:
    """Sums of products in Einstein's notation: `einsum("bij,bjk->bik", a, b)`.

    Ellipses, repeated subscripts (diagonals) and implicit outputs work; operands are contracted
    from left to right. Raises RuntimeError for malformed equations and sizes that do not fit.
    """
    given = (
        operands[0] if len(operands) == 1 and isinstance(operands[0], (tuple, list)) else operands
    )
    labels, wanted = _parse(equation, [t.array.ndim for t in given])
    needed = [
        set(wanted).union(*(set(x) for j, x in enumerate(labels) if j != i))
        for i in range(len(labels))
    ]
    parts = [_single(t, x, keep) for t, x, keep in zip(given, labels, needed, strict=True)]
    tensor, held = parts[0]
    for i, (other, theirs) in enumerate(parts[1:], 1):
        later = set(wanted).union(*(set(x) for _, x in parts[i + 1 :]))
        tensor, held = _product(tensor, held, other, theirs, later)
    tensor, held = _single(tensor, held, set(wanted))
    return _ordered(tensor, held, wanted)


@function(method=False)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sums of products over dimensions: the last and first `dims`, or two lists of them.

    Raises RuntimeError when their sizes differ.
    """
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        left, right = list(range(a.array.ndim - dims, a.array.ndim)), list(range(dims))
    else:
        left, right = ([d] if isinstance(d, int) else list(d) for d in dims)
    left = [d % a.array.ndim for d in left] if a.array.ndim else []
    right = [d % b.array.ndim for d in right] if b.array.ndim else []
    for i, j in zip(left, right, strict=True):
        if a.array.shape[i] != b.array.shape[j]:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {a.array.shape[i]} in "
                f"dim {i} and second has size {b.array.shape[j]} in dim {j}"
            )
    free_a = [d for d in range(a.array.ndim) if d not in left]
    free_b = [d for d in range(b.array.ndim) if d not in right]
    inner = math.prod(a.array.shape[d] for d in left)
    first = reshape(
        _permute(a, (*free_a, *left)), (math.prod(a.array.shape[d] for d in free_a), inner)
    )
    second = reshape(
        _permute(b, (*right, *free_b)), (inner, math.prod(b.array.shape[d] for d in free_b))
    )
    shape = (*(a.array.shape[d] for d in free_a), *(b.array.shape[d] for d in free_b))
    return reshape(_matmul(first, second), shape)
