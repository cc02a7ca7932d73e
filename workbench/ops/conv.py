"""Convolutions of one, two and three dimensions, and transposed ones.

A convolution is linear in its input and in its weight. It and its two adjoints, `conv_input` and
`conv_weight`, are each other's gradients, which gives every order of differentiation; a transposed
convolution is the adjoint in the input. All are declared once for any number of dimensions; how
they are computed is `conv_kernels`' matter.

`input` may lack its first dimension, the batch.
"""

from __future__ import annotations

import numpy as np

from workbench.arrays import compiler

from . import conv_kernels as kernels
from .conv_kernels import geometry
from .conv_kernels.geometry import plain
from .declare import op, shape_setting
from .samples import Sample


def pair(value, name="value"):
    """An int, or a sequence of one or two ints, as a pair."""
    if isinstance(value, (tuple, list)):
        if len(value) == 1:
            return (int(value[0]),) * 2
        if len(value) != 2:
            raise RuntimeError(f"{name} should be an int or a pair of ints, got {tuple(value)}")
        return (int(value[0]), int(value[1]))
    return (int(value), int(value))


def _wide(x):
    """Half precision in float32: summed there, rounded once at the end, as torch does."""
    return x.astype(np.float32) if x.dtype.itemsize == 2 and x.dtype.kind in "fV" else x


def _batched(x, dims):
    return x if x.ndim == dims + 2 else x[None]


def _like(out, x, dims):
    """The result in the dtype of `x`, and without a batch if `x` has none."""
    out = out if x.ndim == dims + 2 else out[0]
    return out if out.dtype == x.dtype else out.astype(x.dtype)


def _shape(x, channels, sides):
    """A result's shape, with a batch where `x` has one."""
    return (*x[: len(x) - len(sides) - 1], channels, *sides)


def _bias_rule(F, g, weight_shape):
    """Without a kernel for both, summed over the sides first, which lie together."""
    sides = tuple(range(-(len(weight_shape) - 2), 0))
    if compiler.available() and len(g.shape) == len(weight_shape):
        return F.sum(g, (0, *sides), False)
    per = F.sum(g, sides, False)
    return F.sum(per, (0,), False) if len(g.shape) == len(weight_shape) else per


# -- convolution -----------------------------------------------------------------------------------


def _conv_samples(dims):
    def samples(make):
        x, w = (2, 3, 4, 5, 6)[: 2 + dims], (4, 3, 3, 2, 3)[: 2 + dims]
        yield Sample(make(*x), make(*w), make(4))
        yield Sample(make(*x[1:]), make(*w), make(4))
        steps, margins = (2, 1, 2)[:dims], (1, 2, 1)[:dims]
        yield Sample(make(*x), make(*w), None, steps, margins)
        yield Sample(make(1, 4, *(7, 6, 5)[:dims]), make(6, 2, *(3, 2, 2)[:dims]), make(6), 1, 1, 2,
                     2)  # fmt: skip
        yield Sample(make(2, 4, *(5,) * dims), make(4, 1, *(3,) * dims), None, 2, 1, 1, 4)
        yield Sample(make(0, 3, *(5,) * dims), make(4, 3, *(3,) * dims), make(4))
        yield Sample(make(1, 2, *(5, 4, 4)[:dims]), make(3, 2, *(4, 3, 2)[:dims]), None, 1, "same",
                     (1,) * dims)  # fmt: skip
        yield Sample(make(1, 2, *(4,) * dims), make(3, 2, *(1,) * dims), make(3), [2], "valid")

    return samples


def _conv_errors(dims):
    def errors(make):
        x, w = (2, 3, *(5,) * dims), (4, 3, *(3,) * dims)
        yield Sample(make(*x), make(4, 2, *w[2:]))
        yield Sample(make(2, 3, *(2,) * dims), make(*w))
        yield Sample(make(*x), make(*w), make(3))
        yield Sample(make(*x), make(*w), make(4, 1))
        yield Sample(make(*x), make(*w), None, 0)
        yield Sample(make(*x), make(*w), None, (1,) * (dims + 1))
        yield Sample(make(*x), make(*w), None, 1.0)
        yield Sample(make(*x), make(*w), None, 1, -1)
        yield Sample(make(*x), make(*w), None, 1, (1,) * (dims + 1))
        yield Sample(make(*x), make(*w), None, 1, "full")
        yield Sample(make(*x), make(*w), None, 2, "same")
        yield Sample(make(*x), make(*w), None, 1, 0, 0)
        yield Sample(make(*x), make(*w), None, 1, 0, 1, 0)
        yield Sample(make(2, 4, *x[2:]), make(3, 2, *w[2:]), None, 1, 0, 1, 2)
        yield Sample(make(*x[2:]), make(*w))
        yield Sample(make(1, *x), make(*w))
        yield Sample(make(*x), make(0, *w[1:]))
        yield Sample(make(2, 3, 0, *x[3:]), make(4, 3, *(1,) * dims))
        yield Sample(make(*x), None)

    return errors


_DOC = """Cross-correlation. `input` (N, C, {sides}) or (C, {sides}), `weight` (O, C/groups, {k}),
`bias` (O) → (N, O, {out}).

`stride`, `padding` and `dilation` are an int or {dims} of them; `padding` may be "valid" (none)
or "same" (as large as the input, stride 1 only). Raises RuntimeError when channels, groups, bias or
kernel do not fit the input.
"""
_SIDES = {1: ("L", "k", "L'"), 2: ("H, W", "kh, kw", "H', W'"),
          3: ("D, H, W", "kd, kh, kw", "D', H', W'")}  # fmt: skip


def _conv(dims):
    name = f"conv{dims}d"

    def conv(xp, input, weight, bias=None, /, stride=1, padding=0, dilation=1, groups=1):
        geo = geometry.forward(
            name, input.shape, weight.shape, None if bias is None else bias.shape, plain(stride),
            plain(padding), plain(dilation), groups,
        )  # fmt: skip
        added = None if bias is None else _wide(bias)
        out = kernels.forward(xp, _wide(_batched(input, dims)), _wide(weight), geo, added)
        return _like(out, input, dims)

    def shape(input, weight, stride, padding, dilation, groups):
        geo = geometry.forward(name, input, weight, None, plain(stride), plain(padding),
                               plain(dilation), groups)  # fmt: skip
        return _shape(input, geo.k, geo.outs)

    sides, kernel, out = _SIDES[dims]
    conv.__name__ = conv.__qualname__ = name
    conv.__doc__ = _DOC.format(sides=sides, k=kernel, out=out, dims=dims)
    made = op(
        errors=_conv_errors(dims), accepts="iufc", shape=shape, method=False, dtype="same",
        samples=_conv_samples(dims),
    )(conv)  # fmt: skip
    made.vjp_together("input", "weight", "bias")(_conv_rule)
    return made


def _conv_rule(F, g, input, weight, bias_shape, stride, padding, dilation, groups, wanted):
    """The three gradients; on the CPU the first two together, which share some work."""
    settings = (stride, padding, dilation, groups)
    dims = len(weight.shape) - 2
    db = None if bias_shape is None or not wanted[2] else _bias_rule(F, g, weight.shape)
    if wanted[0] and wanted[1] and not F.taped and F.xp is np and input.dtype.kind == "f":
        geo = _adjoint(input.shape, weight.shape, g.shape[-dims:], *settings)
        x, y = (_wide(_batched(a, dims)) for a in (input, g))
        dx, dw = kernels.adjoints(np, x, y, _wide(weight), geo)
        return _like(dx, input, dims), dw.astype(weight.dtype, copy=False), db
    dx = F.conv_input(g, F.conj(weight), input.shape, *settings) if wanted[0] else None
    dw = F.conv_weight(F.conj(input), g, weight.shape, *settings) if wanted[1] else None
    return dx, dw, db


conv1d, conv2d, conv3d = (_conv(dims) for dims in (1, 2, 3))


# -- the three linear maps, for any number of dimensions -------------------------------------------


def _adjoint(x, w, outs, stride, padding, dilation, groups):
    return geometry.adjoint(tuple(x), tuple(w), tuple(outs), plain(stride), plain(padding),
                            plain(dilation), groups)  # fmt: skip


def _output_samples(make):
    yield Sample(make(2, 3, 5, 6), make(4, 3, 3, 2), (3, 5), 1, 0, 1, 1)
    yield Sample(make(2, 3, 7), make(4, 3, 2), (4,), 1, 0, 2, 1)  # one fewer than would fit


@op(
    function=False, method=False, oracle=False, samples=_output_samples,
    shape=lambda input, weight, sides: _shape(input, weight[0], tuple(sides)),
)  # fmt: skip
def conv_output(xp, input, weight, /, sides, stride, padding, dilation, groups):
    """Convolution to the given `sides`: (N, C, …) and (O, C/groups, …) → (N, O, *sides)."""
    dims = weight.ndim - 2
    geo = _adjoint(input.shape, weight.shape, sides, stride, padding, dilation, groups)
    out = kernels.forward(xp, _wide(_batched(input, dims)), _wide(weight), geo)
    return _like(out, input, dims)


def _input_samples(make):
    yield Sample(make(2, 4, 3, 5), make(4, 3, 3, 2), (2, 3, 5, 6), 1, 0, 1, 1)
    yield Sample(make(2, 4, 3, 8), make(4, 3, 3, 3), (2, 3, 5, 6), (2, 1), (1, 2), 1, 1)
    yield Sample(make(4, 5), make(4, 3, 3), (3, 7), 1, 0, 1, 1)


@op(shape=shape_setting, function=False, method=False, oracle=False, samples=_input_samples)
def conv_input(xp, input, weight, /, shape, stride, padding, dilation, groups):
    """The adjoint of convolution in its input: gradients (N, O, …) → (N, C, …) = `shape`."""
    dims = weight.ndim - 2
    geo = _adjoint(shape, weight.shape, input.shape[-dims:], stride, padding, dilation, groups)
    out = kernels.adjoint_input(xp, _wide(_batched(input, dims)), _wide(weight), geo)
    return _like(out, input, dims)


def _weight_samples(make):
    yield Sample(make(2, 3, 5, 6), make(2, 4, 3, 5), (4, 3, 3, 2), 1, 0, 1, 1)
    yield Sample(make(2, 4, 5, 6), make(2, 4, 3, 8), (4, 2, 3, 3), (2, 1), (1, 2), 1, 2)
    yield Sample(make(3, 7), make(4, 5), (4, 3, 3), 1, 0, 1, 1)


@op(shape=shape_setting, function=False, method=False, oracle=False, samples=_weight_samples)
def conv_weight(xp, input, other, /, shape, stride, padding, dilation, groups):
    """The adjoint of convolution in its weight: (N, C, …) and (N, O, …) → `shape`."""
    dims = len(shape) - 2
    geo = _adjoint(input.shape, shape, other.shape[-dims:], stride, padding, dilation, groups)
    x, y = (_wide(_batched(a, dims)) for a in (input, other))
    out = kernels.adjoint_weight(xp, x, y, geo)
    return out if out.dtype == input.dtype else out.astype(input.dtype)


conv_output.vjp(
    input=lambda F, g, weight, input_shape, stride, padding, dilation, groups: F.conv_input(
        g, F.conj(weight), input_shape, stride, padding, dilation, groups
    ),
    weight=lambda F, g, input, weight_shape, stride, padding, dilation, groups: F.conv_weight(
        F.conj(input), g, weight_shape, stride, padding, dilation, groups
    ),
)


def _sides(shape, like):
    """The last dimensions of `shape`, as many as a kernel of shape `like` has."""
    return tuple(shape[-(len(like) - 2) :])


conv_input.vjp(
    input=lambda F, g, weight, input_shape, weight_shape, stride, padding, dilation, groups: (
        F.conv_output(
            g, F.conj(weight), _sides(input_shape, weight_shape), stride, padding, dilation, groups
        )
    ),
    weight=lambda F, g, input, weight_shape, stride, padding, dilation, groups: F.conv_weight(
        g, F.conj(input), weight_shape, stride, padding, dilation, groups
    ),
)

conv_weight.vjp(
    input=lambda F, g, other, input_shape, stride, padding, dilation, groups: F.conv_input(
        F.conj(other), g, input_shape, stride, padding, dilation, groups
    ),
    other=lambda F, g, input, other_shape, shape, stride, padding, dilation, groups: F.conv_output(
        F.conj(input), g, _sides(other_shape, shape), stride, padding, dilation, groups
    ),
)


# -- transposed convolution ------------------------------------------------------------------------


def _transposed_samples(dims):
    def samples(make):
        x, w = (2, 3, 3, 4, 2)[: 2 + dims], (3, 4, 3, 2, 2)[: 2 + dims]
        yield Sample(make(*x), make(*w), make(4))
        yield Sample(make(*x[1:]), make(*w), make(4))
        steps, margins, extra = (2, 3, 2)[:dims], (1, 0, 1)[:dims], (1, 2, 0)[:dims]
        yield Sample(make(*x), make(*w), None, steps, margins, extra)
        yield Sample(make(1, 4, *(4, 3, 3)[:dims]), make(4, 3, *(2, 3, 2)[:dims]), make(6), 1, 1, 0,
                     2, 2)  # fmt: skip
        # room for one more window than there is
        yield Sample(make(1, 2, *(3,) * dims), make(2, 1, *(2,) * dims), None, 1, 0, 1, 1, 2)
        yield Sample(make(2, 4, *(3,) * dims), make(4, 1, *(3,) * dims), None, 2, 1, 1, 4)
        yield Sample(make(0, 3, *(3,) * dims), make(3, 4, *(3,) * dims), make(4))

    return samples


def _transposed_errors(dims):
    def errors(make):
        x, w = (2, 3, *(5,) * dims), (3, 4, *(3,) * dims)
        yield Sample(make(*x), make(4, *w[1:]))
        yield Sample(make(*x), make(*w), None, 1, 0, 1)
        yield Sample(make(*x), make(*w), None, 2, 0, -1)
        yield Sample(make(*x), make(*w), None, 2, 0, (1,) * (dims + 1))
        yield Sample(make(2, 3, *x[2:]), make(3, 3, *w[2:]), None, 1, 0, 0, 2)
        yield Sample(make(*x), make(*w), make(3))
        yield Sample(make(*x), make(*w), None, 1, 4)
        yield Sample(make(*x), make(*w), None, 1, "same")
        yield Sample(make(*x), make(*w), None, 1, -1)
        yield Sample(make(*x), make(*w), None, 0)
        yield Sample(make(*x), make(*w), None, 1, 0, 0, 0)
        yield Sample(make(*x[2:]), make(*w))
        yield Sample(make(2, 0, *x[2:]), make(0, *w[1:]))
        yield Sample(make(2, 3, 0, *x[3:]), make(*w))

    return errors


_TRANSPOSED_DOC = """Transposed convolution, the adjoint of `conv{dims}d` in its input. `input`
(N, C, {sides}) or (C, {sides}), `weight` (C, O/groups, {k}), `bias` (O) → (N, O, {out}).

`output_padding` (smaller than the stride or the dilation) adds to one end of each side. Raises
RuntimeError when channels, groups, bias or settings do not fit.
"""


def _conv_transpose(dims):
    name = f"conv_transpose{dims}d"

    def read(x, w, bias, stride, padding, output_padding, groups, dilation):
        return geometry.transposed(name, x, w, bias, plain(stride), plain(padding),
                                   plain(output_padding), plain(dilation), groups)  # fmt: skip

    def conv_transpose(
        xp, input, weight, bias=None, /, stride=1, padding=0, output_padding=0, groups=1, dilation=1
    ):
        geo = read(input.shape, weight.shape, None if bias is None else bias.shape, stride, padding,
                   output_padding, groups, dilation)  # fmt: skip
        out = kernels.adjoint_input(xp, _wide(_batched(input, dims)), _wide(weight), geo)
        return _like(kernels.add_bias(out, bias), input, dims)

    def shape(input, weight, stride, padding, output_padding, groups, dilation):
        geo = read(input, weight, None, stride, padding, output_padding, groups, dilation)
        return _shape(input, geo.c, geo.ins)

    sides, kernel, out = _SIDES[dims]
    conv_transpose.__name__ = conv_transpose.__qualname__ = name
    conv_transpose.__doc__ = _TRANSPOSED_DOC.format(sides=sides, k=kernel, out=out, dims=dims)
    made = op(
        errors=_transposed_errors(dims), accepts="iufc", shape=shape, method=False, dtype="same",
        samples=_transposed_samples(dims),
    )(conv_transpose)  # fmt: skip
    return made.vjp(
        input=lambda F, g, weight, input_shape, weight_shape, stride, padding, dilation, groups: (
            F.conv_output(
                g, F.conj(weight), _sides(input_shape, weight_shape), stride, padding, dilation,
                groups,
            )
        ),
        weight=lambda F, g, input, weight_shape, stride, padding, dilation, groups: F.conv_weight(
            g, F.conj(input), weight_shape, stride, padding, dilation, groups
        ),
        bias=_bias_rule,
    )  # fmt: skip


conv_transpose1d, conv_transpose2d, conv_transpose3d = (_conv_transpose(d) for d in (1, 2, 3))
