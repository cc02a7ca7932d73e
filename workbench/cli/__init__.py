"""The `workbench` command."""

from workbench.cli.main import main

__all__ = ["main"]
