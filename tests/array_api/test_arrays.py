"""The array object: operators, indexing, attributes; and what stays torch's."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import workbench as wb
import workbench.array_api as xp
from workbench.autograd import gradcheck


def test_results_are_tensors():
    x = xp.asarray([1.0, 2.0])
    assert isinstance(x, wb.Tensor)
    for made in (
        x + 1,
        1 - x,
        -x,
        x[0],
        x[None],
        x == 1,
        xp.sin(wb.ones(2)),
        x.T if x.ndim == 2 else x,
    ):
        assert type(made) is xp.Array
    assert type(xp.unique_all(x).counts) is xp.Array
    assert isinstance(wb.nn.functional.relu(x), wb.Tensor)


def test_a_tensor_stays_what_it_is():
    """Passing through the namespace never changes the user's own tensor."""
    t = wb.ones(3, requires_grad=True)
    made = [xp.asarray(t), xp.astype(t, t.dtype, copy=False), xp.reshape(t, (3,)), xp.conj(t),
            xp.real(t), xp.positive(t), xp.broadcast_arrays(t, t)[0], xp.clip(t),
            t.to_device("cpu"),
            xp.concat([t]), xp.squeeze(t, ()), xp.permute_dims(t, (0,)), xp.roll(t, 0)]  # fmt: skip
    assert type(t) is wb.Tensor
    for x in made:
        assert x is t or type(x) is xp.Array
        t.grad = None
        x.sum().backward()
        assert t.grad.tolist() == [1, 1, 1]


def test_zero_d_arrays_promote_by_dtype_alone():
    wide = xp.asarray(2.0, dtype=xp.float64)
    narrow = xp.ones(3, dtype=xp.float32)
    for sign in (operator.add, operator.mul, operator.truediv, operator.pow, operator.mod):
        assert sign(narrow, wide).dtype is xp.float64
        assert sign(wide, narrow).dtype is xp.float64
    # a plain tensor on the left gives way to the standard's rules
    assert (wb.ones(3) + wide).dtype is xp.float64
    # while torch's own stay torch's
    assert (wb.ones(3) + wb.tensor(2.0, dtype=wb.float64)).dtype is wb.float32
    assert (xp.ones(3, dtype=xp.int8) + 5).dtype is xp.int8
    assert (xp.ones(3) + 1j).dtype is xp.complex64


def test_in_place_operators_keep_the_array():
    x = xp.asarray([7.0, -7.0])
    held, address = x, x.data_ptr()
    x //= 2
    x += 1
    x %= xp.asarray(3.0)
    assert x is held
    assert x.data_ptr() == address
    np.testing.assert_array_equal(x, [1, 0])
    with pytest.raises(RuntimeError, match="can't be cast"):
        operator.iadd(xp.asarray([1]), xp.asarray([1.5]))


def test_operands_that_are_none():
    x = xp.ones(2)
    assert (x == "a") is False
    assert (x != None) is True  # noqa: E711
    for sign in (operator.add, operator.lt, operator.matmul, operator.and_):
        with pytest.raises(TypeError, match=r"unsupported|not supported"):
            sign(x, "a")


def test_integers_divided_by_zero_give_zero():
    x = xp.asarray([5, -5, 0], dtype=xp.int32)
    zero = xp.zeros(3, dtype=xp.int32)
    assert (x // zero).tolist() == [0, 0, 0]
    assert (x % zero).tolist() == [0, 0, 0]
    assert (x // xp.asarray([2, 0, 1], dtype=xp.int32)).tolist() == [2, 0, 0]
    with pytest.raises(RuntimeError, match="ZeroDivision"):
        wb.tensor([5]) // wb.tensor([0])


def test_size_and_transposes():
    x = xp.zeros((2, 3))
    assert x.size == 6
    assert x.size() == (2, 3)
    assert x.size(1) == 3
    assert x.T.shape == (3, 2)
    assert xp.zeros((4, 2, 3)).mT.shape == (4, 3, 2)
    for bad in (lambda: xp.zeros(3).T, lambda: xp.zeros(3).mT, lambda: xp.zeros((1, 2, 3)).T):
        with pytest.raises(ValueError, match="dimension"):
            bad()


@st.composite
def indexed(draw):
    array = draw(hnp.arrays(np.int64, hnp.array_shapes(min_dims=0, max_dims=4, max_side=5)))
    key = draw(hnp.basic_indices(array.shape, allow_newaxis=True, allow_ellipsis=True))
    return array, key


@given(indexed())
def test_indexing_as_numpys(case):
    array, key = case
    x = xp.asarray(array, copy=True)
    got = x[key]
    assert type(got) is xp.Array
    np.testing.assert_array_equal(got, array[key])


@given(indexed(), st.data())
def test_writing_as_numpys(case, data):
    array, key = case
    wanted = array[key].shape if isinstance(array[key], np.ndarray) else ()
    cut = data.draw(st.integers(0, len(wanted)))
    shape = tuple(data.draw(st.sampled_from([1, n])) for n in wanted[cut:])
    value = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    x, expected = xp.asarray(array, copy=True), array.copy()
    x[key] = xp.asarray(value)
    expected[key] = value
    np.testing.assert_array_equal(x, expected)


def test_backward_slices_have_a_gradient():
    x = wb.randn(4, 3, dtype=wb.float64).requires_grad_()
    assert gradcheck(lambda t: xp.asarray(t)[::-1, 2:0:-1] ** 2, [x])
    with pytest.raises(ValueError, match="greater than zero"):
        x[::-1]
    with pytest.raises(IndexError, match="mixed"):
        xp.ones((3, 3))[::-1, xp.asarray([0, 1])]


def test_functions_are_recorded():
    x = wb.randn(3, 4, dtype=wb.float64).requires_grad_()
    for call in (
        lambda t: xp.sort(t, axis=0, descending=True),
        lambda t: xp.take(t, xp.asarray([0, -1]), axis=1),
        lambda t: xp.take_along_axis(t, xp.asarray([[0], [2], [1]]), axis=1),
        lambda t: xp.cumulative_sum(t, axis=1, include_initial=True),
        lambda t: xp.std(t, axis=0) + xp.var(t),
        lambda t: xp.vecdot(t, t * 2, axis=0),
        lambda t: xp.tensordot(t, t, axes=([0], [0])),
        lambda t: xp.linalg.cross(t[:, :3], t[:, 1:]),
        lambda t: xp.linalg.solve(t[:, :3], t[:, 3]),
        lambda t: xp.clip(t, -0.5, xp.asarray(0.5, dtype=xp.float64)),
        lambda t: xp.diff(t, n=2, append=t[:, :1]),
        lambda t: xp.hypot(t, 2.0),
        lambda t: xp.where(t > 0, t, 0.0) * 1.0,
        lambda t: xp.repeat(t, xp.asarray([1, 0, 2]), axis=0),
        lambda t: xp.real(xp.fft.rfft(t)),
        lambda t: xp.expm1(t) + xp.tanh(t) + xp.tan(t * 0.3),
        lambda t: xp.remainder(t, 3.0),
    ):
        assert gradcheck(call, [x])


def test_devices():
    x = xp.ones(2)
    assert x.to_device("cpu") is x
    assert x.to_device(x.device) is x
    assert wb.ones(2).to_device("cpu").device == wb.device("cpu")
    with pytest.raises(ValueError, match="stream"):
        x.to_device("cpu", stream=1)
    assert xp.zeros(2, device="cpu").device == wb.device("cpu")
    for make in (xp.asarray, xp.from_dlpack):
        assert make(np.ones(2), device="cpu").device == wb.device("cpu")


def test_functions_under_vmap():
    x = wb.tensor([[1.0, -2.0, float("inf")], [4.0, 5.5, 0.0]])
    for call in (
        lambda t: xp.floor_divide(t, 2.0), lambda t: xp.remainder(t, 3.0), xp.sign,
        lambda t: xp.sum(t) + xp.max(t), lambda t: xp.clip(t, -1, 1),
        lambda t: xp.where(t > 0, t, 0.0), lambda t: xp.expm1(t + 1j),
        lambda t: xp.astype(t * 0 + 2, xp.int32) // 0, lambda t: t[:2],
    ):  # fmt: skip
        got = wb.vmap(call)(x)
        expected = xp.stack([call(row) for row in xp.unstack(x)])
        np.testing.assert_array_equal(got.array, expected.array)
    gradient = wb.vmap(wb.func.grad(lambda t: xp.sum(xp.sin(t) ** 2)))(wb.ones(2, 3))
    np.testing.assert_allclose(gradient.array, np.full((2, 3), np.sin(2)), rtol=1e-6)
