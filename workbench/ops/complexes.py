"""Complex numbers: parts, polar form, and views between them and pairs of real numbers."""

from __future__ import annotations

import numpy as np

from .declare import op
from .samples import Sample, unary


@op(dtype="promote", samples=unary(), view=True, method=False, shape=lambda input: input)
def real(xp, input, /):
    """A view of the real part; real tensors are returned as they are."""
    return input.real


def _real_rule(F, g, input):
    array = getattr(input, "array", input)
    return F.cast(g, array.dtype)


real.vjp(input=_real_rule)


def _complex_samples(make):
    for shape in ((), (3,), (2, 3), (0,)):
        yield Sample(make(*shape).astype(np.result_type(make.dtype, np.complex64)))
    yield Sample(make(4, 3).T.astype(np.result_type(make.dtype, np.complex64)))


@op(
    samples=_complex_samples,
    errors=lambda make: iter([Sample(make(3))]),
    view=True,
    method=False,
    shape=lambda input: input,
)
def imag(xp, input, /):
    """A view of the imaginary part; RuntimeError for real tensors."""
    if input.dtype.kind != "c":
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return input.imag


imag.vjp(input=lambda F, g: g * 1j)


@op(dtype="float", samples=unary(gap=0.05))
def angle(xp, input, /):
    """The angle of complex numbers in radians; of real ones 0 or, where negative, pi."""
    if input.dtype.kind == "c":
        return xp.arctan2(input.imag, input.real)
    turned = xp.where(input < 0, input.dtype.type(np.pi), input.dtype.type(0))
    return xp.where(xp.isnan(input), input, turned)


def _angle_rule(F, g, input):
    if input.dtype.kind != "c" if not hasattr(input, "array") else not input.is_complex():
        return g * 0
    size = F.real(input * F.conj(input))
    zero = size == 0
    return F.where(zero, g * 0, g / F.where(zero, size + 1, size)) * (input * 1j)


angle.vjp(input=_angle_rule)


def _pair_samples(make):
    for a, b in (((), ()), ((3,), (3,)), ((2, 1), (1, 3)), ((0,), (1,))):
        yield Sample(make(*a), make(*b))


def _pair_errors(make):
    yield Sample(make(3), make(3).astype(np.float32))
    yield Sample(make.ints(3), make.ints(3))
    yield Sample(make(3), make(2))


@op(accepts="f", halves=False, samples=_pair_samples, errors=_pair_errors, method=False)
def complex_op(xp, real, imag, /):
    """real + i imag of two float tensors of one dtype; shapes broadcast."""
    if real.dtype != imag.dtype or real.dtype.kind != "f":
        raise RuntimeError(
            "complex(): expected both inputs to be Float or Double tensors of the same dtype but "
            f"got {real.dtype.name} and {imag.dtype.name}"
        )
    shape = np.broadcast_shapes(real.shape, imag.shape)
    out = xp.empty(shape, np.result_type(real.dtype, np.complex64))
    out.real[...] = real
    out.imag[...] = imag
    return out


complex_op.vjp(
    real=lambda F, g, real_shape: F.sum_to(F.real(g), real_shape),
    imag=lambda F, g, imag_shape: F.sum_to(F.imag(g), imag_shape),
)


@op(
    samples=_complex_samples,
    errors=lambda make: iter([Sample(make(3))]),
    view=True,
    method=False,
    shape=lambda input: (*input, 2),
)
def view_as_real(xp, input, /):
    """A view of complex numbers as pairs of real ones in a new last dimension."""
    if input.dtype.kind != "c":
        raise RuntimeError("view_as_real is only supported for complex tensors")
    if xp is not np:
        input = xp.ascontiguousarray(input)
    return input[..., None].view(input.real.dtype)


view_as_real.vjp(input=lambda F, g: F.complex(F.select(g, -1, 0), F.select(g, -1, 1)))


def _real_samples(make):
    yield Sample(make(2))
    yield Sample(make(3, 2))
    yield Sample(make(3, 4, 2))
    yield Sample(make(0, 2))


def _real_errors(make):
    yield Sample(make(3))
    yield Sample(make())
    yield Sample(make.ints(2))


@op(
    accepts="f",
    samples=_real_samples,
    errors=_real_errors,
    view=True,
    method=False,
    shape=lambda input: input[:-1],
)
def view_as_complex(xp, input, /):
    """A view of pairs of floats in the last dimension as complex numbers.

    Raises RuntimeError where the last dimension is not 2 or its pairs do not lie together.
    """
    if input.dtype not in (np.float32, np.float64):
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a "
            f"tensor of scalar type: {input.dtype.name}"
        )
    if input.ndim == 0 or input.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if not input.size:
        return xp.empty(input.shape[:-1], np.result_type(input.dtype, np.complex64))
    if input.strides[-1] != input.itemsize:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    if any(s % (2 * input.itemsize) for s in input.strides[:-1]):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
    return input.view(np.result_type(input.dtype, np.complex64))[..., 0]


view_as_complex.vjp(input=lambda F, g: F.view_as_real(g))
