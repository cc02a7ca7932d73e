"""Our container: a zip that holds one JSON of structure and the raw memory of each storage.

Members are stored, not compressed, and aligned to 64 bytes, so that a file can be mapped into
memory. The archive's own checksums tell damage.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .errors import FileError
from .memory import Placement, little
from .structure import Reader, Writer

NAME = "workbench.json"
_VERSION = 1
_ALIGN = 64
_STAMP = (1980, 1, 1, 0, 0, 0)  # the same values give the same bytes


def atomically(path: str | os.PathLike[str], write: Callable[[BinaryIO], None]) -> None:
    """Write a file whole or not at all: beside its place first, then moved over it."""
    target = Path(path)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode)
        os.replace(name, target)  # noqa: PTH105 - the name of the call that is atomic
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _umask() -> int:
    before = os.umask(0)
    os.umask(before)
    return before


def write_container(value: Any, file: BinaryIO) -> None:
    """Write `value` to an open binary file. Raises TypeError for what cannot be saved."""
    writer = Writer()
    root = writer.write(value)
    head = {"format": "workbench", "version": _VERSION, "root": root}
    text = json.dumps(head, allow_nan=False, separators=(",", ":")).encode("ascii")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(NAME, _STAMP), text)
        for number, held in enumerate(writer.storages.held):
            _member(archive, f"storage/{number}", little(held))


def _member(archive: zipfile.ZipFile, name: str, data: np.ndarray) -> None:
    info = zipfile.ZipInfo(name, _STAMP)
    start = archive.fp.tell() + 30 + len(name)  # type: ignore[union-attr]
    pad = -start % _ALIGN
    if pad < 4:  # an extra field has a head of four bytes
        pad += _ALIGN
    info.extra = b"\x57\x42" + (pad - 4).to_bytes(2, "little") + bytes(pad - 4)
    info.file_size = data.nbytes
    with archive.open(info, "w", force_zip64=data.nbytes >= 1 << 31) as member:
        member.write(data.data)


class Archive:
    """A zip that is being read: members by name, each uncompressed, checked and whole."""

    def __init__(self, file: BinaryIO, path: str | None, mmap: bool) -> None:
        self._path = path
        self._mmap = mmap and path is not None
        try:
            self._zip = zipfile.ZipFile(file)
            infos = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError) as error:
            raise FileError(f"damaged file: {error}") from None
        self.infos = {info.filename: info for info in infos}
        if len(self.infos) != len(infos):
            raise FileError("damaged file: two members of one name")
        self._held: dict[str, np.ndarray] = {}

    def bytes(self, name: str) -> bytes:
        """A member's content."""
        info = self._info(name)
        try:
            data = self._zip.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, RuntimeError,
                NotImplementedError) as error:  # fmt: skip
            raise FileError(f"damaged file: {error}") from None
        if len(data) != info.file_size:
            raise FileError(f"damaged file: {name} is shorter than it says")
        return data

    def memory(self, name: str) -> np.ndarray:
        """A member as writable bytes, mapped or read; the same array for the same member."""
        if name not in self._held:
            mapped = self._mapped(name) if self._mmap else None
            if mapped is None:
                mapped = np.frombuffer(bytearray(self.bytes(name)), np.uint8)
            self._held[name] = mapped
        return self._held[name]

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = self.infos.get(name)
        if info is None:
            raise FileError(f"damaged file: the member {name!r} is missing")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise FileError(f"{name!r} is compressed or encrypted, which files of tensors are not")
        return info

    def _mapped(self, name: str) -> np.ndarray | None:
        info = self._info(name)
        if not info.file_size:
            return None
        with Path(str(self._path)).open("rb") as file:
            file.seek(info.header_offset)
            head = file.read(30)
        if len(head) != 30 or head[:4] != b"PK\x03\x04":
            raise FileError(f"damaged file: no member at {info.header_offset}")
        start = info.header_offset + 30
        start += int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        try:
            found = np.memmap(str(self._path), np.uint8, "c", start, (info.file_size,))
        except (ValueError, OSError) as error:
            raise FileError(f"damaged file: {error}") from None
        return np.asarray(found)


def read_container(archive: Archive, place: Placement) -> Any:
    """The value in one of our containers."""
    try:
        head = json.loads(archive.bytes(NAME))
    except (ValueError, RecursionError) as error:
        raise FileError(f"damaged file: {error}") from None
    if not isinstance(head, dict) or head.get("format") != "workbench":
        raise FileError("not one of workbench's files")
    if head.get("version") != _VERSION:
        raise FileError(
            f"the file has version {head.get('version')!r} of the format, this workbench reads "
            f"{_VERSION}; a newer workbench wrote it"
        )

    def memory(number: Any) -> np.ndarray:
        if type(number) is not int:
            raise FileError(f"damaged file: a storage called {number!r}")
        return archive.memory(f"storage/{number}")

    try:
        return Reader(memory, place).read(head.get("root"))
    except RecursionError:
        raise FileError("damaged file: containers within each other without end") from None
