"""What a tensor prints: as torch prints it, with workbench's name."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb

TENSORS = {
    "scalar": lambda lib: lib.tensor(1.5),
    "int scalar": lambda lib: lib.tensor(3),
    "ints": lambda lib: lib.tensor([1, -20, 300]),
    "whole floats": lambda lib: lib.tensor([4.0, 8.0, 12.0]),
    "floats": lambda lib: lib.tensor([0.5, -1.25, 3.14159265]),
    "floats of two widths": lambda lib: lib.tensor([0.5, 100.25]),
    "matrix": lambda lib: lib.arange(6.0).reshape(2, 3) / 7,
    "int matrix": lambda lib: lib.arange(12).reshape(3, 4),
    "cube": lambda lib: lib.arange(8).reshape(2, 2, 2),
    "bools": lambda lib: lib.tensor([True, False]),
    "bool scalar": lambda lib: lib.tensor(True),
    "wide range": lambda lib: lib.tensor([1e-5, 1.0, 1e5]),
    "large": lambda lib: lib.tensor([1e10, 2.5e10]),
    "large whole": lambda lib: lib.tensor([1e9, 2e9]),
    "small": lambda lib: lib.tensor([1e-6, 2e-6]),
    "nan and inf": lambda lib: lib.tensor([1.0, float("nan"), float("inf"), -float("inf")]),
    "nan and fractions": lambda lib: lib.tensor([1.5, float("nan"), -float("inf")]),
    "only nan": lambda lib: lib.tensor([float("nan")]),
    "negative zero": lambda lib: lib.tensor([-0.0, 1.0]),
    "double": lambda lib: lib.tensor([1.5], dtype=lib.float64),
    "half": lambda lib: lib.tensor([1.5], dtype=lib.float16),
    "bfloat16": lambda lib: lib.tensor([1.5, 2.25], dtype=lib.bfloat16),
    "int32": lambda lib: lib.tensor([1], dtype=lib.int32),
    "uint8": lambda lib: lib.tensor([1, 255], dtype=lib.uint8),
    "complex": lambda lib: lib.tensor([1 + 2j, -0.5j]),
    "empty": lambda lib: lib.tensor([]),
    "empty ints": lambda lib: lib.tensor([], dtype=lib.int64),
    "empty matrix": lambda lib: lib.zeros(0, 3),
    "requires grad": lambda lib: lib.ones(2, requires_grad=True),
    "result": lambda lib: lib.ones(2, requires_grad=True) * 2,
    "scalar result": lambda lib: (lib.ones(2, requires_grad=True) * 2).sum(),
    "double that requires grad": lambda lib: lib.ones(2, dtype=lib.float64, requires_grad=True),
    "wraps": lambda lib: lib.arange(40),
    "wraps floats": lambda lib: lib.linspace(0, 1, 30),
    "summarised": lambda lib: lib.arange(2000),
    "summarised matrix": lambda lib: lib.arange(10000.0).reshape(100, 100),
    "summarised wide": lambda lib: lib.zeros(3, 1000),
    "summarised cube": lambda lib: lib.zeros(20, 20, 20),
    "long matrix": lambda lib: lib.arange(100.0).reshape(4, 25) / 3,
    "view": lambda lib: lib.arange(6).reshape(2, 3).t(),
}


@pytest.mark.parametrize("name", TENSORS)
def test_as_torch(name, both):
    expected = repr(TENSORS[name](both.torch)).replace("torch.", "workbench.")
    assert repr(TENSORS[name](wb)) == expected


def test_names_of_dtypes_sizes_and_devices(both):
    assert repr(wb.float32) == repr(both.torch.float32).replace("torch", "workbench")
    assert repr(wb.zeros(2, 3).shape) == repr(both.torch.zeros(2, 3).shape).replace(
        "torch", "workbench"
    )
    assert repr(wb.device("cuda", 1)) == repr(both.torch.device("cuda", 1))


def test_print_options(both):
    def shown(lib):
        lib.set_printoptions(precision=2, threshold=5, edgeitems=1)
        try:
            return repr(lib.arange(10.0) / 3).replace("torch.", "workbench.")
        finally:
            lib.set_printoptions(precision=4, threshold=1000, edgeitems=3)

    assert shown(wb) == shown(both.torch)


def test_formatting():
    assert f"{wb.tensor(1.23456):.2f}" == "1.23"
    assert f"{wb.tensor(3):>4d}" == "   3"
    assert f"{wb.tensor([1])}" == "tensor([1])"
    assert str(wb.tensor([1])) == "tensor([1])"


def test_printing_leaves_numpys_options_alone():
    before = np.get_printoptions()
    repr(wb.rand(10))
    assert np.get_printoptions() == before
