"""Pooling in torch's full signatures: the ops of the table, with indices where asked for."""

from __future__ import annotations

import math
from typing import Any

from workbench.ops.windows import ints
from workbench.tensor import FUNCTIONS, Tensor
from workbench.tensor.functions import raw

__all__ = [
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_with_indices",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_with_indices",
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool2d_with_indices",
    "max_pool3d",
    "max_pool3d_with_indices",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]

_MAX = {dims: raw(f"max_pool{dims}d") for dims in (1, 2, 3)}
_MAX_AT = {dims: raw(f"max_pool{dims}d_with_indices") for dims in (1, 2, 3)}
_ADAPTIVE = {dims: raw(f"adaptive_max_pool{dims}d_with_indices") for dims in (1, 2, 3)}
_FRACTIONAL = {dims: raw(f"fractional_max_pool{dims}d_with_indices") for dims in (2, 3)}
_AVG = {dims: raw(f"avg_pool{dims}d") for dims in (1, 2, 3)}
_put = raw("put_planes")
_rand = FUNCTIONS[""]["rand"]
_relu = FUNCTIONS[""]["relu"]

_WINDOWS = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}


def _max_pools(dims: int) -> tuple[Any, Any]:
    values, both = _MAX[dims], _MAX_AT[dims]

    def with_indices(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        return tuple(both(input, kernel_size, stride, padding, dilation, ceil_mode))

    def pool(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        if return_indices:
            return tuple(both(input, kernel_size, stride, padding, dilation, ceil_mode))
        return values(input, kernel_size, stride, padding, dilation, ceil_mode)

    pool.__doc__ = f"""The largest value of each window of {_WINDOWS[dims]}, N left out or not.

    With `return_indices` also where it was, as a position in the flattened input of its channel.
    """
    with_indices.__doc__ = "The largest value of each window, and where it was."
    return _named(pool, f"max_pool{dims}d"), _named(with_indices, f"max_pool{dims}d_with_indices")


def _named(made: Any, name: str) -> Any:
    made.__name__ = made.__qualname__ = name
    return made


max_pool1d, max_pool1d_with_indices = _max_pools(1)
max_pool2d, max_pool2d_with_indices = _max_pools(2)
max_pool3d, max_pool3d_with_indices = _max_pools(3)


def _adaptive_pools(dims: int) -> tuple[Any, Any]:
    both = _ADAPTIVE[dims]

    def with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        return tuple(both(input, output_size))

    def pool(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        found = both(input, output_size)
        return tuple(found) if return_indices else found[0]

    pool.__doc__ = f"""The largest value of each of a grid of bins over {_WINDOWS[dims]}.

    `output_size`: the grid's size, an int for all sides or one each (None: as large as the input).
    """
    with_indices.__doc__ = "The largest value of each bin, and where it was."
    name = f"adaptive_max_pool{dims}d"
    return _named(pool, name), _named(with_indices, f"{name}_with_indices")


adaptive_max_pool1d, adaptive_max_pool1d_with_indices = _adaptive_pools(1)
adaptive_max_pool2d, adaptive_max_pool2d_with_indices = _adaptive_pools(2)
adaptive_max_pool3d, adaptive_max_pool3d_with_indices = _adaptive_pools(3)


def _fractional_pools(dims: int) -> tuple[Any, Any]:
    name = f"fractional_max_pool{dims}d"

    def with_indices(
        input: Tensor,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        shape = tuple(input.shape)
        if output_size is None:
            if output_ratio is None:
                raise ValueError(
                    f"{name} requires specifying either an output_size or an output_ratio"
                )
            many = isinstance(output_ratio, (tuple, list))
            ratios = tuple(output_ratio) if many else (output_ratio,) * dims
            if len(ratios) != dims:
                raise ValueError(
                    f"{name} requires output_ratio to be a number or {dims} of them, got "
                    f"{output_ratio}"
                )
            output_size = tuple(int(n * r) for n, r in zip(shape[-dims:], ratios, strict=False))
        draws = _random_samples
        if draws is None:
            if len(shape) < dims + 1:
                raise IndexError(
                    f"{name}(): Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input, "
                    f"but got input of size: {list(shape)}"
                )
            batch = 1 if len(shape) == dims + 1 else shape[0]
            draws = _rand(batch, shape[-dims - 1], dims, dtype=input.dtype, device=input.device)
        return tuple(_FRACTIONAL[dims](input, draws, kernel_size, output_size))

    def pool(
        input: Tensor,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> Any:
        found = with_indices(
            input, kernel_size, output_size, output_ratio, return_indices, _random_samples
        )
        return found if return_indices else found[0]

    pool.__doc__ = f"""The largest value of each window of {_WINDOWS[dims]}, placed at random.

    The result has `output_size` sides, or `output_ratio` times the input's (Graham, 2014).
    Raises ValueError when neither is given, RuntimeError for windows that do not fit.
    """
    with_indices.__doc__ = "The largest value of each randomly placed window, and where it was."
    return _named(pool, name), _named(with_indices, f"{name}_with_indices")


fractional_max_pool2d, fractional_max_pool2d_with_indices = _fractional_pools(2)
fractional_max_pool3d, fractional_max_pool3d_with_indices = _fractional_pools(3)


# -- unpooling ------------------------------------------------------------------------------------


def _unpool_size(
    input: Tensor, kernel: Any, stride: Any, padding: Any, wanted: Any, dims: int
) -> tuple[int, ...]:
    name = f"max_unpool{dims}d"
    kernel = ints(name, "kernel_size", kernel, dims)
    stride = kernel if stride is None else ints(name, "stride", stride, dims)
    padding = ints(name, "padding", padding, dims)
    shape = tuple(input.shape)
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{name}(): Input to {name} should be a {dims + 1}d or {dims + 2}d Tensor, but got "
            f"{list(shape)}"
        )
    natural = tuple(
        (n - 1) * s + k - 2 * p
        for n, s, k, p in zip(shape[-dims:], stride, kernel, padding, strict=True)
    )
    if wanted is None:
        return natural
    sizes = tuple(int(n) for n in wanted)
    if len(sizes) == dims + 2:
        sizes = sizes[2:]
    if len(sizes) != dims:
        raise ValueError(
            f"output_size should be a sequence containing {dims} or {dims + 2} elements, but it "
            f"has a length of '{len(sizes)}'"
        )
    for d, (n, size, s) in enumerate(zip(natural, sizes, stride, strict=True)):
        if not n - s < size < n + s:
            raise ValueError(
                f'invalid output_size "{list(sizes)}" (dim {d} must be between {n - s} and {n + s})'
            )
    return sizes


def _unpool(dims: int) -> Any:
    def unpool(
        input: Tensor,
        indices: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        output_size: Any = None,
    ) -> Tensor:
        size = _unpool_size(input, kernel_size, stride, padding, output_size, dims)
        return _put(input, indices, size)

    unpool.__doc__ = f"""A partial inverse of max_pool{dims}d: values put back where `indices` says.

    Everything else is 0. `output_size` chooses between the sizes that pool to the input's.
    Raises ValueError for a size that does not, RuntimeError for indices that do not fit.
    """
    return _named(unpool, f"max_unpool{dims}d")


max_unpool1d, max_unpool2d, max_unpool3d = (_unpool(dims) for dims in (1, 2, 3))


# -- power averages -------------------------------------------------------------------------------


def _lp_pool(dims: int) -> Any:
    def pool(
        input: Tensor,
        norm_type: float,
        kernel_size: Any,
        stride: Any = None,
        ceil_mode: bool = False,
    ) -> Tensor:
        kernel = ints(f"lp_pool{dims}d", "kernel_size", kernel_size, dims)
        if norm_type in (math.inf, -math.inf):
            if norm_type > 0:
                return _MAX[dims](input.abs(), kernel_size, stride, 0, 1, ceil_mode)
            return -_MAX[dims](-input.abs(), kernel_size, stride, 0, 1, ceil_mode)
        out = _AVG[dims](input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
        # the detour by sign and relu gives the gradient 0 where a window's sum is 0
        return (out.sign() * _relu(out.abs())).mul(math.prod(kernel)).pow(1.0 / norm_type)

    pool.__doc__ = f"""(Σ xᵖ)^(1/p) over each window of {_WINDOWS[dims]}, p = `norm_type`.

    With p infinite the largest (or smallest) absolute value.
    """
    return _named(pool, f"lp_pool{dims}d")


lp_pool1d, lp_pool2d, lp_pool3d = (_lp_pool(dims) for dims in (1, 2, 3))
