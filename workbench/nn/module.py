"""Module: a piece of a network that owns parameters, buffers and other modules.

Parameters, buffers and children are ordinary instance attributes, so reading `self.weight` costs
what any attribute costs; `_members` only remembers which names are which, in order.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from workbench.arrays import as_dtype
from workbench.arrays import device as Device
from workbench.arrays import dtype as DType
from workbench.arrays.dtypes import float16, float32, float64
from workbench.tensor import Tensor
from workbench.tensor.capture import active

from . import hooks, state
from .members import BUFFER, MODULE, PARAMETER, Members
from .parameter import Buffer, Parameter, UninitializedMixin, converted

Self = TypeVar("Self", bound="Module")


class Module:
    """Base class of all layers and networks.

    A subclass calls `super().__init__()`, assigns parameters and other modules to attributes, and
    defines `forward`. Calling the module calls `forward` and its hooks.
    """

    training: bool
    forward: Callable[..., Any]

    _hooks: dict[str, dict[int, Any]] | None = None
    _state_hooks: dict[str, list[Any]] | None = None

    def __init__(self) -> None:
        space = self.__dict__
        space["training"] = True
        space["_members"] = {}  # name -> what it is, in order of registration
        space["_transient"] = set()  # names of buffers that stay out of the state dict

    def forward(self, *input: Any) -> Any:  # type: ignore[no-redef]
        """Compute the output; every subclass defines its own."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102
        if self._hooks is None:
            return self.forward(*args, **kwargs)
        return hooks.call(self, args, kwargs)

    # -- attributes ------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        active.module_changes += 1
        space = self.__dict__
        members = space.get("_members")
        if isinstance(value, Parameter):
            if members is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            if name in space and name not in members:
                del space[name]  # an ordinary attribute gives way
            self.register_parameter(name, value)
        elif isinstance(value, Module) and (not members or members.get(name) != PARAMETER):
            if members is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._enter(name, value, MODULE)
        elif isinstance(value, Buffer):
            if members is None:
                raise AttributeError("cannot assign buffer before Module.__init__() call")
            if members.get(name) != BUFFER:
                space.pop(name, None)
                members.pop(name, None)
            self.register_buffer(name, value, value.persistent)
        elif members is not None and name in members:
            self._enter(name, value, members[name])
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        active.module_changes += 1
        object.__delattr__(self, name)
        self.__dict__.get("_members", {}).pop(name, None)
        self.__dict__.get("_transient", set()).discard(name)

    def _enter(self, name: str, value: Any, kind: str) -> None:
        """Store a member under a name that may be taken, checking its type."""
        wanted = {PARAMETER: Parameter, BUFFER: Tensor, MODULE: Module}[kind]
        if value is not None and not isinstance(value, wanted):
            label = {PARAMETER: "nn.Parameter", BUFFER: "Tensor", MODULE: "nn.Module"}[kind]
            place = "child module" if kind == MODULE else kind
            raise TypeError(
                f"cannot assign '{_type_name(value)}' as {place} '{name}' "
                f"({label} or None expected)"
            )
        members = self.__dict__["_members"]
        if members.get(name) != kind:
            members.pop(name, None)  # a change of kind goes to the end, as in torch
            self.__dict__["_transient"].discard(name)
            members[name] = kind
        self.__dict__[name] = value

    def _check_name(self, name: str, kind: str) -> None:
        if "_members" not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type(name).__name__}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and self._members.get(name) != kind:
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter (None: a parameter this module does without).

        Raises KeyError for a bad or taken name, TypeError for other values, ValueError for a
        tensor that was computed and therefore cannot be a parameter.
        """
        held = self.__dict__.get("_members", {})
        if held.get(name) not in (None, PARAMETER):
            self._enter(name, param, PARAMETER)
            return
        self._check_name(name, PARAMETER)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{_type_name(param)}' object to parameter '{name}' "
                    "(nn.Parameter or None required)"
                )
            if not param.is_leaf:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must "
                    "be created explicitly. To express it as a function of another Tensor, "
                    "compute the value in the forward() method."
                )
        self._enter(name, param, PARAMETER)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is part of the module but not trained.

        With `persistent=False` it stays out of the state dict. Raises KeyError for a bad or taken
        name, TypeError for other values.
        """
        self._check_name(name, BUFFER)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{_type_name(tensor)}' object to buffer '{name}' "
                "(Tensor or None required)"
            )
        self._enter(name, tensor, BUFFER)
        if persistent:
            self._transient.discard(name)
        else:
            self._transient.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child module. Raises KeyError for a bad or taken name, TypeError for others."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_type_name(module)} is not a Module subclass")
        self._check_name(name, MODULE)
        self._enter(name, module, MODULE)

    register_module = add_module

    @property
    def _parameters(self) -> Members:
        return Members(self, PARAMETER)

    @property
    def _buffers(self) -> Members:
        return Members(self, BUFFER)

    @property
    def _modules(self) -> Members:
        return Members(self, MODULE)

    @property
    def _non_persistent_buffers_set(self) -> set[str]:
        return self._transient

    def __copy__(self: Self) -> Self:
        """A shallow copy: the same parameters and children, in a register of its own."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.__dict__["_members"] = dict(self._members)
        made.__dict__["_transient"] = set(self._transient)
        if self._hooks is not None:
            made.__dict__["_hooks"] = {kind: dict(held) for kind, held in self._hooks.items()}
        return made

    # -- walking ---------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Pairs of name and direct child; a child that appears twice comes once."""
        space = self.__dict__
        seen: set[Module] = set()
        for name, kind in list(space["_members"].items()):
            child = space[name]
            if kind == MODULE and child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator[Module]:
        """The direct children."""
        for _, child in self.named_children():
            yield child

    def named_modules(
        self,
        memo: set[Module] | None = None,
        prefix: str = "",
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Module]]:
        """This module and everything below it, with dotted names, parents first."""
        memo = set() if memo is None else memo
        waiting = [(prefix, self)]
        while waiting:
            path, module = waiting.pop()
            if module in memo:
                continue
            if remove_duplicate:
                memo.add(module)
            yield path, module
            space = module.__dict__
            before = f"{path}." if path else ""
            below = [
                (before + name, space[name])
                for name, kind in space["_members"].items()
                if kind == MODULE and space[name] is not None
            ]
            waiting.extend(reversed(below))

    def modules(self) -> Iterator[Module]:
        """This module and everything below it, each once."""
        for _, module in self.named_modules():
            yield module

    def _named_tensors(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[Any] = set()
        owners = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in owners:
            space = module.__dict__
            before = f"{path}." if path else ""
            for name, held in list(space["_members"].items()):
                if held != kind:
                    continue
                tensor = space[name]
                if tensor is None or tensor in seen:
                    continue
                if remove_duplicate:
                    seen.add(tensor)
                yield before + name, tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Pairs of dotted name and parameter, each parameter once unless told otherwise."""
        return self._named_tensors(PARAMETER, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Pairs of dotted name and buffer."""
        return self._named_tensors(BUFFER, prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target: str) -> Module:
        """The module with the dotted name `target`; "" is this one.

        Raises AttributeError naming what is missing.
        """
        module: Any = self
        for name in target.split(".") if target else []:
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` at the dotted name `target`; with `strict` one must be there already.

        Raises ValueError for an empty name or a value that is no module, AttributeError when the
        way to it (or, with `strict`, the place itself) does not exist.
        """
        if not target:
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module).__name__}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict:
            parent.get_submodule(name)
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with the dotted name `target`. Raises AttributeError when there is none."""
        return self._get_tensor(target, PARAMETER, "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with the dotted name `target`. Raises AttributeError when there is none."""
        return self._get_tensor(target, BUFFER, "a buffer")

    def _get_tensor(self, target: str, kind: str, label: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        if module._members.get(name) != kind:
            raise AttributeError(f"`{name}` is not {label}")
        return getattr(module, name)

    # -- changing everything at once -------------------------------------------------------

    def apply(self: Self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on every module below this one, then on this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def _apply(self: Self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Convert every parameter, its gradient and every buffer by `fn`.

        Parameters stay the same objects, so that optimizers and tied weights keep holding them.
        """
        for module in list(self.modules()) if recurse else [self]:
            space = module.__dict__
            for name, kind in module._members.items():
                if space[name] is None or kind == MODULE:
                    continue
                if kind == PARAMETER:
                    converted(space[name], fn)
                else:
                    space[name] = fn(space[name])
        return self

    def to(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Move to a device and/or convert floating-point members to a floating-point dtype.

        `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(other_tensor)`; in place, returns
        `self`. Raises TypeError for a dtype that is not floating point or complex.
        """
        where, what = _destination(args, kwargs)
        if what is not None and not (what.is_floating_point or what.is_complex):
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got {what!r}"
            )

        def convert(tensor: Tensor) -> Tensor:
            wanted = what if tensor.is_floating_point() or tensor.is_complex() else None
            if wanted is not None and where is not None:
                return tensor.to(where, wanted)
            if wanted is not None:
                return tensor.to(wanted)
            return tensor if where is None else tensor.to(where)

        return self._apply(convert)

    def type(self: Self, dst_type: DType) -> Self:
        """Convert every parameter and buffer, integer ones included, to `dst_type`."""
        target = as_dtype(dst_type)
        return self._apply(lambda t: t.to(target))

    def _floats(self: Self, target: DType) -> Self:
        return self._apply(lambda t: t.to(target) if t.is_floating_point() else t)

    def float(self: Self) -> Self:
        """Convert floating-point parameters and buffers to float32."""
        return self._floats(float32)

    def double(self: Self) -> Self:
        """Convert floating-point parameters and buffers to float64."""
        return self._floats(float64)

    def half(self: Self) -> Self:
        """Convert floating-point parameters and buffers to float16."""
        return self._floats(float16)

    def cpu(self: Self) -> Self:
        """Move everything to the CPU."""
        return self._apply(lambda t: t.to(Device("cpu")))

    def cuda(self: Self, device: Any = None) -> Self:
        """Move everything to a CUDA device. Raises RuntimeError when there is none."""
        where = Device("cuda" if device is None else device)
        return self._apply(lambda t: t.to(where))

    def train(self: Self, mode: bool = True) -> Self:
        """Switch to training mode (dropout drops, batch norm uses the batch), or out of it."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Switch to evaluation mode."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Freeze (False) or thaw all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad = parameter.grad.detach()
                parameter.grad.zero_()

    # -- hooks -----------------------------------------------------------------------------

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> hooks.RemovableHandle:
        """Call `hook(module, args)` before forward; what it returns replaces the arguments.

        With `with_kwargs`: `hook(module, args, kwargs)`, returning None or (args, kwargs).
        """
        return hooks.add(self, "forward_pre", hook, (with_kwargs,), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> hooks.RemovableHandle:
        """Call `hook(module, args, output)` after forward; what it returns replaces the output.

        With `with_kwargs`: `hook(module, args, kwargs, output)`. With `always_call` it runs even
        when forward raises.
        """
        return hooks.add(self, "forward", hook, (with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> hooks.RemovableHandle:
        """Call `hook(module, grad_output)` before the gradient enters the module's backward.

        It may return replacements when the module has one output.
        """
        return hooks.add(self, "backward_pre", hook, (), prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> hooks.RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the input's gradients are known.

        What it returns replaces `grad_input` (for modules with one input that requires it).
        """
        return hooks.add(self, "backward", hook, (), prepend)

    # -- state -----------------------------------------------------------------------------

    def state_dict(
        self,
        *,
        destination: dict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """Parameters and persistent buffers by dotted name, in torch's order.

        The tensors share memory with the module and are detached unless `keep_vars`.
        """
        return state.collect(self, destination, prefix, keep_vars)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> state.IncompatibleKeys:
        """Copy values (tensors or NumPy arrays) into parameters and buffers by name.

        With `assign` the given tensors themselves become the parameters. Without `strict`,
        missing and unexpected names are only reported in what is returned.

        Raises RuntimeError listing all missing and unexpected names and all shapes that differ,
        TypeError when `state_dict` is not a mapping; the module is then unchanged.
        """
        return state.restore(self, state_dict, strict, assign)

    def get_extra_state(self) -> Any:
        """Something more to keep in the state dict; define it together with `set_extra_state`."""
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be called."
        )

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned."""
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called."
        )

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> state.StateHandle:
        """Before loading, call `hook(module, state_dict, prefix, local_metadata, strict,
        missing_keys, unexpected_keys, error_msgs)`; it may change its copy of `state_dict`."""
        return state.add_hook(self, "load_pre", hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> state.StateHandle:
        """After loading, call `hook(module, incompatible_keys)`."""
        return state.add_hook(self, "load_post", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> state.StateHandle:
        """After collecting, call `hook(module, state_dict, prefix, local_metadata)`."""
        return state.add_hook(self, "save_post", hook)

    # -- printing --------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """The arguments shown between the parentheses of the repr."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {indented(repr(child))}" for name, child in self._modules.items()]
        if not children and len(lines) == 1:
            return f"{self._get_name()}({lines[0]})"
        if not children and not lines:
            return f"{self._get_name()}()"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        # __dict__ directly: __setattr__ would ask for a register that is not there yet
        made.__dict__.update({k: copy.deepcopy(v, memo) for k, v in self.__dict__.items()})
        return made


def indented(text: str) -> str:
    """`text` with every line after the first moved right by two."""
    return text.replace("\n", "\n  ")


def is_lazy(module: Module) -> bool:
    """Whether the module itself has parameters or buffers that wait for their first input."""
    return any(
        isinstance(module.__dict__[name], UninitializedMixin)
        for name, kind in module._members.items()
        if kind != MODULE
    )


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _destination(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, DType | None]:
    unknown = set(kwargs) - {"device", "dtype", "non_blocking", "memory_format", "tensor"}
    if unknown:
        raise TypeError(f"to() got an unexpected keyword argument {unknown.pop()!r}")
    where, what = kwargs.get("device"), kwargs.get("dtype")
    given = [*args]
    if "tensor" in kwargs:
        given.append(kwargs["tensor"])
    for value in given:
        if isinstance(value, Tensor):
            where, what = value.device, value.dtype
        elif isinstance(value, DType):
            what = value
        elif isinstance(value, (str, int, Device)) and not isinstance(value, bool):
            where = value
        elif value is not None and not isinstance(value, bool):
            raise TypeError(f"to() takes a device, a dtype or a tensor, got {type(value).__name__}")
    return (None if where is None else Device(where)), (None if what is None else as_dtype(what))


active.observed.append(Module)
