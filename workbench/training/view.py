"""What a run tells of itself: where it stands, how it does, the script that repeats it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.tensor import Tensor
from workbench.tensor import tensor as as_tensor

from . import evaluation
from .batches import Sources, sources
from .conductor import Conductor
from .doctor import RunError
from .evaluation import Predictions
from .events import Listener
from .loop import Result
from .recorder import Recorder
from .session import Recipe, Session, script
from .state import State


class View(Conductor):
    """The side of a `Run` that looks and changes nothing."""

    name: str
    network: Any
    loss_function: Callable[..., Any]
    _sources: Sources
    _session: Session
    _recipe: Recipe
    optimizer: Any
    recorder: Recorder
    _last: Result | None
    _validated: tuple[int, dict[str, float]] | None
    _until_step: int | None
    _until_epoch: int | None
    _planned: tuple[int | None, int | None]
    _steps_before: int
    _steps_own: int

    @property
    def state(self) -> State:
        """ "idle", "running", "paused", "stopped", "finished" or "failed"."""
        return self._state

    @property
    def error(self) -> RunError | None:
        """Why the run failed: kind, message, layer and step. None once it goes on."""
        return self._error

    @property
    def step_count(self) -> int:
        """Steps taken."""
        return self._loop.step_count

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self._loop.feed.epoch

    @property
    def lr(self) -> float:
        """The learning rate of the first parameter group, as it is now."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def batch_size(self) -> int | None:
        """Samples in a batch; None when a DataLoader without one decides."""
        return self._loop.feed.batch_size

    @property
    def loss(self) -> float | None:
        """The loss of the last step."""
        return None if self._last is None else self._last.loss

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the last step, and those of the last validation as "val/…"."""
        found = dict(self._last.metrics) if self._last is not None else {}
        if self._validated is not None:
            found.update({f"val/{key}": value for key, value in self._validated[1].items()})
        return found

    @property
    def steps_total(self) -> int | None:
        """The step at which the run ends as things stand, or None when it has no end."""
        if self._until_step is not None:
            return self._until_step
        if self._until_epoch is None:
            return None
        source = self._loop.feed
        left, each = source.steps_left(), source.steps_per_epoch()
        epochs = self._until_epoch - source.epoch
        if epochs <= 0:
            return self.step_count
        if left is None or each is None:
            return None
        return self.step_count + left + (epochs - 1) * each

    @property
    def steps_per_second(self) -> float | None:
        """The present speed; None before there is one."""
        return None if not self._seconds_per_step else 1 / self._seconds_per_step

    @property
    def eta(self) -> float | None:
        """Seconds of training left at the present speed, or None."""
        total = self.steps_total
        if total is None or not self._seconds_per_step:
            return None
        return max(0, total - self.step_count) * self._seconds_per_step

    @property
    def device(self) -> str:
        """Where the network is."""
        return str(self._loop.device or "cpu")

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes, where the data has them."""
        return self._sources.classes

    @property
    def layer_names(self) -> dict[str, str]:
        """The names of the layers whose norms are recorded, by id (as in "grad_norm:<id>")."""
        return dict(self._loop.layer_names)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener(event)` on the training thread, between two steps, for every `Event`.

        Kinds: "step", "state", "edit", "lr" (rate or batch size), "epoch", "validated", "error".
        A listener should be quick; one that raises is dropped with a warning. Returns the function
        that ends the subscription.
        """
        return self._bus.subscribe(listener)

    def evaluate(self, data: Any = None) -> dict[str, float]:
        """Loss and metrics on `data`, else on the test split, or the training split without one.

        In evaluation mode, between two steps; the network's own mode comes back after.
        """
        if data is None:
            split = self._sources.train if self._sources.test is None else self._sources.test
        else:
            split = sources(data).train
        own = data is None and self._sources.test is not None

        def look() -> dict[str, float]:
            values = evaluation.evaluate(
                self.network, split, self.loss_function, self._loop.metrics, self._loop.device
            )
            if own:
                self._note_validation(values)
            return values

        return self.exclusively(look)

    def _note_validation(self, values: dict[str, float]) -> None:
        step = self.step_count
        again = self._validated is not None and self._validated[0] == step
        self._validated = (step, values)
        if not again:
            keys = [f"val/{key}" for key in values]
            self.recorder.writer("validation", keys).write(step, list(values.values()))
        self._emit("validated", **values)

    def predict(self, x: Any) -> Tensor:
        """The network's output for a batch `x` (N, …), in evaluation mode, between two steps."""
        x = x if isinstance(x, Tensor) else as_tensor(x)
        device = self._loop.device

        def look() -> Tensor:
            with evaluation.evaluating(self.network):
                out: Tensor = self.network(x if device is None else x.to(device))
                return out

        return self.exclusively(look)

    def predictions(self, n: int = 40, limit: int = 1000) -> Predictions:
        """Guesses on the first `n` samples of the test split and the confusion over `limit`.

        Raises TypeError when the network does not tell classes.
        """
        test = self._sources.test
        split = self._sources.train if test is None else test
        kind = "train" if test is None else "test"

        def look() -> Predictions:
            return evaluation.predictions(
                self.network, split, n, limit, self.step_count, kind, self.classes,
                self._loop.device,
            )  # fmt: skip

        return self.exclusively(look)

    def script(self) -> str:
        """Python that repeats the whole session: network, run, every change at its step.

        Run in a fresh process it gives the same weights, bit by bit, where network and data can be
        made from code alone; what has to be filled in is marked with a comment.
        """
        recipe = self._recipe
        foreign = self._owner.steps - self._steps_before - self._steps_own
        if foreign or self._steps_before:
            recipe = Recipe(
                recipe.network, recipe.data, recipe.loss, recipe.optimizer, recipe.options,
                (*recipe.notes, "another run trained this network too; its steps are not here"),
            )  # fmt: skip
        return script(recipe, self._session, self.step_count)

    def plot(self) -> Any:
        """A matplotlib figure of the run: loss, metrics, gradients by layer."""
        from workbench.plots import plot_run

        return plot_run(self)

    # Neither speed nor loss: the text of a notebook's output must be the same each time.
    def __repr__(self) -> str:
        state = self._state
        if state == "running":
            return f"<Run {self.name!r}: running>"
        if state == "idle":
            steps, epochs = self._planned
            plan = f"{steps} steps" if steps else f"{epochs} epochs" if epochs else "no end"
            return f"<Run {self.name!r}: idle, {plan} planned>"
        return f"<Run {self.name!r}: {state} at step {self.step_count}>"
