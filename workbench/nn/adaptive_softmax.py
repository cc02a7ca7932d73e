"""Softmax over very many classes, the rare ones in clusters of fewer features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from workbench.tensor import FUNCTIONS, Tensor

from . import functional as F
from .check import whole
from .containers import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]

_op = FUNCTIONS[""]


class ASMoutput(NamedTuple):
    """The log-probability of each target, and the loss: minus their mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-softmax over `n_classes` classes, numbered from the most frequent, in clusters.

    Classes below cutoffs[0] and one entry per cluster are in the head; cluster i holds the classes
    from cutoffs[i] on, projected to in_features / div_value^(i+1) features. Grave et al.,
    "Efficient softmax approximation for GPUs", 2017. Raises ValueError unless the cutoffs are
    increasing integers between 1 and n_classes - 1.
    """

    head: Linear
    tail: ModuleList

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if (
            any(int(c) != c for c in cutoffs)
            or cutoffs != sorted(set(cutoffs))
            or cutoffs[0] <= 0
            or cutoffs[-1] > n_classes - 1
        ):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing "
                f"order, where each value is between 1 and n_classes-1; got {cutoffs}"
            )
        self.in_features = whole("AdaptiveLogSoftmaxWithLoss", "in_features", in_features)
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = cutoffs[0]
        self.n_clusters = len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            width = int(in_features // (div_value ** (i + 1)))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, width, False, device, dtype),
                    Linear(width, size, False, device, dtype),
                )
            )

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        for layer in (self.head, *(layer for pair in self.tail for layer in pair)):  # type: ignore[attr-defined]
            layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> ASMoutput:
        """(N, in_features) and (N), or (in_features) and () → output (N) or (), and the loss.

        Raises RuntimeError for shapes and classes that do not fit.
        """
        ndim = target_.array.ndim
        if ndim > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if input_.array.ndim != ndim + 1:
            raise RuntimeError(
                f"{ndim}D target tensor expects {ndim + 1}D input tensors, but found inputs with "
                f"size {input_.shape}"
            )
        if ndim and input_.array.shape[0] != target_.array.shape[0]:
            raise RuntimeError(
                "Input and target should have the same size in the batch dimension: "
                f"{input_.array.shape[0]} and {target_.array.shape[0]}"
            )
        x = input_ if ndim else input_.unsqueeze(0)
        labels = (target_ if ndim else target_.unsqueeze(0)).array
        if labels.size and (int(labels.min()) < 0 or int(labels.max()) >= self.n_classes):
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{int(labels.min())}, {int(labels.max())}] were found."
            )
        heads = F.log_softmax(self.head(x), 1)
        entry, output = labels.copy(), None
        for i in range(self.n_clusters):
            rows = ((labels >= self.cutoffs[i]) & (labels < self.cutoffs[i + 1])).nonzero()[0]
            if not rows.size:
                continue
            entry[rows] = self.shortlist_size + i
            index = _op["as_tensor"](rows)
            inside = F.log_softmax(self.tail[i](x[index]), 1)  # type: ignore[operator]
            place = _op["as_tensor"](labels[rows] - self.cutoffs[i]).unsqueeze(1)
            part = _op["zeros"](len(labels), dtype=inside.dtype).index_add(
                0, index, inside.gather(1, place).squeeze(1)
            )
            output = part if output is None else output + part
        chosen = heads.gather(1, _op["as_tensor"](entry).unsqueeze(1)).squeeze(1)
        output = chosen if output is None else output + chosen
        loss = (-output).mean()
        return ASMoutput(output if ndim else output.squeeze(0), loss)

    def _full(self, x: Tensor, heads: Tensor) -> Tensor:
        parts = [heads[:, : self.shortlist_size]]
        for i, tail in enumerate(self.tail):
            inside = F.log_softmax(tail(x), 1)  # type: ignore[operator]
            at = self.shortlist_size + i
            parts.append(inside + heads[:, at : at + 1])
        return _op["cat"](parts, 1)

    def log_prob(self, input: Tensor) -> Tensor:
        """(N, in_features) → the log-probabilities of all classes (N, n_classes)."""
        return self._full(input, F.log_softmax(self.head(input), 1))

    def predict(self, input: Tensor) -> Tensor:
        """(N, in_features) or (in_features) → the likeliest class (N) or ()."""
        single = input.array.ndim == 1
        x = input.unsqueeze(0) if single else input
        best = _op["argmax"](self.log_prob(x), 1)
        return best.squeeze(0) if single else best
