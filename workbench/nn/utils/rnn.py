"""Sequences of different lengths: padded, packed, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from workbench.arrays import namespace, to_numpy
from workbench.tensor import FUNCTIONS, Tensor, wrap
from workbench.tensor.recurrent_functions import gathered, spread

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]

_op = FUNCTIONS[""]


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes `permutation`; None stays None."""
    if permutation is None:
        return None
    array = permutation.array
    out = namespace(array).empty_like(array)
    out[array] = namespace(array).arange(len(array), dtype=array.dtype)
    return wrap(out)


class PackedSequence(_Packed):
    """Sequences of different lengths, their steps side by side: what a recurrent layer may take.

    `data` (N, *) holds the first step of every sequence, longest first, then the second step, …;
    `batch_sizes` how many sequences have each step. `sorted_indices` says which sequence was put
    where, `unsorted_indices` how to undo that. Made by `pack_padded_sequence` or `pack_sequence`.
    """

    def __new__(  # noqa: D102
        cls,
        data: Any,
        batch_sizes: Any = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:
            if not isinstance(data, (tuple, list)) or len(data) != 2:
                raise TypeError("PackedSequence needs data and batch_sizes")
            data, batch_sizes = data
        if isinstance(batch_sizes, Tensor) and batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be "
                "created manually. They should be instantiated by functions like pack_sequence "
                "and pack_padded_sequences in nn.utils.rnn."
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The data in another dtype or on another device; itself where nothing changes."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        places = [None if where is None else where.to(data.device) for where in self[2:]]
        return type(self)(data, self.batch_sizes, *places)

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same on CUDA."""
        return self.to("cuda", *args, **kwargs)

    def cpu(self) -> PackedSequence:
        """The same on the CPU."""
        return self.to("cpu")

    def pin_memory(self) -> PackedSequence:
        """The same: memory is not pinned here."""
        return self

    def is_pinned(self) -> bool:
        """Always False."""
        return False

    @property
    def is_cuda(self) -> bool:
        """Whether the data are on CUDA."""
        return self.data.device.type == "cuda"


def _cast(name: str, dtype: str) -> Any:
    def method(self: PackedSequence) -> PackedSequence:
        from workbench import arrays

        return self.to(dtype=getattr(arrays.dtypes, dtype))

    method.__name__ = name
    method.__doc__ = f"The data as {dtype}."
    return method


for _name, _dtype in {
    "double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32",
    "short": "int16", "char": "int8", "byte": "uint8",
}.items():  # fmt: skip
    setattr(PackedSequence, _name, _cast(_name, _dtype))


def _lengths(lengths: Any) -> np.ndarray:
    held = to_numpy(lengths.array) if isinstance(lengths, Tensor) else np.asarray(lengths)
    if held.ndim != 1:
        raise RuntimeError(
            f"'lengths' argument should be a 1D CPU int64 tensor, but got {held.ndim}D tensor"
        )
    return held.astype(np.int64)


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack sequences that lie padded in (T, B, *), or (B, T, *) with `batch_first`.

    `lengths` are theirs, in decreasing order unless `enforce_sorted` is False.

    Raises RuntimeError for lengths that are not positive, not sorted, too large or of the wrong
    number.
    """
    sizes = _lengths(lengths)
    order = None
    if not enforce_sorted:
        order = np.argsort(-sizes, kind="stable")
        sizes = sizes[order]
    x: Any = input.transpose(0, 1) if batch_first else input
    shape = x.array.shape
    if len(shape) < 2:
        raise IndexError(
            f"pack_padded_sequence(): wants (T, B, *), got {list(shape)} (Dimension out of range)"
        )
    if not len(sizes) or not shape[1]:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(sizes) != shape[1]:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} "
            f"(batch_size={shape[1]})"
        )
    if sizes.min() <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if (np.diff(sizes) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if sizes[0] > shape[0]:
        raise RuntimeError(
            f"pack_padded_sequence(): a length of {sizes[0]} where the input has {shape[0]} steps"
        )
    places = None
    if order is not None:
        places = wrap(namespace(input.array).asarray(order))
        x = x.index_select(1, places)
    alive = (sizes[None, :] > np.arange(sizes[0])[:, None]).sum(axis=1).astype(np.int64)
    if sizes[0] < shape[0]:
        x = x[: int(sizes[0])]
    return PackedSequence(gathered(x, alive), wrap(alive), places)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The padded (T, B, *), or (B, T, *) with `batch_first`, and the lengths (B): int64.

    T is the longest length unless `total_length` says more. Raises ValueError where it is less.
    """
    alive = to_numpy(sequence.batch_sizes.array)
    steps, batch = len(alive), int(alive[0])
    if total_length is not None and total_length < steps:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, "
            f"but got total_length={total_length} and max sequence length being {steps}"
        )
    padded = spread(sequence.data, alive)
    xp = namespace(padded.array)
    sizes = (alive[:, None] > np.arange(batch)[None, :]).sum(axis=0).astype(np.int64)
    if int(alive[-1]) != batch:
        ended = np.arange(batch)[None, :] >= alive[:, None]
        ended = ended.reshape(steps, batch, *(1,) * (padded.array.ndim - 2))
        padded = padded.masked_fill(wrap(xp.asarray(ended)), padding_value)
    if total_length is not None and total_length > steps:
        shape = (total_length - steps, *padded.array.shape[1:])
        rest = xp.full(shape, padding_value, padded.array.dtype)
        padded = _op["cat"]([padded, wrap(rest)], 0)
    lengths = wrap(sizes)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = wrap(sizes[to_numpy(sequence.unsorted_indices.array)])
    return (padded.transpose(0, 1) if batch_first else padded), lengths


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences (L, *) of different lengths as one (T, B, *), or (B, T, *) with `batch_first`.

    Raises RuntimeError for what is no sequence of tensors, an empty one, or an unknown side.
    """
    if isinstance(sequences, Tensor):
        sequences = sequences.unbind(0)  # type: ignore[attr-defined]
    elif not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    held = list(sequences)
    if not held:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    for i, one in enumerate(held):
        if not isinstance(one, Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(one).__name__}"
            )
    longest = max(one.array.shape[0] for one in held)
    rest = held[0].array.shape[1:]
    rows = []
    for i, one in enumerate(held):
        if one.array.shape[1:] != rest:
            raise RuntimeError(
                f"pad_sequence: sequence {i} has shape {list(one.array.shape)}, which differs from "
                f"the first's {list(held[0].array.shape)} in more than its length"
            )
        missing = longest - one.array.shape[0]
        if missing:
            fill = namespace(one.array).full((missing, *rest), padding_value, one.array.dtype)
            both = [one, wrap(fill)]
            one = _op["cat"](both if padding_side == "right" else both[::-1], 0)
        rows.append(one)
    return _op["stack"](rows, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences that lie padded in (T, B, *), each with its own length."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    sizes = _lengths(lengths)
    return [row[: int(n)] for row, n in zip(padded_sequences.unbind(0), sizes, strict=False)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences (L, *), sorted by decreasing length unless told otherwise."""
    lengths = [len(one) for one in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a `PackedSequence`, in their order before packing."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
