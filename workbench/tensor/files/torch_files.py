"""Files that PyTorch wrote: the zip of today and the stream of before 1.6, read without torch.

Only what a file of tensors needs is known by name; `names` below is the whole list. A stream that
names anything else is refused before anything happens.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from typing import Any, BinaryIO

import numpy as np

from workbench.arrays import device
from workbench.arrays.dtypes import ALIASES, dtype
from workbench.tensor.tensor import Size, Tensor

from .container import Archive
from .errors import FileError, UnsafeFileError
from .kinds import make_kind
from .memory import DTYPES, Placement, look
from .opcodes import Builder, Name, Stream, interpret

_STORAGES = {
    "Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16",
    "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
    "Bool": "bool", "ComplexFloat": "complex64", "ComplexDouble": "complex128",
    "Untyped": "uint8", "UInt16": "uint16", "UInt32": "uint32", "UInt64": "uint64",
}  # fmt: skip

_CALLED = (
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._tensor._rebuild_from_type_v2",
    "torch.Tensor",
    "torch.nn.parameter.Parameter",
    "torch.Size",
    "torch.device",
    "torch.serialization._get_layout",
    "collections.OrderedDict",
    "collections.Counter",
    "collections.defaultdict",
    "builtins.set",
    "builtins.frozenset",
    "builtins.bytearray",
    "builtins.complex",
    "builtins.dict",
    "builtins.list",
    "builtins.int",
    "builtins.float",
    "_codecs.encode",
)
_TYPES = {"builtins.dict": dict, "builtins.list": list, "builtins.int": int,
          "builtins.float": float, "builtins.set": set}  # fmt: skip
_WHY = {
    "torch._utils._rebuild_sparse_tensor": "sparse tensors: save x.to_dense()",
    "torch._utils._rebuild_qtensor": "quantized tensors: save x.dequantize()",
    "numpy.core.multiarray.scalar": "NumPy's numbers: save value.item()",
    "numpy._core.multiarray.scalar": "NumPy's numbers: save value.item()",
}


class _Memory:
    """A storage of the file: its bytes, the type of its elements, where it was."""

    __slots__ = ("bytes", "kind", "location")

    def __init__(self, data: np.ndarray, kind: dtype, location: str) -> None:
        self.bytes = data
        self.kind = kind
        self.location = location


class TorchBuilder(Builder):
    """Tensors, containers and numbers as PyTorch's streams describe them."""

    def __init__(self, place: Placement, storages: Any) -> None:
        self.place = place
        self.storages = storages  # (key, kind, location, count, view) -> _Memory

    def find(self, full: str) -> Any:
        """A dtype, a type of storage, or a name from the list."""
        full = full.replace("__builtin__.", "builtins.")
        if full in _CALLED:
            return Name(full)
        module, _, name = full.rpartition(".")
        if module == "torch":
            if name in DTYPES or name in ALIASES:
                return DTYPES.get(name) or ALIASES[name]
            if name.endswith("Storage") and name[:-7] in _STORAGES:
                return Name(full)
        if full == "torch.storage.UntypedStorage":
            return Name("torch.UntypedStorage")
        if full in _WHY:
            raise FileError(f"the file holds {_WHY[full]}")
        raise UnsafeFileError(
            f"the file asks for {full}, which is none of what a file of tensors needs; it was not "
            "imported. If it holds a whole module, save module.state_dict() with PyTorch instead"
        )

    def persistent(self, key: Any) -> Any:
        """A storage."""
        if type(key) is not tuple or len(key) < 5 or key[0] != "storage":
            raise FileError(f"damaged file: a reference to {str(key)[:60]}")
        _, kind, name, location, count, *view = key
        if type(kind) is not Name or not kind.full.endswith("Storage"):
            raise FileError(f"damaged file: a storage of type {kind!r}")
        found = DTYPES[_STORAGES[kind.full.removeprefix("torch.")[:-7]]]
        if type(location) is not str or type(count) is not int or count < 0:
            raise FileError("damaged file: a storage without size or place")
        return self.storages(str(name), found, location, count, view[0] if view else None)

    def build(self, made: Any, state: Any) -> Any:
        """A state dict's metadata; other states have no place here."""
        if isinstance(made, OrderedDict) and type(state) is dict and set(state) <= {"_metadata"}:
            for key, value in state.items():
                setattr(made, key, value)
            return made
        if isinstance(made, Tensor) and not state:
            return made
        raise UnsafeFileError(f"the file sets a state on a {type(made).__name__}")

    def call(self, name: Name, args: tuple[Any, ...]) -> Any:
        """One of the names in the list, carried out here."""
        short = name.full.rpartition(".")[2]
        make = getattr(self, f"_make_{short.lstrip('_')}", None)
        if make is None:
            raise UnsafeFileError(f"the file calls {name}")
        return make(*args)

    # -- tensors -----------------------------------------------------------------------------

    def _make_rebuild_tensor(self, memory: Any, offset: int, sizes: Any, steps: Any) -> Tensor:
        return self._make_rebuild_tensor_v2(memory, offset, sizes, steps, False)

    def _make_rebuild_tensor_v2(
        self, memory: Any, offset: int, sizes: Any, steps: Any, requires_grad: bool = False,
        hooks: Any = None, metadata: Any = None,
    ) -> Tensor:  # fmt: skip
        if type(memory) is not _Memory:
            raise FileError("damaged file: a tensor without memory")
        made = look(memory.bytes, memory.kind, offset, tuple(sizes), tuple(steps))
        made = self.place.move(made, _device_name(memory.location), memory.bytes)
        return made.requires_grad_() if requires_grad is True else made

    def _make_rebuild_tensor_v3(
        self, memory: Any, offset: int, sizes: Any, steps: Any, requires_grad: Any, hooks: Any,
        kind: Any, metadata: Any = None,
    ) -> Tensor:  # fmt: skip
        if type(memory) is not _Memory or type(kind) is not dtype:
            raise FileError("damaged file: a tensor without memory or dtype")
        typed = _Memory(memory.bytes, kind, memory.location)
        return self._make_rebuild_tensor_v2(typed, offset, sizes, steps, requires_grad)

    def _make_rebuild_parameter(self, data: Any, requires_grad: Any, hooks: Any = None) -> Tensor:
        if not isinstance(data, Tensor):
            raise FileError("damaged file: a parameter without a tensor")
        return make_kind("parameter", data, requires_grad is True)

    def _make_rebuild_parameter_with_state(
        self, data: Any, requires_grad: Any, hooks: Any, state: Any
    ) -> Tensor:
        return self._make_rebuild_parameter(data, requires_grad)

    def _make_rebuild_from_type_v2(self, function: Any, kind: Any, args: Any, state: Any) -> Any:
        known = ("torch.Tensor", "torch.nn.parameter.Parameter")
        if type(function) is not Name or getattr(kind, "full", None) not in known:
            raise UnsafeFileError(f"the file makes a tensor of class {kind!r}")
        made = self.call(function, tuple(args))
        if kind.full.endswith("Parameter"):
            made = self._make_rebuild_parameter(made, made.requires_grad)
        return made

    # -- small things ------------------------------------------------------------------------

    def _make_OrderedDict(self, items: Any = ()) -> Any:
        return OrderedDict(items)

    def _make_Counter(self, items: Any = ()) -> Any:
        return Counter(items if type(items) is dict else {})

    def _make_defaultdict(self, factory: Any = None, items: Any = ()) -> Any:
        return defaultdict(_TYPES.get(getattr(factory, "full", "")), items)

    def _make_set(self, items: Any = ()) -> Any:
        return set(items)

    def _make_frozenset(self, items: Any = ()) -> Any:
        return frozenset(items)

    def _make_bytearray(self, data: Any = b"", encoding: Any = None) -> Any:
        if type(data) is str and encoding == "latin-1":
            return bytearray(data, "latin-1")
        if type(data) is not bytes:
            raise FileError("damaged file: a bytearray of no bytes")
        return bytearray(data)

    def _make_complex(self, real: Any, imag: Any = 0.0) -> complex:
        return complex(float(real), float(imag))

    def _make_Size(self, sizes: Any = ()) -> Size:
        if any(type(n) is not int for n in sizes):
            raise FileError("damaged file: a size that is no integer")
        return Size(sizes)

    def _make_device(self, *args: Any) -> device:
        return device(*args)

    def _make_get_layout(self, name: Any) -> str:
        return str(name).removeprefix("torch.")

    def _make_encode(self, text: Any, encoding: Any = None) -> bytes:
        if type(text) is not str or encoding != "latin1":
            raise UnsafeFileError(f"the file encodes as {encoding!r}")
        return text.encode("latin-1")


def _device_name(location: str) -> str:
    return location if location.startswith("cuda") else "cpu"


def _finished(value: Any) -> Any:
    """`value`, unless a name or bare memory is somewhere in it."""
    seen: set[int] = set()
    todo = [value]
    while todo:
        part = todo.pop()
        if isinstance(part, (Name, _Memory)):
            what = part.full if isinstance(part, Name) else "a storage without a tensor"
            raise UnsafeFileError(f"the file holds {what}, which is no data")
        if isinstance(part, (dict, list, tuple, set, frozenset)) and id(part) not in seen:
            seen.add(id(part))
            todo.extend(part)
            if isinstance(part, dict):
                todo.extend(part.values())
            todo.extend(getattr(part, "__dict__", {}).values())
    return value


def read_torch(archive: Archive, place: Placement) -> Any:
    """What torch.save wrote into a zip. Raises FileError where it is damaged or none of torch's."""
    heads = [name for name in archive.infos if name.endswith("data.pkl")]
    if len(heads) != 1:
        raise FileError(
            "neither wb.save's nor torch.save's file: a zip "
            + ("without data.pkl" if not heads else "with several data.pkl")
        )
    folder = heads[0][: -len("data.pkl")]
    if f"{folder}constants.pkl" in archive.infos or f"{folder}code/" in archive.infos:
        raise UnsafeFileError(
            "the file is a TorchScript program: save module.state_dict() with PyTorch instead"
        )
    swapped = False
    if f"{folder}byteorder" in archive.infos:
        swapped = archive.bytes(f"{folder}byteorder").strip() == b"big"
    held: dict[str, np.ndarray] = {}

    def storage(name: str, kind: dtype, location: str, count: int, view: Any) -> _Memory:
        if name not in held:
            memory = archive.memory(f"{folder}data/{name}")
            if swapped and kind.itemsize > 1:
                unit = kind.itemsize // (2 if kind.is_complex else 1)
                memory = memory.reshape(-1, unit)[:, ::-1].reshape(-1).copy()
            held[name] = memory
        if count * kind.itemsize > held[name].nbytes:
            raise FileError(f"damaged file: storage {name} is shorter than its {count} elements")
        return _Memory(held[name], kind, location)

    return _finished(interpret(Stream(archive.bytes(heads[0])), TorchBuilder(place, storage)))


# -- before 1.6 ------------------------------------------------------------------------------------

_MAGIC = 0x1950A86A20F9469CFC6C


def is_legacy(head: bytes) -> bool:
    """Whether a file begins as torch's stream does: a pickle of its magic number."""
    return head[:1] == b"\x80" and _MAGIC.to_bytes(10, "little") in head


def read_legacy(file: BinaryIO, place: Placement) -> Any:
    """What torch.save wrote before 1.6: pickles one after another, then raw storages."""
    stream = Stream(file.read())
    plain = Builder()
    if interpret(stream, plain) != _MAGIC or interpret(stream, plain) != 1001:
        raise FileError("not a file of torch.save, or of an unknown version")
    machine = interpret(stream, plain)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise FileError("the file was written on a big-endian machine")
    wanted: dict[str, tuple[dtype, int]] = {}
    made: dict[str, np.ndarray] = {}
    left = len(stream.data)

    def storage(name: str, kind: dtype, location: str, count: int, view: Any) -> _Memory:
        if view is not None:
            raise FileError("views of storages, which PyTorch wrote before 0.4, are not read")
        if name not in made:
            if sum(m.nbytes for m in made.values()) + count * kind.itemsize > left:
                raise FileError(f"damaged file: storage {name} is longer than the file")
            made[name] = np.zeros(count * kind.itemsize, np.uint8)
            wanted[name] = (kind, count)
        return _Memory(made[name], kind, location)

    value = interpret(stream, TorchBuilder(place, storage))
    for name in interpret(stream, plain):
        if name not in wanted:
            raise FileError(f"damaged file: a storage {name!r} that nothing refers to")
        kind, count = wanted.pop(name)
        if stream.number(8, True) != count:
            raise FileError(f"damaged file: storage {name} has another size")
        made[name][:] = np.frombuffer(stream.take(count * kind.itemsize), np.uint8)
    if wanted:
        raise FileError(f"damaged file: the storages {sorted(wanted)} are missing")
    return _finished(value)
