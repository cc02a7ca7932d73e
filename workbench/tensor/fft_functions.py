"""torch.fft: the public transforms, made of three kernels (`ops/fourier.py`), and stft."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.arrays import as_dtype, device_namespace, get_default_dtype
from workbench.arrays.dtypes import FLOAT

from .autocast import state as autocast_state
from .functions import function, raw
from .tensor import Tensor, beside, wrap
from .transfer import cast_to

_c2c, _r2c, _c2r, _fit = (raw(f"fft_{name}") for name in ("c2c", "r2c", "c2r", "fit"))
_conj = raw("conj")
Norm = str | None


def _real(name: str, input: Tensor) -> Tensor:
    """`input` as floats; integers become the default dtype.

    Raises RuntimeError for complex tensors and for half precision.
    """
    if input.array.dtype.kind == "c":
        raise RuntimeError(f"{name} expects a real input tensor, but got {input.dtype.name}")
    if input.dtype.category < FLOAT:
        return cast_to(input, get_default_dtype().numpy)
    if input.dtype.itemsize < 4:
        if autocast_state.target is not None:
            return cast_to(input, np.dtype(np.float32))
        raise RuntimeError(f"{name}: unsupported dtype {input.dtype.name}; convert with .float()")
    return input


def _complex(name: str, input: Tensor) -> Tensor:
    if input.array.dtype.kind == "c":
        return input
    real = _real(name, input)
    return cast_to(real, np.result_type(real.array.dtype, np.complex64))


def _scale(norm: Norm, sizes: Sequence[int], forward: bool) -> float:
    """torch's `norm`: "backward" (the default) divides the inverse, "forward" the forward one."""
    if norm not in (None, "backward", "forward", "ortho"):
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    n = math.prod(sizes)
    if n == 0:
        return 1.0
    if norm == "ortho":
        return 1.0 / math.sqrt(n)
    return 1.0 / n if (norm == "forward") == forward else 1.0


def _dims(name: str, input: Tensor, s: Any, dim: Any) -> tuple[tuple[int, ...], list[int | None]]:
    """The dimensions transformed, and the sizes asked for (None: as they are).

    Raises RuntimeError for repeated dims and for `s` and `dim` that do not fit, IndexError for
    dims out of range.
    """
    ndim = input.array.ndim
    if s is not None and not isinstance(s, (tuple, list)):
        s = (s,)
    if dim is None:
        count = ndim if s is None else len(s)
        if count > ndim:
            raise RuntimeError(
                f"{name}: Got shape with {count} values but input tensor only has {ndim} "
                "dimensions."
            )
        dims = tuple(range(ndim - count, ndim))
    else:
        given = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
        for d in given:
            if not -max(ndim, 1) <= d < max(ndim, 1):
                raise IndexError(
                    f"Dimension out of range (expected to be in range of [{-ndim}, {ndim - 1}], "
                    f"but got {d})"
                )
        if ndim == 0:
            raise IndexError(
                f"{name}: Dimension specified as {given[0]} but tensor has no dimensions"
            )
        dims = tuple(d % ndim for d in given)
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"{name}: FFT dims must be unique")
        if s is not None and len(s) != len(dims):
            raise RuntimeError(
                f"{name}: When given, dim and shape arguments must have the same length"
            )
    sizes = [None] * len(dims) if s is None else [None if n in (None, -1) else int(n) for n in s]
    return dims, sizes


def _check_sizes(name: str, sizes: Sequence[int]) -> None:
    for n in sizes:
        if n < 1:
            raise RuntimeError(f"{name}: Invalid number of data points ({n}) specified")


def _fitted(input: Tensor, dims: Sequence[int], sizes: Sequence[int]) -> Tensor:
    shape = list(input.array.shape)
    for d, n in zip(dims, sizes, strict=True):
        shape[d] = n
    return input if tuple(shape) == input.array.shape else _fit(input, tuple(shape))


def _full(name: str, input: Tensor, s: Any, dim: Any, norm: Norm, forward: bool) -> Tensor:
    x = _complex(name, input)
    dims, asked = _dims(name, x, s, dim)
    sizes = [x.array.shape[d] if n is None else n for d, n in zip(dims, asked, strict=True)]
    _check_sizes(name, sizes)
    return _c2c(_fitted(x, dims, sizes), dims, _scale(norm, sizes, forward), not forward)


def _to_half(name: str, input: Tensor, s: Any, dim: Any, norm: Norm, forward: bool) -> Tensor:
    x = _real(name, input)
    dims, asked = _dims(name, x, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    sizes = [x.array.shape[d] if n is None else n for d, n in zip(dims, asked, strict=True)]
    _check_sizes(name, sizes)
    out = _r2c(_fitted(x, dims, sizes), dims, _scale(norm, sizes, forward))
    return out if forward else _conj(out)


def _from_half(name: str, input: Tensor, s: Any, dim: Any, norm: Norm, forward: bool) -> Tensor:
    x = _complex(name, input)
    dims, asked = _dims(name, x, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    sizes = [x.array.shape[d] if n is None else n for d, n in zip(dims, asked, strict=True)]
    if asked[-1] is None:
        sizes[-1] = 2 * (x.array.shape[dims[-1]] - 1)
    _check_sizes(name, sizes)
    n = sizes[-1]
    x = _fitted(x, dims, [*sizes[:-1], n // 2 + 1])
    return _c2r(_conj(x) if forward else x, dims, _scale(norm, sizes, forward), n)


_DOCS = {
    "fft": "Fourier transform of `n` points along `dim`; real input counts as complex.",
    "ifft": "Inverse Fourier transform along `dim`.",
    "rfft": "Fourier transform of real numbers along `dim`: frequencies 0 … n//2.",
    "irfft": "Inverse of `rfft`: `n` real numbers (2·(size - 1) by default).",
    "hfft": "Fourier transform of a half Hermitian signal along `dim`: `n` real numbers.",
    "ihfft": "Inverse of `hfft`: the half of a Hermitian signal whose transform is `input`.",
}
_KINDS = {"": _full, "r": _to_half, "ir": _from_half, "i": _full, "h": _from_half, "ih": _to_half}
_NOTE = (
    '\n\n`norm`: "backward" (default: the inverse is divided by n), "forward" or "ortho". float32 '
    "gives\ncomplex64, integers become the default dtype. Raises RuntimeError for sizes below 1."
)


def _transforms(kind: str) -> None:
    made = _KINDS[kind]
    forward = kind in ("", "r", "h")
    name = f"{kind}fft"

    def along(input: Tensor, n: int | None = None, dim: int = -1, norm: Norm = None) -> Tensor:
        return made(name, input, None if n is None else (n,), (dim,), norm, forward)

    def over_two(input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: Norm = None) -> Tensor:
        return made(f"{name}2", input, s, dim, norm, forward)

    def over_many(input: Tensor, s: Any = None, dim: Any = None, norm: Norm = None) -> Tensor:
        return made(f"{name}n", input, s, dim, norm, forward)

    summary = _DOCS[name]
    for suffix, call, doc in (
        ("", along, summary),
        ("2", over_two, f"Two dimensions at once. {summary}"),
        ("n", over_many, f"Several dimensions at once (`dim`, all by default). {summary}"),
    ):
        call.__name__ = call.__qualname__ = f"{name}{suffix}"
        call.__doc__ = doc + _NOTE
        function("fft", f"{name}{suffix}", method=False)(call)


for _kind in _KINDS:
    _transforms(_kind)


# -- frequencies ---------------------------------------------------------------------------------


def _frequencies(name: str, numpy_name: str) -> None:
    def frequencies(
        n: int, d: float = 1.0, *, dtype: Any = None, device: Any = None,
        requires_grad: bool = False, layout: Any = None,
    ) -> Tensor:  # fmt: skip
        xp = device_namespace(device)
        chosen = get_default_dtype() if dtype is None else as_dtype(dtype)
        made = wrap(xp.asarray(getattr(xp.fft, numpy_name)(n, d)).astype(chosen.numpy))
        return made.requires_grad_() if requires_grad else made

    frequencies.__name__ = frequencies.__qualname__ = name
    frequencies.__doc__ = (
        f"The frequencies of the bins of an `{name[:-4]}` of `n` samples `d` apart, in cycles per "
        "unit of `d`."
    )
    function("fft", name, method=False)(frequencies)


_frequencies("fftfreq", "fftfreq")
_frequencies("rfftfreq", "rfftfreq")


def _shift(name: str, sign: int, doc: str) -> None:
    def shift(input: Tensor, dim: Any = None) -> Tensor:
        made, shape = input, input.array.shape
        dims = range(len(shape)) if dim is None else dim
        for d in dims if isinstance(dims, (tuple, list, range)) else (dims,):
            size = shape[d]
            cut = (size - size // 2 if sign > 0 else size // 2) if size else 0
            if cut not in (0, size):
                parts = [raw("narrow")(made, d, cut, size - cut), raw("narrow")(made, d, 0, cut)]
                made = raw("cat")(parts, d)
        return raw("clone")(input) if made is input else made

    shift.__name__ = shift.__qualname__ = name
    shift.__doc__ = doc
    function("fft", name, method=False)(shift)


_shift(
    "fftshift", 1, "The zero frequency moved to the middle of `dim` (all dimensions by default)."
)
_shift("ifftshift", -1, "The inverse of `fftshift`.")


# -- short-time transforms -----------------------------------------------------------------------


def _framing(
    name: str, n_fft: int, hop: int | None, win: int | None, window: Tensor | None, like: Tensor
) -> tuple[int, int, Tensor]:
    """Hop, and the window padded in the middle of n_fft."""
    hop = n_fft // 4 if hop is None else int(hop)
    win = n_fft if win is None else int(win)
    if hop <= 0:
        raise RuntimeError(f"{name}: expected hop_length > 0, but got hop_length={hop}")
    if not 0 < win <= n_fft:
        raise RuntimeError(f"{name}: expected 0 < win_length <= n_fft, but got win_length={win}")
    if window is None:
        real = like.array.real.dtype
        window = beside(like, np.ones(win, real))
    elif tuple(window.array.shape) != (win,):
        raise RuntimeError(
            f"{name}: expected a 1D window tensor of size equal to win_length={win}, but got "
            f"window with size {list(window.array.shape)}"
        )
    if win < n_fft:
        left = (n_fft - win) // 2
        window = raw("slice_backward")(window, (n_fft,), 0, left)
    return hop, win, window


def _reflected(input: Tensor, pad: int, mode: str) -> Tensor:
    """The last dimension prolonged on both sides."""
    from .indexing import getitem

    n = input.array.shape[-1]
    if mode == "constant":
        shape = (*input.array.shape[:-1], n + 2 * pad)
        return raw("slice_backward")(input, shape, input.array.ndim - 1, pad)
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if (mode == "reflect" and pad >= n) or (mode == "circular" and pad > n):
        raise RuntimeError(
            f"Padding size should be less than the corresponding input dimension, but got: padding "
            f"({pad}, {pad}) at dimension {input.array.ndim - 1} of input {list(input.array.shape)}"
        )
    kind = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    return getitem(input, (..., beside(input, np.pad(np.arange(n), pad, mode=kind))))


@function("", "stft")
def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, pad_mode: str = "reflect",
    normalized: bool = False, onesided: bool | None = None, return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """Short-time Fourier transform of (T) or (B, T): (frequencies, frames) or (B, …), complex.

    Raises RuntimeError for settings that do not fit, and where `return_complex` is left out.
    """
    from .indexing import getitem

    if input.array.ndim not in (1, 2) or input.array.dtype.kind not in "fc":
        raise RuntimeError(
            "stft: expected a 1D or 2D tensor of floating points, got "
            f"{input.array.ndim}D {input.dtype.name}"
        )
    is_complex = input.array.dtype.kind == "c" or (
        window is not None and window.array.dtype.kind == "c"
    )
    if onesided is None:
        onesided = not is_complex
    if onesided and is_complex:
        raise RuntimeError(
            "Cannot have onesided output if window or input is complex; give onesided=False"
        )
    if not return_complex and not is_complex:
        raise RuntimeError(
            "stft requires the return_complex parameter be given for real inputs: "
            "return_complex=True (and view_as_real for the old layout)"
        )
    if return_complex is False:
        raise RuntimeError("stft: return_complex=False is not supported; use view_as_real(stft(…))")
    hop, _, window = _framing("stft", n_fft, hop_length, win_length, window, input)
    x = input if input.array.ndim == 2 else raw("unsqueeze")(input, 0)
    if center:
        x = _reflected(x, n_fft // 2, pad_mode)
    length = x.array.shape[-1]
    if n_fft <= 0 or n_fft > length:
        raise RuntimeError(f"stft: expected 0 < n_fft <= {length}, but got n_fft={n_fft}")
    starts = np.arange(0, length - n_fft + 1, hop)
    frames = getitem(x, (slice(None), beside(x, starts[:, None] + np.arange(n_fft)))) * window
    scale = 1.0 / math.sqrt(n_fft) if normalized else 1.0
    if onesided:
        out = _r2c(frames, (2,), scale)
    else:
        out = _c2c(_complex("stft", frames), (2,), scale, False)
    out = raw("transpose")(out, 1, 2)
    return out if input.array.ndim == 2 else raw("select")(out, 0, 0)


@function("", "istft")
def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, normalized: bool = False,
    onesided: bool | None = None, length: int | None = None, return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """Inverse of `stft` by overlapping and adding, divided by the windows' squares.

    `input` is (frequencies, frames) or (B, frequencies, frames). Raises RuntimeError where the
    windows leave a sample uncovered (Griffin and Lim 1984's condition).
    """
    if input.array.dtype.kind != "c":
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    if input.array.ndim not in (2, 3):
        raise RuntimeError(
            f"istft: expected a tensor with 2 or 3 dimensions, got {input.array.ndim}"
        )
    if onesided is None:
        onesided = not return_complex
    bins = n_fft // 2 + 1 if onesided else n_fft
    if input.array.shape[-2] != bins:
        raise RuntimeError(
            f"istft: expected the frequency dimension (3rd to the last) of the input tensor to "
            f"match n_fft / 2 + 1 when onesided=True or n_fft otherwise: {bins}, but got "
            f"{input.array.shape[-2]}"
        )
    hop, win, window = _framing("istft", n_fft, hop_length, win_length, window, input)
    if hop > win:
        raise RuntimeError(f"istft: expected 0 < hop_length <= win_length, but got {hop} > {win}")
    x = input if input.array.ndim == 3 else raw("unsqueeze")(input, 0)
    x = raw("transpose")(x, 1, 2)
    scale = 1.0 / (math.sqrt(n_fft) if normalized else n_fft)
    if return_complex:
        if onesided:
            raise RuntimeError("istft: cannot have onesided and return_complex=True")
        frames = _c2c(x, (2,), scale, True)
    elif onesided:
        frames = _c2r(x, (2,), scale, n_fft)
    else:
        frames = raw("real")(_c2c(x, (2,), scale, True))
    count = frames.array.shape[1]
    total = n_fft + hop * (count - 1)
    place = beside(x, np.arange(count)[:, None] * hop + np.arange(n_fft)).array
    add = raw("index_backward")
    signal = add(frames * window, (slice(None), place), (frames.array.shape[0], total))
    square = raw("expand")(window * window, (count, n_fft))
    weight = add(square, (place,), (total,))
    start = n_fft // 2 if center else 0
    if length is not None:
        end = min(start + length, total)
    else:
        end = total - n_fft // 2 if center else total
    signal = raw("narrow")(signal, 1, start, end - start)
    weight = raw("narrow")(weight, 0, start, end - start)
    if end > start and float(np.abs(weight.array).min()) < 1e-11:
        raise RuntimeError(
            "istft: window overlap add min: 1; the windows do not cover every sample (their "
            "squares add up to 0 somewhere): use a smaller hop_length or center=True"
        )
    signal = signal / weight
    if length is not None and end - start < length:
        signal = _fit(signal, (signal.array.shape[0], length))
    return signal if input.array.ndim == 3 else raw("select")(signal, 0, 0)


# -- windows -------------------------------------------------------------------------------------


def _window(name: str, values: Any, settings: dict[str, Any], doc: str) -> None:
    """`NAME_window(window_length, periodic=True, …)`: computed in float64, rounded once."""

    def window(
        window_length: int, periodic: bool = True, *given: Any, dtype: Any = None,
        device: Any = None, requires_grad: bool = False, layout: Any = None,
        pin_memory: bool = False, **named: Any,
    ) -> Tensor:  # fmt: skip
        unknown = set(named) - set(settings)
        if unknown or len(given) > len(settings):
            raise TypeError(f"{name}_window() got an unexpected argument {(*unknown, *given)[0]!r}")
        chosen = get_default_dtype() if dtype is None else as_dtype(dtype)
        if chosen.category < FLOAT or chosen.is_complex:
            raise RuntimeError(f"{name}_window expects floating point dtypes, got: {chosen.name}")
        if window_length < 0:
            raise RuntimeError(
                f"{name}_window requires non-negative window_length, got window_length="
                f"{window_length}"
            )
        options = settings | dict(zip(settings, given, strict=False)) | named
        xp = device_namespace(device)
        if window_length <= 1:
            array = xp.ones(window_length, np.float64)
        else:
            n = window_length + 1 if periodic else window_length
            array = values(xp, xp.arange(n, dtype=np.float64) / (n - 1), **options)
            array = array[:window_length]
        made = wrap(array.astype(chosen.numpy))
        return made.requires_grad_() if requires_grad else made

    window.__name__ = window.__qualname__ = f"{name}_window"
    window.__doc__ = (
        f"{doc} `periodic` (default): one period, for spectra; else symmetric.\n\n"
        "Raises RuntimeError for negative lengths and dtypes that are no floats."
    )
    function("", f"{name}_window", method=False)(window)


def _cosines(xp: Any, t: Any, *weights: float) -> Any:
    return sum(a * xp.cos(2 * math.pi * k * t) for k, a in enumerate(weights))


_window("hann", lambda xp, t: _cosines(xp, t, 0.5, -0.5), {}, "0.5 - 0.5 cos(2πt).")
_window(
    "hamming", lambda xp, t, alpha, beta: _cosines(xp, t, alpha, -beta),
    {"alpha": 0.54, "beta": 0.46}, "alpha - beta cos(2πt).",
)  # fmt: skip
_window(
    "blackman", lambda xp, t: _cosines(xp, t, 0.42, -0.5, 0.08), {},
    "0.42 - 0.5 cos(2πt) + 0.08 cos(4πt).",
)  # fmt: skip
_window("bartlett", lambda xp, t: 1 - xp.abs(2 * t - 1), {}, "1 - |2t - 1|, a triangle.")
_window(
    "kaiser",
    lambda xp, t, beta: xp.i0(beta * xp.sqrt(xp.maximum(1 - (2 * t - 1) ** 2, 0))) / xp.i0(beta),
    {"beta": 12.0}, "I₀(beta √(1 - (2t-1)²)) / I₀(beta).",
)  # fmt: skip
