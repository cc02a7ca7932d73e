"""The CTC loss in torch's signature."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import Tensor, functions, wrap

from .reduction import reduced, reduction_of

__all__ = ["ctc_loss"]

_ctc = functions.raw("ctc")


def _lengths(name: str, given: Any, batch: int, like: Any) -> Any:
    """Lengths as int64 (N). Raises RuntimeError for other shapes and dtypes."""
    array = given.array if isinstance(given, Tensor) else np.asarray(given)
    if array.dtype.kind not in "iu" and array.size:
        raise RuntimeError(f"ctc_loss(): {name} must be integral, got {array.dtype.name}")
    array = array.reshape(1) if array.ndim == 0 else array
    if array.shape != (batch,):
        raise RuntimeError(
            f"ctc_loss(): {name} must be of size batch_size ({batch}), got {list(array.shape)}"
        )
    return namespace(like).asarray(array.astype(np.int64))


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log-probability of label sequences, summed over all alignments (Graves et al., 2006).

    `log_probs` (T, N, C) or (T, C) are log-softmax values; `targets` (N, S) padded, or all labels
    one after the other (their total); lengths (N), tensors or tuples. "mean" divides each loss by
    the length of its target, then averages. `zero_infinity` makes losses of labels that do not fit
    0 instead of inf, their gradients too.

    Raises RuntimeError for lengths, shapes and a blank that do not fit, ValueError for an unknown
    reduction, NotImplementedError for half precision.
    """
    reduction = reduction_of(None, None, reduction)
    array = log_probs.array
    if array.ndim not in (2, 3):
        raise RuntimeError(f"ctc_loss(): log_probs must be (T, N, C) or (T, C), got {array.shape}")
    single = array.ndim == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
        array = log_probs.array
    steps, batch, classes = array.shape
    if not array.size:
        raise RuntimeError(f"ctc_loss(): log_probs tensor must not be empty, got {array.shape}")
    if not 0 <= blank < classes:
        raise RuntimeError(f"ctc_loss(): blank must be in label range 0 … {classes - 1}: {blank}")
    inputs = _lengths("input_lengths", input_lengths, batch, array)
    lengths = _lengths("target_lengths", target_lengths, batch, array)
    for name, held, most in (("input_lengths", inputs, steps), ("target_lengths", lengths, None)):
        if (held < 0).any():
            raise RuntimeError(
                f"ctc_loss(): Expected {name} to have value at least 0, but got {int(held.min())}"
            )
        if most is not None and (held > most).any():
            raise RuntimeError(
                f"ctc_loss(): Expected {name} to have value at most {most}, but got value "
                f"{int(held.max())}"
            )
    labels = _padded(targets.array, lengths, batch, single)
    named = namespace(array).arange(labels.shape[1]) < lengths[:, None]
    if (named & ((labels < 0) | (labels >= classes))).any():
        raise RuntimeError(f"ctc_loss(): labels must be classes 0 … {classes - 1}")
    losses = _ctc(log_probs, wrap(labels), wrap(inputs), wrap(lengths), blank, zero_infinity)
    if reduction == "mean":
        xp = namespace(array)
        losses = losses / wrap(xp.maximum(lengths, 1).astype(array.dtype))
    losses = reduced(losses, reduction)
    return losses.reshape(()) if single and reduction == "none" else losses


def _padded(targets: Any, lengths: Any, batch: int, single: bool) -> Any:
    """The labels as int64 (N, S). Raises RuntimeError where they do not fit their lengths."""
    xp = namespace(targets)
    longest, total = int(lengths.max()), int(lengths.sum())
    labels = targets.astype(np.int64)
    if labels.ndim == 1:
        if labels.size != total and not (single and labels.size >= total):
            raise RuntimeError(
                f"ctc_loss(): Expected targets to have size {total} at dimension 0 (the sum of "
                f"target_lengths), but got size {labels.size}"
            )
        out = xp.zeros((batch, longest), np.int64)
        start = 0
        for i, n in enumerate(lengths.tolist()):
            out[i, :n] = labels[start : start + n]
            start += n
        return out
    if labels.ndim != 2 or labels.shape[0] != batch:
        raise RuntimeError(
            f"ctc_loss(): targets must be (N, S) = ({batch}, S) or concatenated, got "
            f"{list(labels.shape)}"
        )
    if labels.shape[1] < longest:
        raise RuntimeError(
            f"ctc_loss(): Expected targets to have size at least {longest} at dimension 1, but got "
            f"size {labels.shape[1]}"
        )
    return labels[:, :longest]
