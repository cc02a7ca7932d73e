"""The uniform distribution on an interval."""

from __future__ import annotations

from typing import Any

import workbench as wb

from .distribution import Distribution, tensors


class Uniform(Distribution):
    """Uniform on [low, high); they broadcast."""

    has_rsample = True
    _shown = ("low", "high")

    def __init__(self, low: Any, high: Any, validate_args: bool | None = None) -> None:
        self.low, self.high = tensors(low, high)
        super().__init__(self.low.shape, (), validate_args)
        if self._validate and not bool((self.low < self.high).all()):
            raise ValueError("Uniform is not defined when low>= high")

    @property
    def mean(self) -> Any:
        """(low + high) / 2."""
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Any:
        """nan: all values are equally probable."""
        return self.high * float("nan")

    @property
    def stddev(self) -> Any:
        """(high - low) / sqrt(12)."""
        return (self.high - self.low) / 12**0.5

    @property
    def variance(self) -> Any:
        """(high - low)² / 12."""
        return (self.high - self.low).pow(2) / 12

    def rsample(self, sample_shape: Any = ()) -> Any:
        """low + (high - low) * draws in [0, 1)."""
        drawn = wb.rand(self._extended(sample_shape), dtype=self.low.dtype)
        return self.low + drawn * (self.high - self.low)

    def log_prob(self, value: Any) -> Any:
        """-log(high - low) inside, -inf outside.

        Raises ValueError for values outside [low, high], when arguments are checked.
        """
        self._check_sample(value)
        inside = (value >= self.low) & (value <= self.high)
        self._require(inside, "value argument", "be within the support", value)
        inside = ((self.low <= value) & (self.high > value)).type_as(self.low)
        return inside.log() - (self.high - self.low).log()

    def cdf(self, value: Any) -> Any:
        """The probability of at most `value`."""
        self._check_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(0, 1)

    def icdf(self, value: Any) -> Any:
        """The inverse of `cdf`."""
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Any:
        """log(high - low)."""
        return (self.high - self.low).log()
