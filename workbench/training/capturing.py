"""A run's captured steps: asked for, left, explained."""

from __future__ import annotations

from typing import Any

from .commands import Reply
from .view import View


class Capturing(View):
    """What `Run` offers about capturing its steps."""

    _session: Any

    def compile(self, enabled: bool = True) -> Reply:
        """Record forward and backward passes once and replay them from the next step on.

        The weights come out the same, bit by bit; an edit, another batch size or mode is recorded
        anew. Steps that cannot be captured run as before; `explain()` says why. `compile(False)`
        goes back.
        """

        def apply() -> bool:
            self._loop.compile(enabled)
            self._session.add(
                self.step_count, f"run.compile({'' if enabled else 'False'})", "compile"
            )
            return enabled

        return self._command("compile", apply)

    def explain(self) -> Any:
        """The plans of a compiled run, or why there are none; None when it is not compiled."""
        compiled = self._loop.compiled
        return None if compiled is None else compiled.explain()
