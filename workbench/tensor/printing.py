"""How tensors print: values, then dtype and history, as torch shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from workbench.arrays import dtype_of, get_default_dtype, namespace, to_numpy
from workbench.arrays.dtypes import bool_, int64

from .node import LEAF
from .tensor import Tensor

_DEFAULT: dict[str, Any] = {
    "precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None,
}  # fmt: skip
_PROFILES: dict[str, dict[str, Any]] = {
    "default": _DEFAULT,
    "short": {**_DEFAULT, "precision": 2, "edgeitems": 2},
    "full": {**_DEFAULT, "threshold": float("inf")},
}
_options = dict(_DEFAULT)


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """How tensors print: digits, when to summarise, how many at each edge, line width.

    `profile` ("default", "short", "full") sets all; `sci_mode` forces or forbids exponents.
    """
    if profile is not None:
        _options.update(_PROFILES[profile])
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    _options.update({key: value for key, value in given.items() if value is not None})
    _options["sci_mode"] = sci_mode


class _Format:
    """One format for all numbers of a tensor, and the width they are padded to."""

    def __init__(self, values: np.ndarray) -> None:
        self.show: Callable[[Any], str] = str
        self.width = 1
        if values.dtype.kind != "f":
            self.width = max((len(str(v)) for v in values.tolist()), default=1)
            return
        # zeros, nan and infinities fit any format, so they have no say in it
        telling = np.abs(values[np.isfinite(values) & (values != 0)])
        precision = _options["precision"]
        whole = bool((telling == np.round(telling)).all())
        self.show = _whole if whole else lambda v: f"{v:.{precision}f}"
        if not telling.size:
            return
        largest, smallest = float(telling.max()), float(telling.min())
        exponent = _options["sci_mode"]
        if exponent is None:
            exponent = largest / smallest > 1000 or largest > 1e8 or (not whole and smallest < 1e-4)
        if exponent:
            self.show = lambda v: f"{v:.{precision}e}"
        numbers = values[np.isfinite(values) & (values != 0)].tolist()
        self.width = max(len(self.show(v)) for v in numbers)

    def __call__(self, value: Any) -> str:
        return self.show(value).rjust(self.width)


def _whole(value: float) -> str:
    return f"{value:.0f}." if np.isfinite(value) else str(value)


class _ComplexFormat:
    """Real and imaginary parts, each in its own format."""

    def __init__(self, values: np.ndarray) -> None:
        self.real, self.imag = _Format(values.real), _Format(values.imag)
        self.width = self.real.width + self.imag.width + 1

    def __call__(self, value: Any) -> str:
        imaginary = self.imag(value.imag).lstrip()
        sign = "" if imaginary[0] in "+-" else "+"
        return f"{self.real(value.real)}{sign}{imaginary}j"


def _edges(array: Any) -> tuple[Any, tuple[bool, ...]]:
    """The elements that a summary shows, and which dimensions it cuts.

    The longest dimension goes first: nothing large is copied.
    """
    edge = _options["edgeitems"]
    cut = tuple(side > 2 * edge for side in array.shape)
    for d in sorted(range(array.ndim), key=lambda d: -array.shape[d]):
        if cut[d]:
            before = (slice(None),) * d
            ends = [array[(*before, slice(0, edge))]]
            ends += [array[(*before, slice(array.shape[d] - edge, None))]] if edge else []
            array = namespace(array).concatenate(ends, axis=d)
    return array, cut


def _with_gap(items: Sequence[Any], show: Callable[[Any], str], gap: str, cut: bool) -> list[str]:
    half = len(items) // 2
    shown = [show(item) for item in items]
    return [*shown[:half], gap, *shown[half:]] if cut else shown


def _nested(array: np.ndarray, indent: int, form: Any, cut: tuple[bool, ...]) -> str:
    if array.ndim == 0:
        return form(array.item())
    inner = " " * (indent + 1)
    if array.ndim == 1:
        words = _with_gap(array.tolist(), form, " ...", cut[0])
        per_line = max(1, (_options["linewidth"] - indent) // (form.width + 2))
        lines = [", ".join(words[i : i + per_line]) for i in range(0, len(words), per_line)]
        return "[" + f",\n{inner}".join(lines) + "]"

    def show(part: np.ndarray) -> str:
        return _nested(part, indent + 1, form, cut[1:])

    parts = _with_gap(list(array), show, "...", cut[0])
    return "[" + ("," + "\n" * (array.ndim - 1) + inner).join(parts) + "]"


def values_text(array: Any, indent: int) -> str:
    """The values of a raw array, nested in brackets and summarised when there are many.

    `indent` is the column they start in.
    """
    if array.size == 0:
        return "[]"
    cut: tuple[bool, ...] = (False,) * array.ndim
    if array.size > _options["threshold"]:
        array, cut = _edges(array)
    array = to_numpy(array)
    if array.dtype.kind in "fV":
        array = array.astype(np.float64)
    shown = array.reshape(-1)
    form = _ComplexFormat(shown) if array.dtype.kind == "c" else _Format(shown)
    return _nested(array, indent, form, cut)


def tensor_repr(self: Tensor) -> str:
    """`tensor([...], dtype=..., grad_fn=...)`."""
    if hasattr(self.array, "level"):  # within vmap
        return repr(self.array)
    array = self.array
    kind = dtype_of(array)
    prefix = "tensor("
    text = prefix + values_text(array, len(prefix))
    suffixes = []
    default = get_default_dtype()
    if self.is_cuda:
        suffixes.append(f"device='{self.device}'")
    if array.size == 0:
        if array.ndim != 1:
            suffixes.append(f"size={tuple(array.shape)}")
        if kind is not default:
            suffixes.append(f"dtype={kind!r}")
    elif kind not in (default, default.to_complex(), int64, bool_):
        suffixes.append(f"dtype={kind!r}")
    if self.edge is LEAF:
        suffixes.append("requires_grad=True")
    elif self.edge is not None:
        suffixes.append(f"grad_fn=<{self.edge.name()}>")
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > _options["linewidth"]:
            text += f",\n{' ' * len(prefix)}{suffix}"
            column = len(prefix) + len(suffix)
        else:
            text += f", {suffix}"
            column += len(suffix) + 2
    return text + ")"
