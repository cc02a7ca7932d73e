"""Shapes: reshaping, joining, repeating."""

from __future__ import annotations

from typing import Any

from workbench.tensor import Tensor
from workbench.tensor.functions import raw

from .array import alias, standard, table, together


def dimension(axis: int, ndim: int, name: str) -> int:
    """A dimension counted from the front. Raises IndexError where it is out of range."""
    if not -ndim <= axis < ndim:
        raise IndexError(f"{name}: axis {axis} is out of range for {ndim} dimension(s)")
    return axis % ndim


@standard
def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """The arrays expanded to their common shape."""
    made = table["broadcast_tensors"](*arrays)
    return [alias(x) if any(x is a for a in arrays) else x for x in made]


@standard
def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor:
    """`x` expanded to a shape. Raises RuntimeError where it does not broadcast to it."""
    return raw("expand")(x, tuple(shape))


@standard
def concat(arrays: Any, /, *, axis: int | None = 0) -> Tensor:
    """The arrays one after the other along `axis`; flattened first where it is None."""
    same = together(*arrays)
    if axis is None:
        same = tuple(raw("reshape")(x, (-1,)) for x in same)
        axis = 0
    return raw("cat")(same, dimension(axis, same[0].array.ndim, "concat"))


@standard
def expand_dims(x: Tensor, /, axis: int) -> Tensor:
    """A new dimension of size 1 at `axis`. Raises IndexError where that is out of range."""
    return raw("unsqueeze")(x, dimension(axis, x.array.ndim + 1, "expand_dims"))


@standard
def flip(x: Tensor, /, *, axis: Any = None) -> Tensor:
    """The elements in reverse order along `axis`, all by default."""
    if axis is None:
        axis = tuple(range(x.array.ndim))
    return raw("flip")(x, (axis,) if isinstance(axis, int) else tuple(axis))


@standard
def moveaxis(x: Tensor, source: Any, destination: Any, /) -> Tensor:
    """Dimensions moved to other places, the others keeping their order."""
    return table["movedim"](x, source, destination)


@standard
def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor:
    """The dimensions in another order."""
    return raw("permute")(x, tuple(axes))


@standard
def repeat(x: Tensor, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Each element several times in a row: one count for all, or one each."""
    if axis is None:
        x, axis = raw("reshape")(x, (-1,)), 0
    if isinstance(repeats, Tensor) and repeats.array.size == 1:
        repeats = int(repeats.array.reshape(-1)[0])
    return table["repeat_interleave"](x, repeats, dim=axis)


@standard
def reshape(x: Tensor, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """The same elements in another shape, one side of which may be -1.

    `copy=True` always copies; `copy=False` raises ValueError where the memory's layout needs it.
    """
    shape = tuple(shape)
    if copy is False:
        try:
            return raw("view_as_shape")(x, shape)
        except RuntimeError as error:
            raise ValueError(f"reshape to {shape} needs a copy: {error}") from None
    return raw("reshape")(raw("clone")(x) if copy else x, shape)


@standard
def roll(x: Tensor, /, shift: Any, *, axis: Any = None) -> Tensor:
    """The elements moved round by `shift` places along `axis`, or as if flat."""

    def plain(v: Any) -> Any:
        return (int(v),) if hasattr(v, "__index__") else tuple(int(n) for n in v)

    shifts = plain(shift)
    if axis is None:
        return raw("roll")(x, shifts, ())
    axes = plain(axis)
    if len(shifts) == 1 and len(axes) > 1:
        shifts = shifts * len(axes)
    return raw("roll")(x, shifts, axes)


@standard
def squeeze(x: Tensor, /, axis: Any) -> Tensor:
    """Without dimensions of size 1. Raises ValueError where one is larger."""
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    shape = x.array.shape
    places = sorted({dimension(a, len(shape), "squeeze") for a in axes}, reverse=True)
    for place in places:
        if shape[place] != 1:
            raise ValueError(f"squeeze: axis {place} of shape {tuple(shape)} is not of size 1")
    for place in places:
        x = raw("squeeze")(x, place)
    return x


@standard
def stack(arrays: Any, /, *, axis: int = 0) -> Tensor:
    """The arrays side by side in a new dimension."""
    same = together(*arrays)
    return raw("stack")(same, dimension(axis, same[0].array.ndim + 1, "stack"))


@standard
def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """The whole array repeated along each dimension."""
    return table["tile"](x, tuple(repetitions))


@standard
def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices along a dimension."""
    return tuple(table["unbind"](x, dimension(axis, x.array.ndim, "unstack")))
