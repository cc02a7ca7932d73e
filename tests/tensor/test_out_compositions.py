# ruff: noqa: E501 - tables, one case in a line
"""`out=` of functions composed of ops: as torch's."""

from __future__ import annotations

import inspect
import warnings

import pytest

import workbench as wb
from workbench.tensor.functions import FUNCTIONS, METHODS
from workbench.tensor.out_names import OUT

CASES = {
    "arange": lambda lib, o: lib.arange(5, out=o()),
    "zeros": lambda lib, o: lib.zeros(2, 3, out=o()),
    "ones of ints": lambda lib, o: lib.ones(2, out=o(lib.int64)),
    "full": lambda lib, o: lib.full((2, 2), 3.0, out=o()),
    "eye": lambda lib, o: lib.eye(3, out=o()),
    "linspace": lambda lib, o: lib.linspace(0, 1, 5, out=o()),
    "logspace": lambda lib, o: lib.logspace(0, 1, 5, out=o()),
    "add": lambda lib, o: lib.add(lib.ones(2), lib.ones(2), alpha=2, out=o()),
    "add of ints": lambda lib, o: lib.add(lib.tensor([1]), 2, out=o()),
    "add to ints": lambda lib, o: lib.add(lib.ones(2), 2, out=o(lib.int64)),
    "add to doubles": lambda lib, o: lib.add(lib.ones(2), 2, out=o(lib.float64)),
    "sum": lambda lib, o: lib.sum(lib.ones(2, 3), 1, out=o()),
    "mean": lambda lib, o: lib.mean(lib.ones(2, 3), 1, True, out=o()),
    "var": lambda lib, o: lib.var(lib.arange(6.0).reshape(2, 3), 1, out=o()),
    "std": lambda lib, o: lib.std(lib.arange(6.0).reshape(2, 3), 1, out=o()),
    "max": lambda lib, o: lib.max(lib.arange(6.0).reshape(2, 3), 1, out=(o(), o(lib.int64))),
    "max pairs": lambda lib, o: lib.max(lib.ones(2), lib.zeros(2), out=o()),
    "sort": lambda lib, o: lib.sort(lib.tensor([2.0, 1.0]), out=(o(), o(lib.int64))),
    "topk": lambda lib, o: lib.topk(lib.tensor([2.0, 1.0]), 1, out=(o(), o(lib.int64))),
    "median": lambda lib, o: lib.median(lib.ones(2, 3), 1, out=(o(), o(lib.int64))),
    "aminmax": lambda lib, o: lib.aminmax(lib.arange(3.0), out=(o(), o())),
    "one for two": lambda lib, o: lib.sort(lib.ones(3), out=o()),
    "two for one": lambda lib, o: lib.add(lib.ones(3), 1, out=(o(), o())),
    "cat": lambda lib, o: lib.cat([lib.ones(2), lib.zeros(1)], out=o()),
    "stack": lambda lib, o: lib.stack([lib.ones(2), lib.zeros(2)], 1, out=o()),
    "hstack": lambda lib, o: lib.hstack([lib.ones(2), lib.zeros(2)], out=o()),
    "where": lambda lib, o: lib.where(lib.tensor([True, False]), lib.ones(2), lib.zeros(2), out=o()),
    "nonzero": lambda lib, o: lib.nonzero(lib.tensor([1, 0, 2]), out=o(lib.int64)),
    "gather": lambda lib, o: lib.gather(lib.arange(3.0), 0, lib.tensor([2, 0]), out=o()),
    "index_select": lambda lib, o: lib.index_select(lib.arange(3.0), 0, lib.tensor([2, 0]), out=o()),
    "matmul": lambda lib, o: lib.matmul(lib.ones(2, 3), lib.ones(3, 2), out=o()),
    "mm": lambda lib, o: lib.mm(lib.ones(2, 3), lib.ones(3, 2), out=o()),
    "addmm": lambda lib, o: lib.addmm(lib.ones(2, 2), lib.ones(2, 3), lib.ones(3, 2), out=o()),
    "clamp": lambda lib, o: lib.clamp(lib.arange(4.0), 1, 2, out=o()),
    "pow": lambda lib, o: lib.pow(lib.arange(4.0), 2, out=o()),
    "softmax": lambda lib, o: lib.softmax(lib.arange(4.0), 0, out=o()),
    "cumsum": lambda lib, o: lib.cumsum(lib.arange(4.0), 0, out=o()),
    "norm": lambda lib, o: lib.norm(lib.arange(4.0), 2, 0, out=o()),
    "linalg inv": lambda lib, o: lib.linalg.inv(lib.eye(2) * 2, out=o()),
    "linalg eigh": lambda lib, o: lib.linalg.eigh(lib.eye(2), out=(o(), o()))[0],
    "linalg norm": lambda lib, o: lib.linalg.norm(lib.ones(2), out=o()),
    "fft": lambda lib, o: lib.fft.fft(lib.ones(4), out=o(lib.complex64)),
    "special erf": lambda lib, o: lib.special.erf(lib.zeros(4), out=o()),
    "text for out": lambda lib, o: lib.add(lib.ones(2), 1, out="x"),
    "comparison to floats": lambda lib, o: lib.lt(lib.ones(2), 2, out=o()),
    "histc": lambda lib, o: lib.histc(lib.arange(4.0), 4, out=o()),
    "quantile": lambda lib, o: lib.quantile(lib.arange(4.0), 0.5, out=o()),
    "shared memory": lambda lib, o: _shared(lib),
}  # fmt: skip


def _shared(lib):
    x = lib.arange(4.0)
    lib.flip(x, (0,))
    lib.add(x[:3], x[:3], out=x[:3])
    return x


@pytest.mark.parametrize("name", CASES)
def test_as_torch(name, both):
    def program(lib):
        made = []

        def o(dtype=None):
            made.append(lib.empty(0, dtype=dtype))
            return made[-1]

        got = CASES[name](lib, o)
        return [got, *made]

    both.same(program, label=name)


def test_methods_take_no_out():
    x = wb.ones(2)
    with pytest.raises(TypeError):
        x.mul(x, out=x)
    assert METHODS["tanh"] is not FUNCTIONS[""]["tanh"]


def test_a_write_into_out_is_seen_by_autograd():
    x = wb.ones(3, requires_grad=True)
    held = wb.ones(3)
    y = x * held
    wb.add(wb.ones(3), 1, out=held)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_every_name_is_there():
    for namespace, names in OUT.items():
        for name in names:
            function = FUNCTIONS[namespace][name]
            assert "out" in inspect.signature(function).parameters, f"{namespace}.{name}"


def test_random_functions():
    wb.manual_seed(0)
    x, out = wb.rand(5), wb.empty(5)
    wb.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert wb.rand(5, out=out) is out
    assert (out == x).all()
    assert wb.randint(3, (4,), out=wb.empty(0, dtype=wb.int64)).shape == (4,)
    assert wb.bernoulli(wb.ones(3), out=wb.empty(3)).tolist() == [1.0, 1.0, 1.0]
