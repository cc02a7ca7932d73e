"""Captured steps over the whole op table: a replay is the plain call, to the last bit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import workbench as wb
from workbench.ops import OPS
from workbench.ops.samples import Maker
from workbench.tensor.binding import raw_signature
from workbench.tensor.transforms.trees import flatten

# Ops whose result's shape depends on values, or that look at values in Python beside the kernel
_COMPLEX = "whether the eigenvalues are real decides the result's dtype"
NOT_CAPTURED = {"eig": _COMPLEX, "eigvals": _COMPLEX}
# Where NumPy computes a lone number by another routine than an array's element
ROUNDED = {"vector_norm"}
SEEDS = 3


def versions(op, dtype):
    """For each sample: the same call on other numbers."""
    made = [list(op.samples(Maker(dtype, seed))) for seed in range(SEEDS)]
    yield from zip(*made, strict=True)


def operands(op, sample):
    given = dict(zip((p.name for p in op.params), sample.args, strict=False)) | sample.kwargs
    taken = {p.name for p in op.tensors}
    return {name: tensors(value) if name in taken else value for name, value in given.items()}


def tensors(value):
    if isinstance(value, np.ndarray):
        return wb.tensor(value)
    if isinstance(value, (list, tuple)):
        return [tensors(v) for v in value]
    return wb.tensor(value, dtype=wb.float32) if type(value) is float else value


def bits(tree):
    return [
        (t.dtype, tuple(t.shape), t.detach().contiguous().numpy(force=True).tobytes())
        for t in flatten(tree)[0]
    ]


def step_of(name, backward):
    call = raw_signature(name)

    def step(**given):
        if not backward:
            return call(**given)
        leaves = [
            t.requires_grad_()
            for t in flatten(list(given.values()))[0]
            if isinstance(t, wb.Tensor) and (t.dtype.is_floating_point or t.dtype.is_complex)
        ]
        result = call(**given)
        roots = [t for t in flatten(result)[0] if t.requires_grad]
        if not roots:
            return flatten(result)[0]
        total = [wb.ones_like(t) for t in roots]
        grads = wb.autograd.grad(roots, leaves, total, allow_unused=True)
        return [t.detach() for t in flatten(result)[0]] + [g for g in grads if g is not None]

    return step


def cases():
    return [name for name, op in OPS.items() if op.samples is not None and not op.random]


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("name", cases())
def test_replays_are_the_plain_call(name, backward):
    op = OPS[name]
    replayed, wanted = 0, None
    for samples in versions(op, np.float32):
        if backward and not samples[0].grad:
            continue
        step = step_of(name, backward)
        compiled = wb.compile(step)
        for sample in (*samples, samples[0]):
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                try:
                    wanted = step(**operands(op, sample))
                except (RuntimeError, NotImplementedError):
                    break  # float32 is not for this op
                got = compiled(**operands(op, sample))
            if name in ROUNDED:
                for a, b in zip(flatten(got)[0], flatten(wanted)[0], strict=True):
                    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)
                continue
            assert bits(got) == bits(wanted), f"{sample!r}\n{compiled.explain()}"
        reasons = compiled.explain().reasons
        assert not reasons or name in NOT_CAPTURED, (name, reasons)
        replayed += compiled.calls["replayed"]
    assert replayed or name in NOT_CAPTURED or not wanted
