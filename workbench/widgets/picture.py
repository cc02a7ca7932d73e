"""The static picture of a bench: what a saved, reopened or exported notebook shows."""

from __future__ import annotations

import logging
from typing import Any

#: Bytes a picture may have; a notebook is read and compared by people and by git.
SIZE_LIMIT = 60_000

log = logging.getLogger(__name__)


def picture(run: Any) -> bytes | None:
    """A PNG of the bench as it stands, of at most `SIZE_LIMIT` bytes; None without matplotlib.

    A picture that cannot be drawn must not take the live view with it: the reason is logged.
    """
    try:
        from workbench.plots import bench_picture
    except ImportError:
        return None
    try:
        png = bytes(bench_picture(run))
    except ImportError:
        return None
    except Exception:
        log.warning("the static picture of the bench could not be drawn", exc_info=True)
        return None
    if len(png) > SIZE_LIMIT:
        log.warning("the static picture is too large (%d bytes) and was left out", len(png))
        return None
    return png
