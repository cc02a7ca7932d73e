"""The same computation here and in torch, compared: for functions made of several ops."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import workbench as wb
from workbench.autograd import gradcheck, gradgradcheck

torch = pytest.importorskip("torch")


def numbers(*shape, kind="float64", seed=0):
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, shape)
    return values + 1j * rng.uniform(-1, 1, shape) if kind.startswith("c") else values


def well(*shape, kind="float64", seed=0):
    """Far from singular."""
    return numbers(*shape, kind=kind, seed=seed) + np.eye(shape[-1]) * (2 + np.arange(shape[-1]))


def positive(*shape, kind="float64", seed=0):
    a = well(*shape, kind=kind, seed=seed)
    return a @ np.swapaxes(a, -1, -2).conj()


def to_ours(x):
    return wb.from_numpy(x.copy()) if isinstance(x, np.ndarray) else x


def to_torch(x):
    return torch.from_numpy(x.copy()) if isinstance(x, np.ndarray) else x


def parts(result):
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def agree(call, *arrays, gradients=True, tolerance=1e-9):
    """Results (dtypes, shapes, values), first gradients and finite differences agree."""
    ours, theirs = [to_ours(a) for a in arrays], [to_torch(a) for a in arrays]
    for tensors in (ours, theirs):
        for t in tensors:
            if hasattr(t, "requires_grad") and (t.is_floating_point() or t.is_complex()):
                t.requires_grad_()
    mine = parts(call(wb, *ours))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that torch calls old
        other = parts(call(torch, *theirs))
    assert len(mine) == len(other)
    for a, b in zip(mine, other, strict=True):
        assert a.dtype.name == str(b.dtype).removeprefix("torch.")
        assert tuple(a.shape) == tuple(b.shape)
        value = b.detach().resolve_conj().numpy()
        np.testing.assert_allclose(a.array, value, rtol=tolerance, atol=tolerance)
    watched = [t for t in ours if getattr(t, "requires_grad", False)]
    live = [(a, b) for a, b in zip(mine, other, strict=True) if b.requires_grad and b.numel()]
    if not (gradients and live and watched):
        return
    rng = np.random.default_rng(7)
    seeds = []
    for a, _ in live:
        assert a.requires_grad
        seed = rng.uniform(-1, 1, a.shape)
        seed = seed + 1j * rng.uniform(-1, 1, a.shape) if a.is_complex() else seed
        seeds.append(np.asarray(seed).astype(a.array.dtype))
    wb.autograd.backward([a for a, _ in live], [to_ours(s) for s in seeds])
    torch.autograd.backward([b for _, b in live], [to_torch(s) for s in seeds])
    for t, u in zip(
        watched, [t for t in theirs if getattr(t, "requires_grad", False)], strict=True
    ):
        found = u.grad.resolve_conj().numpy()
        np.testing.assert_allclose(t.grad.array, found, rtol=1e-7, atol=1e-8)


def differentiable(call, *arrays):
    leaves = [to_ours(a).requires_grad_() for a in arrays]
    assert gradcheck(lambda *xs: call(wb, *xs), leaves)
    assert gradgradcheck(lambda *xs: call(wb, *xs), leaves)
