"""Nested tuples, lists and dicts of tensors: taken apart and put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.tensor.tensor import Tensor

Build = Callable[[list[Any]], Any]


def flatten(tree: Any) -> tuple[list[Any], Build]:
    """The leaves in order, and a function that builds the same tree on other leaves."""
    if isinstance(tree, dict):
        keys = list(tree)
        return _branch(
            [tree[k] for k in keys], lambda parts: type(tree)(zip(keys, parts, strict=True))
        )
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return _branch(list(tree), lambda parts: type(tree)(*parts))
    if isinstance(tree, (tuple, list)):
        kind = list if isinstance(tree, list) else tuple
        return _branch(list(tree), kind)
    return [tree], lambda leaves: leaves[0]


def _branch(children: list[Any], join: Callable[[list[Any]], Any]) -> tuple[list[Any], Build]:
    pieces = [flatten(child) for child in children]
    counts = [len(leaves) for leaves, _ in pieces]
    builders = [build for _, build in pieces]

    def rebuild(leaves: list[Any]) -> Any:
        parts, at = [], 0
        for count, build in zip(counts, builders, strict=True):
            parts.append(build(leaves[at : at + count]))
            at += count
        return join(parts)

    return [leaf for leaves, _ in pieces for leaf in leaves], rebuild


def tree_map(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with `function` applied to every leaf."""
    leaves, build = flatten(tree)
    return build([function(leaf) for leaf in leaves])


def matched(prefix: Any, tree: Any, name: str) -> list[Any]:
    """`prefix` (one value, or a tree that begins like `tree`) repeated for every leaf of `tree`.

    Raises ValueError when the structures do not fit.
    """
    if prefix is None or isinstance(prefix, int):
        return [prefix] * len(flatten(tree)[0])
    if isinstance(tree, dict) and isinstance(prefix, dict) and set(tree) == set(prefix):
        pairs = [(prefix[k], tree[k]) for k in tree]
    elif (
        isinstance(tree, (tuple, list))
        and isinstance(prefix, (tuple, list))
        and len(prefix) == len(tree)
    ):
        pairs = list(zip(prefix, tree, strict=True))
    else:
        raise ValueError(
            f"{name} = {prefix!r} does not fit the structure of {_show(tree)}: give one int (or "
            "None) for all, or the same nesting of tuples, lists and dicts"
        )
    return [value for p, t in pairs for value in matched(p, t, name)]


def _show(tree: Any) -> str:
    return repr(tree_map(lambda v: "Tensor" if isinstance(v, Tensor) else v, tree))
