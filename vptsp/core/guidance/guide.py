"""The guide: which class is of which guided prompt, and what pulls prompts and images together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.core.backbones.family import Grid
from vptsp.core.backbones.load import Backbone
from vptsp.core.backbones.plain import PlainViT
from vptsp.core.errors import BackboneError, ConfigError
from vptsp.core.guidance.features import cls_projection, patch_mean, prompt_outputs
from vptsp.core.guidance.loss import GuidedForm, guided_loss
from vptsp.core.guidance.mapping import MappingNorm, balanced, map_classes, normalise, random_rows

MappedBy = Literal["kmeans", "balanced", "identity"]
PatchFeature = Literal["patch_mean", "prompt_output"]
ClsFeature = Literal["query", "key", "cls"]


@dataclass(frozen=True)
class GuidedLosses:
    """Unweighted losses of the G guided blocks, for the image's patches and for its CLS."""

    patch: Float[Tensor, " G"]
    cls: Float[Tensor, " G"]


class PromptGuide(nn.Module):
    """The guidance of DA-VPT (arXiv 2505.23694) for C classes and P guided prompts in each of G blocks.

    ``guided = mean over guided blocks of (patch_weight l(patch) + cls_weight l(cls))`` with l of
    :func:`~vptsp.core.guidance.loss.guided_loss`; it is added to the loss of the task. Nothing is detached.

    - ``patch_feature``: the ``patch_mean`` of the image's tokens, or the ``prompt_output``: what attention gives at the
      prompt of the image's class (``image_only``: from the image's tokens alone). The published options name the
      latter, the published code always takes the former.
    - ``cls_feature``: CLS's ``query`` or ``key`` in the block, or the token itself (``cls``).
    - ``form``, ``ratio``: of the loss.
    - ``mapped_by``: ``kmeans`` over class means (:meth:`start`, :meth:`remap`), normalised by ``mapping_norm``;
      ``balanced`` (class mod P) or ``identity`` (one prompt a class). Before :meth:`start` k-means is balanced.
    - ``unseen``: classes of which no image was seen since the last mapping ``keep`` their prompt, or get a ``random``
      one, as published.

    While it is ``observing``, a model's training passes are counted into the class means of the next mapping.

    What it learns of the classes are buffers: ``mapping`` (C,), ``centroids`` (P, D), and ``sums`` (C, D) and ``seen``
    (C,) of the features since the last mapping. It serves training alone. Raises :class:`ConfigError` for more prompts
    than classes, and for ``identity`` with fewer.
    """

    mapping: Tensor
    centroids: Tensor
    sums: Tensor
    seen: Tensor

    def __init__(
        self,
        num_classes: int,
        prompts: int,
        width: int,
        blocks: Sequence[int],
        *,
        patch_weight: float = 0.05,
        cls_weight: float = 0.05,
        patch_feature: PatchFeature = "patch_mean",
        image_only: bool = False,
        cls_feature: ClsFeature = "query",
        form: GuidedForm = "proxy_anchor",
        ratio: float = 1.0,
        mapped_by: MappedBy = "kmeans",
        mapping_norm: MappingNorm = "layer",
        unseen: Literal["random", "keep"] = "keep",
    ) -> None:
        super().__init__()
        if prompts > num_classes:
            raise ConfigError(
                f"num_guided_prompts={prompts} is more than the {num_classes} classes they speak for; legal: 1 to "
                f"{num_classes}, with class_mapping=identity one for each"
            )
        if mapped_by == "identity" and prompts < num_classes:
            raise ConfigError(
                f"class_mapping='identity' gives each of {num_classes} classes a prompt of its own, and "
                f"num_guided_prompts={prompts}; use num_guided_prompts={num_classes}, or class_mapping=kmeans"
            )
        self.blocks, self.prompts = list(blocks), prompts
        self.patch_weight, self.cls_weight = patch_weight, cls_weight
        self.patch_feature, self.image_only, self.cls_feature = patch_feature, image_only, cls_feature
        self.form, self.ratio = form, ratio
        self.mapped_by, self.mapping_norm, self.unseen = mapped_by, mapping_norm, unseen
        self.observing = False
        self.register_buffer("mapping", balanced(num_classes, prompts))
        self.register_buffer("centroids", torch.zeros(prompts, width))
        self.register_buffer("sums", torch.zeros(num_classes, width))
        self.register_buffer("seen", torch.zeros(num_classes))

    @property
    def active(self) -> bool:
        """Whether any weight is above 0; otherwise prompts of all blocks are plain ones."""
        return self.patch_weight > 0 or self.cls_weight > 0

    def features(
        self,
        backbone: Backbone,
        entering: Sequence[Float[Tensor, "B T D"]],
        prompts: Float[Tensor, "G P D"],
        labels: Int[Tensor, " B"],
        grid: Grid | None = None,
    ) -> Float[Tensor, "B G 2 D"]:
        """What of each image is compared with the prompts of each guided block: of its patches, and of its CLS.

        ``entering``: the tokens that enter each of the backbone's blocks. Raises :class:`BackboneError` for a backbone
        without a CLS token that goes through all blocks.
        """
        family, prefix = backbone.family, backbone.num_prefix
        if not isinstance(family, PlainViT) or not family.guides(backbone.vit):
            raise BackboneError(
                f"guided prompts follow a CLS token through all blocks, and {backbone.name} "
                f"({type(backbone.vit).__name__}) has none; choose a plain vision transformer with CLS"
            )
        blocks, rows = backbone.blocks, []
        places = family.places(backbone.vit, grid) if self.patch_feature == "prompt_output" else []
        for own, index in zip(prompts, self.blocks, strict=True):
            block, tokens = blocks[index], entering[index]
            if self.patch_feature == "prompt_output":
                of_image = self.mapping[labels]
                place = places[index]
                patch = prompt_outputs(family, block, tokens, own, of_image, prefix, place, self.image_only)
            else:
                patch = patch_mean(tokens, prefix)
            cls = cls_projection(family, block, tokens, self.cls_feature)
            rows.append(torch.stack([patch.float(), cls.float()], dim=1))
        return torch.stack(rows, dim=1)

    def losses(
        self, features: Float[Tensor, "B G 2 D"], prompts: Float[Tensor, "G P D"], labels: Int[Tensor, " B"]
    ) -> GuidedLosses:
        """The losses of each block, in fp32 under every precision."""
        own = self.mapping[labels]
        with torch.autocast(features.device.type, enabled=False):
            made = [
                guided_loss(features[:, block, which].float(), own, rows.float(), form=self.form, ratio=self.ratio)
                for which in (0, 1)
                for block, rows in enumerate(prompts)
            ]
            patch, cls = torch.stack(made).chunk(2)
        return GuidedLosses(patch, cls)

    def weighted(self, losses: GuidedLosses) -> Float[Tensor, ""]:
        """What is added to the loss of the task."""
        return (self.patch_weight * losses.patch + self.cls_weight * losses.cls).mean()

    # --- which class is of which prompt ------------------------------------------------------------
    @torch.no_grad()
    def observe(self, features: Float[Tensor, "B D"], labels: Int[Tensor, " B"]) -> None:
        """Count features into the class means of the next mapping."""
        self.sums.index_add_(0, labels, features.detach().float())
        self.seen.index_add_(0, labels, torch.ones_like(labels, dtype=self.seen.dtype))

    @torch.no_grad()
    def means(self) -> Float[Tensor, "C D"]:
        """Class means of what was observed; rows of classes that were not are 0."""
        return self.sums / self.seen.clamp_min(1).unsqueeze(1)

    def forget(self) -> None:
        """Begin new class means."""
        self.sums.zero_()
        self.seen.zero_()

    @torch.no_grad()
    def start(self, generator: torch.Generator, rows: Float[Tensor, "P D"] | None = None) -> None:
        """The first mapping, from what was observed: k-means from random class means, or from ``rows``.

        Does nothing but forget for mappings that look at nothing. Raises :class:`ConfigError` where fewer classes than
        prompts were observed.
        """
        if self.mapped_by == "kmeans":
            points = normalise(self.means().cpu()[self.seen.cpu() > 0], self.mapping_norm)
            self._map(random_rows(points, self.prompts, generator) if rows is None else rows, generator)
        self.forget()

    @torch.no_grad()
    def remap(self, generator: torch.Generator) -> None:
        """The next mapping, from what was observed since: k-means from the centroids there are.

        Where all classes would fall to one prompt, the mapping stays, and the centroids become random class means.
        """
        if self.mapped_by == "kmeans" and bool((self.seen > 0).any()):
            before = self.mapping
            self._map(self.centroids.cpu(), generator)
            if self.prompts > 1 and len(self.mapping.unique()) == 1:
                points = normalise(self.means().cpu()[self.seen.cpu() > 0], self.mapping_norm)
                fresh = points[torch.randint(len(points), (self.prompts,), generator=generator)]
                self.mapping, self.centroids = before, fresh.to(self.centroids)
        self.forget()

    def _map(self, start: Tensor, generator: torch.Generator) -> None:
        """On the CPU, so that every device maps alike."""
        drawn = torch.randint(self.prompts, (len(self.mapping),), generator=generator)
        unseen = self.mapping.cpu() if self.unseen == "keep" else drawn
        found = map_classes(self.means().cpu(), self.seen.cpu() > 0, start, self.mapping_norm, unseen)
        self.mapping = found.of_class.to(self.mapping.device)
        self.centroids = found.centroids.to(self.centroids)
