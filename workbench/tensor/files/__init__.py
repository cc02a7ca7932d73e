"""Files of tensors: our own container, PyTorch's files read without running them, safetensors.

Nothing here ever unpickles: a file is data, and what it may hold is listed.
"""

from .errors import FileError, UnsafeFileError
from .front import load, save
from .kinds import register_kind
from .safetensors import load_safetensors, save_safetensors

__all__ = [
    "FileError",
    "UnsafeFileError",
    "load",
    "load_safetensors",
    "register_kind",
    "save",
    "save_safetensors",
]
