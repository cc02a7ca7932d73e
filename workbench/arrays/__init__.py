"""Where numbers live: dtypes, devices, backends and random generators.

The only room that knows NumPy and CuPy by name. Everything above it receives raw arrays and a
namespace (`numpy` or `cupy`) to compute with.
"""

import warnings

from . import idle  # isort: skip  # first, because it says how NumPy is to be loaded
from . import dlpack, placement, random
from .backends import (
    array_device,
    device_namespace,
    move,
    namespace,
    on_cuda,
    to_numpy,
    writable,
)
from .constants import constant
from .device import device
from .dtypes import (
    as_dtype,
    dtype,
    dtype_of,
    get_default_dtype,
    promote,
    result_dtype,
    set_default_dtype,
)
from .system import blas_info, blas_threads, set_num_threads, thread_count

__all__ = [
    "array_device",
    "as_dtype",
    "blas_info",
    "blas_threads",
    "constant",
    "device",
    "device_namespace",
    "dlpack",
    "dtype",
    "dtype_of",
    "get_default_dtype",
    "idle",
    "move",
    "namespace",
    "on_cuda",
    "placement",
    "promote",
    "random",
    "result_dtype",
    "set_default_dtype",
    "set_num_threads",
    "thread_count",
    "to_numpy",
    "writable",
]

# log(0) is -inf and 0/0 is nan without comment, as in torch. Only for computations of our own
# modules: NumPy's warnings in the user's code stay what they were.
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"workbench\.")
