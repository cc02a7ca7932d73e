"""`Bench`: the bench in a notebook, where a network is built, trained, watched and edited."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from workbench.widgets import cells, kernel, state
from workbench.widgets.registry import announce_widget, watch_runs

#: Seconds after an edit to a run at rest before its picture is drawn again.
EDITS_REST = 1.5

if TYPE_CHECKING:
    from workbench.training import Run
    from workbench.widgets.live import Link
    from workbench.widgets.widget import BenchWidget


class Bench:
    """A live view of one training run; the last line of a cell, or ``display(bench)``, shows it.

        bench = wb.Bench(network, data, loss=nn.CrossEntropyLoss(), optimizer="Adam")
        bench                     # shows it
        bench.run.start()         # what the play button does

    Args:
        network: the network to train (a `Network` can be edited while it trains), or a `Run` that
            exists already; then the other arguments are left out.
        data: as `Run` takes it: ``Splits``, ``(train, test)``, a Dataset, a DataLoader, ``(X, y)``.
        **options: further arguments of `Run`, such as ``loss``, ``optimizer``, ``lr``, ``epochs``.

    Attributes:
        run: the `Run` shown.
        network: its network.

    Several benches may show one run; they stay in step. A bench that made its own run stops it when
    it is closed or when the cell that made it runs again; a run that was given is left alone.

    Raises:
        TypeError: options beside a `Run`, or no data beside a network.
    """

    run: Run
    network: Any

    def __init__(self, network: Any, data: Any = None, **options: Any) -> None:
        from workbench.training import Run

        watch_runs()
        self._owner = not isinstance(network, Run)
        if self._owner:
            if data is None:
                raise TypeError(
                    "Bench needs data to train on: wb.Bench(network, data), for instance with "
                    "data = wb.data.datasets.digits(); or give it a run: wb.Bench(run)"
                )
            self.run = Run(network, data, **options)
        else:
            if data is not None or options:
                given = ["data"] * (data is not None) + list(options)
                raise TypeError(
                    f"Bench(run) takes nothing else, got {', '.join(given)}: the run has its own "
                    "(change it with run.set_lr(…), run.set_batch_size(…))"
                )
            self.run = network
        self.network = self.run.network
        self._view: View | None = None
        self._cells: set[str] = set()
        self._home = cells.settle_in(self)
        self._closed = False

    # -- showing ------------------------------------------------------------------------------

    @property
    def widget(self) -> BenchWidget:
        """The anywidget behind this bench; made when first asked for.

        Raises:
            ImportError: anywidget is not installed.
            BundleMissingError: the front end was not built.
        """
        return self._open().widget

    @property
    def is_open(self) -> bool:
        """Whether a view exists, and with it a listener on the run."""
        return self._view is not None

    def _open(self) -> View:
        view = self._view
        if view is not None and view.link.closed:  # the browser closed it
            view = None
        if view is None:
            view = self._view = View(self.run, repr(self))
            # The view outlives nobody: it goes when this object does, whoever holds the run.
            self._finalizer = weakref.finalize(self, View.close, view)
            self._finalizer.atexit = False
            self._closed = False
        return view

    def _ipython_display_(self) -> None:
        if kernel.kernel() is None:
            print(self)  # noqa: T201 - IPython in a terminal asks for exactly this
            return
        view = self._open()
        cell = cells.settle_in(self)
        if cell is not None:
            self._cells.add(cell)
        view.display()

    def __repr__(self) -> str:
        run, network = self.run, self.network
        layers = getattr(network, "layers", None)
        size = f"{len(layers)} layers, " if layers is not None else ""
        count = sum(p.numel() for p in network.parameters())
        return (
            f"Bench({run.name!r}: {size}{count:,} parameters; "
            f"{type(run.optimizer).__name__}, {run.loss_name})"
        )

    def __str__(self) -> str:
        if kernel.kernel() is not None:
            return repr(self)
        return (
            f"{self!r}\nA bench is shown by a Jupyter notebook; `workbench lab` opens one. "
            "Without: bench.run.train(epochs=5), bench.run.plot(), bench.network.summary()."
        )

    # -- going --------------------------------------------------------------------------------

    def close(self) -> None:
        """Take the view away, and stop the run if this bench made it. Safe to call twice.

        Showing the bench again afterwards opens a new view of the same run.
        """
        if self._owner and not self._closed and self.run.state not in ("idle", "finished"):
            self.run.stop()
        self._closed = True
        if self._view is not None:
            self._view.refresh()  # what stays in the notebook is how things ended
        self._hide()

    def leave(self, cell: str) -> None:
        """Called when ``cell``, which made or shows this bench, is about to run again."""
        self._cells.discard(cell)
        if cell == self._home:
            self._hide()
            self.close()
        elif not self._cells:
            self._hide()

    def _hide(self) -> None:
        view, self._view = self._view, None
        if view is not None:
            self._finalizer.detach()
            view.close()


class View:
    """A widget, its link to the run and its output; made as one, closed as one."""

    def __init__(self, run: Any, text: str) -> None:
        from workbench.network import Network, catalogue
        from workbench.widgets.display import Output
        from workbench.widgets.live import Link
        from workbench.widgets.widget import BenchWidget

        classes = list(getattr(run, "classes", None) or [])
        editable = isinstance(run.network, Network)
        self.run = run
        self.text = text
        self.widget: BenchWidget = BenchWidget(
            graph=state.graph(run.network),
            catalogue=catalogue() if editable else {},
            classes=classes,
            history=state.history(run.network),
            status=state.status(run),
        )
        self.link: Link = Link(run, self.widget)
        self.widget.listen(self.link.on_message)
        self.widget.comm.on_close(_closer(self))
        self.output = Output()
        self._pictured: tuple[Any, ...] | None = None
        self._unsubscribe = run.subscribe(_picture_listener(self))
        announce_widget(run, self.widget.model_id)

    def display(self) -> None:
        """Show the bench in the cell now running."""
        self.output.show(self._bundle())

    def refresh(self) -> None:
        """Draw the static picture again, if the run has gone on since."""
        if not self.link.closed and self._pictured != self._moment():
            self.output.refresh(self._bundle())

    def close(self) -> None:
        """Close everything; safe to call twice, from any thread."""

        self._unsubscribe()
        self.link.close()
        if self.widget.comm is not None:
            announce_widget(self.run, None, gone=self.widget.model_id)
            self.widget.close()

    def _bundle(self) -> dict[str, Any]:
        from workbench.widgets.display import mime_bundle
        from workbench.widgets.picture import picture

        self._pictured = self._moment()
        return mime_bundle(self.text, self.widget.model_id, picture(self.run))

    def _moment(self) -> tuple[Any, ...]:
        return self.run.step_count, self.run.state, getattr(self.run.network, "version", 0)


def _picture_listener(view: View) -> Any:
    """Has the picture drawn on the kernel's main thread when the run, or its editor, comes to rest.

    Not on the training thread: drawing takes a tenth of a second, and a click on "resume" must not
    wait for it; nor is matplotlib made for two threads at once.
    """
    reference = weakref.ref(view)
    pending = threading.Event()

    def draw() -> None:
        pending.clear()
        alive = reference()
        if alive is not None and alive.run.state != "running":
            alive.refresh()

    def listen(event: Any) -> None:
        alive = reference()
        if event.kind not in ("state", "edit") or alive is None or alive.run.state == "running":
            return
        if not pending.is_set():
            pending.set()
            # One edit is seldom alone; the end of a run is, and a cell may be waiting for it.
            if not kernel.call_soon(draw, EDITS_REST if event.kind == "edit" else 0.0):
                pending.clear()

    return listen


def _closer(view: View) -> Any:
    reference = weakref.ref(view)

    def closed(message: Any) -> None:
        alive = reference()
        if alive is not None:
            alive.close()

    return closed
