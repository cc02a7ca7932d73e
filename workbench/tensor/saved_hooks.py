"""Hooks on what nodes save: pack it when it is saved, unpack it when backward needs it.

While some hooks are installed, the ops make their nodes of a class whose `saved` packs what is
put there. While none are, nothing knows of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np

from . import node as nodes
from . import versions
from .node import Node
from .tensor import Tensor, wrap

Pack = Callable[[Tensor], Any]
Unpack = Callable[[Any], Tensor]


class _Installed(threading.local):
    def __init__(self) -> None:
        self.pairs: list[tuple[Pack, Unpack]] = []
        self.refusal: str | None = None


_installed = _Installed()
_users = 0  # how many blocks, in any thread, have hooks installed
_lock = threading.Lock()
_saved = Node.saved  # type: ignore[misc] # the slot itself


class Packed:
    """What a pack hook returned, and the hook that undoes it."""

    __slots__ = ("unpack", "value")

    def __init__(self, value: Any, unpack: Unpack) -> None:
        self.value = value
        self.unpack = unpack

    def tensor(self) -> Tensor:
        """The tensor again; TypeError when the hook returns something else."""
        found = self.unpack(self.value)
        if not isinstance(found, Tensor):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of "
                f"type {type(found).__name__}"
            )
        return found


class PackedTuple(tuple):
    """A node's saved values, some of them Packed."""

    __slots__ = ()

    def unpacked(self, node: Node) -> tuple[Any, ...]:
        """The values again. RuntimeError when memory that a hook kept was written over since."""
        values = []
        for value in self:
            if type(value) is not Packed:
                values.append(value)
                continue
            array = value.tensor().array
            if versions.written_since(array, node.seq):
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an "
                    f"inplace operation: a tensor of shape {tuple(array.shape)} that {node.name()} "
                    "saved through a hook was written after the forward pass"
                )
            values.append(array)
        return tuple(values)


def pack_tensor(tensor: Tensor) -> Any:
    """A tensor through the innermost pack hook; itself where there is none in this thread."""
    if not _installed.pairs:
        return tensor
    pack, unpack = _installed.pairs[-1]
    held = pack(tensor)
    return Packed(held, unpack)


def unpack_tensor(held: Any) -> Any:
    """What `pack_tensor` was given."""
    return held.tensor() if type(held) is Packed else held


def packed(saved: tuple[Any, ...]) -> tuple[Any, ...]:
    """A node's saved values with its arrays through the innermost pack hook of this thread."""
    if not _installed.pairs or not saved:
        return saved
    values = [pack_tensor(wrap(v)) if _is_array(v) else v for v in saved]
    return PackedTuple(values)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (
        hasattr(value, "dtype") and hasattr(value, "strides") and not isinstance(value, np.generic)
    )


class _PackingNode(Node):
    """A node that is being made: packs what it is told to save, and is an ordinary node then."""

    __slots__ = ()

    @property
    def saved(self) -> Any:  # type: ignore[override]
        return _saved.__get__(self)  # type: ignore[union-attr]

    @saved.setter
    def saved(self, value: Any) -> None:
        _saved.__set__(self, packed(value))  # type: ignore[union-attr]
        self.__class__ = Node  # type: ignore[assignment]


def _count(change: int) -> None:
    global _users
    from .binding import put_in_place

    with _lock:
        _users += change
        if _users:
            nodes.watched = True
        put_in_place(Node=_PackingNode if _users else Node)
        nodes.packer = packed if _users else None


class saved_tensors_hooks:  # noqa: N801 - torch spells it so
    """Within the block, everything saved for backward goes through `pack_hook(tensor)`.

    What it returns is kept instead, and given to `unpack_hook`, which returns the tensor, whenever
    the backward pass needs it. Hooks of an inner block take the place of those of an outer one.
    """

    def __init__(self, pack_hook: Pack, unpack_hook: Unpack) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        """Install the hooks; RuntimeError where `disable_saved_tensors_hooks` forbids it."""
        if _installed.refusal is not None:
            raise RuntimeError(_installed.refusal)
        _installed.pairs.append((self.pack_hook, self.unpack_hook))
        _count(1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _installed.pairs.pop()
        _count(-1)


class save_on_cpu(saved_tensors_hooks):  # noqa: N801 - torch spells it so
    """Within the block, what is saved for backward is kept in the host's memory."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        def pack(tensor: Tensor) -> tuple[Any, Tensor]:
            where = tensor.device
            held = tensor.cpu()  # type: ignore[attr-defined]
            return where, wrap(held.array.copy()) if held is tensor else held

        def unpack(held: tuple[Any, Tensor]) -> Tensor:
            where, tensor = held
            return tensor.to(where)  # type: ignore[attr-defined,no-any-return]

        super().__init__(pack, unpack)


class disable_saved_tensors_hooks:  # noqa: N801 - torch spells it so
    """Within the block, installing hooks raises RuntimeError(error_message)."""

    def __init__(self, error_message: str) -> None:
        self.message = error_message
        self._before: list[str | None] = []

    def __enter__(self) -> None:
        """Forbid them; RuntimeError when some are installed."""
        if _installed.pairs:
            raise RuntimeError(self.message)
        self._before.append(_installed.refusal)
        _installed.refusal = self.message

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _installed.refusal = self._before.pop()


class _Without:
    """Within the block, hooks of outer blocks in this thread do not apply."""

    def __enter__(self) -> None:
        self._held, _installed.pairs = _installed.pairs, []

    def __exit__(self, *exc: object) -> None:
        _installed.pairs = self._held


def without_hooks() -> _Without:
    """A block in which the hooks of outer blocks do not apply."""
    return _Without()
