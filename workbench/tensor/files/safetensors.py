"""The safetensors format: 8 bytes of length, a JSON head, raw memory.

https://github.com/huggingface/safetensors describes it; reading and writing are a page.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from workbench.arrays import to_numpy
from workbench.tensor.tensor import Tensor

from .errors import FileError
from .memory import DTYPES, Placement, little, look

_NAMES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "F16": "float16",
    "BF16": "bfloat16", "U32": "uint32", "I32": "int32", "F32": "float32", "U64": "uint64",
    "I64": "int64", "F64": "float64", "C64": "complex64",
}  # fmt: skip
_CODES = {ours: theirs for theirs, ours in _NAMES.items()}
_HEAD = 100_000_000  # the format's own limit for its head


def is_safetensors(file: BinaryIO) -> bool:
    """Whether a file begins as the format does; leaves the position where it was."""
    start = file.tell()
    head = file.read(9)
    end = file.seek(0, os.SEEK_END)
    file.seek(start)
    size = int.from_bytes(head[:8], "little")
    return len(head) == 9 and head[8:] == b"{" and 2 <= size <= min(end - start - 8, _HEAD)


def write_safetensors(tensors: Any, file: BinaryIO, metadata: dict[str, str] | None = None) -> None:
    """Write a dict of names to tensors. Raises TypeError for anything else."""
    if not isinstance(tensors, dict) or not all(
        isinstance(k, str) and isinstance(v, Tensor) for k, v in tensors.items()
    ):
        raise TypeError("a safetensors file holds a flat dict of names to tensors, nothing else")
    head: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    parts, place = [], 0
    # the widest types first keeps every tensor aligned
    for name, tensor in sorted(tensors.items(), key=lambda kv: (-kv[1].element_size(), kv[0])):
        if tensor.dtype.name not in _CODES:
            raise TypeError(f"a safetensors file cannot hold {tensor.dtype}: {name!r}")
        data = little(np.ascontiguousarray(to_numpy(tensor.array)))
        head[name] = {
            "dtype": _CODES[tensor.dtype.name], "shape": list(tensor.shape),
            "data_offsets": [place, place + data.nbytes],
        }  # fmt: skip
        parts.append(data)
        place += data.nbytes
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for data in parts:
        file.write(data.data)


def read_safetensors(file: BinaryIO, place: Placement) -> dict[str, Tensor]:
    """The tensors in a safetensors file, by name. Raises FileError for a damaged one."""
    size = int.from_bytes(file.read(8), "little")
    try:
        head = json.loads(file.read(size))
    except (ValueError, RecursionError) as error:
        raise FileError(f"damaged safetensors file: {error}") from None
    data = file.read()
    if not isinstance(head, dict):
        raise FileError("damaged safetensors file: its head is no object")
    head.pop("__metadata__", None)
    found, reach = {}, 0
    for name, entry in sorted(head.items(), key=lambda kv: _begin(kv[1])):
        found[name] = _tensor(name, entry, data, reach, place)
        reach = entry["data_offsets"][1]
    if reach != len(data):
        raise FileError(
            f"damaged safetensors file: its tensors take {reach} bytes, there are {len(data)}"
        )
    return {name: found[name] for name in head}


def _begin(entry: Any) -> int:
    try:
        begin, end = entry["data_offsets"]
        if type(begin) is int and type(end) is int and 0 <= begin <= end:
            return begin
    except (TypeError, KeyError, ValueError):
        pass
    raise FileError("damaged safetensors file: an entry without data_offsets")


def _tensor(name: str, entry: Any, data: bytes, reach: int, place: Placement) -> Tensor:
    begin, end = entry["data_offsets"]
    if entry.get("dtype") not in _NAMES:
        raise FileError(f"safetensors: {name!r} has dtype {entry.get('dtype')}, not known here")
    kind = DTYPES[_NAMES[entry["dtype"]]]
    shape = entry.get("shape")
    if type(shape) is not list or any(type(n) is not int or n < 0 for n in shape):
        raise FileError(f"damaged safetensors file: {name!r} has shape {shape}")
    count = 1
    for n in shape:
        count *= n
    if begin != reach or end > len(data) or end - begin != count * kind.itemsize:
        raise FileError(f"damaged safetensors file: {name!r} does not fit its place")
    memory = np.frombuffer(bytearray(data[begin:end]), np.uint8)
    steps, step = [], 1
    for n in reversed(shape):
        steps.append(step)
        step *= max(n, 1)
    made = look(memory, kind, 0, shape, steps[::-1])
    return place.move(made, "cpu", memory)


def save_safetensors(
    tensors: dict[str, Tensor],
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
) -> None:
    """Write a dict of names to tensors as a safetensors file, whole or not at all."""
    from .container import atomically

    atomically(filename, lambda file: write_safetensors(tensors, file, metadata))


def load_safetensors(filename: str | os.PathLike[str], device: Any = None) -> dict[str, Tensor]:
    """The tensors in a safetensors file, by name. Raises FileError for other and damaged files."""
    with Path(filename).open("rb") as file:
        if not is_safetensors(file):
            raise FileError(f"{os.fspath(filename)!r} is no safetensors file")
        return read_safetensors(file, Placement(device))
