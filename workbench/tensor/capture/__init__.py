"""Captured steps: record a function's kernels once, replay them without tape or Tensors.

`compiled.py` is what users call, `recorder.py` writes a call down, `storage.py` and `fuse.py` plan
it, `emit.py` writes the function that replays it. `active.py` is all that the engine's other parts
need to know.
"""
