"""What the network thinks of some test images: guesses, certainties and the confusion matrix.

The same first images every time, so that one watches them being learned. The run computes them at a
step boundary; the sample is small, for watching must not cost more than a few steps a second.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from workbench.widgets.protocol import Message

#: Images shown, and samples counted in the confusion matrix.
SHOWN = 48
COUNTED = 400

#: Largest side of an image that is sent to the browser.
MAX_SIDE = 64

log = logging.getLogger(__name__)


class Predictor:
    """Makes the predictions message of a run, or none where it does not classify."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self._silent = False

    def message(self, images: bool) -> Message | None:
        """The guesses as they stand now; with the ``images`` themselves for a view just opened."""
        if self._silent and not images:
            return None
        try:
            found = self._run.predictions(SHOWN, limit=COUNTED)
        except TypeError as reason:  # not a classifier: asked again only when a view opens
            log.debug("no predictions: %s", reason)
            self._silent = True
            return None
        except Exception as reason:  # training will meet the same, and say it better
            log.debug("predictions failed: %s", reason, exc_info=True)
            return None
        self._silent = False
        return predictions_message(found, images)


def predictions_message(found: Any, images: bool) -> Message:
    """Pack a `workbench.training` Predictions: JSON for the guesses, buffers for the rest."""
    n = len(found.true)
    shape = image_shape(found.inputs) or (0, 0, 0)
    with_images = images and shape[0] > 0
    content = {
        "kind": "predictions",
        "step": int(found.step),
        "n": n,
        "channels": shape[0],
        "height": shape[1],
        "width": shape[2],
        "true": found.true.tolist(),
        "guess": found.guess.tolist(),
        "prob": [
            round(p, 4)
            for p in np.nan_to_num(found.probabilities[np.arange(n), found.guess]).tolist()
        ],
        "classes": int(found.confusion.shape[0]),
        "images": with_images,
    }
    buffers = [np.ascontiguousarray(found.confusion, np.int32).tobytes()]
    if with_images:
        buffers.append(to_bytes(found.inputs).tobytes())
    return Message(content, buffers)


def image_shape(inputs: np.ndarray) -> tuple[int, int, int] | None:
    """(channels, height, width) of inputs that can be shown as images, else None."""
    if inputs.ndim != 4 or inputs.shape[1] not in (1, 3):
        return None
    channels, height, width = (int(size) for size in inputs.shape[1:])
    return (channels, height, width) if 1 < max(height, width) <= MAX_SIDE else None


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Images (n, C, H, W) as uint8, darkest 0 and brightest 255 over the whole sample."""
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    finite = np.nan_to_num(images.astype(np.float64))
    low, high = finite.min(initial=np.inf), finite.max(initial=-np.inf)
    scale = 255.0 / (high - low) if high > low else 0.0
    return ((finite - low) * scale).round().astype(np.uint8)
