"""Two-dimensional convolution by unfolding patches into columns and one matrix product.

The three linear maps of a convolution, `conv2d`, its adjoint in the input and its adjoint in the
weight, are each other's gradients, which gives every order of differentiation.
"""

from __future__ import annotations

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


def out_size(size, kernel, stride, padding, dilation):
    """Positions of a window along one side."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def padded(xp, x, padding, value=0):
    """`x` (N, C, H, W) with its last two sides padded by (ph, pw)."""
    ph, pw = padding
    if not ph and not pw:
        return x
    n, c, h, w = x.shape
    out = xp.full((n, c, h + 2 * ph, w + 2 * pw), value, dtype=x.dtype)
    out[:, :, ph : ph + h, pw : pw + w] = x
    return out


def windows(xp, x, kernel, stride, dilation):
    """A view (N, C, kh, kw, oh, ow) of all windows of a padded input (N, C, H, W)."""
    n, c, h, w = x.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = out_size(h, kh, sh, 0, dh), out_size(w, kw, sw, 0, dw)
    sn, sc, sy, sx = x.strides
    return xp.lib.stride_tricks.as_strided(
        x, (n, c, kh, kw, oh, ow), (sn, sc, sy * dh, sx * dw, sy * sh, sx * sw)
    )


def _columns(xp, x, kernel, stride, padding, dilation):
    """Patches as columns (N, C·kh·kw, oh·ow), and (oh, ow)."""
    patches = windows(xp, padded(xp, x, padding), kernel, stride, dilation)
    n, c, kh, kw, oh, ow = patches.shape
    return patches.reshape(n, c * kh * kw, oh * ow), (oh, ow)


def _check(input, weight, bias, stride, padding, dilation, groups):
    if input.ndim != 4 or weight.ndim != 4:
        raise RuntimeError(
            f"Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: "
            f"{list(input.shape)}"
        )
    if min(stride) < 1 or min(dilation) < 1:
        raise RuntimeError("non-positive stride is not supported")
    if min(padding) < 0:
        raise RuntimeError("negative padding is not supported")
    if groups < 1 or weight.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0 and "
            f"divisible by it, but got weight of size {list(weight.shape)} instead"
        )
    if input.shape[1] != weight.shape[1] * groups:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {list(weight.shape)}, expected input"
            f"{list(input.shape)} to have {weight.shape[1] * groups} channels, but got "
            f"{input.shape[1]} channels instead"
        )
    if bias is not None and bias.shape != (weight.shape[0],):
        raise RuntimeError(
            f"Given weight of size {list(weight.shape)}, expected bias to be 1-dimensional with "
            f"{weight.shape[0]} elements, but got bias of size {list(bias.shape)} instead"
        )
    for size, k, p, d in zip(input.shape[2:], weight.shape[2:], padding, dilation, strict=True):
        if size + 2 * p < d * (k - 1) + 1:
            padded_size = " x ".join(
                str(s + 2 * q) for s, q in zip(input.shape[2:], padding, strict=True)
            )
            kernel = " x ".join(
                str(e * (n - 1) + 1) for n, e in zip(weight.shape[2:], dilation, strict=True)
            )
            raise RuntimeError(
                f"Calculated padded input size per channel: ({padded_size}). Kernel size: "
                f"({kernel}). Kernel size can't be greater than actual input size"
            )


def _conv_shape(input, weight, stride, padding, dilation):
    sides = zip(input[2:], weight[2:], pair(stride), pair(padding), pair(dilation), strict=True)
    return (input[0], weight[0], *(out_size(*side) for side in sides))


def _conv_errors(make):
    yield Sample(make(2, 3, 5, 5), make(4, 2, 3, 3))
    yield Sample(make(2, 3, 2, 2), make(4, 3, 3, 3))
    yield Sample(make(2, 3, 5, 5), make(4, 3, 3, 3), make(3))
    yield Sample(make(2, 3, 5, 5), make(4, 3, 3, 3), None, 0)
    yield Sample(make(2, 3, 5, 5), make(4, 3, 3, 3), None, 1, -1)
    yield Sample(make(2, 4, 5, 5), make(3, 2, 3, 3), None, 1, 0, 1, 2)


def _conv_samples(make):
    yield Sample(make(2, 3, 5, 6), make(4, 3, 3, 2), make(4))
    yield Sample(make(2, 3, 5, 6), make(4, 3, 3, 3), None, (2, 1), (1, 2))
    yield Sample(make(1, 4, 7, 6), make(6, 2, 3, 2), make(6), 1, 1, 2, 2)
    yield Sample(make(2, 4, 5, 5), make(4, 1, 3, 3), None, 2, 1, 1, 4)
    yield Sample(make(0, 3, 5, 5), make(4, 3, 3, 3), make(4))


@op(
    errors=_conv_errors,
    accepts="iufc",
    shape=_conv_shape,
    namespace="nn.functional",
    dtype="same",
    samples=_conv_samples,
)
def conv2d(xp, input, weight, bias=None, /, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation. `input` (N, C, H, W), `weight` (O, C/groups, kh, kw), `bias` (O)
    → (N, O, oh, ow).

    Raises RuntimeError when channels, groups, bias or kernel do not fit the input.
    """
    stride, padding, dilation = pair(stride), pair(padding), pair(dilation)
    _check(input, weight, bias, stride, padding, dilation, groups)
    columns, (oh, ow) = _columns(xp, input, weight.shape[2:], stride, padding, dilation)
    n, out_channels = input.shape[0], weight.shape[0]
    if groups == 1:
        out = xp.matmul(weight.reshape(out_channels, -1), columns)
    else:
        per = columns.reshape(n, groups, columns.shape[1] // groups, oh * ow)
        out = xp.matmul(weight.reshape(groups, out_channels // groups, -1), per)
    out = out.reshape(n, out_channels, oh, ow)
    if bias is not None:
        out += bias.reshape(-1, 1, 1)
    return out


conv2d.vjp(
    input=lambda F, g, weight, input_shape, stride, padding, dilation, groups: F.conv2d_input(
        g, F.conj(weight), input_shape, stride, padding, dilation, groups
    ),
    weight=lambda F, g, input, weight_shape, stride, padding, dilation, groups: F.conv2d_weight(
        F.conj(input), g, weight_shape, stride, padding, dilation, groups
    ),
    bias=lambda F, g: F.sum(g, (0, 2, 3), False),
)


def _input_samples(make):
    yield Sample(make(2, 4, 3, 5), make(4, 3, 3, 2), (2, 3, 5, 6), 1, 0, 1, 1)
    yield Sample(make(2, 4, 3, 8), make(4, 3, 3, 3), (2, 3, 5, 6), (2, 1), (1, 2), 1, 1)


@op(
    shape=shape_setting,
    function=False,
    method=False,
    oracle=False,
    samples=_input_samples,
)
def conv2d_input(xp, input, weight, /, shape, stride, padding, dilation, groups):
    """The adjoint of conv2d in its input: gradients (N, O, oh, ow) → (N, C, H, W) = `shape`."""
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    n, c, h, w = shape
    out_channels, _, kh, kw = weight.shape
    oh, ow = input.shape[2:]
    flat = input.reshape(n, groups, out_channels // groups, oh * ow)
    kernel = weight.reshape(groups, out_channels // groups, -1).swapaxes(-1, -2)
    if groups == 1:
        columns = xp.matmul(kernel[0], flat[:, 0])
    else:
        columns = xp.matmul(kernel, flat)
    columns = columns.reshape(n, c, kh, kw, oh, ow)
    out = xp.zeros((n, c, h + 2 * ph, w + 2 * pw), dtype=columns.dtype)
    for i in range(kh):
        rows = slice(i * dh, i * dh + (oh - 1) * sh + 1, sh)
        for j in range(kw):
            out[:, :, rows, j * dw : j * dw + (ow - 1) * sw + 1 : sw] += columns[:, :, i, j]
    return xp.ascontiguousarray(out[:, :, ph : ph + h, pw : pw + w]) if ph or pw else out


conv2d_input.vjp(
    input=lambda F, g, weight, stride, padding, dilation, groups: F.conv2d(
        g, weight, None, stride, padding, dilation, groups
    ),
    weight=lambda F, g, input, weight_shape, stride, padding, dilation, groups: F.conv2d_weight(
        g, input, weight_shape, stride, padding, dilation, groups
    ),
)


def _weight_samples(make):
    yield Sample(make(2, 3, 5, 6), make(2, 4, 3, 5), (4, 3, 3, 2), 1, 0, 1, 1)
    yield Sample(make(2, 4, 5, 6), make(2, 4, 3, 8), (4, 2, 3, 3), (2, 1), (1, 2), 1, 2)


@op(
    shape=shape_setting,
    function=False,
    method=False,
    oracle=False,
    samples=_weight_samples,
)
def conv2d_weight(xp, input, other, /, shape, stride, padding, dilation, groups):
    """The adjoint of conv2d in its weight: (N, C, H, W) and (N, O, oh, ow) → `shape`."""
    out_channels = shape[0]
    n, _, oh, ow = other.shape
    columns, _ = _columns(xp, input, shape[2:], pair(stride), pair(padding), pair(dilation))
    g = other.reshape(n, groups, out_channels // groups, oh * ow)
    columns = columns.reshape(n, groups, columns.shape[1] // groups, oh * ow)
    if groups == 1:
        out = xp.tensordot(g[:, 0], columns[:, 0], axes=((0, 2), (0, 2)))
    else:
        out = xp.matmul(g, columns.swapaxes(-1, -2)).sum(axis=0)
    return out.reshape(shape)


conv2d_weight.vjp(
    input=lambda F, g, other, input_shape, stride, padding, dilation, groups: F.conv2d_input(
        other, g, input_shape, stride, padding, dilation, groups
    ),
    other=lambda F, g, input, stride, padding, dilation, groups: F.conv2d(
        input, g, None, stride, padding, dilation, groups
    ),
)
