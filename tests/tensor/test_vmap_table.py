"""vmap of every declared op, held against a loop: results and gradients of single samples."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.ops import OPS
from workbench.ops.samples import Maker
from workbench.tensor.binding import raw_signature
from workbench.tensor.transforms.trees import flatten

SIZE = 3


def calls(op):
    """For each sample of an op: SIZE lists of tensor operands, and the settings."""
    made = [list(op.samples(Maker(np.float64, seed))) for seed in range(SIZE)]
    count = len(op.tensors)
    for versions in zip(*made, strict=True):
        first = versions[0]
        given = dict(zip((p.name for p in op.params), first.args, strict=False)) | first.kwargs
        rows = []
        for version in versions:
            named = dict(zip((p.name for p in op.params), version.args, strict=False))
            named |= version.kwargs
            rows.append([named.get(p.name, p.default) for p in op.params[:count]])
        settings = {p.name: given[p.name] for p in op.params[count:] if p.name in given}
        if any(np.shape(a) != np.shape(b) for row in rows for a, b in zip(row, rows[0], strict=True)
               if not isinstance(a, (list, tuple))):  # fmt: skip
            continue
        yield first, rows, settings


def tensors(value):
    if isinstance(value, np.ndarray):
        return wb.tensor(value)
    if isinstance(value, (list, tuple)):
        return [tensors(v) for v in value]
    return value


def stacked(rows):
    """Operands stacked over the rows; numbers and None stay."""
    made = []
    for column in zip(*rows, strict=True):
        if isinstance(column[0], np.ndarray):
            made.append(wb.tensor(np.stack(column)))
        elif isinstance(column[0], (list, tuple)):
            made.append([wb.tensor(np.stack(parts)) for parts in zip(*column, strict=True)])
        else:
            made.append(column[0])
    return made


def dims_like(values, mapped):
    def of(value):
        if isinstance(value, list):
            return [of(v) for v in value]
        return 0 if isinstance(value, wb.Tensor) and mapped else None

    return [of(v) for v in values]


def run(name, operands, settings):
    op = OPS[name]
    names = [p.name for p in op.tensors]
    if name == "where":  # the public function takes numbers, the declared op does not
        operands = [wb.tensor(v, dtype=wb.float64) if type(v) is float else v for v in operands]
    if op.sequence:
        return raw_signature(name)(operands[0], **settings)
    return raw_signature(name)(**dict(zip(names, operands, strict=True)), **settings)


def same(ours, theirs, label):
    for a, b in zip(flatten(ours)[0], flatten(theirs)[0], strict=True):
        assert a.shape == b.shape, f"{label}: {a.shape}, one by one {b.shape}"
        assert a.dtype == b.dtype, f"{label}: {a.dtype}, one by one {b.dtype}"
        np.testing.assert_allclose(
            a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-11, err_msg=label
        )


def together(parts):
    build = flatten(parts[0])[1]
    columns = zip(*(flatten(p)[0] for p in parts), strict=True)
    return build([wb.stack([c.detach() for c in column]) for column in columns])


def row_of(values, dims, i):
    def pick(value, dim):
        if isinstance(value, list):
            return [pick(v, d) for v, d in zip(value, dim, strict=True)]
        return value if dim is None else value[i]

    return [pick(v, d) for v, d in zip(values, dims, strict=True)]


def cases():
    for name, op in OPS.items():
        if op.samples is not None and not op.random:
            yield name


@pytest.mark.parametrize("name", list(cases()))
def test_as_a_loop(name):
    op = OPS[name]
    for first, rows, settings in calls(op):
        values, shared = stacked(rows), [tensors(v) for v in rows[0]]
        places = [i for i, v in enumerate(values) if isinstance(v, (wb.Tensor, list))]
        choices = [tuple(places)] + [(i,) for i in places if len(places) > 1]
        for mapped in choices:
            given = [values[i] if i in mapped else shared[i] for i in range(len(values))]
            dims = [dims_like([v], i in mapped)[0] for i, v in enumerate(given)]

            def f(*operands, settings=settings):
                return run(name, list(operands), settings)

            label = f"{name} {first!r} mapped {mapped}"
            expected = [f(*row_of(given, dims, i)) for i in range(SIZE)]
            same(wb.vmap(f, tuple(dims))(*given), together(expected), label)


@pytest.mark.parametrize("name", [n for n in cases() if OPS[n].rules])
def test_gradients_of_single_samples(name):
    op = OPS[name]
    checked = [p.name for p in op.tensors]
    for first, rows, settings in calls(op):
        values = stacked(rows)
        if not first.grad or any(isinstance(v, list) for v in values):
            continue
        places = [
            i for i, v in enumerate(values)
            if isinstance(v, wb.Tensor) and checked[i] in op.rules and v.is_floating_point()
        ]  # fmt: skip
        if not places:
            continue

        def loss(*operands, settings=settings):
            out = flatten(run(name, list(operands), settings))[0]
            total = 0.0
            for o in out:
                if o.requires_grad:
                    o = wb.abs(o) if o.is_complex() else o
                    total = total + (o * o).sum() + o.sum()
            return total

        probe = [tensors(v) for v in rows[0]]
        probe[places[0]].requires_grad_()
        if not isinstance(loss(*probe), wb.Tensor):
            continue
        dims = dims_like(values, True)
        f = wb.func.grad(loss, tuple(places))
        expected = [f(*row_of(values, dims, i)) for i in range(SIZE)]
        label = f"gradient of {name} {first!r}"
        same(wb.vmap(f, tuple(dims))(*values), together(expected), label)


def test_the_ops_without_a_rule_are_named():
    named = wb.func.sample_by_sample()
    assert set(named) < set(OPS)
    assert not {"add", "matmul", "sum", "sort_dim", "softmax"} & set(named)
    assert len(named) < len(OPS) / 2
