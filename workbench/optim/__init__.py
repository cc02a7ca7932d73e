"""Optimizers and learning rate schedulers, with torch.optim's names."""

from . import lr_scheduler
from .adam import Adam, AdamW
from .adam_like import Adamax, NAdam, RAdam
from .adaptive import Adadelta, Adagrad, RMSprop
from .lbfgs import LBFGS
from .matrices import Adafactor, Muon, SparseAdam
from .optimizer import Optimizer
from .sgd import SGD
from .signs import ASGD, Rprop

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
]
