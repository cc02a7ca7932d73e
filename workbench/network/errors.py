"""Errors that say what was wrong, where, and what to type instead."""

from __future__ import annotations

from typing import Any


class EditError(ValueError):
    """An edit that was refused; the network, its optimizers and its log are as before.

    Attributes:
        layer: name of the layer that cannot take the edit, or None.
        id: stable id of that layer, or None (a layer that was only about to be inserted has none).
        got: what the layer would receive, as text such as "(N, 128)", or None.
        wanted: what it can take, or None.
        fix: something to type that would help, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        layer: str | None = None,
        id: str | None = None,
        got: str | None = None,
        wanted: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message if fix is None else f"{message}. Fix: {fix}")
        self.layer = layer
        self.id = id
        self.got = got
        self.wanted = wanted
        self.fix = fix

    def __str__(self) -> str:
        return str(self.args[0])

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON values: {"ok": False, "type", "message", "layer", …}."""
        return {
            "ok": False,
            "type": type(self).__name__,
            "message": str(self),
            "layer": self.layer,
            "id": self.id,
            "got": self.got,
            "wanted": self.wanted,
            "fix": self.fix,
        }


class EditTypeError(EditError, TypeError):
    """An argument of an edit is not the kind of thing that is needed there."""


class UnknownLayerError(EditError, KeyError):
    """A name or id that no layer of the network has (any more)."""
