"""However a tensor comes to be, every slot has something in it."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import workbench as wb
from workbench.nn.parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter
from workbench.tensor.node import FunctionNode, Node

x = wb.arange(6.0).reshape(2, 3)
leaf = wb.ones(2, 3, requires_grad=True)


class Kind(wb.Tensor):
    pass


class Double(wb.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.factor = 2
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor


MAKERS = {
    "tensor": lambda: wb.tensor([1.0]),
    "empty": lambda: wb.Tensor(),
    "legacy": lambda: Kind([1.0]),
    "subclass": lambda: x.as_subclass(Kind),
    "numpy": lambda: wb.from_numpy(np.ones(3)),
    "zeros": lambda: wb.zeros(2),
    "op": lambda: leaf * x,
    "number": lambda: leaf * 2.0,
    "unary": lambda: leaf.tanh(),
    "comparison": lambda: leaf > x,
    "several": lambda: leaf.max(dim=1).values,
    "sequence": lambda: wb.cat([x, leaf]),
    "view": lambda: leaf[0],
    "composition": lambda: wb.nn.functional.cross_entropy(x, wb.tensor([0, 1])),
    "function": lambda: Double.apply(leaf),
    "detached": lambda: leaf.detach(),
    "copied": lambda: copy.copy(leaf),
    "deeply copied": lambda: copy.deepcopy(leaf),
    "pickled": lambda: pickle.loads(pickle.dumps(leaf)),
    "parameter": lambda: Parameter(x),
    "buffer": lambda: Buffer(x),
    "no parameter yet": lambda: UninitializedParameter(),
    "no buffer yet": lambda: UninitializedBuffer(),
}


@pytest.mark.parametrize("name", MAKERS)
def test_what_was_never_set_is_none(name):
    made = MAKERS[name]()
    assert (made.grad, made.name, made._hooks, made._post_hooks, made._views) == (None,) * 5
    assert made._base is None or name == "view"


@pytest.mark.parametrize("cls", [wb.Tensor, Kind, Parameter, Node])
def test_attributes_are_looked_up_the_short_way(cls):
    # Python does not specialize `x.array` for a class that has one of these
    for name in ("__getattr__", "__getattribute__", "__setattr__", "__delattr__"):
        assert getattr(cls, name, None) is getattr(object, name, None)


def test_an_unknown_attribute_is_named():
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = x.colour
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = (leaf * 2).grad_fn.colour


def test_the_node_of_a_function_has_the_attributes_of_its_context():
    node = Double.apply(leaf).grad_fn
    assert type(node) is FunctionNode
    assert node.factor == 2
    assert isinstance((leaf * 2).grad_fn, Node)
    with pytest.raises(AttributeError, match="colour"):
        _ = node.colour


def test_a_deleted_gradient_is_none():
    """As in torch, at any time: before and after a backward pass, and twice."""
    x = wb.ones(3, requires_grad=True)
    del x.grad
    assert x.grad is None
    for _ in range(2):
        (x * 2).sum().backward()
        assert x.grad.tolist() == [2, 2, 2]
        del x.grad
        del x.grad
        assert x.grad is None
