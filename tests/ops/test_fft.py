"""The public transforms, made of three kernels: against torch, and by finite differences."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.autograd import gradcheck, gradgradcheck

torch = pytest.importorskip("torch")

ALONG = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
SEVERAL = [f"{name}{suffix}" for name in ALONG for suffix in "2n"]
REAL = {"rfft", "ihfft"}


def numbers(name, *shape, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, shape)
    real = name.rstrip("2n") in REAL
    return values if real else values + 1j * rng.uniform(-1, 1, shape)


def both(call, x, *args, **kwargs):
    """The same call here and in torch, as NumPy arrays."""
    place, name = call.split(".") if "." in call else ("", call)
    mine = getattr(wb, place) if place else wb
    theirs = getattr(torch, place) if place else torch
    a = getattr(mine, name)(wb.from_numpy(x.copy()), *args, **kwargs)
    b = getattr(theirs, name)(torch.from_numpy(x.copy()), *args, **kwargs)
    return a.array, b.resolve_conj().numpy()


def same(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    tolerance = 1e-4 if a.dtype.itemsize <= 8 and a.dtype.kind != "f" else 1e-11
    tolerance = 1e-4 if a.dtype == np.float32 else tolerance
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("norm", [None, "backward", "forward", "ortho"])
@pytest.mark.parametrize("n", [None, 1, 4, 9])
@pytest.mark.parametrize("name", ALONG)
def test_along_one_dimension(name, n, norm):
    for dim, shape in ((-1, (5,)), (0, (4, 3)), (1, (2, 6, 2))):
        same(*both(f"fft.{name}", numbers(name, *shape), n=n, dim=dim, norm=norm))


@pytest.mark.parametrize("norm", [None, "forward", "ortho"])
@pytest.mark.parametrize("name", SEVERAL)
def test_along_several_dimensions(name, norm):
    x = numbers(name, 3, 4, 5)
    same(*both(f"fft.{name}", x, norm=norm))
    same(*both(f"fft.{name}", x, s=(2, 7), dim=(0, -1), norm=norm))
    same(*both(f"fft.{name}", x, s=(-1, 6), dim=(2, 1), norm=norm))
    same(*both(f"fft.{name}", x, dim=(1,), norm=norm))


@pytest.mark.parametrize("name", ALONG)
@pytest.mark.parametrize("dtype", ["bool", "int32", "uint8", "int64", "float32", "float64"])
def test_dtypes(name, dtype):
    same(*both(f"fft.{name}", (np.arange(12).reshape(3, 4) % 3).astype(dtype)))
    if name not in REAL:
        same(*both(f"fft.{name}", numbers(name, 3, 4).astype(np.complex64)))


@pytest.mark.parametrize("name", ALONG + SEVERAL)
def test_gradients(name):
    shape = (3, 4) if name[-1] in "2n" else (4,)
    x = wb.from_numpy(numbers(name, *shape)).requires_grad_()
    call = getattr(wb.fft, name)
    for settings in ({}, {"s": (4, 3)} if len(shape) == 2 else {"n": 5}, {"norm": "ortho"}):
        assert gradcheck(lambda x, s=settings: call(x, **s), [x])
        assert gradgradcheck(lambda x, s=settings: call(x, **s), [x])


def test_real_input_of_a_complex_transform_has_a_real_gradient():
    x = np.linspace(-1, 1, 5)
    mine, other = wb.from_numpy(x.copy()).requires_grad_(), torch.tensor(x, requires_grad=True)
    wb.fft.fft(mine).abs().sum().backward()
    torch.fft.fft(other).abs().sum().backward()
    np.testing.assert_allclose(mine.grad.array, other.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_there_and_back_again():
    x = wb.from_numpy(numbers("fft", 3, 5))
    np.testing.assert_allclose(wb.fft.ifft(wb.fft.fft(x)).array, x.array, rtol=1e-12)
    y = wb.randn(4, 7)
    np.testing.assert_allclose(wb.fft.irfft(wb.fft.rfft(y), n=7).array, y.array, atol=1e-6)


def test_an_empty_batch():
    x = wb.zeros(0, 3, requires_grad=True)
    assert wb.fft.fft(x).shape == (0, 3)
    assert wb.fft.rfft(x).shape == (0, 2)
    assert wb.fft.irfft(x, n=5).shape == (0, 5)
    wb.fft.fft(x).abs().sum().backward()
    assert x.grad.shape == (0, 3)


def test_frequencies_and_shifts():
    for n in (1, 4, 7):
        for name in ("fftfreq", "rfftfreq"):
            a, b = getattr(wb.fft, name)(n, 0.3), getattr(torch.fft, name)(n, 0.3)
            same(a.array, b.numpy())
    x = np.arange(24.0).reshape(2, 3, 4)
    for name in ("fftshift", "ifftshift"):
        same(*both(f"fft.{name}", x))
        same(*both(f"fft.{name}", x, dim=1))
        same(*both(f"fft.{name}", x, dim=(0, -1)))


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.fft.rfft(t.ones(3, dtype=t.complex64)),
        lambda t: t.fft.fft(t.ones(3), n=0),
        lambda t: t.fft.fft(t.ones(3), dim=1),
        lambda t: t.fft.fft(t.ones(3), norm="half"),
        lambda t: t.fft.fft(t.ones(0)),
        lambda t: t.fft.fft2(t.ones(3)),
        lambda t: t.fft.fftn(t.ones(3, 3), dim=(0, 0)),
        lambda t: t.fft.fftn(t.ones(3, 3), s=(2, 2), dim=(0,)),
        lambda t: t.fft.irfft(t.ones(1)),
        lambda t: t.fft.fft(t.ones(3, dtype=t.float16)),
        lambda t: t.stft(t.ones(16), 8),
        lambda t: t.stft(t.ones(16), 8, hop_length=0, return_complex=True),
        lambda t: t.stft(t.ones(4), 16, return_complex=True),
        lambda t: t.stft(t.ones(16), 8, window=t.ones(3), return_complex=True),
        lambda t: t.istft(t.ones(5, 4), 8),
        lambda t: t.istft(t.ones(4, 4, dtype=t.complex64), 8),
        lambda t: t.hann_window(-1),
        lambda t: t.hann_window(3, dtype=t.int64),
    ],
)
def test_bad_input_raises_what_torch_raises(call):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        call(torch)
    with pytest.raises(type(theirs.value)):
        call(wb)


WINDOWS = ["hann", "hamming", "blackman", "bartlett", "kaiser"]


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_windows(name, dtype):
    for n in (0, 1, 2, 5, 8):
        for periodic in (True, False):
            a = getattr(wb, f"{name}_window")(n, periodic, dtype=getattr(wb, dtype))
            b = getattr(torch, f"{name}_window")(n, periodic, dtype=getattr(torch, dtype))
            assert a.array.dtype == b.numpy().dtype
            np.testing.assert_allclose(
                a.array, b.numpy(), atol=1e-6 if dtype == "float32" else 1e-9
            )


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("onesided", [True, False])
@pytest.mark.parametrize("mode", ["reflect", "constant", "replicate", "circular"])
def test_stft_and_back(center, onesided, mode):
    x = numbers("rfft", 2, 40)
    w = np.hanning(8) + 0.1
    settings = {"hop_length": 3, "win_length": 8, "center": center, "onesided": onesided}
    mine, other = wb.from_numpy(x.copy()).requires_grad_(), torch.tensor(x, requires_grad=True)
    a = wb.stft(mine, 10, window=wb.from_numpy(w), pad_mode=mode, return_complex=True, **settings)
    b = torch.stft(
        other, 10, window=torch.tensor(w), pad_mode=mode, return_complex=True, **settings
    )
    same(a.array, b.detach().resolve_conj().numpy())
    a.abs().sum().backward()
    b.abs().sum().backward()
    np.testing.assert_allclose(mine.grad.array, other.grad.numpy(), rtol=1e-9, atol=1e-9)
    if center:
        back = wb.istft(a, 10, window=wb.from_numpy(w), **settings)
        again = torch.istft(b, 10, window=torch.tensor(w), **settings)
        same(back.array, again.detach().numpy())
        back = wb.istft(a, 10, window=wb.from_numpy(w), length=38, **settings)
        np.testing.assert_allclose(back.array, x[:, :38], atol=1e-10)
