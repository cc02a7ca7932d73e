"""The synced traits of a bench, read from a run: small JSON objects that show how things stand."""

from __future__ import annotations

from typing import Any

from workbench.widgets.protocol import number, plain

#: Edits shown in the history panel; older ones stay in the network's log and in the script.
HISTORY_LIMIT = 200

#: Marks shown on the time axis, the newest.
MARKS_LIMIT = 500

#: The browser knows three kinds of mark: an edit, a setting that was changed, a failure.
_MARK_KINDS = {"batch_size": "lr"}


def status(run: Any) -> dict[str, Any]:
    """The state of ``run`` for the controls: rates in 1/s, times in seconds."""
    return {
        "run_id": str(run.id),
        "name": str(run.name),
        "state": str(run.state),
        "step": int(run.step_count),
        "steps_total": None if run.steps_total is None else int(run.steps_total),
        "epoch": plain(run.epoch),
        "lr": number(run.lr),
        "batch_size": plain(run.batch_size),
        "eta_s": number(run.eta),
        "steps_per_s": number(run.steps_per_second),
        "loss": number(run.loss),
        "metrics": {str(key): number(value) for key, value in dict(run.metrics or {}).items()},
        "error": error(run),
        "device": str(run.device),
        "seed": plain(run.seed),
        "optimizer": type(run.optimizer).__name__,
        "loss_name": str(run.loss_name),
    }


def error(run: Any) -> dict[str, Any] | None:
    """What made the run fail: its kind, message, layer and step; None when it did not."""
    failure = run.error
    if failure is None:
        return None
    layer = getattr(failure, "layer", None)
    return {
        "kind": str(getattr(failure, "kind", type(failure).__name__)),
        "message": str(getattr(failure, "message", failure)),
        "layer": None if layer is None else str(layer),
        "step": plain(getattr(failure, "step", None)),
    }


def history(network: Any) -> dict[str, Any]:
    """The edits made so far, oldest first, and whether one can go back or forth."""
    log = getattr(network, "log", None)
    if log is None:
        return {"edits": [], "can_undo": False, "can_redo": False}
    return {
        "edits": [
            {
                "seq": int(entry.seq),
                "label": str(entry.label),
                "code": str(entry.code),
                "state": str(entry.state),
                "step": plain(entry.step),
            }
            for entry in list(log)[-HISTORY_LIMIT:]
        ],
        "can_undo": bool(network.can_undo),
        "can_redo": bool(network.can_redo),
    }


def graph(network: Any) -> dict[str, Any]:
    """The network as boxes and wires; {} for a module that is not a `Network`."""
    return plain(network.graph()) if callable(getattr(network, "graph", None)) else {}


def marks(recorder: Any) -> list[dict[str, Any]]:
    """What happened at which step, for the time axis of the charts."""
    return [
        {"step": mark.step, "kind": _MARK_KINDS.get(mark.kind, mark.kind), "label": mark.label}
        for mark in recorder.marks[-MARKS_LIMIT:]
    ]
