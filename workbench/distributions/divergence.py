"""kl_divergence: how far one distribution is from another, in nats."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import workbench as wb

from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution
from .normal import Normal
from .uniform import Uniform

_pairs: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Any], Any]:
    """Decorator: the function computes kl_divergence of these two kinds (and their subclasses)."""

    def register(made: Any) -> Any:
        _pairs[type_p, type_q] = made
        return made

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """The expected log p - log q under p. Raises NotImplementedError for unknown pairs."""
    for one in type(p).__mro__:
        for other in type(q).__mro__:
            if (one, other) in _pairs:
                return _pairs[one, other](p, q)
    raise NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}"
    )


@register_kl(Normal, Normal)
def _normal_normal(p: Normal, q: Normal) -> Any:
    ratio = (p.scale / q.scale).pow(2)
    shift = ((p.loc - q.loc) / q.scale).pow(2)
    return 0.5 * (ratio + shift - 1 - ratio.log())


@register_kl(Bernoulli, Bernoulli)
def _bernoulli_bernoulli(p: Bernoulli, q: Bernoulli) -> Any:
    softplus = wb.nn.functional.softplus
    yes = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    yes = wb.where(q.probs == 0, math.inf, yes)
    yes = wb.where(p.probs == 0, 0.0, yes)
    no = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    no = wb.where(q.probs == 1, math.inf, no)
    return yes + wb.where(p.probs == 1, 0.0, no)


@register_kl(Categorical, Categorical)
def _categorical_categorical(p: Categorical, q: Categorical) -> Any:
    parts = p.probs * (p.logits - q.logits)
    parts = wb.where((q.probs == 0).expand(parts.shape), math.inf, parts)
    return wb.where((p.probs == 0).expand(parts.shape), 0.0, parts).sum(-1)


@register_kl(Uniform, Uniform)
def _uniform_uniform(p: Uniform, q: Uniform) -> Any:
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return wb.where((q.low > p.low) | (q.high < p.high), math.inf, found)


@register_kl(Normal, Uniform)
def _normal_uniform(p: Normal, q: Uniform) -> Any:
    return p.loc * 0 + q.low * 0 + math.inf


@register_kl(Uniform, Normal)
def _uniform_normal(p: Uniform, q: Normal) -> Any:
    width = p.high - p.low
    first = (math.sqrt(2 * math.pi) * q.scale / width).log()
    second = width.pow(2) / 12 + ((p.high + p.low - 2 * q.loc) / 2).pow(2)
    return first + 0.5 * second / q.scale.pow(2)
