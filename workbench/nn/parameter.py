"""Parameter: a tensor that a module trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.arrays import as_dtype, device_namespace, get_default_dtype
from workbench.tensor import LEAF, Tensor, no_grad, wrap
from workbench.tensor.tensor import new_tensor


class Parameter(Tensor):
    """A tensor that becomes part of a module when it is assigned to one of its attributes.

    It shares memory with `data` and asks for gradients unless told otherwise. Raises TypeError
    when `data` is not a tensor, RuntimeError for an integer tensor with `requires_grad`.
    """

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:  # noqa: D102
        if data is None:
            xp = device_namespace(None)
            data = wrap(xp.empty((0,), get_default_dtype().numpy))
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Parameter needs a tensor, got {type(data).__name__}; use wb.tensor(…)"
            )
        made: Parameter = new_tensor(cls, data.array)
        if requires_grad:
            made.requires_grad_()
        return made

    def __repr__(self, *args: Any, **kwargs: Any) -> str:
        return "Parameter containing:\n" + super().__repr__(*args, **kwargs)


class Buffer(Tensor):
    """A tensor that becomes a module's buffer when it is assigned to one of its attributes."""

    __slots__ = ()

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:  # noqa: D102
        if data is None:
            data = wrap(device_namespace(None).empty((0,), get_default_dtype().numpy))
        if not isinstance(data, Tensor):
            raise TypeError(f"Buffer needs a tensor, got {type(data).__name__}; use wb.tensor(…)")
        made: Buffer = new_tensor(cls, data.array, data.edge)
        made.__dict__["persistent"] = persistent
        return made


class UninitializedMixin:
    """What stands for a parameter or buffer until a lazy module has seen its first input."""

    __slots__ = ()

    _becomes: type[Tensor]
    array: Any

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Take a shape (values undefined) and become an ordinary parameter or buffer."""
        wanted = self.array.dtype if dtype is None else as_dtype(dtype).numpy
        if device is None:
            from workbench.arrays import namespace

            xp = namespace(self.array)
        else:
            xp = device_namespace(device)
        self.array = xp.empty(tuple(shape), wanted)
        self.__class__ = self._becomes  # type: ignore[assignment]

    @property
    def shape(self) -> Any:
        """Raises RuntimeError: there is none yet."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer: call the lazy "
            "module once on an example input, which gives it one"
        )

    def __repr__(self, *args: Any, **kwargs: Any) -> str:
        return f"<{type(self).__name__}>"


def _placeholder(cls: type, device: Any, dtype: Any) -> Any:
    wanted = get_default_dtype() if dtype is None else as_dtype(dtype)
    return new_tensor(cls, device_namespace(device).empty((0,), wanted.numpy))


class UninitializedParameter(UninitializedMixin, Parameter):
    """A parameter without a shape yet."""

    __slots__ = ()
    _becomes = Parameter

    def __new__(  # type: ignore[misc]  # noqa: D102
        cls, requires_grad: bool = True, device: Any = None, dtype: Any = None
    ) -> UninitializedParameter:
        made = _placeholder(cls, device, dtype)
        if requires_grad:
            made.edge = LEAF
        return made


class UninitializedBuffer(UninitializedMixin, Tensor):
    """A buffer without a shape yet."""

    __slots__ = ()
    _becomes = Tensor

    def __new__(  # noqa: D102
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None
    ) -> UninitializedBuffer:
        return _placeholder(cls, device, dtype)


def converted(parameter: Parameter, fn: Callable[[Tensor], Tensor]) -> None:
    """Replace a parameter's values, and its gradient's, by what `fn` makes of them, in place."""
    with no_grad():
        parameter.array = fn(wrap(parameter.array)).array
        if parameter.grad is not None:
            parameter.grad = wrap(fn(wrap(parameter.grad.array)).array)


def empty(shape: tuple[int, ...], device: Any = None, dtype: Any = None) -> Tensor:
    """An uninitialised tensor for a layer's parameter (default dtype unless given)."""
    wanted = get_default_dtype() if dtype is None else as_dtype(dtype)
    return wrap(device_namespace(device).empty(shape, wanted.numpy))
