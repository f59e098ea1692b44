"""The model: a frozen backbone, what is put around it, and the two towers of VPTSP.

The sample tower embeds images and is all that retrieval needs. The semantic tower runs only in training:
the same images through the same backbone with class prompts instead of shared ones, accumulated into
semantic proxies.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from vptsp.core.backbones.attention import Kernel, KeyValue
from vptsp.core.backbones.family import Grid, PooledPrompts
from vptsp.core.backbones.load import Backbone
from vptsp.core.backbones.stochastic_depth import DroppedPath
from vptsp.core.backbones.tuning import is_bias
from vptsp.core.encoder import Encoded, encode
from vptsp.core.errors import ConfigError
from vptsp.core.guidance.guide import PromptGuide
from vptsp.core.guidance.prompts import GuidedPrompts
from vptsp.core.heads import CentredFeature, Classifier, Head, HiddenLayers, SideNetwork
from vptsp.core.losses.criterion import Criterion
from vptsp.core.losses.similarity import cosine_similarities
from vptsp.core.parameter_counts import ParameterCounts, count_parameters
from vptsp.core.prompts.classes import ClassPromptRows
from vptsp.core.prompts.dynamics import PromptDynamics
from vptsp.core.prompts.key_values import KeyValuePrompts
from vptsp.core.prompts.locations import AddedPrompts, ChannelPrompts, FramePrompts, PixelPrompts
from vptsp.core.prompts.visual import VisualPrompts
from vptsp.core.proxies.fusion import fuse
from vptsp.core.semantic_tower import SemanticTower

Model = TypeVar("Model", bound="EmbeddingModel")
_INSIDE = ("vit.", "prompts.", "location.", "key_values.", "semantic.class_prompts.")  # what acts in the transformer


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
    - ``guided_features`` (B, G, 2, D): what the G guided blocks compare with their prompts, of patches and of CLS, and
      ``guided``, the weighted loss of it, which is added to that of the task; of guided prompts, in training with
      labels only.
    - ``dynamics``: what prompts lose by not following each other from block to block, which is added likewise.
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
    guided_features: Float[Tensor, "B G 2 D"] | None = None
    guided: Float[Tensor, ""] | None = None
    dynamics: Float[Tensor, ""] | None = None


class EmbeddingModel(nn.Module):
    """A backbone with prompts, a head and proxies; batches may come in any order, with any number of images per class.

    ``embedding = head(encoder(x; prompts))``, ``q = alpha O + (1 - alpha) G`` (VPTSP eq. 8).

    - ``backbone``: frozen, except for what :func:`~vptsp.core.backbones.tuning.set_trainable` or adapters train in it.
    - ``head``: from the backbone's feature (B, D) to unit embeddings (B, E), or a classifier (:mod:`vptsp.core.heads`).
    - ``prompts``: shared visual prompts, keys and values of each block; with ``prompts_travel`` those of the first
      block travel on as tokens (VPT-shallow). ``location``: prompts that enter elsewhere. ``key_values``: learned keys
      and values beside them (E2VPT).
    - ``hidden``, ``side``: networks before the head (VPT's baselines).
    - ``learned``: ordinary proxies O (C, E); ``semantic``: the tower of semantic proxies G; ``alpha``: O's share.
      With ``unit_proxies`` O enters at unit length, as G does, so that alpha is its share however long it grew.
    - ``feature_noise``: in training the head sees features with Gaussian noise, of this share of their own length.
    - ``class_scale``: class scores are this times the cosines with the proxies (closed-set recognition by proxies).
    - ``guide`` with :class:`~vptsp.core.guidance.prompts.GuidedPrompts`: guided prompts speak for classes (DA-VPT).
    - ``dynamics``: prompts of successive blocks follow one linear map (PAE).
    - ``criterion``: the loss, where it has weights or a memory of its own that must train and be kept with the rest.
    - ``pool_prompts``: under mean pooling the last block's prompts are pooled too, as MAE does in DA-VPT.
    - ``kernel``: attention kernel; ``recompute``: activations are computed again in the backward pass.

    With ``head_alone`` set nothing in the transformer trains for now, neither prompts nor weights, and it keeps no
    activations: head, learned proxies and what else comes after it do. Semantic proxies rest and are not compared with.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: Head | CentredFeature | Classifier,
        *,
        prompts: VisualPrompts | GuidedPrompts | None = None,
        prompts_travel: bool = False,
        location: nn.Module | None = None,
        key_values: KeyValuePrompts | None = None,
        hidden: HiddenLayers | None = None,
        side: SideNetwork | None = None,
        learned: nn.Parameter | None = None,
        semantic: SemanticTower | None = None,
        alpha: float = 0.5,
        unit_proxies: bool = False,
        feature_noise: float = 0.0,
        class_scale: float | None = None,
        guide: PromptGuide | None = None,
        dynamics: PromptDynamics | None = None,
        criterion: Criterion | None = None,
        pool_prompts: PooledPrompts | None = None,
        kernel: Kernel = "auto",
        recompute: bool = False,
    ) -> None:
        super().__init__()
        if semantic is not None and learned is None:
            raise ConfigError(
                "semantic proxies are fused with learned ones; pass learned, for example learned_proxies(C, E)"
            )
        if guide is not None and not isinstance(prompts, GuidedPrompts):
            raise ConfigError("a guide speaks of guided prompts; pass it with GuidedPrompts, or leave it out")
        _ = backbone.fingerprint  # of the weights as they come, before anything in it trains
        self.backbone, self.alpha, self.class_scale = backbone, alpha, class_scale
        self.unit_proxies, self.feature_noise = unit_proxies, feature_noise
        self.kernel, self.recompute, self.prompts_travel = kernel, recompute, prompts_travel
        self.vit = backbone.vit
        self.location, self.key_values = location, key_values
        self.prompts = VisualPrompts([], backbone.widths) if prompts is None else prompts
        self.side, self.hidden, self.head = side, hidden, head
        self.learned, self.semantic = learned, semantic
        self.guide, self.dynamics, self.criterion, self.pool_prompts = guide, dynamics, criterion, pool_prompts
        self.head_alone = False

    def forward(
        self,
        images: Float[Tensor, "B 3 H W"],
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
        images: Float[Tensor, "B 3 H W"],
        labels: Int[Tensor, " B"] | None = None,
        *,
        want_tokens: bool = False,
        want_attention: bool = False,
    ) -> ModelOutput:
        """What is computed of each image by itself: embedding, class scores of a classifier, semantic feature."""
        guides = self.training and labels is not None and self.guide and self.guide.active and not self.head_alone
        guide = self.guide if guides else None
        with torch.no_grad() if self.head_alone else contextlib.nullcontext():
            tokens, grid, encoded = self._encode(images, want_tokens or guide is not None, want_attention)
        output = self.head_output(encoded, images)
        if guide is not None and labels is not None:
            entering = [tokens, *encoded.tokens[:-1]]
            output.guided_features = guide.features(self.backbone, entering, self._guided(), labels, grid)
            if not want_tokens:
                encoded.tokens = []
        tower = self.semantic
        learns = self.training and labels is not None and not self.head_alone
        if learns and tower is not None and tower.accumulate is not None:
            output.semantic_features = tower.features(
                self.backbone,
                tokens,
                labels,
                encoded.features,
                output.embeddings,
                grid=grid,
                kernel=self.kernel,
                recompute=self.recompute,
            )
        return output

    def of_new_classes(self, images: Float[Tensor, "B 3 H W"]) -> tuple[Float[Tensor, "B E"], Float[Tensor, "B E"]]:
        """Embeddings, and semantic features as of classes that training never saw (:meth:`SemanticTower.features`).

        Raises ConfigError for a model without a semantic tower.
        """
        if self.semantic is None:
            raise ConfigError("this model has no semantic tower; enrol by the mean of embeddings instead")
        tokens, grid, encoded = self._encode(images)
        embeddings = self.head_output(encoded, images).embeddings
        return embeddings, self.semantic.features(
            self.backbone, tokens, None, encoded.features, embeddings, grid=grid, kernel=self.kernel
        )

    def head_features(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """What the head sees of images: the backbone's feature, through the networks before the head if any."""
        _, _, encoded = self._encode(images)
        return self._before_head(encoded, images)

    def _encode(
        self, images: Tensor, want_tokens: bool = False, want_attention: bool = False
    ) -> tuple[Tensor, Grid, Encoded]:
        """The tokens that enter the first block, their grid, and the sample tower's transformer."""
        deep, shallow, added = self.prompts(), [], []
        if self.prompts_travel:
            deep, shallow = [], deep
        if isinstance(self.location, (ChannelPrompts, FramePrompts)):
            images = self.location(images)
        elif isinstance(self.location, PixelPrompts):
            shallow = [self.location(self.vit)]
        elif isinstance(self.location, AddedPrompts):
            added = self.location()
        tokens, grid = self.backbone.family.embed(self.vit, images), self.backbone.grid(images)
        encoded = encode(
            self.backbone,
            tokens,
            deep,
            grid=grid,
            shallow=shallow,
            added=added,
            kernel=self.kernel,
            want_tokens=want_tokens,
            want_attention=want_attention,
            recompute=self.recompute,
            pool_prompts=self.pool_prompts,
            key_values=self.learned_key_values(),
        )
        return tokens, grid, encoded

    def learned_key_values(self) -> list[KeyValue]:
        """Learned keys and values of each block, as many blocks as have some; empty for models without."""
        return [] if self.key_values is None else self.key_values()

    def _guided(self) -> Float[Tensor, "G P D"]:
        assert isinstance(self.prompts, GuidedPrompts), "the constructor refuses a guide of other prompts"
        return self.prompts.proxies()

    def with_proxies(self, output: ModelOutput, labels: Int[Tensor, " B"] | None = None) -> ModelOutput:
        """Add what the loss compares with, computed of the batch as a whole; updates the semantic proxies, and what the
        guide knows of the classes."""
        if labels is not None and self.guide is not None and self.training:
            if self.guide.observing:
                self.guide.observe(output.encoded.features, labels)
            if output.guided_features is not None:
                own = self._guided()
                output.guided = self.guide.weighted(self.guide.losses(output.guided_features, own, labels))
        if labels is not None and self.dynamics is not None and self.training and not self.head_alone:
            output.dynamics = self.dynamics(self.prompts(dropped=False))
        if (learned := self.learned_part()) is None:
            return output
        output.proxies = output.learned = learned
        if self.semantic is not None and not (self.training and self.head_alone):
            output.semantic = self.semantic.container.rows
            if output.semantic_features is not None and labels is not None:
                now = self.semantic.update(output.semantic_features, labels)
                output.semantic, output.batch_semantic = now.proxies, now.batch
            output.proxies = fuse(learned, output.semantic, self.alpha if self.training else self.alpha_now)
        if self.class_scale is not None:
            with torch.autocast(output.embeddings.device.type, enabled=False):
                output.logits = self.class_scale * cosine_similarities(output.embeddings, output.proxies)
        return output

    @property
    def alpha_now(self) -> float:
        """The share of the learned proxies that is in force: 1 before semantic ones have begun."""
        return 1.0 if self.semantic is None or not self.semantic.container.has_begun else self.alpha

    def learned_part(self) -> Float[Tensor, "C E"] | None:
        """The learned proxies as they enter the fusion: with ``unit_proxies`` of unit length."""
        if self.learned is None:
            return None
        # A view and not the parameter itself: DistributedDataParallel would take an output without a graph for unused.
        return F.normalize(self.learned, dim=1) if self.unit_proxies else self.learned.view_as(self.learned)

    def _before_head(self, encoded: Encoded, images: Tensor) -> Tensor:
        features: Tensor = encoded.features
        if self.side is not None:
            features = self.side(images, features)
        return features if self.hidden is None else self.hidden(features)

    def head_output(self, encoded: Encoded, images: Float[Tensor, "B 3 H W"]) -> ModelOutput:
        """From the transformer's feature of images to their embeddings, whatever the method adds there."""
        return self._of_head(self._before_head(encoded, images), encoded)

    def from_head_features(self, features: Float[Tensor, "B D"]) -> ModelOutput:
        """What :meth:`forward` gives without labels, from what :meth:`head_features` gave."""
        return self.with_proxies(self._of_head(features, Encoded(features)))

    def backbone_features(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B D"]:
        """What the backbone says of images, with the prompts in it, before any network that comes after it."""
        return self._encode(images)[2].features

    def from_backbone_features(self, features: Float[Tensor, "B D"]) -> ModelOutput:
        """What :meth:`towers` gives without labels, from what :meth:`backbone_features` gave; without a side network,
        which sees images."""
        assert self.side is None, "a side network sees images"
        return self._of_head(features if self.hidden is None else self.hidden(features), Encoded(features))

    def _of_head(self, features: Tensor, encoded: Encoded) -> ModelOutput:
        if self.training and self.feature_noise:  # a random vector of D standard normals is sqrt(D) long
            share = self.feature_noise * features.shape[1] ** -0.5
            features = features + share * features.detach().norm(dim=1, keepdim=True) * torch.randn_like(features)
        if isinstance(self.head, Classifier):
            embeddings = F.normalize(features.float(), dim=1)
            return ModelOutput(embeddings=embeddings, encoded=encoded, logits=self.head(features))
        return ModelOutput(embeddings=self.head(features), encoded=encoded)

    def before_head(self) -> Iterator[tuple[str, Tensor]]:
        """Every weight and buffer that :meth:`head_features` depends on, by name, in a fixed order."""
        after = ("head.", "learned", "semantic.", "guide.", "dynamics.", "criterion.", "class_scale")
        # By every name they have: what towers share counts even if one that comes after the head lists it first.
        every = self.named_parameters(remove_duplicate=False), self.named_buffers(remove_duplicate=False)
        for name, value in itertools.chain(*every):
            if not name.startswith(after):
                yield name, value

    @property
    def rows(self) -> ClassPromptRows | None:
        """The class prompts, where they live in a bank."""
        return None if self.semantic is None else self.semantic.rows

    def loss_proxies(self, output: ModelOutput, labels: Int[Tensor, " B"], which: str) -> tuple[Tensor, Tensor]:
        """Proxies that enter the loss and, for each image, the row of its own: ``(proxies, targets)``.

        ``which`` is ``all`` for all C classes, or ``batch`` for the classes of the batch. The latter fuses the
        accumulated states before they are normalised, as the published code does in that mode.
        Raises :class:`ConfigError` for a model without proxies.
        """
        if output.learned is None or output.proxies is None:
            raise ConfigError("this model has no proxies for a loss to compare with; build it with learned proxies")
        if which == "all":
            return output.proxies, labels
        classes, targets = labels.unique(return_inverse=True)
        if output.batch_semantic is None:
            return output.proxies[classes], targets
        semantic = F.normalize(output.batch_semantic, dim=1) if self.unit_proxies else output.batch_semantic
        return fuse(output.learned[classes], semantic, self.alpha), targets

    def train(self: Model, mode: bool = True) -> Model:
        """Training mode, except for the backbone, which stays in evaluation mode: it is frozen. Paths that were put
        into it to be dropped are dropped in training."""
        super().train(mode)
        self.vit.eval()
        for module in self.vit.modules():
            if isinstance(module, DroppedPath):
                module.train(mode)
        return self

    def parameter_groups(self, inside_apart: bool = False, biases_apart: bool = False) -> dict[str, list[nn.Parameter]]:
        """Trainable parameters by learning rate: ``proxies`` (learned ones, and the weights of a loss), ``backbone``
        (its weights), ``others``; with ``inside_apart`` those of the others that act in the transformer are ``inside``,
        with ``biases_apart`` the backbone's biases among them ``biases``.

        Biases, norms and CLS tuned alone (BitFit, DA-VPT), adapters and low-rank updates count as ``others``, as
        published.
        """
        groups: dict[str, list[nn.Parameter]] = {
            "others": [],
            "inside": [],
            "biases": [],
            "backbone": [],
            "proxies": [],
        }
        trained = [(name, parameter) for name, parameter in self.named_parameters() if parameter.requires_grad]
        whole = self.tunes_weights
        for name, parameter in trained:
            own = name.startswith("vit.") and (whole or self._is_widened(name))
            of_classes = name == "learned" or name.startswith("criterion.")
            other = "inside" if inside_apart and name.startswith(_INSIDE) else "others"
            other = "biases" if biases_apart and _is_own_bias(name) else other
            groups["proxies" if of_classes else "backbone" if own else other].append(parameter)
        return groups

    @property
    def trains_inside(self) -> bool:
        """Whether anything that trains acts within the transformer: prompts of either tower, or weights in it."""
        named = self.named_parameters()
        return self.rows is not None or any(p.requires_grad and name.startswith(_INSIDE) for name, p in named)

    @property
    def tunes_weights(self) -> bool:
        """Whether matrices of the backbone's own train."""
        return any(p.requires_grad and self._is_weight(name, p) for name, p in self.named_parameters())

    def _is_weight(self, name: str, parameter: nn.Parameter) -> bool:
        """Whether a trained parameter is one of the backbone's own matrices: then its biases train as they do."""
        alone = is_bias(name) or parameter.dim() < 2 or name == "vit.cls_token"
        return name.startswith("vit.") and not _is_added(name) and not self._is_widened(name) and not alone

    def _is_widened(self, name: str) -> bool:
        """Whether a parameter belongs to the patch embedding that trains because channels were added."""
        return isinstance(self.location, ChannelPrompts) and name.startswith("vit.patch_embed.")

    def kept_names(self) -> list[str]:
        """Names of what inference needs beside the frozen backbone: prompts, what is tuned in the backbone, heads.

        In recognition by proxies also the proxies, learned and semantic.
        """
        trained = {name for name, p in self.named_parameters() if p.requires_grad}
        kept = ["prompts.", "location.", "key_values.", "head.", "hidden.", "side."]
        if self.class_scale is not None:
            kept += ["learned", "semantic.container."]
        return [
            name
            for name in self.state_dict()
            if name.startswith(tuple(kept)) or (name.startswith("vit.") and name in trained)
        ]

    def counts(self) -> ParameterCounts:
        """Count parameters by what becomes of them."""
        return count_parameters(self)


def _is_added(name: str) -> bool:
    """Whether a parameter within the backbone was put into it, as an adapter or a low-rank update."""
    return ".adapter." in name or ".lora_" in name


def _is_own_bias(name: str) -> bool:
    """Whether a parameter is a bias of the backbone itself."""
    return name.startswith("vit.") and is_bias(name) and not _is_added(name)
