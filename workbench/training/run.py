"""Run: one training run of a network, which can be watched and changed while it goes on."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from workbench.tensor import no_grad

from . import evaluation, live
from .batches import LoaderFeed, feed, sources
from .capturing import Capturing
from .choices import (
    check_count,
    check_rate,
    loss_code,
    loss_name,
    make_loss,
    make_optimizer,
    make_scheduler,
    optimizer_class,
    optimizer_code,
    set_rate,
)
from .commands import Command, Reply
from .doctor import RunError, TrainingError
from .loop import Result, StepLoop
from .metrics import named_metrics
from .recorder import Recorder
from .session import UNSEEDED, Recipe, Session, made_without_seed, network_code
from .state import State


class Run(Capturing):
    """A training run.

    `network` is any `nn.Module`; edits need a `wb.Network`. `data` is `Splits`, `(train, test)`, a
    `Dataset`, a `DataLoader`, or `(X, y)`. `loss(output, target)` is cross-entropy by default;
    `optimizer` a name, a class, a function of the parameters or an instance; `lr` 1e-3 where the
    optimizer does not bring its own. The run ends after `epochs` or `steps`, or goes on until it is
    paused when neither is given. `scheduler` is an instance or a function of the optimizer, and
    steps with each step, or with each epoch (`schedule_by="epoch"`).

    Commands (`pause`, `set_lr`, `apply`, …) may come from any thread; they return a future that is
    done once they took effect, between two steps. A step whose loss or gradient is not finite, or
    that raises, is not taken: the run is then "failed", `error` says why and where, and it can be
    resumed when the cause is mended. The same seed gives the same weights, bit by bit, however
    often the run was paused and whatever else draws random numbers meanwhile.

    A run lives as long as something refers to it; its thread ends with it.

    Raises TypeError and ValueError for arguments that do not fit, naming what would.
    """

    def __init__(
        self,
        network: Any,
        data: Any,
        loss: Any = None,
        optimizer: Any = "Adam",
        lr: float | None = None,
        batch_size: int = 64,
        epochs: int | None = None,
        steps: int | None = None,
        metrics: Any = ("accuracy",),
        seed: int = 0,
        scheduler: Any = None,
        clip_grad_norm: float | None = None,
        name: str | None = None,
        schedule_by: str = "step",
    ) -> None:
        for option, value in (("epochs", epochs), ("steps", steps), ("batch_size", batch_size)):
            if value is not None or option == "batch_size":
                check_count(option, value)
        if epochs is not None and steps is not None:
            raise ValueError("give epochs or steps, not both")
        if schedule_by not in ("step", "epoch"):
            raise ValueError(f'schedule_by must be "step" or "epoch", got {schedule_by!r}')
        if lr is not None:
            check_rate(lr)
        if clip_grad_norm is not None and not clip_grad_norm > 0:
            raise ValueError(f"clip_grad_norm must be positive, got {clip_grad_norm}")
        if not callable(getattr(network, "parameters", None)):
            raise TypeError(f"network must be an nn.Module, got {type(network).__name__}")
        self._sources = sources(data)
        loss_function = make_loss(loss)
        measured = named_metrics(metrics)
        source = feed(self._sources.train, batch_size, seed)
        _prepare(network, source)
        made = make_optimizer(optimizer, list(network.parameters()), lr)
        schedule = make_scheduler(scheduler, made)

        super().__init__(network)
        self.id = uuid.uuid4().hex[:8]
        self.name = str(name or getattr(network, "name", None) or type(network).__name__)
        self.seed = seed
        self.loss_function = loss_function
        self.loss_name = loss_name(loss_function)
        self.optimizer = made
        self.scheduler = schedule
        self.recorder = Recorder()
        self._loop = StepLoop(
            network, source, loss_function, made, self.recorder, seed=seed, metrics=measured,
            scheduler=schedule, schedule_by=schedule_by, clip_grad_norm=clip_grad_norm,
        )  # fmt: skip
        self._planned = (steps, epochs)  # by how much `start` goes on when the run is finished
        self._until_step, self._until_epoch = steps, epochs
        self._last: Result | None = None
        self._validated: tuple[int, dict[str, float]] | None = None
        self._session = Session()
        self._recipe = self._make_recipe(
            optimizer, scheduler, metrics, clip_grad_norm, schedule_by, batch_size
        )
        self._steps_before = self._owner.steps
        self._steps_own = 0
        self._watch_network()
        live.announce(self)

    # -- commands ---------------------------------------------------------------------------------

    def start(self) -> Run:
        """Train on a thread of the run's own and return at once. Returns the run itself.

        A finished run goes on for as long again as it was planned.
        """
        self._send("start", lambda: self._go(extend=True)).result()
        return self

    def resume(self) -> Reply:
        """Go on after a pause or a failure."""
        return self._send("resume", self._go)

    def pause(self) -> Reply:
        """Pause at the next step boundary; does nothing when the run is not running."""
        return self._command("pause", self._pause)

    def step(self, n: int = 1) -> Reply:
        """Take `n` steps, then pause. Done when they are taken; the result is the step count."""
        check_count("n", n)
        reply = self._reply("step")

        def begin() -> None:
            try:
                self._go(pause_at=self._loop.step_count + n)
            except Exception as error:  # noqa: BLE001 - handed to whoever asked
                reply.set_exception(error)
            else:
                self._steppers.append(reply)

        self._command_with_thread(Command(self._reply("step"), begin))
        return reply

    def stop(self, wait: bool = True) -> Reply:
        """End the run's thread at the next boundary, and return when it is gone.

        `wait=False` only asks. The run keeps all it has; `start` would go on.
        """
        reply = self._command("stop", self._stop)
        if wait and not self._worker.is_me:
            self._result(reply)
            self._worker.join()
        return reply

    def set_lr(self, lr: float) -> Reply:
        """Set the learning rate. Other parameter groups keep their proportion to the first, and a
        schedule goes on from here.

        Raises ValueError when it is negative or not finite, TypeError when it is no number.
        """
        lr = check_rate(lr)

        def apply() -> float:
            before = self.lr
            set_rate(self.optimizer, self.scheduler, lr)
            self._session.add(self.step_count, f"run.set_lr({lr!r})", "lr")
            self.recorder.mark(self.step_count, "lr", f"lr {before:.3g} → {lr:.3g}")
            self._emit("lr", lr=lr, before=before, batch_size=self.batch_size)
            return lr

        return self._command("set_lr", apply)

    def set_batch_size(self, n: int) -> Reply:
        """Set the number of samples in a batch, also in the middle of an epoch.

        Raises ValueError when it is less than 1, or when the data is a DataLoader: its own counts.
        """
        check_count("batch_size", n)
        source = self._loop.feed
        if isinstance(source, LoaderFeed):
            raise ValueError(
                "the batch size is the DataLoader's; make the run from the Dataset to change it"
            )

        def apply() -> int:
            before, source.batch_size = source.batch_size, n  # type: ignore[misc]
            self._session.add(self.step_count, f"run.set_batch_size({n})", "batch_size")
            self.recorder.mark(self.step_count, "batch_size", f"batch size {before} → {n}")
            self._emit("lr", lr=self.lr, before=self.lr, batch_size=n)
            return n

        return self._command("set_batch_size", apply)

    def apply(self, edit: Any) -> Reply:
        """Apply an edit to the network; the result is its EditResult.

        Raises TypeError when the network is not a `wb.Network`. An edit that does not fit is the
        future's exception (EditError); the network is then as it was.
        """
        network = self._editable()
        return self._command("apply", lambda: network.apply(edit))

    def undo(self) -> Reply:
        """Take the last edit back, with the weights and optimizer state of before."""
        return self._command("undo", self._editable().undo)

    def redo(self) -> Reply:
        """Apply the edit again that was taken back last."""
        return self._command("redo", self._editable().redo)

    def skip(self) -> Reply:
        """Leave out the batch that the next step would take, for instance one that made it fail."""

        def apply() -> None:
            source = self._loop.feed
            if isinstance(source, LoaderFeed):
                source.next()
            self._session.add(self.step_count, "run.skip()")
            if source.commit():
                self._emit("epoch", epoch=source.epoch)

        return self._command("skip", apply)

    # -- waiting ----------------------------------------------------------------------------------

    def train(self, steps: int | None = None, epochs: int | None = None) -> Run:
        """Train in the calling thread and return when it is done: `steps`, `epochs`, or, without
        either, to the end that the run was made with. Returns the run itself.

        Ctrl-C pauses at the next step boundary and raises KeyboardInterrupt; a second one at once.
        Raises TrainingError when the run fails, RuntimeError when it is running already.
        """
        for option, value in (("steps", steps), ("epochs", epochs)):
            if value is not None:
                check_count(option, value)
        if steps is not None and epochs is not None:
            raise ValueError("give steps or epochs, not both")
        if self._worker.is_me:
            raise RuntimeError("train() was called from a listener of the same run")
        if self.state == "running":
            raise RuntimeError(
                "the run is training already: run.wait() waits for it, run.pause() pauses it"
            )
        if steps is None and epochs is None and self._planned == (None, None):
            raise ValueError("this run has no end: give train(steps=…) or train(epochs=…)")
        with self._driving() as interrupted:
            at = None if steps is None else self.step_count + steps
            at_epoch = None if epochs is None else self.epoch + epochs
            self._go(extend=True, pause_at=at, pause_at_epoch=at_epoch, plan=True)
            while self.turn(None) == "step" and not interrupted():
                pass
            self._pause()
        if interrupted():
            raise KeyboardInterrupt(f"paused after step {self.step_count}")
        return self._or_raise()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the run no longer runs: True, or False after `timeout` seconds.

        A pause ends the wait too. Ctrl-C pauses the run. Raises TrainingError when the run failed,
        RuntimeError in a listener of the run.
        """
        if self._worker.is_me and self._state == "running":
            raise RuntimeError("wait() was called from a listener of the same run")
        started = time.monotonic()
        try:
            try:
                # What was asked before counts: after resume(), the run is not "still paused".
                self._command("wait", lambda: None).result(timeout)
            except TimeoutError:
                return False
            left = None if timeout is None else max(0.0, timeout - (time.monotonic() - started))
            if not self._settled.wait(left):
                return False
        except KeyboardInterrupt:
            self.pause().result()
            raise
        self._or_raise()
        return True

    async def finished(self) -> State:
        """`await run.finished()`: like `wait`, for a notebook cell; returns the state.

        Interrupting the cell pauses the run.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if not future.done():
                future.set_result(None)

        def settled() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle)

        def asked(_: Any) -> None:
            with self._state_lock:
                if not self._settled.is_set():
                    self._on_settled.append(settled)
                    return
            settled()

        self._command("wait", lambda: None).add_done_callback(asked)
        try:
            await future
        except BaseException:
            self.pause()
            raise
        self._or_raise()
        return self.state

    def _or_raise(self) -> Run:
        error = self._error
        if self._state == "failed" and error is not None:
            raise TrainingError(error) from error.exception
        return self

    # -- inside -----------------------------------------------------------------------------------

    def _send(self, name: str, function: Callable[[], Any]) -> Reply:
        reply = self._reply(name)
        self._command_with_thread(Command(reply, function))
        return reply

    def _go(
        self,
        extend: bool = False,
        pause_at: int | None = None,
        pause_at_epoch: int | None = None,
        plan: bool = False,
    ) -> str:
        """Become running, up to `pause_at` or `pause_at_epoch` if given, else to the planned end.

        `extend`: where the end is reached, plan as much again. `plan`: where there is no end, or it
        is reached, the place to pause at becomes the end.
        """
        until = (pause_at, pause_at_epoch)
        if self._state == "running":
            self._pause_at = pause_at
            return self._state
        steps, epochs = self._planned
        if until != (None, None):
            if plan and (self._planned == (None, None) or self._reached()):
                self._until_step, self._until_epoch = until
        elif self._reached():
            if not extend:
                raise RuntimeError(
                    f"the run is finished after {self.step_count} steps; run.start() goes on for "
                    "as long again, run.train(steps=…) for as long as you like"
                )
            self._until_step = None if steps is None else self.step_count + steps
            self._until_epoch = None if epochs is None else self.epoch + epochs
        self._take_over()
        self._become("running")
        self._pause_at, self._pause_at_epoch = until
        return self._state

    def _reached(self) -> bool:
        if self._until_step is not None and self.step_count >= self._until_step:
            return True
        return self._until_epoch is not None and self.epoch >= self._until_epoch

    def _stepped(self, result: Result) -> None:
        self._last = result
        self._steps_own += 1
        if self._bus:
            self._emit("step", loss=result.loss, metrics=result.metrics)
        reached = self._reached()
        if result.epoch_ended:
            self._emit("epoch", epoch=self.epoch)
        if self._sources.test is not None and (result.epoch_ended or reached):
            self.evaluate()
        if self._state != "running":
            return  # a listener has seen enough
        at, at_epoch = self._pause_at, self._pause_at_epoch
        if reached:
            self._become("finished")
        elif (at is not None and self.step_count >= at) or (
            at_epoch is not None and self.epoch >= at_epoch
        ):
            self._become("paused")

    def _stop(self) -> str:
        if self._state != "finished":
            self._become("stopped")
        return self._state

    def _failed(self, error: RunError) -> None:
        self.recorder.mark(self.step_count, "error", error.message)

    def _editable(self) -> Any:
        if not hasattr(self.network, "apply") or not hasattr(self.network, "can_undo"):
            raise TypeError(
                f"a {type(self.network).__name__} cannot be edited; build a wb.Network to edit it "
                "while it trains"
            )
        return self.network

    def _watch_network(self) -> None:
        network = self.network
        if not hasattr(network, "can_undo"):
            return
        network.track(self.optimizer)  # held weakly there
        self._leavings.append(network.subscribe(_weak_watcher(self)))
        driver = self._owner.driver
        if driver is None or driver.state not in ("running", "paused", "failed"):
            self._take_over()

    def _edited(self, event: Any) -> None:
        """The network was edited, undone or redone, by whoever: look at it again and note it."""
        self._loop.refresh()
        entry, step = event.entry, self.step_count
        code = {"undone": "net.undo()", "redone": "net.redo()"}.get(event.kind, entry.code)
        unseeded = event.kind == "edited" and event.added and made_without_seed(entry)
        self._session.add(step, code + (UNSEEDED if unseeded else ""))
        prefix = {"undone": "undo: ", "redone": "redo: "}.get(event.kind, "")
        self.recorder.mark(step, "edit", f"{prefix}{entry.label}")
        self._emit("edit", kind=event.kind, seq=entry.seq, label=entry.label, code=code)

    def _make_recipe(
        self,
        optimizer: Any,
        scheduler: Any,
        metrics: Any,
        clip: float | None,
        schedule_by: str,
        batch_size: int,
    ) -> Recipe:
        network, notes = network_code(self.network)
        options: dict[str, Any] = {}
        if isinstance(optimizer, str):
            made: str | None = repr(optimizer_class(optimizer).__name__)
            options["lr"] = repr(self.lr)
        else:
            made = optimizer_code(self.optimizer)
        options["batch_size"] = repr(batch_size)
        for key, value in zip(("steps", "epochs"), self._planned, strict=True):
            if value is not None:
                options[key] = repr(value)
        options["seed"] = repr(self.seed)
        if not _plain_names(metrics):
            options["metrics"] = ...
        elif tuple(metrics) != ("accuracy",):
            options["metrics"] = repr(tuple(metrics))
        if scheduler is not None:
            options["scheduler"] = ...
        if schedule_by != "step":
            options["schedule_by"] = repr(schedule_by)
        if clip is not None:
            options["clip_grad_norm"] = repr(clip)
        loss = loss_code(self.loss_function)
        return Recipe(network, self._sources.code, loss, made, options, notes)


def _weak_watcher(run: Run) -> Callable[[Any], None]:
    import weakref

    reference = weakref.ref(run)

    def watch(event: Any) -> None:
        alive = reference()
        if alive is not None:
            alive._edited(event)

    return watch


def _prepare(network: Any, source: Any) -> None:
    """Let lazy layers see their first input: their parameters must exist before the optimizer."""
    if any("Uninitialized" in type(p).__name__ for p in network.parameters()):
        with evaluation.evaluating(network), no_grad():
            network(*source.next().inputs)


def _plain_names(metrics: Any) -> bool:
    return isinstance(metrics, Iterable) and all(isinstance(name, str) for name in metrics)
