"""`out=` over the op table: torch's rules."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import workbench as wb
from workbench.ops import OPS
from workbench.ops.samples import Maker
from workbench.tensor.out_names import OUT

WITH_OUT = [
    op for op in OPS.values() if op.function and op.name in OUT.get(op.namespace, ())
]  # fmt: skip
EVERY = pytest.mark.parametrize("op", WITH_OUT, ids=[op.name for op in WITH_OUT])


def calls(op, oracle, dtype=np.float64):
    """(positional arguments, keywords, result) of each sample that works."""
    call = oracle.ours(op)
    for sample in op.samples(Maker(dtype)):
        if not sample.exact:
            continue
        args, kwargs = oracle.convert(op, sample, lambda a, _=True: wb.from_numpy(np.array(a)))
        try:
            expected = call(*args, **kwargs)
        except (RuntimeError, TypeError, NotImplementedError):
            continue
        yield args, kwargs, expected


def like(result, make):
    return tuple(make(r) for r in result) if isinstance(result, tuple) else make(result)


def parts(result):
    return tuple(result) if isinstance(result, tuple) else (result,)


@EVERY
def test_the_result_lands_in_out(op, oracle):
    call = oracle.ours(op)
    for dtype in (np.float64, np.int64):
        for args, kwargs, expected in calls(op, oracle, dtype):
            out = like(expected, lambda r: wb.empty(r.shape, dtype=r.dtype))
            memory = [t.data_ptr() for t in parts(out)]
            got = call(*args, **kwargs, out=out)
            for a, b, c, pointer in zip(
                parts(got), parts(out), parts(expected), memory, strict=True
            ):
                assert a is b
                assert b.data_ptr() == pointer
                np.testing.assert_array_equal(b.numpy(), c.numpy())


@EVERY
def test_another_shape_is_resized_with_a_warning(op, oracle):
    call = oracle.ours(op)
    for args, kwargs, expected in calls(op, oracle):
        call(*args, **kwargs, out=like(expected, lambda r: wb.empty(0, dtype=r.dtype)))
        if any(r.shape == (7, 2, 1) for r in parts(expected)):
            continue
        out = like(expected, lambda r: wb.empty(7, 2, 1, dtype=r.dtype))
        with pytest.warns(UserWarning, match="was resized since it had shape"):
            call(*args, **kwargs, out=out)
        for a, b in zip(parts(out), parts(expected), strict=True):
            assert a.shape == b.shape
            np.testing.assert_array_equal(a.numpy(), b.numpy())


@EVERY
def test_out_takes_no_part_in_differentiation(op, oracle):
    call = oracle.ours(op)
    for args, kwargs, expected in calls(op, oracle):
        floats = [a for a in args if isinstance(a, wb.Tensor) and a.is_floating_point()]
        if not floats:
            continue
        out = like(expected, lambda r: wb.empty(r.shape, dtype=r.dtype))
        floats[0].requires_grad_()
        with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
            call(*args, **kwargs, out=out)
        with wb.no_grad():
            call(*args, **kwargs, out=out)
        floats[0].requires_grad_(False)


@EVERY
def test_out_of_a_lower_category_is_refused(op, oracle):
    call = oracle.ours(op)
    for args, kwargs, expected in calls(op, oracle):
        if not any(r.dtype.category for r in parts(expected)):
            continue
        out = like(expected, lambda r: wb.ones(r.shape, dtype=wb.bool))
        with pytest.raises(RuntimeError, match="can't be cast to the desired output type"):
            call(*args, **kwargs, out=out)
        assert all(t.all() for t in parts(out)), "written although refused"


@EVERY
def test_out_is_no_positional_parameter(op, oracle):
    call = oracle.ours(op)
    assert "out" in inspect.signature(call).parameters
    for args, kwargs, _ in calls(op, oracle):
        if kwargs or len(args) != len(op.params):
            continue
        with pytest.raises(TypeError, match=r"positional argument|dtype must be"):
            call(*args, wb.ones(1))
        break
