"""How tensors print: values, then dtype and history, as torch shows them."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.arrays import dtype_of, get_default_dtype, to_numpy
from workbench.arrays.dtypes import bool_, int64

from .node import LEAF
from .tensor import Tensor

_options: dict[str, Any] = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80}


def set_printoptions(
    precision: int | None = None,
    threshold: int | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
) -> None:
    """How tensors print: digits, when to summarise, how many at each edge, line width."""
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    _options.update({key: value for key, value in given.items() if value is not None})


def _number_format(values: np.ndarray) -> dict[str, Any]:
    precision = _options["precision"]
    finite = values[np.isfinite(values)] if values.dtype.kind in "fc" else values
    if values.dtype.kind != "f" or not finite.size:
        return {}
    magnitude = np.abs(finite)
    whole = bool((magnitude == np.round(magnitude)).all())
    largest = float(magnitude.max())
    positive = magnitude[magnitude > 0]
    smallest = float(positive.min()) if positive.size else 0.0
    if (
        largest >= 1e8
        or (smallest and (largest / smallest > 1000 and not whole))
        or (smallest and smallest < 1e-4 and not whole)
    ):
        return {"float_kind": lambda v: f"{v:.{precision}e}"}
    if whole:
        return {"float_kind": lambda v: f"{v:.0f}." if np.isfinite(v) else str(v)}
    width = max(len(f"{v:.{precision}f}") for v in finite.reshape(-1)) if finite.size < 2000 else 0
    return {"float_kind": lambda v: f"{v:>{width}.{precision}f}"}


def values_text(array: np.ndarray, indent: int) -> str:
    """The values of an array, nested in brackets and summarised when there are many."""
    if array.dtype.kind == "V":
        array = array.astype(np.float32)
    if array.size == 0:
        return str([]) if array.ndim == 1 else f"[], size={tuple(array.shape)}"
    summarised = array.size > _options["threshold"]
    shown = array
    if summarised:
        edge = _options["edgeitems"]
        for d in range(array.ndim):
            if shown.shape[d] > 2 * edge:
                shown = np.concatenate(
                    [shown.take(range(edge), d), shown.take(range(-edge, 0), d)], axis=d
                )
    return np.array2string(
        array,
        separator=", ",
        prefix=" " * indent,
        threshold=_options["threshold"],
        edgeitems=_options["edgeitems"],
        max_line_width=_options["linewidth"],
        precision=_options["precision"],
        formatter=_number_format(shown.reshape(-1)),
    )


def tensor_repr(self: Tensor) -> str:
    """`tensor([...], dtype=..., grad_fn=...)`."""
    array = to_numpy(self.array)
    kind = dtype_of(self.array)
    prefix = "tensor("
    text = values_text(array, len(prefix))
    suffix = []
    default = kind in (get_default_dtype(), int64, bool_)
    if not default or (array.size == 0 and kind is not get_default_dtype()):
        suffix.append(f"dtype={kind!r}")
    if self.is_cuda:
        suffix.append(f"device='{self.device}'")
    if self.edge is LEAF:
        suffix.append("requires_grad=True")
    elif self.edge is not None:
        suffix.append(f"grad_fn=<{self.edge.name()}>")
    return prefix + ", ".join([text, *suffix]) + ")"
