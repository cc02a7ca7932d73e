"""Sliding blocks of planes as columns, and columns summed back: each other's adjoints."""

from __future__ import annotations

import operator

from .declare import op
from .samples import Sample
from .windows import positions, regular


def _pair(name, value):
    many = isinstance(value, (tuple, list))
    if many and len(value) != 2:
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(value)}")
    try:
        return tuple(operator.index(v) for v in (value if many else (value, value)))
    except TypeError:
        raise TypeError(
            f"argument '{name}' must be an int or a tuple of two, got {value!r}"
        ) from None


def _blocks(size, kernel_size, dilation, padding, stride):
    """The sides of sliding blocks over planes of `size`, and the block's size."""
    kernel, gap = _pair("kernel_size", kernel_size), _pair("dilation", dilation)
    edge, step = _pair("padding", padding), _pair("stride", stride)
    for name, values in (("kernel size", kernel), ("dilation", gap), ("stride", step)):
        if min(values) < 1:
            raise RuntimeError(f"{name} should be greater than zero, but got {values}")
    if min(edge) < 0:
        raise RuntimeError(f"padding should be non-negative, but got {edge}")
    every = list(zip(size, kernel, step, edge, gap, strict=True))
    counts = [positions(*side, False) for side in every]
    if min(counts) < 1:
        raise RuntimeError(
            f"Given input with spatial size {tuple(size)}, kernel_size={kernel}, dilation={gap}, "
            f"padding={edge}, calculated shape of the array of sliding blocks as {tuple(counts)}, "
            "but its components must be at least one."
        )
    return [regular(n, o, *rest) for (n, *rest), o in zip(every, counts, strict=True)], kernel


def _images(shape):
    if len(shape) < 3:  # which torch notices by looking for its height
        raise IndexError(
            f"unfold(): Expected 3D or 4D (batch mode) input, but got input of size: {list(shape)}"
        )
    if len(shape) not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(shape)}"
        )


def _columns_shape(input, kernel_size, dilation, padding, stride):
    _images(input)
    sides, kernel = _blocks(input[-2:], kernel_size, dilation, padding, stride)
    rows = input[-3] * kernel[0] * kernel[1]
    return (*input[:-3], rows, sides[0].n_out * sides[1].n_out)


def _unfold_samples(make):
    yield Sample(make(2, 3, 5, 4), 2)
    yield Sample(make(2, 5, 7), (3, 2), (1, 2), (1, 0), (2, 1))
    yield Sample(make(1, 1, 2, 3), 1, 3, 4)
    yield Sample(make(0, 3, 5, 4), 2)


def _unfold_errors(make):
    for shape in ((5, 5), (2, 0, 5, 5), (2, 3, 0, 5), (1, 2, 3, 4, 5)):
        yield Sample(make(*shape), 2)
    for settings in ((0,), (2, 0), (2, 1, -1), (2, 1, 0, 0), (9,), ((2, 2, 2),), (2.5,)):
        yield Sample(make(2, 3, 5, 5), *settings)


@op(
    accepts="bfc",
    shape=_columns_shape,
    function=False,
    method=False,
    samples=_unfold_samples,
    errors=_unfold_errors,
    oracle=lambda torch, *args, **named: torch.nn.functional.unfold(*args, **named),
)
def im2col(xp, input, /, kernel_size, dilation=1, padding=0, stride=1):
    """Sliding blocks of (N, C, H, W) as columns (N, C kh kw, blocks), N left out or not.

    Raises RuntimeError where no block fits.
    """
    _images(input.shape)
    sides, kernel = _blocks(input.shape[-2:], kernel_size, dilation, padding, stride)
    rows, columns = sides
    lead = input.shape[:-2]
    whole = all(len(s.taps) == k and _inside(s) for s, k in zip(sides, kernel, strict=True))
    make = xp.empty if whole else xp.zeros
    out = make((*lead, *kernel, rows.n_out, columns.n_out), input.dtype)
    for i, above, row in rows.taps:
        for j, left, column in columns.taps:
            out[..., i, j, above, left] = input[..., row, column]
    return out.reshape(*lead[:-1], lead[-1] * kernel[0] * kernel[1], rows.n_out * columns.n_out)


def _inside(side):
    return all(windows.stop - windows.start == side.n_out for _, windows, _ in side.taps)


def _sized(shape, output_size, kernel_size, dilation, padding, stride):
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {list(shape)}"
        )
    size = _pair("output_size", output_size)
    sides, kernel = _blocks(size, kernel_size, dilation, padding, stride)
    area = kernel[0] * kernel[1]
    if shape[-2] % area:
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={shape[-2]} and kernel_size={kernel}."
        )
    count = sides[0].n_out * sides[1].n_out
    if shape[-1] != count:
        raise RuntimeError(
            f"Given output_size={size}, kernel_size={kernel}, expected size of input's dimension 2 "
            f"to match the calculated number of sliding blocks {sides[0].n_out} * "
            f"{sides[1].n_out} = {count}, but got input.size(2)={shape[-1]}."
        )
    return size, sides, kernel, shape[-2] // area


def _image_shape(input, output_size, kernel_size, dilation, padding, stride):
    size, _, _, channels = _sized(input, output_size, kernel_size, dilation, padding, stride)
    return (*input[:-2], channels, *size)


def _fold_samples(make):
    yield Sample(make(2, 12, 12), (5, 4), 2)
    yield Sample(make(12, 15), (5, 7), (3, 2), (1, 2), (1, 0), (2, 1))
    yield Sample(make(0, 12, 12), (5, 4), 2)


def _fold_errors(make):
    for shape in ((2, 12, 15), (2, 11, 16), (2, 0, 16), (2, 12, 16, 1)):
        yield Sample(make(*shape), (5, 5), 2)
    for settings in ((5, 0), (5, 2, 0), (5, 2, 1, -1), (5, 2, 1, 0, 0), ((5, 5, 5), 2), (-5, 2)):
        yield Sample(make(2, 12, 16), *settings)


@op(
    accepts="bfc",
    shape=_image_shape,
    function=False,
    method=False,
    samples=_fold_samples,
    errors=_fold_errors,
    oracle=lambda torch, *args, **named: torch.nn.functional.fold(*args, **named),
)
def col2im(xp, input, /, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Columns (N, C kh kw, blocks) summed into (N, C, *output_size): the adjoint of im2col.

    Raises RuntimeError when the columns are not those of such blocks.
    """
    size, (rows, columns), kernel, channels = _sized(
        input.shape, output_size, kernel_size, dilation, padding, stride
    )
    lead = (*input.shape[:-2], channels)
    blocks = input.reshape(*lead, *kernel, rows.n_out, columns.n_out)
    out = xp.zeros((*lead, *size), input.dtype)
    for i, above, row in rows.taps:
        for j, left, column in columns.taps:
            out[..., row, column] += blocks[..., i, j, above, left]
    return out


im2col.vjp(
    input=lambda F, g, input_shape, kernel_size, dilation, padding, stride: F.col2im(
        g, tuple(input_shape[-2:]), kernel_size, dilation, padding, stride
    )
)
col2im.vjp(
    input=lambda F, g, kernel_size, dilation, padding, stride: F.im2col(
        g, kernel_size, dilation, padding, stride
    )
)
