"""CUDA devices (torch.cuda's names). Asking loads CuPy; importing this module does not."""

from __future__ import annotations


def device_count() -> int:
    """How many CUDA devices can be used; 0 without CuPy, a driver or a GPU."""
    from .arrays.backends import cuda

    return cuda.device_count()


def is_available() -> bool:
    """Whether a CUDA device can be used."""
    return device_count() > 0


def manual_seed_all(seed: int) -> None:
    """Seed the default generator, which all devices share."""
    from .arrays.random import manual_seed as seed_default

    seed_default(seed)


manual_seed = manual_seed_all
