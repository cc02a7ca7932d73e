"""The states of a run, and which may follow which."""

from __future__ import annotations

from typing import Literal, get_args

State = Literal["idle", "running", "paused", "stopped", "finished", "failed"]

STATES: tuple[str, ...] = get_args(State)

# A failed run is a paused one with an error to show: it may go on once the cause is mended. Stopped
# and finished runs have no thread any more, but may be started again.
FOLLOWS: dict[str, frozenset[str]] = {
    "idle": frozenset({"running", "stopped"}),
    "running": frozenset({"paused", "stopped", "finished", "failed"}),
    "paused": frozenset({"running", "stopped", "finished"}),
    "failed": frozenset({"running", "stopped", "finished"}),
    "finished": frozenset({"running", "stopped"}),
    "stopped": frozenset({"running"}),
}


def check_transition(before: str, after: str) -> None:
    """Raise RuntimeError when a run may not go from `before` to `after`."""
    if after not in FOLLOWS[before]:
        allowed = ", ".join(sorted(FOLLOWS[before]))
        raise RuntimeError(f"a run that is {before} cannot become {after}, only {allowed}")
