"""Which notebook cell shows which Bench, so that running a cell again tidies up after itself.

A notebook gives no sign when an output goes away, but it says when a cell is about to run again:
what that cell made or showed before is of no use any more, even where IPython's ``Out`` keeps it.
"""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from workbench.widgets import kernel


class Tenant(Protocol):
    """Something that lives in the output of a cell."""

    def leave(self, cell: str) -> None:
        """The cell is about to run again."""


_tenants: dict[str, weakref.WeakSet[Any]] = {}
_hooked: Any = None


def settle_in(tenant: Tenant) -> str | None:
    """Note that ``tenant`` belongs to the cell now running; returns that cell's id, or None."""
    cell = kernel.cell_id()
    if cell is not None:
        _tenants.setdefault(cell, weakref.WeakSet()).add(tenant)
        _hook()
    return cell


def vacate(cell: str) -> None:
    """Tell everything that lives in ``cell`` to leave."""
    for tenant in list(_tenants.pop(cell, ())):
        tenant.leave(cell)


def _hook() -> None:
    global _hooked
    shell = kernel.shell()
    if shell is not None and shell is not _hooked:
        shell.events.register("pre_run_cell", _before_cell)
        _hooked = shell


def _before_cell(info: Any) -> None:
    cell = getattr(info, "cell_id", None) or kernel.cell_id()
    if cell in _tenants:
        vacate(cell)
