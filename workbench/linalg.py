"""Linear algebra (torch.linalg's names)."""

from .tensor import FUNCTIONS

globals().update(FUNCTIONS["linalg"])
__all__ = list(FUNCTIONS["linalg"])
