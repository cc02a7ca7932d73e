"""`F`, the space a gradient rule computes in.

A rule is written once. In an ordinary backward pass `F` holds the ops over raw arrays (no Tensor
is made at all); with `create_graph=True` it holds the recorded ops over Tensors. Besides the ops
themselves it offers `F.taped`, `F.over_tensors`, `F.xp`, `F.cast(g, dtype)`,
`F.cast_bool(flags, like)`, `F.times_conj(g, x)` and `F.detach(x)`.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from workbench.arrays import namespace
from workbench.ops import OPS
from workbench.ops.compiled.elementwise import PLAIN, QUICK, quick


def _product(a: Any, b: Any) -> Any:
    """a times the conjugate of b."""
    b = b.conjugate()  # real arrays return themselves
    return a * b if a.size < PLAIN else QUICK["multiply"](a, b)


def _conj(x: Any) -> Any:
    return x.conjugate()  # real arrays return themselves


def _cast(g: Any, dtype: np.dtype) -> Any:
    if g.dtype == dtype:
        return g
    if g.dtype.kind == "c" and dtype.kind != "c":
        g = g.real
    return g.astype(dtype)


def _cast_bool(flags: Any, like: Any) -> Any:
    return flags.astype(like.dtype)


def _same(x: Any) -> Any:
    return x


class RawSpace:
    """Ops over raw arrays of one library; each is made when first asked for."""

    taped = False
    over_tensors = False

    def __init__(self, xp: ModuleType) -> None:
        self.xp = xp
        self.conj = _conj
        self.times_conj = _product
        self.cast = _cast
        self.cast_bool = _cast_bool
        self.detach = _same

    def __getattr__(self, name: str) -> Any:
        try:
            op = OPS[name]
        except KeyError:
            raise AttributeError(f"no op named {name!r}") from None
        if op.ufunc is not None:
            made: Any = quick(op.ufunc) if self.xp is np else getattr(self.xp, op.ufunc)
        else:
            made = partial(op.forward, self.xp)
            if op.aux:
                made = _only_result(made, len(op.returns) or 1)
        setattr(self, name, made)
        return made


def _only_result(forward: Any, count: int) -> Any:
    if count == 1:
        return lambda *args, **kwargs: forward(*args, **kwargs)[0]
    return lambda *args, **kwargs: forward(*args, **kwargs)[:count]


_cpu = RawSpace(np)
_others: dict[Any, RawSpace] = {}


def raw_space(array: Any) -> RawSpace:
    """The space over the library that `array` belongs to."""
    if isinstance(array, (np.ndarray, np.generic)):
        return _cpu
    xp = namespace(array)
    if xp not in _others:
        _others[xp] = RawSpace(xp)
    return _others[xp]


class TapedSpace:
    """Ops over Tensors, recorded."""

    taped = True
    over_tensors = True
    xp = np

    def __getattr__(self, name: str) -> Any:
        from .binding import raw_signature

        try:
            made = raw_signature(name)
        except KeyError:
            raise AttributeError(f"no op named {name!r}") from None
        setattr(self, name, made)
        return made

    @staticmethod
    def cast(g: Any, dtype: np.dtype) -> Any:
        """`g` in another NumPy dtype, on the tape."""
        if g.array.dtype == dtype:
            return g
        from .binding import raw_signature

        if g.array.dtype.kind == "c" and dtype.kind != "c":
            g = raw_signature("real")(g)
        return raw_signature("to_dtype")(g, dtype)

    @staticmethod
    def conj(x: Any) -> Any:
        """The complex conjugate; real tensors and numbers come back as they are."""
        if not hasattr(x, "array"):
            return x.conjugate()
        from .binding import raw_signature

        return raw_signature("conj")(x) if x.array.dtype.kind == "c" else x

    @classmethod
    def times_conj(cls, a: Any, b: Any) -> Any:
        """a times the conjugate of b."""
        return a * cls.conj(b)

    @staticmethod
    def cast_bool(flags: Any, like: Any) -> Any:
        """A bool tensor as 0 and 1 in the dtype of `like`, a constant."""
        from .tensor import wrap

        return wrap(flags.array.astype(like.array.dtype))

    @staticmethod
    def detach(x: Any) -> Any:
        """`x` as a constant."""
        return x.detach()


_taped = TapedSpace()


def taped_space() -> TapedSpace:
    """The space over Tensors."""
    return _taped
