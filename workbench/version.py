"""Versions (torch.version's names)."""

import workbench

__version__ = workbench.__version__
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
git_version = "unknown"
debug = False

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "xpu"]
