"""Operands off the fast path: numbers, mixed dtypes, wrong types, other devices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from workbench.arrays import (
    array_device,
    dtype_of,
    get_default_dtype,
    move,
    namespace,
    on_cuda,
    promote,
    result_dtype,
)
from workbench.arrays.dtypes import FLOAT, number_dtype
from workbench.ops.declare import Op

from .routing import together
from .tensor import Tensor, wrap

_NUMBERS = (bool, int, float, complex)


def coerce(op: Op, values: tuple[Any, ...]) -> list[Any]:
    """Raw arrays of the operands in their common dtype, by the op's dtype rule.

    A 0-d tensor on the CPU may meet CUDA tensors, as a number may. Raises TypeError for operands
    that are neither tensors nor numbers and RuntimeError for tensors on different devices.
    """
    kinds = []
    xp: Any = None
    for i, value in enumerate(values):
        if isinstance(value, Tensor):
            array = value.array
            kinds.append((dtype_of(array), 0 if array.ndim else 1))
            here = np if type(array) is np.ndarray else namespace(array)
            if xp is not None and here is not xp:
                values = gathered(op, values)
                here = namespace(values[i].array)
            xp = here
        elif isinstance(value, np.generic):
            kinds.append((number_dtype(value.item()), 2))
        elif isinstance(value, _NUMBERS):
            kinds.append((number_dtype(value), 2))
        else:
            _refuse(op, i, value)
    if xp is None:
        _refuse(op, 0, values[0])
    common = result_dtype(kinds)
    if op.dtype == "float" and common.category < FLOAT:
        common = get_default_dtype()
    target = common.numpy
    arrays = []
    for value in values:
        if isinstance(value, Tensor):
            array = value.array
            arrays.append(array if array.dtype == target else array.astype(target))
        else:
            arrays.append(xp.asarray(value).astype(target))
    return arrays


def gathered(op: Op, values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands with 0-d tensors of the CPU moved to where the others are, off the tape.

    Raises RuntimeError where tensors with dimensions are on different devices.
    """
    tensors = [v for v in values if isinstance(v, Tensor)]
    together(op.name, [v.array for v in tensors if v.array.ndim or on_cuda(v.array)])
    where = next((array_device(v.array) for v in tensors if on_cuda(v.array)), None)
    return tuple(
        wrap(move(v.array, where)) if where and isinstance(v, Tensor) and not on_cuda(v.array)
        else v
        for v in values
    )  # fmt: skip


def _refuse(op: Op, position: int, value: Any) -> None:
    name = op.tensors[position].name
    raise TypeError(
        f"{op.name}(): argument '{name}' (position {position + 1}) must be Tensor, not "
        f"{type(value).__name__}"
    )


def fixes(values: Iterable[Any], result: Any) -> tuple[Any, ...]:
    """The (shape, dtype) that each operand's gradient has to be brought to.

    And the device, where that is not the result's.
    """
    return tuple(
        None
        if not isinstance(v, Tensor) or v.edge is None
        else (v.array.shape, v.array.dtype)
        if type(v.array) is type(result) or result is None
        else (v.array.shape, v.array.dtype, array_device(v.array))
        for v in values
    )


def require_tensors(op: Op, values: Any, optional: Sequence[str] = ()) -> Any:
    """The operands, all of them Tensors.

    Raises TypeError naming the first that is not, and RuntimeError for an empty sequence.
    """
    if op.sequence and not isinstance(values, (tuple, list)):
        if isinstance(values, Tensor):
            raise TypeError(
                f"{op.name}(): argument '{op.tensors[0].name}' (position 1) must be tuple of "
                "Tensors, not Tensor"
            )
        values = tuple(values)
    if op.sequence and not len(values):
        error = ValueError if op.name == "cat" else RuntimeError
        raise error(f"{op.name}(): expected a non-empty list of Tensors")
    for i, value in enumerate(values):
        if isinstance(value, Tensor):
            continue
        if op.sequence:
            raise TypeError(
                f"{op.name}(): expected Tensor as element {i} in argument 0, but got "
                f"{type(value).__name__}"
            )
        if value is None and op.tensors[i].name in optional:
            continue
        _refuse(op, i, value)
    return values


def same_dtype(op: Op, arrays: Any, rule: str) -> Any:
    """Arrays in one dtype: promoted, or refused where the op does not promote ("same").

    Raises RuntimeError for mixed dtypes under "same".
    """
    first = arrays[0].dtype
    if all(a is None or a.dtype == first for a in arrays):
        return arrays
    if rule == "same":
        names = [str(dtype_of(a)).removeprefix("workbench.") for a in arrays if a is not None]
        raise RuntimeError(
            f"{op.name}(): expected all arguments to have the same dtype, but got "
            f"{', '.join(names)}; convert with .to(), e.g. x.to(wb.{names[-1]})"
        )
    common = dtype_of(arrays[0])
    for a in arrays[1:]:
        common = promote(common, dtype_of(a))
    return [a if a.dtype == common.numpy else a.astype(common.numpy) for a in arrays]


def common_dtype(values: Iterable[Any]) -> np.dtype:
    """The NumPy dtype that tensors and numbers promote to."""
    kinds = [
        (dtype_of(v.array), 0 if v.array.ndim else 1)
        if isinstance(v, Tensor)
        else (number_dtype(v), 2)
        for v in values
    ]
    return result_dtype(kinds).numpy
