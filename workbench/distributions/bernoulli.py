"""The Bernoulli distribution: 1 with a probability, else 0."""

from __future__ import annotations

from typing import Any

import workbench as wb

from .distribution import Distribution, tensors


class Bernoulli(Distribution):
    """1 with probability `probs`, or with log-odds `logits` (give one of the two), else 0."""

    _shown = ("probs",)

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        (given,) = tensors(logits if probs is None else probs)
        self._probs: Any
        self._logits: Any
        self._probs, self._logits = (None, given) if probs is None else (given, None)
        super().__init__(given.shape, (), validate_args)
        if self._probs is not None:
            fits = (given >= 0) & (given <= 1)
            self._require(fits, "parameter probs", "lie between 0 and 1", given)

    @property
    def probs(self) -> Any:
        """The probability of 1."""
        return wb.sigmoid(self._logits) if self._probs is None else self._probs

    @property
    def logits(self) -> Any:
        """log(probs / (1 - probs))."""
        if self._logits is not None:
            return self._logits
        eps = wb.finfo(self._probs.dtype).eps
        return wb.logit(self._probs.clamp(eps, 1 - eps))

    @property
    def mean(self) -> Any:
        """probs."""
        return self.probs

    @property
    def mode(self) -> Any:
        """The more probable of 0 and 1; nan for a fair coin."""
        probs = self.probs
        return wb.where(probs == 0.5, float("nan"), (probs >= 0.5).type_as(probs))

    @property
    def variance(self) -> Any:
        """probs (1 - probs)."""
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Zeros and ones: sample_shape + batch_shape."""
        with wb.no_grad():
            return wb.bernoulli(self.probs.expand(self._extended(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        """log(probs) at 1, log(1 - probs) at 0. Raises ValueError elsewhere, when checked."""
        self._check_sample(value)
        self._require((value == 0) | (value == 1), "value argument", "be 0 or 1", value)
        logits, value = wb.broadcast_tensors(self.logits, value)
        loss = wb.nn.functional.binary_cross_entropy_with_logits
        return -loss(logits, value.type_as(logits), reduction="none")

    def entropy(self) -> Any:
        """-p log p - (1 - p) log (1 - p)."""
        loss = wb.nn.functional.binary_cross_entropy_with_logits
        return loss(self.logits, self.probs, reduction="none")
