"""From a list of samples to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.tensor import FUNCTIONS, Tensor, wrap


def default_collate(batch: Sequence[Any]) -> Any:
    """Stack samples into a batch, along a new first dimension.

    Tensors and NumPy arrays are stacked; ints become int64 and floats float64 tensors; strings
    and bytes stay a list; tuples, lists, named tuples and mappings are collated entry by entry.

    Raises TypeError for other samples, RuntimeError when entries differ in length or shape.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return _stack(batch)
    if isinstance(first, np.ndarray):
        if first.dtype.kind in "SUO":
            raise TypeError(_unsupported(first, f"an array of {first.dtype}"))
        return _stack([wrap(np.asarray(sample)) for sample in batch])
    if isinstance(first, np.generic):
        return wrap(np.array(batch))
    if isinstance(first, bool):
        return wrap(np.array(batch, dtype=bool))
    if isinstance(first, float):
        return wrap(np.array(batch, dtype=np.float64))
    if isinstance(first, int):
        return wrap(np.array(batch, dtype=np.int64))
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        entries = {key: default_collate([sample[key] for sample in batch]) for key in first}
        try:
            return type(first)(entries)  # type: ignore[call-arg]
        except TypeError:  # a mapping that is made in another way
            return entries
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [default_collate(column) for column in zip(*batch, strict=True)]
        if hasattr(first, "_fields"):
            return type(first)(*columns)
        return columns
    raise TypeError(_unsupported(first, type(first).__name__))


def _unsupported(sample: Any, what: str) -> str:
    return (
        "default_collate: batch must contain tensors, numpy arrays, numbers, strings, dicts or "
        f"lists; found {what}. Give DataLoader a collate_fn that makes a batch of these"
    )


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    shape = tensors[0].array.shape
    for position, tensor in enumerate(tensors):
        if tensor.array.shape != shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 "
                f"and {list(tensor.array.shape)} at entry {position}; pad them or give "
                "DataLoader a collate_fn"
            )
    if any(tensor.requires_grad for tensor in tensors):
        return FUNCTIONS[""]["stack"](list(tensors))
    arrays = [tensor.array for tensor in tensors]
    return wrap(namespace(arrays[0]).stack(arrays))


def default_convert(data: Any) -> Any:
    """What a loader without batches does to a sample: NumPy arrays become tensors."""
    if isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
        return data if array.dtype.kind in "SUO" else wrap(array)
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(value) for value in data))
    if isinstance(data, (list, tuple)):
        return [default_convert(value) for value in data]
    return data
