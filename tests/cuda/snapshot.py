"""Read CuPy's public API from the real package and write it down: `python tests/cuda/snapshot.py`.

CuPy imports without a GPU or a driver, so any machine can make the record; `ml_dtypes` has to be
there too, since CuPy has loops for bfloat16 only then. The stand-in in `stand_in/` is strict
because of this record: a name, keyword or type loop that is not in it does not exist.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("cupy_api.json")

MODULES = (
    "cupy", "cupy.linalg", "cupy.fft", "cupy.random", "cupy.lib.stride_tricks", "cupy.cuda",
    "cupy.cuda.runtime", "cupyx", "cupyx.scipy.special",
)  # fmt: skip

# Importing these needs cuBLAS: read from the source text, so that the record is the same anywhere.
UNLOADED = ("cupyx.scipy.linalg",)

# Reductions are kernels with type loops of their own, kept in private modules.
REDUCTIONS = {
    "sum": "cupy._core._routines_math.sum_auto_dtype",
    "prod": "cupy._core._routines_math.prod_auto_dtype",
    "nansum": "cupy._core._routines_math.nansum_auto_dtype",
    "nanprod": "cupy._core._routines_math.nanprod_auto_dtype",
    "max": "cupy._core._routines_statistics.amax",
    "min": "cupy._core._routines_statistics.amin",
    "nanmax": "cupy._core._routines_statistics.nanmax",
    "nanmin": "cupy._core._routines_statistics.nanmin",
    "argmax": "cupy._core._routines_statistics._argmax",
    "argmin": "cupy._core._routines_statistics._argmin",
    "mean": "cupy._core._routines_statistics._mean",
    "all": "cupy._core._routines_logic.all",
    "any": "cupy._core._routines_logic.any",
}

_CYTHON = re.compile(r"^[\w.]+\((.*?)\)(?: ->.*)?$")


def signature(function: Any) -> str | None:
    """The parameters as Python text without annotations; None where nothing tells them."""
    try:
        given = inspect.signature(function)
    except (TypeError, ValueError):
        first = (getattr(function, "__doc__", None) or "").strip().split("\n")[0]
        match = _CYTHON.match(first)
        if match is None:
            return None
        # "_ndarray_base self, shape_t shape, int axis=-1" -> "self, shape, axis=-1"
        parts = [part.strip() for part in match[1].split(",")]
        return ", ".join(p if p.startswith("*") else p.split()[-1] for p in parts if p)
    bare = [
        p.replace(annotation=p.empty, default=p.default if _plain(p.default) else None)
        for p in given.parameters.values()
    ]
    return str(inspect.Signature(bare))[1:-1]


def _plain(value: Any) -> bool:
    return value is inspect.Parameter.empty or type(value) in (
        type(None), bool, int, float, str, tuple,
    )  # fmt: skip


def loops(kernel: Any) -> str:
    """Type loops in NumPy's letters, in the order in which CuPy tries them."""
    if hasattr(kernel, "types"):
        return " ".join(dict.fromkeys(kernel.types))
    import numpy as np

    def letters(types: Any) -> str:
        return "".join(np.dtype(t).char for t in types)

    held = getattr(kernel, "_ops", kernel).ops
    pairs = [f"{letters(o.in_types)}->{letters(o.out_types)}" for o in held]
    return " ".join(dict.fromkeys(pairs))


def describe(value: Any) -> list[Any]:
    """What one public name is: a ufunc with its loops, a function with its parameters, …"""
    import cupy

    if isinstance(value, cupy.ufunc):
        by_dtype = loops(value._out_ops) if value._out_ops is not None else None
        return ["ufunc", loops(value), value.nin, value.nout, value._scatter_op, by_dtype]
    if inspect.isclass(value):
        return ["class"]
    if inspect.ismodule(value):
        return ["module"]
    if callable(value):
        return ["function", signature(value)]
    return ["value"]


def from_source(name: str) -> dict[str, list[Any]]:
    """The functions a package's `__init__` takes from its own files, without importing it."""
    top, *rest = name.split(".")
    folder = Path(importlib.import_module(top).__path__[0]).joinpath(*rest)
    found = {}
    for node in ast.walk(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{name}.")):
            continue
        file = folder / f"{node.module.rpartition('.')[2]}.py"
        for inner in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(inner, ast.FunctionDef) and inner.name in [n.name for n in node.names]:
                found[inner.name] = ["function", ast.unparse(inner.args)]
    return dict(sorted(found.items()))


def members(cls: type) -> dict[str, list[Any]]:
    """Public attributes and methods of a class, operators included."""
    found = {}
    for name in sorted(dir(cls)):
        dunder = name.startswith("__") and name.endswith("__")
        if (name.startswith("_") and not dunder) or name in dir(object) or "pyx" in name:
            continue
        value = inspect.getattr_static(cls, name)
        data = not callable(value) and not isinstance(value, classmethod | staticmethod)
        found[name] = ["property"] if data else ["method", signature(getattr(cls, name))]
    return found


def take() -> dict[str, Any]:
    """The record, as plain data."""
    import cupy
    import ml_dtypes  # noqa: F401 - see the module's docstring

    record: dict[str, Any] = {"version": cupy.__version__, "modules": {}, "classes": {}}
    for name in MODULES:
        module = importlib.import_module(name)
        record["modules"][name] = {
            key: describe(getattr(module, key)) for key in sorted(dir(module)) if key[0] != "_"
        }
    for name in UNLOADED:
        record["modules"][name] = from_source(name)
    for name in ("ndarray", "RawKernel", "ElementwiseKernel", "ReductionKernel", "RawModule"):
        record["classes"][f"cupy.{name}"] = members(getattr(cupy, name))
    for name in ("Device", "Stream", "Event", "MemoryPool", "PinnedMemoryPool"):
        record["classes"][f"cupy.cuda.{name}"] = members(getattr(cupy.cuda, name))
    record["reductions"] = {}
    for name, path in REDUCTIONS.items():
        module, _, attribute = path.rpartition(".")
        kernel = getattr(importlib.import_module(module), attribute, None)
        if kernel is not None:
            record["reductions"][name] = loops(kernel)
    return record


def write(record: dict[str, Any]) -> str:
    """The record as JSON, one name per line."""
    lines = ["{", f' "version": {json.dumps(record["version"])},']
    for top in ("modules", "classes"):
        lines.append(f' "{top}": {{')
        for last, (name, entries) in enumerate(record[top].items(), 1):
            lines.append(f'  "{name}": {{')
            rows = [f'   "{key}": {json.dumps(entry)}' for key, entry in entries.items()]
            lines.append(",\n".join(rows))
            lines.append("  }" + ("," if last < len(record[top]) else ""))
        lines.append(" },")
    lines.append(f' "reductions": {json.dumps(record["reductions"], indent=2)}')
    return "\n".join([*lines, "}", ""])


if __name__ == "__main__":
    FILE.write_text(write(take()), encoding="utf-8")
    sys.stdout.write(f"{FILE.name}: {FILE.stat().st_size} bytes\n")
