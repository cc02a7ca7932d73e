"""Device handles: `device("cpu")`, `device("cuda:0")`."""

from __future__ import annotations

import re

_SPELLING = re.compile(r"(cpu|cuda)(?::(\d+))?\Z")


class device:  # noqa: N801 - torch spells it so
    """A place where tensors live.

    `device("cpu")`, `device("cuda")`, `device("cuda", 1)`, `device("cuda:1")`. Making a handle
    touches no hardware; making a tensor on it does.

    Raises RuntimeError for an unknown or malformed name, TypeError for other types.
    """

    __slots__ = ("index", "type")

    def __init__(self, type: str | device | int, index: int | None = None) -> None:
        name: object = type
        if isinstance(name, device):
            name, index = name.type, name.index if index is None else index
        elif isinstance(name, int) and not isinstance(name, bool):
            name, index = "cuda", name
        if not isinstance(name, str):
            raise TypeError(f"device(): expected a name such as 'cpu' or 'cuda:0', got {name!r}")
        match = _SPELLING.match(name)
        if match is None:
            raise RuntimeError(f"Invalid device string: {name!r}; use 'cpu', 'cuda' or 'cuda:0'")
        self.type = match[1]
        named = None if match[2] is None else int(match[2])
        if named is not None and index is not None:
            raise RuntimeError(
                f"device {name!r} names an index already, so index={index} is one too many"
            )
        self.index: int | None = named if named is not None else index

    def __enter__(self) -> device:
        """Tensors made inside the block are made here when no device is named."""
        from . import placement

        placement.enter(self)
        return self

    def __exit__(self, *error: object) -> None:
        from . import placement

        placement.leave()

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, device):
            return NotImplemented
        return (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))
