"""Kernels in CUDA C: recorded when made; a NumPy twin computes where the tests gave one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .array import bare, ndarray
from .state import state

MADE: list[tuple[str, str, str]] = []  # kind, name, source
TWINS: dict[str, Callable[..., Any]] = {}


def twin(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register what a kernel of this name computes, over NumPy arrays, in place."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        TWINS[name] = function
        return function

    return register


class _Kernel:
    __module__ = "cupy"
    kind = ""

    def _note(self, name: str, source: str) -> None:
        self.name = name
        MADE.append((self.kind, name, source))

    def _run(self, *args: Any, **options: Any) -> Any:
        state.launch(self.name)
        if self.name not in TWINS:
            raise NotImplementedError(f"the stand-in has no NumPy twin of kernel {self.name!r}")
        return TWINS[self.name](*map(bare, args), **options)


class RawKernel(_Kernel):
    """A kernel that the caller gives a grid."""

    kind = "raw"

    def __init__(
        self, code: str, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc",
        translate_cucomplex: bool = False, *, enable_cooperative_groups: bool = False,
        jitify: bool = False,
    ) -> None:  # fmt: skip
        self._note(name, code)

    def __call__(self, grid: Any, block: Any, args: Any, **options: Any) -> None:
        self._run(*args)


class ElementwiseKernel(_Kernel):
    """A kernel that runs for every element; outputs are allocated where they are not given."""

    kind = "elementwise"

    def __init__(
        self, in_params: str, out_params: str, operation: str, name: str = "kernel",
        reduce_dims: bool = True, preamble: str = "", no_return: bool = False,
        return_tuple: bool = False, doc: str = "", **options: Any,
    ) -> None:  # fmt: skip
        self._note(name, operation)

    def __call__(self, *args: Any, size: Any = None, block_size: Any = None) -> Any:
        result = self._run(*args)
        return args[-1] if result is None and isinstance(args[-1], ndarray) else result


class ReductionKernel(_Kernel):
    """A kernel that folds elements together."""

    kind = "reduction"

    def __init__(
        self, in_params: str, out_params: str, map_expr: str, reduce_expr: str,
        post_map_expr: str, identity: str, name: str = "reduce_kernel", **options: Any,
    ) -> None:  # fmt: skip
        self._note(name, map_expr)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._run(*args, **options)
