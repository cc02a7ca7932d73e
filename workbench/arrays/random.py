"""Random generators: a counter-based Philox stream per generator, one default per thread.

`fork(seed)` and `use(generator)` replace the default generator of the calling thread for a while:
that is how a training run keeps its own stream whatever the notebook draws meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .device import device as Device

_MASK = (1 << 64) - 1


def as_state(words: np.ndarray) -> Any:
    """What `Generator.get_state` returns; the tensor room makes it a tensor."""
    return words


class Generator:
    """A stream of random numbers; `Generator().manual_seed(0)` starts a known one.

    The stream is Philox-4x64 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
    """

    def __init__(self, device: Device | str = "cpu") -> None:
        self.device = Device(device)
        self._lock = threading.Lock()
        self.seed()

    def branch(self) -> int:
        """A seed for a stream of its own, to be drawn under `fork(seed)`.

        The generator's own seed while nothing was drawn from it (it then moves far on, so that
        the two streams do not meet), else a number drawn. So what starts first under `fork(seed)`
        starts from `seed` itself, and can be started again from it.
        """
        with self._lock:
            position = self.bits.bit_generator.state
            if not position["state"]["counter"].any() and position["buffer_pos"] == 4:
                self.bits.bit_generator.advance(1 << 128)  # type: ignore[attr-defined]
                return self._seed
            return int(self.bits.integers(0, 1 << 31))

    def manual_seed(self, seed: int) -> Generator:
        """Restart the stream at `seed` (any integer of at most 64 bits, negative ones included).

        Raises TypeError for non-integers and ValueError for integers that need more bits.
        """
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            raise TypeError(f"manual_seed expected an integer, got {type(seed).__name__}")
        seed = int(seed)
        if not -(1 << 63) <= seed <= _MASK:
            raise ValueError(f"a seed has at most 64 bits, got {seed}")
        self._seed = seed & _MASK
        self.bits = np.random.Generator(np.random.Philox(key=self._seed))
        return self

    def seed(self) -> int:
        """Restart at a seed taken from the operating system; returns it."""
        fresh = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
        self.manual_seed(fresh)
        return fresh

    def initial_seed(self) -> int:
        """The seed the stream was last started from."""
        return self._seed

    @property
    def state(self) -> dict[str, Any]:
        """The exact position in the stream, as plain Python and NumPy values."""
        return {"seed": self._seed, "philox": self.bits.bit_generator.state}

    @state.setter
    def state(self, value: dict[str, Any]) -> None:
        self._seed = value["seed"]
        self.bits = np.random.Generator(np.random.Philox(key=self._seed))
        self.bits.bit_generator.state = value["philox"]

    def get_state(self) -> Any:
        """The position in the stream as uint8 numbers, for `set_state`."""
        inner = self.bits.bit_generator.state
        words = [
            *inner["state"]["counter"], *inner["state"]["key"], *inner["buffer"],
            inner["buffer_pos"], inner["has_uint32"], inner["uinteger"], self._seed,
        ]  # fmt: skip
        return as_state(np.array([int(w) for w in words], dtype=np.uint64).view(np.uint8))

    def set_state(self, state: Any) -> Generator:
        """Go to a position that `get_state` returned.

        Raises RuntimeError when the array is not such a position; the stream is then unchanged.
        """
        raw = np.ascontiguousarray(getattr(state, "array", state))
        if raw.dtype != np.uint8 or raw.size != 14 * 8:
            raise RuntimeError("the generator's state must be the uint8 array that get_state gave")
        words = raw.view(np.uint64)
        self.state = {
            "seed": int(words[13]),
            "philox": {
                "bit_generator": "Philox",
                "state": {"counter": words[0:4].copy(), "key": words[4:6].copy()},
                "buffer": words[6:10].copy(),
                "buffer_pos": int(words[10]),
                "has_uint32": int(words[11]),
                "uinteger": int(words[12]),
            },
        }
        return self

    def clone_state(self) -> Generator:
        """Another generator at the same position."""
        made = Generator(self.device)
        made.state = self.state
        return made

    # Draws. Each returns a raw NumPy array and is safe to call from several threads.

    def uniform(self, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        """Uniform on [0, 1)."""
        with self._lock:
            if dtype in (np.float32, np.float64):
                return np.asarray(self.bits.random(tuple(shape), dtype=dtype))
            if (
                dtype.itemsize == 2
            ):  # float16, bfloat16: draw on their own grid, so that 1 never comes
                steps = 1 << (11 if dtype == np.float16 else 8)
                drawn = self.bits.integers(0, steps, tuple(shape), dtype=np.int32)
                return np.asarray(drawn / np.float32(steps)).astype(dtype)
            return np.asarray(self.bits.random(tuple(shape))).astype(dtype)

    def normal(self, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
        """Standard normal; complex dtypes get unit total variance."""
        with self._lock:
            if dtype in (np.float32, np.float64):
                return np.asarray(self.bits.standard_normal(tuple(shape), dtype=dtype))
            if dtype.kind == "c":
                pairs = self.bits.standard_normal((2, *shape)) * np.sqrt(0.5)
                return np.asarray(pairs[0] + 1j * pairs[1]).astype(dtype)
            return np.asarray(self.bits.standard_normal(tuple(shape), np.float32)).astype(dtype)

    def integers(self, low: int, high: int, shape: Sequence[int]) -> np.ndarray:
        """int64, uniform on low … high-1."""
        with self._lock:
            return np.asarray(self.bits.integers(low, high, tuple(shape), dtype=np.int64))

    def permutation(self, n: int) -> np.ndarray:
        """The integers 0 … n-1 in random order, int64."""
        with self._lock:
            return self.bits.permutation(n)


class _Current(threading.local):
    generator: Generator | None = None


_shared: Generator | None = None  # made when first asked for: NumPy's generators load slowly
_making = threading.Lock()
_current = _Current()


def default_generator() -> Generator:
    """The generator that draws without an explicit one use, in this thread."""
    return _current.generator or _shared or _first()


def _first() -> Generator:
    global _shared
    with _making:
        if _shared is None:
            _shared = Generator()
        return _shared


def manual_seed(seed: int) -> Generator:
    """Restart the default generator at `seed` and return it."""
    return default_generator().manual_seed(seed)


@contextmanager
def use(generator: Generator) -> Iterator[Generator]:
    """Make `generator` this thread's default inside the block."""
    before, _current.generator = _current.generator, generator
    try:
        yield generator
    finally:
        _current.generator = before


@contextmanager
def fork(seed: int) -> Iterator[Generator]:
    """Draw from a fresh generator with `seed` inside the block, in this thread."""
    with use(Generator().manual_seed(seed)) as generator:
        yield generator
