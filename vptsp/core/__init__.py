"""VPTSP as a library: prompted backbones, semantic proxies, accumulators, losses, and the model that joins them.

Plain constructor arguments; no configuration object, no training engine, no files but weights. It needs torch and timm
(numpy for class prompts in a bank, torchvision for the side network, peft for LoRA) and nothing else of the workbench,
so the folder can be lifted out. A step of VPTSP-G (Ren et al., ICLR 2024, arXiv 2402.02340) in a loop of your own:

>>> import torch
>>> from vptsp import core
>>> classes, size = 10, 64
>>> backbone = core.load_backbone("vit_bundled_64")  # any timm ViT or Swin by name, frozen
>>> core.set_trainable(backbone.vit, core.parameter_names(backbone, bitfit=True))
>>> model = core.EmbeddingModel(
...     backbone,
...     core.Head(backbone.width, size),
...     prompts=core.VisualPrompts([10] * backbone.depth, backbone.widths),
...     learned=core.learned_proxies(classes, size),
...     semantic=core.SemanticTower(
...         core.SemanticContainer(classes, size),
...         core.GatedUnit(size),
...         class_prompts=core.ClassPrompts([3] * backbone.depth, backbone.widths, classes),
...         head=core.Head(backbone.width, size),
...     ),
... ).train()
>>> optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
>>> images, labels = torch.randn(8, 3, 64, 64), torch.tensor([3, 3, 1, 1, 7, 7, 0, 0])
>>> output = model(images, labels)
>>> core.proxy_anchor(output.embeddings, labels, output.proxies).backward()
>>> optimizer.step()

Read ``model.py`` first: it joins ``backbones/``, ``prompts/``, ``proxies/`` (with ``semantic_tower.py``) and
``heads.py``; ``losses/`` compares what comes out, ``guidance/`` is DA-VPT's, whose prompts speak for groups of classes,
``initial_values.py`` sets head and proxies from features before the first step. Names are imported when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vptsp.core.lazy import lazy

if TYPE_CHECKING:
    from vptsp.core.adapters import add_adapters as add_adapters
    from vptsp.core.adapters import add_lora as add_lora
    from vptsp.core.backbones import FAMILIES as FAMILIES
    from vptsp.core.backbones import Backbone as Backbone
    from vptsp.core.backbones import Encoded as Encoded
    from vptsp.core.backbones import Family as Family
    from vptsp.core.backbones import load_backbone as load_backbone
    from vptsp.core.backbones import parameter_names as parameter_names
    from vptsp.core.backbones import set_trainable as set_trainable
    from vptsp.core.encoder import embed_patches as embed_patches
    from vptsp.core.encoder import encode as encode
    from vptsp.core.guidance.guide import PromptGuide as PromptGuide
    from vptsp.core.guidance.loss import guided_loss as guided_loss
    from vptsp.core.guidance.prompts import GuidedPrompts as GuidedPrompts
    from vptsp.core.heads import CentredFeature as CentredFeature
    from vptsp.core.heads import Classifier as Classifier
    from vptsp.core.heads import Head as Head
    from vptsp.core.initial_values import class_means as class_means
    from vptsp.core.initial_values import start_as_mean as start_as_mean
    from vptsp.core.initial_values import start_isometric as start_isometric
    from vptsp.core.initial_values import start_whitened as start_whitened
    from vptsp.core.losses import LOSSES as LOSSES
    from vptsp.core.losses import image_anchor as image_anchor
    from vptsp.core.losses import make_loss as make_loss
    from vptsp.core.losses import normalized_softmax as normalized_softmax
    from vptsp.core.losses import proxy_anchor as proxy_anchor
    from vptsp.core.losses import proxy_nca as proxy_nca
    from vptsp.core.model import EmbeddingModel as EmbeddingModel
    from vptsp.core.model import ModelOutput as ModelOutput
    from vptsp.core.parameter_counts import ParameterCounts as ParameterCounts
    from vptsp.core.prompts.classes import ClassPromptRows as ClassPromptRows
    from vptsp.core.prompts.classes import ClassPrompts as ClassPrompts
    from vptsp.core.prompts.key_values import KeyValuePrompts as KeyValuePrompts
    from vptsp.core.prompts.locations import make_location as make_location
    from vptsp.core.prompts.pruning import PrunablePrompts as PrunablePrompts
    from vptsp.core.prompts.visual import VisualPrompts as VisualPrompts
    from vptsp.core.prompts.visual import prompt_counts as prompt_counts
    from vptsp.core.proxies import ACCUMULATORS as ACCUMULATORS
    from vptsp.core.proxies import GatedUnit as GatedUnit
    from vptsp.core.proxies import MovingAverage as MovingAverage
    from vptsp.core.proxies import SemanticContainer as SemanticContainer
    from vptsp.core.proxies import fuse as fuse
    from vptsp.core.proxies import learned_proxies as learned_proxies
    from vptsp.core.semantic_tower import SemanticTower as SemanticTower

_HOMES = {
    "adapters": ("add_adapters", "add_lora"),
    "backbones": (
        "FAMILIES",
        "Backbone",
        "Encoded",
        "Family",
        "load_backbone",
        "parameter_names",
        "set_trainable",
    ),
    "parameter_counts": ("ParameterCounts",),
    "encoder": ("embed_patches", "encode"),
    "guidance.guide": ("PromptGuide",),
    "guidance.loss": ("guided_loss",),
    "guidance.prompts": ("GuidedPrompts",),
    "heads": ("CentredFeature", "Classifier", "Head"),
    "losses": ("LOSSES", "image_anchor", "make_loss", "normalized_softmax", "proxy_anchor", "proxy_nca"),
    "model": ("EmbeddingModel", "ModelOutput"),
    "prompts.classes": ("ClassPromptRows", "ClassPrompts"),
    "prompts.key_values": ("KeyValuePrompts",),
    "prompts.locations": ("make_location",),
    "prompts.pruning": ("PrunablePrompts",),
    "prompts.visual": ("VisualPrompts", "prompt_counts"),
    "proxies": ("ACCUMULATORS", "GatedUnit", "MovingAverage", "SemanticContainer", "fuse", "learned_proxies"),
    "semantic_tower": ("SemanticTower",),
    "initial_values": ("class_means", "start_as_mean", "start_isometric", "start_whitened"),
}
__all__ = sorted(name for names in _HOMES.values() for name in names)
__getattr__ = lazy(__name__, _HOMES)
