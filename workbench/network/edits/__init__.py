"""The edits, one file each: values that say what to change."""

from .base import Edit
from .freeze import Freeze
from .insert import Insert
from .remove import Remove
from .rename import Rename
from .replace import Replace
from .rewire import Rewire

__all__ = ["Edit", "Freeze", "Insert", "Remove", "Rename", "Replace", "Rewire"]
