"""The words that the kernel and the browser exchange; pure functions, no Jupyter here.

A message is a small JSON object plus binary buffers. The TypeScript side of the same agreement is
`extension/src/bench/protocol.ts`; change both together.

From the kernel: ``series``, ``marks``, ``predictions``, ``reply``.
From the browser: ``hello`` (answered with everything, afresh) and ``command``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

#: The output type of a Bench that the JupyterLab extension knows how to draw.
BENCH_MIME = "application/vnd.workbench.bench+json"
BENCH_MIME_VERSION = 1

#: Longest error text sent to the browser; a traceback belongs in the notebook, not in a tooltip.
MESSAGE_LIMIT = 2000


class Message(NamedTuple):
    """One message to the browser: a JSON-able ``content`` and its binary ``buffers``."""

    content: dict[str, Any]
    buffers: list[bytes] = []  # noqa: RUF012 - never mutated; a NamedTuple default is shared


class Series(NamedTuple):
    """Points of one curve: ``steps`` float64 (n,) rising, ``values`` float32 (n,)."""

    key: str
    steps: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Hello:
    """A view has opened (or reloaded) and asks for everything."""


@dataclass(frozen=True)
class Command:
    """A request of the browser: call ``name`` with ``args`` and answer under the same ``id``."""

    id: str | int | None
    name: str
    args: dict[str, Any] = field(default_factory=dict)


class ProtocolError(ValueError):
    """A message from the browser that makes no sense; carries the ``id`` to answer to, if any."""

    def __init__(self, message: str, request: str | int | None = None) -> None:
        super().__init__(message)
        self.id = request


def series_message(series: Iterable[Series], reset: bool = False) -> Message | None:
    """Pack curves into one message: all steps in one buffer, all values in another.

    Returns None when there is nothing to say (no points and no ``reset``).
    """
    index: list[dict[str, Any]] = []
    steps: list[np.ndarray] = []
    values: list[np.ndarray] = []
    offset = 0
    for key, s, v in series:
        length = len(s)
        if length != len(v):
            raise ValueError(f"curve {key!r} has {length} steps but {len(v)} values")
        if not length:
            continue
        index.append({"key": key, "offset": offset, "length": length})
        steps.append(s)
        values.append(v)
        offset += length
    if not index and not reset:
        return None
    return Message(
        {"kind": "series", "reset": reset, "series": index},
        [_joined(steps, np.float64), _joined(values, np.float32)],
    )


def unpack_series(content: Mapping[str, Any], buffers: Sequence[bytes]) -> list[Series]:
    """The inverse of `series_message`; the browser does the same in TypeScript."""
    steps = np.frombuffer(buffers[0], np.float64)
    values = np.frombuffer(buffers[1], np.float32)
    parts = ((s["key"], slice(s["offset"], s["offset"] + s["length"])) for s in content["series"])
    return [Series(key, steps[part], values[part]) for key, part in parts]


def marks_message(marks: Iterable[Mapping[str, Any]]) -> Message:
    """Every mark on the time axis (edits, rate changes, failures); replaces what was there."""
    return Message(
        {
            "kind": "marks",
            "marks": [
                {"step": int(m["step"]), "kind": str(m["kind"]), "label": str(m["label"])}
                for m in marks
            ],
        }
    )


def reply_message(request: str | int | None, result: Any = None) -> Message:
    """The answer to a command that worked."""
    content = {"kind": "reply", "id": request, "ok": True, "result": plain(result), "error": None}
    return Message(content)


def error_message(request: str | int | None, error: BaseException) -> Message:
    """The answer to a command that failed: what kind of error, its text, and the layer if known."""
    return Message(
        {
            "kind": "reply",
            "id": request,
            "ok": False,
            "result": None,
            "error": describe_error(error),
        }
    )


def describe_error(error: BaseException) -> dict[str, Any]:
    """``{"type", "message", "layer"}`` of an exception, safe to show."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    layer = getattr(error, "layer", None)
    return {
        "type": type(error).__name__,
        "message": (text or f"{type(error).__name__} without a message")[:MESSAGE_LIMIT],
        "layer": None if layer is None else str(layer),
    }


def parse(content: object) -> Hello | Command:
    """Read what the browser sent.

    Raises:
        ProtocolError: the message is not one of ours; its text says what was wrong with it.
    """
    if not isinstance(content, Mapping):
        raise ProtocolError(f"expected a message object, got {type(content).__name__}")
    kind = content.get("kind")
    if kind == "hello":
        return Hello()
    request = content.get("id")
    if isinstance(request, bool) or not isinstance(request, (str, int, type(None))):
        got = type(request).__name__
        raise ProtocolError(f"a message's id is text or a whole number, got {got}")
    if kind != "command":
        raise ProtocolError(
            f"unknown kind of message {kind!r}: expected 'hello' or 'command'", request
        )
    name, args = content.get("name"), content.get("args")
    if not isinstance(name, str):
        raise ProtocolError("a command needs a name, such as 'pause'", request)
    if args is None:
        args = {}
    if not isinstance(args, Mapping):
        raise ProtocolError(f"the args of {name!r} must be an object of named values", request)
    return Command(request, name, dict(args))


def number(value: Any) -> float | None:
    """A float that JSON can hold, or None for a missing, infinite or undefined one."""
    if value is None:
        return None
    value = float(value)
    return value if math.isfinite(value) else None


def plain(value: Any) -> Any:
    """Turn a result into JSON: numpy scalars and arrays, tuples, dicts, ``to_dict`` objects."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.floating)):
        return number(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if callable(getattr(value, "to_dict", None)):
        return plain(value.to_dict())
    return str(value)


def _joined(parts: list[np.ndarray], dtype: type) -> bytes:
    if not parts:
        return b""
    return np.concatenate(parts).astype(dtype, copy=False).tobytes()
