"""Live views of a run in a notebook: they watch a run and enqueue commands, no more.

`Bench` is the one to use. Nothing of Jupyter is imported before a Bench is displayed, so importing
this package costs next to nothing and works where no notebook is installed.
"""

from workbench.widgets.bench import Bench
from workbench.widgets.registry import watch_runs

__all__ = ["Bench", "watch_runs"]
