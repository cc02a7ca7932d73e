"""`vmap`: a function of one sample, run once for all of them.

The mapped tensors' arrays hide the mapped dimension (`batched.py`) while the function runs, so
everything it does (ops, their compositions, gradients, in-place writes) sees one sample.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.arrays import random
from workbench.tensor import node as nodes
from workbench.tensor.node import Node
from workbench.tensor.tensor import Tensor

from .batched import Batched, Level, VmapError
from .boundary import cross
from .trees import flatten, matched

_RANDOMNESS = ("error", "different", "same")


class Draws(random.Generator):
    """What ops draw from inside `vmap`: one stream for each sample, or a refusal."""

    def __init__(self, source: random.Generator, level: Level, randomness: str) -> None:
        self.source = source
        self._level = level
        self.randomness = randomness

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)

    def over(self, source: random.Generator) -> Draws:
        """The same, drawing from another generator."""
        return Draws(source, self._level, self.randomness)

    def _draw(self, method: str, shape: Any, *rest: Any, before: tuple[Any, ...] = ()) -> Any:
        if self.randomness == "error":
            raise VmapError(
                "vmap: called random operation while in randomness error mode. Use "
                "vmap(..., randomness='same') for the same numbers in every sample or "
                "randomness='different' for different ones."
            )
        draw = getattr(self.source, method)
        if self.randomness == "same":
            return draw(*before, tuple(shape), *rest)
        drawn = draw(*before, (self._level.size, *shape), *rest)
        return Batched(drawn, self._level)

    def uniform(self, shape: Any, dtype: np.dtype) -> Any:
        """Uniform on [0, 1)."""
        return self._draw("uniform", shape, dtype)

    def normal(self, shape: Any, dtype: np.dtype) -> Any:
        """Standard normal."""
        return self._draw("normal", shape, dtype)

    def integers(self, low: int, high: int, shape: Any) -> Any:
        """int64, uniform on low … high-1."""
        return self._draw("integers", shape, before=(low, high))

    def permutation(self, n: int) -> Any:
        """The integers 0 … n-1 in random order."""
        if self.randomness == "error":
            self._draw("permutation", ())  # which refuses
        if self.randomness == "same":
            return self.source.permutation(n)
        return Batched(
            np.stack([self.source.permutation(n) for _ in range(self._level.size)]), self._level
        )


def _mapped_dims(in_dims: Any, args: tuple[Any, ...]) -> tuple[list[Any], list[Any], Any, int]:
    leaves, build = flatten(args)
    if not isinstance(in_dims, (int, tuple, list)):
        raise ValueError(
            f"vmap(in_dims={in_dims!r}): expected `in_dims` to be an int or a (potentially nested) "
            f"tuple matching the structure of inputs, got {type(in_dims).__name__}"
        )
    if not leaves:
        raise ValueError("vmap: got no inputs. Maybe you forgot to add inputs?")
    dims = matched(tuple(in_dims) if isinstance(in_dims, list) else in_dims, args, "vmap: in_dims")
    sizes = set()
    for i, (leaf, dim) in enumerate(zip(leaves, dims, strict=True)):
        if dim is None:
            continue
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"vmap: Got in_dim={dim} for input {i}, which is of type {type(leaf).__name__}: "
                "only Tensors can be mapped over, use None for it"
            )
        n = leaf.array.ndim
        if not -n <= dim < n:
            raise ValueError(
                f"vmap: Got in_dim={dim} for input {i}, a Tensor of dimensionality {n}, so "
                f"expected in_dim to satisfy {-n} <= in_dim < {n}"
            )
        sizes.add(leaf.array.shape[dim])
    if not sizes:
        raise ValueError("vmap: at least one input must be mapped over (in_dims other than None)")
    if len(sizes) > 1:
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sorted(sizes)} for the mapped dimension"
        )
    return leaves, dims, build, sizes.pop()


def _leave(value: Any, dim: int | None, level: Level) -> Any:
    if not isinstance(value, Tensor):
        raise ValueError(
            f"vmap: the function must only return Tensors, got type {type(value).__name__}"
        )
    mapped = _holds(value.array, level)
    if dim is None:
        if mapped:
            raise ValueError(
                "vmap: the function returned a mapped tensor where out_dims is None; give the "
                "dimension that samples shall have in the result"
            )
        made_inside = isinstance(value.edge, Node) and value.edge.seq > level.start
        return cross("first", value, level) if made_inside else value
    ndim = value.array.ndim + 1
    if not -ndim <= dim < ndim:
        raise IndexError(
            f"vmap: out_dims={dim} is out of range for a result of {ndim - 1} dimensions per sample"
        )
    return cross("leave", value, level, dim % ndim)


def _holds(array: Any, level: Level) -> bool:
    while type(array) is Batched:
        if array.level is level:
            return True
        array = array.inside
    return False


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """`func`, a function of one sample, as a function of many (`torch.func.vmap`).

    `in_dims` says which dimension of each argument the samples lie along (None: the same for all;
    nested as the arguments are), `out_dims` where they go in the results. Keyword arguments are
    the same for all. `randomness`: random ops raise ("error"), draw anew for each sample
    ("different") or once for all ("same"). `chunk_size`: so many samples at a time.

    Ops without a batching rule run sample by sample: `func.sample_by_sample()` names them. Raises
    ValueError for dimensions that do not fit and RuntimeError where the function looks at values
    (`.item()`, `if tensor:`).
    """
    if randomness not in _RANDOMNESS:
        raise RuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, dims, build, size = _mapped_dims(in_dims, args)
        if chunk_size is None or chunk_size >= size:
            return once(leaves, dims, build, kwargs, size)
        from workbench.tensor.functions import FUNCTIONS, raw

        parts = []
        for start in range(0, size, chunk_size):
            count = min(chunk_size, size - start)
            some = [
                v if d is None else raw("narrow")(v, d, start, count)
                for v, d in zip(leaves, dims, strict=True)
            ]
            parts.append(once(some, dims, build, kwargs, count))
        flat = [flatten(part)[0] for part in parts]
        rebuild = flatten(parts[0])[1]
        places = matched(out_dims, parts[0], "vmap: out_dims")
        return rebuild([
            column[0] if dim is None else FUNCTIONS[""]["cat"](list(column), dim)
            for dim, column in zip(places, zip(*flat, strict=True), strict=True)
        ])  # fmt: skip

    def once(leaves: list[Any], dims: list[Any], build: Any, kwargs: Any, size: int) -> Any:
        nodes.watched = True
        level = Level(size)
        draws = Draws(random.default_generator(), level, randomness)
        try:
            inside = [_enter(v, d, level) for v, d in zip(leaves, dims, strict=True)]
            with random.use(draws):
                result = func(*build(inside), **kwargs)
            values, rebuild = flatten(result)
            places = matched(out_dims, result, "vmap: out_dims")
            return rebuild([_leave(v, d, level) for v, d in zip(values, places, strict=True)])
        finally:
            level.alive = False

    return mapped


def _enter(value: Any, dim: int | None, level: Level) -> Any:
    if dim is None:
        return value
    return cross("enter", value, level, dim % value.array.ndim)


def grad_of_many(outputs: Any, inputs: Any, grads: Any, **options: Any) -> tuple[Any, ...]:
    """`autograd.grad` for several gradients of the outputs at once, along their first dimension."""
    from workbench.tensor.backward import grad

    known = [g for g in grads if g is not None]
    if not known:
        raise RuntimeError("is_grads_batched=True: give grad_outputs, batched along dimension 0")
    reached: list[bool] = []

    def one(*rows: Tensor) -> tuple[Tensor, ...]:
        given = iter(rows)
        found = grad(
            outputs, inputs, [None if g is None else next(given) for g in grads], **options
        )
        reached[:] = [t is not None for t in found]
        return tuple(t for t in found if t is not None)

    made = iter(vmap(one)(*known))
    return tuple(next(made) if there else None for there in reached)


def sample_by_sample() -> tuple[str, ...]:
    """The names of the declared ops that `vmap` does in a loop, one sample at a time.

    All others have a batching rule, which may still leave rare cases (0-d samples, indices with
    slices before arrays) to the loop. Random ops without a rule are refused.
    """
    from workbench.ops import OPS

    from . import rules_nn  # registers the rest
    from .rules import RULES

    assert rules_nn
    return tuple(sorted(name for name, op in OPS.items() if name not in RULES and not op.random))
