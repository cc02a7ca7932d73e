"""Figures for papers and static notebooks: networks and runs, drawn with matplotlib.

matplotlib is imported with this package, and by nothing else of workbench.
"""

from .network import draw_network
from .run import bench_picture, plot_run
from .style import Picture

__all__ = ["Picture", "bench_picture", "draw_network", "plot_run"]
