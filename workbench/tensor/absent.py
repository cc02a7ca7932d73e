"""Layouts that are not here, said clearly: sparse tensors, quantized tensors, named tensors.

Each name raises an error that tells the dense way. Why they are out: sparse layouts pay from about
99 % zeros on, which networks of a notebook's size do not have, and would need every op twice.
"""

from __future__ import annotations

from typing import Any

from .functions import METHODS, function
from .tensor import Tensor

_SPARSE = (
    "workbench has no sparse tensors: keep a dense tensor ({way}), or indices and values as two "
    "tensors, with index_add, scatter_add and index_select between them"
)
_QUANTIZED = "workbench has no quantized tensors: round by hand, e.g. (x / scale).round() * scale"

_SPARSE_FUNCTIONS = {
    "sparse_coo_tensor": "wb.zeros(size).index_put((row, column), values, accumulate=True)",
    "sparse_csr_tensor": "wb.zeros(size)", "sparse_csc_tensor": "wb.zeros(size)",
    "sparse_bsr_tensor": "wb.zeros(size)", "sparse_bsc_tensor": "wb.zeros(size)",
    "sparse_compressed_tensor": "wb.zeros(size)", "spmm": "a @ b", "smm": "a @ b",
    "hspmm": "a @ b",
    "dsmm": "a @ b", "hsmm": "a @ b", "saddmm": "wb.addmm",
    "sspaddmm": "wb.addmm",
}  # fmt: skip
_SPARSE_METHODS = (
    "to_sparse", "to_sparse_coo", "to_sparse_csr", "to_sparse_csc", "to_sparse_bsr",
    "to_sparse_bsc", "sparse_mask", "sparse_resize_", "sparse_resize_and_clear_", "smm", "sspaddmm",
    "resize_as_sparse_", "to_mkldnn", "to_padded_tensor",
)  # fmt: skip
_SPARSE_PARTS = ("values", "indices", "crow_indices", "col_indices", "ccol_indices", "row_indices",
                 "coalesce", "is_coalesced", "sparse_dim", "dense_dim")  # fmt: skip
_QUANTIZED_NAMES = (
    "quantize_per_tensor", "quantize_per_channel", "quantize_per_tensor_dynamic", "dequantize",
)  # fmt: skip
_QUANTIZED_METHODS = (
    "dequantize", "int_repr", "q_scale", "q_zero_point", "q_per_channel_scales",
    "q_per_channel_zero_points", "q_per_channel_axis", "qscheme",
)  # fmt: skip


def _refuse(name: str, error: type[Exception], message: str) -> Any:
    def refused(*args: Any, **kwargs: Any) -> Any:
        raise error(f"{name}: {message}")

    refused.__name__ = refused.__qualname__ = name
    refused.__doc__ = f"Not here: {message}."
    return refused


for _name, _way in _SPARSE_FUNCTIONS.items():
    _message = _SPARSE.format(way=_way)
    function("", _name, method=False)(_refuse(_name, NotImplementedError, _message))
for _name in _SPARSE_METHODS:
    METHODS[_name] = _refuse(_name, NotImplementedError, _SPARSE.format(way="as it is"))
for _name in _SPARSE_PARTS:
    _message = f"expected sparse tensor layout but got Strided; {_SPARSE.format(way='x itself')}"
    METHODS[_name] = _refuse(_name, RuntimeError, _message)
for _name in _QUANTIZED_NAMES:
    function("", _name, method=False)(_refuse(_name, NotImplementedError, _QUANTIZED))
for _name in _QUANTIZED_METHODS:
    METHODS[_name] = _refuse(_name, RuntimeError, _QUANTIZED)


def to_dense(self: Tensor, dtype: Any = None, *, masked_grad: bool = True) -> Tensor:
    """The tensor itself: every tensor is dense."""
    return self if dtype is None else self.to(dtype)  # type: ignore[attr-defined]


METHODS["to_dense"] = to_dense


for _name in ("is_sparse", "is_sparse_csr", "is_quantized", "is_mkldnn", "is_nested", "is_meta",
              "is_mps", "is_xpu", "is_ipu", "is_xla", "is_mtia", "is_vulkan"):  # fmt: skip
    if not hasattr(Tensor, _name):
        setattr(Tensor, _name, property(lambda self: False, doc="False, for every tensor."))
