"""`inplace=True`: the result written over the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.tensor import Tensor


def finish(inplace: bool, function: Callable[..., Tensor], input: Tensor, *args: Any) -> Tensor:
    """`function(input, *args)`, stored into `input` when `inplace`.

    The function then sees a copy, so that what its gradient needs is not overwritten.
    """
    if not inplace:
        return function(input, *args)
    return input.copy_(function(input.clone(), *args))
