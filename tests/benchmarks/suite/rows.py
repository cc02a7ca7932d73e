"""The rows of the table, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from suite.workloads import cnn, gpt, lstm, mlp, ops, resnet

WORKLOADS: dict[str, Any] = {
    "ops": ops, "mlp": mlp, "cnn": cnn, "resnet": resnet, "gpt": gpt, "lstm": lstm,
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One row: a workload with its settings, trained or asked one example at a time."""

    name: str
    workload: str
    mode: str  # "train", "infer" or "chain"
    settings: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 2e-3  # relative, of losses after the same number of steps

    @property
    def group(self) -> str:
        """The first word of the name: what `--only` selects by."""
        return self.name.partition(" ")[0]

    @property
    def module(self) -> Any:
        """The workload's module."""
        return WORKLOADS[self.workload]

    def full(self) -> dict[str, Any]:
        """The workload's own settings with this row's over them."""
        return {**self.module.SETTINGS, **self.settings}


def all_rows() -> list[Row]:
    """Every row."""
    rows = [
        Row(f"ops {op} {label}", "ops", "chain", {"op": op, "size": size})
        for op in ("mul", "tanh")
        for label, size in (("8x8", 64), ("256x256", 65_536), ("4M", 4_000_000))
    ]
    rows += [Row(f"mlp {batch}", "mlp", "train", {"batch": batch}) for batch in (32, 128, 1024)]
    rows += [Row(name, name, "train") for name in ("cnn", "resnet", "gpt", "lstm")]
    rows += [Row(f"infer {name}", name, "infer", {"batch": 1}) for name in ("mlp", "cnn", "gpt")]
    for name, batch in (("mlp", 128), ("cnn", 16), ("gpt", 4)):
        rows += [
            Row(f"grow {name} x{times}", name, "train", {"batch": batch, "times": times}, 2e-2)
            for times in (1, 4, 16)
        ]
    return rows


def short_rows() -> list[Row]:
    """The same rows on little work: they show that everything runs, not how fast."""
    small = {
        "ops": {"size": 64}, "mlp": {"batch": 4}, "cnn": {"batch": 2}, "resnet": {"batch": 2},
        "gpt": {"batch": 2, "context": 8, "layers": 1}, "lstm": {"batch": 2, "steps": 4},
    }  # fmt: skip
    rows = []
    for row in all_rows():
        settings = {**row.settings, **small[row.workload]}
        settings["times"] = min(settings.get("times", 1), 2)
        rows.append(Row(row.name, row.workload, row.mode, settings, row.tolerance))
    return rows


def row_named(name: str, short: bool) -> Row:
    """The row of that name."""
    return next(row for row in (short_rows() if short else all_rows()) if row.name == name)
