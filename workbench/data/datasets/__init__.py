"""Data sets that come with the package."""

from .digits import Splits, digits
from .synthetic import spirals, two_moons

__all__ = ["Splits", "digits", "spirals", "two_moons"]
