"""torch as the oracle of the op table: the same call on the same numbers, compared."""

from __future__ import annotations

import dataclasses
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

import workbench as wb
from workbench.arrays import dtype_of
from workbench.arrays.dtypes import bfloat16
from workbench.tensor.binding import BOUND
from workbench.tensor.functions import FUNCTIONS

from .gauges import through


@dataclasses.dataclass
class Outcome:
    """What a call gave: its results, or the error it raised."""

    values: tuple | None = None
    error: Exception | None = None

    def __str__(self):
        if self.error is not None:
            return f"{type(self.error).__name__}: {str(self.error)[:150]}"
        return ", ".join(f"{v.dtype}{tuple(v.shape)}" for v in self.values)


# Relative tolerance by dtype name: a few units in the last place, more where sums are long.
TOLERANCE = {
    "float64": 1e-11, "complex128": 1e-11, "float32": 2e-5, "complex64": 2e-5,
    "float16": 1e-2, "bfloat16": 6e-2,
}  # fmt: skip


class Oracle:
    """Runs a sample in workbench and in torch."""

    def __init__(self, torch):
        self.torch = torch
        self.bfloat16 = bfloat16.numpy

    # -- numbers in and out ------------------------------------------------------------------

    def to_torch(self, array):
        array = np.asarray(array)
        if array.dtype == self.bfloat16:
            return self.torch.tensor(array.astype(np.float32)).to(self.torch.bfloat16)
        made = self.torch.empty(array.shape, dtype=getattr(self.torch, dtype_of(array).name))
        if array.size:
            made = self.torch.from_numpy(np.array(array, order="C"))
        if array.ndim > 1 and not array.flags.c_contiguous and array.T.flags.c_contiguous:
            order = tuple(range(array.ndim))[::-1]
            made = made.permute(order).contiguous().permute(order)
        return made

    def from_torch(self, tensor):
        tensor = tensor.detach().resolve_conj().resolve_neg()
        if tensor.dtype is self.torch.bfloat16:
            return tensor.float().numpy()
        return tensor.numpy(force=True)

    def is_array(self, value):
        return isinstance(value, (np.ndarray, np.generic))

    def convert(self, op, sample, make):
        """The sample's tensor arguments through `make(array, name)`; settings as they are."""
        args = []
        for i, value in enumerate(sample.args):
            param = op.params[i] if i < len(op.params) else None
            if param is not None and not param.tensor:
                args.append(value)
            elif isinstance(value, tuple) and op.sequence and i == 0:
                args.append(tuple(make(v) for v in value))
            else:
                wanted = () if param is None or param.name in op.rules else (False,)
                args.append(make(value, *wanted) if self.is_array(value) else value)
        return args, dict(sample.kwargs)

    # -- the two calls -------------------------------------------------------------------------

    def ours(self, op):
        """The function a user calls; the bound op itself where it is not public."""
        hidden = op.oracle is False and not op.function  # another function may have its name
        if op.name in FUNCTIONS[op.namespace] and not hidden:
            return FUNCTIONS[op.namespace][op.name]
        return BOUND[op.name].call

    def theirs(self, op):
        torch = self.torch
        if callable(op.oracle):
            return lambda *args, **kwargs: op.oracle(torch, *args, **kwargs)
        name = op.oracle or op.name
        place = torch
        for part in op.namespace.split(".") if op.namespace else ():
            place = getattr(place, part)
        found = getattr(place, name, None)
        if found is None:
            found = getattr(torch.Tensor, name)
        return found

    def run_ours(self, op, sample, *, call=None, requires_grad=False):
        leaves = []

        def make(array, wanted=True):
            tensor = wb.from_numpy(np.asarray(array))
            if requires_grad and wanted and tensor.dtype.category >= 2:
                tensor.requires_grad_()
                leaves.append(tensor)
            return tensor

        args, kwargs = self.convert(op, sample, make)
        return self._outcome(call or through(op, self.ours(op)), args, kwargs), leaves

    def run_theirs(self, op, sample, *, requires_grad=False):
        leaves = []

        def make(array, wanted=True):
            tensor = self.to_torch(array)
            if requires_grad and wanted and (tensor.is_floating_point() or tensor.is_complex()):
                tensor.requires_grad_()
                leaves.append(tensor)
            return tensor

        args, kwargs = self.convert(op, sample, make)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._outcome(through(op, self.theirs(op)), args, kwargs), leaves

    def _outcome(self, call, args, kwargs):
        try:
            got = call(*args, **kwargs)
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
            return Outcome(error=error)
        return Outcome(values=tuple(got) if isinstance(got, (tuple, list)) else (got,))

    # -- comparing -----------------------------------------------------------------------------

    def difference(self, mine, other, *, exact=True, slack=1.0):
        """What differs between one of our tensors and one of torch's; None when nothing does."""
        if not isinstance(mine, wb.Tensor):
            return f"not a Tensor: {type(mine).__name__}"
        if type(mine.array) is not np.ndarray:
            return f"array is {type(mine.array).__name__}"
        ours, theirs = mine.dtype.name, str(other.dtype).removeprefix("torch.")
        if ours != theirs:
            return f"dtype {ours}, torch has {theirs}"
        if tuple(mine.shape) != tuple(other.shape):
            return f"shape {tuple(mine.shape)}, torch has {tuple(other.shape)}"
        if not exact:
            return None
        a, b = mine.array, self.from_torch(other)
        if a.dtype == self.bfloat16:
            a = a.astype(np.float32)
        tolerance = TOLERANCE.get(ours, 0) * slack
        if not np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True):
            return f"values {a.reshape(-1)[:6]}, torch has {b.reshape(-1)[:6]}"
        return None

    def compare(self, mine, other, **options):
        """What differs between two outcomes; None when nothing does."""
        if (mine.error is None) != (other.error is None):
            return f"ours gives {mine}; torch gives {other}"
        if mine.error is not None:
            return None
        if len(mine.values) != len(other.values):
            return f"{len(mine.values)} results, torch has {len(other.values)}"
        for a, b in zip(mine.values, other.values, strict=True):
            found = self.difference(a, b, **options)
            if found:
                return found
        return None


@pytest.fixture(scope="session")
def oracle():
    return Oracle(pytest.importorskip("torch"))


@pytest.fixture
def space():
    """Names for tests that only need workbench."""
    return SimpleNamespace(BOUND=BOUND, FUNCTIONS=FUNCTIONS)
