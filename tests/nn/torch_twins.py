"""The same layer here and in torch, with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import workbench as wb

torch = pytest.importorskip("torch")

where = "cpu"  # our side's device; `conftest.py` runs the same tests on CUDA


def twins(make: Any) -> tuple[Any, Any]:
    """`make(nn)` here and in torch, in float64, ours with torch's values."""
    theirs = make(torch.nn)
    ours = make(wb.nn)
    theirs, ours = theirs.double(), ours.double()
    ours.load_state_dict(theirs.state_dict())
    return ours.to(where), theirs


def placed(array: np.ndarray) -> Any:
    """The values as our tensor."""
    return wb.from_numpy(array).to(where)


def both(array: np.ndarray, *, grad: bool = False) -> tuple[Any, Any]:
    """The same values as our tensor and as torch's."""
    ours, theirs = wb.from_numpy(array.copy()).to(where), torch.from_numpy(array.copy())
    if grad and array.dtype.kind == "f":
        return ours.requires_grad_(), theirs.requires_grad_()
    return ours, theirs


def same(ours: Any, theirs: Any, tolerance: float = 1e-10) -> None:
    """Equal shapes, dtypes and (nearly) values."""
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert repr(ours.dtype).rpartition(".")[2] == repr(theirs.dtype).rpartition(".")[2]
    np.testing.assert_allclose(
        ours.detach().cpu().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance
    )
