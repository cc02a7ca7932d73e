"""What NumPy's own OpenBLAS can do beyond `np.matmul`: sums of products in place, transposes.

`products` adds many matrix products of one size, at given places of three arrays, into the last;
`transpose` writes the transpose of a matrix. Both call the library that NumPy has loaded already
(BLAS `gemm` with beta = 1; OpenBLAS's `omatcopy`), and compute the same in NumPy where it is
another library: Accelerate, MKL, or an OpenBLAS without these names.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

_ROWS, _PLAIN, _TRANSPOSED = 101, 111, 112  # the enumerations of the C interface
_LETTERS = {"f": ("s", ctypes.c_float), "d": ("d", ctypes.c_double)}
# how NumPy's wheels, conda-forge and distributions name the same function, and its integers
_SPELLINGS = (
    ("scipy_{}64_", ctypes.c_int64),
    ("scipy_{}", ctypes.c_int),
    ("{}64_", ctypes.c_int64),
    ("{}", ctypes.c_int),
)

Step = tuple[int, int, int, bool]  # where in a, b and out, in elements, and whether to add


@cache
def _functions(char: str) -> tuple[Any, Any] | None:
    """(gemm, omatcopy) for float32 ("f") or float64 ("d"); None where they are not to be had."""
    if char not in _LETTERS:
        return None
    from .system import openblas_paths

    letter, real = _LETTERS[char]
    for path in openblas_paths():
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for spelling, whole in _SPELLINGS:
            gemm = getattr(library, spelling.format(f"cblas_{letter}gemm"), None)
            copy = getattr(library, spelling.format(f"cblas_{letter}omatcopy"), None)
            if gemm is None or copy is None:
                continue
            enum, place = ctypes.c_int, ctypes.c_void_p
            gemm.restype = copy.restype = None
            gemm.argtypes = [enum, enum, enum, whole, whole, whole, real, place, whole, place,
                             whole, real, place, whole]  # fmt: skip
            copy.argtypes = [enum, enum, whole, whole, real, place, whole, place, whole]
            if _works(gemm, copy, char):
                return gemm, copy
    return None


def _works(gemm: Any, copy: Any, char: str) -> bool:
    """Whether the two do on a small matrix what they should: the names say nothing of the rest."""
    a = np.arange(6, dtype=char).reshape(2, 3)
    out, flipped = np.ones((2, 2), char), np.zeros((3, 2), char)
    copy(_ROWS, _TRANSPOSED, 2, 3, 1.0, _address(a), 3, _address(flipped), 2)
    gemm(_ROWS, _PLAIN, _PLAIN, 2, 2, 3, 1.0, _address(a), 3, _address(flipped), 2, 1.0,
         _address(out), 2)  # fmt: skip
    return bool((flipped == a.T).all() and (out == a @ a.T + 1).all())


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def products(
    a: np.ndarray,
    b: np.ndarray,
    out: np.ndarray,
    size: tuple[int, int, int],
    strides: tuple[int, int, int],
    steps: Sequence[Step],
    transposed: bool = False,
) -> None:
    """For every step `(at_a, at_b, at_out, add)`: out[at_out …] (+)= a[at_a …] @ b[at_b …].

    `size` = (m, n, k): the matrices are (m, k), (k, n), (m, n), rows `strides` elements apart,
    elements of a row side by side; with `transposed`, `a` holds (k, m). All three are contiguous
    float32 or float64 arrays of one dtype; the places are counted in elements from their start.
    """
    m, n, k = size
    if not m or not n or not k:
        for _, _, at, add in steps:
            if not add:
                _matrix(out, at, (m, n), strides[2])[...] = 0
        return
    found = _functions(a.dtype.char)
    if found is None:
        _products(a, b, out, size, strides, steps, transposed)
        return
    gemm, unit = found[0], a.dtype.itemsize
    lda, ldb, ldc = strides
    at_a, at_b, at_c = _address(a), _address(b), _address(out)
    order = _TRANSPOSED if transposed else _PLAIN
    for i, j, o, add in steps:
        gemm(
            _ROWS, order, _PLAIN, m, n, k, 1.0, at_a + i * unit, lda, at_b + j * unit, ldb,
            1.0 if add else 0.0, at_c + o * unit, ldc,
        )  # fmt: skip


def _matrix(array: np.ndarray, at: int, shape: tuple[int, int], stride: int) -> np.ndarray:
    flat = array.reshape(-1)[at:]
    unit = array.itemsize
    return np.lib.stride_tricks.as_strided(flat, shape, (stride * unit, unit))


def _products(
    a: np.ndarray,
    b: np.ndarray,
    out: np.ndarray,
    size: tuple[int, int, int],
    strides: tuple[int, int, int],
    steps: Sequence[Step],
    transposed: bool,
) -> None:
    m, n, k = size
    room = np.empty((m, n), out.dtype)
    for i, j, o, add in steps:
        left = _matrix(a, i, (k, m) if transposed else (m, k), strides[0])
        right = _matrix(b, j, (k, n), strides[1])
        target = _matrix(out, o, (m, n), strides[2])
        if add:
            target += np.matmul(left.T if transposed else left, right, out=room)
        else:
            np.matmul(left.T if transposed else left, right, out=target)


def transpose(source: np.ndarray, target: np.ndarray) -> None:
    """Write the transpose of a contiguous matrix (r, c) into another of shape (c, r)."""
    rows, columns = source.shape
    found = _functions(source.dtype.char)
    if found is None or rows == 1 or columns == 1:
        np.copyto(target, source.T)
    elif source.size:
        found[1](_ROWS, _TRANSPOSED, rows, columns, 1.0, _address(source), columns,
                 _address(target), rows)  # fmt: skip
