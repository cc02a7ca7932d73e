"""Fourier transforms: the standard's `fft` extension."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.tensor import FUNCTIONS, Tensor

from .array import ours, standard

_table = FUNCTIONS["fft"]


def _one(name: str, doc: str) -> Any:
    def transform(
        x: Tensor, /, *, n: int | None = None, axis: int = -1, norm: str = "backward"
    ) -> Tensor:
        return ours(_table[name](x, n, axis, norm))

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = f"{doc} along `axis`, cut or padded to length `n`."
    return transform


def _many(name: str, doc: str) -> Any:
    def transform(
        x: Tensor,
        /,
        *,
        s: Sequence[int] | None = None,
        axes: Sequence[int] | None = None,
        norm: str = "backward",
    ) -> Tensor:
        return ours(_table[name](x, s, axes, norm))

    transform.__name__ = transform.__qualname__ = name
    transform.__doc__ = f"{doc} over `axes` (all by default), cut or padded to sizes `s`."
    return transform


fft = _one("fft", "The discrete Fourier transform")
ifft = _one("ifft", "The inverse discrete Fourier transform")
rfft = _one("rfft", "Half of the transform of real input")
irfft = _one("irfft", "The real input of which half of the transform is given,")
hfft = _one("hfft", "The transform of Hermitian input, real")
ihfft = _one("ihfft", "The inverse of `hfft`")
fftn = _many("fftn", "The discrete Fourier transform")
ifftn = _many("ifftn", "The inverse discrete Fourier transform")
rfftn = _many("rfftn", "Half of the transform of real input")
irfftn = _many("irfftn", "The real input of which half of the transform is given")


@standard
def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of `fft`'s results for samples `d` apart."""
    return _table["fftfreq"](n, d, dtype=dtype, device=device)


@standard
def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of `rfft`'s results for samples `d` apart."""
    return _table["rfftfreq"](n, d, dtype=dtype, device=device)


@standard
def fftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """Frequency 0 moved to the middle."""
    return _table["fftshift"](x, axes)


@standard
def ifftshift(x: Tensor, /, *, axes: Any = None) -> Tensor:
    """Frequency 0 moved from the middle to the front."""
    return _table["ifftshift"](x, axes)


__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft",
    "irfftn", "rfft", "rfftfreq", "rfftn",
]  # fmt: skip
