"""The model: a frozen backbone, what the method adds, and the two towers of VPTSP.

The sample tower embeds images and is all that retrieval needs. The semantic tower runs only in training:
the same images through the same backbone with class prompts instead of shared ones, accumulated into
semantic proxies.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.backbones import Backbone, parameter_names, set_trainable
from vptsp.config import Config
from vptsp.encoder import Encoded, embed_patches, encode
from vptsp.methods import METHODS
from vptsp.prompts import ClassPrompts, VisualPrompts, prompt_counts
from vptsp.proxies import ClassGroups, GatedUnit, MovingAverage, SemanticContainer, fuse, learned_proxies


@dataclass
class ModelOutput:
    """Everything a forward pass computed, by name.

    - ``embeddings`` (B, E): unit length.
    - ``proxies`` (C, E): fused (or plainly learned), as they enter the loss, not normalised.
    - ``learned`` (C, E), ``semantic`` (C, E): the two parts; ``semantic`` has unit rows.
    - ``semantic_features`` (B, E): unit features of the semantic tower, in training with labels only.
    - ``batch_semantic`` (U, E): this step's states of the batch's classes, in order of label, before
      they are normalised into the container; in training with labels only.
    - ``encoded``: the sample tower's transformer, with tokens and attention if they were asked for.
    """

    embeddings: Float[Tensor, "B E"]
    encoded: Encoded
    proxies: Float[Tensor, "C E"] | None = None
    learned: Float[Tensor, "C E"] | None = None
    semantic: Float[Tensor, "C E"] | None = None
    semantic_features: Float[Tensor, "B E"] | None = None
    batch_semantic: Float[Tensor, "U E"] | None = None


@dataclass(frozen=True)
class ParameterCounts:
    """Parameters, in numbers: what training changes, what retrieval keeps, and the whole.

    ``trained`` includes the class-prompt bank; ``kept`` is what must be stored beside the frozen backbone
    to embed images; ``bank`` is the class prompts of all classes; ``total`` everything, frozen included.
    """

    trained: int
    kept: int
    bank: int
    total: int
    parts: dict[str, int] = field(default_factory=dict)


class Head(nn.Module):
    """``LayerNorm -> Linear(D, E) -> L2 normalise`` on the backbone's feature."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, size)

    def forward(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B E"]:
        # Unit vectors in fp32: under autocast the linear layer returns half precision.
        return F.normalize(self.linear(self.norm(features)).float(), dim=1)


class CentredFeature(nn.Module):
    """No training: the backbone's feature minus its mean over the training images, L2-normalised."""

    mean: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B D"]:
        return F.normalize(features.float() - self.mean, dim=1)


class EmbeddingModel(nn.Module):
    """A backbone adapted by the method of ``config`` for ``num_classes`` training classes.

    Batches may come in any order, with any number of images per class. With ``num_classes`` none the
    model is for inference: it has the sample tower alone, without proxies and class prompts.
    """

    def __init__(self, config: Config, backbone: Backbone, num_classes: int | None) -> None:
        super().__init__()
        method = METHODS[config.method]
        self.config, self.method, self.backbone, self.num_classes = config, method, backbone, num_classes
        self.alpha, self.kernel = config.alpha, config.attention
        self.vit = backbone.vit
        self.bitfit = method.bitfit if config.bitfit is None else config.bitfit
        set_trainable(self.vit, parameter_names(self.vit, self.bitfit))

        blocks, width, size = backbone.depth, backbone.width, config.embedding_size
        counts = [config.num_prompts]
        if method.prompts == "deep":
            counts = prompt_counts(config.num_prompts, config.prompt_depth, config.prompt_step, blocks, "prompt_depth")
        self.prompts = VisualPrompts(counts if method.prompts != "none" else [], width)
        self.head = Head(width, size) if method.head else CentredFeature(width)
        self.learned = learned_proxies(num_classes, size) if method.trains and num_classes else None
        if method.semantic != "none" and num_classes:
            class_counts = prompt_counts(
                config.num_class_prompts,
                config.class_prompt_depth,
                config.class_prompt_step,
                blocks,
                "class_prompt_depth",
            )
            self.class_prompts = ClassPrompts(class_counts, width, num_classes, config.class_prompt_init)
            self.semantic_head = Head(width, size)
            self.container = SemanticContainer(num_classes, size)
            self.accumulate: MovingAverage | GatedUnit = (
                MovingAverage(config.ema_keep)
                if method.semantic == "ema"
                else GatedUnit(size, config.gru_activation, config.gru_dropout, config.store_dropped_state)
            )

    def forward(
        self,
        images: Float[Tensor, "B 3 S S"],
        labels: Int[Tensor, " B"] | None = None,
        *,
        want_tokens: bool = False,
        want_attention: bool = False,
    ) -> ModelOutput:
        """Embed images; in training mode with ``labels`` also update the semantic proxies from them."""
        tokens = embed_patches(self.vit, images)
        prompts = self.prompts()
        shallow = self.method.prompts == "shallow"
        encoded = encode(
            self.backbone,
            tokens,
            () if shallow else prompts,
            shallow=prompts if shallow else (),
            kernel=self.kernel,
            want_tokens=want_tokens,
            want_attention=want_attention,
        )
        output = ModelOutput(embeddings=self.head(encoded.features), encoded=encoded)
        if self.learned is None:
            return output
        output.proxies = output.learned = self.learned
        if self.method.semantic == "none":
            return output
        output.semantic = self.container.rows
        if self.training and labels is not None:
            self._semantic_tower(tokens, labels, output)
        output.proxies = fuse(self.learned, output.semantic, self.alpha)
        return output

    def _semantic_tower(self, tokens: Tensor, labels: Tensor, output: ModelOutput) -> None:
        """VPTSP section 4: class prompts only, no shared ones; own head; gradient through this step's rows."""
        groups = ClassGroups.of(labels)
        encoded = encode(self.backbone, tokens, self.class_prompts(groups.classes), groups.index, kernel=self.kernel)
        output.semantic_features = features = self.semantic_head(encoded.features)
        with torch.autocast(features.device.type, enabled=False):  # a few small products, kept exact
            used, stored = self.accumulate(self.container.rows[groups.classes], features, groups)
            output.batch_semantic = used
            output.semantic = self.container.update(groups.classes, used, stored)

    def loss_proxies(self, output: ModelOutput, labels: Int[Tensor, " B"], which: str) -> tuple[Tensor, Tensor]:
        """Proxies that enter the loss and, for each image, the row of its own: ``(proxies, targets)``.

        ``which`` is ``all`` for all C classes, or ``batch`` for the classes of the batch. The latter fuses the
        accumulated states before they are normalised, as the published code does in that mode.
        """
        assert output.learned is not None, f"{self.method.name} has no proxies"
        assert output.proxies is not None
        if which == "all":
            return output.proxies, labels
        classes, targets = labels.unique(return_inverse=True)
        if output.batch_semantic is None:
            return output.proxies[classes], targets
        return fuse(output.learned[classes], output.batch_semantic, self.alpha), targets

    def train(self, mode: bool = True) -> EmbeddingModel:
        """Training mode, except for the backbone, which stays in evaluation mode: it is frozen."""
        super().train(mode)
        self.vit.eval()
        return self

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Trainable parameters: the learned proxies, which have their own learning rate, and all others."""
        others = [p for name, p in self.named_parameters() if p.requires_grad and name != "learned"]
        return [] if self.learned is None else [self.learned], others

    def kept_names(self) -> list[str]:
        """Names of what retrieval needs beside the frozen backbone: prompts, tuned biases, head."""
        trained = {name for name, p in self.named_parameters() if p.requires_grad}
        return [
            name
            for name in self.state_dict()
            if name.startswith(("prompts.", "head.")) or (name.startswith("vit.") and name in trained)
        ]

    def counts(self) -> ParameterCounts:
        """Count parameters by what becomes of them."""
        sizes = {name: p.numel() for name, p in self.named_parameters()}
        trained = {name: p.numel() for name, p in self.named_parameters() if p.requires_grad}
        kept = set(self.kept_names())
        parts: dict[str, int] = {}
        for name, size in trained.items():
            part = "backbone biases" if name.startswith("vit.") else _PART_NAMES[name.split(".")[0]]
            parts[part] = parts.get(part, 0) + size
        return ParameterCounts(
            trained=sum(trained.values()),
            kept=sum(size for name, size in trained.items() if name in kept),
            bank=sum(size for name, size in sizes.items() if name.startswith("class_prompts.")),
            total=sum(sizes.values()),
            parts=parts,
        )


_PART_NAMES = {
    "prompts": "visual prompts",
    "head": "sample head",
    "learned": "learned proxies",
    "class_prompts": "class prompts",
    "semantic_head": "semantic head",
    "accumulate": "accumulation unit",
}
