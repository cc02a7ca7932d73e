"""Windows of `M` points, symmetric or (sym=False) one period of a periodic one: torch.signal's.

Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform", 1978.
All take `dtype` (a float one), `device` and `requires_grad`, and raise ValueError for negative M.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from workbench.arrays import as_dtype, get_default_dtype

from .tensor import Tensor, wrap


def _window(
    name: str, M: int, sym: bool, options: dict[str, Any], make: Callable[[Any, float], Any]
) -> Tensor:
    """`make(k, n)` of the places k = 0 … M-1 and the last place n of a whole period."""
    dtype = options.pop("dtype", None)
    device, wanted = options.pop("device", None), options.pop("requires_grad", False)
    options.pop("layout", None)
    if options:
        raise TypeError(f"{name}() got an unexpected keyword argument {next(iter(options))!r}")
    kind = get_default_dtype() if dtype is None else as_dtype(dtype)
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if not kind.is_floating_point:
        raise ValueError(f"{name} expects floating point dtypes, got: {kind}")
    last = float(M - 1 if sym else M)
    values = np.ones(M) if M <= 1 else make(np.arange(M, dtype=np.float64), last)
    made = wrap(np.asarray(values).astype(kind.numpy))
    made = made if device is None else made.to(device)  # type: ignore[attr-defined]
    return made.requires_grad_() if wanted else made


def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, **options: Any) -> Tensor:
    """The sum of (-1)^i a_i cos(2 pi i k / n)."""
    weights = list(a)
    if not weights:
        raise ValueError("Coefficients cannot be empty")

    def make(k: Any, n: float) -> Any:
        return sum((-1) ** i * w * np.cos(2 * np.pi * i * k / n) for i, w in enumerate(weights))

    return _window("general_cosine", M, sym, options, make)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Any) -> Tensor:
    """alpha - (1 - alpha) cos(2 pi k / n)."""
    return general_cosine(M, a=[alpha, 1.0 - alpha], sym=sym, **options)


def hamming(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """0.54 - 0.46 cos(2 pi k / n)."""
    return general_hamming(M, sym=sym, **options)


def hann(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """sin² of half a turn: 0.5 - 0.5 cos(2 pi k / n)."""
    return general_hamming(M, alpha=0.5, sym=sym, **options)


def blackman(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """0.42 - 0.5 cos(2 pi k / n) + 0.08 cos(4 pi k / n)."""
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, **options)


def nuttall(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Four cosines with minimal side lobes."""
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, **options)


def bartlett(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """A triangle: 1 - |2 k / n - 1|."""
    return _window("bartlett", M, sym, options, lambda k, n: 1 - abs(2 * k / n - 1))


def cosine(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """Half a sine: sin(pi (k + 0.5) / (n + 1))."""
    return _window("cosine", M, sym, options, lambda k, n: np.sin(np.pi * (k + 0.5) / (n + 1)))


def exponential(
    M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **options: Any
) -> Tensor:
    """exp(-|k - center| / tau), around the middle unless `center` says where (with sym=False)."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def make(k: Any, n: float) -> Any:
        return np.exp(-abs(k - (n / 2 if center is None else center)) / tau)

    return _window("exponential", M, sym, options, make)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """exp(-(k - n/2)² / 2 std²)."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return _window(
        "gaussian", M, sym, options, lambda k, n: np.exp(-(((k - n / 2) / std) ** 2) / 2)
    )


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Any) -> Tensor:
    """I0(beta sqrt(1 - (2 k / n - 1)²)) / I0(beta)."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")

    def make(k: Any, n: float) -> Any:
        return np.i0(beta * np.sqrt(np.maximum(1 - (2 * k / n - 1) ** 2, 0))) / np.i0(beta)

    return _window("kaiser", M, sym, options, make)
