"""Multi-head attention as a layer."""

from __future__ import annotations

from typing import Any

from workbench.tensor import Tensor

from . import init
from .functional.multihead import attend
from .linear import Linear
from .module import Module
from .parameter import Parameter, empty
from .start import own_stream

__all__ = ["MultiheadAttention"]


class NonDynamicallyQuantizableLinear(Linear):
    """A `Linear` under the name that torch gives the output projection of attention."""


class MultiheadAttention(Module):
    """Attention in several heads side by side (Vaswani et al., "Attention is all you need", 2017).

    Query, key and value go through weights of their own, are split into `num_heads` heads, attend,
    and go through `out_proj`. `kdim` and `vdim` are the widths of key and value where they differ
    from `embed_dim`. `add_bias_kv` appends a learned key and value, `add_zero_attn` zeros.

    Raises ValueError for sizes below 1, AssertionError unless heads divide the width.
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError(
                f"embed_dim must be divisible by num_heads, got {embed_dim} and {num_heads}"
            )
        shapes: dict[str, tuple[int, ...] | None] = {
            "q_proj_weight": (embed_dim, embed_dim),
            "k_proj_weight": (embed_dim, self.kdim),
            "v_proj_weight": (embed_dim, self.vdim),
            "in_proj_weight": None,
        }
        if self._qkv_same_embed_dim:
            shapes = {"in_proj_weight": (3 * embed_dim, embed_dim)} | dict.fromkeys(
                list(shapes)[:3]
            )
        shapes["in_proj_bias"] = (3 * embed_dim,) if bias else None
        for name in ("bias_k", "bias_v"):
            shapes[name] = (1, 1, embed_dim) if add_bias_kv else None
        for name, shape in shapes.items():
            made = None if shape is None else Parameter(empty(shape, device, dtype))
            self.register_parameter(name, made)
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias=bias, device=device, dtype=dtype
        )
        self.add_zero_attn = add_zero_attn
        self.reset_parameters()

    @own_stream
    def reset_parameters(self) -> None:
        """Draw new initial values of all but the output projection, whose bias becomes zero."""
        for weight in (
            self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight,
        ):  # fmt: skip
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)  # type: ignore[arg-type]
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    _reset_parameters = reset_parameters

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """(L, B, E), (S, B, kdim), (S, B, vdim) → ((L, B, E), attention (B, L, S) or None).

        With `batch_first` B comes first; without B everything is one sequence. A bool
        `key_padding_mask` (B, S) or `attn_mask` (L, S), (B · heads, L, S) is True where attention
        is NOT allowed; masks of numbers are added. `is_causal` says that `attn_mask` is causal.
        `average_attn_weights=False` gives each head's attention (B, heads, L, S). Without
        `need_weights` it is faster.

        Raises AssertionError or RuntimeError, as torch does, for what does not fit.
        """
        separate = None
        if not self._qkv_same_embed_dim:
            separate = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        return attend(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight,
            self.in_proj_bias, separate, self.bias_k, self.bias_v, self.add_zero_attn,
            self.dropout if self.training else 0.0, self.out_proj.weight, self.out_proj.bias,
            key_padding_mask, need_weights, attn_mask, None, None, average_attn_weights,
            is_causal, self.batch_first,
        )  # fmt: skip
