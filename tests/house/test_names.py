"""Names that PyTorch programs use: each is here under the same name, or left out with a reason."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import workbench as wb

NAMES = Path(__file__).with_name("names.txt").read_text(encoding="utf-8").split()

_ONE_DEVICE = "a run uses one device"
_PROGRAMS_OWN = "a program's own module of that name"
_NO_COMPILER = "torch's compiler: wb.compile captures steps instead"
_NO_VISION = "torchvision's"
_RECORD = "torch's own inside: wb.profiler.record_function"

OUT = {
    "nn.DataParallel": _ONE_DEVICE,
    "utils.data.distributed.DistributedSampler": _ONE_DEVICE,
    "cuda.nccl.version": _ONE_DEVICE,
    "utils.tensorboard.SummaryWriter": "another project's log files: run.recorder keeps the curves",
    **dict.fromkeys(
        [f"utils.data.{name}" for name in ("val_dataloader", "train_dataloader", "std", "shape",
                                           "mean", "get_dataloader", "device", "append")],
        _PROGRAMS_OWN,
    ),
    "models.resnet18": _NO_VISION, "models.resnet34": _NO_VISION, "models.resnet50": _NO_VISION,
    "io.read_image": _NO_VISION, "io.image.ImageReadMode.RGB": _NO_VISION,
    "ops.roi_pool": _NO_VISION,
    "ops.profiler._record_function_exit": _RECORD, "ops.profiler._record_function_enter": _RECORD,
    "onnx._export": "weights leave as safetensors",
    "jit.trace": _NO_COMPILER, "jit.script": _NO_COMPILER, "jit.load": _NO_COMPILER,
    "_dynamo.config.suppress_errors": _NO_COMPILER,
    "hub._download_url_to_file": "downloads are not this package's work",
    "classes.load_library": "there is no C++ to load",
    "classes.NativeInterpretation.ElementwiseInterpreter": "there is no C++ to load",
}  # fmt: skip


def found(name):
    here, path = wb, "workbench"
    for part in name.split("."):
        path += f".{part}"
        try:
            here = getattr(here, part)
        except AttributeError:
            try:
                here = importlib.import_module(path)
            except ImportError:
                return False
    return True


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OUT])
def test_is_here(name):
    assert found(name), f"wb.{name} is missing: add it, or a reason to OUT"


def test_reasons_are_for_names_that_are_missing():
    assert set(OUT) <= set(NAMES)
    assert not [name for name in OUT if found(name)], (
        "a reason for a name that is here: take it out"
    )
