"""Helpers shared by the tests of tensors: the same program in workbench and in torch."""

from __future__ import annotations

import warnings
from contextlib import nullcontext

import numpy as np
import pytest

import workbench as wb

from ..cuda import stand_in  # noqa: TID252
from ..cuda.on_cuda import OnCuda  # noqa: TID252


class Both:
    """Runs a program twice, `program(wb)` and `program(torch)`, and compares what comes out."""

    def __init__(self, torch):
        self.torch = torch

    def plain(self, value):
        """A result as plain NumPy and Python values."""
        if isinstance(value, wb.Tensor):
            value = value.detach().cpu()
            array = value.array.astype(np.float32) if value.dtype is wb.bfloat16 else value.array
            return (str(value.dtype).split(".")[1], tuple(value.shape), np.array(array))
        if isinstance(value, self.torch.Tensor):
            value = value.detach()
            array = value.float() if value.dtype is self.torch.bfloat16 else value
            name = str(value.dtype).split(".")[1]
            return (name, tuple(value.shape), array.resolve_conj().numpy(force=True).copy())
        if isinstance(value, (list, tuple)):
            return [self.plain(v) for v in value]
        if isinstance(value, (wb.dtype, self.torch.dtype)):
            return str(value).split(".")[1]
        return value

    def run(self, program, library):
        try:
            with warnings.catch_warnings():
                if library is self.torch:
                    warnings.simplefilter("ignore")
                return self.plain(program(library)), None
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
            return None, error

    def same(self, program, *, rtol=1e-6, label=""):
        """Fails unless both give equal results, or both raise: ours an error of torch's type."""
        theirs, expected = self.run(program, self.torch)
        ours, raised = self.run(program, wb)
        if expected is not None:
            assert raised is not None, f"{label}: torch raises {expected!r}, we give {ours}"
            assert isinstance(raised, type(expected)), f"{label}: {raised!r}, torch: {expected!r}"
            return
        if raised is not None:
            raise AssertionError(f"{label}: torch gives {theirs}, we raise") from raised
        self._equal(ours, theirs, rtol, label)

    def _equal(self, ours, theirs, rtol, label):
        if isinstance(theirs, list):
            assert isinstance(ours, list), label
            assert len(ours) == len(theirs), label
            for a, b in zip(ours, theirs, strict=True):
                self._equal(a, b, rtol, label)
        elif isinstance(theirs, tuple) and len(theirs) == 3 and isinstance(theirs[2], np.ndarray):
            assert ours[:2] == theirs[:2], f"{label}: {ours[:2]}, torch {theirs[:2]}"
            np.testing.assert_allclose(ours[2], theirs[2], rtol=rtol, atol=rtol, err_msg=label)
        else:
            assert ours == theirs or ours != ours, f"{label}: {ours!r}, torch {theirs!r}"


class OnBoth(Both):
    """Runs a program on the CPU and on CUDA, and compares what comes out."""

    def same(self, program, *, rtol=1e-6, label=""):
        """Fails unless CUDA gives what the CPU gives, or raises the same."""
        here, expected = self.run(program, wb)
        there, raised = self.run(program, OnCuda())
        if expected is not None:
            assert type(raised) is type(expected), f"{label}: CPU {expected!r}, CUDA {raised!r}"
            return
        if raised is not None:
            raise AssertionError(f"{label}: the CPU gives {here}, CUDA raises") from raised
        self._equal(there, here, rtol, label)


# Programs about something that CUDA does not have.
CPU_ONLY = {
    "test_exchange.py": "NumPy's own view of the memory",
}


def pytest_generate_tests(metafunc):
    if "both" in metafunc.fixturenames:
        kinds = ["torch"] if metafunc.definition.path.name in CPU_ONLY else ["torch", "cuda"]
        metafunc.parametrize("both", kinds, indirect=True)


@pytest.fixture
def both(request):
    torch = pytest.importorskip("torch")
    if request.param == "torch":
        yield Both(torch)
        return
    with nullcontext() if request.config.getoption("--real") else stand_in.installed():
        yield OnBoth(torch)
