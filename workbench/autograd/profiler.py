"""torch.autograd.profiler's path: the older names of `workbench.profiler`."""

from workbench.tensor.profiler import profile, record_function

__all__ = ["profile", "record_function"]
