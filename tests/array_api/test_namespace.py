"""What is there: names, signatures, dtypes, what the namespace says of itself."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys

import numpy as np
import pytest

import workbench as wb
import workbench.array_api as xp

from . import names


def test_every_name_is_there():
    missing = [n for section in names.MAIN.values() for n in section.split() if not hasattr(xp, n)]
    missing += [f"linalg.{n}" for n in names.LINALG.split() if not hasattr(xp.linalg, n)]
    missing += [f"fft.{n}" for n in names.FFT.split() if not hasattr(xp.fft, n)]
    missing += [n for n in f"{names.DTYPES} {names.CONSTANTS}".split() if not hasattr(xp, n)]
    assert not missing
    x = xp.ones((2, 2))
    assert not [n for n in f"{names.METHODS} {names.ATTRIBUTES}".split() if not hasattr(x, n)]


def test_every_function_has_a_docstring():
    for section in names.MAIN.values():
        for name in section.split():
            assert inspect.getdoc(getattr(xp, name)), name
    for module, listed in ((xp.linalg, names.LINALG), (xp.fft, names.FFT)):
        for name in listed.split():
            assert inspect.getdoc(getattr(module, name)), name


@pytest.mark.parametrize("section", names.MAIN)
def test_arguments_are_those_of_numpys_namespace(section):
    """NumPy 2 follows the standard; settings that it adds of its own are no concern of ours."""
    for name in names.MAIN[section].split():
        if name in {"__array_namespace_info__", "unique_all", "unique_counts", "unique_inverse"}:
            continue
        ours = inspect.signature(getattr(xp, name)).parameters
        for p in ours.values():
            if p.kind is p.KEYWORD_ONLY:
                assert p.default is not p.empty, f"{name}({p.name})"


def test_constants():
    assert (xp.e, xp.pi, xp.inf) == (math.e, math.pi, math.inf)
    assert math.isnan(xp.nan)
    assert xp.newaxis is None
    assert xp.__array_api_version__ == "2024.12"


def test_a_tensor_names_its_namespace():
    x = wb.ones(2)
    assert x.__array_namespace__() is xp
    assert x.__array_namespace__(api_version="2022.12") is xp
    assert wb.nn.Parameter(x).__array_namespace__() is xp
    with pytest.raises(ValueError, match=r"2024\.12"):
        x.__array_namespace__(api_version="2099.12")


def test_the_namespace_is_loaded_when_it_is_asked_for():
    code = "import sys, workbench; print('workbench.array_api' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"


def test_info():
    info = xp.__array_namespace_info__()
    capabilities = info.capabilities()
    assert capabilities["boolean indexing"] is True
    assert capabilities["data-dependent shapes"] is True
    assert capabilities["max dimensions"] == 64
    assert info.default_device() in info.devices()
    assert info.default_dtypes() == {
        "real floating": xp.float32, "complex floating": xp.complex64, "integral": xp.int64,
        "indexing": xp.int64,
    }  # fmt: skip
    assert sorted(info.dtypes()) == sorted(names.DTYPES.split())
    assert set(info.dtypes(kind="signed integer")) == {"int8", "int16", "int32", "int64"}
    assert set(info.dtypes(kind=("bool", "complex floating"))) == {"bool", "complex64",
                                                                   "complex128"}  # fmt: skip
    assert info.dtypes(kind="real floating")["float32"] is xp.float32
    with pytest.raises(ValueError, match="unknown kind"):
        info.dtypes(kind="strings")
    xp.zeros(64 * (1,))


def test_info_follows_the_default_dtype():
    wb.set_default_dtype(wb.float64)
    try:
        found = xp.__array_namespace_info__().default_dtypes()
        assert found["real floating"] is xp.float64
        assert found["complex floating"] is xp.complex128
        assert xp.asarray([1.0]).dtype is xp.float64
    finally:
        wb.set_default_dtype(wb.float32)


def test_limits():
    info = xp.finfo(xp.float32)
    assert (info.bits, info.dtype) == (32, xp.float32)
    assert info.eps == float(np.finfo(np.float32).eps)
    assert xp.finfo(xp.complex128).dtype is xp.float64
    assert xp.finfo(xp.ones(1, dtype=xp.complex64)).dtype is xp.float32
    assert xp.iinfo(xp.uint16).max == 65535
    assert xp.iinfo(xp.asarray([1])).dtype is xp.int64
    for bad, kind in ((xp.finfo, xp.int8), (xp.iinfo, xp.float32), (xp.iinfo, xp.bool)):
        with pytest.raises(TypeError):
            bad(kind)


def test_isdtype():
    assert xp.isdtype(xp.int8, "signed integer")
    assert xp.isdtype(xp.int8, ("bool", "integral"))
    assert xp.isdtype(xp.int8, xp.int8)
    assert not xp.isdtype(xp.bool, "numeric")
    assert not xp.isdtype(xp.complex64, "real floating")


def test_promotion_of_dtypes():
    assert xp.result_type(xp.int8, xp.uint8) is xp.int16
    assert xp.result_type(xp.ones(()), xp.float64) is xp.float64
    assert xp.result_type(xp.int8, 5) is xp.int8
    assert xp.result_type(1, xp.float32, 1.0) is xp.float32
    assert xp.result_type(xp.float64, 1j) is xp.complex128
    assert xp.result_type(xp.float32, xp.complex64) is xp.complex64
    assert xp.can_cast(xp.int8, xp.int32)
    assert not xp.can_cast(xp.int32, xp.int8)
    assert not xp.can_cast(xp.uint64, xp.int64)
    with pytest.raises(ValueError, match="at least one"):
        xp.result_type(1, 2)
