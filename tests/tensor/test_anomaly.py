"""Anomaly detection: nan gradients and errors in backward show the forward line."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import workbench as wb
from workbench.tensor import binding, versions
from workbench.tensor.node import Node


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):  # pytest.warns would repeat NumPy's own warnings
        yield


@pytest.fixture
def detected():
    with pytest.warns(UserWarning, match="Anomaly Detection"):
        guard = wb.autograd.detect_anomaly()
    with guard:
        yield


def bad(x):
    return wb.sqrt(x) * 0  # the gradient of this line is 0 * inf


def test_a_nan_shows_its_forward_line(detected):
    x = wb.zeros(3, requires_grad=True)
    y = bad(x).sum()
    with (
        pytest.warns(UserWarning, match=r"Error detected in SqrtBackward0") as told,
        pytest.raises(RuntimeError, match=r"'SqrtBackward0' returned nan values in its 0th output"),
    ):
        y.backward()
    shown = str(told[0].message)
    assert "return wb.sqrt(x) * 0" in shown
    assert "y = bad(x).sum()" in shown
    assert "workbench/tensor" not in shown.splitlines()[-2]


def test_an_error_shows_its_forward_line(detected):
    class Broken(wb.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise RuntimeError("broken")

    y = Broken.apply(wb.ones(1, requires_grad=True))
    with pytest.warns(UserWarning, match=r"y = Broken.apply"), pytest.raises(RuntimeError):
        y.backward()


def test_a_graph_made_before_says_that_it_does_not_know():
    y = bad(wb.zeros(1, requires_grad=True)).sum()
    with (
        wb.autograd.set_detect_anomaly(True),
        pytest.warns(UserWarning, match="No forward pass information"),
        pytest.raises(RuntimeError, match="nan"),
    ):
        y.backward()


def test_a_gradient_of_a_gradient_names_both_lines(detected):
    x = wb.tensor([0.0, 1.0], requires_grad=True)
    (g,) = wb.autograd.grad((x**1.5).sum(), x, create_graph=True)
    with pytest.warns(UserWarning, match="Error") as told, pytest.raises(RuntimeError, match="nan"):
        (wb.sqrt(g) * 0).sum().backward()
    assert any("sqrt(g)" in str(w.message) for w in told)


def test_nan_checks_can_be_left_out():
    with wb.autograd.set_detect_anomaly(True, check_nan=False):
        x = wb.zeros(2, requires_grad=True)
        bad(x).sum().backward()
        assert np.isnan(x.grad.numpy()).all()


def test_switched_off_nothing_is_left():
    with wb.autograd.set_detect_anomaly(True):
        assert type((wb.ones(1, requires_grad=True) * 2).grad_fn.seq) is not int
    y = wb.ones(1, requires_grad=True) * 2
    assert type(y.grad_fn.seq) is int
    assert wb.mul.__globals__["tick"] is versions.tick
    assert wb.mul.__globals__["Node"] is Node
    assert binding.Node is Node


def test_as_in_torch_a_plain_call_switches_it_until_further_notice():
    wb.autograd.set_detect_anomaly(True)
    try:
        assert wb.is_anomaly_enabled()
    finally:
        wb.autograd.set_detect_anomaly(False)
    assert not wb.is_anomaly_enabled()


def test_no_warning_when_all_is_well(detected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (wb.ones(3, requires_grad=True).exp() * 2).sum().backward()
