"""What all edits have in common: they are values, and say themselves in words, Python and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from workbench.network.draft import Context, Draft
from workbench.network.errors import EditError, EditTypeError
from workbench.network.names import near

_KINDS: dict[str, type[Edit]] = {}


@dataclass(frozen=True)
class Edit:
    """A change of a network that can be checked, previewed, applied, undone, logged and printed.

    Layers are called by name or id. An edit that was applied (`EditResult.edit`, `LogEntry.edit`)
    calls them by the names they had then and has its open choices filled in: name, id, seed.
    """

    op: ClassVar[str] = ""
    fields: ClassVar[dict[str, bool]] = {}
    """Fields of the JSON form, and whether each must be there."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.op:
            _KINDS[cls.op] = cls

    def draft(self, context: Context) -> tuple[Edit, Draft]:
        """The edit with its choices made, and the network it would lead to; changes nothing.

        Raises EditError when the edit makes no sense for this network.
        """
        raise NotImplementedError

    @property
    def code(self) -> str:
        """The Python line on `net` that does the same."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """What the edit does, in a few words."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The edit as JSON values. Raises EditError when a layer cannot be written as values."""
        raise NotImplementedError

    @classmethod
    def from_dict(cls, description: Any) -> Edit:
        """The edit that a dictionary of JSON values describes.

        Raises EditError that says which field is missing, unknown or wrong.
        """
        if not isinstance(description, Mapping):
            raise EditTypeError(
                f"an edit is an object with an op, got {type(description).__name__}",
                fix='{"op": "remove", "layer": "fc1"}',
            )
        op = description.get("op")
        kind = _KINDS.get("insert" if op == "append" else op) if isinstance(op, str) else None
        if kind is None:
            likely = near(str(op), [*_KINDS, "append"])
            raise EditError(
                f"there is no edit {op!r}; there are append, {', '.join(_KINDS)}",
                fix=f'"op": "{likely[0]}"' if likely else None,
            )
        rest = {key: value for key, value in description.items() if key != "op"}
        for key in rest:
            if key not in kind.fields:
                raise EditError(
                    f"the edit {op!r} has no field {key!r}; it has {', '.join(kind.fields)}"
                )
        for key, needed in kind.fields.items():
            if needed and rest.get(key) is None:
                raise EditError(f"the edit {op!r} needs the field {key!r}")
        return kind._read(rest)

    @classmethod
    def _read(cls, fields: dict[str, Any]) -> Edit:
        return cls(**fields)


def call(method: str, *parts: str | None) -> str:
    """`net.METHOD(parts)`, leaving out those that are None."""
    return f"net.{method}({', '.join(part for part in parts if part is not None)})"


def option(name: str, value: Any) -> str | None:
    """`name=value` in Python, or None when there is no value."""
    return None if value is None or value is False else f"{name}={value!r}"


def given(**values: Any) -> dict[str, Any]:
    """The values that are not None or False."""
    return {k: v for k, v in values.items() if v is not None and v is not False}


def check_seed(seed: object) -> None:
    """Raises EditTypeError when a seed is neither None nor an integer from 0 to 2**63 - 1."""
    if seed is None:
        return
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise EditTypeError(f"a seed is an integer, got {seed!r}")
    if not 0 <= seed < 1 << 63:
        raise EditError(f"a seed is between 0 and 2**63 - 1, got {seed}")


def check_adapt(adapt: object, context: Context) -> int | None:
    """The seed for layers that are remade to fit, or None when they shall not be.

    `adapt` is False, True (draw a seed) or such a seed. Raises EditTypeError otherwise.
    """
    if adapt is None or adapt is False:
        return None
    if adapt is True:
        return context.draw()
    check_seed(adapt)
    return int(adapt)  # type: ignore[call-overload, no-any-return]
