"""The anywidget behind a Bench: synced traits, a message channel and the browser's bundle.

This module imports anywidget; everything else in the package does without until a Bench is shown.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

try:
    import anywidget
    import traitlets
except ImportError as missing:
    raise ImportError(
        f"a Bench needs the notebook extra ({missing.name} is missing): pip install "
        "'workbench-ml[lab]'. Without it, train with run.train() and draw with run.plot()."
    ) from missing

from workbench.widgets.protocol import Message

STATIC = Path(__file__).parent / "static"


class BundleMissingError(RuntimeError):
    """The browser's part of the widget has not been built."""


@cache
def _bundle(name: str, changed: int) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def bundle(name: str) -> str:
    """The text of a built file of the front end, read again when it was rebuilt.

    Raises:
        BundleMissingError: the file is not there; says how to build it.
    """
    path = STATIC / name
    try:
        return _bundle(name, path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise BundleMissingError(
            f"the front end's {name} is not built (looked in {STATIC}). In a checkout, install "
            "with 'pip install -e .', or run 'jlpm install && jlpm build:bench' in extension/."
        ) from None


class BenchWidget(anywidget.AnyWidget):
    """A bench as the browser sees it. Made by `workbench.Bench` when it is displayed.

    Its state is small JSON; curves, images and predictions travel as custom messages with binary
    buffers and are never part of the state that a notebook might save.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    graph = traitlets.Dict().tag(sync=True)
    catalogue = traitlets.Dict().tag(sync=True)
    classes: traitlets.List = traitlets.List().tag(sync=True)
    history = traitlets.Dict().tag(sync=True)
    status = traitlets.Dict().tag(sync=True)
    # Not synced, and so no model of its own in the browser: a bench fills its cell.
    layout = traitlets.Any(None, allow_none=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(_esm=bundle("bench.js"), _css=bundle("bench.css"), **traits)

    def show(self, message: Message) -> None:
        """Send a message to every view of this widget."""
        if self.comm is not None:
            self.send(message.content, message.buffers)

    def update(self, **traits: Any) -> None:
        """Set several traits and send what changed of them in one message."""
        with self.hold_sync():
            for name, value in traits.items():
                setattr(self, name, value)

    def listen(self, handler: Callable[[object], None]) -> None:
        """Call ``handler(content)`` for every custom message; a bound method is held weakly."""
        method = weakref.WeakMethod(handler)  # type: ignore[arg-type]

        def receive(widget: Any, content: object, buffers: Any) -> None:
            alive = method()
            if alive is not None:
                alive(content)

        self.on_msg(receive)
