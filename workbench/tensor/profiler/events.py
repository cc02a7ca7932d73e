"""What a profile is made of: events, in time and within each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

OP, BACKWARD, MODULE, USER, REPLAY = "op", "backward", "module", "user", "replay"


@dataclass(eq=False, slots=True)
class Event:
    """Something that took from `start` to `end` (seconds), with what happened within it."""

    name: str
    kind: str
    start: float
    thread: int
    end: float = 0.0
    layer: str = ""
    shapes: tuple[Any, ...] = ()
    nbytes: int = 0  # memory of results, made in this event itself
    children: list[Event] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """All the time it took."""
        return self.end - self.start

    @property
    def own_seconds(self) -> float:
        """The time that no event within it accounts for."""
        return max(0.0, self.seconds - sum(child.seconds for child in self.children))

    @property
    def all_bytes(self) -> int:
        """Memory of results made here and within."""
        return self.nbytes + sum(child.all_bytes for child in self.children)

    def walk(self) -> Iterable[Event]:
        """This event and all within it, outer ones first."""
        yield self
        for child in self.children:
            yield from child.walk()
