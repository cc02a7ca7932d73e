"""Training runs: a thread of their own, commands between two steps, a recorder, and a doctor."""

from .doctor import RunError, TrainingError
from .evaluation import Predictions
from .events import Event
from .live import on_run_created, runs
from .recorder import Mark, Recorder
from .run import Run
from .series import Envelope
from .state import STATES, State

__all__ = [
    "STATES",
    "Envelope",
    "Event",
    "Mark",
    "Predictions",
    "Recorder",
    "Run",
    "RunError",
    "State",
    "TrainingError",
    "on_run_created",
    "runs",
]
