"""What the namespace can do, and with what."""

from __future__ import annotations

from typing import Any

from workbench.arrays import device, get_default_dtype
from workbench.arrays.dtypes import ALL, bfloat16, dtype, float16, int64

from .data_types import kinds_of


class Info:
    """`__array_namespace_info__()`: capabilities, devices and dtypes."""

    def capabilities(self) -> dict[str, Any]:
        """Boolean masks index, results may have shapes that depend on data; at most 64 dims."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> device:
        """Where new arrays live: the CPU."""
        return device("cpu")

    def devices(self) -> list[device]:
        """The CPU and the CUDA devices that can be used."""
        from workbench.arrays.backends import cuda

        return [device("cpu"), *(device("cuda", i) for i in range(cuda.device_count()))]

    def default_dtypes(self, *, device: Any = None) -> dict[str, dtype]:
        """The dtypes of new arrays by kind of number, and of indices."""
        real = get_default_dtype()
        return {
            "real floating": real,
            "complex floating": real.to_complex(),
            "integral": int64,
            "indexing": int64,
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, dtype]:
        """The standard's dtypes by name, all or of a kind (a name, or a tuple of names)."""
        chosen = ALL if kind is None else kinds_of(kind)
        return {d.name: d for d in ALL if d in chosen and d not in (float16, bfloat16)}
