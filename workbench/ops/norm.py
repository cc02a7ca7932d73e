"""Normalisation over trailing dimensions, with hand-derived gradients.

Where gradients are themselves recorded the rules re-derive mean and scale from the input, so that
their dependence on it is differentiated too. Half precision computes in float32.
"""

from __future__ import annotations

import math

import numpy as np

from .compiled import lines
from .compiled import norm as compiled
from .declare import op
from .rows import against_column, column_dots, column_sums, over_rows, row_dots, row_means, wide
from .samples import Sample


def _trailing(name, input, weight, bias, normalized_shape):
    """The trailing shape and its size. Raises RuntimeError where operands do not end in it."""
    shape = tuple(normalized_shape)
    if not shape:
        raise RuntimeError(
            f"{name}(): Expected normalized_shape to be at least 1-dimensional, i.e., containing "
            "at least one element, but got normalized_shape = []"
        )
    for what, held in (("weight", weight), ("bias", bias)):
        if held is not None and held.shape != shape:
            raise RuntimeError(
                f"{name}(): Expected {what} to be of same shape as normalized_shape, but got "
                f"{what} of shape {list(held.shape)} and normalized_shape = {list(shape)}"
            )
    if input.shape[max(input.ndim - len(shape), 0) :] != shape:
        raise RuntimeError(
            f"{name}(): Given normalized_shape={list(shape)}, expected input with shape "
            f"[*, {', '.join(map(str, shape))}], but got input of size{list(input.shape)}"
        )
    return shape, math.prod(shape)


def _ranks(input, shape):
    """The shape of one number per sample, beside the input's."""
    return input.shape[: input.ndim - len(shape)] + (1,) * len(shape)


def _layer_samples(make):
    yield Sample(make(4, 3), make(3), make(3), (3,))
    yield Sample(make(2, 3, 4), make(3, 4), None, (3, 4))
    yield Sample(make(2, 3, 4), None, make(4), (4,), 1e-3)
    yield Sample(make(2, 3, 4), None, None, (4,), 1e-3)
    yield Sample(make(0, 3), make(3), make(3), (3,))
    yield Sample(make(128, 6), make(6), make(6), (6,), grad=False)


def _layer_errors(make):
    yield Sample(make(2, 3), None, None, (4,))
    yield Sample(make(2, 3), None, None, ())
    yield Sample(make(2, 3), make(2), None, (3,))
    yield Sample(make(2, 3), None, make(1, 3), (3,))
    yield Sample(make(3), None, None, (2, 3))


def _layer_oracle(torch, input, weight, bias, shape, eps=1e-5):
    return torch.nn.functional.layer_norm(input, shape, weight, bias, eps)


@op(
    accepts="f",
    shape=lambda input: input,
    function=False,
    method=False,
    dtype="same",
    aux=("mean", "scale"),
    samples=_layer_samples,
    errors=_layer_errors,
    oracle=_layer_oracle,
)
def native_layer_norm(xp, input, weight=None, bias=None, /, normalized_shape=(), eps=1e-5):
    """Layer normalisation over the trailing `normalized_shape` (Ba et al., 2016).

    Raises RuntimeError when the input does not end in `normalized_shape`, or weight or bias are of
    another shape.
    """
    shape, width = _trailing("layer_norm", input, weight, bias, normalized_shape)
    ranks = _ranks(input, shape)
    x = wide(input)
    if not input.size:
        return input.copy(), xp.zeros(ranks, x.dtype), xp.ones(ranks, x.dtype)
    if lines.fit(input, weight, bias):
        out, mean, scale = compiled.rows(input, weight, bias, width, eps, True)
        return out, mean.reshape(ranks), scale.reshape(ranks)
    x = x.reshape(-1, width)
    mean = row_means(x)
    out = against_column(xp.subtract, x, mean)
    scale = 1 / xp.sqrt(row_dots(out, out) / width + x.dtype.type(eps))
    out *= scale[:, None]
    if weight is not None:
        over_rows(xp.multiply, out, wide(weight).reshape(-1), out)
    if bias is not None:
        over_rows(xp.add, out, wide(bias).reshape(-1), out)
    out = out.reshape(input.shape).astype(input.dtype, copy=False)
    return out, mean.reshape(ranks), scale.reshape(ranks)


def _through(F, g, normal, scale, dims):
    """Gradient of the normalised values with respect to the input (Ioffe & Szegedy, 2015)."""
    return (g - F.mean(g, dims, True) - normal * F.mean(g * normal, dims, True)) * scale


@native_layer_norm.vjp_together("input", "weight", "bias")
def _layer_rule(F, g, input, weight, mean, scale, bias_shape, normalized_shape, eps, wanted):
    dims = tuple(range(-len(normalized_shape), 0))
    if F.taped:
        centred = input - F.mean(input, dims, True)
        scale = F.rsqrt(F.mean(centred * centred, dims, True) + eps)
        normal = centred * scale
        return (
            _through(F, g if weight is None else g * weight, normal, scale, dims),
            None if weight is None else F.sum_to(g * normal, tuple(weight.shape)),
            None if bias_shape is None else F.sum_to(g, bias_shape),
        )
    width = math.prod(normalized_shape)
    if not g.size:
        return tuple(
            None if shape is None else F.xp.zeros(shape, g.dtype)
            for shape in (g.shape, None if weight is None else weight.shape, bias_shape)
        )
    xp, dtype = F.xp, g.dtype
    if lines.fit(g, input, weight, mean, scale):
        along = (weight is not None and wanted[1]) or (bias_shape is not None and wanted[2])
        dx, dw, db = compiled.rows_backward(g, input, weight, mean, scale, width, wanted[0], along)
        return (
            dx,
            None if weight is None or dw is None else dw.reshape(weight.shape),
            None if bias_shape is None or db is None else db.reshape(bias_shape),
        )
    if dtype.itemsize < 4:  # what was saved may have been rounded
        _, mean, scale = native_layer_norm.forward(
            xp, wide(input), None, None, normalized_shape, eps
        )
    g, scale = wide(g).reshape(-1, width), scale.reshape(-1)
    dx = dw = db = normal = None
    if wanted[0] or (weight is not None and wanted[1]):
        x = wide(input).reshape(-1, width)
        normal = against_column(xp.subtract, x, mean.reshape(-1))
        normal *= scale[:, None]
    if wanted[0]:
        gw = g if weight is None else over_rows(xp.multiply, g, wide(weight).reshape(-1))
        dx = against_column(xp.multiply, normal, row_dots(gw, normal) / gw.dtype.type(width))
        xp.subtract(gw, dx, out=dx)
        dx = against_column(xp.subtract, dx, row_means(gw))
        dx *= scale[:, None]
        dx = dx.reshape(input.shape).astype(dtype, copy=False)
    if weight is not None and wanted[1]:
        dw = column_dots(g, normal).reshape(weight.shape).astype(dtype, copy=False)
    if bias_shape is not None and wanted[2]:
        db = column_sums(g).reshape(bias_shape).astype(dtype, copy=False)
    return dx, dw, db


def _rms_samples(make):
    yield Sample(make(4, 3), make(3), (3,), 1e-6)
    yield Sample(make(2, 3, 4), make(3, 4), (3, 4), 1e-6)
    yield Sample(make(2, 3, 4), None, (4,), 1e-3)
    yield Sample(make(4, 3), make(3), (3,))
    yield Sample(make(0, 3), make(3), (3,))


def _rms_errors(make):
    yield Sample(make(2, 3), None, (4,))
    yield Sample(make(2, 3), None, ())
    yield Sample(make(2, 3), make(2), (3,))


def _rms_oracle(torch, input, weight, shape, eps=None):
    if input.is_complex():
        raise RuntimeError("complex input takes another way: see nn.functional.rms_norm")
    return torch.nn.functional.rms_norm(input, shape, weight, eps)


@op(
    accepts="f",
    shape=lambda input: input,
    function=False,
    method=False,
    dtype="same",
    aux=("scale",),
    samples=_rms_samples,
    errors=_rms_errors,
    oracle=_rms_oracle,
)
def native_rms_norm(xp, input, weight=None, /, normalized_shape=(), eps=None):
    """x / √(mean(x²) + eps) over the trailing `normalized_shape` (Zhang & Sennrich, 2019).

    `eps` None is the smallest step of the dtype computed in. Raises RuntimeError when the input
    does not end in `normalized_shape`, or the weight is of another shape.
    """
    shape, width = _trailing("rms_norm", input, weight, None, normalized_shape)
    x = wide(input)
    ranks = _ranks(input, shape)
    if not input.size:
        return input.copy(), xp.ones(ranks, x.dtype)
    if lines.fit(input, weight):
        step = _step(input) if eps is None else eps
        out, _, scale = compiled.rows(input, weight, None, width, step, False)
        return out, scale.reshape(ranks)
    x = x.reshape(-1, width)
    step = x.dtype.type(np.finfo(x.dtype).eps if eps is None else eps)
    scale = 1 / xp.sqrt(row_dots(x, x) / width + step)
    out = against_column(xp.multiply, x, scale)
    if weight is not None:
        over_rows(xp.multiply, out, wide(weight).reshape(-1), out)
    return out.reshape(input.shape).astype(input.dtype, copy=False), scale.reshape(ranks)


@native_rms_norm.vjp_together("input", "weight")
def _rms_rule(F, g, input, weight, scale, normalized_shape, eps, wanted):
    dims = tuple(range(-len(normalized_shape), 0))
    if F.taped:
        step = _step(input) if eps is None else eps
        scale = F.rsqrt(F.mean(input * input, dims, True) + step)
        normal = input * scale
        gw = g if weight is None else g * weight
        return (
            (gw - normal * F.mean(gw * normal, dims, True)) * scale,
            None if weight is None else F.sum_to(g * normal, tuple(weight.shape)),
        )
    width = math.prod(normalized_shape)
    if not g.size:
        return g, None if weight is None else F.xp.zeros(weight.shape, g.dtype)
    xp, dtype = F.xp, g.dtype
    if lines.fit(g, input, weight, scale):
        along = weight is not None and wanted[1]
        dx, dw, _ = compiled.rows_backward(g, input, weight, None, scale, width, wanted[0], along)
        return dx, None if dw is None else dw.reshape(weight.shape)
    if dtype.itemsize < 4:
        _, scale = native_rms_norm.forward(xp, wide(input), None, normalized_shape, eps)
    scale = scale.reshape(-1, 1)
    g = wide(g).reshape(-1, width)
    normal = wide(input).reshape(-1, width) * scale
    dw = dx = None
    if weight is not None and wanted[1]:
        dw = column_dots(g, normal).reshape(weight.shape).astype(dtype, copy=False)
    if wanted[0]:
        gw = g if weight is None else over_rows(xp.multiply, g, wide(weight).reshape(-1))
        normal *= (row_dots(gw, normal) / width)[:, None]
        dx = xp.subtract(gw, normal, out=normal)
        dx *= scale
        dx = dx.reshape(input.shape).astype(dtype, copy=False)
    return dx, dw


def _step(input):
    dtype = np.dtype(getattr(input, "array", input).dtype)
    return float(np.finfo(np.float32 if dtype.itemsize < 4 else dtype).eps)
