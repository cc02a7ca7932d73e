"""Attention whose scores and mask are written as small functions of positions.

Dong et al., "Flex Attention: a programming model for generating optimized attention kernels", 2024.
This version computes all scores at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from workbench.arrays import to_numpy
from workbench.tensor import FUNCTIONS, Tensor, wrap
from workbench.tensor.transforms.vmap import vmap

__all__ = [
    "AuxOutput",
    "AuxRequest",
    "BlockMask",
    "and_masks",
    "create_block_mask",
    "create_mask",
    "flex_attention",
    "noop_mask",
    "or_masks",
]

_op = FUNCTIONS[""]
MaskMod = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
ScoreMod = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


class AuxRequest(NamedTuple):
    """What `flex_attention` is to return besides: log-sum-exp of the scores, their maxima."""

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """What was asked for with an `AuxRequest`; None for the rest."""

    lse: Tensor | None = None
    max_scores: Tensor | None = None


def noop_mask(batch: Tensor, head: Tensor, token_q: Tensor, token_kv: Tensor) -> Tensor:
    """Allows everything."""
    return batch.new_ones((), dtype=_bool())


def _bool() -> Any:
    from workbench.arrays.dtypes import bool_

    return bool_


def and_masks(*mask_mods: MaskMod) -> MaskMod:
    """Allows what all of the functions allow."""
    if not all(callable(one) for one in mask_mods):
        raise RuntimeError(f"All inputs should be callable mask_mods: {mask_mods}")

    def both(b: Tensor, h: Tensor, q: Tensor, kv: Tensor) -> Tensor:
        result = b.new_ones((), dtype=_bool())
        for one in mask_mods:
            result = result & one(b, h, q, kv)
        return result

    return both


def or_masks(*mask_mods: MaskMod) -> MaskMod:
    """Allows what any of the functions allows."""
    if not all(callable(one) for one in mask_mods):
        raise RuntimeError(f"All inputs should be callable mask_mods: {mask_mods}")

    def either(b: Tensor, h: Tensor, q: Tensor, kv: Tensor) -> Tensor:
        result = b.new_zeros((), dtype=_bool())
        for one in mask_mods:
            result = result | one(b, h, q, kv)
        return result

    return either


def _positions(sizes: tuple[int, ...], device: Any) -> list[Tensor]:
    return [wrap(np.arange(n)).to(device) for n in sizes]


def _over_positions(function: Callable[..., Tensor], scores: bool) -> Callable[..., Tensor]:
    """The function over all of (B, H, L, S) at once."""
    first = (0,) if scores else ()
    for place in range(3, -1, -1):
        dims: list[int | None] = [None] * 4
        dims[place] = 0
        function = vmap(function, in_dims=(*first, *dims), out_dims=0)
    return function


def create_mask(
    mod_fn: Callable[..., Tensor],
    B: int | None,
    H: int | None,
    Q_LEN: int,
    KV_LEN: int,
    device: Any = None,
) -> Tensor:
    """What a function of (batch, head, query, key) positions gives, as (B, H, Q_LEN, KV_LEN).

    A mask of bools, or for a function that takes a score in front, its change of a score of 0.
    """
    sizes = (B or 1, H or 1, Q_LEN, KV_LEN)
    where = "cpu" if device is None else device
    import inspect

    takes = len(inspect.signature(mod_fn).parameters)
    if takes == 5:
        zeros = wrap(np.zeros(sizes, np.float32)).to(where)
        return _over_positions(mod_fn, True)(zeros, *_positions(sizes, where))
    return _over_positions(mod_fn, False)(*_positions(sizes, where))


class BlockMask:
    """A mask made by a function of positions, and which of its blocks hold anything.

    `kv_num_blocks` (B, H, rows of blocks) says how many blocks of each row are partly allowed,
    `kv_indices` which; `full_kv_num_blocks` and `full_kv_indices` those that are allowed whole.
    """

    def __init__(
        self, mask: Any, mask_mod: MaskMod, block_size: tuple[int, int] = (128, 128)
    ) -> None:
        self.mask = mask
        self.mask_mod = mask_mod
        self.BLOCK_SIZE = block_size
        self.seq_lengths = tuple(mask.array.shape[-2:])
        array = to_numpy(mask.array)
        *lead, rows, columns = array.shape
        high, wide = block_size
        up, right = -rows % high, -columns % wide
        tall = np.pad(array, [(0, 0)] * len(lead) + [(0, up), (0, right)])
        shape = (*lead, (rows + up) // high, high, (columns + right) // wide, wide)
        held = tall.reshape(shape).sum(axis=(-3, -1))
        whole = held == high * wide
        part = (held > 0) & ~whole
        where = mask.device
        self.kv_num_blocks, self.kv_indices = _listed(part, where)
        self.full_kv_num_blocks, self.full_kv_indices = _listed(whole, where)
        self._blocks = held > 0

    @property
    def shape(self) -> tuple[int, ...]:
        """(B, H, query length, key length)."""
        return tuple(self.mask.array.shape)

    def numel(self) -> int:
        """The number of scores."""
        return math.prod(self.shape)

    def sparsity(self) -> float:
        """Per cent of the blocks that hold nothing."""
        return float(100 * (1 - self._blocks.mean()))

    def to_dense(self) -> Tensor:
        """Which blocks hold anything: int32 (B, H, rows, columns)."""
        return wrap(self._blocks.astype(np.int32)).to(self.mask.device)

    def to(self, device: Any) -> BlockMask:
        """The mask on another device."""
        return BlockMask(self.mask.to(device), self.mask_mod, self.BLOCK_SIZE)

    def __getitem__(self, index: Any) -> BlockMask:
        return BlockMask(self.mask[index], self.mask_mod, self.BLOCK_SIZE)

    def __repr__(self) -> str:
        return f"BlockMask(shape={self.shape}, sparsity={self.sparsity():.2f}%)"


def _listed(flags: np.ndarray, device: Any) -> tuple[Tensor, Tensor]:
    """How many flags each row has, and their places, in front."""
    order = np.argsort(~flags, axis=-1, kind="stable").astype(np.int32)
    return wrap(flags.sum(axis=-1).astype(np.int32)).to(device), wrap(order).to(device)


def create_block_mask(
    mask_mod: MaskMod,
    B: int | None,
    H: int | None,
    Q_LEN: int,
    KV_LEN: int,
    device: Any = None,
    BLOCK_SIZE: int | tuple[int, int] = 128,
    _compile: bool = False,
    **_: Any,
) -> BlockMask:
    """The mask of a function of (batch, head, query, key) positions, for `flex_attention`."""
    sizes = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else tuple(BLOCK_SIZE)
    mask = create_mask(mask_mod, B, H, Q_LEN, KV_LEN, device)
    return BlockMask(mask, mask_mod, sizes)  # type: ignore[arg-type]


def flex_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_mod: ScoreMod | None = None,
    block_mask: BlockMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    return_lse: bool = False,
    kernel_options: Any = None,
    *,
    return_aux: AuxRequest | None = None,
) -> Any:
    """Attention over (B, H, L, E), (B, H, S, E), (B, H, S, Ev) → (B, H, L, Ev).

    `score_mod(score, batch, head, query, key)` gives each score a new value, `block_mask` says
    where attention is allowed. With `return_lse` the log-sum-exp of the scores, (B, H, L), comes
    too. A row that sees nothing gives zeros.

    Raises ValueError for inputs of other dimensions, or heads that need `enable_gqa`.
    """
    if any(x.array.ndim != 4 for x in (query, key, value)):
        raise NotImplementedError("NYI: query, key, and value must be 4D tensors")
    (b, heads, rows, width), (_, few, columns, _) = query.array.shape, key.array.shape
    if heads != few:
        if not enable_gqa or heads % few:
            raise ValueError(
                f"Expect query and key/value to have the same number of heads but got Hq={heads} "
                f"and Hkv={few}. Try setting enable_gqa=True for GQA."
            )
        key, value = (
            x.unsqueeze(2).expand(-1, -1, heads // few, -1, -1).flatten(1, 2) for x in (key, value)
        )
    factor = 1 / math.sqrt(width) if scale is None else scale
    scores = (query @ key.transpose(-2, -1)) * factor
    if score_mod is not None:
        scores = _over_positions(score_mod, True)(
            scores, *_positions((b, heads, rows, columns), query.device)
        )
    if block_mask is not None:
        allowed = block_mask.mask
        if tuple(allowed.array.shape[-2:]) != (rows, columns):
            raise ValueError(
                f"block_mask was created for block_mask.shape={block_mask.shape} but got "
                f"q_len={rows} and kv_len={columns}"
            )
        scores = scores.masked_fill(~allowed, -math.inf)
    top = scores.detach().amax(-1, True)
    top = top.masked_fill(top == -math.inf, 0.0)
    weights = (scores - top).exp()
    total = weights.sum(-1, True)
    out = (weights / total.masked_fill(total == 0, 1.0)) @ value
    out = out.to(query.dtype)
    if return_aux is None and not return_lse:
        return out
    lse = (total.log() + top).squeeze(-1)
    if return_aux is None:
        return out, lse
    best = scores.amax(-1) if return_aux.max_scores else None
    return out, AuxOutput(lse if return_aux.lse else None, best)
