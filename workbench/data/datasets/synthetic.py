"""Small made-up problems in the plane, for first steps and pictures."""

from __future__ import annotations

import numpy as np

from workbench.arrays.random import Generator
from workbench.data.dataset import TensorDataset
from workbench.tensor import wrap


def two_moons(n: int = 400, noise: float = 0.1, seed: int = 0) -> TensorDataset:
    """Two interleaved half circles: points float32 (n, 2) and labels int64 (n,) in 0 … 1.

    `noise` is the standard deviation added to both coordinates; the circles have radius 1.
    Raises ValueError unless n ≥ 2 and noise ≥ 0.
    """
    _check("two_moons", n, 2, noise)
    labels = np.arange(n) % 2
    angle = np.pi * (np.arange(n) // 2) / max(1, (n - 1) // 2)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    points = np.where(labels[:, None] == 0, upper, lower)
    code = f"wb.data.datasets.two_moons({n}, noise={noise!r}, seed={seed})"
    return _finish(points, labels, noise, seed, code)


def spirals(
    n: int = 600, classes: int = 3, noise: float = 0.05, turns: float = 1.0, seed: int = 0
) -> TensorDataset:
    """Spiral arms wound around each other: points float32 (n, 2), labels int64 (n,), one per arm.

    The arms start at the origin, end at radius 1 and turn `turns` times on the way. Raises
    ValueError unless classes ≥ 2, n ≥ classes and noise ≥ 0.
    """
    if classes < 2:
        raise ValueError(f"spirals: classes must be at least 2, got {classes}")
    _check("spirals", n, classes, noise)
    labels = np.arange(n) % classes
    radius = (np.arange(n) // classes + 1) / -(-n // classes)
    angle = 2 * np.pi * (turns * radius + labels / classes)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    code = (
        f"wb.data.datasets.spirals({n}, classes={classes}, noise={noise!r}, turns={turns!r}, "
        f"seed={seed})"
    )
    return _finish(points, labels, noise, seed, code)


def _check(name: str, n: int, least: int, noise: float) -> None:
    if n < least:
        raise ValueError(f"{name}: n must be at least {least}, got {n}")
    if not noise >= 0:
        raise ValueError(f"{name}: noise must not be negative, got {noise}")


def _finish(
    points: np.ndarray, labels: np.ndarray, noise: float, seed: int, code: str
) -> TensorDataset:
    generator = Generator().manual_seed(seed)
    points = points + noise * generator.normal(points.shape, np.dtype(np.float64))
    order = generator.permutation(len(points))
    made = TensorDataset(
        wrap(points[order].astype(np.float32)), wrap(labels[order].astype(np.int64))
    )
    made.classes = [str(label) for label in range(int(labels.max()) + 1)]
    made.code = code
    return made
