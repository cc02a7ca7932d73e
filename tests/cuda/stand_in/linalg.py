"""cupy.linalg: what cuSOLVER does not check stays unchecked, unless errstate asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .array import bare, ndarray, wrapped
from .record import bind
from .state import state

_NO_HALF = {"solve", "inv", "cholesky", "svd", "qr", "det", "slogdet", "eig", "eigvals", "lstsq",
            "pinv"}  # fmt: skip


@contextmanager
def errstate(
    *, divide: Any = None, over: Any = None, under: Any = None, invalid: Any = None,
    linalg: Any = None,
) -> Iterator[None]:  # fmt: skip
    """cupyx.errstate: with linalg="raise" the status of each routine is fetched (a sync)."""
    if linalg not in (None, "ignore", "raise"):
        raise ValueError(f"unknown linalg error state {linalg!r}")
    before = raising()
    state.raise_linalg.value = before if linalg is None else linalg == "raise"
    try:
        yield
    finally:
        state.raise_linalg.value = before


def raising() -> bool:
    """Whether a failed decomposition raises in this thread."""
    return getattr(state.raise_linalg, "value", False)


def _shape(name: str, *arrays: np.ndarray) -> None:
    first = arrays[0]
    if first.ndim < 2:
        raise np.linalg.LinAlgError(
            f"{first.ndim}-dimensional array given. Array must be at least two-dimensional"
        )
    square = {"solve", "inv", "cholesky", "det", "slogdet", "eig", "eigvals", "eigh", "eigvalsh"}
    if name in square and first.shape[-1] != first.shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    if name == "solve":
        b = arrays[1]
        if b.ndim == 1 and first.shape[-1] != b.size:
            raise ValueError("a must have (..., M, M) shape and b must have (M,)")
        if b.ndim > 1 and first.shape[:-1] != b.shape[:-1]:
            raise ValueError("a must have (..., M, M) shape and b must have (..., M, K)")
    if name == "lstsq" and first.ndim != 2:
        raise np.linalg.LinAlgError(
            f"{first.ndim}-dimensional array given. Array must be two-dimensional"
        )


def _garbage(name: str, arrays: list[np.ndarray], options: dict[str, Any]) -> Any:
    """Finite nonsense of the right shapes: what unchecked routines leave behind."""
    good = [np.broadcast_to(np.eye(*a.shape[-2:], dtype=a.dtype), a.shape) * 3.25 for a in arrays]
    if name == "solve":
        good[1] = arrays[1]
    return getattr(np.linalg, name)(*good, **options)


def routine(name: str, parameters: str | None) -> Any:
    """A routine of cupy.linalg."""

    def call(*args: Any, **kwargs: Any) -> Any:
        bind(f"cupy.linalg.{name}", parameters, args, kwargs)
        if not all(isinstance(a, ndarray) for a in args[:1]):
            raise np.linalg.LinAlgError("cupy.linalg only supports cupy.ndarray")
        state.launch(f"linalg.{name}")
        hosts = [bare(a) for a in args]
        arrays = [h for h in hosts if isinstance(h, np.ndarray)]
        if name in _NO_HALF and any(a.dtype == np.float16 for a in arrays):
            raise TypeError("float16 is unsupported in linalg")
        if any(a.dtype.kind == "V" for a in arrays):
            raise TypeError("bfloat16 is unsupported in linalg")
        _shape(name, *arrays)
        if name == "solve" and arrays[1].ndim == 1:
            hosts[1] = np.broadcast_to(arrays[1], arrays[0].shape[:-1])[..., None]
        with np.errstate(all="ignore"):
            if raising():
                state.sync(f"the status of linalg.{name}")
                result = getattr(np.linalg, name)(*hosts, **kwargs)
            else:
                try:
                    result = getattr(np.linalg, name)(*hosts, **kwargs)
                except np.linalg.LinAlgError:
                    result = _garbage(name, arrays, kwargs)
        if name == "solve" and arrays[1].ndim == 1:
            result = result[..., 0]
        return wrapped(_plain(result))

    call.__name__ = name
    return call


def _plain(result: Any) -> Any:
    return tuple(result) if isinstance(result, tuple) else result
