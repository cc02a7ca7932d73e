"""Arrays with one hidden dimension: what tensors hold inside `vmap`.

A `Batched` array stands for one sample of many. Its shape is a sample's shape; beneath lies an
array whose first dimension is the hidden one. Because the hiding happens below the Tensor, every
op, gradient rule and composition of ops works on it unchanged: NumPy's own dispatch protocols and
`dispatch.apply` (for declared ops) see to the hidden dimension. Ordinary arrays never come here.

Nested `vmap`s nest: the array beneath may itself be Batched, of an outer level.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.tensor import versions

_numbers = itertools.count(1)


class Level:
    """One running `vmap`: its size, and when it began and ended."""

    __slots__ = ("alive", "number", "size", "start")

    def __init__(self, size: int) -> None:
        self.size = size
        self.start = versions.tick()
        self.number = next(_numbers)
        self.alive = True

    def __repr__(self) -> str:
        return f"<vmap level {self.number} of size {self.size}>"


class VmapError(RuntimeError):
    """Something that needs the values of one sample, which `vmap` does not have one by one."""


def _no_value(what: str) -> VmapError:
    return VmapError(
        f"vmap: {what} needs the value of each sample, but the function runs once for all of them. "
        "Use wb.where instead of a Python `if`, keep numbers as tensors, or call the function in a "
        "loop."
    )


class Batched(np.lib.mixins.NDArrayOperatorsMixin):
    """An array whose first dimension is hidden: `inside[i]` is the sample i."""

    __slots__ = ("__weakref__", "_of", "inside", "level")

    def __init__(self, inside: Any, level: Level, of: Any = None) -> None:
        self.inside = inside
        self.level = level
        self._of = of  # the Batched array whose memory this is a view of

    # -- what it is --------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return self.inside.shape[1:]

    @property
    def ndim(self) -> int:
        """The number of dimensions of one sample."""
        return self.inside.ndim - 1

    @property
    def size(self) -> int:
        """The number of elements of one sample."""
        n = 1
        for side in self.shape:
            n *= side
        return n

    @property
    def dtype(self) -> np.dtype:
        """The elements' NumPy dtype."""
        return self.inside.dtype

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.inside.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of one sample."""
        return self.size * self.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        """Steps in bytes within one sample."""
        return self.inside.strides[1:]

    @property
    def first(self) -> Any:
        """Sample 0 of the array beneath all levels, with its own strides and address."""
        return innermost(self)[(0,) * (innermost(self).ndim - self.ndim)]

    @property
    def base(self) -> Any:
        """The Batched array whose memory this looks into, or None."""
        return self._of

    @property
    def flags(self) -> Any:
        """NumPy's flags of one sample."""
        inside = self.inside
        return (inside[0] if inside.shape[0] else inside).flags

    @property
    def real(self) -> Batched:
        """The real part."""
        return Batched(self.inside.real, self.level)

    @property
    def imag(self) -> Batched:
        """The imaginary part."""
        return Batched(self.inside.imag, self.level)

    @property
    def T(self) -> Batched:
        """A view with the dimensions of a sample reversed."""
        return self.transpose()

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"BatchedTensor(level={self.level.number}, value={self.inside!r})"

    # -- what needs one sample's values --------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise _no_value("converting a tensor to a NumPy array")

    def item(self, *args: Any) -> Any:
        """Refused: RuntimeError."""
        raise _no_value(".item()")

    def tolist(self) -> Any:
        """Refused: RuntimeError."""
        raise _no_value(".tolist()")

    def __bool__(self) -> bool:
        raise _no_value("a Python condition on a tensor (data-dependent control flow)")

    def __float__(self) -> float:
        raise _no_value("float()")

    def __int__(self) -> int:
        raise _no_value("int()")

    def __complex__(self) -> complex:
        raise _no_value("complex()")

    def __index__(self) -> int:
        raise _no_value("using a tensor as a Python index")

    # -- methods of arrays that op rules use -----------------------------------------------------

    def astype(self, dtype: Any, copy: bool = True) -> Batched:
        """In another dtype."""
        return Batched(self.inside.astype(dtype, copy=copy), self.level)

    def copy(self) -> Batched:
        """A copy."""
        return Batched(self.inside.copy(), self.level)

    def conjugate(self) -> Batched:
        """The complex conjugate."""
        return Batched(self.inside.conjugate(), self.level)

    conj = conjugate

    def reshape(self, *shape: Any) -> Batched:
        """The same elements in another shape of a sample."""
        wanted = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        from workbench.ops.shape import resolve

        sides = resolve(tuple(wanted), self.size)
        return self._view(self.inside.reshape(self.level.size, *sides))

    def transpose(self, *dims: Any) -> Batched:
        """A view with the dimensions of a sample in another order."""
        given = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
        order = given or tuple(range(self.ndim))[::-1]
        return self._view(self.inside.transpose(0, *(d % self.ndim + 1 for d in order)))

    def swapaxes(self, first: int, second: int) -> Batched:
        """A view with two dimensions of a sample exchanged."""
        n = self.ndim
        return self._view(self.inside.swapaxes(first % n + 1, second % n + 1))

    def _view(self, inside: Any) -> Batched:
        shared = np.may_share_memory(innermost(inside), innermost(self.inside))
        return Batched(inside, self.level, self if shared else None)

    def fill(self, value: Any) -> None:
        """Write one number everywhere."""
        self[...] = value

    def __getitem__(self, index: Any) -> Any:
        from workbench.ops import OPS

        from .dispatch import apply

        return apply(OPS["getitem"], (self, index if isinstance(index, tuple) else (index,)))

    def __setitem__(self, index: Any, value: Any) -> None:
        from .dispatch import written_at

        written_at(self, index if isinstance(index, tuple) else (index,), value)
        versions.mark_array(self.inside)

    def __getattr__(self, name: str) -> Any:
        # any other method of arrays: sample by sample
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a batched array has no attribute {name!r}")

        def method(*args: Any, **kwargs: Any) -> Any:
            return each(lambda a, *rest, **more: getattr(a, name)(*rest, **more),
                        (self, *args), kwargs)  # fmt: skip

        return method

    # -- NumPy's dispatch --------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or ufunc.signature is not None or "where" in kwargs:
            if ufunc is np.matmul and method == "__call__" and not kwargs:
                from workbench.ops import OPS

                from .dispatch import apply

                return apply(OPS["matmul"], inputs)
            if method == "at":
                raise TypeError("ufunc.at on a batched array")
            return each(getattr(ufunc, method), inputs, kwargs)
        out = kwargs.pop("out", None)
        level = top_level(inputs) or top_level(out)
        assert level is not None
        found = ufunc(*aligned(inputs, level), **kwargs) if top_level(inputs) else ufunc(*inputs)
        results = found if isinstance(found, tuple) else (found,)
        if top_level(inputs):
            results = tuple(Batched(np_array(r), level) for r in results)
        if out is not None:
            for target, value in zip(out, results, strict=True):
                if not isinstance(target, Batched):
                    raise refuse_write()
                target[...] = value
            results = tuple(out)
        return results if isinstance(found, tuple) else results[0]

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        rule = _FUNCTIONS.get(func)
        if rule is not None:
            return rule(*args, **kwargs)
        if func in _DYNAMIC:
            raise _no_value(f"{func.__name__}, whose result's shape depends on the values,")
        targets = [args[0] if func in _WRITERS else None, kwargs.get("out")]
        if any(t is not None and type(t) is not Batched for t in targets):
            raise refuse_write()
        return each(func, args, kwargs)


def refuse_write() -> VmapError:
    """The error for a write of a mapped value into a tensor that is not mapped."""
    return VmapError(
        "vmap: an in-place write puts a value of each sample into a tensor that all samples share. "
        "Make the target from a mapped tensor (wb.zeros_like), or pass it with in_dims."
    )


def np_array(value: Any) -> Any:
    """NumPy scalars as 0-d arrays; everything else as it is."""
    return np.asarray(value) if isinstance(value, np.generic) else value


def innermost(value: Any) -> Any:
    """The plain array beneath all levels."""
    while type(value) is Batched:
        value = value.inside
    return value


def top_level(values: Any) -> Level | None:
    """The innermost `vmap` (the one begun last) that any of the values belongs to."""
    found: Level | None = None
    for value in values or ():
        if type(value) is Batched:
            if found is None or value.level.number > found.number:
                found = value.level
        elif type(value) in (list, tuple):
            inner = top_level(value)
            if inner is not None and (found is None or inner.number > found.number):
                found = inner
        elif type(value) is slice:
            continue
    return found


def is_at(value: Any, level: Level) -> bool:
    """Whether `value` is hidden-dimensioned at exactly this level."""
    return type(value) is Batched and value.level is level


def aligned(values: Any, level: Any) -> list[Any]:
    """The arrays beneath, with sides of 1 after the hidden one, so that samples broadcast."""
    ndim = max((v.ndim for v in values if hasattr(v, "ndim")), default=0)
    return [
        v.inside.reshape((v.inside.shape[0],) + (1,) * (ndim - v.ndim) + v.inside.shape[1:])
        if is_at(v, level) and v.ndim < ndim
        else v.inside
        if is_at(v, level)
        else v
        for v in values
    ]


def spread(value: Any, level: Level) -> Any:
    """The array beneath `value` at `level`; one that is not mapped is repeated without a copy."""
    if is_at(value, level):
        return value.inside
    return broadcast(value, level.size)


def broadcast(value: Any, size: int) -> Any:
    """`value` with a first dimension of `size`, a view."""
    if type(value) is Batched:
        inner = value.inside
        return Batched(np.swapaxes(broadcast(inner, size), 0, 1), value.level)
    return np.broadcast_to(value, (size, *np.shape(value)))


def sample(value: Any, level: Level, i: int) -> Any:
    """Sample `i` of whatever is mapped at `level` inside `value` (lists and tuples searched)."""
    if is_at(value, level):
        return value.inside[i]
    if type(value) in (list, tuple):
        return type(value)(sample(v, level, i) for v in value)
    return value


def stacked(results: list[Any], level: Level) -> Any:
    """One result per sample as one Batched result; tuples elementwise."""
    first = results[0]
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(stacked(list(part), level) for part in zip(*results, strict=True)))
    if isinstance(first, (tuple, list)):
        return type(first)(stacked(list(part), level) for part in zip(*results, strict=True))
    if first is None or isinstance(first, (str, np.dtype, type)):
        return first
    shapes = {tuple(np.shape(r)) for r in results}
    if len(shapes) > 1:
        raise _no_value(f"a result whose shape differs from sample to sample ({sorted(shapes)})")
    return Batched(np.stack([np_array(r) for r in results]), level)


def each(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call `function` once per sample and stack the results: right for everything, and slow."""
    level = top_level((*args, *kwargs.values()))
    assert level is not None
    if level.size == 0:
        raise VmapError("vmap: an op without a batching rule over a dimension of size 0")
    results = [
        function(
            *(sample(a, level, i) for a in args),
            **{k: sample(v, level, i) for k, v in kwargs.items()},
        )
        for i in range(level.size)
    ]
    return stacked(results, level)


# -- NumPy functions with a faster way than sample by sample ---------------------------------------


def _like(function: Any) -> Any:
    def rule(a: Any, *args: Any, **kwargs: Any) -> Any:
        if "shape" in kwargs and kwargs["shape"] is not None:
            kwargs["shape"] = (a.level.size, *kwargs["shape"])
        return Batched(function(a.inside, *args, **kwargs), a.level)

    return rule


def _join(name: str, lowest: int) -> Any:
    def rule(arrays: Any, axis: int = 0, **kwargs: Any) -> Any:
        arrays = list(arrays)
        level = top_level(arrays)
        assert level is not None
        ndim = max(a.ndim for a in arrays) + lowest
        made = getattr(np, name)([spread(a, level) for a in arrays], axis=axis % ndim + 1, **kwargs)
        return Batched(made, level)

    return rule


def _where(condition: Any, *choices: Any) -> Any:
    if not choices:
        raise _no_value("nonzero, whose result's shape depends on the values,")
    values = (condition, *choices)
    level = top_level(values)
    return Batched(np.where(*aligned(values, level)), level)  # type: ignore[arg-type]


def _copyto(target: Any, source: Any, **kwargs: Any) -> None:
    if type(target) is not Batched:
        raise refuse_write()
    target[...] = source


def _swapaxes(a: Any, first: int, second: int) -> Any:
    return a.swapaxes(first, second)


_FUNCTIONS: dict[Any, Any] = {
    np.zeros_like: _like(np.zeros_like),
    np.ones_like: _like(np.ones_like),
    np.empty_like: _like(np.empty_like),
    np.full_like: _like(np.full_like),
    np.concatenate: _join("concatenate", 0),
    np.stack: _join("stack", 1),
    np.where: _where,
    np.swapaxes: _swapaxes,
    np.copyto: _copyto,
    np.transpose: lambda a, axes=None: a.transpose(*(() if axes is None else (tuple(axes),))),
    np.reshape: lambda a, shape, *rest, **kw: a.reshape(shape),
    np.shape: lambda a: a.shape,
    np.ndim: lambda a: a.ndim,
    np.size: lambda a, axis=None: a.size if axis is None else a.shape[axis],
    np.copy: lambda a, *rest, **kw: a.copy(),
    np.iscomplexobj: lambda a: np.iscomplexobj(innermost(a)),
    np.isrealobj: lambda a: np.isrealobj(innermost(a)),
    np.result_type: lambda *a: np.result_type(*(innermost(v) for v in a)),
    np.can_cast: lambda a, *rest, **kw: np.can_cast(innermost(a).dtype, *rest, **kw),
    np.may_share_memory: lambda a, b, *r: np.may_share_memory(innermost(a), innermost(b)),
    np.shares_memory: lambda a, b, *r: np.may_share_memory(innermost(a), innermost(b)),
}

_WRITERS = {np.put, np.place, np.putmask, np.put_along_axis, np.fill_diagonal}
_DYNAMIC = {np.nonzero, np.argwhere, np.flatnonzero, np.unique, np.extract, np.array_equal}
