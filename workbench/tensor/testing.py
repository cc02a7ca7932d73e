"""assert_close and make_tensor: comparing tensors in tests, and making some to compare."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from workbench.arrays import as_dtype, random, to_numpy
from workbench.arrays.dtypes import dtype, promote

from .create import as_shape
from .tensor import Tensor, wrap

# (rtol, atol) by dtype; everything else is compared exactly
_TOLERANCE = {
    "float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7), "complex64": (1.3e-6, 1e-5), "complex128": (1e-7, 1e-7),
}  # fmt: skip

Message = str | Callable[[str], str] | None


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Message = None,
) -> None:
    """Raise AssertionError unless |actual - expected| <= atol + rtol * |expected| everywhere.

    Takes tensors, numbers, NumPy arrays, None, and sequences and mappings of them. Without `rtol`
    and `atol` (give both or none) the dtypes decide: 1.3e-6 and 1e-5 for float32; integers have
    to be equal. Raises ValueError for one of the two, TypeError for things that do not compare.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            f"rtol and atol must both be specified or both be unspecified, got {rtol=} and {atol=}"
        )
    settings = {"rtol": rtol, "atol": atol, "equal_nan": equal_nan, "device": check_device,
                "dtype": check_dtype, "stride": check_stride}  # fmt: skip
    found = _difference(actual, expected, settings, "")
    if found is not None:
        text = msg(found) if callable(msg) else found if msg is None else msg
        raise AssertionError(text)


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """As assert_close, whatever the dtypes and devices (deprecated in torch)."""
    if not isinstance(actual, Tensor):
        actual = wrap(np.asarray(actual))
    if not isinstance(expected, Tensor):
        expected = wrap(np.asarray(expected, to_numpy(actual.array).dtype))
    if rtol is None and atol is None:
        pairs = [_TOLERANCE.get(t.dtype.name, (0.0, 0.0)) for t in (actual, expected)]
        rtol, atol = (max(p[i] for p in pairs) for i in (0, 1))
    assert_close(
        actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_device=True,
        check_dtype=False, check_stride=False, msg=msg or None,
    )  # fmt: skip


def _difference(actual: Any, expected: Any, how: dict[str, Any], where: str) -> str | None:
    """What differs, in words; None where nothing does."""
    at = f"\n\nThe failure occurred for item {where}" if where else ""
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if set(actual) != set(expected):
            return (
                "The keys of the mappings do not match: missing in the actual mapping "
                f"{sorted(set(expected) - set(actual), key=str)}, missing in the expected mapping "
                f"{sorted(set(actual) - set(expected), key=str)}{at}"
            )
        parts = [(actual[k], expected[k], f"{where}[{k!r}]") for k in expected]
    elif _sequence(actual) and _sequence(expected):
        if len(actual) != len(expected):
            return f"The length of the sequences mismatch: {len(actual)} != {len(expected)}{at}"
        parts = [
            (a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(actual, expected, strict=True))
        ]
    else:
        found = _pair(actual, expected, how)
        return None if found is None else found + at
    for a, b, place in parts:
        found = _difference(a, b, how, place)
        if found is not None:
            return found
    return None


def _sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


_NUMBERS = (int, float, complex, np.generic)


def _pair(actual: Any, expected: Any, how: dict[str, Any]) -> str | None:
    if actual is None or expected is None:
        return None if actual is expected else f"None mismatch: {actual} is not {expected}"
    numbers = isinstance(actual, _NUMBERS) and isinstance(expected, _NUMBERS)
    if numbers:
        return _numbers(actual, expected, how)
    for value in (actual, expected):
        if not isinstance(value, (Tensor, np.ndarray, *_NUMBERS)):
            raise TypeError(
                f"No comparison pair was able to handle inputs of type {type(actual)} and "
                f"{type(expected)}."
            )
    if isinstance(actual, Tensor) != isinstance(expected, Tensor):
        raise TypeError(
            f"No comparison pair was able to handle inputs of type {type(actual)} and "
            f"{type(expected)}; make both tensors"
        )
    a, b = (v if isinstance(v, Tensor) else wrap(np.asarray(v)) for v in (actual, expected))
    if a.shape != b.shape:
        return f"The values for attribute 'shape' do not match: {a.shape} != {b.shape}."
    if how["device"] and a.device != b.device:
        return f"The values for attribute 'device' do not match: {a.device} != {b.device}."
    if how["dtype"] and a.dtype is not b.dtype:
        return f"The values for attribute 'dtype' do not match: {a.dtype} != {b.dtype}."
    if how["stride"] and a.stride() != b.stride():
        return f"The values for attribute 'stride()' do not match: {a.stride()} != {b.stride()}."
    return _values(a, b, how)


def _tolerances(kinds: tuple[dtype, dtype], how: dict[str, Any]) -> tuple[float, float]:
    if how["rtol"] is not None:
        return how["rtol"], how["atol"]
    pairs = [_TOLERANCE.get(k.name, (0.0, 0.0)) for k in kinds]
    return max(p[0] for p in pairs), max(p[1] for p in pairs)


def _numbers(actual: Any, expected: Any, how: dict[str, Any]) -> str | None:
    if how["dtype"] and type(actual) is not type(expected):
        return f"The (d)types do not match: {type(actual)} != {type(expected)}."
    a, b = (wrap(np.asarray(v)) for v in (actual, expected))
    rtol, atol = _tolerances((a.dtype, b.dtype), how)
    if actual == expected or (how["equal_nan"] and actual != actual and expected != expected):
        return None
    gap = abs(actual - expected)
    if math.isfinite(gap) and gap <= atol + rtol * abs(expected):
        return None
    kind = "Scalars are not close" if rtol or atol else "Scalars are not equal"
    return (
        f"{kind}!\n\nExpected {expected} but got {actual}.\nAbsolute difference: {gap} (up to "
        f"{atol} allowed)\nRelative difference: {gap / abs(expected) if expected else math.inf} "
        f"(up to {rtol} allowed)"
    )


def _values(a: Tensor, b: Tensor, how: dict[str, Any]) -> str | None:
    rtol, atol = _tolerances((a.dtype, b.dtype), how)
    kind = promote(a.dtype, b.dtype).numpy
    wide = np.dtype(np.complex128 if kind.kind == "c" else np.float64)
    wide = kind if kind.kind in "iub" else wide
    x, y = (to_numpy(t.detach().array).astype(wide) for t in (a, b))
    if wide.kind in "iub" and not (rtol or atol):
        close = x == y
    else:
        exact = wide.kind in "iub"
        pair = [v.astype(np.float64) for v in (x, y)] if exact else [x, y]
        close = np.isclose(pair[0], pair[1], rtol, atol, how["equal_nan"])
    if bool(np.all(close)):
        return None
    n, total = int(np.count_nonzero(~close)), int(np.size(close))
    real = np.complex128 if wide.kind == "c" else np.float64
    gap = np.where(close, 0, abs(x.astype(real) - y.astype(real)))
    size: Any = abs(y.astype(real))
    relative = np.divide(gap, size, out=np.full(gap.shape, np.inf), where=size != 0)
    relative = np.where(close, 0, relative)

    def worst(values: Any) -> tuple[float, tuple[int, ...]]:
        at = np.unravel_index(int(np.argmax(values)), values.shape) if values.shape else ()
        return float(values[at]), tuple(int(i) for i in at)

    (most, at), (share, there) = worst(gap), worst(relative)
    exact = not (rtol or atol)
    title = "Tensor-likes are not equal" if exact else "Tensor-likes are not close"
    allowed = ["", ""] if exact else [f" (up to {atol} allowed)", f" (up to {rtol} allowed)"]
    return (
        f"{title}!\n\nMismatched elements: {n} / {total} ({100 * n / total:.1f}%)\nGreatest "
        f"absolute difference: {most} at index {at}{allowed[0]}\nGreatest relative difference: "
        f"{share} at index {there}{allowed[1]}"
    )


def make_tensor(
    *shape: Any,
    dtype: Any,
    device: Any = "cpu",
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of random numbers in [low, high): from -9 (unsigned 0) to 9, unless given.

    `exclude_zero` replaces zeros by the smallest positive number (1 for integers).
    """
    kind = as_dtype(dtype)
    size: tuple[int, ...] = as_shape(shape)
    source = random.default_generator()
    floats = kind.is_floating_point or kind.is_complex
    unsigned = kind.numpy.kind in "ub"
    if low is None:
        low = 0 if unsigned else -9
    if high is None:
        high = 2 if kind.numpy.kind == "b" else 9 if floats else 10
    if low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    drawn_size = (*size[:-1], size[-1] * 2) if noncontiguous and size else size
    if floats:
        uniform = [source.uniform(drawn_size, np.dtype(np.float64)) for _ in range(2)]
        array = uniform[0] * (high - low) + low
        if kind.is_complex:
            array = array + 1j * (uniform[1] * (high - low) + low)
    else:
        array = source.integers(math.ceil(low), math.ceil(high), drawn_size)
    array = np.asarray(array).astype(kind.numpy)
    if exclude_zero:
        import ml_dtypes  # which knows bfloat16 too

        least = ml_dtypes.finfo(kind.to_real().numpy).tiny if floats else 1
        array[array == 0] = least
    made = wrap(array[..., ::2] if noncontiguous and size else array)
    made = made if device in (None, "cpu") else made.to(device)  # type: ignore[attr-defined]
    return made.requires_grad_() if requires_grad else made
