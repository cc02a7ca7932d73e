"""Convolutions, by torch's names in `torch.nn.functional`, and the bilinear map."""

from __future__ import annotations

from workbench.tensor import FUNCTIONS, Tensor

__all__ = [
    "bilinear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]

_linear = FUNCTIONS["nn.functional"]["linear"]

conv1d, conv2d, conv3d = (FUNCTIONS[""][f"conv{n}d"] for n in (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = (
    FUNCTIONS[""][f"conv_transpose{n}d"] for n in (1, 2, 3)
)
conv_tbc = FUNCTIONS[""]["conv_tbc"]


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x1ᵀ A x2 + b: (*, I), (*, J) and `weight` (O, I, J) → (*, O).

    Raises RuntimeError for shapes and dtypes that do not fit.
    """
    out, rows, columns = weight.array.shape
    if input1.array.shape[:-1] != input2.array.shape[:-1]:
        raise RuntimeError(
            f"bilinear(): input dimensions do not match: got {list(input1.array.shape)} and "
            f"{list(input2.array.shape)}"
        )
    if not input1.array.dtype == input2.array.dtype == weight.array.dtype:
        raise RuntimeError(
            f"bilinear(): All tensors must have the same dtype, got input1: {input1.dtype}, "
            f"input2: {input2.dtype}, weight: {weight.dtype}"
        )
    if input1.array.shape[-1] != rows or input2.array.shape[-1] != columns:
        raise RuntimeError(
            f"bilinear(): input sizes {list(input1.array.shape)} and {list(input2.array.shape)} "
            f"do not match weight size {list(weight.array.shape)}"
        )
    if bias is not None and bias.array.shape != (out,):
        raise RuntimeError(
            f"bilinear(): bias size does not match weight size: got {list(bias.array.shape)} but "
            f"expected [{out}]"
        )
    flat = weight.permute(0, 2, 1).reshape(out * columns, rows)
    half = _linear(input1, flat).reshape(*input1.array.shape[:-1], out, columns)
    result = (half * input2.unsqueeze(-2)).sum(-1)
    return result if bias is None else result + bias
