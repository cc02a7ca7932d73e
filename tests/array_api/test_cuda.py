"""The namespace, the exchange and the picture of tensors on a CUDA device."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
import workbench.array_api as xp


@pytest.fixture
def pair(cuda):
    """The same numbers on the CPU and on CUDA."""

    def make(array):
        here = xp.asarray(np.array(array))
        return here, here.to_device("cuda")

    return make


CALLS = {
    "arithmetic": lambda x: x + 1 - x * 2.0 / 3 + 2**x,
    "floor_divide": lambda x: x // 2.0,
    "remainder": lambda x: x % 2.0,
    "comparisons": lambda x: (x > 0) & (x <= 1) | (x == 2),
    "special": lambda x: xp.expm1(x) + xp.tanh(x) + xp.sign(x) + xp.tan(x),
    "rounding": lambda x: xp.round(x) + xp.trunc(x) + xp.ceil(x),
    "clip": lambda x: xp.clip(x, -0.5, 0.5),
    "where": lambda x: xp.where(x > 0, x, 0.0),
    "sum": lambda x: xp.sum(x, axis=0),
    "prod": lambda x: xp.prod(x, axis=(0, 1)),
    "std": lambda x: xp.std(x, axis=1, keepdims=True),
    "cumulative_sum": lambda x: xp.cumulative_sum(x, axis=1, include_initial=True),
    "sort": lambda x: xp.sort(x, axis=1, descending=True),
    "argsort": lambda x: xp.argsort(x),
    "unique": lambda x: xp.unique_values(xp.round(x)),
    "take": lambda x: xp.take_along_axis(x, xp.argsort(x), axis=1),
    "flip": lambda x: x[::-1, 1:],
    "reshape": lambda x: xp.reshape(x, (-1,)),
    "concat": lambda x: xp.concat([x, x], axis=None),
    "stack": lambda x: xp.stack(xp.unstack(x)),
    "matmul": lambda x: x @ x.T,
    "vecdot": lambda x: xp.vecdot(x, x),
    "solve": lambda x: xp.linalg.solve(x[:, :3] + 5 * xp.eye(3, device=x.device), x[:, 3]),
    "fft": lambda x: xp.real(xp.fft.fft(x)),
    "nextafter": lambda x: xp.nextafter(x, 9.0),
    "repeat": lambda x: xp.repeat(x, 2, axis=0),
    "diff": lambda x: xp.diff(x),
    "likes": lambda x: xp.zeros_like(x) + xp.full_like(x, 3),
    "integers": lambda x: xp.sum(xp.astype(x * 10, xp.int8)) // 0,
    "count": lambda x: xp.count_nonzero(x > 0, axis=1),
    "searchsorted": lambda x: xp.searchsorted(xp.sort(x[0, :]), x),
    "isdtype": lambda x: xp.astype(xp.isfinite(x), x.dtype),
}


@pytest.mark.parametrize("name", CALLS)
def test_functions_give_there_what_they_give_here(pair, name):
    here, there = pair(np.random.default_rng(0).uniform(-2, 2, (3, 4)).astype(np.float32))
    expected, got = CALLS[name](here), CALLS[name](there)
    assert got.device.type == "cuda"
    assert type(got) is xp.Array
    assert got.dtype is expected.dtype
    np.testing.assert_allclose(got.cpu().array, expected.array, rtol=1e-5, atol=1e-6)


def test_creation(cuda):
    for made in (xp.zeros(2, device="cuda"), xp.arange(3, device="cuda"), xp.eye(2, device="cuda"),
                 xp.linspace(0, 1, 3, device="cuda"), xp.full(2, 1, device="cuda"),
                 xp.asarray([1, 2], device="cuda")):  # fmt: skip
        assert made.device.type == "cuda"
    assert any(d.type == "cuda" for d in xp.__array_namespace_info__().devices())


def test_dlpack(cuda):
    x = wb.ones(3, device="cuda")
    assert x.__dlpack_device__() == (2, 0)
    assert xp.from_dlpack(x).device.type == "cuda"
    assert xp.from_dlpack(x, device="cpu").tolist() == [1, 1, 1]
    with pytest.raises(BufferError, match="copy"):
        xp.from_dlpack(x, device="cpu", copy=False)
    with pytest.raises(TypeError, match="cpu"):
        np.asarray(x)


@pytest.mark.parametrize("shape", [(), (5,), (4, 6), (3, 8, 8), (5, 1, 4, 4), (0, 2), (60, 50)])
def test_display(cuda, shape):
    x = wb.rand(*shape).to("cuda") if shape else wb.tensor(2.0).to("cuda")
    made = x._repr_html_()
    assert made is not None
    assert "cuda:0" in made
    assert f"{wb.tensor(2.0).to('cuda'):.1f}" == "2.0"
    assert "cuda:0" in repr(x)
