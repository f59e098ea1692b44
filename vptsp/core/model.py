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

from vptsp.core.adapters import add_adapters, add_lora
from vptsp.core.backbones.load import Backbone, is_bias, parameter_names, set_trainable
from vptsp.core.encoder import Encoded, embed_patches, encode
from vptsp.core.heads import CentredFeature, Classifier, Head, HiddenLayers, SideNetwork
from vptsp.core.losses.losses import cosine_similarities
from vptsp.core.prompts.learned import ClassPromptRows, ClassPrompts, VisualPrompts, prompt_counts
from vptsp.core.prompts.locations import AddedPrompts, ChannelPrompts, FramePrompts, PixelPrompts, make_location
from vptsp.core.proxies.accumulators import UNITS, GatedUnit, MovingAverage
from vptsp.core.proxies.container import ClassGroups, SemanticContainer, fuse, learned_proxies
from vptsp.settings.config import Config
from vptsp.settings.fitting import require_fitting
from vptsp.settings.methods import METHODS


@dataclass
class ModelOutput:
    """Everything a forward pass computed, by name.

    - ``embeddings`` (B, E): unit length.
    - ``proxies`` (C, E): fused (or plainly learned), as they enter the loss, not normalised.
    - ``learned`` (C, E), ``semantic`` (C, E): the two parts; ``semantic`` has unit rows.
    - ``semantic_features`` (B, E): unit features of the semantic tower, in training with labels only.
    - ``batch_semantic`` (U, E): this step's states of the batch's classes, in order of label, before
      they are normalised into the container; in training with labels only.
    - ``logits`` (B, C): class scores, in closed-set recognition only.
    - ``encoded``: the sample tower's transformer, with tokens and attention if they were asked for.
    """

    embeddings: Float[Tensor, "B E"]
    encoded: Encoded
    proxies: Float[Tensor, "C E"] | None = None
    learned: Float[Tensor, "C E"] | None = None
    semantic: Float[Tensor, "C E"] | None = None
    semantic_features: Float[Tensor, "B E"] | None = None
    batch_semantic: Float[Tensor, "U E"] | None = None
    logits: Float[Tensor, "B C"] | None = None


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


class EmbeddingModel(nn.Module):
    """A backbone adapted by the method of ``config`` for ``num_classes`` training classes.

    Batches may come in any order, with any number of images per class. With ``inference``, or ``num_classes`` none,
    the model has only what embeds (and, in recognition, classifies) images.
    """

    def __init__(self, config: Config, backbone: Backbone, num_classes: int | None, inference: bool = False) -> None:
        super().__init__()
        method = METHODS[config.method]
        self.config, self.method, self.backbone, self.num_classes = config, method, backbone, num_classes
        self.alpha, self.kernel, self.recompute = config.alpha, config.attention, config.activation_checkpointing
        self.vit = backbone.vit
        self.bitfit = method.bitfit if config.bitfit is None else config.bitfit
        require_fitting(config, backbone)
        _ = backbone.fingerprint  # of the weights as they come, before anything is put in or trained
        self._tune_backbone(config)
        self._add_prompts(config)

        width, size = backbone.width, config.embedding_size
        if method.side:
            self.side = SideNetwork(width, "random" if inference else config.side_weights)  # all of it is kept
        if method.mlp:
            self.hidden = HiddenLayers(width, config.mlp_layers)
        closed = config.task == "recognition"
        # Recognition: a linear classifier, except where proxies are what the method is about.
        plain_classifier = closed and method.semantic == "none"
        self.head: Head | CentredFeature | Classifier = CentredFeature(width)
        if plain_classifier:
            assert num_classes is not None, "a classifier needs the number of classes"
            self.head = Classifier(width, num_classes)
        elif method.head:
            self.head = Head(width, size)
        has_proxies = method.trains and num_classes and not plain_classifier and (closed or not inference)
        self.learned = learned_proxies(num_classes, size) if has_proxies and num_classes else None
        if method.semantic != "none" and self.learned is not None:
            self.container = SemanticContainer(len(self.learned), size)
            if not inference:
                self._add_semantic_tower(config, len(self.learned))

    def _tune_backbone(self, config: Config) -> None:
        backbone, method = self.backbone, self.method
        names = parameter_names(backbone, method.tunes, self.bitfit, config.partial_blocks)
        set_trainable(self.vit, names)
        tuned = [parameter for parameter in self.vit.parameters() if parameter.requires_grad]
        if method.adapter != "none":
            place, norm = config.adapter_place, config.adapter_norm
            add_adapters(backbone, config.adapter_size, config.adapter_depth, place, norm, method.adapter)
        if method.lora:
            add_lora(backbone, config.lora_rank, config.lora_alpha, config.lora_targets)
        for parameter in tuned:
            parameter.requires_grad_(True)  # peft has frozen everything but its own

    def _add_prompts(self, config: Config) -> None:
        backbone, method, where = self.backbone, self.method, config.prompt_location
        self.location: nn.Module | None = None
        counts: list[int] = []
        if method.prompts != "none" and where != "prepend":
            depth = 1 if method.prompts == "shallow" else config.prompt_depth or backbone.depth
            self.location = make_location(where, backbone, config.num_prompts, depth)
        elif method.prompts == "shallow":
            counts = [config.num_prompts]
        elif method.prompts == "deep":
            counts = prompt_counts(
                config.num_prompts, config.prompt_depth, config.prompt_step, backbone.depth, "prompt_depth",
                config.prompt_from,
            )  # fmt: skip
        self.prompts = VisualPrompts(
            counts, backbone.widths, config.prompt_shared, config.prompt_projection, config.prompt_dropout
        )

    def _add_semantic_tower(self, config: Config, num_classes: int) -> None:
        backbone, size = self.backbone, config.embedding_size
        self.source = config.semantic_source
        if self.source == "class_prompts":
            counts = prompt_counts(
                config.num_class_prompts, config.class_prompt_depth, config.class_prompt_step, backbone.depth,
                "class_prompt_depth",
            )  # fmt: skip
            self.class_prompts: ClassPrompts | ClassPromptRows
            if config.class_prompt_updates == "dense":
                self.class_prompts = ClassPrompts(counts, backbone.widths, num_classes, config.class_prompt_init)
            else:
                self.class_prompts = ClassPromptRows(
                    counts, backbone.widths, num_classes, config.class_prompt_init, seed=config.seed,
                    slots=config.optimizer_slots, place=config.class_prompts_on,
                )  # fmt: skip
        if self.source != "samples":
            self.semantic_head = Head(backbone.width, size)
        self.accumulate: nn.Module
        if config.semantic_unit != "method":
            self.accumulate = UNITS[config.semantic_unit](size)
        elif self.method.semantic == "ema":
            self.accumulate = MovingAverage(config.ema_keep)
        else:
            self.accumulate = GatedUnit(size, config.gru_activation, config.gru_dropout, config.store_dropped_state)

    def forward(
        self,
        images: Float[Tensor, "B 3 S S"],
        labels: Int[Tensor, " B"] | None = None,
        *,
        want_tokens: bool = False,
        want_attention: bool = False,
    ) -> ModelOutput:
        """Embed images; in training mode with ``labels`` also update the semantic proxies from them."""
        if labels is not None:
            self.fetch(labels)
        towers = self.towers(images, labels, want_tokens=want_tokens, want_attention=want_attention)
        return self.with_proxies(towers, labels)

    def fetch(self, labels: Int[Tensor, " B"]) -> None:
        """Have the class prompts of a batch at hand, where they live in a bank; before :meth:`towers` sees its images.

        Nothing else needs to know where class prompts live.
        """
        if self.training and self.rows is not None:
            self.rows.fetch(labels.unique())

    def towers(
        self,
        images: Float[Tensor, "B 3 S S"],
        labels: Int[Tensor, " B"] | None = None,
        *,
        want_tokens: bool = False,
        want_attention: bool = False,
    ) -> ModelOutput:
        """What is computed of each image by itself: embedding, class scores of a classifier, semantic feature."""
        given = images
        deep, shallow, added = self.prompts(), [], []
        if self.method.prompts == "shallow":
            deep, shallow = [], deep
        if isinstance(self.location, (ChannelPrompts, FramePrompts)):
            images = self.location(images)
        elif isinstance(self.location, PixelPrompts):
            shallow = [self.location(self.vit)]
        elif isinstance(self.location, AddedPrompts):
            added = self.location()
        tokens = embed_patches(self.vit, images)
        encoded = encode(
            self.backbone,
            tokens,
            deep,
            shallow=shallow,
            added=added,
            kernel=self.kernel,
            want_tokens=want_tokens,
            want_attention=want_attention,
            recompute=self.recompute,
        )
        output = self._head_output(encoded, given)
        if self.training and labels is not None and self.learned is not None and self.method.semantic != "none":
            output.semantic_features = self._semantic_features(tokens, labels, output)
        return output

    def with_proxies(self, output: ModelOutput, labels: Int[Tensor, " B"] | None = None) -> ModelOutput:
        """Add what the loss compares with, computed of the batch as a whole; updates the semantic proxies."""
        if self.learned is None:
            return output
        output.proxies = output.learned = self.learned
        if self.method.semantic != "none":
            output.semantic = self.container.rows
            if output.semantic_features is not None and labels is not None:
                self._accumulate(output.semantic_features, labels, output)
            output.proxies = fuse(self.learned, output.semantic, self.alpha)
        if self.config.task == "recognition":
            with torch.autocast(output.embeddings.device.type, enabled=False):
                output.logits = self.config.loss_scale * cosine_similarities(output.embeddings, output.proxies)
        return output

    def _head_output(self, encoded: Encoded, images: Tensor) -> ModelOutput:
        features = encoded.features
        if self.method.side:
            features = self.side(images, features)
        if self.method.mlp:
            features = self.hidden(features)
        if isinstance(self.head, Classifier):
            embeddings = F.normalize(features.float(), dim=1)
            return ModelOutput(embeddings=embeddings, encoded=encoded, logits=self.head(features))
        return ModelOutput(embeddings=self.head(features), encoded=encoded)

    def _semantic_features(self, tokens: Tensor, labels: Tensor, output: ModelOutput) -> Tensor:
        """VPTSP section 4: class prompts only, no shared ones; own head."""
        if self.source == "samples":
            return output.embeddings
        if self.source == "class_prompts":
            groups = ClassGroups.of(labels)
            prompts = self.class_prompts(groups.classes)
            encoded = encode(self.backbone, tokens, prompts, groups.index, kernel=self.kernel, recompute=self.recompute)
            features: Tensor = self.semantic_head(encoded.features)
            return features
        shared = output.encoded.features
        features = self.semantic_head(shared if self.source == "encoder" else shared.detach())
        return features

    def _accumulate(self, features: Tensor, labels: Tensor, output: ModelOutput) -> None:
        """Fold features into the rows of their classes; the gradient goes through this step's rows."""
        groups = ClassGroups.of(labels)
        with torch.autocast(features.device.type, enabled=False):  # a few small products, kept exact
            used, stored = self.accumulate(self.container.rows[groups.classes], features, groups)
            output.batch_semantic = used
            output.semantic = self.container.update(groups.classes, used, stored)

    @property
    def rows(self) -> ClassPromptRows | None:
        """The class prompts, where they live in a bank."""
        prompts = getattr(self, "class_prompts", None)
        return prompts if isinstance(prompts, ClassPromptRows) else None

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

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Trainable parameters by learning rate: ``proxies`` (learned ones), ``backbone`` (its weights), ``others``.

        Biases tuned alone (BitFit), adapters and low-rank updates count as ``others``, as published.
        """
        groups: dict[str, list[nn.Parameter]] = {"others": [], "backbone": [], "proxies": []}
        whole = self.method.tunes != "none"
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                own = name.startswith("vit.") and (whole or self._is_widened(name))
                groups["proxies" if name == "learned" else "backbone" if own else "others"].append(parameter)
        return groups

    def _is_widened(self, name: str) -> bool:
        """Whether a parameter belongs to the patch embedding that trains because channels were added."""
        return isinstance(self.location, ChannelPrompts) and name.startswith("vit.patch_embed.")

    def kept_names(self) -> list[str]:
        """Names of what inference needs beside the frozen backbone: prompts, what is tuned in the backbone, heads.

        In recognition by proxies also the proxies, learned and semantic.
        """
        trained = {name for name, p in self.named_parameters() if p.requires_grad}
        kept = ["prompts.", "location.", "head.", "hidden.", "side."]
        if self.config.task == "recognition":
            kept += ["learned", "container."]
        return [
            name
            for name in self.state_dict()
            if name.startswith(tuple(kept)) or (name.startswith("vit.") and name in trained)
        ]

    def counts(self) -> ParameterCounts:
        """Count parameters by what becomes of them."""
        sizes = {name: p.numel() for name, p in self.named_parameters()}
        trained = {name: p.numel() for name, p in self.named_parameters() if p.requires_grad}
        if self.rows is not None:
            sizes["class_prompts"] = trained["class_prompts"] = self.rows.numel
        kept = set(self.kept_names())
        parts: dict[str, int] = {}
        for name, size in trained.items():
            parts[_part(name)] = parts.get(_part(name), 0) + size
        return ParameterCounts(
            trained=sum(trained.values()),
            kept=sum(size for name, size in trained.items() if name in kept),
            bank=sum(size for name, size in sizes.items() if _top(name) == "class_prompts"),
            total=sum(sizes.values()),
            parts=parts,
        )


def _top(name: str) -> str:
    return name.split(".")[0]


def _part(name: str) -> str:
    """What a report calls the part that a trained parameter belongs to."""
    if not name.startswith("vit."):
        return _PART_NAMES[_top(name)]
    if ".adapter." in name:
        return "adapters"
    if ".lora_" in name:
        return "low-rank updates"
    return "backbone biases" if is_bias(name) else "backbone weights"


_PART_NAMES = {
    "prompts": "visual prompts",
    "location": "visual prompts",
    "hidden": "hidden layers",
    "side": "side network",
    "head": "sample head",
    "learned": "learned proxies",
    "class_prompts": "class prompts",
    "semantic_head": "semantic head",
    "accumulate": "accumulation unit",
}
