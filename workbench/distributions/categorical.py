"""The categorical distribution: one of K classes."""

from __future__ import annotations

from typing import Any

import workbench as wb

from .distribution import Distribution


class Categorical(Distribution):
    """Class 0 … K-1 with probabilities proportional to `probs` (…, K), or exp(`logits`).

    Raises ValueError unless exactly one of the two is given, and for a 0-d one.
    """

    _shown = ("probs",)

    def __init__(
        self,
        probs: Any = None,
        logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Either `probs` or `logits` must be specified, but not both.")
        given: Any = logits if probs is None else probs
        if given.dim() < 1:
            name = "logits" if probs is None else "probs"
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        super().__init__(given.shape[:-1], (), validate_args)
        self._num_events = given.size(-1)
        if probs is None:
            self._logits = given - given.logsumexp(-1, True)
            self._probs: Any = None
        else:
            fits = given >= 0
            self._require(fits, "parameter probs", "be non-negative, with a positive sum", given)
            self._probs = given / given.sum(-1, True)
            self._logits = None

    @property
    def probs(self) -> Any:
        """Probabilities that add up to 1, (…, K)."""
        return self._logits.softmax(-1) if self._probs is None else self._probs

    @property
    def logits(self) -> Any:
        """Logarithms of the probabilities, (…, K)."""
        if self._logits is not None:
            return self._logits
        eps = wb.finfo(self._probs.dtype).eps
        return self._probs.clamp(eps, 1 - eps).log()

    @property
    def param_shape(self) -> Any:
        """The shape of the probabilities."""
        return self.probs.shape

    @property
    def mean(self) -> Any:
        """nan: classes have no order."""
        return wb.full(tuple(self._batch_shape), float("nan"), dtype=self.probs.dtype)

    variance = mean

    @property
    def mode(self) -> Any:
        """The most probable class."""
        return self.probs.argmax(-1)

    def sample(self, sample_shape: Any = ()) -> Any:
        """Classes, int64: sample_shape + batch_shape."""
        count = 1
        for n in sample_shape:
            count *= n
        rows = self.probs.detach().reshape(-1, self._num_events)
        drawn = wb.multinomial(rows, count, True) if count else wb.zeros(
            len(rows), 0, dtype=wb.int64
        )  # fmt: skip
        return drawn.t().reshape(self._extended(sample_shape))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the probability of class `value`.

        Raises ValueError for values that are no class, when arguments are checked.
        """
        self._check_sample(value)
        fits = (value >= 0) & (value < self._num_events) & (value == value.floor())
        self._require(fits, "value argument", "be a class", value)
        index = value.long().unsqueeze(-1)
        shape = wb.broadcast_shapes(tuple(index.shape[:-1]), tuple(self.logits.shape[:-1]))
        logits = self.logits.expand(*shape, self._num_events)
        return logits.gather(-1, index.expand(*shape, 1)).squeeze(-1)

    def entropy(self) -> Any:
        """-sum of p log p over the classes."""
        logits = self.logits.clamp(min=wb.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        """All classes, (K, *batch_shape)."""
        found = wb.arange(self._num_events).reshape(-1, *(1,) * len(self._batch_shape))
        return found.expand(-1, *self._batch_shape) if expand else found
