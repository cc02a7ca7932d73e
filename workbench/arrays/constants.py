"""Python numbers as 0-d arrays, kept.

NumPy converts a Python number anew at every call, which costs more than the arithmetic on a small
array; a 0-d array in the array's own dtype costs nothing and gives the same result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_LIMIT = 4096
_kept: dict[np.dtype, dict[float | str, np.ndarray]] = {}


def constant(array: Any, value: float) -> Any:
    """`value` in the dtype of `array`, ready for an op with it.

    CuPy takes NumPy's scalars, which travel with the kernel; other libraries get the number itself.
    """
    if type(array) is not np.ndarray:
        return array.dtype.type(value) if type(array).__module__ == "cupy" else value
    kept = _kept.get(array.dtype)
    if kept is None:
        kept = _kept[array.dtype] = {}
    key = value or str(value)  # 0.0 and -0.0 are equal, their names are not
    found = kept.get(key)
    if found is None:
        if len(kept) >= _LIMIT:
            kept.clear()
        found = np.array(value, array.dtype)
        found.flags.writeable = False
        kept[key] = found
    return found
