"""workbench: think with networks.

The public names: PyTorch's where PyTorch has one (`wb.tensor`, `wb.nn`, `wb.optim`, `wb.no_grad`,
…), and the bench on top of them (`wb.Network`, `wb.Run`, `wb.Bench`). Rooms that a program does
not use are not imported.
"""

from __future__ import annotations

import importlib as _importlib
import math as _math
import sys as _sys
from typing import Any as _Any

from . import arrays, autograd, cuda, fft, linalg, ops, special
from . import tensor as _tensor_room
from .arrays import device, dtype, get_default_dtype, set_default_dtype, set_num_threads
from .arrays import thread_count as get_num_threads
from .arrays.dtypes import ALIASES as _ALIASES
from .arrays.dtypes import (
    bfloat16,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)  # fmt: skip
from .arrays.dtypes import bool_ as _bool
from .arrays.dtypes import promote as promote_types
from .arrays.memory import keep_memory
from .arrays.random import Generator, default_generator, manual_seed
from .tensor import FUNCTIONS as _FUNCTIONS
from .tensor import (
    Size,
    Tensor,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
    set_printoptions,
)

__version__ = "0.1.0"

inf, nan, pi, e = _math.inf, _math.nan, _math.pi, _math.e

globals().update(_ALIASES)
globals()["tensor"] = _FUNCTIONS[""]["tensor"]  # over the room of the same name
globals()["bool"] = _bool

# Loaded when first asked for: name -> (module, attribute or None for the module itself)
_LAZY = {
    "nn": ("workbench.nn", None),
    "optim": ("workbench.optim", None),
    "data": ("workbench.data", None),
    "utils": ("workbench.utils", None),
    "func": ("workbench.func", None),
    "serialization": ("workbench.serialization", None),
    "save": ("workbench.serialization", "save"),
    "load": ("workbench.serialization", "load"),
    "vmap": ("workbench.func", "vmap"),
    "is_anomaly_enabled": ("workbench.tensor.anomaly", "is_anomaly_enabled"),
    "is_anomaly_check_nan_enabled": ("workbench.tensor.anomaly", "is_anomaly_check_nan_enabled"),
    "compile": ("workbench.tensor.capture.compiled", "compile"),
    "profiler": ("workbench.profiler", None),
    "network": ("workbench.network", None),
    "training": ("workbench.training", None),
    "plots": ("workbench.plots", None),
    "widgets": ("workbench.widgets", None),
    "datasets": ("workbench.data.datasets", None),
    "Network": ("workbench.network", "Network"),
    "Run": ("workbench.training", "Run"),
    "Bench": ("workbench.widgets", "Bench"),
}


def __getattr__(name: str) -> _Any:
    if name in _FUNCTIONS[""]:
        found = globals()[name] = _FUNCTIONS[""][name]
        return found
    try:
        module, attribute = _LAZY[name]
    except KeyError:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}") from None
    loaded = _importlib.import_module(module)
    if name in ("Run", "training") and "ipykernel" in _sys.modules:
        # JupyterLab's sidebar lists the runs of a kernel
        _importlib.import_module("workbench.widgets").watch_runs()
    value = loaded if attribute is None else getattr(loaded, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*(n for n in globals() if not n.startswith("_")), *_LAZY, *_FUNCTIONS[""]])


def is_tensor(obj: object) -> bool:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are floating-point numbers."""
    return input.is_floating_point()


def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.numel()


def initial_seed() -> int:
    """The seed the default generator started from."""
    return default_generator().initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's position, for `set_rng_state`."""
    return _tensor_room.wrap(default_generator().get_state())


def set_rng_state(state: Tensor) -> None:
    """Put the default generator where `get_rng_state` found it."""
    default_generator().set_state(state)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "workbench-ml"}]
