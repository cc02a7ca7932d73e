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

from . import arrays, cuda, fft, linalg, ops, special
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
from .arrays.placement import get_default_device, set_default_device
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
    "array_api": ("workbench.array_api", None),
    "autograd": ("workbench.autograd", None),
    "nn": ("workbench.nn", None),
    "optim": ("workbench.optim", None),
    "data": ("workbench.data", None),
    "utils": ("workbench.utils", None),
    "func": ("workbench.func", None),
    "serialization": ("workbench.serialization", None),
    "accelerator": ("workbench.accelerator", None),
    "amp": ("workbench.amp", None),
    "autocast": ("workbench.amp", "autocast"),
    "backends": ("workbench.backends", None),
    "distributions": ("workbench.distributions", None),
    "random": ("workbench.random", None),
    "seed": ("workbench.random", "seed"),
    "initial_seed": ("workbench.random", "initial_seed"),
    "get_rng_state": ("workbench.random", "get_rng_state"),
    "set_rng_state": ("workbench.random", "set_rng_state"),
    "signal": ("workbench.signal", None),
    "testing": ("workbench.testing", None),
    "version": ("workbench.version", None),
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


# torch has these functions of nn.functional at the top as well
_FUNCTIONAL = frozenset(
    """
    alpha_dropout batch_norm bilinear binary_cross_entropy_with_logits celu cosine_embedding_loss
    cosine_similarity ctc_loss dropout embedding embedding_bag feature_alpha_dropout group_norm
    hardshrink hinge_embedding_loss instance_norm kl_div layer_norm margin_ranking_loss
    pairwise_distance pdist poisson_nll_loss prelu rms_norm rrelu selu threshold
    triplet_margin_loss relu_ celu_ rrelu_ selu_ threshold_ dropout_ alpha_dropout_
    feature_dropout feature_dropout_ feature_alpha_dropout_
    """.split()  # noqa: SIM905 - a list to read
)

# what is not here: name -> what to use instead
_ABSENT = {
    "jit": "wb.compile captures a step, and a model is saved as its state_dict",
    "onnx": "export the weights with wb.serialization.save_safetensors",
    "hub": "load weights with wb.load or wb.serialization.load_safetensors",
    "ops": "every function is under wb, wb.nn.functional, wb.linalg, wb.fft or wb.special",
    "classes": "there is no C++ to load classes from",
    "sparse": "every tensor is dense",
    "quantization": "there are no quantized tensors",
    "ao": "there are no quantized tensors",
    "distributed": "a run uses one device",
    "multiprocessing": "threads share memory; use Python's own multiprocessing for processes",
    "mps": "there is no backend for Apple's GPUs",
    "xpu": "there is no backend for Intel's GPUs",
    "fx": "wb.Network captures and edits a module",
    "export": "wb.Network captures a module, net.code() prints it",
    "cond": "use a Python if, or wb.where inside vmap",
    "lobpcg": "use wb.linalg.eigh",
    "ormqr": "use wb.linalg.householder_product and @",
}


def __getattr__(name: str) -> _Any:
    if name in _FUNCTIONS[""]:
        found = globals()[name] = _FUNCTIONS[""][name]
        return found
    if name in _FUNCTIONAL:
        functional = _importlib.import_module("workbench.nn.functional.top")
        if not hasattr(functional, name):  # only where torch's signature is the same
            functional = _importlib.import_module("workbench.nn.functional")
        if hasattr(functional, name):
            found = globals()[name] = getattr(functional, name)
            return found
    if name.endswith("_") and name[:1] != "_" and callable(getattr(Tensor, name, None)):
        found = globals()[name] = getattr(Tensor, name)  # torch.abs_ and its like
        return found
    try:
        module, attribute = _LAZY[name]
    except KeyError:
        why = f": {_ABSENT[name]}" if name in _ABSENT else ""
        raise AttributeError(f"module 'workbench' has no attribute {name!r}{why}") from None
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


def get_device(input: Tensor) -> int:
    """The CUDA device's index; -1 on the CPU."""
    return input.get_device()


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "workbench-ml"}]
