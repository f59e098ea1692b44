"""How many parameters a model has, by what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vptsp.core.backbones.tuning import is_bias
from vptsp.core.prompts.pruning import PrunablePrompts

if TYPE_CHECKING:
    from vptsp.core.model import EmbeddingModel


@dataclass(frozen=True)
class ParameterCounts:
    """Parameters, in numbers: what training changes, what retrieval keeps, and the whole.

    ``trained`` includes the class-prompt bank; ``kept`` is what must be stored beside the frozen backbone
    to embed images, without what was pruned; ``bank`` is the class prompts of all classes; ``total`` everything,
    frozen included; ``parts`` divides ``trained``.
    """

    trained: int
    kept: int
    bank: int
    total: int
    parts: dict[str, int] = field(default_factory=dict)


def count_parameters(model: EmbeddingModel) -> ParameterCounts:
    """Count the parameters of a model."""
    sizes = {name: p.numel() for name, p in model.named_parameters()}
    trained = {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}
    if model.rows is not None:
        sizes[_BANK] = trained[_BANK] = model.rows.numel
    kept = set(model.kept_names())
    pruned = model.prompts.left_out if isinstance(model.prompts, PrunablePrompts) else 0
    parts: dict[str, int] = {}
    for name, size in trained.items():
        part = _part(name, model.tunes_weights)
        parts[part] = parts.get(part, 0) + size
    return ParameterCounts(
        trained=sum(trained.values()),
        kept=sum(size for name, size in trained.items() if name in kept) - pruned,
        bank=sum(size for name, size in sizes.items() if name.startswith(_BANK)),
        total=sum(sizes.values()),
        parts=parts,
    )


_BANK = "semantic.class_prompts"
_PART_NAMES = {
    "prompts": "visual prompts",
    "location": "visual prompts",
    "key_values": "key-value prompts",
    "hidden": "hidden layers",
    "side": "side network",
    "head": "sample head",
    "learned": "learned proxies",
    "dynamics": "prompt dynamics",
    "criterion": "weights of the loss",
    _BANK: "class prompts",
    "semantic.head": "semantic head",
    "semantic.accumulate": "accumulation unit",
}


def _part(name: str, whole: bool) -> str:
    """What a report calls the part that a trained parameter belongs to; ``whole``: the backbone's matrices train."""
    if not name.startswith("vit."):
        return next(title for start, title in _PART_NAMES.items() if name == start or name.startswith(f"{start}."))
    if ".adapter." in name:
        return "adapters"
    if ".lora_" in name:
        return "low-rank updates"
    if is_bias(name):
        return "backbone biases"
    if not whole and name == "vit.cls_token":
        return "backbone CLS"
    return "backbone norms" if not whole and ".norm" in name else "backbone weights"
