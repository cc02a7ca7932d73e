"""What may be wrong with a file."""

from __future__ import annotations


class FileError(RuntimeError):
    """A file that is no file of tensors, is damaged, or holds what cannot be read here."""


class UnsafeFileError(FileError):
    """A file that asks for more than data: to import, call or build something else."""
