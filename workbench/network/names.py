"""Names of layers: what is allowed, the default ones, and help for misspelt ones."""

from __future__ import annotations

import difflib
import functools
import keyword
import re
import unicodedata
from collections.abc import Container, Iterable

from workbench import nn

from .errors import EditError, EditTypeError
from .graph import INPUT, Graph

LONGEST = 80
"""Most characters a layer's name may have."""

_ID = re.compile(r"n\d+")  # references may be names or ids, so no name may look like an id

_STEMS = {
    "Linear": "fc",
    "Conv2d": "conv",
    "Conv1d": "conv",
    "Conv3d": "conv",
    "ConvTranspose1d": "deconv",
    "ConvTranspose2d": "deconv",
    "ConvTranspose3d": "deconv",
    "MaxPool2d": "pool",
    "AvgPool2d": "pool",
    "AdaptiveAvgPool2d": "pool",
    "AdaptiveMaxPool2d": "pool",
    "BatchNorm1d": "norm",
    "BatchNorm2d": "norm",
    "LayerNorm": "norm",
    "Dropout": "drop",
    "Embedding": "embed",
}


def default_name(type_name: str, taken: Container[str]) -> str:
    """A free name for a layer of this type: "relu1", "conv2", "fc1" …"""
    plain = type_name.removeprefix("Lazy")
    return free_name(_STEMS.get(plain, plain.lower().strip("_")), taken)


def free_name(stem: str, taken: Container[str]) -> str:
    """`stem` followed by the first number that makes a name not in `taken`."""
    stem = stem[: LONGEST - 6] or "layer"
    if stem in ("n", INPUT):
        stem = "layer"
    number = 1
    while f"{stem}{number}" in taken:
        number += 1
    return f"{stem}{number}"


def check_name(name: object, graph: Graph, network: nn.Module, but: str | None = None) -> str:
    """`name` if a layer may have it. `but` is the id of the layer that gets it, if it exists.

    Raises EditTypeError when it is no text, and EditError when it is empty, too long, has a dot,
    is taken by another layer or an attribute of the network.
    """
    if not isinstance(name, str):
        raise EditTypeError(f"a layer's name is text, got {type(name).__name__}")
    shown = quoted(name)
    if not name.strip():
        raise EditError("a layer's name cannot be empty", fix='name="fc1", or no name at all')
    if len(name) > LONGEST:
        raise EditError(f"a layer's name has at most {LONGEST} characters, this one {len(name)}")
    if "." in name:
        better = name.replace(".", "_")
        raise EditError(
            f"the layer name {shown} has a dot, which state_dict keys use as a separator",
            fix=f"name={better!r}",
        )
    if not name.isprintable():
        raise EditError(f"the layer name {shown} has characters that cannot be printed")
    if name == INPUT:
        raise EditError('the name "input" belongs to the input of the network', fix='name="first"')
    if name in _sequential_attributes() or (graph.find(name) is None and hasattr(network, name)):
        raise EditError(
            f"the name {shown} is an attribute of the network itself",
            fix=f"name={name.strip('_') + '1'!r}",
        )
    if _ID.fullmatch(name):
        raise EditError(
            f"the name {shown} looks like a layer's id", fix=f"name={'layer_' + name!r}"
        )
    owner = graph.find(name)
    if owner is not None and owner.id != but:
        raise EditError(
            f"there is already a layer {shown}",
            layer=name,
            id=owner.id,
            fix=f"name={free_name(name.rstrip('0123456789'), graph.names)!r}",
        )
    return name


@functools.cache
def _sequential_attributes() -> frozenset[str]:
    # what add_module of a Sequential would refuse, so that the printed code always runs
    return frozenset(dir(nn.Sequential()))


def near(word: str, known: Iterable[str]) -> list[str]:
    """Up to three of `known` that look like `word`, best first, whatever their case."""
    lowered = {k.lower(): k for k in known}
    return [lowered[k] for k in difflib.get_close_matches(word.lower(), lowered, 3, 0.5)]


def quoted(name: str) -> str:
    """A name in double quotes for a message, with anything odd in it escaped."""
    inner = repr(name)[1:-1].replace("\\'", "'")
    return f'"{inner}"'


def is_attribute(name: str) -> bool:
    """Whether `self.NAME` in Python source means exactly this name."""
    return (
        name.isidentifier()
        and not keyword.iskeyword(name)
        and not name.startswith("__")  # mangled inside a class
        and unicodedata.normalize("NFKC", name) == name  # the parser normalises identifiers
    )


def variable(name: str, taken: Container[str]) -> str:
    """A Python variable name that resembles `name` and is not in `taken`."""
    text = unicodedata.normalize("NFKC", name)
    text = "".join(c if c.isalnum() or c == "_" else "_" for c in text).strip("_").lower()
    if not text.isidentifier() or keyword.iskeyword(text):
        text = f"layer_{text}".rstrip("_")
        if not text.isidentifier():
            text = "layer"
    found, number = text, 2
    while found in taken:
        found, number = f"{text}_{number}", number + 1
    return found
