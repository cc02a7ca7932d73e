"""Comparing tensors in tests (torch.testing's names)."""

from .tensor.testing import assert_allclose, assert_close, make_tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]
