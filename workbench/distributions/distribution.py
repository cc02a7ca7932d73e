"""What all distributions share: shapes, checks of arguments, the names of their methods."""

from __future__ import annotations

from typing import Any

import workbench as wb
from workbench.tensor import Size, Tensor, tensor


class Distribution:
    """Base of all distributions.

    `batch_shape` is the shape of the parameters: so many distributions at once. `event_shape` is
    the shape of one draw, () for all that are here. A draw of `sample_shape` has the shape
    sample_shape + batch_shape + event_shape.
    """

    has_rsample = False
    _validate = True

    def __init__(
        self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate = validate_args

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether new distributions check their arguments (they do)."""
        Distribution._validate = value

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one draw."""
        return self._event_shape

    @property
    def mean(self) -> Any:
        """The expected value."""
        raise NotImplementedError

    @property
    def mode(self) -> Any:
        """The most probable value."""
        raise NotImplementedError

    @property
    def variance(self) -> Any:
        """The expected squared distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self) -> Any:
        """The root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Any:
        """Draws, constants to autograd: sample_shape + batch_shape."""
        with wb.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Draws through which gradients reach the parameters.

        Raises NotImplementedError where there is no such way (discrete distributions).
        """
        raise NotImplementedError(f"{type(self).__name__} has no rsample: use sample and log_prob")

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density, or of the probability, at `value`."""
        raise NotImplementedError

    def entropy(self) -> Any:
        """The expected -log_prob, in nats."""
        raise NotImplementedError

    def cdf(self, value: Any) -> Any:
        """The probability of at most `value`."""
        raise NotImplementedError

    def icdf(self, value: Any) -> Any:
        """The inverse of `cdf`."""
        raise NotImplementedError

    def perplexity(self) -> Any:
        """exp(entropy)."""
        return self.entropy().exp()

    def _extended(self, sample_shape: Any) -> tuple[int, ...]:
        return (*sample_shape, *self._batch_shape, *self._event_shape)

    def _require(self, fits: Any, name: str, what: str, value: Any) -> None:
        """Raises ValueError unless all of `fits` holds."""
        if self._validate and not bool(fits.all()):
            raise ValueError(
                f"Expected {name} ({type(value).__name__} of shape {tuple(value.shape)}) of "
                f"distribution {type(self).__name__} to {what}, but found invalid values:\n{value}"
            )

    def _check_sample(self, value: Any) -> None:
        if self._validate and not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        if self._validate:
            try:
                wb.broadcast_shapes(tuple(value.shape), tuple(self._batch_shape))
            except RuntimeError:
                raise ValueError(
                    f"Value is not broadcastable with batch_shape+event_shape: "
                    f"{tuple(value.shape)} vs {tuple(self._batch_shape)}."
                ) from None

    def __repr__(self) -> str:
        parts = []
        for name in getattr(self, "_shown", ()):
            value = getattr(self, name)
            one = isinstance(value, Tensor) and value.numel() == 1
            parts.append(f"{name}: {value if one else tuple(value.shape)}")
        return f"{type(self).__name__}({', '.join(parts)})"


def tensors(*values: Any) -> list[Any]:
    """Numbers and tensors as float tensors of one shape."""
    found = [v if isinstance(v, Tensor) else None for v in values]
    like = next((f for f in found if f is not None), None)
    made = [
        f if f is not None else tensor(
            float(v), dtype=like.dtype if like is not None and like.is_floating_point() else None
        )
        for f, v in zip(found, values, strict=True)
    ]  # fmt: skip
    return list(wb.broadcast_tensors(*made))
