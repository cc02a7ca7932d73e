"""Showing a Bench in an output cell, and keeping its static picture up to date."""

from __future__ import annotations

import base64
import uuid
from typing import Any

from workbench.widgets.protocol import BENCH_MIME, BENCH_MIME_VERSION

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"


def mime_bundle(text: str, model_id: str | None, png: bytes | None) -> dict[str, Any]:
    """The output of a Bench in every form, from the live view down to a line of text."""
    data: dict[str, Any] = {"text/plain": text}
    if png is not None:
        data["image/png"] = base64.b64encode(png).decode("ascii")
    if model_id is not None:
        data[BENCH_MIME] = {"model_id": model_id, "version": BENCH_MIME_VERSION}
        data[WIDGET_MIME] = {"version_major": 2, "version_minor": 0, "model_id": model_id}
    return data


class Output:
    """The outputs of one Bench: every cell that shows it shares one ``display_id``."""

    def __init__(self) -> None:
        self._id = f"workbench-{uuid.uuid4().hex}"
        self._shown = False

    def show(self, data: dict[str, Any]) -> None:
        """Add an output to the cell now running."""
        from IPython.display import display

        display(data, raw=True, display_id=self._id)
        self._shown = True

    def refresh(self, data: dict[str, Any]) -> None:
        """Replace the output wherever it is shown."""
        if not self._shown:
            return
        from IPython.display import update_display

        update_display(data, raw=True, display_id=self._id)
