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


def _public(holder: object) -> set[str]:
    names = getattr(holder, "__all__", None) or dir(holder)
    return {
        name
        for name in names
        if not name.startswith("_")
        and callable(getattr(holder, name, None))
        and not isinstance(getattr(holder, name, None), (type, ModuleType))
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


if __name__ == "__main__":
    main()
