"""Discrete Fourier transforms: the three kernels that every public transform is made of.

`fft_c2c` (complex to complex), `fft_r2c` (real to the half spectrum) and `fft_c2r` (half spectrum
to real) work over `dims`, the last of which is the halved one, and multiply by `scale`; resizing
and torch's `norm` names are settled by the callers. All three are linear, so each gradient is the
adjoint transform, of which there are again only these three.

Conventions: forward is X[k] = scale · Σ x[j] exp(-2πi jk/n).
"""

from __future__ import annotations

import numpy as np

from .declare import op, shape_setting
from .samples import Sample


def _complex(make, *shape):
    """Complex numbers of the precision of the samples' dtype."""
    kind = np.result_type(make.dtype if make.dtype.kind in "fc" else np.float64, np.complex64)
    if make.dtype.itemsize == 2 and make.dtype.kind in "fV":
        kind = np.complex64
    return (np.asarray(make(*shape)) + 1j * np.asarray(make(*shape))).astype(kind)


def _c2c_samples(make):
    yield Sample(_complex(make, 4), (0,), 1.0, False)
    yield Sample(_complex(make, 3, 5), (1,), 0.5, True)
    yield Sample(_complex(make, 3, 2, 4), (0, 2), 1.0, False)
    yield Sample(_complex(make, 1), (0,), 1.0, False)
    yield Sample(_complex(make, 4, 3).T, (0, 1), 1.0, True)


# torch numbers the scalings 0 (none), 1 (1/sqrt n), 2 (1/n)
def _c2c_oracle(t, x, dims, scale, inverse):
    return t._fft_c2c(x, dims, 0, not inverse) * scale


@op(
    accepts="c",
    function=False,
    method=False,
    shape=lambda input: input,
    samples=_c2c_samples,
    oracle=_c2c_oracle,
)
def fft_c2c(xp, input, /, dims, scale, inverse):
    """Complex to complex over `dims`, forward or inverse (undivided), times `scale`."""
    if not dims:
        return input * input.real.dtype.type(scale)
    transform = xp.fft.ifftn if inverse else xp.fft.fftn
    out = transform(input, axes=dims, norm="forward" if inverse else "backward")
    return _scaled(out, scale, input)


def _scaled(out, scale, like):
    if scale != 1:
        out *= out.real.dtype.type(scale)
    wanted = np.result_type(like.dtype, np.complex64) if out.dtype.kind == "c" else like.real.dtype
    return out if out.dtype == wanted else out.astype(wanted)


fft_c2c.vjp(input=lambda F, g, dims, scale, inverse: F.fft_c2c(g, dims, scale, not inverse))


def _half(input, dims):
    out = list(input)
    out[dims[-1]] = input[dims[-1]] // 2 + 1
    return tuple(out)


def _r2c_samples(make):
    yield Sample(make(4), (0,), 1.0)
    yield Sample(make(3, 5), (1,), 0.5)
    yield Sample(make(3, 2, 4), (0, 2), 1.0)
    yield Sample(make(1), (0,), 1.0)
    yield Sample(make(4, 3).T, (1, 0), 1.0)


@op(
    accepts="f",
    halves=False,
    function=False,
    method=False,
    shape=_half,
    samples=_r2c_samples,
    oracle=lambda t, x, dims, scale: t._fft_r2c(x, dims, 0, True) * scale,
)
def fft_r2c(xp, input, /, dims, scale):
    """The forward transform of real numbers: the half 0 … n//2 of the spectrum along dims[-1]."""
    return _scaled(xp.fft.rfftn(input, axes=dims), scale, input)


def _r2c_rule(F, g, input_shape, dims, scale):
    # the other half of the spectrum received no gradient
    last, n = dims[-1], input_shape[dims[-1]]
    full = tuple(n if d == last else side for d, side in enumerate(g.shape))
    return F.real(F.fft_c2c(F.fft_fit(g, full), dims, scale, True))


fft_r2c.vjp(input=_r2c_rule)


def _c2r_shape(input, dims, n):
    out = list(input)
    out[dims[-1]] = n
    return tuple(out)


def _c2r_samples(make):
    yield Sample(_complex(make, 3), (0,), 1.0, 4)
    yield Sample(_complex(make, 3), (0,), 1.0, 5)
    yield Sample(_complex(make, 2, 3), (0, 1), 0.5, 4)
    yield Sample(_complex(make, 3, 2, 2), (0, 2), 1.0, 3)
    yield Sample(_complex(make, 1), (0,), 1.0, 1)
    yield Sample(_complex(make, 3, 4).T, (1, 0), 1.0, 6)


def _c2r_oracle(t, x, dims, scale, n):
    return t._fft_c2r(x, dims, 0, n) * scale


@op(
    accepts="c",
    function=False,
    method=False,
    shape=_c2r_shape,
    samples=_c2r_samples,
    oracle=_c2r_oracle,
)
def fft_c2r(xp, input, /, dims, scale, n):
    """The backward transform of a half spectrum to `n` real numbers along dims[-1]."""
    lead, last = dims[:-1], dims[-1]
    whole = xp.fft.ifftn(input, axes=lead, norm="forward") if lead else input
    return _scaled(xp.fft.irfft(whole, n, axis=last, norm="forward"), scale, input)


def _c2r_rule(F, g, input_shape, dims, scale, n):
    # every frequency but 0 and n/2 stands for two, itself and its conjugate
    last = dims[-1]
    spectrum = F.fft_r2c(g, dims, scale)
    out = spectrum * 2
    for k in (0, n // 2) if n % 2 == 0 else (0,):
        once = F.narrow(spectrum, last, k, 1)
        out = out - F.slice_backward(once, tuple(spectrum.shape), last, k)
    return out


fft_c2r.vjp(input=_c2r_rule)


def _fit_samples(make):
    yield Sample(make(4), (6,))
    yield Sample(make(4, 3), (2, 5))
    yield Sample(make(2, 0), (2, 3))
    yield Sample(make(2, 3), (2, 3))


@op(function=False, method=False, shape=shape_setting, samples=_fit_samples, oracle=False)
def fft_fit(xp, input, /, shape):
    """`input` cut off or filled up with zeros at the end of each dimension: its own adjoint."""
    kept = tuple(slice(min(a, b)) for a, b in zip(input.shape, shape, strict=True))
    if all(a >= b for a, b in zip(input.shape, shape, strict=True)):
        return input[kept].copy()
    out = xp.zeros(shape, input.dtype)
    out[kept] = input[kept]
    return out


fft_fit.vjp(input=lambda F, g, input_shape: F.fft_fit(g, input_shape))
