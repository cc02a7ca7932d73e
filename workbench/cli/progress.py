"""A progress bar for a terminal, and plain lines for a log file."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

BLOCKS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int) -> str:
    """A bar of ``width`` characters, filled by ``share`` of 0 … 1 in eighths of a character."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, part = divmod(eighths, 8)
    text = "█" * full + (BLOCKS[part] if part else "")
    return text.ljust(width)


def clock(seconds: float) -> str:
    """A short time, such as ``0:07`` or ``1:02:03``."""
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


class Progress:
    """Shows how far ``total`` steps have come.

    A terminal gets one line, redrawn at most ten times a second; anything else gets a line for
    every tenth of the way, so that a log stays readable.
    """

    def __init__(
        self,
        total: int,
        stream: TextIO | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._now = now
        self._began = now()
        self._drawn = -1.0
        self._tenths = 0
        self._length = 0

    def update(self, step: int, note: str = "") -> None:
        """Say that ``step`` of the total is done; ``note`` stands at the end of the line."""
        share = step / self._total
        if self._terminal:
            moment = self._now()
            if step < self._total and moment - self._drawn < 0.1:
                return
            self._drawn = moment
            self._draw(self._line(share, step, note, bars=True))
        elif int(share * 10) > self._tenths:
            self._tenths = int(share * 10)
            self._stream.write(self._line(share, step, note, bars=False) + "\n")
            self._stream.flush()

    def say(self, text: str) -> None:
        """Print a line of text above the bar."""
        if self._terminal:
            self._draw("")
            self._stream.write("\r")
            self._length = 0
        self._stream.write(text + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the bar where it is and go to the next line."""
        if self._terminal and self._length:
            self._stream.write("\n")
            self._length = 0

    def _line(self, share: float, step: int, note: str, bars: bool) -> str:
        spent = self._now() - self._began
        left = f"{clock(spent * (1 - share) / share)} left" if 0 < share < 1 else clock(spent)
        words = f"{share:4.0%} {step}/{self._total}  {left}  {note}".rstrip()
        if not bars:
            return words
        width = max(10, min(40, shutil.get_terminal_size().columns - len(words) - 4))
        return f"{bar(share, width)} {words}"

    def _draw(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(self._length))
        self._stream.flush()
        self._length = len(line)
