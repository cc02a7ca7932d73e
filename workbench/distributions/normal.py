"""The normal distribution."""

from __future__ import annotations

import math
from typing import Any

import workbench as wb

from .distribution import Distribution, tensors

_HALF_LOG = 0.5 * math.log(2 * math.pi)


class Normal(Distribution):
    """Normal with mean `loc` and standard deviation `scale` > 0; they broadcast."""

    has_rsample = True
    _shown = ("loc", "scale")

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale = tensors(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)
        self._require(self.scale > 0, "parameter scale", "be positive", self.scale)

    @property
    def mean(self) -> Any:
        """loc."""
        return self.loc

    mode = mean

    @property
    def stddev(self) -> Any:
        """scale."""
        return self.scale

    @property
    def variance(self) -> Any:
        """scale²."""
        return self.scale.pow(2)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """loc + scale * standard normal draws."""
        shape = self._extended(sample_shape)
        return self.loc + self.scale * wb.randn(shape, dtype=self.loc.dtype)

    def log_prob(self, value: Any) -> Any:
        """-(value - loc)² / 2 scale² - log(scale) - log(2 pi) / 2."""
        self._check_sample(value)
        return -((value - self.loc) ** 2) / (2 * self.variance) - self.scale.log() - _HALF_LOG

    def cdf(self, value: Any) -> Any:
        """The probability of at most `value`."""
        self._check_sample(value)
        return 0.5 * (1 + wb.erf((value - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value: Any) -> Any:
        """The inverse of `cdf`."""
        return self.loc + self.scale * wb.erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Any:
        """1/2 + log(2 pi) / 2 + log(scale)."""
        return 0.5 + _HALF_LOG + self.scale.log()
