# ruff: noqa: E501 - tables, one case in a line
"""Functions composed of ops: values and gradients as torch's."""

from __future__ import annotations

import math

import numpy as np
import pytest

import workbench as wb


def differentiated(build):
    """The result and its gradients by every leaf, summed with fixed weights."""

    def program(lib):
        rng = np.random.default_rng(0)
        leaves = []

        def leaf(*shape, low=-1.0, high=1.0):
            made = lib.tensor(rng.uniform(low, high, shape), requires_grad=True)
            leaves.append(made)
            return made

        out = build(lib, leaf)
        outs = out if isinstance(out, (tuple, list)) else (out,)
        total = 0.0
        for i, o in enumerate(outs):
            if o.requires_grad:
                weights = lib.tensor(np.cos(np.arange(o.numel()) + i)).reshape(o.shape)
                total = total + (o * weights).sum()
        if leaves:
            total.backward()
        return [*outs, *(t.grad for t in leaves)]

    return program


CASES = {
    "add alpha": lambda lib, x: lib.add(x(2, 3), x(3), alpha=2),
    "sub alpha": lambda lib, x: lib.sub(x(2, 3), x(3), alpha=0.5),
    "div floor": lambda lib, x: lib.div(x(3).detach(), x(3).detach(), rounding_mode="floor") * x(1),
    "div trunc": lambda lib, x: lib.div(x(3).detach(), x(3).detach(), rounding_mode="trunc") * x(1),
    "pow square": lambda lib, x: x(3) ** 2,
    "pow half": lambda lib, x: x(3, low=0.1) ** 0.5,
    "pow tensor": lambda lib, x: x(3, low=0.1) ** x(3),
    "number to a power": lambda lib, x: 2.0 ** x(3),
    "rsub": lambda lib, x: 1 - x(3),
    "rdiv": lambda lib, x: 1 / x(3, low=0.5),
    "where": lambda lib, x: lib.where(lib.tensor([True, False, True]), x(3), x(2, 1)),
    "where number": lambda lib, x: lib.where(lib.tensor([True, False]), x(2), 0.0),
    "clamp tensors": lambda lib, x: lib.clamp(x(5), x(5) * 0.1 - 0.5, x(5) * 0.1 + 0.5),
    "masked_fill tensor": lambda lib, x: x(3).masked_fill(lib.tensor([True, False, True]), x()),
    "var": lambda lib, x: x(3, 4).var(1),
    "std all": lambda lib, x: x(3, 4).std(),
    "std biased": lambda lib, x: x(3, 4).std(0, unbiased=False),
    "var correction": lambda lib, x: lib.var(x(3, 4), dim=(0, 1), correction=2, keepdim=True),
    "var_mean": lambda lib, x: lib.var_mean(x(3, 4), 1),
    "std_mean": lambda lib, x: lib.std_mean(x(3, 4)),
    "max": lambda lib, x: x(3, 4).max(),
    "max dim": lambda lib, x: x(3, 4).max(1).values,
    "min pair": lambda lib, x: lib.min(x(3), x(3)),
    "aminmax": lambda lib, x: tuple(lib.aminmax(x(3, 4), dim=0)),
    "norm": lambda lib, x: x(3, 4).norm(),
    "norm 1": lambda lib, x: x(3, 4).norm(1, dim=1),
    "norm inf": lambda lib, x: x(3, 4).norm(math.inf, dim=1),
    "norm 3": lambda lib, x: x(3, 4).norm(3),
    "norm of zeros": lambda lib, x: (x(3) * 0).norm(),
    "softmax dtype": lambda lib, x: lib.softmax(x(2, 3), -1, dtype=lib.float64),
    "cumsum dtype": lambda lib, x: lib.cumsum(lib.arange(3), 0, dtype=lib.float64) * x(3),
    "split": lambda lib, x: x(5, 2).split(2),
    "split sizes": lambda lib, x: x(5, 2).split([1, 4]),
    "chunk": lambda lib, x: x(2, 5).chunk(3, 1),
    "tensor_split": lambda lib, x: lib.tensor_split(x(7), 3),
    "tensor_split at": lambda lib, x: lib.tensor_split(x(7), (2, 5)),
    "unbind": lambda lib, x: x(3, 2).unbind(1),
    "gather": lambda lib, x: x(3, 4).gather(1, lib.tensor([[0, 0], [3, 1], [2, 2]])),
    "index_select": lambda lib, x: x(3, 4).index_select(1, lib.tensor([2, 0, 2])),
    "masked_select": lambda lib, x: x(2, 3).masked_select(lib.tensor([True, False, True])),
    "mm": lambda lib, x: lib.mm(x(2, 3), x(3, 4)),
    "bmm": lambda lib, x: lib.bmm(x(2, 2, 3), x(2, 3, 4)),
    "mv": lambda lib, x: lib.mv(x(2, 3), x(3)),
    "dot": lambda lib, x: lib.dot(x(3), x(3)),
    "addmm": lambda lib, x: lib.addmm(x(4), x(2, 3), x(3, 4), beta=0.5, alpha=2),
    "baddbmm": lambda lib, x: lib.baddbmm(x(2, 2, 4), x(2, 2, 3), x(2, 3, 4), alpha=0.5),
    "addbmm": lambda lib, x: lib.addbmm(x(2, 4), x(3, 2, 3), x(3, 3, 4)),
    "addmv": lambda lib, x: lib.addmv(x(2), x(2, 3), x(3), beta=2),
    "addr": lambda lib, x: lib.addr(x(2, 3), x(2), x(3), alpha=3),
    "outer": lambda lib, x: lib.outer(x(2), x(3)),
    "inner": lambda lib, x: lib.inner(x(2, 3), x(4, 3)),
    "addcmul": lambda lib, x: lib.addcmul(x(2, 3), x(2, 1), x(3), value=0.5),
    "addcdiv": lambda lib, x: lib.addcdiv(x(3), x(3), x(3, low=0.5), value=2),
    "lerp": lambda lib, x: lib.lerp(x(3), x(3), x(3)),
    "sort": lambda lib, x: x(3, 4).sort(1, descending=True).values,
    "topk": lambda lib, x: x(3, 4).topk(2, 1).values,
    "topk smallest": lambda lib, x: x(7).topk(3, largest=False).values,
    "tile": lambda lib, x: lib.tile(x(2, 3), (2,)),
    "repeat": lambda lib, x: x(2, 3).repeat(2, 1, 2),
    "repeat_interleave": lambda lib, x: x(2, 3).repeat_interleave(2),
    "repeat_interleave dim": lambda lib, x: x(2, 3).repeat_interleave(lib.tensor([1, 0, 2]), dim=1),
    "repeat_interleave counts": lambda lib, x: lib.repeat_interleave(lib.tensor([1, 0, 2])),
    "roll": lambda lib, x: lib.roll(x(2, 3), (1, -1), (0, 1)),
    "movedim": lambda lib, x: x(2, 3, 4).movedim(0, -1),
    "movedim several": lambda lib, x: lib.movedim(x(2, 3, 4), (0, 1), (2, 0)),
    "unflatten": lambda lib, x: x(2, 6).unflatten(1, (3, -1)),
    "meshgrid": lambda lib, x: lib.meshgrid(x(2), x(3), indexing="ij"),
    "meshgrid xy": lambda lib, x: lib.meshgrid(x(2), x(3), x(2), indexing="xy"),
    "diag of a vector": lambda lib, x: lib.diag(x(3), 1),
    "diag of a matrix": lambda lib, x: lib.diag(x(3, 4), -1),
    "diag_embed": lambda lib, x: lib.diag_embed(x(2, 3), 1, 0, 2),
    "trace": lambda lib, x: x(3, 4).trace(),
    "rot90": lambda lib, x: lib.rot90(x(2, 3), 3, (0, 1)),
    "unfold": lambda lib, x: x(2, 7).unfold(1, 3, 2),
    "hstack": lambda lib, x: lib.hstack((x(2, 1), x(2, 3))),
    "vstack": lambda lib, x: lib.vstack((x(3), x(2, 3))),
    "column_stack": lambda lib, x: lib.column_stack((x(3), x(3, 2))),
    "broadcast_tensors": lambda lib, x: lib.broadcast_tensors(x(2, 1), x(3)),
    "cartesian_prod": lambda lib, x: lib.cartesian_prod(x(2), x(3)),
    "scatter": lambda lib, x: x(3, 4).scatter(1, lib.tensor([[0, 2], [1, 3], [2, 0]]), x(3, 2)),
    "scatter number": lambda lib, x: x(3, 4).scatter(0, lib.tensor([[0, 2, 1, 0]]), 5.0),
    "scatter_add": lambda lib, x: x(3, 4).scatter_add(
        1, lib.tensor([[0, 0], [1, 1], [2, 0]]), x(3, 2)
    ),
    "index_add": lambda lib, x: x(3, 4).index_add(0, lib.tensor([0, 2, 0]), x(3, 4), alpha=0.5),
    "index_copy": lambda lib, x: x(3, 4).index_copy(1, lib.tensor([3, 0]), x(3, 2)),
    "index_fill": lambda lib, x: x(3, 4).index_fill(1, lib.tensor([3, 0]), 2.5),
    "index_put": lambda lib, x: x(3, 4).index_put((lib.tensor([0, 2]), lib.tensor([1, 1])), x(2)),
    "index_put adding": lambda lib, x: x(3).index_put(
        (lib.tensor([0, 0, 2]),), x(3), accumulate=True
    ),
    "nan_to_num": lambda lib, x: lib.nan_to_num(x(3)),
    "nansum": lambda lib, x: lib.nansum(x(3, 2), 1),
    "clamp_min": lambda lib, x: x(5).clamp_min(0.1),
    "deg2rad": lambda lib, x: lib.deg2rad(x(3)),
    "float_power": lambda lib, x: lib.float_power(x(3, low=0.2), 2.5),
    "tensordot": lambda lib, x: lib.tensordot(x(2, 3, 4), x(3, 4, 5)),
    "tensordot dims": lambda lib, x: lib.tensordot(x(2, 3, 4), x(4, 2), dims=([0, 2], [1, 0])),
    "tensordot none": lambda lib, x: lib.tensordot(x(2), x(3), dims=0),
}


@pytest.mark.parametrize("name", CASES)
def test_as_torch(name, both):
    both.same(differentiated(CASES[name]), rtol=1e-6, label=name)


EQUATIONS = {
    "ij,jk->ik": ((2, 3), (3, 4)), "bij,bjk->bik": ((2, 2, 3), (2, 3, 4)), "ii->i": ((3, 3),),
    "ii": ((3, 3),), "ij->ji": ((2, 3),), "ij->": ((2, 3),), "i,j->ij": ((2,), (3,)),
    "i,i": ((3,), (3,)), "bhqd,bhkd->bhqk": ((2, 2, 3, 4), (2, 2, 5, 4)),
    "...ij,...jk->...ik": ((2, 5, 2, 3), (5, 3, 4)), "ij,jk,kl->il": ((2, 3), (3, 4), (4, 2)),
    "ij,ij->ij": ((2, 3), (2, 3)), "ijk,k->ij": ((2, 3, 4), (4,)), "ji": ((2, 3),),
    "b...->...": ((2, 3, 4),), "iij->j": ((3, 3, 2),), "ij,kj->": ((2, 3), (4, 3)),
    "...,...->...": ((2, 3), (3,)), "i j , j k -> i k": ((2, 3), (3, 4)),
    "bn,anm,bm->ba": ((2, 3), (5, 3, 4), (2, 4)), "ij,jk": ((2, 3), (3, 4)), ",i->i": ((), (3,)),
    # errors
    "ij,jk->iz": ((2, 3), (3, 4)), "ij->ii": ((2, 3),), "ijk->i": ((2, 3),), "ij,jk->ik ": ((2, 3), (4, 4)),
    "i,j": ((2,),), "i1->i": ((2, 3),),
}  # fmt: skip


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation, both):
    def build(lib, leaf):
        return lib.einsum(equation, *(leaf(*shape) for shape in EQUATIONS[equation]))

    both.same(differentiated(build), label=equation)


PLAIN = {
    "unique": lambda lib: lib.unique(lib.tensor([3, 1, 3, 2])),
    "unique all": lambda lib: lib.unique(
        lib.tensor([[3, 1], [3, 2]]), return_inverse=True, return_counts=True
    ),
    "unique rows": lambda lib: lib.unique(lib.tensor([[1, 2], [0, 1], [1, 2]]), dim=0),
    "bincount": lambda lib: lib.bincount(lib.tensor([1, 3, 1]), minlength=6),
    "bincount weights": lambda lib: lib.bincount(lib.tensor([1, 1]), lib.tensor([0.5, 2.0])),
    "bincount negative": lambda lib: lib.bincount(lib.tensor([-1])),
    "isin": lambda lib: lib.isin(lib.tensor([1, 2, 3]), lib.tensor([2, 5])),
    "searchsorted": lambda lib: lib.searchsorted(lib.tensor([1.0, 2.0, 3.0]), lib.tensor([0.5, 2.0])),
    "searchsorted right": lambda lib: lib.searchsorted(
        lib.tensor([1.0, 2.0]), lib.tensor([2.0]), right=True
    ),
    "bucketize": lambda lib: lib.bucketize(lib.tensor([0.5, 2.5]), lib.tensor([1.0, 2.0])),
    "count_nonzero": lambda lib: lib.count_nonzero(lib.tensor([[0, 1], [2, 3]]), 1),
    "argwhere": lambda lib: lib.argwhere(lib.tensor([[0, 1], [2, 0]])),
    "nonzero tuple": lambda lib: list(lib.nonzero(lib.tensor([[0, 1], [2, 0]]), as_tuple=True)),
    "nonzero 0-d": lambda lib: lib.nonzero(lib.tensor(3)),
    "tril_indices": lambda lib: lib.tril_indices(3, 4, 1),
    "triu_indices": lambda lib: lib.triu_indices(3, 3),
    "logspace": lambda lib: lib.logspace(0, 2, 3),
    "heaviside": lambda lib: lib.heaviside(lib.tensor([-1.0, 0.0, 2.0]), lib.tensor(0.5)),
    "finfo": lambda lib: [getattr(lib.finfo(lib.float32), k) for k in ("bits", "eps", "max", "min", "tiny")],
    "finfo bfloat16": lambda lib: [getattr(lib.finfo(lib.bfloat16), k) for k in ("bits", "eps", "max")],
    "finfo of ints": lambda lib: lib.finfo(lib.int32),
    "iinfo": lambda lib: [lib.iinfo(lib.int16).max, lib.iinfo(lib.uint8).min, lib.iinfo(lib.int64).bits],
    "iinfo of floats": lambda lib: lib.iinfo(lib.float32),
    "equal": lambda lib: [lib.equal(lib.ones(2), lib.ones(2)), lib.equal(lib.ones(2), lib.zeros(2))],
    "isclose": lambda lib: lib.isclose(lib.tensor([1.0, float("nan")]), lib.tensor([1.0, float("nan")])),
    "allclose": lambda lib: lib.allclose(lib.ones(2), lib.ones(2) + 1e-7),
    "sort stable": lambda lib: list(lib.tensor([2, 1, 2, 1]).sort(stable=True)),
    "argsort descending": lambda lib: lib.tensor([2, 3, 1]).argsort(descending=True),
    "scatter_": lambda lib: lib.zeros(2, 3).scatter_(1, lib.tensor([[0], [2]]), 1.0),
    "scatter_ value": lambda lib: lib.zeros(2, 3).scatter_(1, lib.tensor([[0], [2]]), value=2.0),
    "scatter_add_": lambda lib: lib.zeros(3).scatter_add_(0, lib.tensor([0, 0, 2]), lib.ones(3)),
    "index_add_": lambda lib: lib.zeros(3).index_add_(0, lib.tensor([0, 0, 2]), lib.ones(3)),
    "scatter out of range": lambda lib: lib.zeros(2).scatter(0, lib.tensor([5]), 1.0),
    "scatter too large": lambda lib: lib.zeros(2, 2).scatter(0, lib.zeros(3, 3, dtype=lib.int64), lib.zeros(2, 2)),
    "scatter dtypes": lambda lib: lib.zeros(2).scatter(0, lib.tensor([0]), lib.tensor([1])),
    "index_add shapes": lambda lib: lib.zeros(2, 3).index_add(0, lib.tensor([0]), lib.ones(1, 2)),
    "multinomial shape": lambda lib: [
        list(lib.multinomial(lib.ones(4), 2).shape), list(lib.multinomial(lib.ones(3, 4), 5, True).shape),
        str(lib.multinomial(lib.ones(4), 2).dtype).split(".")[1],
    ],
    "multinomial too many": lambda lib: lib.multinomial(lib.ones(2), 3),
    "multinomial negative": lambda lib: lib.multinomial(lib.tensor([1.0, -1.0]), 1),
    "multinomial zeros": lambda lib: lib.multinomial(lib.zeros(2), 1),
    "multinomial ints": lambda lib: lib.multinomial(lib.ones(2, dtype=lib.int64), 1),
    "bernoulli bounds": lambda lib: lib.bernoulli(lib.tensor([1.5])),
    "bernoulli certain": lambda lib: lib.bernoulli(lib.tensor([0.0, 1.0])),
    "normal shape": lambda lib: list(lib.normal(0.0, 1.0, (2, 3)).shape),
    "normal of tensors": lambda lib: list(lib.normal(lib.zeros(2, 3), lib.ones(3)).shape),
    "normal without deviation": lambda lib: lib.normal(lib.tensor([1.0, 2.0]), 0.0),
    "normal negative": lambda lib: lib.normal(lib.zeros(2), lib.tensor([-1.0, 1.0])),
    "sub of bools": lambda lib: lib.tensor([True]) - lib.tensor([True]),
    "neg of bools": lambda lib: -lib.tensor([True]),
    "int to a negative power": lambda lib: lib.tensor([2]) ** -1,
    "ints to negative powers": lambda lib: lib.tensor([2]) ** lib.tensor([-1]),
    "int division by zero": lambda lib: lib.tensor([2]) // 0,
    "int remainder by zero": lambda lib: lib.tensor([2]) % lib.tensor([0]),
    "float division by zero": lambda lib: lib.tensor([2.0, -2.0, 0.0]) / 0,
    "comparison beyond the dtype": lambda lib: lib.tensor([1, 255], dtype=lib.uint8) < 1000,
    "sum of bools": lambda lib: lib.tensor([True, True]).sum(),
    "mean of ints": lambda lib: lib.tensor([1, 2]).mean(),
    "shapes that do not broadcast": lambda lib: lib.ones(2, 3) + lib.ones(2),
    "matmul shapes": lambda lib: lib.ones(2, 3) @ lib.ones(2, 3),
    "cat shapes": lambda lib: lib.cat([lib.ones(2, 3), lib.ones(3, 2)]),
    "cat of nothing": lambda lib: lib.cat([]),
    "stack shapes": lambda lib: lib.stack([lib.ones(2), lib.ones(3)]),
    "max of nothing": lambda lib: lib.ones(0).max(),
    "argmax of nothing": lambda lib: lib.ones(0).argmax(),
    "reshape": lambda lib: lib.ones(6).reshape(4, 2),
    "view of a transpose": lambda lib: lib.ones(2, 3).t().view(6),
    "expand": lambda lib: lib.ones(2).expand(3, 4),
    "dim out of range": lambda lib: lib.ones(2).sum(3),
    "dims repeated": lambda lib: lib.ones(2, 2).sum((0, 0)),
    "squeeze out of range": lambda lib: lib.ones(2).squeeze(2),
    "add text": lambda lib: lib.ones(2) + "a",
    "add None": lambda lib: lib.ones(2) + None,
    "matmul number": lambda lib: lib.ones(2) @ 2,
    "relu of bools": lambda lib: lib.relu(lib.tensor([True])),
    "exp of text": lambda lib: lib.exp("a"),
    "split negative": lambda lib: lib.ones(3).split(-1),
    "chunk zero": lambda lib: lib.ones(3).chunk(0),
    "topk too many": lambda lib: lib.ones(3).topk(4),
    "permute twice": lambda lib: lib.ones(2, 3).permute(0, 0),
    "permute too few": lambda lib: lib.ones(2, 3).permute(0),
    "unflatten": lambda lib: lib.ones(6).unflatten(0, (4, 2)),
    "meshgrid indexing": lambda lib: lib.meshgrid(lib.ones(2), indexing="zz"),
    "diag of a cube": lambda lib: lib.diag(lib.ones(2, 2, 2)),
    "trace of a vector": lambda lib: lib.ones(2).trace(),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_plain_as_torch(name, both):
    both.same(PLAIN[name], rtol=1e-6, label=name)


def test_draws_follow_their_probabilities():
    wb.manual_seed(0)
    counts = wb.bincount(wb.multinomial(wb.tensor([1.0, 3.0, 0.0, 6.0]), 10_000, replacement=True))
    np.testing.assert_allclose(counts.numpy() / 10_000, [0.1, 0.3, 0, 0.6], atol=0.02)
    firsts = [wb.multinomial(wb.tensor([1.0, 3.0, 0.0, 6.0]), 2).tolist() for _ in range(2000)]
    assert all(a != b and 2 not in (a, b) for a, b in firsts)
    share = np.mean([a == 3 for a, _ in firsts])
    assert abs(share - 0.6) < 0.05
    assert abs(float(wb.bernoulli(wb.full((10_000,), 0.3)).mean()) - 0.3) < 0.02
    drawn = wb.normal(wb.full((10_000,), 5.0), 2.0)
    assert abs(float(drawn.mean()) - 5) < 0.1
    assert abs(float(drawn.std()) - 2) < 0.1
