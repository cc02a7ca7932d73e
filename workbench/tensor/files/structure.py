"""What a file holds beside memory, as JSON: containers, numbers, text, dtypes, tensors' places.

Plain JSON values stand for themselves and an array for a list; everything else is an object with
one key that says what it is. A tensor that occurs twice is written once and referred to.
"""

from __future__ import annotations

import base64
import math
from collections import OrderedDict
from typing import Any

import numpy as np

from workbench.arrays import array_device, device
from workbench.arrays.dtypes import dtype, dtype_of
from workbench.tensor.tensor import Size, Tensor

from .errors import FileError
from .kinds import kind_of, make_kind
from .memory import DTYPES, Placement, Storages, look

_DEPTH = 200


class Writer:
    """Turns a value into JSON and notes the memory of its tensors."""

    def __init__(self) -> None:
        self.storages = Storages()
        self._seen: dict[int, int] = {}
        self._keep: list[Any] = []

    def write(self, value: Any, depth: int = 0) -> Any:
        """The JSON of a value. Raises TypeError naming what cannot be saved."""
        if depth > _DEPTH:
            raise ValueError(
                f"wb.save: more than {_DEPTH} containers within each other (or one within itself)"
            )
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, Tensor):
            return self._tensor(value)
        make = _WRITERS.get(type(value))
        if make is None:
            raise TypeError(_refusal(value))
        return make(self, value, depth + 1)

    def _tensor(self, tensor: Tensor) -> Any:
        if id(tensor) in self._seen:
            return {"same": self._seen[id(tensor)]}
        self._seen[id(tensor)] = len(self._seen)
        self._keep.append(tensor)
        kind = kind_of(tensor)
        number, offset, sizes, steps = self.storages.place(tensor)
        made: dict[str, Any] = {
            "storage": number, "dtype": tensor.dtype.name, "offset": offset, "sizes": sizes,
            "steps": steps,
        }  # fmt: skip
        where = array_device(tensor.array)
        if where.type != "cpu":
            made["device"] = str(where)
        if tensor.edge is not None:
            made["requires_grad"] = True
        if kind != "tensor":
            made["kind"] = kind
        return {"tensor": made}

    def items(self, values: Any, depth: int) -> list[Any]:
        """The JSON of several values."""
        return [self.write(v, depth) for v in values]

    def pairs(self, values: Any, depth: int) -> list[Any]:
        """The JSON of a mapping's keys and values."""
        return [[self.write(k, depth), self.write(v, depth)] for k, v in values.items()]


def _refusal(value: Any) -> str:
    name = type(value).__name__
    hint = "convert it to tensors, numbers, text, lists or dicts first"
    if hasattr(value, "state_dict"):
        hint = f"save its values, wb.save(x.state_dict(), …), and load them into a new {name}"
    elif isinstance(value, np.generic):
        hint = "save value.item()"
    elif callable(value):
        hint = "a file holds data, never code"
    return f"wb.save: a {name} cannot be saved; {hint}"


def _array(writer: Writer, value: np.ndarray, depth: int) -> Any:
    from workbench.tensor.create import from_numpy

    dtype_of(value)  # refuses what is no number
    number, offset, sizes, steps = writer.storages.place(from_numpy(value))
    name = dtype_of(value).name
    return {"array": {"storage": number, "dtype": name, "offset": offset, "sizes": sizes,
                      "steps": steps}}  # fmt: skip


def _ordered(writer: Writer, value: OrderedDict[Any, Any], depth: int) -> Any:
    made = {"ordered": writer.pairs(value, depth)}
    metadata = getattr(value, "_metadata", None)  # of a module's state_dict
    if metadata is not None:
        made["metadata"] = writer.write(metadata, depth)
    return made


def _dict(writer: Writer, value: dict[Any, Any], depth: int) -> Any:
    return {"dict": writer.pairs(value, depth)}


_WRITERS: dict[type, Any] = {
    list: lambda w, v, d: w.items(v, d),
    tuple: lambda w, v, d: {"tuple": w.items(v, d)},
    dict: _dict,
    OrderedDict: _ordered,
    set: lambda w, v, d: {"set": w.items(v, d)},
    frozenset: lambda w, v, d: {"frozenset": w.items(v, d)},
    Size: lambda w, v, d: {"size": list(v)},
    bytes: lambda w, v, d: {"bytes": base64.b64encode(v).decode("ascii")},
    bytearray: lambda w, v, d: {"bytearray": base64.b64encode(v).decode("ascii")},
    complex: lambda w, v, d: {"complex": [repr(v.real), repr(v.imag)]},
    dtype: lambda w, v, d: {"dtype": v.name},
    device: lambda w, v, d: {"device": str(v)},
    slice: lambda w, v, d: {"slice": w.items((v.start, v.stop, v.step), d)},
    np.ndarray: _array,
}


class Reader:
    """Makes the value again. `memory(number)` gives a storage's bytes."""

    def __init__(self, memory: Any, place: Placement) -> None:
        self._memory = memory
        self._place = place
        self._tensors: list[Tensor] = []

    def read(self, node: Any) -> Any:
        """The value a piece of JSON stands for. Raises FileError where it is none of ours."""
        if node is None or type(node) in (bool, int, float, str):
            return node
        if type(node) is list:
            return [self.read(n) for n in node]
        if type(node) is dict:
            for key, make in _READERS.items():
                if key in node:
                    try:
                        return make(self, node[key], node)
                    except FileError:
                        raise
                    except (TypeError, ValueError, KeyError, IndexError, AttributeError,
                            RuntimeError) as error:  # fmt: skip
                        raise FileError(f"damaged file: {key!r} holds {error}") from None
        raise FileError(f"damaged file: an entry of an unknown kind ({str(node)[:60]})")

    def _view(self, node: dict[str, Any]) -> tuple[Tensor, Any]:
        memory = self._memory(node["storage"])
        kind = DTYPES[node["dtype"]]
        return look(memory, kind, node["offset"], node["sizes"], node["steps"]), memory

    def tensor(self, node: dict[str, Any]) -> Tensor:
        """A tensor, put where it belongs."""
        made, memory = self._view(node)
        made = self._place.move(made, str(node.get("device", "cpu")), memory)
        made = make_kind(node.get("kind", "tensor"), made, bool(node.get("requires_grad")))
        self._tensors.append(made)
        return made

    def array(self, node: dict[str, Any]) -> Any:
        """A NumPy array."""
        return self._view(node)[0].array

    def same(self, number: int) -> Tensor:
        """A tensor that occurred before."""
        if number < 0:
            raise IndexError(number)
        return self._tensors[number]

    def pairs(self, node: Any) -> list[tuple[Any, Any]]:
        """A mapping's entries."""
        return [(self.read(key), self.read(value)) for key, value in node]


def _read_ordered(r: Reader, node: Any, whole: dict[str, Any]) -> Any:
    made = OrderedDict(r.pairs(node))
    if "metadata" in whole:
        made._metadata = r.read(whole["metadata"])  # type: ignore[attr-defined]
    return made


def _decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_READERS: dict[str, Any] = {
    "tensor": lambda r, n, _: r.tensor(n),
    "same": lambda r, n, _: r.same(n),
    "array": lambda r, n, _: r.array(n),
    "dict": lambda r, n, _: dict(r.pairs(n)),
    "ordered": _read_ordered,
    "tuple": lambda r, n, _: tuple(r.read(v) for v in n),
    "set": lambda r, n, _: {r.read(v) for v in n},
    "frozenset": lambda r, n, _: frozenset(r.read(v) for v in n),
    "size": lambda r, n, _: Size(int(v) for v in n),
    "float": lambda r, n, _: float(n),
    "complex": lambda r, n, _: complex(float(n[0]), float(n[1])),
    "bytes": lambda r, n, _: _decoded(n),
    "bytearray": lambda r, n, _: bytearray(_decoded(n)),
    "dtype": lambda r, n, _: DTYPES[n],
    "device": lambda r, n, _: device(n),
    "slice": lambda r, n, _: slice(*(r.read(v) for v in n)),
}
