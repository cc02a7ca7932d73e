"""Handwritten digits: 1,797 real images of 8×8 pixels."""

from __future__ import annotations

from collections import namedtuple
from importlib import resources

import numpy as np

from workbench.data.dataset import TensorDataset
from workbench.tensor import wrap


class Splits(namedtuple("Splits", ["train", "test"])):
    """The two parts of a data set; `code` is the Python expression that makes them."""

    train: TensorDataset
    test: TensorDataset
    code: str = ""


def digits() -> Splits:
    """The UCI handwritten digits, cut into 1,437 training and 360 test images.

    Each part is a `TensorDataset` of images, float32 (N, 1, 8, 8) in 0 … 1, and labels, int64
    (N,) in 0 … 9. The cut is fixed and keeps the share of every digit. Every part has `classes`,
    the digits' names, and `code`, the expression that makes it.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository, 1998, doi:10.24432/C50P49, licensed CC BY 4.0.
    """
    path = resources.files("workbench.data").joinpath("digits.npz")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        pixels, labels, test = stored["images"], stored["labels"], stored["test"]
    images = (pixels.astype(np.float32) / np.float32(16))[:, None]
    labels = labels.astype(np.int64)
    train = np.setdiff1d(np.arange(len(labels)), test)
    splits = Splits(_part(images, labels, train, "train"), _part(images, labels, test, "test"))
    splits.code = "wb.data.datasets.digits()"
    return splits


def _part(images: np.ndarray, labels: np.ndarray, rows: np.ndarray, name: str) -> TensorDataset:
    part = TensorDataset(wrap(images[rows]), wrap(labels[rows]))
    part.classes = [str(digit) for digit in range(10)]
    part.code = f"wb.data.datasets.digits().{name}"
    return part
