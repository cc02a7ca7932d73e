"""Replace a layer by another one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from workbench.network.bring import (
    LayerLike,
    bring,
    check_layer,
    layer_code,
    layer_dict,
    same_parameters,
    shared_stand_in,
)
from workbench.network.draft import Context, Draft
from workbench.network.layer import is_frozen
from workbench.network.names import quoted
from workbench.network.spec import LayerSpec

from .base import Edit, call, check_adapt, check_seed, given, option


@dataclass(frozen=True)
class Replace(Edit):
    """Put `new` in the place of `layer`; name and id stay.

    When both are of one type and their parameters have equal shapes, the weights, buffers and
    optimizer state stay too (EditResult.kept says so), unless `keep` is False or a seed is given.
    `adapt`: remake following layers whose input size no longer fits (False, True or a seed).
    """

    op: ClassVar[str] = "replace"
    fields: ClassVar[dict[str, bool]] = {
        "layer": True,
        "with": True,
        "seed": False,
        "keep": False,
        "adapt": False,
    }

    layer: str
    new: LayerLike
    seed: int | None = None
    keep: bool = True
    adapt: bool | int = False

    def draft(self, context: Context) -> tuple[Replace, Draft]:
        """The edit with its choices made, and the network after it. Raises EditError."""
        check_layer(self.new)
        check_seed(self.seed)
        node = context.node(self.layer)
        old = context.state.modules[node.id]
        draft = Draft.of(context.state, node.id)
        draft.adapt = check_adapt(self.adapt, context)
        inputs = [context.shape(source) for source in node.inputs]
        layer, seed = bring(draft, context, node.id, node.name, self.new, inputs, self.seed)
        new = draft.modules[node.id]
        tried = draft.runnable(node.id)
        if self.keep and self.seed is None and same_parameters(old, tried):
            draft.stand_ins[node.id] = shared_stand_in(old, tried)
            draft.share.append((old, new))
            if any(True for _ in new.parameters()):
                draft.kept.append(node.name)
            seed = None
        elif is_frozen(old):
            draft.notes.append(f"{quoted(node.name)} was frozen; the new layer is trained")
        adapt = False if draft.adapt is None else draft.adapt
        return dataclasses.replace(self, layer=node.name, new=layer, seed=seed, adapt=adapt), draft

    @property
    def code(self) -> str:
        """The Python line on `net`."""
        return call(
            "replace",
            repr(self.layer),
            layer_code(self.new),
            option("seed", self.seed),
            None if self.keep else "keep=False",
            option("adapt", self.adapt),
        )

    @property
    def label(self) -> str:
        """The edit in a few words."""
        short = layer_code(self.new).removeprefix("nn.").removeprefix("wb.network.")
        return f"replace {self.layer} by {short}"

    def to_dict(self) -> dict[str, Any]:
        """The edit as JSON values."""
        # weights that are kept need no seed to come out the same
        seed = 0 if self.keep and self.seed is None else self.seed
        return {
            "op": self.op,
            "layer": self.layer,
            "with": layer_dict(self.new, seed),
            **given(seed=self.seed, adapt=self.adapt),
            **({} if self.keep else {"keep": False}),
        }

    @classmethod
    def _read(cls, fields: dict[str, Any]) -> Replace:
        fields["new"] = LayerSpec.from_dict(fields.pop("with"))
        fields["adapt"] = fields.get("adapt") or False
        keep = fields.get("keep")
        fields["keep"] = True if keep is None else bool(keep)
        return cls(**fields)
