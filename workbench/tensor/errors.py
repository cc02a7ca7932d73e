"""NumPy's complaints, told as torch's: the same exception type, the op, what it got and wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.arrays import dtype_of
from workbench.ops.declare import Op

_TORCH = {
    "bool": "Bool", "uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int",
    "int64": "Long", "float16": "Half", "bfloat16": "BFloat16", "float32": "Float",
    "float64": "Double", "complex64": "ComplexFloat", "complex128": "ComplexDouble",
    "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64",
}  # fmt: skip

# NumPy kinds in words, for what an op takes
_WORDS = {
    "b": "bool",
    "i": "signed integers",
    "u": "unsigned integers",
    "f": "floats",
    "c": "complex",
}


def _supported(op: Op) -> str:
    if op.accepts is None:
        return ""
    wanted = [_WORDS[k] for k in op.accepts]
    advice = "; convert with .float()" if "f" in op.accepts else ""
    return f"; it takes {', '.join(wanted)}{advice}"


def refuse_dtype(op: Op, array: Any) -> None:
    """Raises NotImplementedError (a RuntimeError): the op is not defined for these numbers."""
    held = array[0] if isinstance(array, list) else array
    name = _TORCH[dtype_of(held).name]
    raise NotImplementedError(f"\"{op.name}\" not implemented for '{name}'{_supported(op)}")


def explained(op: Op, error: Exception, operands: Sequence[Any]) -> Exception:
    """The exception to raise in place of NumPy's `error`; our own errors come back as they are."""
    text = str(error)
    arrays = [a for a in operands if hasattr(a, "dtype")]
    if isinstance(error, TypeError):
        if not text.startswith(
            ("ufunc", "The numpy boolean", "numpy boolean", "No loop", "Cannot cast")
        ):
            return error
        if op.name == "sub":
            return RuntimeError(
                "Subtraction, the `-` operator, with two bool tensors is not supported. Use the "
                "`^` or `logical_xor()` operator instead."
            )
        if op.name == "neg":
            return RuntimeError(
                "Negation, the `-` operator, on a bool tensor is not supported. If you are trying "
                "to invert a mask, use the `~` or `logical_not()` operator instead."
            )
        name = _TORCH[dtype_of(arrays[0]).name] if arrays else "?"
        return NotImplementedError(f"\"{op.name}\" not implemented for '{name}' ({text})")
    if "broadcast" in text and len(arrays) > 1:
        return RuntimeError(_mismatch(op, [tuple(a.shape) for a in arrays]))
    if text.startswith("Integers to negative"):
        return RuntimeError(text)
    return error


def _mismatch(op: Op, shapes: list[tuple[int, ...]]) -> str:
    a, b = shapes[0], shapes[1]
    for other in shapes[2:]:
        if not _fit(a, b):
            break
        b = other
    ndim = max(len(a), len(b))
    for back in range(1, ndim + 1):
        m = a[-back] if back <= len(a) else 1
        n = b[-back] if back <= len(b) else 1
        if m != n and 1 not in (m, n):
            return (
                f"The size of tensor a ({m}) must match the size of tensor b ({n}) at "
                f"non-singleton dimension {ndim - back} ({op.name}: shapes {list(a)} and {list(b)} "
                "do not broadcast)"
            )
    return f"{op.name}: shapes {', '.join(str(list(s)) for s in shapes)} do not broadcast"


def _fit(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    pairs = zip(reversed(a), reversed(b), strict=False)
    return all(m == n or 1 in (m, n) for m, n in pairs)
