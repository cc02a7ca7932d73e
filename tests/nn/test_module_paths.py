"""torch.nn.modules' paths lead to our layers."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import workbench as wb

torch = pytest.importorskip("torch")

PATHS = sorted(one.name for one in pkgutil.iter_modules(torch.nn.modules.__path__))
# not in torch's plain programs: its own machinery, fused losses, hooks for all modules
ABSENT = {"_functions", "linear_cross_entropy", "linear_cross_entropy_options"}


@pytest.mark.parametrize("path", [p for p in PATHS if p not in ABSENT])
def test_a_path_holds_the_layers_that_torch_has_there(path):
    ours = importlib.import_module(f"workbench.nn.modules.{path}")
    theirs = importlib.import_module(f"torch.nn.modules.{path}")
    assert getattr(wb.nn.modules, path) is ours
    for name in theirs.__all__:
        if hasattr(wb.nn, name):
            assert getattr(ours, name) is getattr(wb.nn, name), name
            assert getattr(wb.nn.modules, name) is getattr(wb.nn, name), name
    assert set(ours.__all__) <= {*dir(theirs)}


def test_base_classes_and_helpers():
    modules = wb.nn.modules
    assert isinstance(wb.nn.BatchNorm2d(3), modules.batchnorm._BatchNorm)
    assert isinstance(wb.nn.Conv1d(3, 4, 1), modules.conv._ConvNd)
    assert isinstance(wb.nn.NLLLoss(), modules.loss._WeightedLoss)
    assert modules.utils._pair(3) == (3, 3)
    assert modules.utils._triple((1, 2, 3)) == (1, 2, 3)
    assert modules.utils._reverse_repeat_tuple((1, 2), 2) == (2, 2, 1, 1)
    held = {"module.a": 1, "b": 2}
    modules.utils.consume_prefix_in_state_dict_if_present(held, "module.")
    assert held == {"a": 1, "b": 2}
    with pytest.raises(AttributeError):
        wb.nn.nothing_of_the_kind  # noqa: B018
