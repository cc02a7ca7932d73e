"""Bringing a new layer: made from its spec or handed over as a module, seeded, moved, tried."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import numpy as np

from workbench import nn
from workbench.arrays import random
from workbench.tensor import no_grad

from . import palette
from .construct import qualified
from .draft import Context, Draft
from .dryrun import BATCH, zeros
from .errors import EditError, EditTypeError
from .names import quoted
from .shadow import clone, is_lazy, shadow
from .spec import LayerSpec, initialise
from .state import Value

MANY = 10_000_000  # parameters; beyond, checking whether a seed still tells them takes too long

LayerLike = nn.Module | LayerSpec
"""What an edit takes as a layer."""


def check_layer(layer: object) -> None:
    """Raises EditTypeError, with what to type instead, when this is no layer."""
    if isinstance(layer, (nn.Module, LayerSpec)):
        return
    if isinstance(layer, type) and issubclass(layer, nn.Module):
        name = qualified(layer)
        raise EditTypeError(
            f"{name} is a class; an edit takes a layer made from it", fix=f"{name}()"
        )
    if isinstance(layer, str) and palette.find(layer):
        raise EditTypeError(f"{layer!r} is text, not a layer", fix=f"nn.{layer}(…)")
    raise EditTypeError(
        f"an edit takes an nn.Module or a LayerSpec, got {type(layer).__name__}",
        fix="nn.ReLU(), or LayerSpec('ReLU')",
    )


def type_name(layer: LayerLike) -> str:
    """The name of the layer's type."""
    return layer.type if isinstance(layer, LayerSpec) else type(layer).__name__


def layer_code(layer: LayerLike) -> str:
    """The Python that constructs the layer."""
    from .construct import expression

    return layer.code if isinstance(layer, LayerSpec) else expression(layer)


def layer_dict(layer: LayerLike, seed: int | None) -> dict[str, Any]:
    """The layer as JSON values.

    Raises EditError for a module that values cannot describe: one outside the palette, or one
    whose initial weights no seed tells.
    """
    if isinstance(layer, LayerSpec):
        return layer.to_dict()
    spec = LayerSpec.of(layer)
    if spec is None:
        raise EditError(
            f"a {type(layer).__name__} cannot be written down as values: it is not in the palette"
        )
    if seed is None and any(True for _ in layer.parameters()):
        raise EditError(
            f"the {type(layer).__name__} was given as an object, whose weights a log cannot hold",
            fix=f"give LayerSpec({spec.type!r}, …), or a seed",
        )
    return spec.to_dict()


def bring(
    draft: Draft,
    context: Context,
    id: str,
    name: str,
    layer: LayerLike,
    inputs: list[Value],
    seed: int | None,
) -> tuple[LayerLike, int | None]:
    """Put the layer into the draft at `id`.

    Returns the layer with its arguments filled in, and the seed its parameters came from, if any.

    Raises EditError when it cannot be made, or is in the network already.
    """
    draft.touched.add(id)
    draft.fresh.add(id)
    if isinstance(layer, LayerSpec):
        drawn = context.draw() if seed is None else seed
        layer = layer.complete(inputs[0].shape, name)
        module = layer.build(drawn, _dtype(context, inputs[0]))
        if context.state.kind[1] is not None:
            module.to(context.state.kind[1])
        draft.modules[id] = module
        draft.finish.append(lambda: module.train(context.network.training))
        return layer, drawn if any(True for _ in module.parameters()) else None
    module = layer
    _check_new(context, module)
    draft.modules[id] = module
    tried = module
    if is_lazy(module):
        tried = copy.deepcopy(module)
        _materialise(tried, inputs, 0, name)
        draft.finish.append(lambda: _materialise(module, inputs, None, name))
        if seed is None and "initial_seed" in vars(tried):
            seed = random.default_generator().branch()
    elif seed is None:
        seed = known_seed(module)
    if seed is not None:
        tried = clone(tried)
        initialise(tried, seed)
        draft.finish.append(lambda: initialise(module, seed))
    device = context.state.kind[1]
    if device is not None and any(p.device != device for p in tried.parameters()):
        tried = clone(tried).to(device)
        draft.finish.append(lambda: module.to(device))
    draft.finish.append(lambda: module.train(context.network.training))
    if tried is not module:
        draft.stand_ins[id] = tried
    return layer, seed


def known_seed(module: nn.Module) -> int | None:
    """The seed that gives the module's present values, where it remembers one that does."""
    seed = getattr(module, "initial_seed", None)
    if seed is None or sum(p.numel() for p in module.parameters()) > MANY:
        return None
    twin = clone(module)
    try:
        initialise(twin, seed)
    except EditError:
        return None
    values, again = module.state_dict(), twin.state_dict()
    same = all(np.array_equal(t.array, again[name].array) for name, t in values.items())
    return seed if same else None


def _dtype(context: Context, value: Value) -> Any:
    return value.dtype if value.dtype.is_floating_point else context.state.kind[0]


def _check_new(context: Context, module: nn.Module) -> None:
    if any(inner is context.network for inner in module.modules()):
        raise EditError("a network cannot be a layer of itself", fix="net.copy()")
    for node in context.graph:
        if context.state.modules[node.id] is module:
            raise EditError(
                f"this very module is already in the network, as layer {quoted(node.name)}",
                layer=node.name,
                id=node.id,
                fix="copy.deepcopy(layer) for one like it",
            )


def _materialise(module: nn.Module, inputs: list[Value], seed: int | None, name: str) -> None:
    flags = {inner: inner.training for inner in module.modules()}
    device = next((p.device for p in module.parameters()), None)
    batch = [zeros((BATCH, *v.shape), dtype=v.dtype, device=device) for v in inputs]
    module.eval()
    try:
        with random.fork(seed) if seed is not None else nullcontext(), no_grad():
            module(*batch)
    except Exception as error:
        got = " and ".join(palette.batched(v.shape) for v in inputs)
        raise EditError(
            f"layer {quoted(name)} ({type(module).__name__}) cannot take its input {got}: {error}",
            layer=name,
            got=got,
        ) from error
    finally:
        for inner, training in flags.items():
            inner.training = training


def same_parameters(old: nn.Module, new: nn.Module) -> bool:
    """Whether two modules of one type have parameters and buffers of the same names and shapes."""
    if type(old) is not type(new):
        return False
    return _outline(old) == _outline(new)


def _outline(module: nn.Module) -> list[tuple[str, tuple[int, ...], Any]]:
    tensors_ = [*module.named_parameters(remove_duplicate=False), *module.named_buffers()]
    return [(name, tuple(t.shape), t.dtype) for name, t in tensors_]


def share(old: nn.Module, new: nn.Module) -> None:
    """Make `new` hold the very parameters and buffers of `old`, which has the same outline."""
    pairs = zip(old.named_modules(), new.named_modules(), strict=True)
    for (_, source), (_, target) in list(pairs):
        for name, parameter in list(source._parameters.items()):
            if parameter is not None:
                target._parameters[name] = parameter
        for name, buffer in list(source._buffers.items()):
            if buffer is not None:
                target._buffers[name] = buffer


def shared_stand_in(old: nn.Module, new: nn.Module) -> nn.Module:
    """A stand-in for `new` that already has the parameters and buffers of `old`."""
    tried = shadow(new)
    share(old, tried)
    return tried
