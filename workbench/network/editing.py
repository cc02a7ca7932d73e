"""How an edit is made: drafted, tried, and then done in one piece, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from workbench import nn
from workbench.arrays import random
from workbench.optim import Optimizer
from workbench.tensor import no_grad

from .bring import share
from .carry import Move, Tracked, leaves
from .draft import Context, Draft
from .dryrun import derive, dry_run
from .edits import Edit
from .errors import EditError, EditTypeError
from .events import Listener, Listeners, NetworkEvent
from .graph import INPUT, Graph
from .history import Change, LogEntry, what_became
from .plan import Plan
from .preview import EditResult, Preview, changes, new_shapes
from .shadow import clone, shadow
from .spec import LayerSpec
from .state import State, Value, kind_of

T = TypeVar("T")
Gate = Callable[[Callable[[], Any]], Any]
"""Runs a function at a moment when the network may be changed, and returns what it returns."""


class Editing(nn.Module):
    """The part of a `Network` that changes it. All mutable facts are here.

    Invariants, at any time for any thread: `_state` is one consistent value; `_plan` computes
    it; the registered children are its modules, by name, in the graph's order.
    """

    def __init__(self, state: State, seed: int) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._state = state
        self._plan = Plan(state.graph, state.modules)
        self._seed = seed
        self._version = 0
        self._next_id = 1
        self._log: list[LogEntry] = []
        self._undo: list[Change] = []
        self._redo: list[Change] = []
        self._tracked = Tracked()
        self._gates: list[tuple[Gate, Callable[[], int | None] | None]] = []
        self._listeners = Listeners()

    # -- what may be asked --------------------------------------------------------------------

    @property
    def version(self) -> int:
        """How many changes were made, undos and redos included."""
        return self._version

    @property
    def log(self) -> list[LogEntry]:
        """All edits that were applied, oldest first; those undone since say so."""
        return list(self._log)

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        """Whether an edit that was taken back can be made again."""
        return bool(self._redo)

    def check(self, edit: Edit) -> Preview:
        """What `edit` would do; raises EditError when it does not fit. Nothing changes."""
        return self.preview(edit)

    def preview(self, edit: Edit, probe: Any = None) -> Preview:
        """What `edit` would do.

        probe: a batch of inputs, (N, *input shape); with it `Preview.delta` is the largest
        |change of an output| in evaluation mode. Raises EditError when the edit does not fit.
        Nothing changes, not even while another thread trains the network.
        """
        state = self._current()
        done, draft = self._draft(state, edit)
        after = State(draft.graph, draft.modules, draft.values, state.kind)
        counted = State(draft.graph, _tried(draft), draft.values, state.kind)
        parameters, flops, memory = zip(state.counts(), counted.counts(), strict=True)
        return Preview(
            done,
            _printed(done, draft),
            done.label,
            parameters,
            flops,
            memory,
            new_shapes(draft, state),
            changes(draft, state),
            tuple(draft.kept),
            None if probe is None else _delta(state, after, draft, probe),
        )

    # -- changing it --------------------------------------------------------------------------

    def edit(self, edit: Edit) -> EditResult:
        """Make an edit. Raises EditError when it does not fit; then nothing has changed.

        While a run trains the network this waits for the next boundary between two steps.
        """
        return self._at_boundary(lambda: self._make(edit))

    def undo(self) -> LogEntry:
        """Take back the latest edit; what it did not touch keeps what it has learned since.

        A layer that returns has its weights, buffers and optimizer state of when it left, bit
        for bit. Raises EditError when there is nothing to take back.
        """
        return self._at_boundary(lambda: self._step_in_history(back=True))

    def redo(self) -> LogEntry:
        """Make the edit again that was taken back last. Raises EditError when there is none."""
        return self._at_boundary(lambda: self._step_in_history(back=False))

    # -- who takes part -----------------------------------------------------------------------

    def track(self, optimizer: Optimizer) -> None:
        """Let edits carry this optimizer along: new parameters join it, removed ones leave.

        Several may be tracked; a new parameter joins those that train its nearest neighbours.
        They are held weakly. Raises TypeError when it is no Optimizer.
        """
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"track() takes an optimizer, got {type(optimizer).__name__}")
        with self._lock:
            self._tracked.add(optimizer)

    def untrack(self, optimizer: Optimizer) -> None:
        """Leave this optimizer alone from now on; one that is not tracked is fine."""
        with self._lock:
            self._tracked.discard(optimizer)

    def attach(
        self, gate: Gate, step: Callable[[], int | None] | None = None
    ) -> Callable[[], None]:
        """Send every change through `gate(function)`, which runs it when that is safe.

        gate must return what the function returns and raise what it raises. step() tells the
        training step, for the log. Returns a function that detaches the gate.
        """
        item = (gate, step)
        self._gates.append(item)

        def detach() -> None:
            self._gates[:] = [held for held in self._gates if held is not item]

        return detach

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener(NetworkEvent)` after every change. Returns a function that ends it.

        It is called where the change is made: on the training thread while a run trains.
        """
        return self._listeners.add(listener)

    # -- inside -------------------------------------------------------------------------------

    def _at_boundary(self, change: Callable[[], T]) -> T:
        def locked() -> T:
            with self._lock:
                return change()

        run: Callable[[], T] = locked
        for gate, _ in list(self._gates):
            run = _through(gate, run)
        return run()

    def _draft(self, state: State, edit: Edit) -> tuple[Edit, Draft]:
        if not isinstance(edit, Edit):
            raise EditTypeError(
                f"an edit is wanted, got {type(edit).__name__}",
                fix="wb.network.Edit.from_dict(…) for a dictionary",
            )
        seq = len(self._log) + 1
        context = Context(
            state=state,
            next_id=f"n{self._next_id}",
            draw=lambda: derive(self._seed, f"edit {seq}"),
            gone=lambda reference: what_became(reference, self._log),
            network=self,
        )
        done, draft = edit.draft(context)
        draft.values = dry_run(draft, state, state.kind[1])
        return done, draft

    def _make(self, edit: Edit) -> EditResult:
        state = self._current()
        done, draft = self._draft(state, edit)
        said, code, label = changes(draft, state), _printed(done, draft), done.label
        try:
            for finish in draft.finish:
                finish()
        except EditError:
            raise
        except Exception as error:
            name = draft.graph.name(draft.focus) if draft.focus in draft.graph else None
            raise EditError(f"the new layer could not be prepared: {error}", layer=name) from error
        kind = kind_of(draft.modules)
        after = State(draft.graph, draft.modules, draft.values, kind)
        entry = LogEntry(
            len(self._log) + 1, done, label, code, self._step(), "applied", draft.focus
        )
        change = Change(
            entry,
            state,
            after,
            flags=[(p, p.requires_grad, wanted) for p, wanted in draft.flags],
            share=draft.share,
        )
        for old, new in draft.share:
            share(old, new)
        self._carry(change, after, back=False, join=draft.join)
        if draft.focus in draft.graph:
            self._next_id = max(self._next_id, int(draft.focus[1:]) + 1)
        self._log.append(entry)
        self._undo.append(change)
        self._redo.clear()
        self._settle(change, after, "edited")
        graph = draft.graph if draft.focus in draft.graph else state.graph
        return EditResult(
            done, entry, draft.focus, graph.name(draft.focus), tuple(draft.kept), said
        )

    def _step_in_history(self, back: bool) -> LogEntry:
        source, target = (self._undo, self._redo) if back else (self._redo, self._undo)
        if not source:
            raise EditError(f"there is nothing to {'undo' if back else 'redo'}")
        change = source[-1]
        state = change.before if back else change.after
        for old, new in change.share:  # buffers may have been replaced by new objects since
            share(new, old) if back else share(old, new)
        self._return(state)
        self._carry(change, state, back)
        source.pop()
        target.append(change)
        change.entry.state = "undone" if back else "applied"
        self._settle(change, state, "undone" if back else "redone")
        return change.entry

    def _return(self, state: State) -> None:
        """Make the modules that come back fit to how the network is now."""
        kind = kind_of(self._state.modules)
        for id_, module in state.modules.items():
            if self._state.modules.get(id_) is not module:
                if kind[0] is not None and kind_of({id_: module}) not in ((None, None), kind):
                    module.to(kind[1], kind[0])
                module.train(self.training)

    def _carry(
        self, change: Change, target: State, back: bool, join: list[nn.Parameter] | None = None
    ) -> None:
        """Move the tracked optimizers to `target`. Raises, with nothing moved, when one refuses."""
        now, then = self._state.parameters(), target.parameters()
        coming = [p for i, p in then.items() if i not in now]
        leaving = [p for i, p in now.items() if i not in then]
        move = Move(self._tracked)
        if join:
            trained = {i for o in move.optimizers for i in _held(o)}
            change.joined = [p for p in join if id(p) not in trained]
        extra = change.joined if not coming and not leaving else []
        coming, leaving = (coming, leaving + extra) if back else (coming + extra, leaving)
        try:
            done = move.restore(change.done if back else change.undone)
            if coming:
                wanted = {id(p) for p in coming}
                for id_, module in target.modules.items():
                    fresh = [(leaf, p) for leaf, p in leaves(module) if id(p) in wanted]
                    wanted -= {id(p) for _, p in fresh}
                    if fresh:
                        move.join(fresh, self._neighbours(id_, target, change), done)
            move.leave(leaving, change.undone if back else change.done)
        except BaseException:
            move.roll_back()
            raise

    def _neighbours(
        self,
        id: str,
        target: State,
        change: Change,
    ) -> list[list[tuple[str, nn.Parameter]]]:
        """Parameters near a layer, nearest first: its predecessor in its place, then by order."""
        found = [
            leaves(side.modules[id])
            for side in (change.before, change.after)
            if id in side.modules and side.modules[id] is not target.modules[id]
        ]
        order = [node.id for node in target.graph]
        at = order.index(id)
        ranked = sorted(order, key=lambda other: (abs(order.index(other) - at), order.index(other)))
        return found + [leaves(target.modules[other]) for other in ranked if other != id]

    def _settle(self, change: Change, state: State, kind: str) -> None:
        """Let the new state be the network: only assignments, nothing here can fail."""
        before = self._state
        plan = Plan(state.graph, state.modules)
        for parameter, was, becomes in change.flags:
            parameter.requires_grad_(was if kind == "undone" else becomes)
            if not parameter.requires_grad:
                parameter.grad = None  # or the optimizer would still take its last step
        self._install(state, plan)
        self._version += 1
        now, then = before.parameters(), state.parameters()
        self._listeners.tell(
            NetworkEvent(
                kind,
                change.entry,
                [p for i, p in then.items() if i not in now],
                [p for i, p in now.items() if i not in then],
            )
        )

    def _install(self, state: State, plan: Plan) -> None:
        space = self.__dict__
        old = set(self._state.graph.names)
        children = dict(state.ordered_modules())
        others = {name: kind for name, kind in space["_members"].items() if name not in old}
        space.update(children)
        space["_members"] = {**dict.fromkeys(children, "module"), **others}
        space["_state"] = state
        space["_plan"] = plan
        for name in old:
            if name not in children:
                space.pop(name, None)

    def _current(self) -> State:
        """The state, with its values found anew if the network was moved or converted since."""
        state = self._state
        kind = kind_of(state.modules)
        if kind == state.kind:
            return state
        start = state.values[INPUT]
        if kind[0] is not None and start.dtype.is_floating_point:
            start = Value(start.shape, kind[0])
        draft = Draft(state.graph, dict(state.modules), INPUT, touched={n.id for n in state.graph})
        base = State(state.graph, state.modules, {**state.values, INPUT: start}, kind)
        fresh = State(state.graph, state.modules, dry_run(draft, base, kind[1]), kind)
        self.__dict__["_state"] = fresh
        return fresh

    def _step(self) -> int | None:
        for _, step in self._gates:
            if step is not None:
                return step()
        return None

    def _follow_copy(self) -> None:
        """After a shallow copy whose children were replaced: compute with those."""
        by_name = {name: self._modules[name] for name in self._state.graph.names}
        modules = {node.id: by_name[node.name] for node in self._state.graph}
        state = State(self._state.graph, modules, self._state.values, self._state.kind)
        self.__dict__["_state"] = state
        self.__dict__["_plan"] = Plan(state.graph, modules)


def _through(gate: Gate, run: Callable[[], T]) -> Callable[[], T]:
    return lambda: gate(run)  # type: ignore[no-any-return]


def _printed(edit: Edit, draft: Draft) -> str:
    """The edit's code with a layer made from a spec written as it was made, dtype and all."""
    field = {"insert": "layer", "replace": "new"}.get(edit.op, "")
    if not isinstance(getattr(edit, field, None), LayerSpec):
        return edit.code
    return replace(edit, **{field: draft.modules[draft.focus]}).code


def _held(optimizer: Optimizer) -> set[int]:
    return {id(p) for group in optimizer.param_groups for p in group["params"]}


def _tried(draft: Draft) -> dict[str, nn.Module]:
    return {id_: draft.runnable(id_) for id_ in draft.modules}


def _delta(state: State, after: State, draft: Draft, probe: Any) -> float | None:
    """The largest |change of an output| on the probe, in evaluation mode."""
    with random.fork(0), no_grad():
        was = _shadow_run(state.graph, dict(state.modules), probe)
        now = _shadow_run(after.graph, _tried(draft), probe)
        if tuple(was.shape) != tuple(now.shape):
            return None
        if was.numel() == 0:
            return 0.0
        return float((now - was).abs().max().item())


def _shadow_run(graph: Graph, modules: dict[str, nn.Module], x: Any) -> Any:
    memo: dict[int, nn.Module] = {}
    stand_ins = {id_: shadow(m, training=False, memo=memo) for id_, m in modules.items()}
    plan = Plan(graph, stand_ins)
    if plan.chain is None:
        return plan.run(x)
    for module in plan.chain:
        x = module(x)
    return x


__all__ = ["Editing", "Gate", "clone"]
