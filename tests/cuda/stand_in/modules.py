"""The modules a program sees as `cupy` and `cupyx`: nothing in them that the record lacks."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from . import kernels, linalg, runtime
from .array import ndarray
from .functions import function
from .record import MODULES, VERSION, entry
from .ufuncs import ufunc


class Module(types.ModuleType):
    """A module whose names come from the record, made when first asked for."""

    def __init__(self, name: str, given: dict[str, Any], sources: tuple[Any, ...]) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self._sources = sources
        for key, value in given.items():
            if key in MODULES.get(name, {}):
                setattr(self, key, value)

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        made = self._make(key, entry(self.__name__, key))
        setattr(self, key, made)
        return made

    def _make(self, key: str, found: list[Any]) -> Any:
        compute = None
        for source in self._sources:
            compute = getattr(source, key, None)
            if compute is not None:
                break
        if found[0] == "ufunc":
            return ufunc(key, found, compute)
        if found[0] == "function":
            if self.__name__ == "cupy.linalg":
                return linalg.routine(key, found[1])
            return function(self.__name__, key, found[1], compute)
        if compute is None:
            raise NotImplementedError(f"the stand-in does not have {self.__name__}.{key}")
        return compute


def _scipy_special() -> Any:
    class Lazy:
        def __getattr__(self, name: str) -> Any:
            import scipy.special

            return getattr(scipy.special, name)

    return Lazy()


_runtime = Module("cupy.cuda.runtime", runtime.RUNTIME, ())
_cuda = Module("cupy.cuda", {**runtime.CUDA, "runtime": _runtime}, ())
_linalg = Module("cupy.linalg", {"LinAlgError": np.linalg.LinAlgError}, ())
_fft = Module("cupy.fft", {}, (np.fft,))
_strides = Module("cupy.lib.stride_tricks", {}, (np.lib.stride_tricks,))
_lib = types.ModuleType("cupy.lib")
_lib.stride_tricks = _strides  # type: ignore[attr-defined]
_exceptions = types.ModuleType("cupy.exceptions")
_exceptions.AxisError = np.exceptions.AxisError  # type: ignore[attr-defined]

cupy = Module(
    "cupy",
    {
        "ndarray": ndarray, "ufunc": ufunc, "linalg": _linalg, "fft": _fft, "lib": _lib,
        "cuda": _cuda, "exceptions": _exceptions, "RawKernel": kernels.RawKernel,
        "ElementwiseKernel": kernels.ElementwiseKernel,
        "ReductionKernel": kernels.ReductionKernel,
        "get_default_memory_pool": lambda: runtime.POOL,
        "get_default_pinned_memory_pool": lambda: runtime.PINNED,
    },
    (np,),
)  # fmt: skip
cupy.__version__ = VERSION
special = Module("cupyx.scipy.special", {}, (_scipy_special(),))
_scipy = types.ModuleType("cupyx.scipy")
_scipy.special = special  # type: ignore[attr-defined]
cupyx = Module("cupyx", {"errstate": linalg.errstate, "scipy": _scipy}, ())

INSTALLED = {
    "cupy": cupy, "cupy.linalg": _linalg, "cupy.fft": _fft, "cupy.lib": _lib,
    "cupy.lib.stride_tricks": _strides, "cupy.cuda": _cuda, "cupy.cuda.runtime": _runtime,
    "cupy.exceptions": _exceptions, "cupyx": cupyx, "cupyx.scipy": _scipy,
    "cupyx.scipy.special": special,
}  # fmt: skip
