# ruff: noqa: E501 - tables, one case in a line
"""Order statistics, moments, sets and histograms: values, gradients and errors as torch's."""

from __future__ import annotations

import math

import numpy as np
import pytest

import workbench as wb

from .test_compositions import differentiated

nan, inf = math.nan, math.inf


def f64(lib, values):
    return lib.tensor(values, dtype=lib.float64)


CASES = {
    "sort": lambda lib, x: lib.sort(x(5)),
    "sort dim": lambda lib, x: x(3, 4).sort(0, descending=True),
    "msort": lambda lib, x: lib.msort(x(4, 3)),
    "topk": lambda lib, x: x(3, 5).topk(2),
    "topk smallest": lambda lib, x: lib.topk(x(3, 5), 2, 0, False),
    "topk of many": lambda lib, x: lib.topk(x(90), 3),
    "median": lambda lib, x: lib.median(x(7)),
    "median dim": lambda lib, x: x(3, 5).median(1),
    "median keepdim": lambda lib, x: lib.median(x(3, 4), 0, True),
    "nanmedian": lambda lib, x: lib.nanmedian(lib.where(f64(lib, [1, 0, 1, 1]) > 0, x(4), nan)),
    "nanmedian dim": lambda lib, x: lib.nanmedian(lib.where(f64(lib, [[1, 0, 1], [0, 0, 1]]) > 0, x(2, 3), nan), 1).values,
    "mode": lambda lib, x: lib.mode(x(2, 3)),
    "kthvalue": lambda lib, x: lib.kthvalue(x(3, 4), 2, 0),
    "quantile": lambda lib, x: lib.quantile(x(5), 0.3),
    "quantile several": lambda lib, x: x(3, 5).quantile(f64(lib, [0.0, 0.25, 0.9, 1.0]), 1),
    "quantile keepdim": lambda lib, x: lib.quantile(x(3, 5), 0.6, 0, True),
    "quantile keepdim all": lambda lib, x: lib.quantile(x(3, 5), f64(lib, [0.5, 0.1]), keepdim=True),
    "quantile of one": lambda lib, x: lib.quantile(x(), 0.5),
    "quantile of a nan": lambda lib, x: [lib.quantile(lib.where(f64(lib, [1, 0, 1]) > 0, x(3), nan), 0.5).detach(), x(2)],
    "quantile gradient of q": lambda lib, x: lib.quantile(x(6), x(1, low=0.1, high=0.9)),
    "nanquantile": lambda lib, x: lib.nanquantile(lib.where(f64(lib, [1, 0, 1, 1]) > 0, x(4), nan), 0.4),
    "nanquantile dim": lambda lib, x: lib.nanquantile(lib.where(f64(lib, [[1, 0, 1], [0, 0, 1]]) > 0, x(2, 3), nan), f64(lib, [0.5, 0.2]), 1),
    "nansum": lambda lib, x: lib.nansum(lib.where(f64(lib, [1, 0, 1]) > 0, x(3), nan)),
    "nansum dim": lambda lib, x: x(2, 3).nansum(1, True),
    "nanmean": lambda lib, x: lib.nanmean(lib.where(f64(lib, [1, 0, 1]) > 0, x(3), nan)),
    "nanmean dim": lambda lib, x: x(2, 3).nanmean(0),
    "cov": lambda lib, x: lib.cov(x(3, 5)),
    "cov of a vector": lambda lib, x: lib.cov(x(5)),
    "cov uncorrected": lambda lib, x: lib.cov(x(3, 5), correction=0),
    "cov weighted": lambda lib, x: lib.cov(x(3, 4), fweights=lib.tensor([1, 2, 1, 3]), aweights=f64(lib, [0.1, 1, 2, 0.5])),
    "cov counted": lambda lib, x: lib.cov(x(3, 4), fweights=lib.tensor([1, 2, 1, 3])),
    "corrcoef": lambda lib, x: lib.corrcoef(x(3, 5)),
    "corrcoef of a vector": lambda lib, x: lib.corrcoef(x(5)),
    "cummax": lambda lib, x: lib.cummax(x(3, 4), 1),
    "cummin": lambda lib, x: x(5).cummin(0),
    "logcumsumexp": lambda lib, x: x(3, 4).logcumsumexp(1),
    "logcumsumexp far apart": lambda lib, x: lib.logcumsumexp(x(6, low=-300, high=300), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_as_torch(name, both):
    both.same(differentiated(CASES[name]), rtol=1e-9, label=name)


@pytest.mark.parametrize("way", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_ways_between_two_values(name, way, both):
    levels = [0.0, 0.1, 0.35, 0.5, 0.77, 1.0]
    both.same(
        differentiated(
            lambda lib, x: getattr(lib, name)(x(4, 5), f64(lib, levels), 1, interpolation=way)
        ),
        rtol=1e-9,
    )


PLAIN = {
    "sort nan": lambda lib: lib.tensor([nan, 1.0, -inf, inf, nan, 0.0]).sort().values,
    "sort nan down": lambda lib: lib.tensor([nan, 1.0, -inf, inf]).sort(descending=True),
    "sort bools": lambda lib: lib.tensor([True, False, True]).sort(stable=True),
    "sort complex": lambda lib: lib.tensor([1j, 2.0]).sort(),
    "sort stable": lambda lib: lib.tensor([2, 1, 2, 1, 2]).sort(stable=True, descending=True),
    "argsort": lambda lib: lib.tensor([2, 1, 3]).argsort(descending=True),
    "topk sorted nan": lambda lib: lib.tensor([1.0, nan, 3.0]).topk(2).values,
    "topk k 0": lambda lib: lib.tensor([1.0, 2.0]).topk(0),
    "topk number": lambda lib: lib.tensor(1.0).topk(1),
    "median nan": lambda lib: lib.tensor([1.0, nan, 0.0]).median(),
    "median nan dim": lambda lib: lib.tensor([[1.0, nan, 0.0], [1.0, 2.0, 3.0]]).median(1),
    "median of nothing": lambda lib: lib.ones(0).median(),
    "median dim of nothing": lambda lib: lib.ones(2, 0).median(1),
    "nanmedian all nan": lambda lib: lib.tensor([nan, nan]).nanmedian(),
    "mode ties": lambda lib: lib.tensor([[3, 1, 3, 1], [0, 2, 2, 2]]).mode(1),
    "kthvalue nan": lambda lib: lib.tensor([nan, 1.0, 0.0]).kthvalue(3),
    "quantile ints": lambda lib: lib.quantile(lib.tensor([1, 2]), 0.5),
    "quantile out of range": lambda lib: lib.quantile(lib.ones(3), 1.5),
    "quantile empty": lambda lib: lib.quantile(lib.ones(0), 0.5),
    "quantile dtype": lambda lib: lib.quantile(lib.ones(3), f64(lib, [0.5])),
    "quantile way": lambda lib: lib.quantile(lib.ones(3), 0.5, interpolation="other"),
    "quantile matrix": lambda lib: lib.quantile(lib.ones(3), lib.ones(2, 2)),
    "nansum ints": lambda lib: lib.nansum(lib.tensor([1, 2], dtype=lib.int32)),
    "nanmean ints": lambda lib: lib.nanmean(lib.tensor([1, 2])),
    "nanmean all nan": lambda lib: lib.nanmean(lib.tensor([nan])),
    "cov complex": lambda lib: lib.cov(lib.tensor([[1j, 2.0, 1], [3, 4 - 1j, 0]])),
    "cov ints": lambda lib: lib.cov(lib.tensor([[1, 2, 4], [3, 4, 4]])),
    "cov cube": lambda lib: lib.cov(lib.ones(2, 2, 2)),
    "cov weights": lambda lib: lib.cov(lib.ones(2, 3), fweights=lib.tensor([1, 2])),
    "cov negative": lambda lib: lib.cov(lib.ones(2, 3), fweights=lib.tensor([1, -2, 1])),
    "corrcoef complex": lambda lib: lib.corrcoef(lib.tensor([[1j, 2.0, 1], [3, 4 - 1j, 0]])),
    "unique": lambda lib: lib.unique(lib.tensor([[3, 1], [2, 3]]), return_inverse=True, return_counts=True),
    "unique floats": lambda lib: lib.tensor([1.5, -1.0, 1.5]).unique(),
    "unique dim": lambda lib: lib.unique(lib.tensor([[1, 2], [0, 5], [1, 2]]), dim=0, return_inverse=True, return_counts=True),
    "unique columns": lambda lib: lib.unique(lib.tensor([[1, 0, 1], [2, 5, 2]]), dim=1, return_inverse=True),
    "unique bools": lambda lib: lib.unique(lib.tensor([True, False, True]), return_counts=True),
    "unique nothing": lambda lib: lib.unique(lib.ones(0), return_inverse=True, return_counts=True),
    "unique counts only": lambda lib: lib.unique(lib.tensor([1, 1, 2]), return_counts=True),
    "unique_consecutive": lambda lib: lib.unique_consecutive(lib.tensor([1, 1, 2, 2, 1]), return_inverse=True, return_counts=True),
    "unique_consecutive dim": lambda lib: lib.unique_consecutive(lib.tensor([[1, 1, 2], [3, 3, 4]]), dim=1, return_inverse=True, return_counts=True),
    "unique_consecutive matrix": lambda lib: lib.tensor([[1, 1], [1, 2]]).unique_consecutive(return_inverse=True),
    "isin": lambda lib: lib.isin(lib.tensor([[1, 2], [3, 4]]), lib.tensor([2, 4]), invert=True),
    "isin number": lambda lib: lib.isin(lib.tensor([1, 2]), 2),
    "isin mixed": lambda lib: lib.isin(lib.tensor([1, 2]), lib.tensor([2.0])),
    "isin numbers": lambda lib: lib.isin(1, 2),
    "searchsorted": lambda lib: lib.searchsorted(lib.tensor([1.0, 2.0, 4.0]), lib.tensor([[2.0, 0.0], [5.0, 1.5]])),
    "searchsorted right": lambda lib: lib.searchsorted(lib.tensor([1, 2, 2]), lib.tensor([2, 1]), right=True, out_int32=True),
    "searchsorted side": lambda lib: lib.searchsorted(lib.tensor([1, 2, 2]), lib.tensor([2, 1]), side="right"),
    "searchsorted rows": lambda lib: lib.searchsorted(lib.tensor([[1, 3, 5], [2, 4, 6]]), lib.tensor([[3, 6], [3, 6]])),
    "searchsorted sorter": lambda lib: lib.searchsorted(lib.tensor([3, 1, 2]), lib.tensor([2, 3]), sorter=lib.tensor([1, 2, 0])),
    "searchsorted number": lambda lib: lib.searchsorted(lib.tensor([1.0, 2.0]), 1.5),
    "searchsorted dtypes": lambda lib: lib.searchsorted(lib.tensor([1.0, 2.0]), lib.tensor([1])),
    "searchsorted shapes": lambda lib: lib.searchsorted(lib.ones(2, 3), lib.ones(3, 3)),
    "searchsorted opposites": lambda lib: lib.searchsorted(lib.ones(3), lib.ones(3), right=True, side="left"),
    "searchsorted side name": lambda lib: lib.searchsorted(lib.ones(3), lib.ones(3), side="up"),
    "bucketize": lambda lib: lib.bucketize(lib.tensor([[3, 6], [9, 1]]), lib.tensor([1, 3, 5, 7, 9]), right=True, out_int32=True),
    "bucketize number": lambda lib: lib.bucketize(4.0, lib.tensor([1.0, 5.0])),
    "bucketize matrix": lambda lib: lib.bucketize(lib.ones(2), lib.ones(2, 2)),
    "bincount": lambda lib: lib.bincount(lib.tensor([1, 1, 3]), minlength=6),
    "bincount weights": lambda lib: lib.bincount(lib.tensor([1, 1, 3]), lib.tensor([0.5, 1.0, 2.0])),
    "bincount double": lambda lib: lib.bincount(lib.tensor([1, 1]), lib.tensor([1, 2])),
    "bincount negative": lambda lib: lib.bincount(lib.tensor([-1])),
    "bincount short weights": lambda lib: lib.bincount(lib.tensor([1, 1]), lib.ones(1)),
    "histc": lambda lib: lib.histc(lib.tensor([1.0, 2.0, 1.0, 5.0, 9.0]), 4, 0, 5),
    "histc own limits": lambda lib: lib.tensor([1.0, 2.0, 1.0, 5.0]).histc(3),
    "histc equal": lambda lib: lib.histc(lib.ones(4), 4),
    "histc ints": lambda lib: lib.histc(lib.tensor([1, 2])),
    "histc bins": lambda lib: lib.histc(lib.ones(3), 0),
    "histc order": lambda lib: lib.histc(lib.ones(3), 3, 5, 1),
    "histogram": lambda lib: lib.histogram(lib.tensor([1.0, 2.0, 1.0, 5.0]), 4, range=(0.0, 5.0)),
    "histogram edges": lambda lib: lib.histogram(lib.tensor([1.0, 2.0, 1.0, 5.0]), lib.tensor([0.0, 1.5, 5.0]), weight=lib.tensor([1.0, 2.0, 4.0, 0.5])),
    "histogram density": lambda lib: lib.histogram(lib.tensor([1.0, 2.0, 1.0, 5.0]), 3, density=True),
    "histogramdd": lambda lib: lib.histogramdd(lib.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0], [2.0, 2.0]]), [3, 2]).hist,
    "histogramdd weights": lambda lib: list(lib.histogramdd(lib.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]), bins=2, weight=lib.tensor([1.0, 2.0, 4.0]), density=True).bin_edges),
    "cummax ties": lambda lib: lib.cummax(lib.tensor([1, 3, 3, 2, 3]), 0),
    "cummax nan": lambda lib: lib.cummax(lib.tensor([1.0, nan, 3.0, nan]), 0),
    "logcumsumexp inf": lambda lib: lib.logcumsumexp(lib.tensor([-inf, -inf, 1.0]), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_plain_as_torch(name, both):
    both.same(PLAIN[name], rtol=1e-6, label=name)


def test_named_results():
    x = wb.tensor([[3.0, 1.0, 2.0]])
    assert x.sort(1).indices.tolist() == [[1, 2, 0]]
    assert x.median(1).values.tolist() == [2.0]
    assert wb.topk(x, 1)._fields == ("values", "indices")
    assert wb.histogram(x, 2)._fields == ("hist", "bin_edges")


def test_topk_of_many_agrees_with_sorting():
    rng = np.random.default_rng(0)
    x = wb.from_numpy(rng.integers(0, 50, (4, 300)).astype(np.float32))
    for largest in (True, False):
        values, indices = x.topk(7, 1, largest)
        assert (values == x.sort(1, largest).values[:, :7]).all()
        assert (x.gather(1, indices) == values).all()
