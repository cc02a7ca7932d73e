"""The whole op table on CUDA: every op gives there what it gives on the CPU.

Without a GPU the device is the stand-in of `tests/cuda`, which refuses what CuPy refuses; where
there is one, the same tests run on it.
"""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.arrays.dtypes import bfloat16
from workbench.ops import OPS
from workbench.ops.samples import Maker

from .conftest import Oracle
from .gauges import through

EVERY = pytest.mark.parametrize("op", OPS.values(), ids=list(OPS))
DTYPES = (np.bool_, np.int32, np.float16, bfloat16.numpy, np.float32, np.float64, np.complex64)

# What CUDA cannot do, with the reason: op -> (dtypes, or None for all; why). The user is told so.
WITHOUT: dict[str, tuple[set | None, str]] = {}

TOLERANCE = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-6, "complex64": 2e-6}


class Sides:
    """Runs a sample on the CPU and on CUDA."""

    def __init__(self, slack):
        self.plain = Oracle(None)
        self.slack = slack

    def call(self, op, sample, where, *, requires_grad=False):
        leaves = []

        def make(array, wanted=True):
            tensor = wb.from_numpy(np.array(array)).to(where)
            if requires_grad and wanted and tensor.dtype.category >= 2:
                tensor.requires_grad_()
                leaves.append(tensor)
            return tensor

        def raw(value):
            if isinstance(value, np.ndarray):
                return wb.from_numpy(value).to(where).array
            return tuple(map(raw, value)) if isinstance(value, tuple) else value

        args, kwargs = self.plain.convert(op, sample, make)
        call = through(op, self.plain.ours(op))
        wb.manual_seed(0)
        return self.plain._outcome(call, [raw(a) for a in args], kwargs), leaves


@pytest.fixture
def sides(cuda):
    # a GPU's own kernels round otherwise, and add up in another order
    return Sides(1 if hasattr(cuda, "no_syncs") else 50)


def samples(op, dtype):
    return list(op.samples(Maker(dtype)))


def difference(op, there, here, slack):
    """What differs between the outcome on CUDA and the one on the CPU; None when nothing does."""
    if (there.error is None) != (here.error is None):
        return f"CUDA gives {there}; the CPU gives {here}"
    if here.error is not None:
        if type(there.error) is not type(here.error):
            return f"CUDA raises {there}; the CPU raises {here}"
        return None
    for a, b in zip(there.values, here.values, strict=True):
        if not isinstance(a, wb.Tensor):
            if a != b:
                return f"{a!r}, the CPU gives {b!r}"
            continue
        if a.device.type != "cuda":
            return "the result is not on CUDA"
        if a.dtype is not b.dtype or a.shape != b.shape:
            return f"{a.dtype}{list(a.shape)}, the CPU gives {b.dtype}{list(b.shape)}"
        if op.random:
            continue
        found = close(op, a.cpu().array, b.array, slack)
        if found:
            return found
    return None


def close(op, a, b, slack):
    name = wb.from_numpy(b).dtype.name
    tolerance = TOLERANCE.get(name, 1e-12) * slack
    if b.dtype.kind == "V":
        a, b = a.astype(np.float32), b.astype(np.float32)
    if np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True):
        return None
    return f"values {a.reshape(-1)[:6]}, the CPU gives {b.reshape(-1)[:6]}"


@EVERY
def test_forward_on_cuda_is_that_of_the_cpu(op, sides):
    problems = []
    limits, _ = WITHOUT.get(op.name, (set(), ""))
    # what no user calls takes floats only
    for dtype in DTYPES if op.oracle is not False else (np.float32, np.float64):
        name = np.dtype(dtype).name
        for sample in samples(op, dtype):
            here, _ = sides.call(op, sample, "cpu")
            there, _ = sides.call(op, sample, "cuda")
            found = difference(op, there, here, sides.slack)
            if found and limits is not None and name not in limits:
                problems.append(f"{name} {sample}: {found}")
    assert not problems, "\n".join(problems[:8])


@EVERY
def test_gradients_on_cuda_are_those_of_the_cpu(op, sides):
    if not op.rules or op.random or WITHOUT.get(op.name, (set(), ""))[0] is None:
        return
    for sample in samples(op, np.float64):
        if not (sample.grad and sample.exact):
            continue
        grads = []
        for where in ("cpu", "cuda"):
            outcome, leaves = sides.call(op, sample, where, requires_grad=True)
            assert outcome.error is None, f"{where} {sample}: {outcome}"
            mine = [v for v in outcome.values if v.requires_grad]
            if mine:
                wb.autograd.backward(mine, [wb.full_like(v, 0.7) for v in mine])
            grads.append([leaf.grad for leaf in leaves])
        for here, there in zip(*grads, strict=True):
            if here is None:
                assert there is None, sample
                continue
            assert there.device.type == "cuda", sample
            found = close(op, there.cpu().array, here.array, sides.slack)
            assert not found, f"{sample}: {found}"


ERRORS = [op for op in OPS.values() if op.errors is not None]


@pytest.mark.parametrize("op", ERRORS, ids=[op.name for op in ERRORS])
def test_bad_input_raises_on_cuda_what_it_raises_on_the_cpu(op, sides):
    for sample in op.errors(Maker()):
        here, _ = sides.call(op, sample, "cpu")
        there, _ = sides.call(op, sample, "cuda")
        assert type(there.error) is type(here.error), f"{sample}: CUDA {there} / CPU {here}"
        assert str(there.error), sample
