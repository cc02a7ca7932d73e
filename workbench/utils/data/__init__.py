"""torch.utils.data's path to `workbench.data`."""

from workbench.data import *  # noqa: F403
from workbench.data import __all__ as __all__
