"""Device handles, and what is said where CUDA cannot be used."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import workbench as wb


@pytest.mark.parametrize(
    ("args", "kind", "index", "text"),
    [
        (("cpu",), "cpu", None, "cpu"), (("cuda",), "cuda", None, "cuda"),
        (("cuda:1",), "cuda", 1, "cuda:1"), (("cuda", 2), "cuda", 2, "cuda:2"),
        ((0,), "cuda", 0, "cuda:0"), (("cpu:0",), "cpu", 0, "cpu:0"),
    ],
)  # fmt: skip
def test_spellings(args, kind, index, text):
    made = wb.device(*args)
    assert (made.type, made.index, str(made)) == (kind, index, text)
    assert wb.device(made) == made
    assert hash(wb.device(made)) == hash(made)
    assert pickle.loads(pickle.dumps(made)) == made


@pytest.mark.parametrize("name", ["tpu", "cuda:", "cuda:-1", "CPU", "", "cuda:x"])
def test_unknown_names(name):
    with pytest.raises(RuntimeError, match="device"):
        wb.device(name)


def test_wrong_kinds():
    with pytest.raises(TypeError):
        wb.device(1.5)
    with pytest.raises(RuntimeError, match="index"):
        wb.device("cuda:0", 1)


def test_handles_compare():
    assert wb.device("cuda") != wb.device("cuda:0")
    assert wb.device("cpu") == wb.device("cpu")
    assert wb.device("cpu") != "cpu"
    assert wb.zeros(1).device == wb.device("cpu")


needs_no_cuda = pytest.mark.skipif(wb.cuda.is_available(), reason="this machine has a CUDA device")


@needs_no_cuda
@pytest.mark.parametrize(
    "make",
    [
        lambda: wb.zeros(2, device="cuda"),
        lambda: wb.tensor([1.0], device="cuda:0"),
        lambda: wb.ones(2).cuda(),
        lambda: wb.ones(2).to("cuda"),
        lambda: wb.rand(2, device=wb.device("cuda")),
    ],
)
def test_without_cuda_the_error_names_what_to_do(make):
    with pytest.raises(RuntimeError) as caught:
        make()
    text = str(caught.value)
    assert "CUDA" in text
    assert "device='cpu'" in text
    assert "workbench-ml[cuda12]" in text or "nvidia-smi" in text


@needs_no_cuda
def test_without_cuda_there_are_no_devices():
    assert wb.cuda.device_count() == 0
    assert not wb.cuda.is_available()


def test_importing_does_not_load_cupy():
    code = (
        "import sys, workbench; "
        "heavy = {'cupy', 'matplotlib', 'anywidget', 'IPython', 'scipy', 'torch'}; "
        "heavy &= set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
