"""The editable network: a graph of named layers, and edits that are values."""

from .edits import Edit, Freeze, Insert, Remove, Rename, Replace, Rewire
from .errors import EditError, EditTypeError, UnknownLayerError
from .events import NetworkEvent
from .history import LogEntry
from .joins import Add, Concat
from .layer import Layer
from .network import Network, replay
from .palette import to_dict as catalogue
from .preview import EditResult, Preview
from .spec import LayerSpec

__all__ = [
    "Add",
    "Concat",
    "Edit",
    "EditError",
    "EditResult",
    "EditTypeError",
    "Freeze",
    "Insert",
    "Layer",
    "LayerSpec",
    "LogEntry",
    "Network",
    "NetworkEvent",
    "Preview",
    "Remove",
    "Rename",
    "Replace",
    "Rewire",
    "UnknownLayerError",
    "catalogue",
    "replay",
]
