"""Dual tensors: a value that carries a direction, and what becomes of the direction.

A tangent is computed when it is asked for, by `unpack_dual`: as everywhere here, by transposing
the backward pass (see `derivatives`), so that no op needs a second rule.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import NamedTuple

import numpy as np

from workbench.tensor.backward import grad as engine_grad
from workbench.tensor.mode import enable_grad, pushing
from workbench.tensor.tensor import Tensor, wrap

from .derivatives import alias


class _Levels(threading.local):
    def __init__(self) -> None:
        self.open: list[list[tuple[Tensor, Tensor]]] = []


_levels = _Levels()


class UnpackedDualTensor(NamedTuple):
    """A dual tensor's parts; `tangent` is None where no direction reaches it."""

    primal: Tensor
    tangent: Tensor | None


def enter_dual_level() -> int:
    """Begin a level of forward derivatives; returns its number.

    Raises RuntimeError inside another: levels do not nest, as in torch.
    """
    if _levels.open:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _levels.open.append([])
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level: its tangents are forgotten. RuntimeError when none is open."""
    if not _levels.open:
        raise RuntimeError("Trying to exit a forward AD level but none is open")
    _levels.open.pop()


class dual_level:  # noqa: N801 - torch spells it so
    """A block within which tensors may carry tangents."""

    def __enter__(self) -> int:
        """Begin the level."""
        return enter_dual_level()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """`tensor` with the direction `tangent` (of the same shape and dtype).

    Raises RuntimeError outside `dual_level` and when the two do not fit.
    """
    if not _levels.open:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )
    if tensor.array.dtype.kind not in "fcV":
        raise ValueError(
            f"Expected primal to be floating point or complex, but got: {tensor.dtype}"
        )
    if tensor.array.shape != tangent.array.shape or tensor.array.dtype != tangent.array.dtype:
        raise RuntimeError(
            f"Expected tangent of shape {list(tensor.array.shape)} and dtype {tensor.dtype}, got "
            f"{list(tangent.array.shape)} and {tangent.dtype}"
        )
    with enable_grad():
        made = alias(tensor)
    _levels.open[-1].append((made, tangent))
    return made


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The value of `tensor` and the direction that reaches it (None: none does)."""
    if not _levels.open or tensor.edge is None or tensor.array.dtype.kind not in "fcV":
        return UnpackedDualTensor(tensor, None)
    duals = [(d, t) for d, t in _levels.open[-1]]
    for dual, tangent in duals:
        if dual is tensor:
            return UnpackedDualTensor(wrap(tensor.array), tangent)
    if not duals:
        return UnpackedDualTensor(tensor, None)
    with enable_grad():
        slot = alias(wrap(np.zeros_like(tensor.array)))
        with pushing():
            pulled = engine_grad(
                tensor, [d for d, _ in duals], slot, create_graph=True, allow_unused=True
            )
        rows = [
            (g, t)
            for g, (_, t) in zip(pulled, duals, strict=True)
            if g is not None and g.edge is not None
        ]
        if not rows:
            none = all(g is None for g in pulled)
            return UnpackedDualTensor(
                tensor if none else wrap(tensor.array),
                None if none else wrap(np.zeros_like(tensor.array)),
            )
        (found,) = engine_grad(
            [g for g, _ in rows], slot, [t for _, t in rows], allow_unused=True,
            materialize_grads=True,
        )  # fmt: skip
    return UnpackedDualTensor(wrap(tensor.array), found)
