"""What a view may ask of a run: one table from the command's name to the call that does it.

Each call returns at once: a future (of most, done when the run has applied it between two steps),
or a plain value. Whatever a click does is therefore one call of the public Python API.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from difflib import get_close_matches
from typing import Any

from workbench.widgets.protocol import Command, ProtocolError, plain

Call = Callable[[Any, dict[str, Any]], Any]


def _start(run: Any, args: dict[str, Any]) -> Any:
    # start() waits until the run has started, which only a run that stands still does at once.
    return run.start() if run.state != "running" else None


def _pause(run: Any, args: dict[str, Any]) -> Any:
    return run.pause()


def _resume(run: Any, args: dict[str, Any]) -> Any:
    return run.resume()


def _step(run: Any, args: dict[str, Any]) -> Any:
    return run.step(_whole(args, "n", default=1))


def _stop(run: Any, args: dict[str, Any]) -> Any:
    return run.stop(wait=False)  # a view must not wait for a step that takes long


def _set_lr(run: Any, args: dict[str, Any]) -> Any:
    return run.set_lr(_real(args, "lr"))


def _set_batch_size(run: Any, args: dict[str, Any]) -> Any:
    return run.set_batch_size(_whole(args, "batch_size"))


def _check_edit(run: Any, args: dict[str, Any]) -> Any:
    return _network(run).preview(_edit(args))


def _apply_edit(run: Any, args: dict[str, Any]) -> Any:
    _network(run)
    edit = _edit(args)
    return run.apply(edit)


def _undo(run: Any, args: dict[str, Any]) -> Any:
    _network(run)
    return run.undo()


def _redo(run: Any, args: dict[str, Any]) -> Any:
    _network(run)
    return run.redo()


def _script(run: Any, args: dict[str, Any]) -> Any:
    return run.script()


def _code(run: Any, args: dict[str, Any]) -> Any:
    return _network(run).code()


COMMANDS: dict[str, Call] = {
    "start": _start,
    "pause": _pause,
    "resume": _resume,
    "step": _step,
    "stop": _stop,
    "set_lr": _set_lr,
    "set_batch_size": _set_batch_size,
    "check_edit": _check_edit,
    "edit": _apply_edit,
    "undo": _undo,
    "redo": _redo,
    "script": _script,
    "code": _code,
}


def call(run: Any, command: Command) -> Any:
    """Do what ``command`` asks of ``run``: returns a future or a value.

    Raises:
        ProtocolError: no such command, or an argument missing or of the wrong kind.
        Exception: whatever the run refuses at once, such as an edit that does not fit.
    """
    handler = COMMANDS.get(command.name)
    if handler is None:
        near = get_close_matches(command.name, COMMANDS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(COMMANDS)}"
        raise ProtocolError(f"no command {command.name!r}{hint}", command.id)
    return handler(run, command.args)


def settle(run: Any, command: Command, reply: Callable[[Any, BaseException | None], None]) -> None:
    """Run ``command`` and call ``reply(result, error)`` once: now, or when its future is done.

    Never raises: whatever goes wrong becomes the error of the reply.
    """
    try:
        outcome = call(run, command)
    except Exception as error:  # noqa: BLE001 - every failure is somebody's answer
        reply(None, error)
        return
    if isinstance(outcome, Future):
        outcome.add_done_callback(lambda future: _settled(future, reply))
    else:
        reply(result_of(outcome), None)


def _settled(future: Future[Any], reply: Callable[[Any, BaseException | None], None]) -> None:
    if future.cancelled():
        reply(None, RuntimeError("the run ended before it came to this command"))
        return
    error = future.exception()
    if error is not None:
        reply(None, error)
    else:
        reply(result_of(future.result()), None)


def result_of(outcome: Any) -> Any:
    """What the browser is told of an outcome: JSON, or None where it could say nothing."""
    entry = getattr(outcome, "entry", outcome)
    if hasattr(entry, "seq") and hasattr(entry, "code"):
        told = {"seq": entry.seq, "label": entry.label, "code": entry.code}
        kept = getattr(outcome, "kept", None)
        return plain({**told, "kept": kept} if kept is not None else told)
    if isinstance(outcome, (str, int, float, bool, list, tuple, dict)) or hasattr(
        outcome, "to_dict"
    ):
        return plain(outcome)
    return None


def _network(run: Any) -> Any:
    from workbench.network import Network

    network = run.network
    if not isinstance(network, Network):
        raise TypeError(
            f"this run trains a {type(network).__name__}, which cannot be edited here; build a "
            "wb.Network to edit while it trains"
        )
    return network


def _edit(args: dict[str, Any]) -> Any:
    from workbench.network import Edit

    described = args.get("edit")
    if not isinstance(described, dict):
        raise ProtocolError("this command needs an edit: an object such as {'op': 'remove', …}")
    return Edit.from_dict(described)


def _real(args: dict[str, Any], name: str) -> float:
    value = args.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ProtocolError(f"{name} must be a number, got {value!r}")
    return float(value)


def _whole(args: dict[str, Any], name: str, default: int | None = None) -> int:
    value = args.get(name, default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON does not tell 64 from 64.0
    if isinstance(value, bool) or not isinstance(value, int):
        raise ProtocolError(f"{name} must be a whole number, got {value!r}")
    return value
