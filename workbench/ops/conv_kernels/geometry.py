"""The geometry of a convolution, read from shapes and settings once and checked."""

from __future__ import annotations

from functools import lru_cache
from math import prod

Ints = tuple[int, ...]


class Geometry:
    """What a convolution of (N, C, *ins) to (N, K, *outs) reads where; for its adjoints too.

    `lo` and `hi` are the zeros in front of and behind each side, `room` the padded sides.
    """

    __slots__ = ("batch", "c", "dilation", "dims", "groups", "hi", "ins", "k", "kernel", "lo",
                 "outs", "room", "stride")  # fmt: skip

    def _numbers(self) -> tuple[object, ...]:
        return (self.batch, self.c, self.k, self.groups, self.ins, self.kernel, self.stride,
                self.dilation, self.lo, self.hi, self.outs)  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Geometry) and self._numbers() == other._numbers()

    def __hash__(self) -> int:
        return hash(self._numbers())

    def __init__(
        self, batch: int, c: int, k: int, groups: int, ins: Ints, kernel: Ints, stride: Ints,
        dilation: Ints, lo: Ints, hi: Ints, outs: Ints | None = None,
    ) -> None:  # fmt: skip
        self.batch, self.c, self.k, self.groups = batch, c, k, groups
        self.ins, self.kernel, self.stride, self.dilation = ins, kernel, stride, dilation
        self.lo, self.hi, self.dims = lo, hi, len(ins)
        self.room = tuple(n + a + b for n, a, b in zip(ins, lo, hi, strict=True))
        self.outs = outs or tuple(
            (n - d * (k - 1) - 1) // s + 1
            for n, k, s, d in zip(self.room, kernel, stride, dilation, strict=True)
        )

    @property
    def taps(self) -> int:
        """Positions of the kernel."""
        return prod(self.kernel)

    @property
    def x_shape(self) -> Ints:
        """(N, C, *ins)"""
        return (self.batch, self.c, *self.ins)

    @property
    def y_shape(self) -> Ints:
        """(N, K, *outs)"""
        return (self.batch, self.k, *self.outs)

    @property
    def w_shape(self) -> Ints:
        """(K, C / groups, *kernel)"""
        return (self.k, self.c // self.groups, *self.kernel)

    @property
    def work(self) -> int:
        """Multiplications."""
        return prod(self.y_shape) * (self.c // self.groups) * self.taps

    def padded(self) -> bool:
        """Whether there is any padding."""
        return any(self.lo) or any(self.hi)

    def resized(self, batch: int, c: int, k: int, groups: int) -> Geometry:
        """The same windows over another number of images and channels."""
        return Geometry(batch, c, k, groups, self.ins, self.kernel, self.stride, self.dilation,
                        self.lo, self.hi, self.outs)  # fmt: skip

    def group(self) -> Geometry:
        """That of one image and one group."""
        return self.resized(1, self.c // self.groups, self.k // self.groups, 1)

    def lifted(self) -> Geometry:
        """The same with three sides, the missing ones of length 1 in front."""
        one, none = (1,) * (3 - self.dims), (0,) * (3 - self.dims)
        return Geometry(
            self.batch, self.c, self.k, self.groups, one + self.ins, one + self.kernel,
            one + self.stride, one + self.dilation, none + self.lo, none + self.hi, one + self.outs,
        )  # fmt: skip


def ints(value, dims, name):
    """A setting as `dims` ints: one for all sides, or one for each.

    Raises RuntimeError for another number of them, TypeError for what is no integer.
    """
    if type(value) is int:
        return (value,) * dims
    if isinstance(value, (tuple, list)):
        if len(value) not in (1, dims):
            raise RuntimeError(
                f"expected {name} to be a single integer value or a list of {dims} values to match "
                f"the convolution dimensions, but got {name}={list(value)}"
            )
        made = tuple(_whole(v, name) for v in value)
        return made if len(made) == dims else made * dims
    return (_whole(value, name),) * dims


def _whole(value, name):
    if isinstance(value, (bool, float, str)) or not hasattr(value, "__index__"):
        raise TypeError(
            f"convolution: {name} must be an int or a tuple of ints, got {value!r} "
            f"({type(value).__name__})"
        )
    return int(value)


def paddings(padding, kernel, stride, dilation):
    """(in front, behind) of every side; "same" puts an odd rest behind."""
    if not isinstance(padding, str):
        made = ints(padding, len(kernel), "padding")
        if min(made, default=0) < 0:
            raise RuntimeError("negative padding is not supported")
        return made, made
    if padding == "valid":
        return (0,) * len(kernel), (0,) * len(kernel)
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: {padding!r}; use 'same' or 'valid'")
    if any(step != 1 for step in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    totals = [d * (n - 1) for n, d in zip(kernel, dilation, strict=True)]
    return tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)


def _settings(dims, stride, dilation, groups):
    """Stride, dilation and groups, each positive."""
    stride, dilation = ints(stride, dims, "stride"), ints(dilation, dims, "dilation")
    groups = _whole(groups, "groups")
    for name, smallest in (("stride", min(stride)), ("dilation", min(dilation)),
                           ("groups", groups)):  # fmt: skip
        if smallest < 1:
            raise RuntimeError(f"non-positive {name} is not supported")
    return stride, dilation, groups


def _check_ranks(name, dims, x, w):
    if len(x) not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {name}, but got "
            f"input of size: {list(x)}"
        )
    if len(w) != dims + 2:
        raise RuntimeError(
            f"{name} expects a weight of {dims + 2} dimensions, (out_channels, in_channels / "
            f"groups, {', '.join('DHW'[-dims:])} of the kernel), but got weight of size: {list(w)}"
        )


def _check_groups(w, groups):
    if w[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but "
            f"got weight of size {list(w)} instead"
        )
    if w[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of size {list(w)} instead"
        )


def _check_bias(given, w, bias, channels):
    if bias is not None and tuple(bias) != (channels,):
        raise RuntimeError(
            f"Given {given}, weight of size {list(w)}, expected bias to be 1-dimensional with "
            f"{channels} elements, but got bias of size {list(bias)} instead"
        )


@lru_cache(maxsize=1024)
def forward(name, x, w, bias, stride, padding, dilation, groups):
    """The geometry of a convolution of an input of shape `x`, checked.

    Raises RuntimeError as torch does when shapes or settings do not fit, TypeError for settings
    that are no integers.
    """
    dims = int(name[-2])
    _check_ranks(name, dims, x, w)
    stride, dilation, groups = _settings(dims, stride, dilation, groups)
    kernel = w[2:]
    lo, hi = paddings(padding, kernel, stride, dilation)
    _check_groups(w, groups)
    batch, channels = (x[0], x[1]) if len(x) == dims + 2 else (1, x[0])
    if channels != w[1] * groups:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {list(w)}, expected input{list(x)} to have "
            f"{w[1] * groups} channels, but got {channels} channels instead"
        )
    _check_bias(f"groups={groups}", w, bias, w[0])
    made = Geometry(batch, channels, w[0], groups, x[-dims:], kernel, stride, dilation, lo, hi)
    reach = [d * (n - 1) + 1 for n, d in zip(kernel, dilation, strict=True)]
    if min(kernel) < 1:
        raise RuntimeError(f"{name}: the kernel's sides must be positive, got {list(kernel)}")
    if min(x[-dims:]) < 1 or any(r > n for r, n in zip(reach, made.room, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, made.room))}). "
            f"Kernel size: ({' x '.join(map(str, reach))}). Kernel size can't be greater than "
            "actual input size"
        )
    return made


@lru_cache(maxsize=1024)
def transposed(name, x, w, bias, stride, padding, output_padding, dilation, groups):
    """The geometry of the convolution that a transposed one of an input of shape `x` is adjoint to.

    Raises as `forward` does, and RuntimeError for an output padding that reaches a whole step.
    """
    dims = int(name[-2])
    _check_ranks(name, dims, x, w)
    if isinstance(padding, str):
        raise TypeError(f"{name}(): argument 'padding' must be int or tuple of ints, not str")
    stride, dilation, groups = _settings(dims, stride, dilation, groups)
    padding, extra = ints(padding, dims, "padding"), ints(output_padding, dims, "output_padding")
    if min(padding) < 0:
        raise RuntimeError("negative padding is not supported")
    if min(extra) < 0:
        raise RuntimeError("negative output_padding is not supported")
    _check_groups(w, groups)
    batch, channels = (x[0], x[1]) if len(x) == dims + 2 else (1, x[0])
    if channels != w[0]:
        raise RuntimeError(
            f"Given transposed=1, weight of size {list(w)}, expected input{list(x)} to have "
            f"{w[0]} channels, but got {channels} channels instead"
        )
    _check_bias("transposed=1", w, bias, w[1] * groups)
    if any(e >= s and e >= d for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise RuntimeError(
            "output padding must be smaller than either stride or dilation, but got "
            f"output_padding={list(extra)}, stride={list(stride)}, dilation={list(dilation)}"
        )
    if min(x[-dims:]) < 1:
        raise RuntimeError(
            f"Only zero batch or zero channel inputs are supported, but got input shape: {list(x)}"
        )
    kernel = w[2:]
    outs = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, k, s, p, d, e in zip(x[-dims:], kernel, stride, padding, dilation, extra,
                                    strict=True)
    )  # fmt: skip
    if min(outs) < 1 or min(kernel) < 1:
        raise RuntimeError(
            f"Given input size per channel: {list(x[-dims:])}. Calculated output size per channel: "
            f"{list(outs)}. Output size is too small"
        )
    return adjoint((batch, w[1] * groups, *outs), w, x[-dims:], stride, padding, dilation, groups)


@lru_cache(maxsize=1024)
def adjoint(x, w, outs, stride, padding, dilation, groups):
    """The geometry of a convolution by the shapes of its input and weight, already checked.

    `outs`, the result's sides, may be smaller than what fits: an output padding of a transposed
    convolution makes room for windows that it has not.
    """
    dims = len(w) - 2
    stride, dilation = ints(stride, dims, "stride"), ints(dilation, dims, "dilation")
    lo, hi = paddings(padding, w[2:], stride, dilation)
    batch, channels = (x[0], x[1]) if len(x) == dims + 2 else (1, x[0])
    return Geometry(batch, channels, w[0], groups, x[-dims:], w[2:], stride, dilation, lo, hi,
                    tuple(outs))  # fmt: skip


def plain(value):
    """A setting as something that can be looked up: lists become tuples."""
    return tuple(value) if type(value) is list else value
