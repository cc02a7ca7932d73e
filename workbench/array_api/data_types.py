"""Data types: conversion, inspection, promotion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from workbench.arrays import as_dtype, dtype_of, get_default_dtype, promote
from workbench.arrays import device as Device
from workbench.arrays.dtypes import (
    ALL,
    COMPLEX,
    FLOAT,
    INT,
    bool_,
    complex64,
    dtype,
    int64,
)
from workbench.tensor import Tensor
from workbench.tensor.functions import raw

from .array import cast, standard

KINDS: dict[str, tuple[dtype, ...]] = {
    "bool": (bool_,),
    "signed integer": tuple(d for d in ALL if d.category == INT and d.is_signed),
    "unsigned integer": tuple(d for d in ALL if d.category == INT and not d.is_signed),
    "integral": tuple(d for d in ALL if d.category == INT),
    "real floating": tuple(d for d in ALL if d.category == FLOAT),
    "complex floating": tuple(d for d in ALL if d.category == COMPLEX),
    "numeric": tuple(d for d in ALL if d.category >= INT),
}
"""What the standard's names of kinds of dtypes stand for."""


def kinds_of(kind: Any) -> tuple[dtype, ...]:
    """The dtypes meant by a kind's name, a dtype, or a tuple of such.

    Raises ValueError for unknown names.
    """
    if isinstance(kind, tuple):
        return tuple(d for part in kind for d in kinds_of(part))
    if isinstance(kind, str):
        if kind not in KINDS:
            raise ValueError(f"unknown kind of dtype {kind!r}; there are: {', '.join(KINDS)}")
        return KINDS[kind]
    return (as_dtype(kind),)


def _kind(value: Any) -> dtype:
    return dtype_of(value.array) if isinstance(value, Tensor) else as_dtype(value)


@standard
def astype(x: Tensor, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """`x` in another dtype (and on another device); itself where `copy=False` and nothing changes.

    Raises TypeError for complex numbers that would have to become real.
    """
    target = as_dtype(dtype)
    if x.array.dtype.kind == "c" and not target.is_complex and target is not bool_:
        raise TypeError(f"astype: {x.dtype.name} to {target.name}: take real(x) or imag(x) first")
    made = x if device is None else x.to(Device(device))  # type: ignore[attr-defined]
    if x.array.dtype.kind == "c" and target is bool_:
        made = raw("ne")(made, 0)
    made = cast(made, target)
    return raw("clone")(x) if made is x and copy else made


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether promotion leads from one dtype (or an array's) to the other."""
    source, target = _kind(from_), as_dtype(to)
    try:
        return promote(source, target) is target
    except RuntimeError:  # uint64 and the signed integers
        return False


@dataclass(frozen=True)
class FloatLimits:
    """Limits of a floating-point dtype; of a complex one, those of its parts."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Any


@dataclass(frozen=True)
class IntLimits:
    """Limits of an integer dtype."""

    bits: int
    max: int
    min: int
    dtype: Any


def finfo(type: Any, /) -> FloatLimits:
    """Limits of a floating-point or complex dtype, or of an array's. TypeError for others."""
    kind = _kind(type)
    if kind.category < FLOAT:
        raise TypeError(f"finfo needs a floating-point dtype, got {kind.name}; use iinfo")
    real = kind.to_real()
    held = ml_dtypes.finfo(real.numpy)
    return FloatLimits(
        real.itemsize * 8,
        float(held.eps),
        float(held.max),
        float(held.min),
        float(held.smallest_normal),
        real,
    )


def iinfo(type: Any, /) -> IntLimits:
    """Limits of an integer dtype, or of an array's. TypeError for others."""
    kind = _kind(type)
    if kind.category != INT:
        raise TypeError(f"iinfo needs an integer dtype, got {kind.name}; use finfo")
    held = np.iinfo(kind.numpy)
    return IntLimits(int(held.bits), int(held.max), int(held.min), kind)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is of a kind: a name such as "integral", a dtype, or a tuple of such."""
    return as_dtype(dtype) in kinds_of(kind)


def result_type(*arrays_and_dtypes: Any) -> dtype:
    """The dtype that arrays, dtypes and numbers promote to.

    Numbers count only where their kind is higher. Raises ValueError for no argument, or numbers
    alone.
    """
    common: dtype | None = None
    numbers = []
    for value in arrays_and_dtypes:
        if isinstance(value, (bool, int, float, complex)):
            numbers.append(value)
            continue
        held = _kind(value)
        common = held if common is None else promote(common, held)
    if common is None:
        raise ValueError("result_type needs at least one array or dtype")
    for value in numbers:
        if isinstance(value, bool):
            continue
        if isinstance(value, complex) and common.category < COMPLEX:
            common = common.to_complex() if common.category == FLOAT else complex64
        elif isinstance(value, float) and common.category < FLOAT:
            common = get_default_dtype()
        elif isinstance(value, int) and common is bool_:
            common = int64
    return common
