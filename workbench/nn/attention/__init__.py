"""torch.nn.attention: which implementation of attention to use, and attention with rules.

There is one implementation here. The names let programs that choose one run unchanged.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from . import bias, flex_attention

__all__ = ["SDPBackend", "bias", "flex_attention", "sdpa_kernel"]


class SDPBackend(enum.IntEnum):
    """torch's implementations of scaled dot-product attention."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(
    backends: SDPBackend | Sequence[SDPBackend], set_priority: bool = False
) -> Iterator[None]:
    """Inside the block scaled dot-product attention may use one of `backends`.

    All of them mean the one implementation there is. Raises AssertionError for what is no
    `SDPBackend` and for an empty list.
    """
    held = [backends] if isinstance(backends, SDPBackend) else backends
    if not isinstance(held, (list, tuple)) or not all(isinstance(b, SDPBackend) for b in held):
        raise AssertionError(
            f"Backend must be an instance of SDPBackend or a list of SDPBackend, got {backends!r}"
        )
    if not held:
        raise AssertionError("sdpa_kernel: name at least one backend")
    yield
