"""A line search for the strong Wolfe conditions.

Nocedal and Wright, "Numerical optimization", 2nd edition, algorithms 3.5 and 3.6: first a bracket
that must hold a good step, then the bracket is narrowed by cubic interpolation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Point:
    """A step's length with the loss, the gradient and its slope along the direction there."""

    length: float
    loss: float
    gradient: Any
    slope: float


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two points with slopes is least, within `bounds` (equation 3.59)."""
    if bounds is None:
        bounds = (min(a.length, b.length), max(a.length, b.length))
    low, high = (a, b) if a.length <= b.length else (b, a)
    if low.length == high.length:
        return (bounds[0] + bounds[1]) / 2
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (bounds[0] + bounds[1]) / 2
    d2 = math.sqrt(square)
    width = high.length - low.length
    found = high.length - width * ((high.slope + d2 - d1) / (high.slope - low.slope + 2 * d2))
    return min(max(found, bounds[0]), bounds[1])


def strong_wolfe(
    evaluate: Callable[[float], tuple[float, Any]],
    length: float,
    direction: Any,
    loss: float,
    gradient: Any,
    slope: float,
    *,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance: float = 1e-9,
    most: int = 25,
) -> tuple[float, Any, float, int]:
    """A step along `direction` with enough decrease (`c1`) and a flat enough slope (`c2`).

    `evaluate(length)` gives loss and gradient there. Returns loss, gradient and length of the step
    found (the best one when `most` evaluations did not suffice), and the number of evaluations.
    """
    largest = float(abs(direction).max())

    def at(length: float) -> Point:
        value, g = evaluate(length)
        return Point(length, value, g.copy(), float(g @ direction))

    def too_high(point: Point) -> bool:
        return point.loss > loss + c1 * point.length * slope

    before = Point(0.0, loss, gradient.copy(), slope)
    now = at(length)
    count, rounds, done = 1, 0, False
    bracket: list[Point] | None = None
    while rounds < most:
        if too_high(now) or (rounds > 0 and now.loss >= before.loss):
            bracket = [before, now]
            break
        if abs(now.slope) <= -c2 * slope:
            bracket, done = [now], True
            break
        if now.slope >= 0:
            bracket = [before, now]
            break
        bounds = (now.length + 0.01 * (now.length - before.length), now.length * 10)
        following = cubic_minimum(before, now, bounds)
        before, now = now, at(following)
        count += 1
        rounds += 1
    if bracket is None:
        bracket = [Point(0.0, loss, gradient, slope), now]

    stuck = False
    low, high = (0, -1) if bracket[0].loss <= bracket[-1].loss else (1, 0)
    while not done and rounds < most:
        width = abs(bracket[1].length - bracket[0].length)
        if width * largest < tolerance:
            break
        trial = cubic_minimum(bracket[0], bracket[1])
        least = min(bracket[0].length, bracket[1].length)
        top = max(bracket[0].length, bracket[1].length)
        margin = 0.1 * (top - least)
        if min(top - trial, trial - least) < margin:  # too near an end: it would hardly narrow
            if stuck or trial >= top or trial <= least:
                trial = top - margin if abs(trial - top) < abs(trial - least) else least + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        point = at(trial)
        count += 1
        rounds += 1
        if too_high(point) or point.loss >= bracket[low].loss:
            bracket[high] = point
            low, high = (0, 1) if bracket[0].loss <= bracket[1].loss else (1, 0)
        else:
            if abs(point.slope) <= -c2 * slope:
                done = True
            elif point.slope * (bracket[high].length - bracket[low].length) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = point
    best = bracket[low] if len(bracket) > 1 else bracket[0]
    return best.loss, best.gradient, best.length, count
