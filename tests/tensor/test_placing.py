# ruff: noqa: E501 - tables, one case in a line
"""Taking, placing, splitting, joining, slopes and complex parts: as torch's, gradients included."""

from __future__ import annotations

import math

import numpy as np
import pytest

import workbench as wb

from .test_compositions import differentiated

nan, inf = math.nan, math.inf


def ints(lib, values):
    return lib.tensor(values)


def grid(lib):
    return lib.arange(12.0).reshape(3, 4)


def _scattered(how, own):
    return lambda lib, x: lib.scatter_reduce(
        x(3), 0, ints(lib, [0, 0, 2, 0]), x(4), how, include_self=own
    )


def _indexed(how, own):
    return lambda lib, x: x(2, 3).index_reduce(
        1, ints(lib, [0, 0, 2, 0]), x(2, 4), how, include_self=own
    )


CASES = {
    "take": lambda lib, x: x(2, 3).take(ints(lib, [[0, -1], [4, 4]])),
    "put": lambda lib, x: x(2, 3).put(ints(lib, [1, 5]), x(2)),
    "put accumulate": lambda lib, x: lib.clone(x(2, 3)).put_(ints(lib, [1, 1]), x(2), accumulate=True),
    "take_along_dim": lambda lib, x: lib.take_along_dim(x(3, 4), ints(lib, [[0], [3], [1]]), 1),
    "take_along_dim broadcast": lambda lib, x: x(3, 1).take_along_dim(ints(lib, [[0, 2, 1]]), 0),
    "take_along_dim flat": lambda lib, x: x(2, 3).take_along_dim(ints(lib, [[0, 5]])),
    "masked_scatter": lambda lib, x: x(2, 3).masked_scatter(ints(lib, [[1, 0, 1], [0, 1, 0]]) > 0, x(4)),
    "masked_scatter_": lambda lib, x: lib.clone(x(2, 3)).masked_scatter_(ints(lib, [1, 0, 1]) > 0, x(2, 2)),
    "masked_scatter number": lambda lib, x: x().masked_scatter(lib.tensor(True), x(2)),
    "select_scatter": lambda lib, x: lib.select_scatter(x(2, 3), x(2), 1, -1),
    "slice_scatter": lambda lib, x: x(4, 3).slice_scatter(x(2, 3), 0, 1, 4, 2),
    "diagonal_scatter": lambda lib, x: lib.diagonal_scatter(x(3, 4), x(3), 1),
    "as_strided": lambda lib, x: lib.as_strided(x(3, 4), (2, 3), (1, 2), 1),
    "as_strided of a transpose": lambda lib, x: x(3, 4).t().as_strided((2, 2), (1, 4)),
    "as_strided of a slice": lambda lib, x: lib.clone(x(3, 4))[1].as_strided((2,), (2,)),
    **{f"scatter_reduce {how} {own}": _scattered(how, own)
       for how in ("sum", "prod", "mean", "amax", "amin") for own in (True, False)},
    **{f"index_reduce {how} {own}": _indexed(how, own)
       for how in ("prod", "mean", "amax", "amin") for own in (True, False)},
    "scatter_reduce_ rows": lambda lib, x: lib.clone(x(2, 3)).scatter_reduce_(1, ints(lib, [[0, 0], [1, 2]]), x(2, 2), "mean"),
    "index_put": lambda lib, x: lib.index_put(x(2, 3), (ints(lib, [0, 1]), ints(lib, [2, 2])), x(2), True),
    "prod of one zero": lambda lib, x: x(3).scatter_reduce(0, ints(lib, [0, 0, 1]), x(3) * ints(lib, [0, 1, 1]), "prod"),
    "hsplit": lambda lib, x: lib.hsplit(x(2, 4), 2),
    "hsplit vector": lambda lib, x: x(4).hsplit([1, 3]),
    "vsplit": lambda lib, x: lib.vsplit(x(4, 2), 2),
    "dsplit": lambda lib, x: lib.dsplit(x(1, 2, 4), [1]),
    "dstack": lambda lib, x: lib.dstack([x(2, 3), x(2, 3)]),
    "dstack vectors": lambda lib, x: lib.dstack((x(3), x(3))),
    "fliplr": lambda lib, x: lib.fliplr(x(2, 3)),
    "flipud": lambda lib, x: x(3).flipud(),
    "diagflat": lambda lib, x: lib.diagflat(x(2, 2), 1),
    "block_diag": lambda lib, x: lib.block_diag(x(2, 3), x(2), x()),
    "combinations": lambda lib, x: lib.combinations(x(4)),
    "combinations again": lambda lib, x: lib.combinations(x(3), 2, True),
    "combinations none": lambda lib, x: lib.combinations(x(2), 3),
    "kron": lambda lib, x: lib.kron(x(2, 3), x(2)),
    "kron cube": lambda lib, x: x(2).kron(x(1, 2, 3)),
    "ger": lambda lib, x: lib.ger(x(2), x(3)),
    "sum_to_size": lambda lib, x: x(2, 3, 4).sum_to_size(3, 1),
    "unsafe_split": lambda lib, x: lib.unsafe_split(x(5), 2),
    "split_with_sizes": lambda lib, x: x(5).split_with_sizes([1, 4]),
    "narrow_copy": lambda lib, x: x(4).narrow_copy(0, 1, 2),
    "expand_copy": lambda lib, x: lib.expand_copy(x(1, 3), (2, 3)),
    "view_copy": lambda lib, x: lib.view_copy(x(2, 3), (3, 2)),
    "unbind_copy": lambda lib, x: lib.unbind_copy(x(2, 3)),
    "slice_copy": lambda lib, x: lib.slice_copy(x(5), 0, 1, 4, 2),
    "as_strided_copy": lambda lib, x: lib.as_strided_copy(x(4), (2,), (2,)),
    "diff": lambda lib, x: lib.diff(x(2, 4)),
    "diff twice": lambda lib, x: x(4, 2).diff(2, 0),
    "diff joined": lambda lib, x: lib.diff(x(3), prepend=x(1), append=x(2)),
    "trapezoid": lambda lib, x: lib.trapezoid(x(2, 4), dx=0.5),
    "trapz": lambda lib, x: lib.trapz(x(2, 4), x(4)),
    "trapezoid dim": lambda lib, x: lib.trapezoid(x(3, 2), x(3, 2), dim=0),
    "cumulative_trapezoid": lambda lib, x: lib.cumulative_trapezoid(x(2, 4), x(4)),
    "gradient": lambda lib, x: lib.gradient(x(3, 4)),
    "gradient spacing": lambda lib, x: lib.gradient(x(3, 4), spacing=[0.5, 2.0], edge_order=2),
    "gradient coordinates": lambda lib, x: lib.gradient(x(4), spacing=(lib.tensor([0.0, 1.0, 3.0, 4.5], dtype=lib.float64),), edge_order=1),
    "gradient coordinates 2": lambda lib, x: lib.gradient(x(4), spacing=(lib.tensor([0.0, 1.0, 3.0, 4.5], dtype=lib.float64),), edge_order=2),
    "gradient dim": lambda lib, x: lib.gradient(x(3, 4), dim=1, spacing=0.3),
    "dist": lambda lib, x: lib.dist(x(3), x(3)),
    "dist 3": lambda lib, x: x(2, 3).dist(x(3), 3),
    "dist inf": lambda lib, x: x(3).dist(x(3), inf),
    "cdist": lambda lib, x: lib.cdist(x(3, 2), x(4, 2)),
    "cdist 1": lambda lib, x: lib.cdist(x(2, 3, 2), x(4, 2), p=1),
    "cdist inf": lambda lib, x: lib.cdist(x(3, 2), x(4, 2), p=inf),
    "cdist 0.5": lambda lib, x: lib.cdist(x(3, 2), x(4, 2), p=2.5),
    "cdist products": lambda lib, x: lib.cdist(x(3, 2), x(4, 2), compute_mode="use_mm_for_euclid_dist"),
    "cdist many": lambda lib, x: lib.cdist(x(30, 2), x(4, 2)),
    "renorm": lambda lib, x: lib.renorm(x(3, 4), 2, 0, 0.8),
    "renorm 1": lambda lib, x: x(3, 4).renorm(1, 1, 1.5),
    "hypot": lambda lib, x: x(3).hypot(x(2, 3)),
    "ldexp": lambda lib, x: lib.ldexp(x(3), ints(lib, [1, 2, 0])),
    "logaddexp2": lambda lib, x: lib.logaddexp2(x(3), x(3)),
    "frexp": lambda lib, x: lib.frexp(x(3)),
    "complex": lambda lib, x: lib.view_as_real(lib.complex(x(2, 3), x(3))),
    "polar": lambda lib, x: lib.view_as_real(lib.polar(x(3, low=0.1), x(3))),
    "real and imag": lambda lib, x: [lib.view_as_complex(x(3, 2)).real, lib.view_as_complex(x(3, 2)).imag],
    "angle": lambda lib, x: lib.view_as_complex(x(3, 2)).angle(),
    "vdot": lambda lib, x: lib.view_as_real(lib.vdot(lib.view_as_complex(x(3, 2)), lib.view_as_complex(x(3, 2)))),
    "adjoint": lambda lib, x: x(2, 3).adjoint(),
    "mH": lambda lib, x: x(2, 3).mH,
    "H": lambda lib, x: x(2, 3).H,
    "positive": lambda lib, x: +x(3),
    "conj_physical": lambda lib, x: x(3).conj_physical(),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_as_torch(name, both):
    both.same(differentiated(CASES[name]), rtol=1e-9, label=name)


PLAIN = {
    "as_strided_scatter": lambda lib: lib.as_strided_scatter(lib.ones(3, 3), grid(lib)[:2, :2], (2, 2), (3, 1), 1),
    "ldexp down": lambda lib: lib.ldexp(lib.tensor([1.0, 2.0]), lib.tensor([-3, -1])),
    "take range": lambda lib: grid(lib).take(lib.tensor([12])),
    "take floats": lambda lib: grid(lib).take(lib.tensor([1.0])),
    "put sizes": lambda lib: grid(lib).put(lib.tensor([1, 2]), lib.ones(1)),
    "put dtypes": lambda lib: grid(lib).put(lib.tensor([1]), lib.tensor([1])),
    "take_along_dim dims": lambda lib: grid(lib).take_along_dim(lib.tensor([1]), 0),
    "take_along_dim dtype": lambda lib: grid(lib).take_along_dim(lib.tensor([[1.0]]), 0),
    "masked_scatter few": lambda lib: grid(lib).masked_scatter(grid(lib) > 3, lib.ones(2)),
    "masked_scatter mask": lambda lib: grid(lib).masked_scatter(grid(lib), lib.ones(12)),
    "masked_scatter dtype": lambda lib: grid(lib).masked_scatter(grid(lib) > 3, lib.ones(12, dtype=lib.int64)),
    "select_scatter range": lambda lib: lib.select_scatter(grid(lib), lib.ones(3), 1, 9),
    "select_scatter shape": lambda lib: lib.select_scatter(grid(lib), lib.ones(2), 1, 0),
    "slice_scatter step": lambda lib: lib.slice_scatter(grid(lib), lib.ones(2), 0, 0, 2, 0),
    "slice_scatter shape": lambda lib: lib.slice_scatter(grid(lib), lib.ones(2), 0, 0, 2),
    "diagonal_scatter shape": lambda lib: lib.diagonal_scatter(grid(lib), lib.ones(2)),
    "as_strided_scatter range": lambda lib: lib.as_strided_scatter(grid(lib), lib.ones(9), (9,), (5,)),
    "scatter_reduce name": lambda lib: grid(lib).scatter_reduce(0, lib.zeros(1, 1, dtype=lib.int64), lib.ones(1, 1), "add"),
    "scatter_reduce ints": lambda lib: lib.tensor([1, 2]).scatter_reduce(0, lib.tensor([0, 0, 1]), lib.tensor([4, 4, 9]), "mean"),
    "scatter_reduce nan": lambda lib: lib.zeros(2).scatter_reduce(0, lib.tensor([0, 0]), lib.tensor([nan, 1.0]), "amax"),
    "scatter_reduce untouched": lambda lib: lib.ones(3).scatter_reduce(0, lib.tensor([1]), lib.tensor([5.0]), "amin", include_self=False),
    "index_reduce name": lambda lib: grid(lib).index_reduce(0, lib.tensor([0]), lib.ones(1, 4), "sum"),
    "index_reduce dtype": lambda lib: grid(lib).index_reduce(0, lib.tensor([0]), lib.ones(1, 4, dtype=lib.int64), "prod"),
    "fill_diagonal": lambda lib: grid(lib).fill_diagonal_(7),
    "fill_diagonal wrap": lambda lib: lib.zeros(7, 3).fill_diagonal_(7, wrap=True),
    "fill_diagonal tall": lambda lib: lib.zeros(7, 3).fill_diagonal_(7),
    "fill_diagonal cube": lambda lib: lib.zeros(2, 2, 2).fill_diagonal_(7),
    "fill_diagonal vector": lambda lib: lib.zeros(2).fill_diagonal_(7),
    "fill_diagonal uneven": lambda lib: lib.zeros(2, 2, 3).fill_diagonal_(7),
    "unravel_index": lambda lib: lib.unravel_index(lib.tensor([[1, 5], [7, 11]]), (3, 4)),
    "unravel_index floats": lambda lib: lib.unravel_index(lib.tensor([1.0]), (3, 4)),
    "nonzero_static": lambda lib: lib.nonzero_static(lib.tensor([[1, 0], [1, 1]]), size=4),
    "nonzero_static short": lambda lib: lib.tensor([1, 0, 1, 1]).nonzero_static(size=2, fill_value=0),
    "hsplit uneven": lambda lib: lib.hsplit(grid(lib), 3),
    "vsplit vector": lambda lib: lib.vsplit(lib.ones(3), 1),
    "dsplit matrix": lambda lib: lib.dsplit(grid(lib), 2),
    "hsplit number": lambda lib: lib.hsplit(lib.ones(()), 1),
    "fliplr vector": lambda lib: lib.fliplr(lib.ones(3)),
    "flipud number": lambda lib: lib.flipud(lib.ones(())),
    "block_diag mixed": lambda lib: lib.block_diag(lib.tensor([[1]]), lib.tensor([2.0])),
    "block_diag cube": lambda lib: lib.block_diag(lib.ones(1, 1, 1)),
    "combinations matrix": lambda lib: lib.combinations(grid(lib)),
    "combinations negative": lambda lib: lib.combinations(lib.ones(2), -1),
    "combinations 0": lambda lib: list(lib.combinations(lib.ones(2), 0).shape),
    "kron mixed": lambda lib: lib.kron(lib.tensor([1, 2]), lib.tensor([0.5])),
    "ger matrix": lambda lib: lib.ger(grid(lib), lib.ones(2)),
    "sum_to_size wrong": lambda lib: grid(lib).sum_to_size(2, 4),
    "diff bools": lambda lib: lib.diff(lib.tensor([True, False, False])),
    "diff too often": lambda lib: lib.diff(lib.ones(3), 5),
    "diff number": lambda lib: lib.diff(lib.ones(())),
    "diff 0": lambda lib: lib.diff(lib.ones(3), 0),
    "diff negative": lambda lib: lib.diff(lib.ones(3), -1),
    "trapezoid ints": lambda lib: lib.trapezoid(lib.tensor([1, 2, 4])),
    "trapezoid sizes": lambda lib: lib.trapezoid(lib.ones(3), lib.ones(2)),
    "trapezoid of one": lambda lib: lib.trapezoid(lib.ones(2, 1)),
    "gradient small": lambda lib: lib.gradient(lib.ones(1)),
    "gradient order": lambda lib: lib.gradient(lib.ones(4), edge_order=3),
    "cdist mode": lambda lib: lib.cdist(lib.ones(2, 2), lib.ones(2, 2), compute_mode="fast"),
    "cdist columns": lambda lib: lib.cdist(lib.ones(2, 2), lib.ones(2, 3)),
    "renorm vector": lambda lib: lib.renorm(lib.ones(3), 2, 0, 1),
    "renorm negative": lambda lib: lib.renorm(lib.ones(3, 3), 2, 0, -1),
    "gcd": lambda lib: lib.gcd(lib.tensor([12, -8, 0]), lib.tensor([18])),
    "gcd_": lambda lib: lib.tensor([12, 8]).gcd_(lib.tensor([18])),
    "lcm": lambda lib: lib.lcm(lib.tensor([4, 6]), lib.tensor([6, -4])),
    "nextafter": lambda lib: lib.nextafter(lib.tensor([1.0, 0.0]), lib.tensor([2.0, -1.0])) - lib.tensor([1.0, 0.0]),
    "ldexp ints": lambda lib: lib.ldexp(lib.tensor([1, 2]), lib.tensor([3, 4])),
    "heaviside numbers": lambda lib: lib.heaviside(lib.ones(2), 0.5),
    "polar dtypes": lambda lib: lib.polar(lib.ones(2), lib.ones(2, dtype=lib.float64)),
    "polar ints": lambda lib: lib.polar(lib.tensor([1]), lib.tensor([1])),
    "real of real": lambda lib: lib.ones(2).real,
    "imag of real": lambda lib: lib.ones(2).imag,
    "set real": lambda lib: _set_part(lib, "real"),
    "set imag": lambda lib: _set_part(lib, "imag"),
    "angle of real": lambda lib: lib.angle(lib.tensor([-1.0, 0.0, 2.0, nan])),
    "angle of ints": lambda lib: lib.angle(lib.tensor([-1, 2])),
    "view_as_complex steps": lambda lib: lib.view_as_complex(lib.ones(3, 4)[:, ::2]),
    "view_as_complex odd": lambda lib: lib.view_as_complex(lib.ones(3, 3)[:, :2]),
    "view_as_real of a transpose": lambda lib: lib.view_as_real(lib.view_as_complex(lib.arange(12.0).reshape(2, 3, 2)).t()),
    "view_as_complex writes": lambda lib: _through(lib),
    "positive bool": lambda lib: +lib.tensor([True]),
    "is_nonzero": lambda lib: [lib.is_nonzero(lib.tensor([0.0])), lib.tensor(2).is_nonzero()],
    "is_nonzero many": lambda lib: lib.is_nonzero(lib.ones(2)),
    "is_same_size": lambda lib: lib.ones(2).is_same_size(lib.ones(2, 1)),
    "is_conj": lambda lib: [lib.ones(2).is_conj(), lib.is_neg(lib.ones(2))],
    "resolve": lambda lib: lib.ones(2).resolve_conj().resolve_neg(),
    "adjoint vector": lambda lib: lib.ones(2).adjoint(),
    "isposinf": lambda lib: [lib.isposinf(lib.tensor([inf, -inf, nan])), lib.isneginf(lib.tensor([inf, -inf]))],
    "isposinf complex": lambda lib: lib.isposinf(lib.tensor([1j])),
    "isreal": lambda lib: lib.isreal(lib.tensor([1j, 2.0 + 0j])),
    "as_strided range": lambda lib: lib.ones(4).as_strided((5,), (1,)),
    "as_strided writes": lambda lib: _strided_write(lib),
}  # fmt: skip


def _set_part(lib, name):
    z = lib.tensor([1 + 2j, 3 - 1j])
    setattr(z, name, lib.tensor([5.0, 6.0]))
    return z


def _through(lib):
    x = lib.arange(6.0).reshape(3, 2)
    lib.view_as_complex(x).mul_(2j)
    return x


def _strided_write(lib):
    x = lib.zeros(4, dtype=lib.float64)
    w = lib.ones(2, dtype=lib.float64, requires_grad=True)
    y = x.clone()
    y.as_strided((2,), (2,), 1).mul_(0).add_(w)
    (y * lib.arange(4.0)).sum().backward()
    return [y, w.grad]


@pytest.mark.parametrize("name", PLAIN)
def test_plain_as_torch(name, both):
    both.same(PLAIN[name], rtol=1e-6, label=name)


def test_copies_share_no_memory():
    x = wb.ones(2, 3)
    for made in (wb.view_copy(x, (3, 2)), wb.expand_copy(x, (2, 3)), wb.detach_copy(x)):
        assert not np.shares_memory(made.numpy(), x.numpy())


def test_writes_through_the_parts_of_a_complex_tensor_reach_it():
    z = wb.zeros(2, dtype=wb.complex64)
    z.real.add_(2)
    wb.view_as_real(z)[:, 1] = 3
    assert z.tolist() == [2 + 3j, 2 + 3j]


def test_gradients_where_torch_is_wrong():
    x, src = wb.randn(3, 3, dtype=wb.float64), wb.randn(2, 2, dtype=wb.float64)
    leaves = (x.requires_grad_(), src.requires_grad_())
    assert wb.autograd.gradcheck(
        lambda a, b: wb.as_strided_scatter(a, b, (2, 2), (3, 1), 1), leaves
    )
    assert wb.autograd.gradcheck(lambda a: wb.ldexp(a, wb.tensor([-1, 2, -3])), (x,))


def test_complex_views_under_autograd_are_never_silently_wrong():
    z = wb.tensor([1 + 2j], requires_grad=True)
    y = z * 1
    with pytest.raises(RuntimeError, match="put the new value together"):
        y.imag.mul_(3)
    base = wb.zeros(1, dtype=wb.complex64)
    part = base.imag
    base.add_(z)
    with pytest.raises(RuntimeError, match="take it again"):
        part.sum().backward()
    base.imag.sum().backward()
    assert z.grad.tolist() == [1j]
