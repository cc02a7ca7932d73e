"""autocast: products and convolutions in half precision inside a block (torch.amp's).

What is cast is torch's list for the CPU: products, convolutions and attention take float32 operands
in bfloat16 (or float16), a few functions that need range take half-precision operands in float32,
everything else computes in the dtypes it is given. The first block of a process puts a look at the
switch into the functions of those ops; until then they pay nothing for it.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from workbench.arrays import as_dtype
from workbench.arrays.dtypes import bfloat16, dtype, float16, float32

from .binding import BOUND, guard
from .functions import function
from .tensor import Tensor

_F = TypeVar("_F", bound=Callable[..., Any])

LOWER = (
    "matmul", "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "convolution", "attention",
)  # fmt: skip
FULL = (
    "prod", "cdist_forward", "fft_c2c", "fft_r2c", "fft_c2r", "cholesky", "eigh", "eigvalsh", "svd",
    "qr", "inv", "det", "slogdet", "solve", "matrix_exp", "mse_loss",
)  # fmt: skip
_DEFAULT = {"cpu": bfloat16, "cuda": float16}


class _State(threading.local):
    target: np.dtype | None = None  # read by the guarded ops
    kind: dtype | None = None


state = _State()
_defaults = dict(_DEFAULT)
_guarded = False


def _prepare() -> None:
    """Put the look at the switch into the ops, once."""
    global _guarded
    if _guarded:
        return
    _guarded = True
    for names, convert in ((LOWER, lowered_call), (FULL, full_call)):
        for name in names:
            if name not in BOUND:
                continue
            bound = BOUND[name]
            given = "".join(f"{p.name}, " for p in bound.op.params)
            lines = [
                "    if autocast_state.target is not None:",
                f"        return autocast_convert(bound, ({given}))",
            ]
            guard(bound, lines, autocast_state=state, autocast_convert=convert)


def lowered(value: Any) -> Any:
    """A float32 tensor in the block's dtype; everything else as it is."""
    target = state.target
    if target is None or not isinstance(value, Tensor):
        return value
    if value.array.dtype == np.float32 or (
        value.array.dtype.itemsize == 2 and value.array.dtype.kind in "fV"
    ):
        from .transfer import cast_to

        return cast_to(value, target)
    return value


def _widened(value: Any) -> Any:
    if isinstance(value, Tensor) and value.dtype in (float16, bfloat16):
        from .transfer import cast_to

        return cast_to(value, float32.numpy)
    return value


def _converted(convert: Callable[[Any], Any], bound: Any, args: tuple[Any, ...]) -> Any:
    args = tuple(convert(a) for a in args)
    held, state.target = state.target, None
    try:
        return bound.call(*args)
    finally:
        state.target = held


def lowered_call(bound: Any, args: tuple[Any, ...]) -> Any:
    """An op on operands in the block's dtype."""
    return _converted(lowered, bound, args)


def full_call(bound: Any, args: tuple[Any, ...]) -> Any:
    """An op on operands in at least float32."""
    return _converted(_widened, bound, args)


class autocast:  # noqa: N801 - torch spells it so
    """Half precision where it is safe, inside a block or a decorated function.

    `device_type` is "cpu" or "cuda", `dtype` bfloat16 (the CPU's default) or float16. With
    `enabled=False` a block inside another one computes in the dtypes it is given. Raises
    RuntimeError for other devices; other dtypes, and "cuda" without a device, warn and switch off.
    """

    def __init__(
        self,
        device_type: str,
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.device = device_type
        if device_type not in _defaults:
            raise RuntimeError(
                f"User specified an unsupported autocast device_type '{device_type}'; there are "
                "'cpu' and 'cuda'"
            )
        self.fast_dtype = _defaults[device_type] if dtype is None else as_dtype(dtype)
        if enabled and device_type == "cuda":
            from workbench.arrays.backends import cuda

            if not cuda.is_available():
                warnings.warn(
                    "User provided device_type of 'cuda', but CUDA is not available. Disabling",
                    UserWarning,
                    stacklevel=2,
                )
                enabled = False
        if enabled and self.fast_dtype not in (bfloat16, float16):
            warnings.warn(
                f"In {device_type} autocast, but the target dtype {self.fast_dtype} is not "
                "supported. Disabling autocast. Supported are bfloat16 and float16",
                UserWarning,
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled
        self._before: list[tuple[Any, Any]] = []

    def __enter__(self) -> autocast:
        self._before.append((state.target, state.kind))
        if self._enabled:
            _prepare()
            state.target, state.kind = self.fast_dtype.numpy, self.fast_dtype
        else:
            state.target, state.kind = None, None
        return self

    def __exit__(self, *error: object) -> None:
        state.target, state.kind = self._before.pop()

    def __call__(self, func: _F) -> _F:
        """The function, computing as the block would."""

        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return wrapped  # type: ignore[return-value]


@function(method=False)
def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether this thread is inside an autocast block."""
    return state.target is not None


@function(method=False)
def get_autocast_dtype(device_type: str = "cuda") -> dtype:
    """The dtype of the block, or the one a block would take for this device."""
    return state.kind or _defaults[device_type]


@function(method=False)
def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    """Make `dtype` what blocks without one take for this device."""
    _defaults[device_type] = as_dtype(dtype)


@function(method=False)
def is_autocast_cpu_enabled() -> bool:
    """Whether this thread is inside an autocast block."""
    return state.target is not None


@function(method=False)
def get_autocast_cpu_dtype() -> dtype:
    """The dtype of the block, or the one a block would take on the CPU."""
    return get_autocast_dtype("cpu")


@function(method=False)
def get_autocast_gpu_dtype() -> dtype:
    """The dtype that blocks take on CUDA devices."""
    return get_autocast_dtype("cuda")


@function(method=False)
def clear_autocast_cache() -> None:
    """Nothing to clear: casts are not kept."""


@function(method=False)
def is_autocast_cache_enabled() -> bool:
    """False: casts are not kept."""
    return False


def is_autocast_available(device_type: str) -> bool:
    """Whether there is autocast for a device."""
    return device_type in _defaults
