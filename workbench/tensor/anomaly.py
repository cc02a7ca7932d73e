"""Anomaly detection: which line of the forward pass a bad gradient comes from.

While it is on, the tick that every node takes when it is made is an int that also knows the
calling lines. While it is off, nothing knows of it: the ordinary counter stands in its place.
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from . import node as nodes
from . import versions

_HERE = str(Path(__file__).parents[1])
_plain_tick = versions.tick

on = False
check_nan = True
_current: Any = None  # the node whose backward is being recorded, under create_graph


class TracedTick(int):
    """A node's tick with the lines that led to it."""

    lines: str
    parent: Any


def _traced_tick() -> int:
    made = TracedTick(_plain_tick())
    frames = traceback.extract_stack()[:-1]
    while len(frames) > 1 and frames[-1].filename.startswith((_HERE, "<workbench op")):
        frames.pop()
    made.lines = "".join(traceback.format_list(frames))
    made.parent = _current.seq if _current is not None else None
    return made


def set_anomaly(enabled: bool, nan: bool = True) -> None:
    """Switch detection on or off for all threads."""
    global on, check_nan
    from .binding import put_in_place

    on, check_nan = bool(enabled), bool(nan)
    tick: Callable[[], int] = _traced_tick if on else _plain_tick
    versions.tick = tick
    put_in_place(tick=tick)
    if on:
        nodes.watched = True


def _tell(node: Any) -> None:
    lines = getattr(node.seq, "lines", None)
    if lines is None:
        warnings.warn(
            f"Error detected in {node.name()}. No forward pass information available. Enable "
            "detect anomaly during forward pass for more information.",
            stacklevel=2,
        )
        return
    warnings.warn(
        f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n"
        f"{lines}",
        stacklevel=2,
    )
    parent = node.seq.parent
    if parent is not None and getattr(parent, "lines", None):
        warnings.warn(
            "Previous calculation, whose gradient this one is part of. Traceback of forward call "
            f"that induced the previous calculation:\n{parent.lines}",
            stacklevel=2,
        )


def guarded(node: Any, run: Callable[[], Any]) -> Any:
    """Run one node's backward; an error, or a nan it returns, is shown with its forward line.

    Raises RuntimeError when a gradient is nan.
    """
    global _current
    before, _current = _current, node
    try:
        grads = run()
    except Exception:
        _tell(node)
        raise
    finally:
        _current = before
    if check_nan:
        for i, g in enumerate(grads):
            values = g.values() if isinstance(g, dict) else (g,)
            if any(_has_nan(v) for v in values):
                _tell(node)
                raise RuntimeError(
                    f"Function '{node.name()}' returned nan values in its {i}th output."
                )
    return grads


def _has_nan(g: Any) -> bool:
    if g is None:
        return False
    array = getattr(g, "array", g)
    array = getattr(array, "inside", array)
    return getattr(array, "dtype", np.dtype(bool)).kind in "fc" and bool(np.isnan(array).any())


class set_detect_anomaly:  # noqa: N801 - torch spells it so
    """Switch anomaly detection on or off: at once when called, for the block when used as one."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = (on, globals()["check_nan"])
        set_anomaly(mode, check_nan)

    def __enter__(self) -> None:
        """Nothing more to do: it is on since the call."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        set_anomaly(*self._before)


class detect_anomaly:  # noqa: N801 - torch spells it so
    """Within the block, a nan or an error in `backward` shows its line of the forward pass.

    The forward pass has to run inside too. Slow: every op notes its callers.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._nan = check_nan
        self._before: list[tuple[bool, bool]] = []
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should "
            "only be enabled for debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        """Switch it on."""
        self._before.append((on, check_nan))
        set_anomaly(True, self._nan)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        set_anomaly(*self._before.pop())


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on."""
    return on


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection looks for nan."""
    return check_nan
