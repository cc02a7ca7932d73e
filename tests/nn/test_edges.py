"""Edge shapes and dtypes of nn.functional: what torch gives, or the error it raises."""

from __future__ import annotations

import pytest
from torch_twins import same, torch

import workbench as wb
import workbench.nn.functional as F

T = torch.nn.functional

EDGES = {
    "linear vector": lambda F, L: F.linear(L.ones(2, 3), L.ones(3)),
    "linear two vectors": lambda F, L: F.linear(L.ones(3), L.ones(3)),
    "linear vector with a bias": lambda F, L: F.linear(L.ones(2, 3), L.ones(3), L.ones(1)),
    "linear bias of one": lambda F, L: F.linear(L.ones(2, 3), L.ones(4, 3), L.ones(1)),
    "linear bias of another length": lambda F, L: F.linear(L.ones(2, 3), L.ones(4, 3), L.ones(3)),
    "linear 3d weight": lambda F, L: F.linear(L.ones(2, 3), L.ones(2, 4, 3)),
    "linear 4d": lambda F, L: F.linear(L.ones(2, 70, 1, 3), L.ones(4, 3), L.ones(4)),
    "linear of nothing": lambda F, L: F.linear(L.ones(2, 0), L.ones(4, 0), L.ones(4)),
    "linear mixed": lambda F, L: F.linear(L.ones(2, 3), L.ones(4, 3).double()),
    "bilinear": lambda F, L: F.bilinear(L.ones(2, 6, 3), L.ones(2, 6, 4), L.ones(5, 3, 4)),
    "bilinear one": lambda F, L: F.bilinear(L.ones(3), L.ones(4), L.ones(5, 3, 4), L.ones(5)),
    "bilinear batch": lambda F, L: F.bilinear(L.ones(2, 3), L.ones(3, 4), L.ones(5, 3, 4)),
    "bilinear dims": lambda F, L: F.bilinear(L.ones(2, 3), L.ones(2, 1, 4), L.ones(5, 3, 4)),
    "bilinear bias": lambda F, L: F.bilinear(
        L.ones(2, 3), L.ones(2, 4), L.ones(5, 3, 4), L.ones(4)
    ),
    "bilinear mixed": lambda F, L: F.bilinear(
        L.ones(2, 3), L.ones(2, 4).double(), L.ones(5, 3, 4)
    ),
    "glu ints": lambda F, L: F.glu(L.ones(2).long()),
    "gumbel ints": lambda F, L: F.gumbel_softmax(L.ones(2).long()),
    "relu6 ints": lambda F, L: F.relu6(L.tensor([-1, 3, 9])),
    "threshold ints": lambda F, L: F.threshold(L.tensor([1, 5]), 2, 7),
    "layer norm of nothing": lambda F, L: F.layer_norm(L.ones(2, 0), (0,)),
    "batch norm of nothing": lambda F, L: F.batch_norm(
        L.ones(0, 3), L.zeros(3), L.ones(3), training=True
    ),
    "all ignored": lambda F, L: F.cross_entropy(L.ones(2, 3), L.tensor([-100, -100])),
    "no targets": lambda F, L: F.cross_entropy(L.ones(0, 3), L.tensor([]).long()),
    "complex l1": lambda F, L: F.l1_loss(L.ones(2, dtype=L.complex64) * 2j, L.ones(2) * 1j),
    "huber mixed": lambda F, L: F.huber_loss(L.ones(2), L.zeros(2).double()),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_edges_as_torch(name):
    call = EDGES[name]
    try:
        want = call(T, torch)
    except Exception as error:  # noqa: BLE001 - whatever torch raises is what we want
        with pytest.raises(type(error)):
            call(F, wb)
        return
    same(call(F, wb), want, 1e-6)
