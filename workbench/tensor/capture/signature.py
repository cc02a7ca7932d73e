"""What two calls must have in common for one plan to serve both."""

from __future__ import annotations

from typing import Any

from workbench.tensor.mode import mode
from workbench.tensor.tensor import Tensor

PLAIN = (int, float, str, bool, type(None), complex, bytes)


def flatten(tree: Any, found: list[Any]) -> Any:
    """The tree's description, hashable; its tensors are added to `found`."""
    if isinstance(tree, Tensor):
        array = tree.array
        place = next((i for i, t in enumerate(found) if t.array is array), len(found))
        found.append(tree)
        strides = getattr(array, "strides", None)
        return (Tensor, array.shape, array.dtype, strides, tree.edge is None, type(array), place)
    if type(tree) in (tuple, list):
        return (type(tree), *(flatten(item, found) for item in tree))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return (type(tree), *(flatten(item, found) for item in tree))
    if type(tree) is dict:
        return (dict, *((key, flatten(value, found)) for key, value in tree.items()))
    if isinstance(tree, PLAIN):
        return (type(tree), tree)
    try:
        hash(tree)
    except TypeError:
        return (type(tree), id(tree))
    return tree


def surroundings() -> tuple[Any, ...]:
    """Modes that change what a call means."""
    return (mode.grad, mode.inference)


def rebuild(tree: Any, take: Any) -> Any:
    """The tree with `take(tensor)` in the place of every tensor."""
    if isinstance(tree, Tensor):
        return take(tree)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(rebuild(item, take) for item in tree))
    if type(tree) in (tuple, list):
        return type(tree)(rebuild(item, take) for item in tree)
    if type(tree) is dict:
        return {key: rebuild(value, take) for key, value in tree.items()}
    return tree
