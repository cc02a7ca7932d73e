"""Elementwise functions of large arrays, in one pass by all threads.

A `Quick` is a NumPy function for large arrays: `F` and the bound ops call it from `least` elements
on. Where IEEE 754 fixes the result it gives NumPy's bits, and which one computes is nobody's
business; exp, tanh and the like are other functions than NumPy's, so recordings write them down
under their own names. A `Formula` is a whole expression as one kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.arrays.compiler import available

_FLOATS, _SINGLE = "fd", np.dtype("float32")


class Quick:
    """A function of one or two arrays; called as NumPy's is, and recorded as one."""

    nout, signature = 1, None

    def __init__(self, exact: Callable[..., Any], least: int, name: str = "") -> None:
        self.exact = exact  # NumPy's way
        self.least = least
        self.__name__ = name or exact.__name__
        self.kinds = "f" if name else _FLOATS
        self.own = bool(name)  # with bits of its own
        self._kernels: dict[str, Any] = {}
        self.usual: Any = None  # the kernel of two arrays of float32

    def __call__(self, first: Any, *others: Any, out: Any = None) -> Any:
        """The function's values, in `out` if given: by name, or behind the operands."""
        if len(others) == 1 and out is None:  # nearly always: two arrays of float32, side by side
            (other,) = others
            kernel = self.usual
            if (
                kernel is not None
                and type(first) is type(other) is np.ndarray
                and first.dtype is other.dtype is _SINGLE
                and first.shape == other.shape
                and first.flags.c_contiguous
                and other.flags.c_contiguous
                and available()
            ):
                out = np.empty(first.shape, _SINGLE)
                kernel.flat(first.size, first, other, out)
                return out
        if others and self.own:
            (out,), others = others, ()
        if type(first) is not np.ndarray:
            record = getattr(first, "elementwise", None) if self.own else None
            return self.exact(first, *others) if record is None else record(self, first)
        char, shape = first.dtype.char, first.shape
        if char not in self.kinds or not available():
            return self.exact(first, *others, out=out)
        if not first.flags.c_contiguous:
            if not self.own:
                return self.exact(first, *others, out=out)
            first = np.ascontiguousarray(first)
        for other in others:
            if (
                type(other) is not np.ndarray
                or other.dtype is not first.dtype
                or other.shape != shape
                or not other.flags.c_contiguous
            ):
                return self.exact(first, *others, out=out)
        kernel = self._kernels.get(char) or self._kernel(char, 1 + len(others))
        if out is None:
            out = np.empty(shape, first.dtype)
            kernel(first, *others, out)
        elif out.flags.carray and out.dtype is first.dtype:
            kernel(first, *others, out)
        else:
            out[...] = self(first, *others)
        return out

    def _kernel(self, char: str, count: int) -> Any:
        from workbench.arrays.compiler import lines

        s = lines.Statement()
        getattr(s, self.__name__)(*map(s.array, range(count)), out=s.array(count))
        arrays = (lines.WHOLE,) * (count + 1)
        made = self._kernels[char] = lines.compiled(tuple(s.lines), arrays, 0, np.dtype(char))
        if char == "f" and count == 2:
            self.usual = made
        return made


# From how many elements on they are worth a call (a microsecond) and, for the plain ones, a second
# thread: NumPy itself is as quick on one
PLAIN, _SOME = 1 << 16, 1 << 15
QUICK = {
    "add": Quick(np.add, PLAIN), "subtract": Quick(np.subtract, PLAIN),
    "multiply": Quick(np.multiply, PLAIN), "divide": Quick(np.divide, PLAIN),
    "maximum": Quick(np.maximum, PLAIN), "minimum": Quick(np.minimum, PLAIN),
    "negative": Quick(np.negative, PLAIN), "absolute": Quick(np.absolute, PLAIN),
    "square": Quick(np.square, PLAIN), "sqrt": Quick(np.sqrt, PLAIN),
    "exp": Quick(np.exp, 1 << 12, "fast_exp"), "expm1": Quick(np.expm1, 1 << 12, "fast_expm1"),
    "log": Quick(np.log, 1 << 12, "fast_log"), "log1p": Quick(np.log1p, 1 << 12, "fast_log1p"),
    "tanh": Quick(np.tanh, _SOME, "fast_tanh"),
}  # fmt: skip


def quick(name: str) -> Callable[..., Any]:
    """NumPy's function of that name; for large arrays the quick one, if that has other bits."""
    exact, large = getattr(np, name), QUICK.get(name)
    if large is None or not large.own:
        return exact  # type: ignore[no-any-return]
    least = large.least

    def call(first: Any, *others: Any, out: Any = None) -> Any:
        size = getattr(first, "size", 0)
        if out is None:
            return exact(first, *others) if size < least else large(first, *others)
        return exact(first, *others, out=out) if size < least else large(first, *others, out=out)

    call.__name__ = name
    return call


class Formula:
    """An expression of arrays of one shape and float type (or masks): `formula(x, y)`.

    The function states it: operators, and by its first argument functions, as in `xp.exp(x)`. A
    call gives the result (or results); None where it is not for arrays like these, which are then
    computed by NumPy. Settings are numbers, part of the kernel.
    """

    least = 1 << 11

    def __init__(self, state: Callable[..., Any]) -> None:
        self.state = state
        self.__doc__ = state.__doc__
        self._kernels: dict[Any, Any] = {}

    def __call__(self, *arrays: Any, **settings: float) -> Any:
        """The result as a new array, or a tuple of several."""
        first = arrays[0]
        if type(first) is not np.ndarray or first.size < self.least or not available():
            return None
        shape, dtype = first.shape, first.dtype
        if dtype.char != "f":
            return None
        masks = ""
        whole = first.flags.c_contiguous
        for other in arrays[1:]:
            if type(other) is not np.ndarray or other.shape != shape:
                return None
            if other.dtype is not dtype and other.dtype != bool:
                return None
            whole = whole and other.flags.c_contiguous
            masks += other.dtype.char
        if not whole:
            arrays = tuple(map(np.ascontiguousarray, arrays))
        key = (masks, *settings.values()) if settings else masks
        found = self._kernels.get(key) or self._kernel(key, len(arrays), masks, dtype, settings)
        kernel, count = found
        if count == 1:
            out = np.empty(shape, dtype)
            kernel(*arrays, out)
            return out
        outs = tuple([np.empty(shape, dtype) for _ in range(count)])
        kernel(*arrays, *outs)
        return outs

    def _kernel(self, key: Any, arrays: int, masks: str, dtype: Any, settings: Any) -> Any:
        from workbench.arrays.compiler import lines

        s = _Words()
        results = self.state(s, *map(s.array, range(arrays)), **settings)
        results = results if type(results) is tuple else (results,)
        for i, result in enumerate(results):
            s.copyto(s.array(arrays + i), result)
        what = [lines.WHOLE, *(lines.Operand(mask=char == "?") for char in masks)]
        what += [lines.WHOLE] * len(results)
        kernel = lines.compiled(tuple(s.lines), tuple(what), 0, dtype)
        if len(self._kernels) > 64:  # a setting that changes at every call
            self._kernels.clear()
        made = self._kernels[key] = (kernel, len(results))
        return made


def _Words() -> Any:
    """A statement in which `exp` is the compiler's."""
    from workbench.arrays.compiler import lines

    class Words(lines.Statement):
        def __getattr__(self, name: str) -> Any:
            own = f"fast_{name}"
            return super().__getattr__(own if own in lines.FUNCTIONS else name)

    return Words()
