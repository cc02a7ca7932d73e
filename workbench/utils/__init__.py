"""Torch's module paths for things that live elsewhere here."""

from . import data

__all__ = ["data"]
