"""The processor."""

from workbench.arrays import blas_info


def get_cpu_capability() -> str:
    """The set of kernels that BLAS uses."""
    return str(blas_info()["core"])
