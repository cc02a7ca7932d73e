"""Where numbers live: dtypes, devices, backends and random generators.

The only room that knows NumPy and CuPy by name. Everything above it receives raw arrays and a
namespace (`numpy` or `cupy`) to compute with.
"""

from . import random
from .backends import array_device, device_namespace, move, namespace, to_numpy
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
from .system import blas_info, set_num_threads, thread_count

__all__ = [
    "array_device",
    "as_dtype",
    "blas_info",
    "device",
    "device_namespace",
    "dtype",
    "dtype_of",
    "get_default_dtype",
    "move",
    "namespace",
    "promote",
    "random",
    "result_dtype",
    "set_default_dtype",
    "set_num_threads",
    "thread_count",
    "to_numpy",
]
