"""`wb.save` and `wb.load`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from .container import NAME, Archive, atomically, read_container, write_container
from .errors import FileError
from .memory import Placement
from .safetensors import is_safetensors, read_safetensors, write_safetensors
from .torch_files import is_legacy, read_legacy, read_torch


def save(
    obj: Any, f: str | os.PathLike[str] | BinaryIO, pickle_module: Any = None, **options: Any
) -> None:
    """Save tensors and containers of them to a file, whole or not at all.

    `obj`: tensors, parameters, None, numbers, text, bytes, dtypes, devices, sizes, NumPy arrays,
    and lists, tuples, dicts and sets of them: state dicts of modules and optimizers above all.
    Tensors that share memory share it again after loading. A name that ends in ".safetensors"
    writes that format, for a flat dict of tensors.

    Raises TypeError for anything else (modules, functions): a file holds data, never code.
    """
    if pickle_module is not None:
        raise ValueError("wb.save never pickles: leave pickle_module out")
    if isinstance(f, (str, os.PathLike)):
        path = os.fspath(f)
        flat = str(path).endswith(".safetensors")
        atomically(path, lambda file: (write_safetensors if flat else write_container)(obj, file))
    elif hasattr(f, "write"):
        write_container(obj, f)
    else:
        raise TypeError(f"wb.save: expected a path or a binary file, got {type(f).__name__}")


def load(
    f: str | os.PathLike[str] | BinaryIO,
    map_location: Any = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **options: Any,
) -> Any:
    """What `wb.save` or `torch.save` wrote, or a dict of tensors from a safetensors file.

    `map_location`: a device for everything, a dict of devices, or a function. `mmap` maps the file
    into memory instead of reading it. `weights_only` makes no difference: no file is ever run.
    Files of PyTorch are read by an interpreter that knows tensors, containers and numbers only.

    Raises FileError (a RuntimeError) for damaged and foreign files, UnsafeFileError for a file that
    asks for anything else than data, and says for what. Nothing is loaded by halves.
    """
    if pickle_module is not None:
        raise ValueError("wb.load never unpickles: leave pickle_module out")
    place = Placement(map_location)
    if isinstance(f, (str, os.PathLike)):
        with Path(f).open("rb") as file:
            return _read(file, os.fspath(f), place, bool(mmap))
    if not hasattr(f, "read") or not hasattr(f, "seek"):
        raise TypeError(
            f"wb.load: expected a path or a binary file that can seek, got {type(f).__name__}"
        )
    if mmap:
        raise ValueError("mmap can only be used with files loaded by their path")
    return _read(f, None, place, False)


def _read(file: BinaryIO, path: str | None, place: Placement, mmap: bool) -> Any:
    start = file.tell()
    head = file.read(32)
    file.seek(start)
    if not isinstance(head, bytes):
        raise TypeError('wb.load: open the file in binary mode, "rb"')
    if not head:
        raise FileError("the file is empty")
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        archive = Archive(file, path, mmap)
        if NAME in archive.infos:
            return read_container(archive, place)
        return read_torch(archive, place)
    if is_legacy(head):
        return read_legacy(file, place)
    if is_safetensors(file):
        return read_safetensors(file, place)
    raise FileError(
        "not a file of tensors: neither wb.save's, torch.save's nor a safetensors file "
        f"(it begins with {head[:8]!r})"
    )
