"""Normalisation layers with hand-derived gradients.

Under `create_graph` the rules re-derive mean and scale from the input, so that their dependence
on it is differentiated too.
"""

from __future__ import annotations

import math

from .declare import op
from .samples import Sample


def _normalise(xp, input, dims, eps):
    """(x - mean) / sqrt(var + eps) over `dims`, and 1 / sqrt(var + eps), in two passes."""
    centred = input - input.mean(axis=dims, keepdims=True)
    variance = (centred * centred).mean(axis=dims, keepdims=True)
    scale = 1 / xp.sqrt(variance + input.dtype.type(eps))
    centred *= scale
    return centred, scale


def _again(F, input, dims, eps):
    """The same over taped tensors, from the input."""
    centred = input - F.mean(input, dims, True)
    scale = F.rsqrt(F.mean(centred * centred, dims, True) + eps)
    return centred * scale, scale


def _through(F, g, normal, scale, dims):
    """Gradient of the normalised values with respect to the input (Ioffe & Szegedy, 2015)."""
    return (g - F.mean(g, dims, True) - normal * F.mean(g * normal, dims, True)) * scale


def _layer_samples(make):
    yield Sample(make(4, 3), make(3), make(3), (3,))
    yield Sample(make(2, 3, 4), make(3, 4), None, (3, 4))
    yield Sample(make(2, 3, 4), None, None, (4,), 1e-3)


def _layer_oracle(torch, input, weight, bias, shape, eps=1e-5):
    return torch.nn.functional.layer_norm(input, shape, weight, bias, eps)


@op(
    accepts="f",
    shape=lambda input: input,
    function=False,
    method=False,
    dtype="same",
    aux=("normal", "scale"),
    samples=_layer_samples,
    oracle=_layer_oracle,
)
def native_layer_norm(xp, input, weight=None, bias=None, /, normalized_shape=(), eps=1e-5):
    """Layer normalisation over the trailing `normalized_shape` (Ba et al., 2016).

    Raises RuntimeError when the input does not end in `normalized_shape`.
    """
    shape = tuple(normalized_shape)
    if input.shape[input.ndim - len(shape) :] != shape or not shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape "
            f"[*, {', '.join(map(str, shape))}], but got input of size{list(input.shape)}"
        )
    normal, scale = _normalise(xp, input, tuple(range(-len(shape), 0)), eps)
    out = normal if weight is None else normal * weight
    if bias is not None:
        out = out + bias
    return (out.copy() if out is normal else out), normal, scale


def _layer_input(F, g, input, weight, normal, scale, normalized_shape, eps):
    dims = tuple(range(-len(normalized_shape), 0))
    if F.taped:
        normal, scale = _again(F, input, dims, eps)
    return _through(F, g if weight is None else g * weight, normal, scale, dims)


def _layer_weight(F, g, input, normal, weight_shape, normalized_shape, eps):
    if F.taped:
        normal, _ = _again(F, input, tuple(range(-len(normalized_shape), 0)), eps)
    return F.sum_to(g * normal, weight_shape)


native_layer_norm.vjp(
    input=_layer_input,
    weight=_layer_weight,
    bias=lambda F, g, bias_shape: F.sum_to(g, bias_shape),
)


def _batch_samples(make):
    yield Sample(make(4, 3), make(3), make(3))
    yield Sample(make(2, 3, 4, 2), make(3), make(3), 1e-3)
    yield Sample(make(2, 3, 5), None, None)


def _batch_oracle(torch, input, weight, bias, eps=1e-5):
    return torch.nn.functional.batch_norm(input, None, None, weight, bias, True, 0.1, eps)


def _per_channel(x, ndim):
    return x.reshape(1, -1, *(1,) * (ndim - 2))


@op(
    accepts="f",
    shape=lambda input: input,
    function=False,
    method=False,
    dtype="same",
    aux=("normal", "scale", "mean", "variance"),
    samples=_batch_samples,
    oracle=_batch_oracle,
)
def batch_norm_train(xp, input, weight=None, bias=None, /, eps=1e-5, stats=None):
    """Batch normalisation by the batch's own statistics (Ioffe & Szegedy, 2015).

    `input` (N, C, *), `weight` and `bias` (C). `stats`, where given, is called with the batch's
    mean and biased variance, both (C), and the number of values per channel.
    """
    dims = (0, *range(2, input.ndim))
    count = math.prod(input.shape[d] for d in dims)
    mean = input.mean(axis=dims, keepdims=True)
    normal = input - mean
    variance = (normal * normal).mean(axis=dims, keepdims=True)
    scale = 1 / xp.sqrt(variance + input.dtype.type(eps))
    normal *= scale
    if stats is not None:
        stats(mean.reshape(-1), variance.reshape(-1), count)
    out = normal.copy() if weight is None else normal * _per_channel(weight, input.ndim)
    if bias is not None:
        out += _per_channel(bias, input.ndim)
    return out, normal, scale, mean, variance


def _batch_input(F, g, input, weight, normal, scale, eps):
    n = len(input.shape)
    dims = (0, *range(2, n))
    if F.taped:
        normal, scale = _again(F, input, dims, eps)
    if weight is not None:
        g = g * F.reshape(weight, (1, -1) + (1,) * (n - 2))
    return _through(F, g, normal, scale, dims)


def _batch_weight(F, g, input, normal, eps):
    dims = (0, *range(2, len(g.shape)))
    if F.taped:
        normal, _ = _again(F, input, dims, eps)
    return F.sum(g * normal, dims, False)


batch_norm_train.vjp(
    input=_batch_input,
    weight=_batch_weight,
    bias=lambda F, g: F.sum(g, (0, *range(2, len(g.shape))), False),
)
