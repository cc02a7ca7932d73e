"""Torch's module paths for things that live elsewhere here."""

from . import checkpoint, data

__all__ = ["checkpoint", "data"]
