"""From a configuration to a model: the only place that knows both settings and the core's constructors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from vptsp.core.adapters import add_adapters, add_lora
from vptsp.core.backbones.load import Backbone
from vptsp.core.backbones.stochastic_depth import drop_paths
from vptsp.core.backbones.tuned_parts import part_names
from vptsp.core.backbones.tuning import parameter_names, set_trainable
from vptsp.core.guidance.guide import PromptGuide
from vptsp.core.guidance.prompts import GuidedPrompts
from vptsp.core.heads import CentredFeature, Classifier, Head, HiddenLayers, SideNetwork
from vptsp.core.model import EmbeddingModel
from vptsp.core.prompts.classes import ClassPromptRows, ClassPrompts
from vptsp.core.prompts.dynamics import PromptDynamics, successive
from vptsp.core.prompts.key_values import KeyValuePrompts
from vptsp.core.prompts.locations import make_location
from vptsp.core.prompts.pruning import PrunablePrompts
from vptsp.core.prompts.visual import VisualPrompts, prompt_counts
from vptsp.core.proxies import ACCUMULATORS
from vptsp.core.proxies.container import SemanticContainer
from vptsp.core.proxies.fusion import learned_proxies
from vptsp.core.semantic_tower import SemanticTower
from vptsp.errors import ConfigError
from vptsp.settings.compatibility import require_compatible
from vptsp.settings.config import Config
from vptsp.settings.losses import build_criterion, needs_of
from vptsp.settings.losses import build_loss as build_loss
from vptsp.settings.methods import METHODS, Method

_SPREAD = 0.02  # of DA-VPT's classifier at start, as timm's


class ConfiguredModel(EmbeddingModel):
    """The core's model, with the settings it was built from."""

    config: Config
    method: Method
    bitfit: bool
    num_classes: int | None


def build_model(
    config: Config, backbone: Backbone, num_classes: int | None, inference: bool = False
) -> ConfiguredModel:
    """A backbone adapted by the method of ``config`` for ``num_classes`` training classes.

    With ``inference``, or ``num_classes`` none, the model has only what embeds (and, in recognition, classifies)
    images. Parts are made in a fixed order, so that a seed gives the same start in every version.
    Raises :class:`ConfigError` where the method does not fit the backbone.
    """
    require_compatible(config, backbone)
    _ = backbone.fingerprint  # of the weights as they come, before anything is put in or trained
    method = METHODS[config.method]
    bitfit = method.bitfit if config.bitfit is None else config.bitfit
    _tune(backbone, config, method, bitfit)
    location, prompts = _visual_prompts(backbone, config, method)
    key_values = _key_values(backbone, config) if method.key_values else None
    width, size = backbone.width, config.embedding_size
    side = SideNetwork(width, "random" if inference else config.side_weights) if method.side else None
    hidden = HiddenLayers(width, config.mlp_layers) if method.mlp else None

    closed = config.task == "recognition"
    plain_classifier = closed and method.semantic == "none"  # except where proxies are what the method is about
    head: Head | CentredFeature | Classifier = CentredFeature(width)
    if plain_classifier:
        if num_classes is None:
            raise ConfigError("task='recognition' needs the number of classes; pass num_classes")
        head = Classifier(width, num_classes, _SPREAD if method.guided else None)
    elif method.head:
        head = Head(width, size, whitens_input=config.whitens_input)

    learned: nn.Parameter | None = None
    semantic: SemanticTower | None = None
    has_loss = method.trains and bool(num_classes) and not closed and not inference
    by_proxies = closed or (has_loss and needs_of(config) == "proxies")
    if method.trains and num_classes and not plain_classifier and by_proxies:
        learned = learned_proxies(num_classes, size)
        if method.semantic != "none":
            container = SemanticContainer(num_classes, size)
            semantic = SemanticTower(container) if inference else _tower(backbone, config, method, container)

    model = ConfiguredModel(
        backbone,
        head,
        prompts=prompts,
        prompts_travel=method.prompts == "shallow",
        location=location,
        key_values=key_values,
        hidden=hidden,
        side=side,
        learned=learned,
        semantic=semantic,
        alpha=config.alpha,
        unit_proxies=config.proxy_length == "unit",
        feature_noise=config.feature_noise,
        class_scale=config.loss_scale if closed else None,
        guide=_guide(config, prompts, num_classes) if num_classes and not inference else None,
        dynamics=_dynamics(config, prompts) if prompts is not None and not inference else None,
        criterion=build_criterion(config, num_classes) if has_loss and num_classes else None,
        pool_prompts=None if config.pool_prompts == "none" else config.pool_prompts,
        kernel=config.attention,
        recompute=config.activation_checkpointing,
    )
    model.config, model.method, model.bitfit, model.num_classes = config, method, bitfit, num_classes
    return model


# --- parts ------------------------------------------------------------------------------------------
def _tune(backbone: Backbone, config: Config, method: Method, bitfit: bool) -> None:
    """What trains inside the backbone."""
    if config.tuned_parts is None:
        parts = part_names(backbone, method.tuned_parts, "skip")
    else:
        parts = part_names(backbone, config.tuned_parts)
    whole = parameter_names(backbone, method.tunes, bitfit, config.partial_blocks)
    set_trainable(backbone.vit, [*whole, *parts])
    if config.drop_path:
        drop_paths(backbone, config.drop_path)
    tuned = [parameter for parameter in backbone.vit.parameters() if parameter.requires_grad]
    if method.adapter != "none":
        place, norm = config.adapter_place, config.adapter_norm
        add_adapters(backbone, config.adapter_size, config.adapter_depth, place, norm, method.adapter)
    if method.lora:
        add_lora(backbone, config.lora_rank, config.lora_alpha, config.lora_targets)
    for parameter in tuned:
        parameter.requires_grad_(True)  # peft has frozen everything but its own


def _guided_prompts(backbone: Backbone, config: Config) -> GuidedPrompts:
    first, last = config.guided_blocks or (backbone.depth - 1, backbone.depth)
    return GuidedPrompts(
        config.num_guided_prompts,
        config.num_prompts,
        range(max(first, 1) - 1, last),
        backbone.widths,
        norm=config.prompt_norm,
        scale=config.prompt_spread,
        dropout=config.prompt_dropout,
    )


def _guide(config: Config, prompts: nn.Module, num_classes: int) -> PromptGuide | None:
    """What guides the prompts in training."""
    if not isinstance(prompts, GuidedPrompts):
        return None
    return PromptGuide(
        num_classes,
        config.num_guided_prompts,
        prompts.guided.shape[-1],
        prompts.guided_blocks,
        patch_weight=config.guided_patch_weight,
        cls_weight=config.guided_cls_weight,
        patch_feature=config.guided_patch,
        image_only=config.guided_sees == "see_image",
        cls_feature=config.guided_cls,
        form=config.guided_loss,
        ratio=config.guided_ratio,
        mapped_by=config.class_mapping,
        mapping_norm=config.mapping_norm,
        unseen=config.unseen_classes,
    )


def _dynamics(config: Config, prompts: VisualPrompts | GuidedPrompts) -> PromptDynamics | None:
    """What prompts of successive blocks are held to in training. Raises ConfigError where none hold equally many."""
    if config.prompt_dynamics == "none":
        return None
    pairs = successive(prompts(dropped=False))
    if len({before.shape[1] for before, _ in pairs}) != 1:
        raise ConfigError(
            "prompt_dynamics='linear' compares prompts of successive blocks, and no two of these hold equally many of "
            f"one width ({', '.join(map(str, prompts.counts))} in the blocks); use prompt_step=0, a larger "
            "prompt_depth and a backbone whose blocks are equally wide"
        )
    return PromptDynamics(pairs[0][0].shape[1], config.dynamics_size, config.dynamics_weight, config.stability_weight)


def _visual_prompts(
    backbone: Backbone, config: Config, method: Method
) -> tuple[nn.Module | None, VisualPrompts | GuidedPrompts]:
    """Prompts that enter elsewhere than as tokens, if any, and those that enter as tokens."""
    if method.guided:
        return None, _guided_prompts(backbone, config)
    location: nn.Module | None = None
    counts: list[int] = []
    if method.prompts != "none" and config.prompt_location != "prepend":
        depth = 1 if method.prompts == "shallow" else config.prompt_depth or backbone.depth
        location = make_location(config.prompt_location, backbone, config.num_prompts, depth)
    elif method.prompts == "shallow":
        counts = [config.num_prompts]
    elif method.prompts == "deep":
        counts = prompt_counts(
            config.num_prompts,
            config.prompt_depth,
            config.prompt_step,
            backbone.depth,
            field="prompt_depth",
            start=config.prompt_from,
        )
    form: dict[str, Any] = {
        "shared": config.prompt_shared,
        "projection": config.prompt_projection,
        "dropout": config.prompt_dropout,
    }
    if method.pruned:
        segments = config.prompt_segments if config.pruned_segments else 1  # a token is then pruned whole or not at all
        return None, PrunablePrompts(counts, backbone.widths, segments, **form)
    return location, VisualPrompts(counts, backbone.widths, **form)


def _key_values(backbone: Backbone, config: Config) -> KeyValuePrompts:
    counts = prompt_counts(
        config.num_key_value_prompts,
        config.key_value_depth,
        0,
        backbone.depth,
        field="key_value_depth",
        start=config.key_value_from,
    )
    return KeyValuePrompts(counts, backbone.key_widths, config.key_value_shared)


def _tower(backbone: Backbone, config: Config, method: Method, container: SemanticContainer) -> SemanticTower:
    source, size = config.semantic_source, config.embedding_size
    prompts = _class_prompts(backbone, config, len(container.rows)) if source == "class_prompts" else None
    head = Head(backbone.width, size, whitens_input=config.whitens_input) if source != "samples" else None
    name = method.semantic if config.semantic_unit == "method" else config.semantic_unit
    accumulate: nn.Module = _taking(
        ACCUMULATORS.load(name),
        size=size,
        keep=config.ema_keep,
        activation=config.gru_activation,
        dropout=config.gru_dropout,
        store_dropped=config.store_dropped_state,
    )
    return SemanticTower(container, accumulate, source=source, class_prompts=prompts, head=head)


def _class_prompts(backbone: Backbone, config: Config, num_classes: int) -> ClassPrompts | ClassPromptRows:
    counts = prompt_counts(
        config.num_class_prompts,
        config.class_prompt_depth,
        config.class_prompt_step,
        backbone.depth,
        field="class_prompt_depth",
    )
    if config.class_prompt_updates == "dense":
        return ClassPrompts(counts, backbone.widths, num_classes, config.class_prompt_init)
    return ClassPromptRows(
        counts,
        backbone.widths,
        num_classes,
        config.class_prompt_init,
        seed=config.seed,
        slots=config.optimizer_slots,
        place=config.class_prompts_on,
    )


def _taking(constructor: Callable[..., Any], **constants: Any) -> Any:
    """Call a constructor with those of the constants that it takes."""
    taken = inspect.signature(constructor).parameters
    return constructor(**{name: value for name, value in constants.items() if name in taken})
