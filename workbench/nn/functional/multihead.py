"""Multi-head attention as a function."""

from __future__ import annotations

__all__ = ["multi_head_attention_forward"]


def multi_head_attention_forward(): ...
