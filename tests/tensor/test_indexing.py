"""x[index] and x[index] = value, as torch and NumPy have them."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import workbench as wb

SHAPE = (3, 4, 2)


def index_items(size):
    """Indices of one dimension, as plain data that either library can take."""
    return st.one_of(
        st.integers(-size, size - 1),
        st.tuples(
            st.just("slice"), st.integers(-size - 1, size + 1), st.integers(-size - 1, size + 1),
            st.integers(1, 3),
        ),
        st.tuples(st.just("list"), st.lists(st.integers(-size, size - 1), min_size=1, max_size=3)),
        st.tuples(st.just("mask"), st.lists(st.booleans(), min_size=size, max_size=size)),
        st.just("all"),
        st.just("none"),
    )  # fmt: skip


@st.composite
def indices(draw):
    count = draw(st.integers(0, 3))
    items, dim = [], 0
    advanced = 0
    for _ in range(count):
        item = draw(index_items(SHAPE[dim]))
        if isinstance(item, tuple) and item[0] in ("list", "mask"):
            advanced += 1
            if advanced > 1:
                item = "all"
        items.append(item)
        if item != "none":
            dim += 1
    if draw(st.booleans()):
        items.insert(draw(st.integers(0, len(items))), "dots")
    return items


def build(lib, items):
    made = []
    for item in items:
        if item == "all":
            made.append(slice(None))
        elif item == "none":
            made.append(None)
        elif item == "dots":
            made.append(Ellipsis)
        elif isinstance(item, tuple) and item[0] == "slice":
            made.append(slice(*item[1:]))
        elif isinstance(item, tuple):
            made.append(lib.tensor(item[1]))
        else:
            made.append(item)
    return tuple(made)


OPTIONS = {
    "max_examples": 150, "deadline": None, "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}  # fmt: skip


@settings(**OPTIONS)
@given(indices())
def test_reading_and_its_gradient(both, items):
    def program(lib):
        x = lib.arange(24.0).reshape(SHAPE).requires_grad_()
        y = x[build(lib, items)]
        (y * y).sum().backward()
        return y, x.grad

    both.same(program, label=str(items))


@settings(**OPTIONS)
@given(indices(), st.sampled_from(("number", "tensor", "broadcast")))
def test_writing_and_its_gradient(both, items, kind):
    repeated = any(isinstance(i, tuple) and i[0] == "list" for i in items)

    def program(lib):
        x = lib.arange(24.0).reshape(SHAPE).requires_grad_()
        y = x * 1
        index = build(lib, items)
        v = lib.tensor(2.5, requires_grad=True)
        part = y.detach()[index]
        value = {
            "number": 7.5, "tensor": v * lib.ones(part.shape), "broadcast": v * 2,
        }[kind]  # fmt: skip
        if repeated and kind == "tensor":
            value = v * 1
        y[index] = value
        (y * lib.arange(1.0, 25.0).reshape(SHAPE)).sum().backward()
        # where an index repeats, which of the equal writes gets the gradient is not promised
        return (y, x.grad) if repeated else (y, x.grad, v.grad)

    both.same(program, label=f"{items} {kind}")


READS = {
    "two index tensors": lambda lib, x: x[lib.tensor([0, 2]), lib.tensor([1, 1])],
    "broadcast index tensors": lambda lib, x: x[lib.tensor([[0], [2]]), lib.tensor([1, 3])],
    "separated index tensors": lambda lib, x: x[lib.tensor([0, 1]), :, lib.tensor([1, 0])],
    "int between index tensors": lambda lib, x: x[lib.tensor([0, 1]), 1, lib.tensor([1, 0])],
    "leading slice": lambda lib, x: x[:, lib.tensor([1, 0]), lib.tensor([1, 0])],
    "2-d mask": lambda lib, x: x[x[..., 0] > 8],
    "full mask": lambda lib, x: x[x > 5],
    "byte mask": lambda lib, x: x[lib.tensor([1, 0, 1], dtype=lib.uint8)],
    "int32 index": lambda lib, x: x[lib.tensor([1, 0], dtype=lib.int32)],
    "0-d index": lambda lib, x: x[lib.tensor(1)],
    "list": lambda lib, x: x[[0, 2]],
    "list and slice": lambda lib, x: x[[0, 2], 1:],
    "True": lambda lib, x: x[True],
    "False": lambda lib, x: x[False],
    "empty list": lambda lib, x: x[[]],
    "empty tuple": lambda lib, x: x[()],
    "dots": lambda lib, x: x[...],
    "NumPy array": lambda lib, x: x[np.array([0, 1])],
    "NumPy int": lambda lib, x: x[np.int64(1)],
    "range": lambda lib, x: x[range(2)],
    "tensor slice ends": lambda lib, x: x[lib.tensor(0) : lib.tensor(2)],
    "empty index tensor": lambda lib, x: x[lib.tensor([], dtype=lib.int64)],
    "0-d tensor, empty index": lambda lib, x: x[0, 0, 0][()],
    "0-d tensor, None": lambda lib, x: x[0, 0, 0][None],
    "out of range": lambda lib, x: x[3],
    "out of range tensor": lambda lib, x: x[lib.tensor([0, 5])],
    "too many": lambda lib, x: x[0, 0, 0, 0],
    "0-d indexed": lambda lib, x: x[0, 0, 0][0],
    "negative step": lambda lib, x: x[::-1],
    "float index": lambda lib, x: x[lib.tensor([0.5])],
    "mask of wrong shape": lambda lib, x: x[lib.tensor([True, False])],
    "shapes that do not broadcast": lambda lib, x: x[lib.tensor([0, 1]), lib.tensor([0, 1, 2])],
    "string": lambda lib, x: x["a"],
}


@pytest.mark.parametrize("name", READS)
def test_reads(both, name):
    both.same(lambda lib: READS[name](lib, lib.arange(24.0).reshape(SHAPE)), label=name)


def write(index, value):
    def program(lib):
        x = lib.arange(12.0).reshape(3, 4)
        x[index(lib)] = value(lib)
        return x

    return program


WRITES = {
    "number": write(lambda lib: 0, lambda lib: 5),
    "row": write(lambda lib: 1, lambda lib: lib.ones(4)),
    "extra leading ones": write(lambda lib: 1, lambda lib: lib.ones(1, 1, 4)),
    "cast to float": write(lambda lib: 0, lambda lib: lib.tensor([1, 2, 3, 4])),
    "cast from double": write(lambda lib: 0, lambda lib: lib.ones(4, dtype=lib.float64)),
    "mask": write(lambda lib: lib.arange(12.0).reshape(3, 4) > 5, lambda lib: -1.0),
    "mask and values": write(
        lambda lib: lib.tensor([True, False, True]), lambda lib: lib.zeros(2, 4)
    ),
    "self": write(lambda lib: slice(0, 2), lambda lib: lib.ones(2, 4) * 3),
    "Python list": write(lambda lib: (0, slice(0, 2)), lambda lib: lib.tensor([8.0, 9.0])),
    "wrong shape": write(lambda lib: 0, lambda lib: lib.ones(3)),
    "too many dimensions": write(lambda lib: 0, lambda lib: lib.ones(2, 4)),
    "out of range": write(lambda lib: 7, lambda lib: 1.0),
    "complex into float": write(lambda lib: 0, lambda lib: lib.ones(4, dtype=lib.complex64)),
}


@pytest.mark.parametrize("name", WRITES)
def test_writes(both, name):
    if name == "complex into float":  # torch discards the imaginary part with a warning
        return
    both.same(WRITES[name], label=name)


def test_an_element_is_a_view():
    x = wb.zeros(3)
    element = x[1]
    element.add_(4)
    assert x.tolist() == [0, 4, 0]
    for row in x:
        row.fill_(2)
    assert x.tolist() == [2, 2, 2]
    x.select(0, 2).zero_()
    assert x.tolist() == [2, 2, 0]


def test_overlapping_self_assignment(both):
    def program(lib):
        x = lib.arange(6.0)
        x[1:] = x[:-1].clone()
        return x

    both.same(program)


def test_iteration_and_unpacking(both):
    both.same(lambda lib: list(lib.arange(6).reshape(3, 2)))
    both.same(lambda lib: [len(lib.zeros(3, 2)), *lib.arange(3).unbind()])
    with pytest.raises(TypeError, match="0-d"):
        list(wb.tensor(1.0))
    with pytest.raises(TypeError, match="0-d"):
        len(wb.tensor(1.0))


def test_gradients_of_parts_join_where_the_whole_lies(both):
    def program(lib):
        x = (lib.arange(120.0) / 7).reshape(2, 5, 3, 4).requires_grad_()
        y = x * 2
        a, b, c = y.permute(2, 0, 1, 3)
        out = (
            (a * b).sum()
            + (c.exp() / 1e4).sum()
            + (y[:, 1:3] ** 2).sum()
            + (y[..., 0] * a[0, 0, 0]).sum()
        )
        (out + y[0][1, 2].sum() + y[lib.tensor([0, 0])].sum()).backward()
        return x.grad

    both.same(program)


def test_a_gradient_lies_in_memory_as_its_tensor_does():
    x = wb.zeros(4, 2, 3).transpose(0, 1).requires_grad_()
    held = []
    y = x * 1
    y.register_hook(lambda g: held.append(g))
    (y[0].sum() + y[1, :, 2].sum()).backward()
    assert held[0].stride() == y.stride() == (3, 6, 1)
