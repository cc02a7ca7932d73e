"""Constructor arguments, checked once, with errors that name the layer and the argument."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any


def whole(layer: str, name: str, value: Any, least: int = 1) -> int:
    """`value` as an int of at least `least`.

    Raises TypeError for non-integers (bools included) and ValueError for smaller ones.
    """
    wanted = "a positive integer" if least == 1 else f"an integer of at least {least}"
    if isinstance(value, bool):
        raise TypeError(f"{layer}: {name} must be {wanted}, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{layer}: {name} must be {wanted}, got {value!r} ({type(value).__name__})"
        ) from None
    if number < least:
        raise ValueError(f"{layer}: {name} must be {wanted}, got {number}")
    return number


def wholes(layer: str, name: str, value: Any, count: int, least: int = 1) -> tuple[int, ...]:
    """An int repeated `count` times, or a sequence of `count` ints, as a tuple.

    Raises TypeError or ValueError as `whole` does, and ValueError for another length.
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) == 1:
            value = [value[0]] * count
        if len(value) != count:
            raise ValueError(
                f"{layer}: {name} must be an integer or {count} of them, got {tuple(value)}"
            )
        return tuple(whole(layer, name, one, least) for one in value)
    return (whole(layer, name, value, least),) * count


def checked(layer: str, name: str, value: Any, count: int, least: int = 1) -> Any:
    """Check as `wholes` does, but keep an int an int (as torch's pooling layers print it)."""
    made = wholes(layer, name, value, count, least)
    return made if isinstance(value, Sequence) else made[0]


def probability(layer: str, name: str, value: Any) -> float:
    """`value` between 0 and 1. Raises ValueError otherwise, TypeError when it is no number."""
    real(layer, name, value)
    if not 0 <= value <= 1:
        raise ValueError(
            f"{layer}: {name} must be a probability between 0 and 1, got {value} "
            "(dropout probability has to be between 0 and 1)"
        )
    return value


def real(layer: str, name: str, value: Any) -> float:
    """`value` if it is a real number. Raises TypeError otherwise."""
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise TypeError(f"{layer}: {name} must be a number, got {value!r}")
    return value


def not_negative(layer: str, name: str, value: Any) -> float:
    """`value` if it is a number ≥ 0. Raises TypeError or ValueError."""
    if not real(layer, name, value) >= 0:
        raise ValueError(f"{layer}: {name} must not be negative, got {value}")
    return value
