"""torch's top-level names of these functions, with the signatures they have there."""

from __future__ import annotations

from typing import Any

from workbench.tensor import Tensor

from . import loss_ctc, loss_margins, sparse
from . import norm as norms
from .activation import celu, celu_, prelu, relu_, rrelu, rrelu_, selu, selu_, threshold, threshold_
from .conv import bilinear
from .distance import cosine_similarity, pairwise_distance, pdist
from .dropout import alpha_dropout as _alpha
from .dropout import dropout as _dropout
from .dropout import feature_alpha_dropout as _feature_alpha
from .dropout import feature_dropout as _feature
from .loss import binary_cross_entropy_with_logits as _logits
from .loss import kl_div as _kl
from .loss import poisson_nll_loss as _poisson
from .norm import group_norm, layer_norm, rms_norm

__all__ = [
    "alpha_dropout",
    "alpha_dropout_",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy_with_logits",
    "celu",
    "celu_",
    "cosine_embedding_loss",
    "cosine_similarity",
    "ctc_loss",
    "dropout",
    "dropout_",
    "embedding",
    "feature_alpha_dropout",
    "feature_alpha_dropout_",
    "feature_dropout",
    "feature_dropout_",
    "group_norm",
    "hinge_embedding_loss",
    "instance_norm",
    "kl_div",
    "layer_norm",
    "margin_ranking_loss",
    "pairwise_distance",
    "pdist",
    "poisson_nll_loss",
    "prelu",
    "relu_",
    "rms_norm",
    "rrelu",
    "rrelu_",
    "selu",
    "selu_",
    "threshold",
    "threshold_",
    "triplet_margin_loss",
]

_REDUCTIONS = ("none", "mean", "sum")


def _named(reduction: int) -> str:
    """torch's number of a reduction, by name."""
    return _REDUCTIONS[reduction]


def _drop(function: Any, name: str, inplace: bool) -> Any:
    def dropped(input: Tensor, p: float, train: bool) -> Tensor:
        return function(input, p, train, inplace)

    dropped.__name__ = dropped.__qualname__ = name
    what = f"`nn.functional.{name.rstrip('_')}`" if "feature_dropout" not in name else (
        "Dropout of whole channels of (N, C, *)"
    )  # fmt: skip
    dropped.__doc__ = f"{what}{', written over its input' if inplace else ''}."
    return dropped


dropout, dropout_ = (_drop(_dropout, f"dropout{end}", bool(end)) for end in ("", "_"))
alpha_dropout, alpha_dropout_ = (
    _drop(_alpha, f"alpha_dropout{end}", bool(end)) for end in ("", "_")
)
feature_dropout, feature_dropout_ = (
    _drop(_feature, f"feature_dropout{end}", bool(end)) for end in ("", "_")
)
feature_alpha_dropout, feature_alpha_dropout_ = (
    _drop(_feature_alpha, f"feature_alpha_dropout{end}", bool(end)) for end in ("", "_")
)


def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """`nn.functional.batch_norm`."""
    return norms.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """`nn.functional.instance_norm`."""
    return norms.instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


def embedding(
    weight: Tensor,
    indices: Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """`nn.functional.embedding`; a `padding_idx` of -1 means none."""
    return _embedding(
        indices, weight, None if padding_idx < 0 else padding_idx, None, 2.0, scale_grad_by_freq
    )


_embedding = sparse.embedding


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 1,
    zero_infinity: bool = False,
) -> Tensor:
    """`nn.functional.ctc_loss`; reductions are 0 (none), 1 (mean) and 2 (sum)."""
    return loss_ctc.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, _named(reduction), zero_infinity
    )


def kl_div(
    input: Tensor, target: Tensor, reduction: int = 1, *, log_target: bool = False
) -> Tensor:
    """`nn.functional.kl_div`; reductions are 0 (none), 1 (mean) and 2 (sum)."""
    losses = _kl(input, target, reduction="none", log_target=log_target)
    return losses.mean() if reduction == 1 else losses.sum() if reduction == 2 else losses


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int
) -> Tensor:
    """`nn.functional.poisson_nll_loss`; reductions are 0 (none), 1 (mean) and 2 (sum)."""
    return _poisson(input, target, log_input, full, eps=eps, reduction=_named(reduction))


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: int = 1,
) -> Tensor:
    """`nn.functional.binary_cross_entropy_with_logits`; reductions are 0, 1 and 2."""
    return _logits(input, target, weight, reduction=_named(reduction), pos_weight=pos_weight)


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 1
) -> Tensor:
    """`nn.functional.hinge_embedding_loss`; reductions are 0 (none), 1 (mean) and 2 (sum)."""
    return loss_margins.hinge_embedding_loss(input, target, margin, reduction=_named(reduction))


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """`nn.functional.margin_ranking_loss`; reductions are 0 (none), 1 (mean) and 2 (sum)."""
    return loss_margins.margin_ranking_loss(
        input1, input2, target, margin, reduction=_named(reduction)
    )


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """`nn.functional.cosine_embedding_loss`; reductions are 0 (none), 1 (mean) and 2 (sum)."""
    return loss_margins.cosine_embedding_loss(
        input1, input2, target, margin, reduction=_named(reduction)
    )


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 1,
) -> Tensor:
    """`nn.functional.triplet_margin_loss`; reductions are 0 (none), 1 (mean) and 2 (sum)."""
    return loss_margins.triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=_named(reduction)
    )
