"""Universal functions with CuPy's own type loops."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from .state import state

_made: Any = None
_array: Any = None
_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def use(made: Any, array: Any) -> None:
    """Learn of the array class, which itself needs the ufuncs."""
    global _made, _array
    _made, _array = made, array


def letter(char: str) -> np.dtype:
    """A loop's letter as a dtype; bfloat16's is ml_dtypes' own."""
    return _BFLOAT16 if char == "E" else np.dtype(char)


def parse(loops: str) -> list[tuple[tuple[np.dtype, ...], tuple[np.dtype, ...]]]:
    """Recorded loops as (input dtypes, output dtypes)."""
    pairs = [loop.split("->") for loop in loops.split()]
    return [(tuple(map(letter, a)), tuple(map(letter, b))) for a, b in pairs]


def _score(kind: type) -> int:
    if issubclass(kind, (bool, np.bool_)):
        return 0
    if issubclass(kind, (np.integer, int)):
        return 1
    return 2 if issubclass(kind, (np.inexact, float, complex)) else 3


class Operand:
    """One operand of a kernel: a device array, a NumPy scalar, or a (weak) Python number."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.weak: Any = None
        if isinstance(value, _array):
            if value._device != state.device:
                raise ValueError(
                    f"The device where the array resides ({value._device}) is different from the "
                    f"current device ({state.device})."
                )
            self.dtype = value.dtype
        elif type(value) is bool:
            self.dtype = np.dtype(bool)
        elif type(value) in (int, float, complex):
            self.weak = type(value)
            self.dtype = np.asarray(value).dtype
        elif isinstance(value, np.generic):
            self.dtype = value.dtype
        else:
            raise TypeError(f"Unsupported type {type(value)}")

    def as_(self, dtype: np.dtype) -> np.ndarray:
        """The operand in a loop's dtype, on the host."""
        if isinstance(self.value, _array):
            return self.value._host.astype(dtype, copy=False)
        return np.asarray(self.value, dtype) if self.weak else np.asarray(self.value).astype(dtype)


def choose(name: str, loops: Any, operands: list[Operand], dtype: Any = None) -> Any:
    """The first loop that the operands can be cast to, as CuPy picks it.

    Raises TypeError when there is none.
    """
    if dtype is not None:
        for loop in loops:
            if all(t == dtype for t in loop[1]):
                return loop
        raise TypeError(f"Wrong type ({dtype}) of arguments for {name}")
    strong = [_score(o.dtype.type) for o in operands if not o.weak]
    weak = [_score(o.weak) for o in operands if o.weak]
    use_weak = bool(weak) and bool(strong) and max(strong) >= max(weak)
    for loop in loops:
        for operand, wanted in zip(operands, loop[0], strict=True):
            if np.can_cast(operand.dtype, wanted):
                continue
            if not (use_weak and operand.weak):
                break
            try:
                if np.result_type(operand.weak(0), wanted) != wanted:
                    break
            except TypeError:
                break
        else:
            return loop
    raise TypeError(f"Wrong type ({tuple(o.dtype for o in operands)}) of arguments for {name}")


class ufunc:
    """A recorded ufunc, computed by NumPy (or SciPy) in the loop that CuPy would choose."""

    __module__ = "cupy"

    def __init__(self, name: str, entry: list[Any], compute: Any) -> None:
        self.__name__ = name
        self.name = f"cupy_{name}"
        _, loops, self.nin, self.nout, self.scatter, by_dtype = entry
        self.types = loops.split()
        self.loops = parse(loops)
        self.by_dtype = parse(by_dtype or loops)
        self.compute = compute

    def __call__(
        self,
        *args: Any,
        out: Any = None,
        dtype: Any = None,
        casting: str = "same_kind",
        **other: Any,
    ) -> Any:
        if other:
            raise TypeError(f"Wrong arguments {other}")
        if not self.nin <= len(args) <= self.nin + self.nout:
            raise TypeError(f"Wrong number of arguments for {self.name!r}")
        state.launch(self.__name__)
        operands = [Operand(a) for a in args[: self.nin]]
        outs = list(args[self.nin :])
        if out is not None:
            outs = list(out) if isinstance(out, tuple) else [out]
        outs += [None] * (self.nout - len(outs))
        np.broadcast_shapes(*(np.shape(o.as_(o.dtype)) for o in operands))
        if dtype is None:
            chosen, given = choose(self.name, self.loops, operands)
        else:
            chosen, given = choose(self.name, self.by_dtype, operands, np.dtype(dtype))
        if self.compute is None:
            raise NotImplementedError(f"the stand-in cannot compute {self.__name__}")
        with np.errstate(all="ignore"):
            results = self.compute(*(o.as_(t) for o, t in zip(operands, chosen, strict=True)))
        results = results if isinstance(results, tuple) else (results,)
        finished = [
            self._finish(r, t, o, casting) for r, t, o in zip(results, given, outs, strict=True)
        ]
        return finished[0] if self.nout == 1 else tuple(finished)

    def _finish(self, result: Any, dtype: np.dtype, out: Any, casting: str) -> Any:
        host = np.asarray(result)
        if out is None:  # results are always contiguous, whatever the operands were
            return _made(np.array(host, dtype, order="C"))
        if not isinstance(out, _array):
            raise TypeError(f"Output arguments type must be cupy.ndarray, got {type(out)}")
        if out.shape != host.shape:
            raise ValueError(f"Out shape is mismatched: {out.shape} and {host.shape}")
        if not np.can_cast(dtype, out.dtype, casting):
            raise TypeError(
                f"Cannot cast output from {dtype!r} to {out.dtype!r} according to the rule "
                f"'{casting}'"
            )
        out._host[...] = host.astype(dtype, copy=False)
        return out

    def outer(self, a: Any, b: Any, **options: Any) -> Any:
        """Every element with every other."""
        return self(
            a.reshape(a.shape + (1,) * b.ndim), b.reshape((1,) * a.ndim + b.shape), **options
        )

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        """Unbuffered writing at indices, for the few ufuncs that have atomics."""
        from .indexing import scatter

        if self.scatter is None:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        state.launch(f"{self.__name__}.at")
        scatter(a, indices, b, self.scatter)

    def reduce(
        self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        """Sums and products only."""
        if self.__name__ == "add":
            return array.sum(axis, dtype, out, keepdims)
        if self.__name__ == "multiply":
            return array.prod(axis, dtype, out, keepdims)
        raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Running sums and products only."""
        if self.__name__ == "add":
            return array.cumsum(axis, dtype, out)
        if self.__name__ == "multiply":
            return array.cumprod(axis, dtype, out)
        raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")

    def reduceat(
        self, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None
    ) -> Any:
        """Sums only."""
        if self.__name__ != "add":
            raise NotImplementedError(f"`{self.name}.reduceat` is not supported yet")
        state.launch("add.reduceat")
        return _made(np.add.reduceat(array._host, indices._host, axis, dtype))
