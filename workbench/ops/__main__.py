"""`python -m workbench.ops`: every op with what it supports, from the declarations.

`--markdown` prints the table for the documentation.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from types import ModuleType

from workbench.ops import OPS, Op
from workbench.ops.samples import Maker

HEAD = ("op", "namespace", "family", "dtypes", "takes", "gradient", "in-place", "view", "samples")

# torch modules whose public names are counted, and where ours live
_COUNTED = {
    "torch": "workbench",
    "torch.Tensor": "workbench.Tensor",
    "torch.nn.functional": "workbench.nn.functional",
    "torch.linalg": "workbench.linalg",
    "torch.fft": "workbench.fft",
    "torch.special": "workbench.special",
}


def row(op: Op) -> tuple[str, ...]:
    """One op's line of the table."""
    count = 0 if op.samples is None else sum(1 for _ in op.samples(Maker()))
    place = op.namespace or "workbench"
    return (
        op.name,
        place if op.function else "method" if op.method else "internal",
        op.family,
        op.dtype or "-",
        op.accepts or "all",
        f"{len(op.rules)}/{len(op.tensors)}" if op.rules else "no",
        "yes" if op.inplace else "",
        "yes" if op.view else "",
        str(count),
    )


# Documented names that are deliberately out: a prefix, a suffix or a whole name, and the reason.
LEFT_OUT = {
    "quantize": "quantized tensors: notebooks train in floats",
    "quantized": "quantized tensors",
    "fake_quantize": "quantized tensors",
    "q_": "quantized tensors",
    "dequantize": "quantized tensors",
    "qscheme": "quantized tensors",
    "int_repr": "quantized tensors",
    "sparse": "sparse layouts: every op would be written twice",
    "to_sparse": "sparse layouts",
    "to_mkldnn": "another library's layout",
    "to_padded_tensor": "nested tensors",
    "sspaddmm": "sparse layouts",
    "smm": "sparse layouts",
    "hspmm": "sparse layouts",
    "crow_indices": "sparse layouts",
    "col_indices": "sparse layouts",
    "indices": "sparse layouts",
    "values": "sparse layouts",
    "coalesce": "sparse layouts",
    "is_coalesced": "sparse layouts",
    "dense_dim": "sparse layouts",
    "sym_": "symbolic shapes, of torch's compiler",
    "parse_": "TorchScript",
    "import_ir_module": "TorchScript",
    "fork": "TorchScript",
    "wait": "TorchScript",
    "merge_type_from_type_comment": "TorchScript",
    "unify_type_list": "TorchScript",
    "cond": "torch's compiler: Python's if does",
    "init_num_threads": "torch's own threads",
    "thread_safe_generator": "workers that are threads",
    "get_device_module": "modules of devices that are not here",
    "hash_tensor": "a prototype",
    "lobpcg": "an iterative solver: linalg.eigh does",
    "ormqr": "LAPACK's reflectors: linalg.householder_product does",
    "chalf": "complex numbers of two halves",
    "ipu": "devices that are not here",
    "xpu": "devices that are not here",
    "mtia": "devices that are not here",
    "module_load": "how torch's modules load parameters",
}


def left_out(name: str) -> str | None:
    """Why a documented name of torch is not here; None where it should be."""
    for key, reason in LEFT_OUT.items():
        if name == key or name.startswith(key if key.endswith("_") else f"{key}_"):
            return reason
    return None


def _public(holder: object) -> set[str]:
    """The documented functions of a module or class, without those that are left out."""
    names = getattr(holder, "__all__", None) or dir(holder)
    found = {name: getattr(holder, name, None) for name in names if not name.startswith("_")}
    return {
        name
        for name, made in found.items()
        if callable(made)
        and not isinstance(made, (type, ModuleType))
        and (getattr(made, "__doc__", None) or "").strip()
        and left_out(name) is None
    }


def _find(path: str) -> object | None:
    """A module, or an attribute of one; None where there is none."""
    try:
        return importlib.import_module(path)
    except ImportError:
        parent, _, name = path.rpartition(".")
        return getattr(sys.modules.get(parent), name, None) if parent else None


def coverage() -> list[tuple[str, int, int]]:
    """(torch's namespace, public functions there, how many of them workbench has).

    Empty where torch is not installed.
    """
    if _find("torch") is None:
        return []
    counts = []
    for theirs, ours in _COUNTED.items():
        names = _public(_find(theirs))
        held = _find(ours)
        counts.append((theirs, len(names), sum(hasattr(held, name) for name in names)))
    return counts


def main(arguments: list[str] | None = None) -> None:
    """Print the table and the counts."""
    parser = argparse.ArgumentParser(prog="python -m workbench.ops", description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    options = parser.parse_args(arguments)
    write = sys.stdout.write
    rows = [row(op) for op in sorted(OPS.values(), key=lambda op: (op.family, op.name))]
    if options.markdown:
        write("| " + " | ".join(HEAD) + " |\n|" + " --- |" * len(HEAD) + "\n")
        write("".join("| " + " | ".join(r) + " |\n" for r in rows))
    else:
        widths = [max(len(line[i]) for line in (HEAD, *rows)) for i in range(len(HEAD))]
        for line in (HEAD, *rows):
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            write("  ".join(cells).rstrip() + "\n")
    differentiable = sum(1 for op in OPS.values() if op.rules)
    write(f"\n{len(OPS)} ops, {differentiable} with gradients, ")
    write(f"{sum(int(r[-1]) for r in rows)} samples\n")
    for theirs, total, have in coverage():
        write(f"{theirs}: {have} of {total} public functions\n")
    loops = importlib.import_module("workbench.func").sample_by_sample()
    write(f"vmap goes sample by sample through: {', '.join(loops)}\n")
    write(f"left out on purpose: {', '.join(sorted(set(LEFT_OUT)))}\n")


if __name__ == "__main__":
    main()
