"""The semantic tower of VPTSP: images through class prompts, accumulated into one semantic proxy per class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.core.backbones.attention import Kernel
from vptsp.core.backbones.family import Grid
from vptsp.core.backbones.load import Backbone
from vptsp.core.encoder import Encoded, encode
from vptsp.core.errors import ConfigError
from vptsp.core.heads import Head
from vptsp.core.prompts.classes import ClassPromptRows, ClassPrompts
from vptsp.core.proxies.container import SemanticContainer
from vptsp.core.proxies.groups import ClassGroups

Source = Literal["class_prompts", "encoder", "encoder_no_grad", "samples"]


@dataclass(frozen=True)
class Accumulated:
    """A step's semantic proxies: all C unit rows for the loss, and the U states of the batch before normalisation."""

    proxies: Float[Tensor, "C E"]
    batch: Float[Tensor, "U E"]


class SemanticTower(nn.Module):
    """Semantic proxies G (C, E) and what makes them (VPTSP sections 4.2 and 4.3, arXiv 2402.02340).

    ``s = head(encoder(x; class prompts of y))`` for each image, then ``G_c <- accumulate(G_c, the s of class c)``,
    made unit. It runs in training only; the container is what stays.

    - ``container``: the C unit rows.
    - ``source``: what ``s`` is: ``class_prompts`` (the method), ``encoder`` and ``encoder_no_grad`` (the sample
      tower's feature, with or without gradient) or ``samples`` (its embeddings); VPTSP table 5.
    - ``accumulate``: one of :data:`~vptsp.core.proxies.ACCUMULATORS`. Without it the proxies stay as they are.
    - ``class_prompts`` for the source of that name; ``head`` for all but ``samples``.

    Raises :class:`ConfigError` for a source without its parts.
    """

    def __init__(
        self,
        container: SemanticContainer,
        accumulate: nn.Module | None = None,
        *,
        source: Source = "class_prompts",
        class_prompts: ClassPrompts | ClassPromptRows | None = None,
        head: Head | None = None,
    ) -> None:
        super().__init__()
        if accumulate is not None:
            missing = [
                name
                for name, part, needed in (
                    ("class_prompts", class_prompts, source == "class_prompts"),
                    ("head", head, source != "samples"),
                )
                if needed and part is None
            ]
            if missing:
                raise ConfigError(f"a semantic tower of source={source!r} needs {' and '.join(missing)}; pass them")
        self.container, self.source = container, source
        self.class_prompts, self.head, self.accumulate = class_prompts, head, accumulate

    @property
    def rows(self) -> ClassPromptRows | None:
        """The class prompts, where they live in a bank."""
        return self.class_prompts if isinstance(self.class_prompts, ClassPromptRows) else None

    def features(
        self,
        backbone: Backbone,
        tokens: Float[Tensor, "B *T D"],
        labels: Int[Tensor, " B"] | None,
        sample: Float[Tensor, "B D_out"],
        embeddings: Float[Tensor, "B E"],
        *,
        grid: Grid | None = None,
        kernel: Kernel = "auto",
        recompute: bool = False,
    ) -> Float[Tensor, "B E"]:
        """``s`` of each image: class prompts only, no shared ones, and a head of its own (section 4).

        ``tokens`` enter the first block; ``sample`` is the sample tower's feature, ``embeddings`` what its head made.
        ``labels`` none: of classes that training never saw, through the mean of all classes' prompts. Raises
        ConfigError for those where class prompts live in a bank.
        """
        if self.source == "samples" or self.head is None:
            return embeddings
        if self.class_prompts is not None:
            if labels is not None:
                groups = ClassGroups.of(labels)
                prompts, index = self.class_prompts(groups.classes), groups.index
            elif isinstance(self.class_prompts, ClassPrompts):
                prompts, index = (
                    self.class_prompts.mean(),
                    torch.zeros(len(tokens), dtype=torch.long, device=tokens.device),
                )
            else:
                raise ConfigError(
                    "class prompts in a bank have no mean at hand; enrol by the mean of embeddings instead"
                )
            encoded: Encoded = encode(backbone, tokens, prompts, index, grid=grid, kernel=kernel, recompute=recompute)
            sample = encoded.features
        elif self.source == "encoder_no_grad":
            sample = sample.detach()
        features: Tensor = self.head(sample)
        return features

    def update(self, features: Float[Tensor, "B E"], labels: Int[Tensor, " B"]) -> Accumulated:
        """Fold features into the rows of their classes; the gradient goes through this step's rows."""
        if self.accumulate is None:
            raise ConfigError(
                "this semantic tower has no accumulator, so its proxies cannot be updated; pass accumulate"
            )
        groups = ClassGroups.of(labels)
        with torch.autocast(features.device.type, enabled=False):  # a few small products, kept exact
            used, stored = self.accumulate(self.container.rows[groups.classes], features, groups)
            return Accumulated(self.container.update(groups.classes, used, stored), used)

    def enrol(self, features: Float[Tensor, "B E"], labels: Int[Tensor, " B"]) -> Float[Tensor, "U E"]:
        """Unit semantic proxies of the classes that are distinct in ``labels``, which training never saw.

        As :meth:`update` makes them of a step's images, from the mean of a class's features on, where a trained class
        has its stored row. Nothing is stored.
        """
        if self.accumulate is None:
            raise ConfigError("this semantic tower has no accumulator, so it cannot make proxies; pass accumulate")
        groups = ClassGroups.of(labels)
        start = F.normalize(groups.mean(F.normalize(features, dim=1)), dim=1)
        _, stored = self.accumulate(start, features, groups)
        return F.normalize(stored, dim=1)
