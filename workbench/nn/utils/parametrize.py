"""Parameters computed from others: a tensor of a module becomes a function of what is learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from workbench.nn.containers import ModuleDict, ModuleList
from workbench.nn.module import Module
from workbench.nn.parameter import Parameter
from workbench.tensor import Tensor, mark_written, no_grad

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_depth = 0
_cache: dict[tuple[int, str], Tensor] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Within it, each parametrized tensor is computed once and used again."""
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth:
            _cache.clear()


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


class ParametrizationList(ModuleList):
    """The functions that a tensor goes through, and what it starts from.

    That is `original`, or `original0`, `original1`, … where the first function takes several
    tensors. Raises ValueError or TypeError where a function changes what is not its to change.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = tuple(original.shape), original.dtype
        with no_grad():
            new: Any = original
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):
                        new = module.right_inverse(new)
        if not isinstance(new, (Tensor, Sequence)):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            if new.dtype is not dtype and not unsafe:
                raise ValueError(
                    f"When `right_inverse` outputs one tensor, it may not change the dtype: "
                    f"{dtype} became {new.dtype}"
                )
            _store(original, new)
            _register(self, "original", original)
        else:
            for i, value in enumerate(new):
                if not isinstance(value, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors. Got "
                        f"element {i} of the sequence with type {type(value).__name__}."
                    )
                held: Tensor = value.detach().clone()
                if isinstance(original, Parameter):
                    held = Parameter(held, original.requires_grad)
                _register(self, f"original{i}", held)
        if unsafe:
            return
        with no_grad():
            result = self()
        if not isinstance(result, Tensor):
            raise ValueError(
                f"A parametrization must return a tensor. Got {type(result).__name__}."
            )
        if result.dtype is not dtype or tuple(result.shape) != shape:
            raise ValueError(
                "Registering a parametrization may not change the dtype or the shape of the tensor "
                f"unless the `unsafe` flag is enabled: {dtype}{list(shape)} became "
                f"{result.dtype}{list(result.shape)}"
            )

    def _originals(self) -> list[Tensor]:
        if self.is_tensor:
            return [self._parameters.get("original", self._buffers.get("original"))]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Make the parametrized tensor `value`, by way of the functions' `right_inverse`.

        Raises RuntimeError where one has none.
        """
        with no_grad():
            new: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                new = module.right_inverse(new)
            for held, part in zip(self._originals(), [new] if self.is_tensor else new, strict=True):
                _store(held, part)

    def forward(self) -> Tensor:
        """The parametrized tensor."""
        first, *rest = list(self)
        value = first(*self._originals())
        for module in rest:
            value = module(value)
        return value


def _store(held: Tensor, value: Tensor) -> None:
    """Put `value` into a tensor, whose shape may change."""
    if held is value:
        return
    held.array = value.detach().clone().array
    mark_written(held)


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether the module (or that tensor of it) is parametrized."""
    held = getattr(module, "parametrizations", None)
    if not isinstance(held, ModuleDict):
        return False
    return len(held) > 0 if tensor_name is None else tensor_name in held


def type_before_parametrizations(module: Module) -> type:
    """The module's class, or what it was before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def _own_class(module: Module) -> None:
    """Give the module a class of its own, for properties."""
    cls = type(module)
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), {"__module__": cls.__module__})


def _add_property(module: Module, name: str) -> None:
    def get(self: Any) -> Tensor:
        if not _depth:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def put(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, put))


def register_parametrization(
    module: Any, tensor_name: str, parametrization: Any, *, unsafe: bool = False
) -> Module:
    """Make the tensor `tensor_name` of the module `parametrization(original)`.

    Further ones are applied to the result. A `right_inverse` of the parametrization says from what
    original the present value comes, and lets one assign to the tensor. Raises ValueError where
    there is no such tensor, or (unless `unsafe`) its shape or dtype would change.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        held = module.parametrizations[tensor_name]
        with no_grad():
            before = getattr(module, tensor_name)
            after = parametrization(before)
            if not unsafe and (after.shape != before.shape or after.dtype is not before.dtype):
                raise ValueError(
                    "Registering a parametrization may not change the shape or dtype of the tensor "
                    f"unless the `unsafe` flag is enabled: {before.shape} became {after.shape}"
                )
        held.append(parametrization)
        held.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        made = ParametrizationList([parametrization], original, unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _own_class(module)
            module.parametrizations = ModuleDict()
        _add_property(module, tensor_name)
        module.parametrizations[tensor_name] = made
    else:
        raise ValueError(
            f"Module '{type(module).__name__}' does not have a parameter, a buffer, or a "
            f"parametrized element with name '{tensor_name}'"
        )
    return module


def remove_parametrizations(
    module: Any, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make the tensor an ordinary one again: its present value, or the original.

    Raises ValueError where it is not parametrized, or where there are several originals to leave.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {type(module).__name__} does not have a parametrization on "
                         f"{tensor_name}")  # fmt: skip
    held = module.parametrizations[tensor_name]
    if not held.is_tensor and not leave_parametrized:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized"
            " in terms of a sequence of tensors."
        )
    original = held._originals()[0]
    if leave_parametrized:
        with no_grad():
            value = getattr(module, tensor_name)
        if held.is_tensor:
            _store(original, value)
        else:
            wanted = any(t.requires_grad for t in held._originals())
            plain = value.detach().clone()
            original = Parameter(plain, wanted) if isinstance(original, Parameter) else plain
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    _register(module, tensor_name, original)
    return module


def transfer_parametrizations_and_params(
    from_module: Any, to_module: Any, tensor_name: str | None = None
) -> Module:
    """Give `to_module` the parametrizations of `from_module` (or of that tensor), with values."""
    names = list(
        getattr(from_module, "parametrizations", {}) if tensor_name is None else [tensor_name]
    )
    for name in names:
        held = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            _register(to_module, name, Parameter(getattr(from_module, name).detach().clone()))
        for function in held:
            register_parametrization(to_module, name, function, unsafe=held.unsafe)
        for mine, other in zip(
            to_module.parametrizations[name]._originals(), held._originals(), strict=True
        ):
            _store(mine, other)
    return to_module
