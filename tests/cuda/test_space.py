"""NumPy's language over CuPy: each function means on CUDA arrays what NumPy means by it."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.arrays import device_namespace, to_numpy, writable
from workbench.arrays.dtypes import bfloat16

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4))
Y = RNG.normal(size=(4, 2))
S = X @ X.T + np.eye(3)
Z = X + 1j * RNG.normal(size=(3, 4))
STACK = RNG.normal(size=(2, 3, 3)) + 3 * np.eye(3)

# (xp, to the device) -> result
CALLS = {
    "sum initial": lambda xp, d: xp.sum(d(X), axis=0, initial=2.0),
    "sum where": lambda xp, d: xp.sum(d(X), axis=1, where=d(X > 0)),
    "prod where": lambda xp, d: xp.prod(d(X), where=d(X > 0), initial=0.5),
    "max initial": lambda xp, d: xp.max(d(X), axis=1, initial=0.7, keepdims=True),
    "max where": lambda xp, d: xp.max(d(X), axis=1, where=d(X < 0), initial=-9.0),
    "max of nothing": lambda xp, d: xp.max(d(X[:0]), axis=0, initial=-1.0),
    "amin initial": lambda xp, d: xp.amin(d(X), initial=0.0),
    "any where": lambda xp, d: xp.any(d(X > 1), axis=0, where=d(X > 0)),
    "all where": lambda xp, d: xp.all(d(X > 0), axis=0, where=d(X > -0.5)),
    "logical_and of complex": lambda xp, d: xp.logical_and(d(Z), d(Z * 0)),
    "logical_not of complex": lambda xp, d: xp.logical_not(d(Z * 0)),
    "logical_xor of complex": lambda xp, d: xp.logical_xor(d(Z), d(Z)),
    "clip by name": lambda xp, d: xp.clip(d(X), max=0.3),
    "clip": lambda xp, d: xp.clip(d(X), -0.2, 0.3),
    "sort stable": lambda xp, d: xp.sort(d(X), axis=0, kind="stable"),
    "argsort stable": lambda xp, d: xp.argsort(d(np.array([2, 1, 2, 1])), stable=True),
    "take": lambda xp, d: xp.take(d(X), d(np.array([1, -1])), axis=1),
    "take clip": lambda xp, d: xp.take(d(X), d(np.array([-5, 9])), axis=0, mode="clip"),
    "take wrap": lambda xp, d: xp.take(d(X), d(np.array([-5, 9])), axis=0, mode="wrap"),
    "vecdot": lambda xp, d: xp.vecdot(d(Z), d(Z[:, ::-1].copy())),
    "matvec": lambda xp, d: xp.matvec(d(STACK), d(X[:2, :3].copy())),
    "vecmat": lambda xp, d: xp.vecmat(d(Z[:2, :3].copy()), d(STACK)),
    "unstack": lambda xp, d: xp.unstack(d(X), axis=1)[2],
    "geomspace": lambda xp, d: xp.geomspace(1, 1000, 4),
    "block": lambda xp, d: xp.block([[d(X), d(X[:, :1].copy())], [d(X[:1]), d(X[:1, :1].copy())]]),
    "block of vectors": lambda xp, d: xp.block([d(X[0]), d(X[1])]),
    "insert one": lambda xp, d: xp.insert(d(X), 1, 7.0, axis=1),
    "insert several": lambda xp, d: xp.insert(d(X), [3, 0, 3], d(Y[:3, :1].copy()), axis=1),
    "insert flat": lambda xp, d: xp.insert(d(X), slice(0, 4, 2), -1.0),
    "maximum.reduce": lambda xp, d: xp.maximum.reduce(d(X), axis=1),
    "logical_or.reduce": lambda xp, d: xp.logical_or.reduce(d(X > 1), axis=0),
    "maximum.accumulate": lambda xp, d: xp.maximum.accumulate(d(X), axis=1),
    "minimum.accumulate": lambda xp, d: xp.minimum.accumulate(d(X[:, ::-1].copy()), axis=0),
    "add.accumulate": lambda xp, d: xp.add.accumulate(d(X), axis=1),
    "add.outer": lambda xp, d: xp.add.outer(d(X[0]), d(Y[:, 0].copy())),
    "solve broadcasts": lambda xp, d: xp.linalg.solve(d(STACK), d(X)),
    "solve a vector": lambda xp, d: xp.linalg.solve(d(STACK), d(X[:, 0].copy())),
    "solve nothing": lambda xp, d: xp.linalg.solve(d(STACK), d(X[:, :0])),
    "svdvals": lambda xp, d: xp.linalg.svdvals(d(X)),
    "linalg.diagonal": lambda xp, d: xp.linalg.diagonal(d(STACK), offset=1),
    "linalg.trace": lambda xp, d: xp.linalg.trace(d(STACK)),
    "linalg.outer": lambda xp, d: xp.linalg.outer(d(X[0]), d(X[1])),
    "linalg.tensordot": lambda xp, d: xp.linalg.tensordot(d(X), d(Y), axes=1),
    "linalg.vecdot": lambda xp, d: xp.linalg.vecdot(d(Z), d(Z), axis=0),
    "multi_dot": lambda xp, d: xp.linalg.multi_dot([d(X), d(Y), d(Y.T.copy())]),
    **{
        f"vector_norm {p}": lambda xp, d, p=p: xp.linalg.vector_norm(d(Z), axis=1, ord=p)
        for p in (0, 1, 2, 3, np.inf, -np.inf)
    },
    **{
        f"matrix_norm {p}": lambda xp, d, p=p: xp.linalg.matrix_norm(d(STACK), ord=p, keepdims=True)
        for p in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    },
}  # fmt: skip


@pytest.fixture
def xp(cuda):
    return device_namespace("cuda")


@pytest.mark.parametrize("name", CALLS)
def test_means_what_numpy_means(name, xp):
    there = CALLS[name](xp, xp.asarray)
    here = np.asarray(CALLS[name](np, np.asarray))
    got = to_numpy(there)
    assert got.dtype == here.dtype
    np.testing.assert_allclose(got, here, rtol=1e-12, atol=1e-12)


UFUNCS = ("add", "multiply", "maximum", "minimum")
DTYPES = [np.bool_, np.int8, np.uint8, np.int16, np.int32, np.int64, np.float16, np.float32,
          np.float64, np.complex64, np.complex128]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@pytest.mark.parametrize("name", UFUNCS)
def test_at_counts_every_value_in_every_dtype(name, dtype, xp):
    base = RNG.integers(0, 3, (5, 2)).astype(dtype)
    index = np.array([0, 3, 3, -1, 3, 0])
    values = RNG.integers(0, 3, (6, 2)).astype(dtype)
    here, there = base.copy(), xp.asarray(base)
    getattr(np, name).at(here, index, values)
    getattr(xp, name).at(there, xp.asarray(index), xp.asarray(values))
    np.testing.assert_allclose(to_numpy(there), here)


def test_at_of_bfloat16_and_through_views(xp):
    out = xp.zeros((4, 2), bfloat16.numpy)
    xp.add.at(
        out.T, (slice(None), xp.asarray(np.array([1, 1, 2]))), xp.ones((2, 3), bfloat16.numpy)
    )
    assert to_numpy(out).astype(np.float32).tolist() == [[0, 0], [2, 2], [1, 1], [0, 0]]


def test_take_refuses_indices_out_of_range(xp):
    with pytest.raises(IndexError):
        xp.take(xp.asarray(X), xp.asarray(np.array([3])), axis=0)


@pytest.mark.parametrize("name", ["inv", "cholesky"])
def test_singular_matrices_are_refused(name, xp):
    with pytest.raises(np.linalg.LinAlgError):
        getattr(xp.linalg, name)(xp.zeros((3, 3)))
    with pytest.raises(np.linalg.LinAlgError):
        xp.linalg.solve(xp.zeros((3, 3)), xp.ones((3, 1)))


def test_sorting_bfloat16(xp):
    values = xp.asarray(np.array([3.0, -1.0, 2.0], bfloat16.numpy))
    assert xp.sort(values).dtype == bfloat16.numpy
    assert to_numpy(xp.argsort(values)).tolist() == [1, 2, 0]


def test_what_may_be_written(xp):
    a = xp.zeros((2, 3))
    assert writable(a)
    assert writable(a[:, 1:].T)
    assert writable(xp.broadcast_to(xp.zeros((2, 1)), (2, 1)))
    assert not writable(xp.broadcast_to(xp.zeros(3), (2, 3)))
    assert not writable(np.broadcast_to(np.zeros(3), (2, 3)))


def test_one_space_for_one_library(xp):
    assert device_namespace("cuda") is xp
    assert "CuPy" in repr(xp)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        xp.nothing_of_the_kind  # noqa: B018
