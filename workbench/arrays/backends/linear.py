"""numpy.linalg's meaning over cupy.linalg: broadcasting, and errors that are told.

cuSOLVER leaves a status behind and CuPy does not look at it unless asked (it makes the host wait);
a singular matrix would give numbers without meaning. Here it is always asked.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import numpy as np

_CHECKED = ("inv", "cholesky", "eigh", "eigvalsh", "eig", "eigvals", "svd", "qr", "pinv", "lstsq")


class Linear:
    """`xp.linalg` for CUDA arrays; raises LinAlgError where NumPy does."""

    LinAlgError = np.linalg.LinAlgError

    def __init__(self, cupy: ModuleType, space: Any) -> None:
        self._cupy = cupy
        self._space = space

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._cupy.linalg, name)
        made = self._checked(found) if name in _CHECKED else found
        setattr(self, name, made)
        return made

    def _checked(self, function: Any) -> Any:
        def routine(*args: Any, **kwargs: Any) -> Any:
            with importlib.import_module("cupyx").errstate(linalg="raise"):
                return function(*args, **kwargs)

        return routine

    def solve(self, a: Any, b: Any) -> Any:
        """x with a @ x = b; leading dimensions broadcast, a 1-d `b` is one vector."""
        if b.ndim == 1:
            return self.solve(a, b[:, None])[..., 0]
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        xp = self._cupy
        if 0 in (*lead, *a.shape[-2:], *b.shape[-2:]):
            return xp.empty((*lead, *b.shape[-2:]), np.result_type(a.dtype, b.dtype))
        a = xp.broadcast_to(a, (*lead, *a.shape[-2:]))
        b = xp.broadcast_to(b, (*lead, *b.shape[-2:]))
        return self._checked(xp.linalg.solve)(a, b)

    # -- names that CuPy lacks -----------------------------------------------------------------

    def svdvals(self, x: Any) -> Any:
        """Singular values, largest first."""
        return self.svd(x, compute_uv=False)

    def diagonal(self, x: Any, *, offset: int = 0) -> Any:
        """The diagonal of the last two dimensions."""
        return self._cupy.diagonal(x, offset, -2, -1)

    def trace(self, x: Any, *, offset: int = 0, dtype: Any = None) -> Any:
        """The sum of the diagonal of the last two dimensions."""
        return self.diagonal(x, offset=offset).sum(axis=-1, dtype=dtype)

    def outer(self, x1: Any, x2: Any) -> Any:
        """Every element of one vector with every one of another."""
        return x1[:, None] * x2[None, :]

    def tensordot(self, x1: Any, x2: Any, *, axes: Any = 2) -> Any:
        """Products summed over `axes`."""
        return self._cupy.tensordot(x1, x2, axes)

    def vecdot(self, x1: Any, x2: Any, *, axis: int = -1) -> Any:
        """Sums of conj(x1) * x2 along `axis`."""
        return self._space.vecdot(x1, x2, axis)

    def multi_dot(self, arrays: Any) -> Any:
        """The product of several matrices, from left to right."""
        first, *rest = arrays
        for other in rest:
            first = self._cupy.matmul(first, other)
        return first

    def vector_norm(
        self,
        x: Any,
        *,
        axis: Any = None,
        keepdims: bool = False,
        ord: Any = 2,
    ) -> Any:
        """The vector norm over `axis` (None: all; several dimensions count as one)."""
        gone = tuple(range(x.ndim)) if axis is None else axis
        size = abs(x)
        if ord == np.inf:
            return size.max(axis=gone, keepdims=keepdims)
        if ord == -np.inf:
            return size.min(axis=gone, keepdims=keepdims)
        if ord == 0:
            return (size != 0).astype(size.dtype).sum(axis=gone, keepdims=keepdims)
        return (size**ord).sum(axis=gone, keepdims=keepdims) ** (1.0 / ord)

    def matrix_norm(self, x: Any, *, keepdims: bool = False, ord: Any = "fro") -> Any:
        """The matrix norm of the last two dimensions."""
        if ord in ("fro", None):
            return self.vector_norm(x, axis=(-2, -1), keepdims=keepdims)
        if ord in ("nuc", 2, -2):
            values = self.svdvals(x)
            result = {"nuc": values.sum, 2: values.max, -2: values.min}[ord](axis=-1)
            return result[..., None, None] if keepdims else result
        along = -2 if abs(ord) == 1 else -1
        sums = abs(x).sum(axis=along, keepdims=True)
        pick = sums.max if ord > 0 else sums.min
        return pick(axis=(-2, -1), keepdims=keepdims)
