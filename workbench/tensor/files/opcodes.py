"""The pickle stream read as data: an interpreter of its opcodes that imports and calls nothing.

What a stream names, calls or refers to outside itself is handed to a `Builder`, which knows a short
list and refuses the rest. The opcodes are described in Python's own module pickletools.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from .errors import FileError, UnsafeFileError

_MARK = object()


class Name:
    """Something that a stream names: never imported."""

    __slots__ = ("full",)

    def __init__(self, full: str) -> None:
        self.full = full

    def __repr__(self) -> str:
        return self.full


class Builder:
    """What a stream may make. The methods return a value or raise UnsafeFileError."""

    def find(self, full: str) -> Any:
        """What a dotted name stands for: a value, or a `Name` that `call` knows."""
        raise UnsafeFileError(f"the file asks for {full}")

    def call(self, name: Name, args: tuple[Any, ...]) -> Any:
        """The result of calling a known name."""
        raise UnsafeFileError(f"the file asks to call {name}")

    def persistent(self, key: Any) -> Any:
        """What lies outside the stream under `key`."""
        raise UnsafeFileError(f"the file refers to {key!r}")

    def build(self, made: Any, state: Any) -> Any:
        """`made` with a state set on it."""
        raise UnsafeFileError(f"the file sets a state on a {type(made).__name__}")


class Stream:
    """Bytes, read from the front."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = memoryview(data)
        self.at = 0

    def take(self, n: int) -> memoryview:
        """The next `n` bytes. Raises FileError where there are fewer."""
        end = self.at + n
        if n < 0 or end > len(self.data):
            raise FileError("damaged file: it ends too early")
        part = self.data[self.at : end]
        self.at = end
        return part

    def number(self, size: int, signed: bool = False) -> int:
        """A little-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def text(self, size: int) -> str:
        """`size` bytes of UTF-8."""
        try:
            return str(self.take(size), "utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise FileError(f"damaged file: {error}") from None

    def line(self) -> str:
        """Text up to the next line's end."""
        rest = bytes(self.data[self.at : self.at + 4096])
        end = rest.find(b"\n")
        if end < 0:
            raise FileError("damaged file: a line without end")
        self.at += end + 1
        return rest[:end].decode("utf-8", "replace")


class Machine:
    """One run over one stream."""

    def __init__(self, stream: Stream, builder: Builder) -> None:
        self.stream = stream
        self.builder = builder
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The value the stream describes, up to its STOP."""
        while True:
            code = self.stream.take(1)[0]
            if code == 0x2E:  # STOP
                if len(self.stack) != 1:
                    raise FileError("damaged file: the stream stops in the middle of something")
                return self.stack[0]
            step = _STEPS.get(code)
            if step is None:
                raise UnsafeFileError(
                    f"the file uses the pickle opcode {bytes([code])!r}, which files of tensors do "
                    "not need"
                )
            try:
                step(self)
            except FileError:
                raise
            except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError,
                    RuntimeError) as error:  # fmt: skip
                raise FileError(f"damaged file: {type(error).__name__}: {error}") from None

    def pop(self) -> Any:
        """The top of the stack."""
        if not self.stack or self.stack[-1] is _MARK:
            raise FileError("damaged file: a value is missing")
        return self.stack.pop()

    def since_mark(self) -> list[Any]:
        """What was put on the stack since the last mark."""
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is _MARK:
                items = self.stack[i + 1 :]
                del self.stack[i:]
                return items
        raise FileError("damaged file: no mark")

    def top(self, kind: type) -> Any:
        """The top of the stack, which has to be of a kind."""
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise FileError(f"damaged file: a {kind.__name__} is missing")
        return self.stack[-1]


def _push(value: Callable[[Stream], Any]) -> Callable[[Machine], None]:
    return lambda m: m.stack.append(value(m.stream))


def _fixed(make: Callable[[], Any]) -> Callable[[Machine], None]:
    return lambda m: m.stack.append(make())


def _tuple(n: int) -> Callable[[Machine], None]:
    def step(m: Machine) -> None:
        parts = [m.pop() for _ in range(n)]
        m.stack.append(tuple(reversed(parts)))

    return step


def _put(size: int) -> Callable[[Machine], None]:
    def step(m: Machine) -> None:
        m.memo[m.stream.number(size)] = m.stack[-1]

    return step


def _get(size: int) -> Callable[[Machine], None]:
    return lambda m: m.stack.append(m.memo[m.stream.number(size)])


def _append(m: Machine) -> None:
    value = m.pop()
    m.top(list).append(value)


def _appends(m: Machine) -> None:
    items = m.since_mark()
    m.top(list).extend(items)


def _set_item(m: Machine) -> None:
    value, key = m.pop(), m.pop()
    m.top(dict)[key] = value


def _set_items(m: Machine) -> None:
    items = m.since_mark()
    m.top(dict).update(zip(items[::2], items[1::2], strict=True))


def _add_items(m: Machine) -> None:
    items = m.since_mark()
    m.top(set).update(items)


def _dict(m: Machine) -> None:
    items = m.since_mark()
    m.stack.append(dict(zip(items[::2], items[1::2], strict=True)))


def _global(m: Machine) -> None:
    module, name = m.stream.line(), m.stream.line()
    m.stack.append(m.builder.find(f"{module}.{name}"))


def _stack_global(m: Machine) -> None:
    name, module = m.pop(), m.pop()
    if type(name) is not str or type(module) is not str:
        raise FileError("damaged file: a name that is no text")
    m.stack.append(m.builder.find(f"{module}.{name}"))


def _reduce(m: Machine) -> None:
    args, function = m.pop(), m.pop()
    if type(args) is not tuple:
        raise FileError("damaged file: arguments that are no tuple")
    if type(function) is not Name:
        raise UnsafeFileError(f"the file calls a {type(function).__name__}")
    m.stack.append(m.builder.call(function, args))


def _build(m: Machine) -> None:
    state = m.pop()
    m.stack.append(m.builder.build(m.pop(), state))


def _memoize(m: Machine) -> None:
    m.memo[len(m.memo)] = m.stack[-1]


def _double(m: Machine) -> None:
    m.stack.append(m.stack[-1])


def _check_protocol(m: Machine) -> None:
    number = m.stream.number(1)
    if number > 5:
        raise FileError(f"the file has pickle protocol {number}; 5 is the last one known")


def _check_frame(m: Machine) -> None:
    if m.stream.number(8) > len(m.stream.data) - m.stream.at:
        raise FileError("damaged file: it ends too early")


def _drop(m: Machine) -> None:
    if not m.stack:
        raise FileError("damaged file: a value is missing")
    m.stack.pop()


def _drop_mark(m: Machine) -> None:
    m.since_mark()


_STEPS: dict[int, Callable[[Machine], None]] = {
    0x80: _check_protocol,  # PROTO
    0x95: _check_frame,  # FRAME
    0x28: lambda m: m.stack.append(_MARK),  # MARK
    0x30: _drop,  # POP
    0x31: _drop_mark,  # POP_MARK
    0x32: _double,  # DUP
    0x4E: _fixed(lambda: None),  # NONE
    0x88: _fixed(lambda: True),  # NEWTRUE
    0x89: _fixed(lambda: False),  # NEWFALSE
    0x4B: _push(lambda s: s.number(1)),  # BININT1
    0x4D: _push(lambda s: s.number(2)),  # BININT2
    0x4A: _push(lambda s: s.number(4, True)),  # BININT
    0x8A: _push(lambda s: s.number(s.number(1), True)),  # LONG1
    0x8B: _push(lambda s: s.number(s.number(4), True)),  # LONG4
    0x47: _push(lambda s: struct.unpack(">d", s.take(8))[0]),  # BINFLOAT
    0x8C: _push(lambda s: s.text(s.number(1))),  # SHORT_BINUNICODE
    0x58: _push(lambda s: s.text(s.number(4))),  # BINUNICODE
    0x8D: _push(lambda s: s.text(s.number(8))),  # BINUNICODE8
    0x43: _push(lambda s: bytes(s.take(s.number(1)))),  # SHORT_BINBYTES
    0x42: _push(lambda s: bytes(s.take(s.number(4)))),  # BINBYTES
    0x8E: _push(lambda s: bytes(s.take(s.number(8)))),  # BINBYTES8
    0x96: _push(lambda s: bytearray(s.take(s.number(8)))),  # BYTEARRAY8
    0x55: _push(lambda s: bytes(s.take(s.number(1))).decode("latin-1")),  # SHORT_BINSTRING
    0x54: _push(lambda s: bytes(s.take(s.number(4))).decode("latin-1")),  # BINSTRING
    0x29: _fixed(lambda: ()),  # EMPTY_TUPLE
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    0x74: lambda m: m.stack.append(tuple(m.since_mark())),  # TUPLE
    0x5D: _fixed(list),  # EMPTY_LIST
    0x6C: lambda m: m.stack.append(m.since_mark()),  # LIST
    0x61: _append,
    0x65: _appends,
    0x7D: _fixed(dict),  # EMPTY_DICT
    0x64: _dict,
    0x73: _set_item,
    0x75: _set_items,
    0x8F: _fixed(set),  # EMPTY_SET
    0x90: _add_items,
    0x91: lambda m: m.stack.append(frozenset(m.since_mark())),  # FROZENSET
    0x71: _put(1),
    0x72: _put(4),
    0x94: _memoize,
    0x68: _get(1),
    0x6A: _get(4),
    0x63: _global,
    0x93: _stack_global,
    0x52: _reduce,
    0x81: _reduce,  # NEWOBJ: the same to a builder that knows both
    0x62: _build,
    0x51: lambda m: m.stack.append(m.builder.persistent(m.pop())),  # BINPERSID
}


def interpret(stream: Stream, builder: Builder) -> Any:
    """The value that a pickle stream describes, made by `builder`.

    Raises FileError for a damaged stream, UnsafeFileError where it asks for more than data.
    """
    return Machine(stream, builder).run()
