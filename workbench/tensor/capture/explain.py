"""What `compiled.explain()` shows."""

from __future__ import annotations

from typing import Any

from .fuse import Loop
from .recorder import GRAD


class Explanation:
    """The plans of a compiled function as text."""

    def __init__(self, compiled: Any) -> None:
        self.compiled = compiled

    @property
    def reasons(self) -> list[str]:
        """Why calls were not captured, each with the line of the program."""
        found = []
        for failures in self.compiled._failed.values():
            for reason, where in failures[-1:]:
                found.append(f"{reason} ({where})" if where else reason)
        return found

    @property
    def plans(self) -> list[Any]:
        """The plans, oldest first."""
        return [c for plans in self.compiled._plans.values() for c in plans]

    def __str__(self) -> str:
        calls = self.compiled.calls
        counts = ", ".join(f"{calls[kind]} {kind}" for kind in ("recorded", "replayed", "eager"))
        lines = [f"{self.compiled!r}: {len(self.plans)} plan(s); calls: {counts}"]
        lines += [f"not captured: {reason}" for reason in self.reasons]
        for captured in self.plans:
            lines += ["", *_plan_lines(captured)]
        return "\n".join(lines)

    __repr__ = __str__


def _bytes(n: int) -> str:
    for unit in ("B", "KB", "MB"):
        if n < 1024:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1024  # type: ignore[assignment]
    return f"{n:.1f} GB"


def _plan_lines(captured: Any) -> list[str]:
    plan = captured.plan
    fused = [step for step in plan.steps if isinstance(step, Loop)]
    kernels = sum(len(s.instructions) if isinstance(s, Loop) else 1 for s in plan.steps)
    inside = sum(len(loop.instructions) for loop in fused)
    work = f"{kernels} kernels in {len(plan.steps)} steps, {inside} in {len(fused)} fused loops"
    planned, alone = _bytes(plan.nbytes), _bytes(plan.peak_alone)
    lines = [
        f"plan: {captured.recorded} calls recorded; {work}; {plan.inplace} results in place",
        f"memory: {planned} in {len(plan.slots)} buffers; {alone} with a buffer per result",
    ]
    for i, step in enumerate(plan.steps):
        lines.append(f"{i:4d}  {_step_text(step)}")
    return lines


def _step_text(step: Any) -> str:
    if isinstance(step, Loop):
        names = " ".join(one.name for one in step.instructions)
        return f"loop over {list(step.shape)}: {names}"
    if step.function is GRAD:
        shape = "None" if step.args[1] is None else repr(step.args[1])
        return f"grad  <- {shape}"
    if step.kind == "effect":
        return f"call  {step.name}()"
    operands = ", ".join(map(repr, step.reads()))
    results = ", ".join(map(repr, step.outs_made())) or ", ".join(map(repr, step.writes))
    layer = f"   [{step.layer}]" if step.layer else ""
    return f"{step.kind:7s} {results} = {step.name}({operands}){layer}"
